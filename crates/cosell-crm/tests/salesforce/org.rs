//! A server in Salesforce's place.

use std::{
    collections::{BTreeMap, VecDeque},
    error::Error,
    panic,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, Response, Uri},
};
use cosell_crm::{Credentials, Salesforce, SalesforceConfig};
use cosell_mapping::CrmValue;
use cosell_sync::ports::PortError;
use serde_json::{Value as Json, json};
use url::{Url, form_urlencoded};

pub type Outcome = Result<(), Box<dyn Error>>;

pub const ME: &str = "005000000000001AAA";
pub const REP: &str = "005000000000002AAA";
const DATE: &str = "Sun, 22 Nov 2026 10:00:00 GMT";

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: Method,
    pub target: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Seen {
    pub fn query(&self) -> String {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "q").map_or(String::new(), |(_, q)| q.into())
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or(Json::Null)
    }
}

#[derive(Default)]
pub struct Script {
    pub address: String,
    pub logins: Vec<Seen>,
    pub login_answer: Option<(u16, String)>,
    pub login_delay: Duration,
    pub seen: Vec<Seen>,
    pub answers: VecDeque<(u16, String)>,
    /// Tokens that are not valid any more.
    pub ended: Vec<String>,
    /// What to answer once the script is over.
    pub rules: Option<Box<Rules>>,
    /// How long an answer takes.
    pub delay: Duration,
    /// What answers are dated in place of [`DATE`].
    pub date: Option<&'static str>,
}

pub type Rules = dyn FnMut(&Seen) -> (u16, Json) + Send;

/// In place of a status: the connection is closed without an answer.
pub const LOST: u16 = 0;

/// A server that plays a script of answers and remembers the requests.
#[derive(Clone, Default)]
pub struct Org(Arc<Mutex<Script>>);

impl Org {
    pub async fn start(answers: impl IntoIterator<Item = (u16, Json)>) -> Result<(Self, Salesforce), Box<dyn Error>> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = format!("http://{}", listener.local_addr()?);
        let org = Self::default();
        org.with(|script| {
            script.address.clone_from(&address);
            script.answers = answers.into_iter().map(|(status, body)| (status, body.to_string())).collect();
        });
        let app = Router::new().fallback(Self::answer).with_state(org.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let secret = r#"{"client_id":"cosell-integration","client_secret":"s&cret=1"}"#.into();
        let credentials = Credentials::from_secret(&secret)?;
        Ok((org, Salesforce::new(SalesforceConfig { endpoint: Url::parse(&address)?, credentials })?))
    }

    /// A server that answers by rules.
    pub async fn ruled(
        rules: impl FnMut(&Seen) -> (u16, Json) + Send + 'static,
    ) -> Result<(Self, Salesforce), Box<dyn Error>> {
        let (org, crm) = Self::start([]).await?;
        org.with(|script| script.rules = Some(Box::new(rules)));
        Ok((org, crm))
    }

    pub fn with<T>(&self, act: impl FnOnce(&mut Script) -> T) -> T {
        act(&mut self.0.lock().expect("nobody panicked"))
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.with(|script| script.seen.clone())
    }

    async fn answer(
        State(org): State<Self>,
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Response<axum::body::Body> {
        let text = |value: &axum::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let seen = Seen {
            method,
            target: uri.to_string(),
            headers: headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            body: String::from_utf8_lossy(&body).into_owned(),
        };
        let is_login = uri.path() == "/services/oauth2/token";
        if is_login {
            tokio::time::sleep(org.with(|script| script.login_delay)).await;
        }
        let (status, body) = org.with(|script| {
            if is_login {
                script.logins.push(seen);
                let granted = json!({
                    "access_token": format!("token-{}", script.logins.len()),
                    "instance_url": script.address,
                    "id": format!("https://login.salesforce.com/id/00D000000000001AAA/{ME}"),
                    "token_type": "Bearer",
                    "issued_at": "1795341600000",
                });
                script.login_answer.clone().unwrap_or_else(|| (200, granted.to_string()))
            } else {
                let token = seen.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
                let ended = token.is_none_or(|token| script.ended.iter().any(|ended| ended == token));
                script.seen.push(seen.clone());
                if ended {
                    let body = r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#;
                    (401, body.to_owned())
                } else if let Some(answer) = script.answers.pop_front() {
                    answer
                } else if let Some(rules) = &mut script.rules {
                    let (status, body) = rules(&seen);
                    (status, body.to_string())
                } else {
                    (599, "the script is over".to_owned())
                }
            }
        });
        if !is_login {
            tokio::time::sleep(org.with(|script| script.delay)).await;
        }
        if status == LOST {
            panic::resume_unwind(Box::new("the connection is closed"));
        }
        let body = if status == 204 { String::new() } else { body };
        let date = org.with(|script| script.date).unwrap_or(DATE);
        Response::builder().status(status).header("date", date).body(body.into()).expect("a response")
    }
}

pub fn found(rows: &[Json]) -> Json {
    json!({"totalSize": rows.len(), "done": true, "records": rows})
}

pub fn row(id: &str, at: &str, by: &str) -> Json {
    json!({
        "attributes": {"type": "Opportunity", "url": format!("/services/data/v66.0/sobjects/Opportunity/{id}")},
        "Id": id, "SystemModstamp": at, "LastModifiedById": by, "Name": "Deal", "Account": {"attributes": {}, "Name": "ACME"},
    })
}

pub fn asked() -> Vec<String> {
    vec!["Name".to_owned(), "Account.Name".to_owned()]
}

pub fn text(value: &str) -> CrmValue {
    CrmValue::Text(value.to_owned())
}

pub fn chain(error: &PortError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
