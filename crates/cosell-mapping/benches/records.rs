//! A thousand full records from the CRM to ACE and back, against decoding and encoding the same JSON alone, in the same
//! run. Prints a line a figure and fails when the limit is broken.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that cannot go on fails")]

#[path = "../../cosell-model/benches/measure/mod.rs"]
mod measure;

use std::{hint::black_box, process::ExitCode};

use cosell_mapping::{CrmFields, CrmValue, Mapping};
use cosell_model::{Kind, Record, Value, catalog::Type};
use serde_json::{Value as Json, json};

use measure::{figure, median};

const RECORDS: u32 = 1000;
/// How many times the floor it may take.
const LIMIT: f64 = 3.0;

/// A value for every field of the shipped mapping, as the CRM holds it.
fn full_record(mapping: &Mapping, number: u32) -> CrmFields {
    let mut record = Record::new(Kind::Opportunity);
    for line in &mapping.opportunity.fields {
        let listed = line.ace.ty.picklist().and_then(|list| list.values().next());
        let json = match (line.ace.ty, listed) {
            (_, Some(value)) => json!(value),
            (Type::Number { .. }, _) => json!(12_500 + number),
            (Type::Date, _) => json!("2027-03-31"),
            (Type::Digits(count), _) => json!("012345678901"[..usize::from(count)]),
            (Type::Email, _) => json!(format!("person{number}@customer.example")),
            (Type::Phone, _) => json!("+4930123456"),
            (Type::Url, _) => json!("https://customer.example"),
            (Type::YesNo, _) => json!("No"),
            (Type::DateTime, _) => json!("2026-03-09T01:50:25.000Z"),
            (Type::Identifiers(_), _) => json!(["S-0000001", "S-0000002"]),
            _ => json!(format!("The order system moves before the lease ends, part {number}")),
        };
        if let Some(value) = Value::parse(line.ace.ty, &json).unwrap() {
            record.set(line.ace, value);
        }
    }
    let lines = mapping.opportunity.fields.iter();
    mapping.opportunity.to_crm(lines.filter_map(|line| Some((line, record.get(line.ace)?))), &record)
}

fn main() -> ExitCode {
    let mapping = Mapping::parse(include_str!("../presets/salesforce.toml")).unwrap();
    let object = &mapping.opportunity;
    let records: Vec<CrmFields> = (0..RECORDS).map(|number| full_record(&mapping, number)).collect();
    let texts: Vec<String> = records.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
    let floor = median(|| {
        for text in &texts {
            let json: Json = serde_json::from_str(black_box(text)).unwrap();
            black_box(serde_json::to_string(&json).unwrap());
        }
    });
    let ours = median(|| {
        for record in &records {
            let (ace, problems) = object.to_ace(black_box(record));
            assert!(problems.is_empty());
            let lines = object.fields.iter().filter_map(|line| Some((line, ace.get(line.ace)?)));
            black_box(object.to_crm(lines, &ace));
        }
    });
    let fields: usize = records.iter().map(CrmFields::len).sum();
    let empty = records.iter().flat_map(CrmFields::values).filter(|value| **value == CrmValue::Null).count();
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    figure("mapping fields of a record, all filled", (fields - empty) as f64 / f64::from(RECORDS), "", None);
    figure("mapping, the same JSON read and written", floor.as_secs_f64() * 1e3, "ms", None);
    figure("mapping, CRM to ACE and back", ours.as_secs_f64() * 1e3, "ms", None);
    figure("mapping, records a second and core", f64::from(RECORDS) / ours.as_secs_f64(), "", None);
    let ratio = ours.as_secs_f64() / floor.as_secs_f64();
    if figure("mapping ratio to plain JSON", ratio, "x", Some(LIMIT)) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
