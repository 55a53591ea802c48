use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value as Json};

/// A value as a CRM holds it, free of any vendor's types. Dates and timestamps are texts in ISO 8601, several values
/// are one text joined by semicolons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Json", into = "Json")]
pub enum CrmValue {
    /// Empty; writing it clears the field.
    Null,
    /// Text, dates, picklist values, references.
    Text(String),
    /// Numbers and money, never a float.
    Number(Decimal),
    /// A check box.
    Bool(bool),
}

impl From<Json> for CrmValue {
    fn from(json: Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(flag) => Self::Bool(flag),
            Json::String(text) if text.is_empty() => Self::Null,
            Json::String(text) => Self::Text(text),
            Json::Number(number) => {
                let text = number.to_string();
                text.parse().or_else(|_| Decimal::from_scientific(&text)).map_or(Self::Text(text), Self::Number)
            }
            composite @ (Json::Array(_) | Json::Object(_)) => Self::Text(composite.to_string()),
        }
    }
}

impl From<CrmValue> for Json {
    fn from(value: CrmValue) -> Self {
        match value {
            CrmValue::Null => Self::Null,
            CrmValue::Bool(flag) => Self::Bool(flag),
            CrmValue::Text(text) => Self::String(text),
            CrmValue::Number(number) => {
                let number: Number = number.to_string().parse().expect("a decimal is a JSON number");
                Self::Number(number)
            }
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for CrmValue {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CrmValue".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

impl CrmValue {
    /// The text of a text value.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether a check box is ticked; for CRMs without check boxes, whether the text says yes.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Bool(flag) => *flag,
            Self::Text(text) => text.eq_ignore_ascii_case("yes") || text.eq_ignore_ascii_case("true"),
            _ => false,
        }
    }

    /// The value as a text: for conditions and joined fields. Nothing has none.
    pub fn to_text(&self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Text(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Self::Number(number) => Some(number.normalize().to_string()),
            Self::Bool(flag) => Some(flag.to_string()),
        }
    }
}
