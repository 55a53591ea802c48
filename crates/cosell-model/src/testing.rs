//! Records of every kind of value, for property tests.

use proptest::prelude::*;

use crate::{
    Kind, Record, Value,
    catalog::{Entity, Type},
};

/// A value of each type, as the catalog spells it.
fn value(ty: Type) -> BoxedStrategy<Value> {
    let text = || "[A-Za-z0-9][A-Za-z0-9 ,.:&-]{0,30}[a-z]";
    let listed = |list: &'static crate::catalog::Picklist| {
        prop::sample::select(list.values().chain(list.none).collect::<Vec<_>>()).prop_map(str::to_owned)
    };
    let value = match ty {
        Type::Picklist(list) => listed(list).prop_map(Value::Text).boxed(),
        Type::Picklists(list) => prop::collection::vec(listed(list), 1..4).prop_map(Value::list).boxed(),
        Type::Identifiers(Entity::Offer) => "offer-[a-z0-9]{9}"
            .prop_map(|id| {
                Value::list([format!("arn:aws:aws-marketplace:us-east-1:123456789012:AWSMarketplace/Offer/{id}")])
            })
            .boxed(),
        Type::Identifiers(_) => prop::collection::vec("S-[0-9]{7}", 1..4).prop_map(Value::list).boxed(),
        Type::Number { decimals, .. } => {
            let number = move |n: i64| Value::Number(rust_decimal::Decimal::new(n, decimals.into()).normalize());
            (0i64..10_000_000_000).prop_map(number).boxed()
        }
        Type::Date => (0i32..40_000)
            .prop_map(|day| Value::Date(jiff::civil::date(1990, 1, 1) + jiff::Span::new().days(day)))
            .boxed(),
        Type::YesNo => prop::sample::select(vec!["Yes", "No"]).prop_map(|text| Value::Text(text.to_owned())).boxed(),
        Type::Email => "[a-z]{1,9}@[a-z]{1,9}\\.example".prop_map(Value::Text).boxed(),
        Type::History => prop::collection::vec(text(), 1..4)
            .prop_map(|lines| {
                let squeezed = |line: &String| line.split_whitespace().collect::<Vec<_>>().join(" ");
                let lines: Vec<_> =
                    lines.iter().map(|line| format!("2026-03-09T01:50:25Z: {}", squeezed(line))).collect();
                Value::Text(lines.join("\n"))
            })
            .boxed(),
        _ => text().prop_map(Value::Text).boxed(),
    };
    prop_oneof![4 => value, 1 => Just(Value::Null)].boxed()
}

/// A record with any of its fields.
pub fn any_record(kind: Kind) -> impl Strategy<Value = Record> {
    let values: Vec<_> = kind.fields().iter().map(|field| prop::option::of(value(field.ty))).collect();
    values.prop_map(move |values| {
        let mut record = Record::new(kind);
        for (field, value) in kind.fields().iter().zip(values) {
            if let Some(value) = value {
                record.set(field, value);
            }
        }
        record
    })
}
