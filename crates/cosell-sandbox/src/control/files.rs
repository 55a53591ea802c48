//! AWS's people and the files: leads, exports, and what became of the partner's files.

use axum::body::Bytes;
use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use cosell_model::api::Decoded;
use cosell_model::file::{Contents, FileRecord};
use cosell_model::{Kind, PayloadVersion};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Answer, Body, Control, MOST_AT_ONCE, Refusal, answered, ok, read};
use crate::files::bucket::Bucket;
use crate::files::leads::Lead;
use crate::files::outbound;
use crate::partner_central::text;

fn refused(mistakes: &[String]) -> Refusal {
    Refusal::bad(mistakes.join("; "))
}

fn bucket(control: &Control) -> Result<&Bucket, Refusal> {
    control.bucket.as_ref().ok_or_else(|| Refusal {
        status: StatusCode::CONFLICT,
        ..Refusal::bad("there is no bucket: run without --no-bus")
    })
}

fn unreachable(message: String) -> Refusal {
    Refusal { status: StatusCode::BAD_GATEWAY, ..Refusal::bad(message) }
}

pub async fn list(Shared(control): Shared<Control>) -> Response {
    answered(Ok(ok(control.world.with(|state, _| json!(state.files.met)))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Export {
    #[serde(default = "usual")]
    records_per_file: usize,
}

fn usual() -> usize {
    outbound::USUAL
}

pub async fn export(Shared(control): Shared<Control>, body: Bytes) -> Response {
    answered(exported(&control, &body).await)
}

async fn exported(control: &Control, body: &[u8]) -> Answer {
    let Export { records_per_file } = read(body)?;
    if records_per_file == 0 {
        return Err(Refusal::bad("records_per_file must be 1 or more"));
    }
    let keys = outbound::export(&control.world, bucket(control)?, records_per_file).await.map_err(unreachable)?;
    Ok(ok(json!({"keys": keys})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DropFile {
    folder: String,
    name: String,
    body: Option<Value>,
    text: Option<String>,
}

pub async fn drop_file(Shared(control): Shared<Control>, body: Bytes) -> Response {
    answered(put_file(&control, &body).await)
}

async fn put_file(control: &Control, body: &[u8]) -> Answer {
    let file: DropFile = read(body)?;
    let plain = |part: &str| !part.is_empty() && !part.contains('/');
    if !plain(&file.folder) || !plain(&file.name) {
        return Err(Refusal::bad("folder and name must be plain names"));
    }
    let content = match (file.body, file.text) {
        (Some(body), None) => body.to_string().into_bytes(),
        (None, Some(text)) => text.into_bytes(),
        _ => return Err(Refusal::bad("give either body or text")),
    };
    let bucket = bucket(control)?;
    let key = format!("{}/{}", file.folder, file.name);
    bucket.put(&key, content).await.map_err(unreachable)?;
    Ok((StatusCode::CREATED, json!({"bucket": bucket.name(), "key": key})))
}

pub async fn create_leads(Shared(control): Shared<Control>, body: Bytes) -> Response {
    answered(read::<Body>(&body).and_then(|mut given| {
        let count = match given.shift_remove("count") {
            None => None,
            Some(count) => {
                let sound = count.as_u64().filter(|count| (1..=MOST_AT_ONCE).contains(count));
                Some(sound.ok_or_else(|| Refusal::bad(format!("count must be 1 to {MOST_AT_ONCE}")))?)
            }
        };
        control.world.with(|state, now| {
            let ids = state.files.leads.make(&given, count, now).map_err(|mistakes| refused(&mistakes))?;
            Ok((StatusCode::CREATED, json!({"Ids": ids})))
        })
    }))
}

pub async fn list_leads(Shared(control): Shared<Control>) -> Response {
    answered(Ok(ok(control
        .world
        .with(|state, now| state.files.leads.known.values().map(|lead| spelled(lead, now)).collect()))))
}

pub async fn view_lead(Shared(control): Shared<Control>, Path(id): Path<String>) -> Response {
    answered(control.world.with(|state, now| {
        let lead = state.files.leads.known.get(&id).ok_or_else(|| Refusal::absent("lead"))?;
        Ok(ok(spelled(lead, now)))
    }))
}

pub async fn edit_lead(Shared(control): Shared<Control>, Path(id): Path<String>, body: Bytes) -> Response {
    answered(read::<Body>(&body).and_then(|given| {
        control.world.with(|state, now| {
            let known = state.files.leads.edit(&id, &given, now).map_err(|mistakes| refused(&mistakes))?;
            if !known {
                return Err(Refusal::absent("lead"));
            }
            let modified = state.files.leads.known.get(&id).map(|lead| text::millis(lead.modified));
            Ok(ok(json!({"Id": id, "lastModifiedDate": modified})))
        })
    }))
}

/// A lead unmasked, in the files' words.
fn spelled(lead: &Lead, now: Timestamp) -> Value {
    let decoded = Decoded { record: lead.full(now), unread: Vec::new() };
    let file = Contents {
        version: PayloadVersion::V2,
        spms_id: String::new(),
        kind: Kind::Lead,
        records: vec![FileRecord { decoded, unknown: Map::new() }],
    };
    let mut written = serde_json::to_value(file).unwrap_or_default();
    written["leads"][0].take()
}
