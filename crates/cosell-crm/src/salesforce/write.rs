//! Writes of one record each: those of one moment are one list.

use std::sync::Arc;

use cosell_sync::ports::{CrmFields, PortError, PortResult, Written};
use futures::{FutureExt, future};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{
    client::{Client, Failure},
    errors::{self, Call, CallKind, Unreadable},
    group::{self, Group, cut},
    values,
};

/// The most records that Salesforce takes in one list.
const FULL: usize = 200;

/// How records are written. Those of one object that are written alike travel together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Writing {
    pub(super) object: String,
    pub(super) verb: Verb,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Verb {
    Create,
    /// By identifier.
    Update,
    /// By the unique field of this name.
    Upsert(String),
}

impl Verb {
    pub(super) fn call_kind(&self) -> CallKind {
        match self {
            Self::Update => CallKind::Update,
            Self::Create | Self::Upsert(_) => CallKind::Upsert,
        }
    }

    /// The field that says which record is written.
    fn key(&self) -> Option<&str> {
        match self {
            Self::Create => None,
            Self::Update => Some("id"),
            Self::Upsert(field) => Some(field),
        }
    }
}

/// What somebody writes.
pub(super) struct Record {
    call: Call,
    /// Its identifier or the unique field's value; empty for a new one.
    key: String,
    /// What all keys of one record have in common.
    normal: Option<String>,
    fields: CrmFields,
}

impl Record {
    pub(super) fn new(verb: &Verb, key: &str, fields: &CrmFields, call: Call) -> Self {
        let normal = match verb {
            Verb::Create => None,
            Verb::Update => Some(values::normal_id(key)),
            Verb::Upsert(_) => Some(values::normal_text(key)),
        };
        Self { call, key: key.to_owned(), normal, fields: fields.clone() }
    }
}

type Asked = group::Asked<Record, PortResult<Written>>;

/// The writes of a moment.
pub(super) type Writes = Group<Writing, Record, PortResult<Written>>;

pub(super) fn writes(client: &Arc<Client>) -> Writes {
    let client = Arc::clone(client);
    Group::new(FULL, move |writing, asked| {
        let client = Arc::clone(&client);
        async move {
            // One after the other: their records are locked by what they have in common, an account for instance.
            for asked in requests(asked) {
                answer(&client, &writing, asked).await;
            }
        }
        .boxed()
    })
}

/// A record is never twice in one list: Salesforce refuses it. Its later write is in a later request.
fn requests(asked: Vec<Asked>) -> Vec<Vec<Asked>> {
    cut(asked, |list, one| {
        let same = |other: &Asked| one.ask.normal.is_some() && other.ask.normal == one.ask.normal;
        list.len() < FULL && !list.iter().any(same)
    })
}

/// Answers everybody with one request, and by themselves those whom it leaves in doubt.
async fn answer(client: &Client, writing: &Writing, asked: Vec<Asked>) {
    if asked.len() == 1 {
        return apart(client, writing, asked, false).await;
    }
    match listed(client, writing, &asked).await {
        Ok(results) => {
            let mut doubtful = Vec::new();
            for (asked, result) in asked.into_iter().zip(&results) {
                match outcome(writing, &asked.ask, result) {
                    Err(error) if is_in_doubt(writing, &error) => doubtful.push(asked),
                    outcome => asked.answer(outcome),
                }
            }
            apart(client, writing, doubtful, true).await;
        }
        Err(failure) if failure.may_pass_apart(&asked[0].ask.call) => apart(client, writing, asked, false).await,
        Err(failure) => failure.tell(asked, |record| &record.call),
    }
}

async fn apart(client: &Client, writing: &Writing, asked: Vec<Asked>, raced: bool) {
    future::join_all(asked.into_iter().map(|asked| async move {
        let outcome = alone(client, writing, &asked.ask, raced).await;
        asked.answer(outcome);
    }))
    .await;
}

/// Whether a refusal in a list is worth a request of its own.
fn is_in_doubt(writing: &Writing, error: &PortError) -> bool {
    match writing.verb {
        Verb::Create => false,
        Verb::Update => errors::is_about_identifier(error),
        Verb::Upsert(_) => errors::is_duplicate_value(error),
    }
}

/// What was written.
#[derive(Deserialize)]
struct Saved {
    id: Option<String>,
    success: bool,
    created: Option<bool>,
}

/// Sends several records and answers each one's result, in their order.
async fn listed(client: &Client, writing: &Writing, asked: &[Asked]) -> Result<Vec<Json>, Failure> {
    let Writing { object, verb } = writing;
    let record = |Asked { ask, .. }: &Asked| {
        values::entry(object, verb.key().map(|field| (field, ask.key.as_str())), &ask.fields)
    };
    let body = json!({"allOrNone": false, "records": asked.iter().map(record).collect::<Vec<_>>()});
    let (method, path) = match verb {
        Verb::Create => (Method::POST, vec!["composite", "sobjects"]),
        Verb::Update => (Method::PATCH, vec!["composite", "sobjects"]),
        Verb::Upsert(field) => (Method::PATCH, vec!["composite", "sobjects", object, field]),
    };
    let answer = client.write(object, method, &path, &body).await?;
    if answer.status != StatusCode::OK {
        return Err(Failure::Refused(answer));
    }
    let results: Vec<Json> = answer.read("a list of results")?;
    if results.len() == asked.len() { Ok(results) } else { Err(Unreadable("a result for every record").into()) }
}

/// What a result in a list says.
fn outcome(writing: &Writing, record: &Record, result: &Json) -> PortResult<Written> {
    let unreadable = |lacks| Failure::from(Unreadable(lacks)).told(&record.call);
    match Saved::deserialize(result).map_err(|_| unreadable("`success`"))? {
        Saved { success: false, .. } => Err(errors::refusal_in_list(&record.call, result)),
        Saved { id, created, .. } => {
            let id = id.or_else(|| (writing.verb == Verb::Update).then(|| record.key.clone()));
            let created = created.unwrap_or(writing.verb == Verb::Create);
            Ok(Written { id: id.ok_or_else(|| unreadable("`id`"))?, created })
        }
    }
}

/// Sends one record. An upsert that lost a race against another one that created the same record is sent once more:
/// now it is there to be updated.
async fn alone(client: &Client, writing: &Writing, record: &Record, mut raced: bool) -> PortResult<Written> {
    let Writing { object, verb } = writing;
    let Record { call, key, fields, .. } = record;
    let (method, path) = match verb {
        Verb::Create => (Method::POST, vec!["sobjects", object]),
        Verb::Update => (Method::PATCH, vec!["sobjects", object, key]),
        Verb::Upsert(field) => (Method::PATCH, vec!["sobjects", object, field, key]),
    };
    let body = values::body(fields, verb.key());
    loop {
        let told = |failure: Failure| failure.told(call);
        let answer = client.write(object, method.clone(), &path, &body).await.map_err(told)?;
        let error = match (verb, answer.status) {
            (Verb::Update, StatusCode::NO_CONTENT) => return Ok(Written { id: key.clone(), created: false }),
            (Verb::Create, StatusCode::CREATED) | (Verb::Upsert(_), StatusCode::OK | StatusCode::CREATED) => {
                let saved: Saved = answer.read("`id` or `success`").map_err(told)?;
                if saved.success {
                    let id = saved.id.ok_or_else(|| told(Unreadable("`id`").into()))?;
                    return Ok(Written { id, created: saved.created.unwrap_or(answer.status == StatusCode::CREATED) });
                }
                answer.refusal(call)
            }
            _ => answer.refusal(call),
        };
        let lost_a_race = matches!(verb, Verb::Upsert(_)) && errors::is_duplicate_value(&error);
        if raced || !lost_a_race {
            return Err(error);
        }
        raced = true;
    }
}
