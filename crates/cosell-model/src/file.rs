//! The S3 files' wire form.

use serde::{
    Serialize, Serializer,
    ser::{Error, SerializeMap},
};
use serde_json::{Map, Number, Value as Json};

use crate::{Field, Kind, MalformedValue, Record, Value, api::Decoded, catalog::Type};

/// The largest file that AWS sends, in bytes.
pub const MAX_BYTES: usize = 5 * 1024 * 1024;

/// A file from AWS: many records, each of which stands or falls alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The payload version, as written: `1`, `1.0`, `2.0`.
    pub version: String,
    /// AWS's number of the partner.
    pub spms_id: String,
    /// What the records are.
    pub kind: Kind,
    /// The records, in order.
    pub records: Vec<FileRecord>,
}

/// One record of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRecord {
    /// What the catalog knows.
    pub decoded: Decoded,
    /// Fields that the catalog does not know, as they came.
    pub unknown: Map<String, Json>,
}

/// Why a whole file is unusable.
#[derive(Debug, thiserror::Error)]
pub enum UnusableFile {
    /// More than [`MAX_BYTES`].
    #[error("the file has {0} bytes, more than the 5 MiB that AWS sends at most")]
    TooLarge(usize),
    /// Not JSON.
    #[error("the file is not JSON")]
    Json(#[from] serde_json::Error),
    /// JSON of another shape.
    #[error("the file has no list `opportunities` or `leads` at its top")]
    NoRecords,
    /// An entry of the list is something else than a record.
    #[error("entry {0} of the list is not an object")]
    NotARecord(usize),
}

/// Reads a file of opportunities or leads.
pub fn read(bytes: &[u8]) -> Result<Contents, UnusableFile> {
    if bytes.len() > MAX_BYTES {
        return Err(UnusableFile::TooLarge(bytes.len()));
    }
    let Json::Object(members) = serde_json::from_slice(bytes)? else { return Err(UnusableFile::NoRecords) };
    let mut contents = None;
    let (mut version, mut spms_id) = (String::new(), String::new());
    for (name, member) in members {
        // AWS's own examples differ in the case of these names.
        match (name.to_ascii_lowercase().as_str(), member) {
            ("opportunities", Json::Array(items)) => contents = Some((Kind::Opportunity, items)),
            ("leads", Json::Array(items)) => contents = Some((Kind::Lead, items)),
            ("version", member) => version = plain(&member),
            ("spmsid", member) => spms_id = plain(&member),
            _ => {}
        }
    }
    let (kind, items) = contents.ok_or(UnusableFile::NoRecords)?;
    let records = items
        .into_iter()
        .enumerate()
        .map(|(index, item)| match item {
            Json::Object(members) => Ok(record(kind, members)),
            _ => Err(UnusableFile::NotARecord(index + 1)),
        })
        .collect::<Result<_, _>>()?;
    Ok(Contents { version, spms_id, kind, records })
}

/// Written as AWS reads it: records in the order given, fields without a place in the files left out.
impl Serialize for Contents {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let list = match self.kind {
            Kind::Opportunity => "opportunities",
            Kind::Lead => "leads",
        };
        let mut file = serializer.serialize_map(Some(3))?;
        file.serialize_entry("version", &self.version)?;
        file.serialize_entry("spmsId", &self.spms_id)?;
        file.serialize_entry(list, &self.records)?;
        file.end()
    }
}

impl Serialize for FileRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut record = serializer.serialize_map(None)?;
        for (field, value) in self.decoded.record.iter() {
            if let Some(name) = field.file {
                record.serialize_entry(name, &InFile(field, value))?;
            }
        }
        for (name, json) in &self.unknown {
            record.serialize_entry(name, json)?;
        }
        record.end()
    }
}

/// A value in the files' spelling.
struct InFile<'v>(&'static Field, &'v Value);

impl Serialize for InFile<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(field, value) = self;
        let list = field.ty.picklist();
        let spelled = |text| list.map_or(text, |list| list.to_file(text));
        match value {
            Value::Null => serializer.serialize_unit(),
            Value::Text(text) => serializer.serialize_str(spelled(text)),
            Value::Number(number) => {
                let number: Number = number.to_string().parse().map_err(S::Error::custom)?;
                number.serialize(serializer)
            }
            Value::Date(date) => serializer.collect_str(date),
            Value::List(items) if field.ty == Type::Identifiers => items.serialize(serializer),
            Value::List(items) => {
                serializer.serialize_str(&items.iter().map(|item| spelled(item)).collect::<Vec<_>>().join(";"))
            }
        }
    }
}

fn plain(json: &Json) -> String {
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}

fn record(kind: Kind, members: Map<String, Json>) -> FileRecord {
    let mut decoded = Decoded { record: Record::new(kind), unread: Vec::new() };
    let mut unknown = Map::new();
    for (name, json) in members {
        let Some(field) = kind.field_in_files(&name) else {
            unknown.insert(name, json);
            continue;
        };
        match Value::parse(field.ty, &json) {
            Ok(Some(value)) => decoded.record.set(field, from_file(field.ty.picklist(), value)),
            Ok(None) => {}
            Err(cause) => decoded.unread.push((field, cause)),
        }
    }
    // The files have no currency: amounts are in US dollars, a month.
    for (key, value) in
        [("expectedMonthlyAwsRevenueCurrency", "USD"), ("expectedMonthlyAwsRevenueFrequency", "Monthly")]
    {
        if let Some(field) = kind.field(key)
            && matches!(decoded.record.value("expectedMonthlyAwsRevenue"), Some(Value::Number(_)))
        {
            decoded.record.set(field, Value::Text(value.to_owned()));
        }
    }
    FileRecord { decoded, unknown }
}

fn from_file(list: Option<&'static crate::catalog::Picklist>, value: Value) -> Value {
    match (list, value) {
        (Some(list), Value::Text(text)) => Value::Text(list.from_file(&text).to_owned()),
        (Some(list), Value::List(items)) => Value::list(items.iter().map(|item| list.from_file(item).to_owned())),
        (_, value) => value,
    }
}

impl FileRecord {
    /// Problems with single fields, by key.
    pub fn unread(&self) -> impl Iterator<Item = (&'static str, &MalformedValue)> {
        self.decoded.unread.iter().map(|(field, cause)| (field.key, cause))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_the_files_are_read() {
        let contents = read(
            r#"{"version":"2.0","spmsId":"1","Opportunities":[{"apnCrmUniqueIdentifier":"O1","country":"Germany",
            "industry":"Software & Internet","aWSStage":"Prospect","IsOppFromMarketingActivity":"Yes","expectedMonthlyAwsRevenue":100.0,
            "deliveryModel":"SaaS or PaaS;Resell","city":"Accept To View","novel":1}]}"#
                .as_bytes(),
        )
        .unwrap();
        let FileRecord { decoded, unknown } = &contents.records[0];
        let values: Map<_, _> =
            decoded.record.iter().map(|(field, value)| (field.key.to_owned(), value.to_json())).collect();
        insta::assert_json_snapshot!(values);
        assert_eq!(decoded.record.value("city"), None, "masked is absent");
        assert_eq!(unknown.keys().collect::<Vec<_>>(), ["novel"]);
    }

    #[test]
    fn unusable_files_say_why() {
        for (bytes, expected) in [
            (&b"not json"[..], "the file is not JSON"),
            (b"[]", "the file has no list `opportunities` or `leads` at its top"),
            (br#"{"leads":{}}"#, "the file has no list `opportunities` or `leads` at its top"),
            (br#"{"leads":[1]}"#, "entry 1 of the list is not an object"),
        ] {
            assert_eq!(read(bytes).unwrap_err().to_string(), expected);
        }
        assert!(matches!(read(&vec![b' '; MAX_BYTES + 1]), Err(UnusableFile::TooLarge(_))));
    }

    /// AWS's published samples are not ours to ship: they are read where the reference material is at hand.
    #[test]
    fn published_samples_are_read_whole() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference/ace-data");
        for (file, kind) in [
            ("Lead-Outbound-Sample.json", Kind::Lead),
            ("Opportunity-Outbound-Sample.json", Kind::Opportunity),
            ("Opportunity-Create-Inbound-Sample.json", Kind::Opportunity),
        ] {
            let Ok(bytes) = fs::read(folder.join(file)) else { continue };
            let contents = read(&bytes).unwrap();
            assert_eq!((contents.kind, contents.records.len()), (kind, 1), "{file}");
            assert_eq!(contents.records[0].unread().collect::<Vec<_>>(), [], "{file}");
            let again = read(&serde_json::to_vec(&contents).unwrap()).unwrap();
            assert_eq!(again, contents, "{file}: what is written is what was read");
        }
    }

    /// A value of each type, as the catalog spells it.
    fn value(ty: Type) -> BoxedStrategy<Value> {
        let text = || "[A-Za-z0-9][A-Za-z0-9 ,.:&-]{0,30}[a-z]";
        let listed = |list: &'static crate::catalog::Picklist| {
            prop::sample::select(list.values().collect::<Vec<_>>()).prop_map(str::to_owned)
        };
        let value = match ty {
            Type::Picklist(list) => listed(list).prop_map(Value::Text).boxed(),
            Type::Picklists(list) => prop::collection::vec(listed(list), 1..4).prop_map(Value::list).boxed(),
            Type::Identifiers => prop::collection::vec("S-[0-9]{7}", 1..4).prop_map(Value::list).boxed(),
            Type::Number { decimals } => {
                let number = move |n: i64| Value::Number(rust_decimal::Decimal::new(n, decimals.into()).normalize());
                (0i64..10_000_000_000).prop_map(number).boxed()
            }
            Type::Date => (0i32..40_000)
                .prop_map(|day| Value::Date(jiff::civil::date(1990, 1, 1) + jiff::Span::new().days(day)))
                .boxed(),
            Type::YesNo => {
                prop::sample::select(vec!["Yes", "No"]).prop_map(|text| Value::Text(text.to_owned())).boxed()
            }
            Type::Email => "[a-z]{1,9}@[a-z]{1,9}\\.example".prop_map(Value::Text).boxed(),
            _ => text().prop_map(Value::Text).boxed(),
        };
        prop_oneof![4 => value, 1 => Just(Value::Null)].boxed()
    }

    fn any_record(kind: Kind) -> impl Strategy<Value = Record> {
        let fields: Vec<_> = kind.fields().iter().filter(|field| field.file.is_some()).collect();
        let values: Vec<_> = fields.iter().map(|field| prop::option::of(value(field.ty))).collect();
        values.prop_map(move |values| {
            let mut record = Record::new(kind);
            for (field, value) in fields.iter().zip(values) {
                if let Some(value) = value {
                    record.set(field, value);
                }
            }
            record
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(opportunity in any_record(Kind::Opportunity), lead in any_record(Kind::Lead)) {
            for record in [opportunity, lead] {
                let kind = record.kind();
                let unknown = Map::from_iter([("novel".to_owned(), Json::from(vec![1, 2]))]);
                let written = FileRecord { decoded: Decoded { record, unread: Vec::new() }, unknown };
                let contents =
                    Contents { version: "2.0".to_owned(), spms_id: "1".to_owned(), kind, records: vec![written] };
                let mut read = read(&serde_json::to_vec(&contents).unwrap()).unwrap();
                // Set on reading, because the files have no currency.
                for key in ["expectedMonthlyAwsRevenueCurrency", "expectedMonthlyAwsRevenueFrequency"] {
                    kind.field(key).into_iter().for_each(|field| read.records[0].decoded.record.remove(field));
                }
                prop_assert_eq!(read, contents);
            }
        }
    }
}
