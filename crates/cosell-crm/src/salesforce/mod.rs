//! Salesforce, over its REST API.
//!
//! Reads are queries, by identifier too: only they resolve parents, and they leave deleted rows out. Templates alone
//! are read whole, since naming every field of an object would not fit into an address. Writes go one record at a time
//! by a unique field or an identifier, so that each has its own answer and repeating one is harmless; repeating a plain
//! creation is not.

mod auth;
mod cursor;
mod describe;
mod errors;
mod soql;
mod values;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use cosell_mapping::{CrmValue, Description};
use cosell_model::{InvitationId, LeadId, OpportunityId};
use cosell_sync::ports::{
    Cause, Changes, Crm, CrmFields, CrmKey, CrmRecord, PortError, PortResult, Rejection, Written,
};
use jiff::Timestamp;
use reqwest::{Method, RequestBuilder, StatusCode, header, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value as Json;
use tokio::sync::Mutex;
use url::Url;

pub use auth::{Credentials, InvalidCredentials};
pub use cursor::{FIRST_SEARCH, InvalidCursor, OVERLAP};
pub use describe::description;
pub use errors::{Refused, Unreadable};
pub use soql::InvalidName;

use auth::{Session, Sessions};
use cursor::Cursor;
use errors::{Call, CallKind};
use soql::Select;
use values::Row;

/// The version of the API that this adapter is written against. Raise it deliberately.
pub const API_VERSION: &str = "v66.0";

/// The most rows that Salesforce puts on one page.
const PAGE: usize = 2_000;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// At 20 seconds a request begins to count against the organization's limit of concurrent requests.
const TIMEOUT: Duration = Duration::from_secs(20);
/// How often a search is halved before it counts as failed.
const HALVINGS: usize = 3;
/// How long the fields that a copy can have are remembered. A function's process may live for hours.
const COPYABLE_FOR: Duration = Duration::from_hours(1);

/// Names of fields, and when they were asked for.
type Remembered = (Instant, Arc<[String]>);

/// Which organization, and as whom.
#[derive(Debug, Clone)]
pub struct SalesforceConfig {
    /// The organization's My Domain address: `https://my-domain.my.salesforce.com`. Another host is believed because it
    /// is configured. Plain HTTP is for loopback addresses.
    pub endpoint: Url,
    /// The integration user's.
    pub credentials: Credentials,
}

/// A configuration that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum InvalidConfig {
    /// The endpoint is not an address to send a secret to.
    #[error("the Salesforce endpoint must be an https address")]
    Endpoint,
    /// The secret does not hold what a login takes.
    #[error("the Salesforce credentials are unusable")]
    Credentials(#[from] InvalidCredentials),
    /// The HTTP client could not be made.
    #[error("the HTTP client cannot be made")]
    Client(#[source] reqwest::Error),
}

/// A Salesforce organization.
pub struct Salesforce {
    http: reqwest::Client,
    sessions: Sessions,
    /// By object. Held while asking, so that everybody else waits for the one answer.
    copyable: Mutex<HashMap<String, Remembered>>,
}

impl Salesforce {
    /// Makes the client from its settings: the address, and the secret with the credentials.
    pub fn connect(endpoint: &str, secret: &SecretString) -> Result<Self, InvalidConfig> {
        let endpoint = endpoint.parse().map_err(|_| InvalidConfig::Endpoint)?;
        Self::new(SalesforceConfig { endpoint, credentials: Credentials::from_secret(secret)? })
    }

    /// Makes the client. Nothing is sent before the first call.
    pub fn new(config: SalesforceConfig) -> Result<Self, InvalidConfig> {
        let SalesforceConfig { endpoint, credentials } = config;
        if !auth::is_protected(&endpoint) || !endpoint.has_host() {
            return Err(InvalidConfig::Endpoint);
        }
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            // A redirect would carry the token or the secret to a host that nobody checked.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("cosell/", env!("CARGO_PKG_VERSION")));
        http = if auth::is_loopback(&endpoint) { http.no_proxy() } else { http.https_only(true) };
        let http = http.build().map_err(InvalidConfig::Client)?;
        let sessions = Sessions::new(http.clone(), endpoint, credentials);
        Ok(Self { http, sessions, copyable: Mutex::default() })
    }

    /// Sends one request in the current session, and once more in a new one when that has ended.
    async fn send(
        &self,
        call: &Call,
        method: Method,
        address: impl Fn(&Url) -> Url + Send + Sync,
        body: Option<&Json>,
        headers: &[(&'static str, &'static str)],
    ) -> PortResult<Answer> {
        let mut session = self.sessions.current().await?;
        let mut renewed = false;
        loop {
            let mut request = self
                .http
                .request(method.clone(), address(&session.instance))
                .bearer_auth(session.token.expose_secret())
                .header(header::ACCEPT, "application/json")
                .header("Sforce-Call-Options", "client=cosell");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            let answer = Answer::of(&call.what, request).await?;
            if renewed || !errors::is_session(answer.status, &answer.body) {
                return Ok(answer);
            }
            session = self.sessions.renewed(&session).await?;
            renewed = true;
        }
    }

    /// All rows of a statement, and when Salesforce looked for them.
    async fn query(&self, call: &Call, statement: &str, limit: usize) -> PortResult<(Vec<Row>, Timestamp)> {
        #[derive(Deserialize)]
        struct Found {
            done: bool,
            #[serde(rename = "nextRecordsUrl")]
            next: Option<String>,
            records: Vec<Row>,
        }
        let address = |instance: &Url| {
            let mut url = data_url(instance, &["query"]);
            url.query_pairs_mut().append_pair("q", statement);
            url
        };
        let asked = Instant::now();
        let mut answer = self.send(call, Method::GET, address, None, &[]).await?;
        // The answer is dated when it is sent, which may be long after the rows were read.
        let searched = answer.date.unwrap_or_else(Timestamp::now);
        let searched = searched.checked_sub(asked.elapsed()).unwrap_or(searched);
        let mut rows = Vec::new();
        loop {
            if answer.status != StatusCode::OK {
                return Err(answer.refusal(call));
            }
            let found: Found = answer.read(call, "`records`, `done` or `nextRecordsUrl`")?;
            let empty = found.records.is_empty();
            rows.extend(found.records);
            if found.done || rows.len() >= limit {
                return Ok((rows, searched));
            }
            let next = found.next.filter(|path| path.starts_with("/services/data/") && !empty);
            let next = next.ok_or_else(|| unreadable(call, "the rest of its rows"))?;
            let address = |instance: &Url| {
                let mut url = instance.clone();
                url.set_path(&next);
                url
            };
            answer = self.send(call, Method::GET, address, None, &[]).await?;
        }
    }

    async fn read(&self, call: &Call, path: &[&str]) -> PortResult<Answer> {
        let answer = self.send(call, Method::GET, |instance| data_url(instance, path), None, &[]).await?;
        if answer.status == StatusCode::OK { Ok(answer) } else { Err(answer.refusal(call)) }
    }

    /// Describes an object and makes something of the answer.
    async fn described<T>(
        &self,
        object: &str,
        make: impl FnOnce(&Json) -> Result<T, Unreadable> + Send,
    ) -> PortResult<T> {
        let what = format!("describe {object}");
        soql::plain_name(object, "an object").map_err(|cause| misconfigured(&what, cause))?;
        let call = Call { what, kind: CallKind::Query, names: names(object, []) };
        let answer = self.read(&call, &["sobjects", object, "describe"]).await?;
        make(&answer.read(&call, "a description")?).map_err(|Unreadable(lacks)| unreadable(&call, lacks))
    }

    /// The fields that a copy of a record can have.
    async fn copyable(&self, object: &str) -> PortResult<Arc<[String]>> {
        let mut known = self.copyable.lock().await;
        if let Some((asked, fields)) = known.get(object)
            && asked.elapsed() < COPYABLE_FOR
        {
            return Ok(Arc::clone(fields));
        }
        let fields: Arc<[String]> = self.described(object, describe::copyable).await?.into();
        known.insert(object.to_owned(), (Instant::now(), Arc::clone(&fields)));
        Ok(fields)
    }

    async fn write(&self, call: &Call, method: Method, path: &[&str], body: &Json) -> PortResult<Answer> {
        // Without this, the organization's assignment rules would give every lead that we touch to somebody else.
        let lead = path.get(1).is_some_and(|object| object.eq_ignore_ascii_case("Lead"));
        let headers: &[_] = if lead { &[("Sforce-Auto-Assign", "FALSE")] } else { &[] };
        self.send(call, method, |instance| data_url(instance, path), Some(body), headers).await
    }
}

#[async_trait]
impl Crm for Salesforce {
    async fn fetch(&self, object: &str, key: CrmKey<'_>, fields: &[String]) -> PortResult<Option<CrmRecord>> {
        let (field, value) = match key {
            CrmKey::Id(id) => ("Id", id),
            CrmKey::External { field, value } => (field, value),
        };
        let what = format!("fetch {object}{}", shown(field, value));
        let statement = Select::new(object, fields).and_then(|select| select.one(field, value));
        let statement = statement.map_err(|cause| misconfigured(&what, cause))?;
        if field == "Id" && !auth::is_id(value) {
            return Err(PortError::Rejected { what, problems: vec![malformed_key("Id", "MALFORMED_ID")] });
        }
        let call = Call { what, kind: CallKind::Query, names: names(object, fields.iter().chain([&field.to_owned()])) };
        let (rows, _) = self.query(&call, &statement, 1).await?;
        match rows.first() {
            Some(row) => Ok(Some(record(&call, row, fields, &*self.sessions.current().await?)?)),
            None => Ok(None),
        }
    }

    async fn changed_since(
        &self,
        object: &str,
        cursor: Option<&str>,
        fields: &[String],
        limit: usize,
    ) -> PortResult<Changes> {
        let what = format!("search {object} for changes");
        let select = Select::new(object, fields).map_err(|cause| misconfigured(&what, cause))?;
        let cursor = match cursor {
            Some(text) => Cursor::parse(text).map_err(|cause| misconfigured(&what, cause))?,
            None => Cursor::starting(Timestamp::now().checked_sub(FIRST_SEARCH).unwrap_or(Timestamp::MIN)),
        };
        let call = Call { what, kind: CallKind::Query, names: names(object, fields) };
        let mut limit = limit.clamp(1, PAGE);
        let mut halvings = 0;
        let (rows, searched) = loop {
            match self.query(&call, &select.changed_since(&cursor, limit), limit).await {
                Err(error) if errors::is_too_large(&error) && halvings < HALVINGS && limit > 1 => {
                    limit /= 2;
                    halvings += 1;
                }
                other => break other?,
            }
        };
        let session = self.sessions.current().await?;
        let mut records = Vec::with_capacity(rows.len());
        for row in &rows {
            records.push(record(&call, row, fields, &session)?);
        }
        let next = match records.last() {
            Some(last) if records.len() >= limit => {
                let at = last.modified_at.parse().map_err(|_| unreadable(&call, "a usable `SystemModstamp`"))?;
                cursor.after(at, &last.id, searched)
            }
            _ => cursor.caught_up(searched),
        };
        Ok(Changes { caught_up: next.id.is_none(), cursor: next.to_string(), records })
    }

    async fn upsert(&self, object: &str, field: &str, value: &str, fields: &CrmFields) -> PortResult<Written> {
        #[derive(Deserialize)]
        struct Upserted {
            id: Option<String>,
            success: bool,
            created: Option<bool>,
        }
        let what = format!("upsert {object}{}", shown(field, value));
        check_names(object, [field], fields).map_err(|cause| misconfigured(&what, cause))?;
        if !is_path_segment(value) {
            return Err(PortError::Rejected { what, problems: vec![malformed_key(field, "INVALID_KEY")] });
        }
        let call =
            Call { what, kind: CallKind::Upsert, names: names(object, fields.keys().chain([&field.to_owned()])) };
        let (path, body) = (["sobjects", object, field, value], values::body(fields, Some(field)));
        let mut raced = false;
        loop {
            let answer = self.write(&call, Method::PATCH, &path, &body).await?;
            let error = match answer.status {
                StatusCode::OK | StatusCode::CREATED => {
                    let written: Upserted = answer.read(&call, "`id` or `success`")?;
                    if written.success {
                        let id = written.id.ok_or_else(|| unreadable(&call, "`id`"))?;
                        let created = written.created.unwrap_or(answer.status == StatusCode::CREATED);
                        return Ok(Written { id, created });
                    }
                    answer.refusal(&call)
                }
                _ => answer.refusal(&call),
            };
            // Somebody created the same record while we did: now it is there to be updated.
            if raced || !errors::is_duplicate_value(&error) {
                return Err(error);
            }
            raced = true;
        }
    }

    async fn update(&self, object: &str, id: &str, fields: &CrmFields) -> PortResult<()> {
        let what = format!("update {object}{}", shown("Id", id));
        check_names(object, [], fields).map_err(|cause| misconfigured(&what, cause))?;
        if !auth::is_id(id) {
            return Err(PortError::Rejected { what, problems: vec![malformed_key("Id", "MALFORMED_ID")] });
        }
        let call = Call { what, kind: CallKind::Update, names: names(object, fields.keys()) };
        let (path, body) = (["sobjects", object, id], values::body(fields, Some("Id")));
        let answer = self.write(&call, Method::PATCH, &path, &body).await?;
        match answer.status {
            StatusCode::NO_CONTENT => Ok(()),
            _ => Err(answer.refusal(&call)),
        }
    }

    /// Values that are all empty identify nothing: they are [`PortError::Rejected`], and no other record is found.
    async fn find(&self, object: &str, fields: &CrmFields) -> PortResult<Option<String>> {
        let what = format!("find {object} by {}", fields.keys().map(String::as_str).collect::<Vec<_>>().join(", "));
        if fields.is_empty() {
            return Err(misconfigured(&format!("find {object}"), "a search without fields would find any record"));
        }
        let statement = soql::oldest(object, fields).map_err(|cause| misconfigured(&what, cause))?;
        let unusable: Vec<Rejection> = if fields.values().all(|value| soql::operand(value).is_none()) {
            fields.keys().map(|field| malformed_key(field, "EMPTY_KEY")).collect()
        } else {
            let is_long =
                |value: &CrmValue| value.as_text().is_some_and(|text| text.chars().count() > soql::LONGEST_TEXT);
            let long = fields.iter().filter(|(_, value)| is_long(value));
            long.map(|(field, _)| malformed_key(field, "STRING_TOO_LONG")).collect()
        };
        if !unusable.is_empty() {
            return Err(PortError::Rejected { what, problems: unusable });
        }
        let call = Call { what, kind: CallKind::Query, names: names(object, fields.keys()) };
        let (rows, _) = self.query(&call, &statement, 1).await?;
        rows.first().map(|row| identifier(&call, row)).transpose()
    }

    async fn create(&self, object: &str, fields: &CrmFields) -> PortResult<String> {
        #[derive(Deserialize)]
        struct Created {
            id: Option<String>,
            success: bool,
        }
        let what = format!("create {object}");
        check_names(object, [], fields).map_err(|cause| misconfigured(&what, cause))?;
        let call = Call { what, kind: CallKind::Upsert, names: names(object, fields.keys()) };
        let answer = self.write(&call, Method::POST, &["sobjects", object], &values::body(fields, None)).await?;
        if answer.status != StatusCode::CREATED {
            return Err(answer.refusal(&call));
        }
        let created: Created = answer.read(&call, "`id` or `success`")?;
        if !created.success {
            return Err(answer.refusal(&call));
        }
        created.id.ok_or_else(|| unreadable(&call, "`id`"))
    }

    /// The owner and the record type are among the values; formulas, numbers that count up, unique and external
    /// identifiers, system fields, compound, encrypted and binary ones are not. Which fields there are is asked once an
    /// hour and instance. A text that is no identifier comes from the set-up: [`PortError::Unauthorized`].
    async fn template(&self, object: &str, id: &str) -> PortResult<CrmFields> {
        let what = format!("read the template {object}{}", shown("Id", id));
        if !auth::is_id(id) {
            return Err(misconfigured(&what, "the template's identifier is not one of Salesforce's"));
        }
        let copyable = self.copyable(object).await?;
        let call = Call { what, kind: CallKind::Read, names: names(object, []) };
        let answer = self.read(&call, &["sobjects", object, id]).await?;
        let row: Row = answer.read(&call, "a record")?;
        let mut fields = values::fields(&row, &copyable);
        fields.retain(|_, value| *value != CrmValue::Null);
        Ok(fields)
    }

    /// Asks every time.
    async fn describe(&self, object: &str) -> PortResult<Description> {
        self.described(object, description).await
    }
}

/// What came back, whole.
struct Answer {
    status: StatusCode,
    date: Option<Timestamp>,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

impl Answer {
    async fn of(what: &str, request: RequestBuilder) -> PortResult<Self> {
        // The address holds statements and keys: it stays out of the error.
        let lost = |error: reqwest::Error| PortError::Unavailable {
            what: what.to_owned(),
            cause: Some(Box::new(error.without_url())),
        };
        let response = request.send().await.map_err(lost)?;
        let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let date =
            text(header::DATE).and_then(|date| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok());
        let retry_after = text(header::RETRY_AFTER).and_then(|value| value.parse().ok()).map(Duration::from_secs);
        let status = response.status();
        let body = response.bytes().await.map_err(lost)?.into();
        Ok(Self { status, date, retry_after, body })
    }

    /// A success's body. A decoder's own message would quote it.
    fn read<T: for<'de> Deserialize<'de>>(&self, call: &Call, expected: &'static str) -> PortResult<T> {
        serde_json::from_slice(&self.body).map_err(|_| unreadable(call, expected))
    }

    fn refusal(&self, call: &Call) -> PortError {
        errors::refusal(call, self.status, self.retry_after, &self.body)
    }
}

fn record(call: &Call, row: &Row, asked: &[String], session: &Session) -> PortResult<CrmRecord> {
    Ok(CrmRecord {
        id: identifier(call, row)?,
        modified_at: text(row, "SystemModstamp").ok_or_else(|| unreadable(call, "`SystemModstamp`"))?,
        by_self: text(row, "LastModifiedById").and_then(|user| session.is_me(&user)),
        fields: values::fields(row, asked),
    })
}

fn identifier(call: &Call, row: &Row) -> PortResult<String> {
    text(row, "Id").filter(|id| auth::is_id(id)).ok_or_else(|| unreadable(call, "`Id`"))
}

fn text(row: &Row, name: &str) -> Option<String> {
    match values::field(row, name) {
        Some(CrmValue::Text(text)) => Some(text),
        _ => None,
    }
}

/// An address under the API's data path; segments are percent-encoded.
fn data_url(instance: &Url, segments: &[&str]) -> Url {
    let mut url = instance.clone();
    url.set_path("");
    if let Ok(mut path) = url.path_segments_mut() {
        path.extend(["services", "data", API_VERSION]).extend(segments);
    }
    url
}

/// Whether a key's value stays one segment: URLs drop dots and control characters.
fn is_path_segment(value: &str) -> bool {
    !matches!(value, "" | "." | "..") && !value.contains(|character: char| character.is_control())
}

fn malformed_key(field: &str, code: &str) -> Rejection {
    let message = "the value cannot name a record in Salesforce".to_owned();
    Rejection { field: Some(field.to_owned()), code: code.to_owned(), message }
}

/// A record's key for `what`: identifiers only, since any other value may be somebody's name or address.
fn shown(field: &str, value: &str) -> String {
    let is_identifier = auth::is_id(value) && field == "Id"
        || value.parse::<OpportunityId>().is_ok()
        || value.parse::<LeadId>().is_ok()
        || value.parse::<InvitationId>().is_ok();
    if is_identifier { format!(" {value}") } else { format!(" by {field}") }
}

/// Written fields are the object's own: a parent's cannot be written through its child.
fn check_names<'n>(
    object: &str,
    keys: impl IntoIterator<Item = &'n str>,
    fields: &'n CrmFields,
) -> Result<(), InvalidName> {
    soql::plain_name(object, "an object")?;
    for name in keys.into_iter().chain(fields.keys().map(String::as_str)) {
        soql::plain_name(name, "a field that can be written")?;
    }
    Ok(())
}

fn names<'n>(object: &str, fields: impl IntoIterator<Item = &'n String>) -> Vec<String> {
    std::iter::once(object.to_owned()).chain(fields.into_iter().cloned()).collect()
}

/// Nobody's record will pass until the set-up is mended.
fn misconfigured(what: &str, cause: impl Into<Cause>) -> PortError {
    PortError::Unauthorized { what: what.to_owned(), cause: Some(cause.into()) }
}

fn unreadable(call: &Call, lacks: &'static str) -> PortError {
    PortError::Unavailable { what: call.what.clone(), cause: Some(Box::new(Unreadable(lacks))) }
}
