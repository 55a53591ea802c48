use cosell_model::{MalformedValue, Value};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value as Json};

use crate::FieldMapping;

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
}

/// A CRM value that has no counterpart at AWS. It names the shape, never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the CRM field `{crm}` cannot be turned into {ace}")]
pub struct Unmappable {
    /// The CRM's field.
    pub crm: String,
    /// The ACE field's key.
    pub ace: &'static str,
    /// What is wrong.
    #[source]
    pub cause: MalformedValue,
}

impl FieldMapping {
    /// The CRM's value in ACE words. `None` says nothing about the field.
    pub fn to_ace(&self, value: &CrmValue) -> Result<Option<Value>, Unmappable> {
        let renamed = |text: &str| {
            let found = self.values.iter().find(|(crm, _)| crm == text.trim());
            found.map_or_else(|| text.to_owned(), |(_, ace)| ace.clone())
        };
        let json = match value {
            CrmValue::Text(text) if self.ace.ty.is_list() => {
                Json::from(text.split(';').map(|item| renamed(item.trim())).collect::<Vec<_>>())
            }
            CrmValue::Text(text) => Json::String(renamed(text)),
            other => other.clone().into(),
        };
        Value::parse(self.ace.ty, &json).map_err(|cause| Unmappable { crm: self.crm.clone(), ace: self.ace.key, cause })
    }

    /// The ACE value in the CRM's words.
    pub fn to_crm(&self, value: &Value) -> CrmValue {
        let renamed = |text: &str| {
            let found = self.values.iter().find(|(_, ace)| ace == text);
            found.map_or_else(|| text.to_owned(), |(crm, _)| crm.clone())
        };
        match value {
            Value::Null => CrmValue::Null,
            Value::Text(text) => CrmValue::Text(renamed(text)),
            Value::Number(number) => CrmValue::Number(*number),
            Value::Date(date) => CrmValue::Text(date.to_string()),
            Value::List(items) => CrmValue::Text(items.iter().map(|item| renamed(item)).collect::<Vec<_>>().join(";")),
        }
    }
}
