//! OAuth 2.0 client credentials: one session a process, renewed when Salesforce says that it ended. The token answer
//! does not say how long it lives.

use std::{fmt, sync::Arc};

use cosell_sync::ports::CrmRecord;
use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::{Host, Url};

use super::{
    client::{Answer, Failure, Loss},
    errors::{self, Refused, Unreadable},
    values::{self, Row},
};

const WHAT: &str = "the Salesforce login";

/// What an external client app with the client credentials flow is called by.
#[derive(Debug, Clone)]
pub struct Credentials {
    client_id: SecretString,
    client_secret: SecretString,
}

/// A secret that does not hold credentials. It never repeats the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidCredentials {
    /// It is not a JSON object whose members are texts.
    NotAnObject,
    /// Members are missing or empty.
    Missing(Vec<&'static str>),
}

impl std::error::Error for InvalidCredentials {}

impl fmt::Display for InvalidCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject => {
                f.write_str("the CRM secret is not a JSON object with the texts `client_id` and `client_secret`")
            }
            Self::Missing(members) => write!(f, "the CRM secret lacks `{}`", members.join("`, `")),
        }
    }
}

impl Credentials {
    /// Reads the secret's JSON: `{"client_id":…,"client_secret":…}`. Other members are ignored.
    pub fn from_secret(secret: &SecretString) -> Result<Self, InvalidCredentials> {
        #[derive(Deserialize)]
        struct Members {
            client_id: Option<SecretString>,
            client_secret: Option<SecretString>,
        }
        let members: Members =
            serde_json::from_str(secret.expose_secret()).map_err(|_| InvalidCredentials::NotAnObject)?;
        let filled = |member: Option<SecretString>| member.filter(|text| !text.expose_secret().trim().is_empty());
        match (filled(members.client_id), filled(members.client_secret)) {
            (Some(client_id), Some(client_secret)) => Ok(Self { client_id, client_secret }),
            (id, secret) => {
                let named = [("client_id", id.is_none()), ("client_secret", secret.is_none())];
                Err(InvalidCredentials::Missing(
                    named.into_iter().filter(|(_, gone)| *gone).map(|(name, _)| name).collect(),
                ))
            }
        }
    }
}

/// A token answer whose `instance_url` is not the configured organization's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the token answer points to a host that is neither the configured one nor Salesforce's")]
struct ForeignInstance;

/// A session of the integration user.
pub(super) struct Session {
    pub(super) token: SecretString,
    pub(super) instance: Url,
    /// The integration user.
    user: Option<String>,
    /// How far the organization's clock is ahead of ours, if the login said so.
    pub(super) ahead: Option<SignedDuration>,
}

impl Session {
    /// Whether a user identifier is the integration user's. Identifiers have 15 characters, or 18 of which the last
    /// three are derived.
    pub(super) fn is_me(&self, user: &str) -> Option<bool> {
        Some(self.user.as_deref()?.get(..15)? == user.get(..15)?)
    }

    /// A row of a query with the fields that were asked for.
    pub(super) fn record(&self, row: &Row, asked: &[String]) -> Result<CrmRecord, Unreadable> {
        Ok(CrmRecord {
            id: values::identifier(row)?,
            modified_at: values::text(row, "SystemModstamp").ok_or(Unreadable("`SystemModstamp`"))?,
            by_self: values::text(row, "LastModifiedById").and_then(|user| self.is_me(&user)),
            fields: values::fields(row, asked),
        })
    }
}

/// The process's one session.
pub(super) struct Sessions {
    http: reqwest::Client,
    endpoint: Url,
    credentials: Credentials,
    // Held while logging in, so that everybody else waits for the one login instead of making their own.
    current: Mutex<Option<Arc<Session>>>,
}

impl Sessions {
    pub(super) fn new(http: reqwest::Client, endpoint: Url, credentials: Credentials) -> Self {
        Self { http, endpoint, credentials, current: Mutex::new(None) }
    }

    /// The session; the first call logs in.
    pub(super) async fn current(&self) -> Result<Arc<Session>, Failure> {
        let mut current = self.current.lock().await;
        match &*current {
            Some(session) => Ok(Arc::clone(session)),
            None => Ok(Arc::clone(current.insert(Arc::new(self.login().await?)))),
        }
    }

    /// A session that is not `ended`: one that somebody else got meanwhile, or a new one.
    pub(super) async fn renewed(&self, ended: &Arc<Session>) -> Result<Arc<Session>, Failure> {
        let mut current = self.current.lock().await;
        match &*current {
            Some(session) if !Arc::ptr_eq(session, ended) => Ok(Arc::clone(session)),
            _ => {
                *current = None;
                Ok(Arc::clone(current.insert(Arc::new(self.login().await?))))
            }
        }
    }

    async fn login(&self) -> Result<Session, Failure> {
        let mut url = self.endpoint.clone();
        url.set_path("/services/oauth2/token");
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", self.credentials.client_id.expose_secret()),
            ("client_secret", self.credentials.client_secret.expose_secret()),
        ];
        let request = self.http.post(url).header("Accept", "application/json").form(&form);
        let answer = Answer::of(request).await.map_err(|failure| failure.during(WHAT))?;
        if answer.status != StatusCode::OK {
            return Err(refused_login(&answer));
        }
        let mut session = session(&self.endpoint, &answer.body)?;
        session.ahead = answer.date.map(|date| date.duration_since(Timestamp::now()));
        tracing::debug!("logged in to Salesforce");
        Ok(session)
    }
}

fn refused_login(answer: &Answer) -> Failure {
    // Token answers spell their codes in lower case and have no `fields`.
    let code = errors::oauth_code(&answer.body);
    let loss = if code.as_deref() == Some("rate_limit_exceeded") || answer.status == StatusCode::TOO_MANY_REQUESTS {
        Loss::Throttled(answer.retry_after)
    } else if answer.status.is_server_error() {
        Loss::Unavailable
    } else {
        Loss::Unauthorized
    };
    let cause = Refused { status: answer.status.as_u16(), codes: code.into_iter().collect(), names: Vec::new() };
    Failure::lost(loss, cause).during(WHAT)
}

fn session(endpoint: &Url, body: &[u8]) -> Result<Session, Failure> {
    #[derive(Deserialize)]
    struct Granted {
        access_token: SecretString,
        instance_url: String,
        id: Option<String>,
    }
    let unreadable = |lacks| Failure::lost(Loss::Unavailable, Unreadable(lacks)).during(WHAT);
    let granted: Granted = serde_json::from_slice(body).map_err(|_| unreadable("`access_token` or `instance_url`"))?;
    let instance = Url::parse(&granted.instance_url).map_err(|_| unreadable("a usable `instance_url`"))?;
    if !is_trusted(endpoint, &instance) {
        return Err(Failure::lost(Loss::Unauthorized, ForeignInstance).during(WHAT));
    }
    Ok(Session {
        token: granted.access_token,
        instance,
        user: granted
            .id
            .as_deref()
            .and_then(|id| id.rsplit('/').next())
            .filter(|id| values::is_id(id))
            .map(str::to_owned),
        ahead: None,
    })
}

/// Where the token may be sent: the configured host, or Salesforce's.
fn is_trusted(endpoint: &Url, instance: &Url) -> bool {
    let salesforces = instance.domain().is_some_and(|host| host.ends_with(".salesforce.com"));
    is_protected(instance) && instance.host().is_some() && (instance.host() == endpoint.host() || salesforces)
}

/// Whether what is sent there cannot be read on the way.
pub(super) fn is_protected(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_says_what_it_lacks_and_not_what_it_holds() {
        let read = |text: &str| Credentials::from_secret(&SecretString::from(text)).map(|_| ());
        assert_eq!(read(r#"{"client_id":"3MVG9","client_secret":"hidden","note":1}"#), Ok(()));
        let missing = |members: &[&'static str]| Err(InvalidCredentials::Missing(members.to_vec()));
        assert_eq!(read(r#"{"client_id":"3MVG9"}"#), missing(&["client_secret"]));
        assert_eq!(read(r#"{"client_id":" ","client_secret":"hidden"}"#), missing(&["client_id"]));
        assert_eq!(read(r#"{"client_id":null}"#), missing(&["client_id", "client_secret"]));
        for text in ["", "hidden", r#""hidden""#, r#"{"client_id":"3MVG9","client_secret":["hidden"]}"#] {
            assert_eq!(read(text), Err(InvalidCredentials::NotAnObject), "{text}");
        }
        for error in [InvalidCredentials::NotAnObject, InvalidCredentials::Missing(vec!["client_id", "client_secret"])]
        {
            assert!(!error.to_string().contains("hidden"));
        }
        let credentials = Credentials::from_secret(&r#"{"client_id":"3MVG9","client_secret":"hidden"}"#.into());
        assert!(!format!("{credentials:?}").contains("hidden"));
    }

    #[test]
    fn the_token_goes_to_the_configured_organization_only() {
        let url = |text: &str| Url::parse(text).expect("a URL");
        let endpoint = url("https://acme.my.salesforce.com");
        for (instance, trusted) in [
            ("https://acme.my.salesforce.com", true),
            ("https://acme--uat.sandbox.my.salesforce.com", true),
            ("http://acme.my.salesforce.com", false),
            ("https://acme.my.salesforce.com.example.com", false),
            ("https://examplesalesforce.com", false),
            ("https://example.com/.salesforce.com", false),
            ("http://127.0.0.1:8080", false),
            ("data:text/plain,.salesforce.com", false),
        ] {
            assert_eq!(is_trusted(&endpoint, &url(instance)), trusted, "{instance}");
        }
        assert!(is_trusted(&url("http://127.0.0.1:9000"), &url("http://127.0.0.1:9001")));
        assert!(is_trusted(&url("https://crm.example.com"), &url("https://crm.example.com")));
        assert!(!is_trusted(&url("https://crm.example.com"), &url("https://other.example.com")));
    }

    #[test]
    fn the_integration_user_is_the_tail_of_the_identity() {
        let endpoint = Url::parse("https://acme.my.salesforce.com").expect("a URL");
        let of = |id: &str| {
            let body = format!(r#"{{"access_token":"t","instance_url":"https://acme.my.salesforce.com","id":{id}}}"#);
            session(&endpoint, body.as_bytes()).ok().expect("a session")
        };
        let session = of(r#""https://login.salesforce.com/id/00D000000000001AAA/005000000000001AAA""#);
        assert_eq!(session.is_me("005000000000001AAA"), Some(true));
        assert_eq!(session.is_me("005000000000001"), Some(true));
        assert_eq!(session.is_me("005000000000002AAA"), Some(false));
        assert_eq!(session.is_me(""), None);
        assert_eq!(of("null").is_me("005000000000001AAA"), None);
        assert_eq!(of(r#""https://login.salesforce.com/id/""#).is_me("005000000000001AAA"), None);
    }
}
