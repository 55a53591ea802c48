//! What both targets share: how inputs come about, and what is done with a record, wherever it came from.

use cosell_model::{
    PayloadVersion, Record, Wire,
    life_cycle::Standing,
    normalize::normalize,
    validate::{Case, Operation, validate},
};
use libfuzzer_sys::fuzzer_mutate;
use serde_json::Value as Json;

/// Values that are read, normalized or compared in ways of their own.
const VALUES: [&str; 34] = [
    "null",
    "true",
    "-0.0",
    "1041.666",
    "1e5",
    "1E-28",
    "79228162514264337593543950335",
    r#"" ""#,
    r#""NULL""#,
    r#""null;""#,
    r#"["null"]"#,
    r#"["a;b"," c "]"#,
    r#""a; b;a""#,
    "[]",
    "{}",
    r#""Accept To View""#,
    r#"["Accept To View"]"#,
    r#""R&amp;D &amp;colon; &lt;a""#,
    r#""\u0130 \u1E9E""#,
    r#""+1 (206) 555-0100 ext. 5""#,
    r#""0049 30 1234567""#,
    r#""206-555-0100""#,
    r#""US""#,
    r#""Germany""#,
    r#""United Arab Emirates""#,
    r#""99999""#,
    r#""2026-03-09T01:50:25Z""#,
    r#""2026-03-09T01:50:25Z: a  b\n\nc""#,
    r#"[{"Time":"2026-03-09T01:50:25Z","Value":"a\n b"},{"Value":""}]"#,
    r#""Yes""#,
    r#""Other""#,
    r#""Launched""#,
    r#""Do Not Need Support from AWS Sales Rep""#,
    r#""arn:aws:aws-marketplace:us-east-1:123456789012:AWSMarketplace/Offer/offer-1""#,
];

/// Every other time puts one of these values into a document. Changing bytes, as is done otherwise, seldom makes one.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut chance = seed as usize;
    let mut one_of = |count: usize| {
        let one = chance % count;
        chance /= count;
        one
    };
    if one_of(2) == 0
        && let Ok(mut document) = serde_json::from_slice(&data[..size])
    {
        let mut places = Vec::new();
        ends(&mut document, &mut places);
        if !places.is_empty() {
            let place = places.swap_remove(one_of(places.len()));
            *place = serde_json::from_str(VALUES[one_of(VALUES.len())]).expect("these are JSON");
            let document = document.to_string();
            if document.len() <= max_size {
                data[..document.len()].copy_from_slice(document.as_bytes());
                return document.len();
            }
        }
    }
    fuzzer_mutate(data, size, max_size)
}

/// Everything in a document that holds nothing else.
fn ends<'j>(json: &'j mut Json, found: &mut Vec<&'j mut Json>) {
    match json {
        Json::Array(items) => items.iter_mut().for_each(|item| ends(item, found)),
        Json::Object(members) => members.values_mut().for_each(|member| ends(member, found)),
        end => found.push(end),
    }
}

/// Holds any record against the rules, as it is and in its normal form, which stays as it is.
pub fn check(record: &Record, changes: &Record) {
    for wire in [Wire::Api, Wire::File(PayloadVersion::V1), Wire::File(PayloadVersion::V2)] {
        let problems = |record: &Record| {
            for operation in [Operation::Submit, Operation::Update] {
                let today = jiff::civil::date(2026, 3, 9);
                let standing = Standing::of(record);
                validate(record, &Case { operation, wire, standing, changes: Some(changes), today });
            }
        };
        problems(record);
        let mut normal = record.clone();
        normalize(&mut normal, wire);
        problems(&normal);
        assert_eq!(normalize(&mut normal, wire), [], "{wire:?}: normal is not normal");
    }
}
