//! Any JSON as answers of the API: nothing panics, and what is written as an answer or as a request's body is read as
//! it was written.

#![no_main]

mod common;

use cosell_model::{
    Catalog, Field, Kind, Record, Value,
    api::{self, Decoded},
    catalog::{Type, Write},
};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use serde_json::Value as Json;

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    common::mutate(data, size, max_size, seed)
});

fuzz_target!(|bytes: &[u8]| {
    // One document, or several: the second one is AWS's summary then, and says what is to be changed.
    let documents = match serde_json::from_slice(bytes) {
        Ok(Json::Array(documents)) => documents,
        Ok(document) => vec![document],
        Err(_) => return,
    };
    let Some(get) = documents.first() else { return };
    let other = documents.get(1).unwrap_or(get);

    let lead = api::lead(get).record;
    common::check(&lead, &lead);
    answered(&lead);
    if let Ok(invitation) = api::invitation(get) {
        common::check(&invitation.offer.record, &invitation.offer.record);
        answered(&invitation.offer.record);
    }

    let current = api::opportunity(get, Some(other)).record;
    let changes = api::opportunity(other, None).record;
    common::check(&current, &changes);
    answered(&current);

    let body = api::create_body(&current, Catalog::Sandbox, "token");
    same(&current, &api::opportunity(&body, None).record, |field| {
        matches!(field.write, Write::Body | Write::CreateOnly) && !of_a_whole(field)
    });
    let mut updated = current;
    changes.iter().for_each(|(field, value)| updated.set(field, value.clone()));
    let body = api::update_body(get, &changes, Catalog::Aws);
    same(&updated, &api::opportunity(&body, None).record, |field| field.write == Write::Body && !of_a_whole(field));
});

/// What is written as AWS's answer is read again.
fn answered(record: &Record) {
    let document = api::document(record);
    let Decoded { record: read, unread } = match record.kind() {
        Kind::Opportunity => api::opportunity(&document, Some(&api::summary_document(record))),
        Kind::Lead => api::lead(&document),
    };
    assert_eq!(unread, []);
    let summarized = |field: &Field| record.kind() == Kind::Opportunity && !field.summary.is_empty();
    same(record, &read, |field| field.api.is_some() || summarized(field));
}

/// Holds the values of two records against each other, of the fields that have a place where they were written.
fn same(written: &Record, read: &Record, has_place: impl Fn(&Field) -> bool) {
    for (field, value) in written.iter().filter(|(field, _)| has_place(field)) {
        let value = sayable(field, value);
        // An answer's text is unescaped: what is left of that is unescaped again.
        let escaped = ["&amp;", "&colon;", "&lt;", "&gt;", "&quot;", "&#39;"]
            .iter()
            .any(|escape| value.to_json().to_string().contains(escape));
        // A request has a default where there is no value.
        if !escaped && (value != Value::Null || field.default.is_none()) {
            let read = read.get(field).map_or(Value::Null, |value| sayable(field, value));
            assert_eq!(read, value, "{}", field.key);
        }
    }
}

/// A value as far as the API can say it: *none of these* is said by naming none, and a history is lines of words.
fn sayable(field: &Field, value: &Value) -> Value {
    match (field.ty, value) {
        (Type::Picklists(list), Value::List(items)) => {
            Value::list(items.iter().filter(|item| list.none != Some(item)).cloned())
        }
        (Type::History, Value::Text(text)) => {
            Value::list(text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")))
        }
        _ => value.clone(),
    }
}

/// Whether a request leaves it out when its other half is missing: an amount without its currency, a person without a
/// name.
fn of_a_whole(field: &Field) -> bool {
    ["Project.Expected", "SoftwareRevenue.Value", "Customer.Contacts", "OpportunityTeam"]
        .iter()
        .any(|whole| field.api.is_some_and(|path| path.starts_with(whole)))
}
