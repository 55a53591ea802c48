//! The constraint table and the shape check that reads it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use regex_lite::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::errors::{ApiError, Code, Problem};

/// The rows of one request or record, by member path; `[]` marks the items of a list.
pub type Rows = BTreeMap<String, Rule>;

/// One row of the table.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The JSON type of the member.
    #[serde(default, rename = "type")]
    pub kind: Kind,
    /// The service model demands it inside its parent.
    #[serde(default)]
    pub required: bool,
    /// Least number of characters or items, or the least integer.
    #[serde(default)]
    pub min: usize,
    /// Greatest number of characters or items, or the greatest integer.
    pub max: Option<usize>,
    /// Name of the shape of the object or of the list's items.
    pub of: Option<String>,
    /// Name of the model's enumeration.
    #[serde(rename = "enum")]
    pub choice: Option<String>,
    /// Name of the model's pattern.
    pub pattern: Option<String>,
    /// Name of a closed list that only the server knows.
    pub list: Option<String>,
    /// Free text, which may come back escaped.
    #[serde(default)]
    pub text: bool,
    /// When the business rules ask for it.
    pub need: Option<Need>,
    /// The windows in which a partner may change it.
    #[serde(default)]
    pub edit: String,
}

/// When the business rules demand a member.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// At creation and from then on.
    Create,
    /// From submission on.
    Submit,
}

/// The JSON type of a member.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Text.
    #[default]
    String,
    /// A list of texts.
    Strings,
    /// An object.
    Struct,
    /// A list of objects.
    Structs,
    /// `YYYY-MM-DD`.
    Date,
    /// ISO-8601 text.
    Timestamp,
    /// A whole number.
    Integer,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    pattern: BTreeMap<String, String>,
    #[serde(rename = "enum")]
    choices: BTreeMap<String, Vec<String>>,
    list: BTreeMap<String, Vec<String>>,
    postal: BTreeMap<String, Vec<String>>,
    shape: BTreeMap<String, Rows>,
    opportunity: Rows,
    summary: Rows,
    invitation: BTreeMap<String, Rows>,
    request: BTreeMap<String, Rows>,
}

/// The whole table.
pub struct Table {
    patterns: BTreeMap<String, Regex>,
    choices: BTreeMap<String, Vec<String>>,
    lists: BTreeMap<String, Vec<String>>,
    postal: BTreeMap<String, Vec<String>>,
    /// The body of an opportunity.
    pub opportunity: Rows,
    /// AWS's view of an opportunity.
    pub summary: Rows,
    /// Named shapes; those of contexts have the names of their types.
    pub shapes: BTreeMap<String, Rows>,
    /// Payloads of invitations, by payload type.
    pub invitation: BTreeMap<String, Rows>,
    /// Inputs by operation.
    pub requests: BTreeMap<String, Rows>,
}

/// The table, read once.
pub static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let source: Source = toml::from_str(include_str!("constraints.toml")).expect("constraints.toml parses");
    let spelled = |groups: &BTreeMap<String, Rows>| -> BTreeMap<String, Rows> {
        groups.iter().map(|(name, rows)| (name.clone(), spelled_out(rows, &source.shape))).collect()
    };
    let (shapes, mut requests) = (spelled(&source.shape), spelled(&source.request));
    for operation in ["CreateOpportunity", "UpdateOpportunity"] {
        let rows = requests.get_mut(operation).expect("constraints.toml has the operation");
        rows.extend(source.opportunity.clone());
    }
    Table {
        patterns: source
            .pattern
            .into_iter()
            .map(|(name, pattern)| {
                let regex = Regex::new(&format!("^(?:{pattern})$")).expect("patterns compile");
                (name, regex)
            })
            .collect(),
        choices: source.choices,
        lists: source.list,
        postal: source.postal,
        opportunity: source.opportunity,
        summary: source.summary,
        shapes,
        invitation: source.invitation,
        requests,
    }
});

impl Table {
    /// Whether `value` is in the server's closed list.
    pub fn listed(&self, list: &str, value: &str) -> bool {
        self.lists[list].iter().any(|known| known == value)
    }

    /// The postal code formats of a country, if it is checked.
    pub fn postal_formats(&self, country: &str) -> Option<&[String]> {
        self.postal.get(country).map(Vec::as_slice)
    }

    /// Checks an object against a named shape.
    pub fn shape(&self, name: &str, object: &Map<String, Value>) -> Result<(), ApiError> {
        let problems = check(&self.shapes[name], object)?;
        if problems.is_empty() { Ok(()) } else { Err(ApiError::request(problems)) }
    }

    fn matches(&self, pattern: &str, value: &str) -> bool {
        self.patterns[pattern].is_match(value)
    }
}

/// Rows with those of the shapes that they name.
fn spelled_out(rows: &Rows, shapes: &BTreeMap<String, Rows>) -> Rows {
    let mut whole = rows.clone();
    for (path, rule) in rows {
        let Some(name) = &rule.of else { continue };
        let mark = if rule.kind == Kind::Structs { "[]" } else { "" };
        let inner = spelled_out(&shapes[name], shapes);
        whole.extend(inner.into_iter().map(|(key, rule)| (format!("{path}{mark}.{key}"), rule)));
    }
    whole
}

/// Whether one value satisfies its row.
pub fn fits(rows: &Rows, path: &str, value: &Value) -> bool {
    let mut problems = Vec::new();
    let Some(rule) = rows.get(path) else { return false };
    check_value(rows, path, rule, path, value, &mut problems).is_ok() && problems.is_empty()
}

/// Checks an object against its rows and reports every problem; a wrong JSON type ends the check as the service's
/// deserializer would.
pub fn check(rows: &Rows, object: &Map<String, Value>) -> Result<Vec<Problem>, ApiError> {
    let mut problems = Vec::new();
    walk(rows, "", "", object, &mut problems)?;
    Ok(problems)
}

fn walk(
    rows: &Rows,
    prefix: &str,
    name: &str,
    object: &Map<String, Value>,
    problems: &mut Vec<Problem>,
) -> Result<(), ApiError> {
    for key in object.keys() {
        if key != "__type" && !rows.contains_key(&format!("{prefix}{key}")) {
            problems.push(Problem::new(Code::InvalidValue, member(name, key), "is not a member of this request"));
        }
    }
    for (path, rule) in rows {
        let Some(key) = path.strip_prefix(prefix) else { continue };
        if key.is_empty() || key.contains('.') {
            continue;
        }
        let field = member(name, key);
        match object.get(key) {
            None | Some(Value::Null) => {
                if rule.required {
                    problems.push(Problem::new(Code::RequiredFieldMissing, field, "is required"));
                }
            }
            Some(value) => check_value(rows, path, rule, &field, value, problems)?,
        }
    }
    Ok(())
}

fn check_value(
    rows: &Rows,
    path: &str,
    rule: &Rule,
    field: &str,
    value: &Value,
    problems: &mut Vec<Problem>,
) -> Result<(), ApiError> {
    let wrong_type = || ApiError::serialization(field);
    match rule.kind {
        Kind::String | Kind::Date | Kind::Timestamp => {
            let text = value.as_str().ok_or_else(wrong_type)?;
            if rule.kind == Kind::Timestamp {
                text.parse::<Timestamp>().map_err(|_| wrong_type())?;
            } else {
                check_text(rule, field, text, problems);
            }
        }
        Kind::Integer => {
            let number = value.as_u64().ok_or_else(wrong_type)?;
            let most = rule.max.unwrap_or(usize::MAX);
            if !usize::try_from(number).is_ok_and(|number| (rule.min..=most).contains(&number)) {
                let message = format!("must be between {} and {most}", rule.min);
                problems.push(Problem::new(Code::ValueOutOfRange, field, message));
            }
        }
        Kind::Struct => {
            let object = value.as_object().ok_or_else(wrong_type)?;
            walk(rows, &format!("{path}."), field, object, problems)?;
        }
        Kind::Strings | Kind::Structs => {
            let items = value.as_array().ok_or_else(wrong_type)?;
            if items.len() < rule.min {
                let message = format!("needs at least {} items", rule.min);
                problems.push(Problem::new(Code::NotEnoughValues, field, message));
            }
            if let Some(max) = rule.max.filter(|max| items.len() > *max) {
                let message = format!("takes at most {max} items");
                problems.push(Problem::new(Code::TooManyValues, field, message));
            }
            for (index, item) in items.iter().enumerate() {
                let field = format!("{field}.{}.member", index + 1);
                if rule.kind == Kind::Structs {
                    let object = item.as_object().ok_or_else(wrong_type)?;
                    walk(rows, &format!("{path}[]."), &field, object, problems)?;
                } else {
                    let text = item.as_str().ok_or_else(wrong_type)?;
                    let single = Rule { choice: rule.choice.clone(), pattern: rule.pattern.clone(), ..Rule::default() };
                    check_text(&single, &field, text, problems);
                }
            }
        }
    }
    Ok(())
}

fn check_text(rule: &Rule, field: &str, text: &str, problems: &mut Vec<Problem>) {
    let length = text.chars().count();
    if length < rule.min || rule.max.is_some_and(|max| length > max) {
        let message = match rule.max {
            Some(max) => format!("must have {} to {max} characters, has {length}", rule.min),
            None => format!("must have at least {} characters", rule.min),
        };
        problems.push(Problem::new(Code::InvalidStringFormat, field, message));
    }
    if let Some(choice) = &rule.choice
        && !TABLE.choices[choice].iter().any(|known| known == text)
    {
        problems.push(Problem::new(Code::InvalidEnumValue, field, "is not one of the member's enum values"));
    }
    let pattern = match rule.kind {
        Kind::Date => Some("date"),
        _ => rule.pattern.as_deref(),
    };
    if let Some(pattern) = pattern
        && !TABLE.matches(pattern, text)
    {
        problems.push(Problem::new(
            Code::InvalidStringFormat,
            field,
            format!("does not satisfy the pattern of {pattern}"),
        ));
    }
}

fn member(parent: &str, key: &str) -> String {
    let mut letters = key.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    let key: String = first.into_iter().chain(letters).collect();
    if parent.is_empty() { key } else { format!("{parent}.{key}") }
}

/// A path of the table as an error's field name: lower camel, without list marks.
pub fn field_name(path: &str) -> String {
    path.split('.').fold(String::new(), |name, part| member(&name, part.trim_end_matches("[]")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems(operation: &str, body: &Value) -> Vec<(String, &'static str)> {
        check(&TABLE.requests[operation], body.as_object().expect("an object"))
            .expect("types are right")
            .into_iter()
            .map(|problem| (problem.field, problem.code.name()))
            .collect()
    }

    #[test]
    fn every_reference_in_the_table_resolves() {
        let groups = TABLE.requests.values().chain(TABLE.invitation.values()).chain(TABLE.shapes.values());
        let all = groups.chain([&TABLE.opportunity, &TABLE.summary]);
        for (path, rule) in all.flatten() {
            assert!(rule.choice.as_ref().is_none_or(|name| TABLE.choices.contains_key(name)), "{path}");
            assert!(rule.pattern.as_ref().is_none_or(|name| TABLE.patterns.contains_key(name)), "{path}");
            assert!(rule.list.as_ref().is_none_or(|name| TABLE.lists.contains_key(name)), "{path}");
            assert!(rule.edit.chars().all(|window| "APL".contains(window)), "{path}");
        }
    }

    #[test]
    fn every_shape_problem_is_reported_at_once() {
        let found = problems(
            "CreateOpportunity",
            &json!({
                "Catalog": "Sandbox",
                "NationalSecurity": "Maybe",
                "Customer": {
                    "Account": {"CompanyName": "x".repeat(121), "Duns": "12"},
                    "Contacts": [{"Email": "Ada@Example.com"}, {"Phone": "0123"}],
                },
                "LifeCycle": {"TargetCloseDate": "2026-13-01"},
                "Colour": "blue",
            }),
        );
        for expected in [
            ("clientToken", "REQUIRED_FIELD_MISSING"),
            ("nationalSecurity", "INVALID_ENUM_VALUE"),
            ("customer.account.companyName", "INVALID_STRING_FORMAT"),
            ("customer.account.duns", "INVALID_STRING_FORMAT"),
            ("customer.contacts.1.member.email", "INVALID_STRING_FORMAT"),
            ("customer.contacts.2.member.phone", "INVALID_STRING_FORMAT"),
            ("lifeCycle.targetCloseDate", "INVALID_STRING_FORMAT"),
            ("colour", "INVALID_VALUE"),
        ] {
            assert!(found.contains(&(expected.0.to_owned(), expected.1)), "{expected:?} in {found:?}");
        }
        assert_eq!(found.len(), 8, "{found:?}");
    }

    #[test]
    fn lengths_are_counted_in_characters_at_both_edges() {
        let with = |problem: String| {
            problems(
                "UpdateOpportunity",
                &json!({"Catalog": "Sandbox", "Identifier": "O1", "LastModifiedDate": "2026-01-01T00:00:00Z",
                        "Project": {"CustomerBusinessProblem": problem}}),
            )
            .len()
        };
        assert_eq!(with("é".repeat(19)), 1);
        assert_eq!(with("é".repeat(20)), 0);
        assert_eq!(with("é".repeat(2000)), 0);
        assert_eq!(with("é".repeat(2001)), 1);
    }

    #[test]
    fn amounts_are_strings_of_plain_decimals() {
        let with = |amount: Value| {
            let body = json!({"Catalog": "Sandbox", "ClientToken": "t", "Project": {"ExpectedCustomerSpend": [
                {"Amount": amount, "CurrencyCode": "USD", "Frequency": "Monthly", "TargetCompany": "AWS"}]}});
            check(&TABLE.requests["CreateOpportunity"], body.as_object().expect("an object"))
        };
        assert!(with(json!("12500.25")).expect("right type").is_empty());
        for wrong in ["12500.000", "-1", "1e3", "1,000", "007"] {
            assert_eq!(with(json!(wrong)).expect("right type").len(), 1, "{wrong}");
        }
        assert_eq!(with(json!(12500)).expect_err("a number is no string").kind, "SerializationException");
    }

    #[test]
    fn field_names_are_lower_camel() {
        assert_eq!(
            field_name("Project.ExpectedCustomerSpend[].EstimationUrl"),
            "project.expectedCustomerSpend.estimationUrl"
        );
    }
}
