//! A Salesforce org's REST API.

mod collections;
pub mod errors;
mod ids;
mod oauth;
mod query;
mod records;
pub mod schema;
mod soql;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State as Shared};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use url::form_urlencoded;
use uuid::Uuid;

use crate::weather::Refusal;
use crate::wire::{self, Answer, Line};
use crate::world::{Face, State, World};
use errors::{Failure, Problem, code};
pub use records::Org;
use records::{Body, datetime, moment};
use schema::{Field, Object, SCHEMA};

/// Calls a day that the limit header speaks of.
const DAILY_CALLS: u64 = 100_000;

/// The operation that gives out sessions.
pub const TOKEN: &str = "token";

/// The face: every path goes through one door.
pub fn router(world: Arc<World>) -> Router {
    Router::new().fallback(handle).layer(DefaultBodyLimit::max(50 << 20)).with_state(world)
}

/// An answer of the REST API.
pub struct Reply {
    /// HTTP status.
    pub status: StatusCode,
    /// Body, unless empty.
    pub body: Option<Value>,
}

impl Reply {
    /// An answer with a body.
    pub fn new(status: StatusCode, body: Value) -> Self {
        Self { status, body: Some(body) }
    }

    fn empty(status: StatusCode) -> Self {
        Self { status, body: None }
    }
}

/// A JSON answer.
pub fn json_answer(status: StatusCode, body: &Value) -> Response {
    let mut response = (status, body.to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json;charset=UTF-8"));
    response
}

/// Random letters and digits, for tokens and cursors.
pub fn random_text(length: usize) -> String {
    let mut text = String::new();
    while text.len() < length {
        text.push_str(&Uuid::new_v4().simple().to_string());
    }
    text.truncate(length);
    text
}

/// A request, taken apart.
struct Request<'a> {
    method: &'a Method,
    path: Vec<String>,
    parameters: Vec<(String, String)>,
    headers: &'a HeaderMap,
    body: &'a [u8],
}

impl Request<'_> {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn json(&self) -> Result<Value, Failure> {
        serde_json::from_slice(self.body)
            .map_err(|error| Failure::new(400, code::JSON_PARSER_ERROR, format!("Unexpected JSON: {error}")))
    }

    fn object(&self) -> Result<Body, Failure> {
        match self.json()? {
            Value::Object(object) => Ok(object),
            _ => Err(Failure::new(400, code::JSON_PARSER_ERROR, "The body is not an object")),
        }
    }

    /// The operation, as faults and the list of calls name it.
    fn operation(&self) -> &'static str {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let method = self.method.as_str();
        match path.as_slice() {
            ["services", "oauth2", "token"] => TOKEN,
            ["services", "data"] => "versions",
            ["services", "data", _, rest @ ..] => match (method, rest) {
                (_, []) => "resources",
                (_, ["limits"]) => "limits",
                (_, ["query" | "queryAll"]) => "query",
                (_, ["query" | "queryAll", _]) => "query_more",
                (_, ["composite", "sobjects", _]) => "collections_retrieve",
                ("PATCH", ["composite", "sobjects", _, _]) => "collections_upsert",
                ("POST", ["composite", "sobjects"]) => "collections_create",
                ("PATCH", ["composite", "sobjects"]) => "collections_update",
                ("DELETE", ["composite", "sobjects"]) => "collections_delete",
                (_, ["sobjects"]) => "sobjects",
                (_, ["sobjects", _, "describe"]) => "describe",
                (_, ["sobjects", _, "updated"]) => "updated",
                (_, ["sobjects", _, "deleted"]) => "deleted",
                ("POST", ["sobjects", _]) => "create",
                ("GET", ["sobjects", _]) => "sobject",
                ("GET", ["sobjects", _, _]) => "get",
                ("PATCH", ["sobjects", _, _]) => "update",
                ("DELETE", ["sobjects", _, _]) => "delete",
                ("GET", ["sobjects", _, _, _]) => "get_by_external_id",
                ("PATCH", ["sobjects", _, _, _]) => "upsert",
                _ => "unknown",
            },
            _ => "unknown",
        }
    }
}

async fn handle(
    Shared(world): Shared<Arc<World>>,
    ConnectInfo(line): ConnectInfo<Line>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = Request {
        method: &method,
        path: uri.path().split('/').filter(|part| !part.is_empty()).map(decoded).collect(),
        parameters: form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect(),
        headers: &headers,
        body: &body,
    };
    let operation = request.operation();
    let act = |state: &mut State, now| {
        if operation == TOKEN {
            return Answer { response: token(state, &request, now), ..Answer::default() };
        }
        state.salesforce.calls += 1;
        let outcome = call(state, &request, now);
        Answer { target_id: target_of(&request, outcome.as_ref().ok()), ..worded(outcome) }
    };
    let refuse = |refusal: &Refusal| worded(Err(refused(refusal)));
    let mut response = wire::answer(&world, &line, (Face::Salesforce, operation), act, refuse).await;
    if operation != TOKEN {
        let calls = world.with(|state, _| state.salesforce.calls);
        if let Ok(usage) = HeaderValue::from_str(&format!("api-usage={calls}/{DAILY_CALLS}")) {
            response.headers_mut().insert("sforce-limit-info", usage);
        }
    }
    response
}

fn worded(outcome: Result<Reply, Failure>) -> Answer {
    let response = match outcome {
        Ok(Reply { status, body: Some(body) }) => json_answer(status, &body),
        Ok(Reply { status, body: None }) => status.into_response(),
        Err(failure) => {
            return Answer { error: failure.code(), response: failure.response(), target_id: None };
        }
    };
    Answer { response, ..Answer::default() }
}

fn decoded(part: &str) -> String {
    // The form decoder reads "+" as a blank; in a path it is a plus.
    let pairs = format!("v={}", part.replace('+', "%2B").replace('&', "%26"));
    form_urlencoded::parse(pairs.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn token(state: &mut State, request: &Request<'_>, now: Timestamp) -> Response {
    if request.method != Method::POST {
        return Failure::new(405, code::METHOD_NOT_ALLOWED, "Use POST").response();
    }
    oauth::token(state, request.headers, request.body, now)
}

fn refused(refusal: &Refusal) -> Failure {
    let Refusal::Error { status, code } = refusal else {
        return Failure::new(403, code::REQUEST_LIMIT_EXCEEDED, "ConcurrentRequests Limit exceeded.");
    };
    let usual = match status {
        401 => code::INVALID_SESSION_ID,
        403 => code::REQUEST_LIMIT_EXCEEDED,
        404 => code::NOT_FOUND,
        503 => "SERVER_UNAVAILABLE",
        400 => "UNABLE_TO_LOCK_ROW",
        _ => "UNKNOWN_EXCEPTION",
    };
    let code = code.as_deref().unwrap_or(usual);
    Failure::new(*status, code, "a failure that the sandbox was told to act out")
}

fn target_of(request: &Request<'_>, reply: Option<&Reply>) -> Option<String> {
    let answered = reply.and_then(|reply| reply.body.as_ref()?.get("id")?.as_str().map(str::to_owned));
    answered.or_else(|| match request.path.as_slice() {
        [_, _, _, sobjects, _, id] if sobjects == "sobjects" => Some(id.clone()),
        [_, _, _, sobjects, _, _, value] if sobjects == "sobjects" => Some(value.clone()),
        _ => None,
    })
}

fn call(state: &mut State, request: &Request<'_>, now: Timestamp) -> Result<Reply, Failure> {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    let ["services", "data", rest @ ..] = path.as_slice() else { return Err(Failure::not_found()) };
    let org = &SCHEMA.org;
    let [version, rest @ ..] = rest else {
        let versions: Vec<Value> = (org.earliest_api..=org.latest_api)
            .map(|number| {
                let url = format!("/services/data/v{number}.0");
                json!({"label": format!("Release {number}"), "url": url, "version": format!("{number}.0")})
            })
            .collect();
        return Ok(Reply::new(StatusCode::OK, json!(versions)));
    };
    let version: u32 = version
        .strip_prefix('v')
        .and_then(|number| number.strip_suffix(".0"))
        .and_then(|number| number.parse().ok())
        .filter(|number| (org.earliest_api..=org.latest_api).contains(number))
        .ok_or_else(Failure::not_found)?;
    let base = format!("/services/data/v{version}.0");
    let user = session(state, request)?;
    if let ["sobjects", name, rest @ ..] = rest {
        let object = SCHEMA.in_path(name)?;
        return sobject(&mut state.salesforce, request, object, rest, &Caller { version, base, user, now });
    }
    let salesforce = &mut state.salesforce;
    match (request.method.as_str(), rest) {
        ("GET", []) => Ok(Reply::new(
            StatusCode::OK,
            json!({
                "sobjects": format!("{base}/sobjects"),
                "query": format!("{base}/query"),
                "queryAll": format!("{base}/queryAll"),
                "composite": format!("{base}/composite"),
                "limits": format!("{base}/limits"),
            }),
        )),
        ("GET", ["limits"]) => {
            let left = DAILY_CALLS.saturating_sub(salesforce.calls);
            Ok(Reply::new(StatusCode::OK, json!({"DailyApiRequests": {"Max": DAILY_CALLS, "Remaining": left}})))
        }
        ("GET", ["sobjects"]) => {
            let objects: Vec<Value> = SCHEMA.object.iter().map(|object| object.summary(&base)).collect();
            Ok(Reply::new(StatusCode::OK, json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": objects})))
        }
        ("GET", [kind @ ("query" | "queryAll")]) => {
            let text = request
                .parameter("q")
                .ok_or_else(|| Failure::new(400, code::MALFORMED_QUERY, "The parameter q is missing"))?;
            let (total, records) = query::run(salesforce, text, *kind == "queryAll", &base, now)?;
            Ok(Reply::new(StatusCode::OK, query::page(salesforce, total, records, batch_size(request), &base)))
        }
        ("GET", ["query" | "queryAll", cursor]) => {
            Ok(Reply::new(StatusCode::OK, query::more(salesforce, cursor, batch_size(request), &base)?))
        }
        ("POST", ["composite", "sobjects"]) => collections::create(salesforce, &request.json()?, &user, now),
        ("PATCH", ["composite", "sobjects"]) => collections::update(salesforce, &request.json()?, &user, now),
        ("DELETE", ["composite", "sobjects"]) => {
            let all_or_none = request.parameter("allOrNone") == Some("true");
            collections::delete(salesforce, request.parameter("ids").unwrap_or_default(), all_or_none, &user, now)
        }
        ("PATCH", ["composite", "sobjects", name, key]) => {
            collections::upsert(salesforce, SCHEMA.in_path(name)?, key, &request.json()?, &user, now)
        }
        (method @ ("POST" | "GET"), ["composite", "sobjects", name]) => {
            let list = |name: &str| -> Result<Vec<String>, Failure> {
                if method == "GET" {
                    let given = request.parameter(name).unwrap_or_default();
                    return Ok(given.split(',').filter(|one| !one.is_empty()).map(str::to_owned).collect());
                }
                serde_json::from_value(request.json()?[name].clone())
                    .map_err(|_| Failure::new(400, code::JSON_PARSER_ERROR, format!("{name} is not a list of texts")))
            };
            let (ids, fields) = (list("ids")?, list("fields")?);
            collections::retrieve(salesforce, SCHEMA.in_path(name)?, &ids, &fields, &base)
        }
        (_, ["limits" | "query" | "queryAll" | "sobjects"] | ["composite", "sobjects", ..] | []) => {
            let message = format!("HTTP Method '{}' not allowed.", request.method);
            Err(Failure::new(405, code::METHOD_NOT_ALLOWED, message))
        }
        _ => Err(Failure::not_found()),
    }
}

/// Who calls, with which version of the API, when.
struct Caller {
    version: u32,
    base: String,
    user: String,
    now: Timestamp,
}

fn sobject(
    org: &mut Org,
    request: &Request<'_>,
    object: &'static Object,
    rest: &[&str],
    caller: &Caller,
) -> Result<Reply, Failure> {
    let Caller { version, base, user, now } = caller;
    let fields = || -> Result<Option<Vec<&'static Field>>, Failure> {
        let names: Vec<String> = request
            .parameter("fields")
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        selected(object, &names)
    };
    match (request.method.as_str(), rest) {
        ("GET", []) => Ok(Reply::new(StatusCode::OK, json!({"objectDescribe": object.summary(base)}))),
        ("POST", []) => {
            let id = org.create(object, &request.object()?, user, *now)?;
            Ok(Reply::new(StatusCode::CREATED, json!({"id": id, "success": true, "errors": []})))
        }
        ("GET", ["describe"]) => Ok(Reply::new(StatusCode::OK, object.describe(base))),
        ("GET", [kind @ ("updated" | "deleted")]) => replicated(org, request, object, kind, *now),
        ("GET", [id]) => {
            let row = org.row(object, id)?;
            let since = condition(request, "if-modified-since")?;
            if since.is_some_and(|since| modified(row) <= Some(since)) {
                return Ok(Reply::empty(StatusCode::NOT_MODIFIED));
            }
            Ok(Reply::new(StatusCode::OK, row.view(object, base, fields()?.as_deref())))
        }
        ("PATCH", [id]) => {
            let body = request.object()?;
            unmodified(org, request, object, id)?;
            org.update(object, id, &body, user, *now)?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        ("DELETE", [id]) => {
            org.delete(object, id, user, *now)?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        ("GET", [key, value]) => {
            let id = org.find(object, object.external_id(key)?, value).ok_or_else(Failure::not_found)?;
            Ok(Reply::new(StatusCode::OK, org.row(object, &id)?.view(object, base, fields()?.as_deref())))
        }
        ("PATCH", [key, value]) => {
            let field = object.external_id(key)?;
            let body = request.object()?;
            if body.keys().any(|name| name.eq_ignore_ascii_case(&field.name)) {
                let message = format!("The {} field should not be specified in the sobject data.", field.name);
                return Err(Failure::new(400, code::INVALID_FIELD, message));
            }
            if let Some(id) = org.find(object, field, value) {
                unmodified(org, request, object, &id)?;
            }
            let update_only = request.parameter("updateOnly") == Some("true");
            let (id, created) = org.upsert(object, (field, value), &body, update_only, user, *now)?;
            if *version <= 45 && !created {
                return Ok(Reply::empty(StatusCode::NO_CONTENT));
            }
            let status = if created { StatusCode::CREATED } else { StatusCode::OK };
            Ok(Reply::new(status, json!({"id": id, "success": true, "errors": [], "created": created})))
        }
        (_, [] | [_] | [_, _]) => {
            let message = format!("HTTP Method '{}' not allowed.", request.method);
            Err(Failure::new(405, code::METHOD_NOT_ALLOWED, message))
        }
        _ => Err(Failure::not_found()),
    }
}

fn session(state: &State, request: &Request<'_>) -> Result<String, Failure> {
    request
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("OAuth ")))
        .and_then(|token| state.salesforce.sessions.get(token))
        .cloned()
        .ok_or_else(|| Failure::new(401, code::INVALID_SESSION_ID, "Session expired or invalid"))
}

/// The fields a list of names selects; none given means all.
fn selected(object: &'static Object, names: &[String]) -> Result<Option<Vec<&'static Field>>, Failure> {
    if names.is_empty() {
        return Ok(None);
    }
    let find = |name: &String| {
        object.field(name).ok_or_else(|| {
            let message = format!("No such column '{name}' on sobject of type {}", object.name);
            Failure::from(Problem::new(code::INVALID_FIELD, message))
        })
    };
    names.iter().map(find).collect::<Result<_, _>>().map(Some)
}

fn batch_size(request: &Request<'_>) -> usize {
    request
        .header("sforce-query-options")
        .and_then(|options| options.split(',').find_map(|option| option.trim().strip_prefix("batchSize=")))
        .and_then(|size| size.trim().parse().ok())
        .map_or(2000, |size: usize| size.clamp(200, 2000))
}

fn condition(request: &Request<'_>, name: &str) -> Result<Option<Timestamp>, Failure> {
    let Some(text) = request.header(name) else { return Ok(None) };
    DateTimeParser::new()
        .parse_timestamp(text)
        .map(Some)
        .map_err(|_| Failure::new(400, code::JSON_PARSER_ERROR, format!("{name} is not an HTTP date")))
}

fn modified(row: &records::Row) -> Option<Timestamp> {
    moment(row.text("LastModifiedDate")?)
}

fn unmodified(org: &Org, request: &Request<'_>, object: &Object, id: &str) -> Result<(), Failure> {
    let since = condition(request, "if-unmodified-since")?;
    if since.is_some_and(|since| org.row(object, id).is_ok_and(|row| modified(row) > Some(since))) {
        let message = "The record was modified since the given time";
        return Err(Failure::new(412, code::PRECONDITION_FAILED, message));
    }
    Ok(())
}

fn replicated(org: &Org, request: &Request<'_>, object: &Object, kind: &str, now: Timestamp) -> Result<Reply, Failure> {
    let refused = |message: &str| Failure::new(400, code::INVALID_REPLICATION_DATE, message);
    // An offset's plus sign that a client did not encode arrives as a blank.
    let read = |name: &str| request.parameter(name).map(|text| text.replace(' ', "+")).and_then(|text| moment(&text));
    let (Some(start), Some(end)) = (read("start"), read("end")) else {
        return Err(refused("start and end must be datetimes"));
    };
    let days = if kind == "updated" { 30 } else { 15 };
    if start < now - SignedDuration::from_hours(24 * days) {
        return Err(refused(&format!("start must be within the last {days} days")));
    }
    if end <= start {
        return Err(refused("end must be after start"));
    }
    let covered = datetime(end.min(now));
    if kind == "deleted" {
        let gone: Vec<Value> = org
            .rows(object)
            .iter()
            .filter_map(|(id, row)| Some((id, row.deleted.filter(|at| (start..=end).contains(at))?)))
            .map(|(id, at)| json!({"id": id, "deletedDate": datetime(at)}))
            .collect();
        let earliest = datetime(now - SignedDuration::from_hours(24 * days));
        let body = json!({"deletedRecords": gone, "earliestDateAvailable": earliest, "latestDateCovered": covered});
        return Ok(Reply::new(StatusCode::OK, body));
    }
    let ids: Vec<&String> = org
        .rows(object)
        .iter()
        .filter(|(_, row)| row.deleted.is_none())
        .filter(|(_, row)| row.text("SystemModstamp").and_then(moment).is_some_and(|at| (start..=end).contains(&at)))
        .map(|(id, _)| id)
        .collect();
    Ok(Reply::new(StatusCode::OK, json!({"ids": ids, "latestDateCovered": covered})))
}

/// How many rows each object has, deleted ones too.
pub fn counts(org: &Org) -> Value {
    SCHEMA.object.iter().map(|object| (object.name.clone(), json!(org.rows(object).len()))).collect()
}

/// Every record of an object, for the control API.
pub fn all(org: &Org, name: &str) -> Option<Vec<Value>> {
    let object = SCHEMA.object(name)?;
    let base = format!("/services/data/v{}.0", SCHEMA.org.latest_api);
    Some(org.rows(object).values().map(|row| row.view(object, &base, None)).collect())
}
