//! What AWS would refuse, all of it at once, in words for the person who can mend it.

use std::fmt;

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::Serialize;

use crate::{
    Field, Kind, OpportunityId, Record, Value,
    catalog::{
        Required, Type,
        postal_code::{self, PostalCodes},
    },
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

/// Every problem that `record` has for `operation` on the day `today`.
pub fn validate(record: &Record, operation: Operation, today: Date) -> Vec<Problem> {
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
    let mut add = |key: &str, rule, message: String| {
        if let Some(field) = record.kind().field(key) {
            problems.push(Problem { field: field.key, api: field.api, rule, message });
        }
    };
    if record.kind() == Kind::Opportunity {
        across(record, operation, today, &mut add);
    }
    problems
}

/// Rules of opportunities that look at more than one field, or at more than its shape.
fn across(record: &Record, operation: Operation, today: Date, add: &mut impl FnMut(&str, &'static str, String)) {
    let text = |key| record.text(key);
    let filled = |key| !matches!(record.value(key), None | Some(Value::Null));
    let secret = text("doesOppBelongToNatSec") == Some("Yes");

    if let Some(description) = text("projectDescription")
        && description.chars().count() < 20
    {
        add("projectDescription", "length", "AWS wants at least 20 characters: say more".to_owned());
    }
    if let Some(Value::Number(amount)) = record.value("expectedMonthlyAwsRevenue")
        && *amount <= Decimal::ZERO
    {
        add("expectedMonthlyAwsRevenue", "amount", "AWS wants an amount greater than 0: correct it".to_owned());
    }
    if let Some(country) = text("country") {
        match (postal_code::of(country), text("postalCode")) {
            (PostalCodes::None, Some(_)) => {
                add("postalCode", "postal-code", format!("{country} has no postal codes: empty it"));
            }
            (PostalCodes::Forms(_) | PostalCodes::Unchecked, None) if !(secret && country == "US") => {
                add("postalCode", "required", format!("AWS needs a value here for {country}: fill it in"));
            }
            (codes @ PostalCodes::Forms(forms), Some(code)) if !codes.fit(code) => {
                let forms = forms.replace('|', " or ");
                add(
                    "postalCode",
                    "postal-code",
                    format!("not a postal code of {country} ({forms}; # a digit, @ a letter): correct it"),
                );
            }
            _ => {}
        }
    }
    if secret && text("industry") != Some("Government") {
        add(
            "doesOppBelongToNatSec",
            "national-security",
            "`Yes` is possible for industry `Government` only: change one of them".to_owned(),
        );
    }
    if let Some(parent) = text("parentOppId")
        && parent.parse::<OpportunityId>().is_err()
    {
        add("parentOppId", "identifier", "not an opportunity identifier (`O` and digits): correct it".to_owned());
    }
    if operation == Operation::Submit && text("stage") == Some("Closed Lost") {
        add(
            "stage",
            "submission",
            "a lost opportunity cannot be submitted: change the stage or do not share it".to_owned(),
        );
    }
    match record.value("targetCloseDate") {
        Some(Value::Date(date)) if *date < today => {
            add("targetCloseDate", "date", "the date is in the past: choose a later one".to_owned());
        }
        Some(Value::Date(date)) if date.year() > today.year() + 60 => {
            add("targetCloseDate", "date", "the date is more than 60 years ahead: choose an earlier one".to_owned());
        }
        _ => {}
    }
    if let (Some(Value::Date(start)), Some(Value::Date(end))) =
        (record.value("contractStartDate"), record.value("contractEndDate"))
        && start > end
    {
        add("contractEndDate", "date", "the contract ends before it starts: correct one of the dates".to_owned());
    }
    if text("isOppFromMarketingActivity") != Some("Marketing Activity") {
        for key in [
            "awsSFCampaignName",
            "marketingActivityChannel",
            "marketingActivityUsecase",
            "isMarketingDevelopmentFunded",
        ] {
            if filled(key) {
                add(
                    key,
                    "marketing",
                    "only possible when isOppFromMarketingActivity is `Marketing Activity`: empty it, or set that"
                        .to_owned(),
                );
            }
        }
    } else if text("isMarketingDevelopmentFunded") == Some("No") && filled("marketingActivityUsecase") {
        add(
            "marketingActivityUsecase",
            "marketing",
            "AWS takes no topics of a campaign that it did not fund: empty it".to_owned(),
        );
    }
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
        (Type::Digits(count), Value::Text(text)) => {
            let sound = text.len() == usize::from(count) && text.bytes().all(|b| b.is_ascii_digit());
            (!sound).then(|| ("digits", format!("not {count} digits: correct it, leading zeros included")))
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

    const TODAY: Date = jiff::civil::date(2026, 3, 9);

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
        let shown: Vec<String> = validate(&record, Operation::Submit, TODAY).iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(shown.join("\n"));
    }

    #[test]
    fn rules_across_fields() {
        let problems = |values: &[(&str, &str)]| -> Vec<String> {
            let found = validate(&record(values), Operation::Submit, TODAY);
            found
                .into_iter()
                .filter(|p| p.rule != "required" || p.field == "postalCode")
                .map(|p| format!("{} {}", p.field, p.rule))
                .collect()
        };
        for (values, expected) in [
            (&[("country", "DE"), ("postalCode", "1234")][..], &["postalCode postal-code"][..]),
            (&[("country", "DE"), ("postalCode", "20457")], &[]),
            (&[("country", "DE")], &["postalCode required"]),
            (&[("country", "AE")], &[]),
            (&[("country", "AE"), ("postalCode", "1")], &["postalCode postal-code"]),
            (&[("country", "US"), ("doesOppBelongToNatSec", "Yes"), ("industry", "Government")], &[]),
            (&[("doesOppBelongToNatSec", "Yes"), ("industry", "Retail")], &["doesOppBelongToNatSec national-security"]),
            (&[("projectDescription", "Too short")], &["projectDescription length"]),
            (&[("expectedMonthlyAwsRevenue", "0")], &["expectedMonthlyAwsRevenue amount"]),
            (&[("customerDuns", "12345678")], &["customerDuns digits"]),
            (&[("awsAccountId", "012345678901")], &[]),
            (&[("parentOppId", "006A")], &["parentOppId identifier"]),
            (&[("stage", "Closed Lost"), ("closedLostReason", "Price")], &["stage submission"]),
            (&[("targetCloseDate", "2026-03-08")], &["targetCloseDate date"]),
            (&[("targetCloseDate", "2026-03-09")], &[]),
            (&[("targetCloseDate", "2099-01-01")], &["targetCloseDate date"]),
            (&[("contractStartDate", "2026-05-01"), ("contractEndDate", "2026-04-01")], &["contractEndDate date"]),
            (&[("marketingActivityChannel", "Email")], &["marketingActivityChannel marketing"]),
            (
                &[
                    ("isOppFromMarketingActivity", "Marketing Activity"),
                    ("isMarketingDevelopmentFunded", "No"),
                    ("marketingActivityUsecase", "Compute"),
                ],
                &["marketingActivityUsecase marketing"],
            ),
        ] {
            assert_eq!(problems(values), expected, "{values:?}");
        }
    }

    #[test]
    fn submission_needs_more_than_creation() {
        let record = record(&[("partnerProjectTitle", "Lake")]);
        let fields = |operation| validate(&record, operation, TODAY).iter().map(|p| p.field).collect::<Vec<_>>();
        assert!(!fields(Operation::Create).contains(&"useCase"));
        assert!(fields(Operation::Submit).contains(&"useCase"));
        assert!(!fields(Operation::Submit).contains(&"stage"), "a default is sent");
        assert!(fields(Operation::Update).contains(&"stage"));
    }
}
