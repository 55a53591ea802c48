use cosell_model::{Kind, Record, Value};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::link::members;

/// What stands in the place of personal data.
const MASK: &str = "***";
/// Shorter texts are part of many words.
const SHORTEST: usize = 3;

/// The record that an entry of the sync log is about, in ACE words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// What kind of record.
    pub kind: Kind,
    /// Its fields, as [`Record::to_json`] writes them.
    pub record: Map<String, Json>,
}

impl Payload {
    /// The payload of a record.
    pub fn of(record: &Record) -> Self {
        Self { kind: record.kind(), record: members(record) }
    }

    /// The record. What an older release stored and this one cannot read is absent.
    pub fn record(&self) -> Record {
        let mut record = Record::new(self.kind);
        for (key, json) in &self.record {
            if let Some(field) = self.kind.field(key)
                && let Ok(Some(value)) = Value::parse(field.ty, json)
            {
                record.set(field, value);
            }
        }
        record
    }

    /// The same without personal data.
    #[must_use]
    pub fn masked(&self) -> Self {
        let is_personal = |key: &String| self.kind.field(key).is_none_or(|field| field.personal);
        let masked = self.record.iter().map(|(key, json)| {
            let hidden = is_personal(key) && !json.is_null();
            (key.clone(), if hidden { Json::from(MASK) } else { json.clone() })
        });
        Self { kind: self.kind, record: masked.collect() }
    }

    /// Masks this record's personal data in a text.
    pub fn mask(&self, text: &mut String) {
        let personal = self.record.iter().filter(|(key, _)| self.kind.field(key).is_some_and(|field| field.personal));
        for value in personal.filter_map(|(_, json)| json.as_str()) {
            if value.chars().count() >= SHORTEST && text.contains(value) {
                *text = text.replace(value, MASK);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn personal_data_is_masked_wherever_it_stands() {
        let record = json!({"customerEmail": "ada@example.com", "customerPhone": null, "customerCompanyName": "Lake"});
        let record = Record::from_json(Kind::Opportunity, record.as_object().unwrap()).unwrap();
        let payload = Payload::of(&record);
        assert_eq!(payload.record(), record);
        let masked = Json::Object(payload.masked().record);
        assert_eq!(masked, json!({"customerEmail": "***", "customerPhone": null, "customerCompanyName": "Lake"}));
        let mut text = "Email: invalid address: ada@example.com of Lake".to_owned();
        payload.mask(&mut text);
        assert_eq!(text, "Email: invalid address: *** of Lake");
    }
}
