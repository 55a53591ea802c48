use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::{Field, Kind, MalformedValue, Value};

/// A record in ACE words: catalog keys and typed values. What is not in it is absent, which says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    kind: Kind,
    fields: BTreeMap<&'static str, (&'static Field, Value)>,
}

impl Record {
    /// A record without any field.
    pub fn new(kind: Kind) -> Self {
        Self { kind, fields: BTreeMap::new() }
    }

    /// Which catalog its keys are from.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The value of `field`; `None` when absent.
    pub fn get(&self, field: &Field) -> Option<&Value> {
        self.value(field.key)
    }

    /// The value under a catalog key; `None` when absent.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.fields.get(key).map(|(_, value)| value)
    }

    /// The text under a catalog key, when it is a text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.value(key).and_then(Value::as_text)
    }

    /// Sets a field.
    pub fn set(&mut self, field: &'static Field, value: Value) {
        self.fields.insert(field.key, (field, value));
    }

    /// Makes a field absent.
    pub fn remove(&mut self, field: &Field) {
        self.fields.remove(field.key);
    }

    /// Every field that is there, with its catalog entry, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Field, &Value)> {
        self.fields.values().map(|(field, value)| (*field, value))
    }

    /// Whether no field is there.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The record as a JSON object of catalog keys, the form in which a base snapshot is kept.
    pub fn to_json(&self) -> Json {
        Json::Object(self.iter().map(|(field, value)| (field.key.to_owned(), value.to_json())).collect())
    }

    /// Reads what [`Record::to_json`] wrote. A key that the catalog no longer has is left out.
    pub fn from_json(kind: Kind, object: &Map<String, Json>) -> Result<Self, (&'static str, MalformedValue)> {
        let mut record = Self::new(kind);
        for (key, json) in object {
            if let Some(field) = kind.field(key)
                && let Some(value) = Value::parse(field.ty, json).map_err(|cause| (field.key, cause))?
            {
                record.set(field, value);
            }
        }
        Ok(record)
    }
}
