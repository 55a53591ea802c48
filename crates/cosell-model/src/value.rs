use std::{borrow::Cow, collections::HashSet, str::FromStr};

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde_json::Value as Json;

use crate::catalog::Type;

/// A field's value in ACE words. A field that a record does not have at all is *absent*, which is not [`Value::Null`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Explicitly empty: writing it deletes what is there.
    Null,
    /// Text, a picklist value, or a timestamp kept as AWS wrote it.
    Text(String),
    /// A count or an amount of money; never a float.
    Number(Decimal),
    /// A calendar day without a zone.
    Date(Date),
    /// Several picklist values or identifiers; the order carries no meaning.
    List(Vec<String>),
}

/// A value that cannot be read as the field's type. It never carries the value itself: that may be personal data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found}")]
pub struct MalformedValue {
    /// What the field's type wants.
    pub expected: &'static str,
    /// The shape of what was there.
    pub found: &'static str,
}

/// What AWS writes in place of data that it shows only after acceptance.
const MASK: &str = "Accept To View";

/// A JSON value as far as fields look into it, borrowed from wherever it was read.
pub(crate) enum Raw<'j> {
    Null,
    Bool(bool),
    /// The digits as they were written.
    Number(Cow<'j, str>),
    Text(Cow<'j, str>),
    /// `None` where an item is no text.
    Texts(Option<Vec<Cow<'j, str>>>),
    Object,
}

impl<'j> From<&'j Json> for Raw<'j> {
    fn from(json: &'j Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(flag) => Self::Bool(*flag),
            Json::Number(number) => Self::Number(Cow::Owned(number.to_string())),
            Json::String(text) => Self::Text(Cow::Borrowed(text)),
            Json::Array(items) => Self::Texts(items.iter().map(|item| item.as_str().map(Cow::Borrowed)).collect()),
            Json::Object(_) => Self::Object,
        }
    }
}

impl Raw<'_> {
    fn shape(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::Texts(_) => "a list",
            Self::Object => "an object",
        }
    }
}

impl Value {
    /// Reads a JSON value as `ty`. Blank text and the literal text `null`, both of which AWS answers for nothing,
    /// are [`Value::Null`]; a mask is `None`, as if the field were absent.
    pub fn parse(ty: Type, json: &Json) -> Result<Option<Self>, MalformedValue> {
        match (ty, json) {
            (Type::History, Json::Array(entries)) => history(entries).map(Some),
            _ => Self::read(ty, Raw::from(json)),
        }
    }

    pub(crate) fn read(ty: Type, raw: Raw<'_>) -> Result<Option<Self>, MalformedValue> {
        let found = raw.shape();
        let wrong = |expected| MalformedValue { expected, found };
        let text = match raw {
            Raw::Null => return Ok(Some(Self::Null)),
            Raw::Text(text) | Raw::Number(text) => text,
            Raw::Bool(flag) if ty == Type::YesNo => Cow::Borrowed(if flag { "Yes" } else { "No" }),
            // As its text is read: no item has a semicolon in it.
            Raw::Texts(items) if ty.is_list() => Cow::Owned(items.ok_or_else(|| wrong("a list of texts"))?.join(";")),
            _ => return Err(wrong(ty.expects())),
        };
        let trimmed = text.trim();
        if trimmed.is_empty() || trimmed == "null" {
            return Ok(Some(Self::Null));
        }
        let masked = |text: &str| text.eq_ignore_ascii_case(MASK);
        if masked(trimmed) || (ty.is_list() && trimmed.split(';').map(str::trim).any(masked)) {
            return Ok(None);
        }
        let value = match ty {
            Type::Number { .. } => Self::Number(
                Decimal::from_str(trimmed)
                    .or_else(|_| Decimal::from_scientific(trimmed))
                    .map_err(|_| wrong(ty.expects()))?
                    .normalize(),
            ),
            Type::Date => {
                Self::Date(trimmed.get(..10).and_then(|day| day.parse().ok()).ok_or_else(|| wrong(ty.expects()))?)
            }
            Type::Picklists(_) | Type::Identifiers(_) => {
                Self::list(trimmed.split(';').map(|item| item.trim().to_owned()))
            }
            Type::Email if trimmed.eq_ignore_ascii_case("null") => Self::Null,
            Type::Email => Self::Text(trimmed.to_lowercase()),
            _ if trimmed.len() == text.len() => Self::Text(text.into_owned()),
            _ => Self::Text(trimmed.to_owned()),
        };
        Ok(Some(value))
    }

    /// A list without blanks, the text `null` and repetitions; an empty one is [`Value::Null`].
    pub fn list(items: impl IntoIterator<Item = String>) -> Self {
        let mut seen = HashSet::new();
        let mut kept: Vec<String> = items.into_iter().collect();
        kept.retain(|item| !item.is_empty() && item != "null" && seen.insert(item.clone()));
        if kept.is_empty() { Self::Null } else { Self::List(kept) }
    }

    /// The API's JSON for this value: amounts are strings there.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Text(text) => Json::String(text.clone()),
            Self::Number(number) => Json::String(number.to_string()),
            Self::Date(date) => Json::String(date.to_string()),
            Self::List(items) => Json::from(items.clone()),
        }
    }

    /// The text of a text value.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a list value; none for anything else.
    pub fn items(&self) -> &[String] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// Whether both say the same: lists regardless of order, texts regardless of blanks around them and of how their lines
    /// end, which AWS and CRMs both change, everything else by value.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a == b || a.trim().lines().eq(b.trim().lines()),
            (Self::List(a), Self::List(b)) => {
                a == b || (a.len() == b.len() && a.iter().collect::<HashSet<_>>() == b.iter().collect())
            }
            _ => self == other,
        }
    }
}

/// Undoes AWS's HTML escaping of text in answers. Text without an ampersand is returned as it is.
pub fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    // `&amp;colon;` is what AWS makes of a colon: the doubly escaped form goes first.
    let mut plain = text.replace("&amp;colon;", ":").replace("&colon;", ":");
    for (escaped, character) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")] {
        plain = plain.replace(escaped, character);
    }
    Cow::Owned(plain)
}

/// A line an entry: `2026-03-09T01:50:25Z: Call the customer`. Recommendations have a type in place of a time.
fn history(entries: &[Json]) -> Result<Value, MalformedValue> {
    let line = |entry: &Json| {
        let text = |names: [&str; 2]| names.iter().find_map(|name| entry.get(name)?.as_str());
        let value = text(["Value", "Details"])?.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(text(["Time", "Type"]).map_or_else(|| value.clone(), |about| format!("{about}: {value}")))
    };
    let lines: Option<Vec<String>> = entries.iter().map(line).collect();
    match lines {
        None => Err(MalformedValue { expected: Type::History.expects(), found: "something else in the list" }),
        Some(lines) if lines.iter().all(String::is_empty) => Ok(Value::Null),
        Some(lines) => Ok(Value::Text(lines.join("\n"))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::catalog::Entity;

    const MONEY: Type = Type::Number { decimals: 2, in_files: 2 };
    const SOLUTIONS: Type = Type::Identifiers(Entity::Solution);

    #[test]
    fn texts_are_the_same_whatever_is_around_them() {
        let same = |a: &str, b: &str| Value::Text(a.into()).same(&Value::Text(b.into()));
        assert!(same("by rail and ship. ", "by rail and ship.") && same("\nCall\r\nMeet", "Call\nMeet"));
        assert!(!same("Call\n\nMeet", "Call\nMeet") && !same("by  rail", "by rail"));
    }

    #[test]
    fn values_are_read_by_type() {
        let read = |ty, json: Json| Value::parse(ty, &json);
        assert_eq!(read(MONEY, json!("12500.00")), Ok(Some(Value::Number(Decimal::from(12500)))));
        assert_eq!(read(MONEY, json!(1041.67)).unwrap(), Some(Value::Number("1041.67".parse().unwrap())));
        assert_eq!(read(MONEY, json!("12,500")).unwrap_err().expected, "a number");
        assert_eq!(read(Type::Date, json!("2026-11-22T10:00:00Z")).unwrap().unwrap().to_json(), json!("2026-11-22"));
        assert_eq!(read(SOLUTIONS, json!("S-1; S-2;")), Ok(Some(Value::List(vec!["S-1".into(), "S-2".into()]))));
        assert_eq!(read(SOLUTIONS, json!(["S-1; S-2", "null", " "])), read(SOLUTIONS, json!("S-1; S-2;")));
        for nothing in [json!([]), json!(["null"]), json!("null;"), json!([" "])] {
            assert_eq!(read(SOLUTIONS, nothing), Ok(Some(Value::Null)));
        }
        assert_eq!(read(SOLUTIONS, json!(["Accept To View"])), Ok(None));
        assert_eq!(read(Type::Text { max: 10 }, json!("  ")), Ok(Some(Value::Null)));
        assert_eq!(read(Type::Text { max: 10 }, json!("null")), Ok(Some(Value::Null)));
        assert_eq!(read(Type::Text { max: 20 }, json!("Accept to view")), Ok(None));
        assert_eq!(read(Type::Email, json!("A@B.Example")), Ok(Some(Value::Text("a@b.example".into()))));
        assert_eq!(read(Type::Email, json!("NULL")), Ok(Some(Value::Null)), "as it is no address in lower case");
        assert_eq!(read(Type::Date, json!({})).unwrap_err().found, "an object");
        assert_eq!(
            read(Type::History, json!([{"Time": "2026-03-09T01:50:25Z", "Value": "Call\n them"}, {"Value": "Wait"}])),
            Ok(Some(Value::Text("2026-03-09T01:50:25Z: Call them\nWait".into())))
        );
        assert_eq!(
            read(Type::History, json!([{"Type": "Funding", "Details": "Ask  for it"}])),
            Ok(Some(Value::Text("Funding: Ask for it".into())))
        );
        assert_eq!(read(Type::History, json!([1])).unwrap_err().found, "something else in the list");
    }

    #[test]
    fn escapes_are_undone_once() {
        assert_eq!(unescape("Big Data&amp;colon; ETL"), "Big Data: ETL");
        assert_eq!(unescape("Security &amp; Compliance"), "Security & Compliance");
        assert_eq!(unescape("R&D"), "R&D");
        assert_eq!(unescape("&amp;lt;"), "&lt;");
    }

    proptest! {
        #[test]
        fn a_number_survives_the_wire(mantissa in 0i64.., scale in 0u32..3) {
            let value = Value::Number(Decimal::new(mantissa, scale).normalize());
            prop_assert_eq!(Value::parse(MONEY, &value.to_json()), Ok(Some(value)));
        }

        #[test]
        fn text_without_markup_is_left_alone(text in "[^&]*") {
            prop_assert_eq!(unescape(&text), text.as_str());
        }
    }
}
