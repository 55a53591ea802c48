//! Salesforce, over its REST API.
//!
//! Reads are queries, by identifier too: only they resolve parents, and they leave deleted rows out. Templates alone
//! are read whole, since naming every field of an object would not fit into an address. Writes go by a unique field or
//! an identifier, so that repeating one is harmless; repeating a plain creation is not.
//!
//! The organization's requests are counted by the day. Reads and writes that are asked for at the same moment therefore
//! share a request, and each still has its own answer: the one that it would have had alone.

mod auth;
mod client;
mod cursor;
mod describe;
mod errors;
mod fetch;
mod group;
mod soql;
mod values;
mod write;

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
use jiff::{SignedDuration, Timestamp};
use reqwest::redirect;
use secrecy::SecretString;
use serde_json::Value as Json;
use tokio::sync::Mutex;
use url::Url;

pub use auth::{Credentials, InvalidCredentials};
pub use cursor::{FIRST_SEARCH, InvalidCursor, OVERLAP};
pub use describe::description;
pub use errors::{Refused, Unreadable};
pub use soql::InvalidName;

use auth::Sessions;
use client::{Client, Failure};
use cursor::Cursor;
use errors::{Call, CallKind};
use fetch::{Fetches, Key, Wanted, fetches};
use soql::Select;
use values::Row;
use write::{Record, Verb, Writes, Writing, writes};

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

/// What a search goes through, oldest first.
#[derive(Debug, Clone, Copy)]
enum Sought {
    Changes,
    Deletions,
}

impl Sought {
    fn name(self) -> &'static str {
        match self {
            Self::Changes => "changes",
            Self::Deletions => "deletions",
        }
    }
}

/// A Salesforce organization.
pub struct Salesforce {
    client: Arc<Client>,
    fetches: Fetches,
    writes: Writes,
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
        let client = Arc::new(Client::new(http, sessions));
        Ok(Self { fetches: fetches(&client), writes: writes(&client), client, copyable: Mutex::default() })
    }

    /// Logs in, unless that is done, and says how far the organization's clock is ahead of ours, if it told.
    pub async fn login(&self) -> PortResult<Option<SignedDuration>> {
        let call = Call { what: "the Salesforce login".to_owned(), kind: CallKind::Query, names: Vec::new() };
        Ok(self.client.session().await.map_err(|failure| failure.told(&call))?.ahead)
    }

    /// The names of the objects that the integration user sees.
    pub async fn objects(&self) -> PortResult<Vec<String>> {
        let call = Call { what: "list objects".to_owned(), kind: CallKind::Query, names: Vec::new() };
        let listed =
            async { Ok(describe::objects(&self.client.read(&["sobjects"]).await?.read("a list of objects")?)?) };
        listed.await.map_err(|failure: Failure| failure.told(&call))
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
        let described = async {
            let answer = self.client.read(&["sobjects", object, "describe"]).await?;
            Ok(make(&answer.read("a description")?)?)
        };
        described.await.map_err(|failure: Failure| failure.told(&call))
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

    /// One page of a search that goes on at a cursor.
    async fn search(
        &self,
        sought: Sought,
        object: &str,
        cursor: Option<&str>,
        fields: &[String],
        limit: usize,
    ) -> PortResult<Changes> {
        let what = format!("search {object} for {}", sought.name());
        let select = Select::new(object, fields).map_err(|cause| misconfigured(&what, cause))?;
        let cursor = match cursor {
            Some(text) => Cursor::parse(text).map_err(|cause| misconfigured(&what, cause))?,
            None => Cursor::starting(Timestamp::now().checked_sub(FIRST_SEARCH).unwrap_or(Timestamp::MIN)),
        };
        let call = Call { what, kind: CallKind::Query, names: names(object, fields) };
        let mut limit = limit.clamp(1, PAGE);
        let mut halvings = 0;
        let (rows, searched) = loop {
            let found = match sought {
                Sought::Changes => self.client.query(&select.changed_since(&cursor, limit), limit).await,
                Sought::Deletions => self.client.query_all(&select.deleted_since(&cursor, limit), limit).await,
            };
            match found.map_err(|failure| failure.told(&call)) {
                Err(error) if errors::is_too_large(&error) && halvings < HALVINGS && limit > 1 => {
                    limit /= 2;
                    halvings += 1;
                }
                other => break other?,
            }
        };
        let told = |failure: Failure| failure.told(&call);
        let session = self.client.session().await.map_err(told)?;
        let records: Result<Vec<CrmRecord>, _> = rows.iter().map(|row| session.record(row, fields)).collect();
        let records = records.map_err(|lacks| told(lacks.into()))?;
        let next = match records.last() {
            Some(last) if records.len() >= limit => {
                let at = last.modified_at.parse().map_err(|_| told(Unreadable("a usable `SystemModstamp`").into()))?;
                cursor.after(at, &last.id, searched)
            }
            _ => cursor.caught_up(searched),
        };
        Ok(Changes { caught_up: next.id.is_none(), cursor: next.to_string(), records })
    }

    /// Writes one record, together with others of the moment.
    async fn write(
        &self,
        object: &str,
        verb: Verb,
        key: &str,
        fields: &CrmFields,
        what: String,
    ) -> PortResult<Written> {
        let field = if let Verb::Upsert(field) = &verb { Some(field) } else { None };
        let call = Call { what, kind: verb.call_kind(), names: names(object, fields.keys().chain(field)) };
        let broken = broken_off(&call);
        let record = Record::new(&verb, key, fields, call);
        self.writes.ask(Writing { object: object.to_owned(), verb }, record).await.unwrap_or(Err(broken))
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
        let wanted = Wanted { object: object.to_owned(), field: field.to_owned(), fields: fields.to_vec() };
        wanted.one(value).map_err(|cause| misconfigured(&what, cause))?;
        if wanted.is_by_id() && !values::is_id(value) {
            return Err(PortError::Rejected { what, problems: vec![malformed_key("Id", "MALFORMED_ID")] });
        }
        let call = Call { what, kind: CallKind::Query, names: names(object, fields.iter().chain([&wanted.field])) };
        let broken = broken_off(&call);
        let key = Key::new(&wanted, value, call);
        self.fetches.ask(wanted, key).await.unwrap_or(Err(broken))
    }

    fn beginning(&self) -> String {
        Cursor::starting(Timestamp::UNIX_EPOCH).to_string()
    }

    async fn changed_since(
        &self,
        object: &str,
        cursor: Option<&str>,
        fields: &[String],
        limit: usize,
    ) -> PortResult<Changes> {
        self.search(Sought::Changes, object, cursor, fields, limit).await
    }

    /// Records in the recycle bin that the integration user may see.
    async fn deleted_since(&self, object: &str, cursor: Option<&str>, limit: usize) -> PortResult<Changes> {
        self.search(Sought::Deletions, object, cursor, &[], limit).await
    }

    async fn upsert(&self, object: &str, field: &str, value: &str, fields: &CrmFields) -> PortResult<Written> {
        let what = format!("upsert {object}{}", shown(field, value));
        check_names(object, [field], fields).map_err(|cause| misconfigured(&what, cause))?;
        if !is_path_segment(value) {
            return Err(PortError::Rejected { what, problems: vec![malformed_key(field, "INVALID_KEY")] });
        }
        self.write(object, Verb::Upsert(field.to_owned()), value, fields, what).await
    }

    async fn update(&self, object: &str, id: &str, fields: &CrmFields) -> PortResult<()> {
        let what = format!("update {object}{}", shown("Id", id));
        check_names(object, [], fields).map_err(|cause| misconfigured(&what, cause))?;
        if !values::is_id(id) {
            return Err(PortError::Rejected { what, problems: vec![malformed_key("Id", "MALFORMED_ID")] });
        }
        self.write(object, Verb::Update, id, fields, what).await.map(drop)
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
        let found = async {
            let (rows, _) = self.client.query(&statement, 1).await?;
            Ok(rows.first().map(values::identifier).transpose()?)
        };
        found.await.map_err(|failure: Failure| failure.told(&call))
    }

    async fn select(&self, object: &str, condition: &str, limit: usize) -> PortResult<Vec<String>> {
        let what = format!("search {object} by a condition");
        let statement = soql::meeting(object, condition, limit).map_err(|cause| misconfigured(&what, cause))?;
        let call = Call { what, kind: CallKind::Condition, names: names(object, []) };
        let found = async {
            let (rows, _) = self.client.query(&statement, limit).await?;
            Ok(rows.iter().map(values::identifier).collect::<Result<_, _>>()?)
        };
        found.await.map_err(|failure: Failure| failure.told(&call))
    }

    async fn create(&self, object: &str, fields: &CrmFields) -> PortResult<String> {
        let what = format!("create {object}");
        check_names(object, [], fields).map_err(|cause| misconfigured(&what, cause))?;
        Ok(self.write(object, Verb::Create, "", fields, what).await?.id)
    }

    /// The owner and the record type are among the values; formulas, numbers that count up, unique and external
    /// identifiers, system fields, compound, encrypted and binary ones are not. Which fields there are is asked once an
    /// hour and instance. A text that is no identifier comes from the set-up: [`PortError::Unauthorized`].
    async fn template(&self, object: &str, id: &str) -> PortResult<CrmFields> {
        let what = format!("read the template {object}{}", shown("Id", id));
        if !values::is_id(id) {
            return Err(misconfigured(&what, "the template's identifier is not one of Salesforce's"));
        }
        let copyable = self.copyable(object).await?;
        let call = Call { what, kind: CallKind::Read, names: names(object, []) };
        let read = async { self.client.read(&["sobjects", object, id]).await?.read("a record") };
        let row: Row = read.await.map_err(|failure: Failure| failure.told(&call))?;
        let mut fields = values::fields(&row, &copyable);
        fields.retain(|_, value| *value != CrmValue::Null);
        Ok(fields)
    }

    /// Asks every time.
    async fn describe(&self, object: &str) -> PortResult<Description> {
        self.described(object, description).await
    }
}

/// Whether a key's value stays one segment: URLs drop dots and control characters. Blanks are no value to Salesforce.
fn is_path_segment(value: &str) -> bool {
    !matches!(value.trim(), "" | "." | "..") && !value.contains(|character: char| character.is_control())
}

fn malformed_key(field: &str, code: &str) -> Rejection {
    let message = "the value cannot name a record in Salesforce".to_owned();
    Rejection { field: Some(field.to_owned()), code: code.to_owned(), message }
}

/// A record's key for `what`: identifiers only, since any other value may be somebody's name or address.
fn shown(field: &str, value: &str) -> String {
    let is_identifier = values::is_id(value) && field == "Id"
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

/// What somebody is told whose request ended without saying what became of it.
fn broken_off(call: &Call) -> PortError {
    PortError::Unavailable { what: call.what.clone(), cause: None }
}
