//! What AWS would refuse, all of it at once, in words for the person who can mend it.

use std::fmt;

use serde::Serialize;

use crate::{
    Field, Record, Value,
    catalog::{Required, Type},
};

/// What the record is to be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// `CreateOpportunity` alone.
    Create,
    /// Creation and submission.
    Submit,
    /// `UpdateOpportunity`.
    Update,
}

/// One thing that is wrong with a record. It names the field and the rule, never the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The catalog key.
    pub field: &'static str,
    /// The API's path.
    pub api: Option<&'static str>,
    /// A stable name of the rule, for machines.
    pub rule: &'static str,
    /// What is wrong and how to mend it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// Every problem that `record` has for `operation`.
pub fn validate(record: &Record, operation: Operation) -> Vec<Problem> {
    let mut problems = Vec::new();
    for field in record.kind().fields() {
        let mut problem = |rule, message| problems.push(Problem { field: field.key, api: field.api, rule, message });
        match record.get(field) {
            None | Some(Value::Null) => {
                if let Some(message) = missing(record, field, operation) {
                    problem("required", message);
                }
            }
            Some(value) if field.is_writable() => {
                if let Some((rule, message)) = misshapen(field.ty, value) {
                    problem(rule, message);
                }
            }
            Some(_) => {}
        }
    }
    problems
}

fn missing(record: &Record, field: &Field, operation: Operation) -> Option<String> {
    if field.default.is_some() && operation < Operation::Update {
        return None;
    }
    match field.required {
        Required::Create => Some("AWS needs a value here: fill it in".to_owned()),
        Required::Submit if operation == Operation::Submit => {
            Some("AWS needs a value here before it reviews the opportunity: fill it in".to_owned())
        }
        Required::Update if operation == Operation::Update => Some("AWS needs a value here: fill it in".to_owned()),
        Required::When(other, wanted) if record.text(other) == Some(wanted) => {
            // For national security AWS takes the address without its details.
            let relaxed = other == "country" && record.text("doesOppBelongToNatSec") == Some("Yes");
            (!relaxed).then(|| format!("AWS needs a value here because {other} is `{wanted}`: fill it in"))
        }
        _ => None,
    }
}

fn misshapen(ty: Type, value: &Value) -> Option<(&'static str, String)> {
    let unlisted = |items: &[String]| {
        let list = ty.picklist()?;
        let strangers = items.iter().filter(|item| !list.has(item)).count();
        (strangers > 0).then(|| {
            (
                "listed",
                format!(
                    "{strangers} of {} values is not in AWS's list of {}: choose one that is",
                    items.len(),
                    list.name
                ),
            )
        })
    };
    match (ty, value) {
        (Type::Text { max }, Value::Text(text)) => {
            let length = text.chars().count();
            (length > max.into())
                .then(|| ("length", format!("{length} characters, at most {max} are possible: shorten it")))
        }
        (Type::Picklist(_), Value::Text(text)) => unlisted(std::slice::from_ref(text)),
        (Type::Picklists(_), Value::List(items)) => unlisted(items),
        (Type::YesNo, Value::Text(text)) => (text != "Yes" && text != "No")
            .then(|| ("listed", "only `Yes` and `No` are possible: choose one".to_owned())),
        (Type::Number { decimals }, Value::Number(number)) => (number.scale() > decimals.into()
            || number.is_sign_negative())
        .then(|| ("amount", format!("an amount from 0 up with at most {decimals} decimals is possible: round it"))),
        (Type::Email, Value::Text(text)) => {
            let sound = text.len() <= 80
                && text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
            (!sound).then(|| ("email", "not an e-mail address of at most 80 characters: correct it".to_owned()))
        }
        (Type::Phone, Value::Text(text)) => {
            let digits = text.strip_prefix('+').unwrap_or_default();
            let sound = (2..=15).contains(&digits.len())
                && digits.bytes().all(|b| b.is_ascii_digit())
                && !digits.starts_with('0');
            (!sound).then(|| ("phone", "not in the form +4930123456 that AWS takes: correct it".to_owned()))
        }
        (Type::Url, Value::Text(text)) => (!(4..=255).contains(&text.len()) || !text.contains('.'))
            .then(|| ("url", "not a web address of 4 to 255 characters: correct it".to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    fn record(values: &[(&str, &str)]) -> Record {
        let mut record = Record::new(Kind::Opportunity);
        for (key, text) in values {
            let field = Kind::Opportunity.field(key).unwrap();
            record.set(field, Value::parse(field.ty, &serde_json::json!(text)).unwrap().unwrap());
        }
        record
    }

    #[test]
    fn all_problems_come_at_once() {
        let record = record(&[
            ("partnerProjectTitle", "Lake"),
            ("country", "US"),
            ("industry", "Baking"),
            ("customerEmail", "nobody"),
            ("customerPhone", "030 1234"),
            ("expectedMonthlyAwsRevenue", "10.123"),
            ("deliveryModel", "Resell;Carrier pigeon"),
            ("doesOppBelongToNatSec", "Maybe"),
        ]);
        let shown: Vec<String> = validate(&record, Operation::Submit).iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(shown.join("\n"));
    }

    #[test]
    fn submission_needs_more_than_creation() {
        let record = record(&[("partnerProjectTitle", "Lake")]);
        let fields = |operation| validate(&record, operation).iter().map(|p| p.field).collect::<Vec<_>>();
        assert!(!fields(Operation::Create).contains(&"useCase"));
        assert!(fields(Operation::Submit).contains(&"useCase"));
        assert!(!fields(Operation::Submit).contains(&"stage"), "a default is sent");
        assert!(fields(Operation::Update).contains(&"stage"));
    }
}
