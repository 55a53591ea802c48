//! Requests and answers: one session, one renewal, queries page by page.

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use cosell_sync::{
    ports::{PortError, PortResult},
    run,
};
use jiff::Timestamp;
use reqwest::{Method, RequestBuilder, StatusCode, header};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value as Json;
use url::Url;

use super::{
    API_VERSION,
    auth::{Session, Sessions},
    errors::{self, Call, Unreadable},
    group::Asked,
    misconfigured,
    soql::InvalidName,
    values::Row,
};

/// Why there is no session or no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    Throttled(Option<Duration>),
    Unavailable,
    Unauthorized,
}

/// Why a request did not succeed. A [`PortError`] names one record and cannot be copied: this can be told to everybody
/// who shared the request.
pub(super) enum Failure {
    Lost {
        loss: Loss,
        /// What was going on, if it was not the request itself.
        during: Option<&'static str>,
        cause: Arc<dyn Error + Send + Sync>,
    },
    Refused(Answer),
    Unreadable(Unreadable),
    Misnamed(InvalidName),
}

impl From<Unreadable> for Failure {
    fn from(lacks: Unreadable) -> Self {
        Self::Unreadable(lacks)
    }
}

impl From<InvalidName> for Failure {
    fn from(name: InvalidName) -> Self {
        Self::Misnamed(name)
    }
}

impl Failure {
    pub(super) fn lost(loss: Loss, cause: impl Error + Send + Sync + 'static) -> Self {
        Self::Lost { loss, during: None, cause: Arc::new(cause) }
    }

    /// The same, said of something that happens before any record is sent.
    pub(super) fn during(mut self, what: &'static str) -> Self {
        if let Self::Lost { during, .. } = &mut self {
            *during = Some(what);
        }
        self
    }

    /// What it means to one of those who asked.
    pub(super) fn told(&self, call: &Call) -> PortError {
        match self {
            Self::Lost { loss, during, cause } => {
                let what = during.map_or_else(|| call.what.clone(), str::to_owned);
                let cause = Some(Arc::clone(cause).into());
                match *loss {
                    Loss::Throttled(retry_after) => PortError::Throttled { what, retry_after },
                    Loss::Unavailable => PortError::Unavailable { what, cause },
                    Loss::Unauthorized => PortError::Unauthorized { what, cause },
                }
            }
            Self::Refused(answer) => answer.refusal(call),
            Self::Unreadable(lacks) => {
                PortError::Unavailable { what: call.what.clone(), cause: Some(Box::new(*lacks)) }
            }
            Self::Misnamed(name) => misconfigured(&call.what, name.clone()),
        }
    }

    /// Tells everybody who shared the request.
    pub(super) fn tell<A, T>(&self, all: Vec<Asked<A, PortResult<T>>>, call: impl Fn(&A) -> &Call) {
        for asked in all {
            let error = self.told(call(&asked.ask));
            asked.answer(Err(error));
        }
    }

    /// Whether those who shared the request may fare better each by themselves.
    pub(super) fn may_pass_apart(&self, call: &Call) -> bool {
        matches!(self, Self::Refused(answer) if errors::may_pass_apart(answer.status, &answer.refusal(call)))
    }
}

/// An organization, across the wire.
pub(super) struct Client {
    http: reqwest::Client,
    sessions: Sessions,
}

impl Client {
    pub(super) fn new(http: reqwest::Client, sessions: Sessions) -> Self {
        Self { http, sessions }
    }

    pub(super) async fn session(&self) -> Result<Arc<Session>, Failure> {
        self.sessions.current().await
    }

    /// Sends one request in the current session, and once more in a new one when that has ended.
    async fn send(
        &self,
        method: Method,
        address: impl Fn(&Url) -> Url + Send + Sync,
        body: Option<&Json>,
        headers: &[(&'static str, &'static str)],
    ) -> Result<Answer, Failure> {
        let mut session = self.sessions.current().await?;
        let mut renewed = false;
        // Salesforce keeps it in its event logs: what it did for us is found by the run that asked.
        let run = run::current().map(|run| format!("/{}", run.id)).unwrap_or_default();
        let options = format!("client=cosell{run}");
        loop {
            let address = address(&session.instance);
            let path = address.path().to_owned();
            let mut request = self
                .http
                .request(method.clone(), address)
                .bearer_auth(session.token.expose_secret())
                .header(header::ACCEPT, "application/json")
                .header("Sforce-Call-Options", &options);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            let answer = Answer::of(request).await?;
            tracing::debug!(%method, path, status = answer.status.as_u16(), "Salesforce answered");
            if renewed || !errors::is_session(answer.status, &answer.body) {
                return Ok(answer);
            }
            session = self.sessions.renewed(&session).await?;
            renewed = true;
        }
    }

    /// All rows of a statement, and when Salesforce looked for them.
    pub(super) async fn query(&self, statement: &str, limit: usize) -> Result<(Vec<Row>, Timestamp), Failure> {
        self.rows("query", statement, limit).await
    }

    /// The same, deleted rows included, as far as they are in the recycle bin.
    pub(super) async fn query_all(&self, statement: &str, limit: usize) -> Result<(Vec<Row>, Timestamp), Failure> {
        self.rows("queryAll", statement, limit).await
    }

    async fn rows(&self, resource: &str, statement: &str, limit: usize) -> Result<(Vec<Row>, Timestamp), Failure> {
        #[derive(Deserialize)]
        struct Found {
            done: bool,
            #[serde(rename = "nextRecordsUrl")]
            next: Option<String>,
            records: Vec<Row>,
        }
        let address = |instance: &Url| {
            let mut url = data_url(instance, &[resource]);
            url.query_pairs_mut().append_pair("q", statement);
            url
        };
        let (asked, asked_at) = (Instant::now(), Timestamp::now());
        let mut answer = self.send(Method::GET, address, None, &[]).await?;
        // The answer is dated when it is sent, which may be long after the rows were read. A date ahead of our own clock would
        // let later searches pass over what is changed until then.
        let searched = answer.date.unwrap_or(asked_at);
        let searched = searched.checked_sub(asked.elapsed()).unwrap_or(searched).min(asked_at);
        let mut rows = Vec::new();
        loop {
            if answer.status != StatusCode::OK {
                return Err(Failure::Refused(answer));
            }
            let found: Found = answer.read("`records`, `done` or `nextRecordsUrl`")?;
            let empty = found.records.is_empty();
            rows.extend(found.records);
            if found.done || rows.len() >= limit {
                return Ok((rows, searched));
            }
            let next = found.next.filter(|path| path.starts_with("/services/data/") && !empty);
            let next = next.ok_or(Unreadable("the rest of its rows"))?;
            let address = |instance: &Url| {
                let mut url = instance.clone();
                url.set_path(&next);
                url
            };
            answer = self.send(Method::GET, address, None, &[]).await?;
        }
    }

    pub(super) async fn read(&self, path: &[&str]) -> Result<Answer, Failure> {
        let answer = self.send(Method::GET, |instance| data_url(instance, path), None, &[]).await?;
        if answer.status == StatusCode::OK { Ok(answer) } else { Err(Failure::Refused(answer)) }
    }

    /// Writes records of one object.
    pub(super) async fn write(
        &self,
        object: &str,
        method: Method,
        path: &[&str],
        body: &Json,
    ) -> Result<Answer, Failure> {
        // Without this, the organization's assignment rules would give every lead that we touch to somebody else.
        let lead = object.eq_ignore_ascii_case("Lead");
        let headers: &[_] = if lead { &[("Sforce-Auto-Assign", "FALSE")] } else { &[] };
        self.send(method, |instance| data_url(instance, path), Some(body), headers).await
    }
}

/// What came back, whole.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) date: Option<Timestamp>,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) async fn of(request: RequestBuilder) -> Result<Self, Failure> {
        // The address holds statements and keys: it stays out of the error.
        let lost = |error: reqwest::Error| Failure::lost(Loss::Unavailable, error.without_url());
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
    pub(super) fn read<T: for<'de> Deserialize<'de>>(&self, expected: &'static str) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|_| Unreadable(expected).into())
    }

    pub(super) fn refusal(&self, call: &Call) -> PortError {
        errors::refusal(call, self.status, self.retry_after, &self.body)
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
