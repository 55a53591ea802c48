//! Salesforce's JSON and the port's values.

use cosell_mapping::CrmValue;
use cosell_sync::ports::CrmFields;
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::errors::Unreadable;

/// A row of a query's answer.
pub(super) type Row = Map<String, Json>;

/// The fields that were asked for, by the names they were asked by. Parents, which answers nest, get dotted names.
pub(super) fn fields(row: &Row, asked: &[String]) -> CrmFields {
    asked.iter().filter_map(|path| Some((path.clone(), field(row, path)?))).collect()
}

/// What is at a path: empty where a lookup on the way is empty, none where the answer does not have it at all.
pub(super) fn field(row: &Row, path: &str) -> Option<CrmValue> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    match (member(row, name)?, rest) {
        (Json::Null, Some(_)) => Some(CrmValue::Null),
        (Json::Object(parent), Some(rest)) => field(parent, rest),
        (_, Some(_)) => None,
        (value, None) => Some(value_of(value)),
    }
}

/// Salesforce takes names in any case and answers them in its own.
fn member<'r>(row: &'r Row, name: &str) -> Option<&'r Json> {
    row.get(name).or_else(|| row.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

fn value_of(json: &Json) -> CrmValue {
    match json {
        Json::String(text) => CrmValue::from(timestamp(text).map_or(json.clone(), |at| Json::String(at.to_string()))),
        other => CrmValue::from(other.clone()),
    }
}

/// A `datetime` as answers write it: `2026-11-22T10:00:00.000+0000`, always in UTC, the offset without a colon. Every
/// other text, dates and other spellings of timestamps among them, stays what it is.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    let utc = text.strip_suffix("+0000")?;
    if utc.len() != "2026-11-22T10:00:00.000".len() || utc.as_bytes().get(10) != Some(&b'T') {
        return None;
    }
    format!("{utc}Z").parse().ok()
}

/// A text of a row.
pub(super) fn text(row: &Row, name: &str) -> Option<String> {
    match field(row, name) {
        Some(CrmValue::Text(text)) => Some(text),
        _ => None,
    }
}

/// The identifier of a row.
pub(super) fn identifier(row: &Row) -> Result<String, Unreadable> {
    text(row, "Id").filter(|id| is_id(id)).ok_or(Unreadable("`Id`"))
}

/// Whether a text has the form of a Salesforce identifier.
pub(super) fn is_id(text: &str) -> bool {
    matches!(text.len(), 15 | 18) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// What both forms of an identifier have in common: the last three of 18 characters are derived.
pub(super) fn normal_id(id: &str) -> String {
    id.chars().take(15).collect()
}

/// What texts have in common that are equal to Salesforce.
pub(super) fn normal_text(text: &str) -> String {
    text.trim().to_lowercase()
}

/// What a write sends: all fields but the one that is in the path already.
pub(super) fn body(fields: &CrmFields, in_path: Option<&str>) -> Json {
    Json::Object(without(in_path, fields).collect())
}

/// What a write sends in a list: the object, the key, and all other fields.
pub(super) fn entry(object: &str, key: Option<(&str, &str)>, fields: &CrmFields) -> Json {
    let head = [("attributes".to_owned(), json!({"type": object}))];
    let named = key.map(|(field, value)| (field.to_owned(), Json::from(value)));
    Json::Object(head.into_iter().chain(named).chain(without(key.map(|(field, _)| field), fields)).collect())
}

fn without(key: Option<&str>, fields: &CrmFields) -> impl Iterator<Item = (String, Json)> {
    let others = fields.iter().filter(move |(name, _)| key.is_none_or(|key| !name.eq_ignore_ascii_case(key)));
    others.map(|(name, value)| (name.clone(), value.clone().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str) -> Row {
        serde_json::from_str(text).expect("a row")
    }

    #[test]
    fn parents_get_dotted_names() {
        let row = row(r#"{
            "attributes": {"type": "Opportunity", "url": "/services/data/v66.0/sobjects/Opportunity/006"},
            "Name": "Deal",
            "Account": {"attributes": {"type": "Account"}, "Name": "ACME", "Owner": {"attributes": {}, "Email": "a@example.com"}},
            "Partner__r": null
        }"#);
        let asked = [
            "name",
            "Account.Name",
            "Account.Owner.Email",
            "Partner__r.Region__c",
            "Partner__r.Owner.Email",
            "Gone__c",
        ];
        let fields = fields(&row, &asked.map(str::to_owned));
        let text = |text: &str| CrmValue::Text(text.to_owned());
        let expected = [
            ("name", text("Deal")),
            ("Account.Name", text("ACME")),
            ("Account.Owner.Email", text("a@example.com")),
            ("Partner__r.Region__c", CrmValue::Null),
            ("Partner__r.Owner.Email", CrmValue::Null),
        ];
        assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value)).into());
    }

    #[test]
    fn types_on_the_wire() {
        let number = |text: &str| CrmValue::Number(text.parse().expect("a decimal"));
        let text = |text: &str| CrmValue::Text(text.to_owned());
        for (json, expected) in [
            ("null", CrmValue::Null),
            ("\"\"", CrmValue::Null),
            ("true", CrmValue::Bool(true)),
            ("12.5", number("12.5")),
            ("12345678901234.56", number("12345678901234.56")),
            ("9007199254740993", number("9007199254740993")),
            ("1.0E7", number("10000000")),
            ("\"2026-11-22\"", text("2026-11-22")),
            ("\"2026-11-22T10:00:00.000+0000\"", text("2026-11-22T10:00:00Z")),
            ("\"2026-11-22T10:00:00.250+0000\"", text("2026-11-22T10:00:00.25Z")),
            ("\"2026-11-22T10:00:00Z\"", text("2026-11-22T10:00:00Z")),
            ("\"10:00:00.000Z\"", text("10:00:00.000Z")),
            ("\"call +0000\"", text("call +0000")),
            ("\"2026-99-22T10:00:00.000+0000\"", text("2026-99-22T10:00:00.000+0000")),
            ("\"a;b\"", text("a;b")),
        ] {
            let row = row(&format!("{{\"F\":{json}}}"));
            assert_eq!(field(&row, "F"), Some(expected), "{json}");
        }
    }

    #[test]
    fn the_key_is_left_out_of_the_body_and_numbers_stay_exact() {
        let fields = CrmFields::from([
            ("ACE_Opportunity_Id__c".to_owned(), CrmValue::Text("O1".to_owned())),
            ("Amount".to_owned(), CrmValue::Number("12345678901234.56".parse().expect("a decimal"))),
            ("NextStep".to_owned(), CrmValue::Null),
            ("Share_With_AWS__c".to_owned(), CrmValue::Bool(false)),
        ]);
        assert_eq!(
            body(&fields, Some("ace_opportunity_id__c")).to_string(),
            r#"{"Amount":12345678901234.56,"NextStep":null,"Share_With_AWS__c":false}"#
        );
        assert_eq!(body(&fields, None)["ACE_Opportunity_Id__c"], "O1");
        assert_eq!(
            entry("Lead", Some(("ace_opportunity_id__c", "O2")), &fields).to_string(),
            r#"{"attributes":{"type":"Lead"},"ace_opportunity_id__c":"O2","Amount":12345678901234.56,"NextStep":null,"Share_With_AWS__c":false}"#
        );
    }
}
