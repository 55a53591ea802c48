//! sObject Collections: many records in one call, each with its own result, in the order of the request.

use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::errors::{Failure, Problem, code};
use super::records::{Body, Org};
use super::schema::{Object, SCHEMA};
use super::{Reply, ids};

const MOST: usize = 200;

type Outcome = Result<(String, Option<bool>), Vec<Problem>>;

/// Creates records.
pub fn create(org: &mut Org, body: &Value, user: &str, now: Timestamp) -> Result<Reply, Failure> {
    let (records, all_or_none) = request(body)?;
    Ok(transact(org, all_or_none, |org| {
        records
            .iter()
            .map(|record| {
                let object = typed(record)?;
                org.create(object, record, user, now).map(|id| (id, None))
            })
            .collect()
    }))
}

/// Updates records by id.
pub fn update(org: &mut Org, body: &Value, user: &str, now: Timestamp) -> Result<Reply, Failure> {
    let (records, all_or_none) = request(body)?;
    Ok(transact(org, all_or_none, |org| {
        records
            .iter()
            .map(|record| {
                let object = typed(record)?;
                let mut record = record.clone();
                let key = record.keys().find(|key| key.eq_ignore_ascii_case("id")).cloned();
                let id = key.and_then(|key| record.shift_remove(&key)).unwrap_or_default();
                let id = id.as_str().ok_or_else(|| {
                    vec![Problem::field(code::MISSING_ARGUMENT, "Id not specified in an update call", "Id")]
                })?;
                org.update(object, id, &record, user, now)?;
                Ok((ids::normal("Id", id).unwrap_or_default(), None))
            })
            .collect()
    }))
}

/// Upserts records of one object by an external id.
pub fn upsert(
    org: &mut Org,
    object: &Object,
    key: &str,
    body: &Value,
    user: &str,
    now: Timestamp,
) -> Result<Reply, Failure> {
    let field = object.external_id(key)?;
    let (records, all_or_none) = request(body)?;
    let value_of = |record: &Map<String, Value>| {
        let (_, value) = record.iter().find(|(name, _)| name.eq_ignore_ascii_case(&field.name))?;
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Some(value.trim().to_owned()).filter(|value| !value.is_empty() && value != "null")
    };
    let keys: Vec<Option<String>> = records.iter().map(value_of).collect();
    let times = |value: &str| keys.iter().flatten().filter(|other| other.eq_ignore_ascii_case(value)).count();
    Ok(transact(org, all_or_none, |org| {
        records
            .iter()
            .zip(&keys)
            .map(|(record, value)| {
                if typed(record)?.name != object.name {
                    let message = format!("The record is not of type {}", object.name);
                    return Err(vec![Problem::new(code::INVALID_TYPE, message)]);
                }
                let Some(value) = value else {
                    let message = format!("{} not specified", field.name);
                    return Err(vec![Problem::field(code::MISSING_ARGUMENT, message, &field.name)]);
                };
                if times(value) > 1 {
                    let message = format!("Duplicate external id specified: {value}");
                    return Err(vec![Problem::field(code::DUPLICATE_VALUE, message, &field.name)]);
                }
                let mut rest = record.clone();
                rest.retain(|name, _| !name.eq_ignore_ascii_case(&field.name));
                let (id, created) = org.upsert(object, (field, value), &rest, false, user, now)?;
                Ok((id, Some(created)))
            })
            .collect()
    }))
}

/// Deletes records by a comma-separated list of ids.
pub fn delete(org: &mut Org, ids_given: &str, all_or_none: bool, user: &str, now: Timestamp) -> Result<Reply, Failure> {
    let ids_given: Vec<&str> = ids_given.split(',').map(str::trim).filter(|id| !id.is_empty()).collect();
    if ids_given.is_empty() || ids_given.len() > MOST {
        return Err(Failure::new(400, code::LIMIT_EXCEEDED, format!("Give 1 to {MOST} ids")));
    }
    Ok(transact(org, all_or_none, |org| {
        ids_given
            .iter()
            .map(|id| {
                let full = ids::normal("Id", id).map_err(|problem| vec![problem])?;
                let object = SCHEMA.object_of(&full).ok_or_else(|| {
                    vec![Problem::field(code::MALFORMED_ID, "The id belongs to no object of this org", "Id")]
                })?;
                org.delete(object, &full, user, now)?;
                Ok((full, None))
            })
            .collect()
    }))
}

/// Reads records by id, null for one that is not there.
pub fn retrieve(
    org: &Org,
    object: &'static Object,
    ids: &[String],
    fields: &[String],
    base: &str,
) -> Result<Reply, Failure> {
    let fields = super::selected(object, fields)?;
    let rows: Vec<Value> = ids
        .iter()
        .map(|id| org.row(object, id).map_or(Value::Null, |row| row.view(object, base, fields.as_deref())))
        .collect();
    Ok(Reply::new(StatusCode::OK, json!(rows)))
}

fn request(body: &Value) -> Result<(Vec<Body>, bool), Failure> {
    let records = body["records"]
        .as_array()
        .ok_or_else(|| Failure::new(400, code::JSON_PARSER_ERROR, "The request has no list of records"))?;
    if records.is_empty() || records.len() > MOST {
        return Err(Failure::new(400, code::LIMIT_EXCEEDED, format!("Give 1 to {MOST} records")));
    }
    let records: Option<Vec<Body>> = records.iter().map(|record| record.as_object().cloned()).collect();
    let records = records.ok_or_else(|| Failure::new(400, code::JSON_PARSER_ERROR, "A record is not an object"))?;
    Ok((records, body["allOrNone"].as_bool().unwrap_or(false)))
}

fn typed(record: &Body) -> Result<&'static Object, Vec<Problem>> {
    let name = record.get("attributes").and_then(|attributes| attributes["type"].as_str());
    name.and_then(|name| SCHEMA.object(name)).ok_or_else(|| {
        let message = format!("sObject type '{}' is not supported.", name.unwrap_or_default());
        vec![Problem::new(code::INVALID_TYPE, message)]
    })
}

/// Runs a batch; with `allOrNone` one failure takes the others back.
fn transact(org: &mut Org, all_or_none: bool, work: impl FnOnce(&mut Org) -> Vec<Outcome>) -> Reply {
    let before = all_or_none.then(|| org.clone());
    let mut outcomes = work(org);
    if let Some(before) = before
        && outcomes.iter().any(Result::is_err)
    {
        *org = before;
        for outcome in &mut outcomes {
            if outcome.is_ok() {
                *outcome = Err(vec![Problem::new(
                    code::ALL_OR_NONE_OPERATION_ROLLED_BACK,
                    "Record rolled back because not all records were valid and the request was using AllOrNone header",
                )]);
            }
        }
    }
    let results: Vec<Value> = outcomes
        .into_iter()
        .map(|outcome| match outcome {
            Ok((id, created)) => {
                let mut result = json!({"id": id, "success": true, "errors": []});
                if let Some(created) = created {
                    result["created"] = json!(created);
                }
                result
            }
            Err(problems) => {
                let errors: Vec<Value> = problems.iter().map(Problem::in_collection).collect();
                json!({"success": false, "errors": errors})
            }
        })
        .collect();
    Reply::new(StatusCode::OK, json!(results))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(all_or_none: bool, keys: &[&str]) -> Value {
        let records: Vec<Value> = keys
            .iter()
            .map(|key| {
                json!({"attributes": {"type": "Lead"}, "ACE_Lead_Id__c": key, "LastName": "Doe", "Company": "Example"})
            })
            .collect();
        json!({"allOrNone": all_or_none, "records": records})
    }

    fn upserted(org: &mut Org, body: &Value) -> Vec<Value> {
        let object = SCHEMA.object("Lead").expect("the org has it");
        let user = SCHEMA.user[0].full_id();
        let now = "2026-03-02T12:00:00Z".parse().expect("a moment");
        let reply = upsert(org, object, "ACE_Lead_Id__c", body, &user, now).expect("well-formed");
        reply.body.and_then(|body| body.as_array().cloned()).expect("a list")
    }

    #[test]
    fn results_keep_the_order_and_failures_stay_alone() {
        let mut org = Org::new(1);
        let results = upserted(&mut org, &batch(false, &["L1", &"L".repeat(21), "L2"]));
        let success: Vec<bool> = results.iter().map(|result| result["success"] == json!(true)).collect();
        assert_eq!(success, [true, false, true]);
        assert_eq!(results[1]["errors"][0]["statusCode"], code::STRING_TOO_LONG);
        assert_eq!(upserted(&mut org, &batch(false, &["l1"]))[0]["created"], false);
    }

    #[test]
    fn a_repeated_key_is_refused_in_one_batch() {
        let results = upserted(&mut Org::new(1), &batch(false, &["L1", "L2", "l1"]));
        assert_eq!(results[0]["errors"][0]["statusCode"], code::DUPLICATE_VALUE);
        assert_eq!(results[1]["success"], true);
        assert_eq!(results[2]["errors"][0]["statusCode"], code::DUPLICATE_VALUE);
    }

    #[test]
    fn all_or_none_takes_everything_back() {
        let mut org = Org::new(1);
        let results = upserted(&mut org, &batch(true, &["L1", &"L".repeat(21)]));
        assert_eq!(results[0]["errors"][0]["statusCode"], code::ALL_OR_NONE_OPERATION_ROLLED_BACK);
        assert!(org.rows(SCHEMA.object("Lead").expect("the org has it")).is_empty());
    }
}
