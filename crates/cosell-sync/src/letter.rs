//! What a dead letter says, whoever put it there: a function of ours, a queue that gave it up, an EventBridge rule, a
//! schedule, or Lambda for a scheduled run. Nothing here quotes a body: it may hold personal data.

use std::{collections::BTreeMap, fmt};

use cosell_model::event::{self, Ring};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value as Json;

use crate::{SyncError, files, from_aws, named, ports::DeadLetter, push::Changed};

/// Attribute of a parked message: the error and its causes, in one line.
pub const CAUSE: &str = "cosell.cause";
/// Attribute of a parked message: the error's short code.
pub const CODE: &str = "cosell.code";
/// Attribute of a parked message: how often it was tried before it was parked.
pub const ATTEMPTS: &str = "cosell.attempts";
/// Attribute of a message: how often it was sent back.
pub const REPLAYS: &str = "cosell.replays";
/// Attribute of a parked message: when it was parked.
pub const PARKED_AT: &str = "cosell.parked_at";
/// Attribute of a message that was sent back: how it ended each time before.
pub const HISTORY: &str = "cosell.history";

/// Attributes that go with a message from its queue to the dead letters and back.
pub const TRAVELLING: [&str; 2] = [REPLAYS, HISTORY];

/// A message and its attributes share 256 KB.
const LONGEST_HISTORY: usize = 8 * 1024;
/// The longest wait between two replays.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(24);
/// Queues keep a letter for fourteen days and then drop it without a word.
const EXPIRES_AFTER: SignedDuration = SignedDuration::from_hours(13 * 24);

/// Who put a letter there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A function of ours, with its reason.
    Parked,
    /// Its queue gave it up (this one): the function died of it, or took too long, each time.
    Redriven(String),
    /// An EventBridge rule that could not put the event on the queue.
    Rule(String),
    /// A schedule that could not start its function.
    Schedule(String),
    /// Lambda: a scheduled run of this function failed.
    Function(String),
    /// Nobody says.
    Unknown,
}

impl Origin {
    /// Whether it can go back. What a schedule started is done by the next run.
    pub fn returns(&self) -> bool {
        !matches!(self, Self::Schedule(_) | Self::Function(_))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parked => f.write_str("parked"),
            Self::Redriven(queue) => write!(f, "redriven from {queue}"),
            Self::Rule(rule) => write!(f, "rule {rule}"),
            Self::Schedule(schedule) => write!(f, "schedule {schedule}"),
            Self::Function(function) => write!(f, "run of {function}"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// The records or the file that a body names: identifiers only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct About {
    /// AWS's identifier.
    pub ace_id: Option<String>,
    /// The CRM's identifiers.
    pub crm_ids: Vec<String>,
    /// The file.
    pub file: Option<String>,
}

impl About {
    /// Reads a body of any of our queues.
    pub fn read(body: &str) -> Self {
        serde_json::from_str(body).map(|json| Self::of(&json)).unwrap_or_default()
    }

    fn of(body: &Json) -> Self {
        let text = |pointer: &str| body.pointer(pointer).and_then(Json::as_str).unwrap_or_default();
        let records = body.pointer("/detail/records").and_then(Json::as_array).into_iter().flatten();
        let named = records.filter_map(|record| record.get("id")?.as_str());
        // Our own message, an event that names a record, and one that names several.
        let crm_ids = [text("/id"), text("/detail/id")].into_iter().chain(named).filter(|id| is_identifier(id));
        let is_event = body.get("detail-type").is_some();
        let crm_ids = crm_ids.filter(|id| !is_event || *id != text("/id"));
        let ring = body.get("detail").and_then(|detail| event::read(text("/detail-type"), detail).ok());
        let ace_id = ring.and_then(|(_, ring)| match ring {
            Ring::Opportunity(id) => Some(id.to_string()),
            Ring::Invitation(id) => Some(id.to_string()),
            Ring::Lead(id) => Some(id.to_string()),
            Ring::Nothing(_) => None,
        });
        let file = files::from_landing_key(text("/detail/object/key")).map(|file| file.key);
        Self { ace_id, crm_ids: crm_ids.map(str::to_owned).collect(), file }
    }

    /// Everything that it names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.ace_id.iter().chain(&self.crm_ids).chain(&self.file).map(String::as_str)
    }
}

/// A body that nobody knows may hold a name or an address where an identifier should be.
fn is_identifier(text: &str) -> bool {
    text.len() <= 64
        && text.chars().any(|c| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// How a letter ended once before it was sent back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Past {
    /// When.
    pub at: Option<Timestamp>,
    /// The error's short code.
    pub code: Option<String>,
    /// How often it was tried.
    pub tries: Option<u32>,
}

const NONE: &str = "-";

impl fmt::Display for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| NONE.to_owned());
        let code = self.code.as_ref().map(|code| code.replace(|c: char| c.is_whitespace() || c == ';', "_"));
        let at = self.at.map(|at| at.to_string());
        write!(f, "{} {} {}", or_none(at), or_none(code), or_none(self.tries.map(|tries| tries.to_string())))
    }
}

impl Past {
    fn read(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (at, code, tries) = (words.next()?, words.next()?, words.next()?);
        Some(Self { at: at.parse().ok(), code: (code != NONE).then(|| code.to_owned()), tries: tries.parse().ok() })
    }
}

/// A dead letter, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Who put it there.
    pub origin: Origin,
    /// The error's short code.
    pub code: Option<String>,
    /// The error, in the words of whoever put it there.
    pub cause: Option<String>,
    /// How often it was tried, if anybody counted.
    pub tries: Option<u32>,
    /// How often it was sent back.
    pub replays: u32,
    /// Since when it is dead. Of a letter that a standard queue gave up: since when it was on that queue.
    pub since: Option<Timestamp>,
    /// What it names.
    pub about: About,
    /// How it ended before, oldest first.
    pub history: Vec<Past>,
    sent_at: Option<Timestamp>,
}

/// The end of an ARN: what its owner calls a resource.
fn resource(arn: &str) -> String {
    arn.rsplit(['/', ':']).next().unwrap_or(arn).to_owned()
}

impl Letter {
    /// Reads a letter of any origin.
    pub fn read(letter: &DeadLetter) -> Self {
        let attribute = |name: &str| letter.attributes.get(name).cloned();
        let number = |name: &str| attribute(name)?.parse::<u32>().ok();
        let body: Json = serde_json::from_str(&letter.body).unwrap_or_default();
        let (origin, code, cause, tries, since);
        if let Some(parked) = attribute(CODE) {
            origin = Origin::Parked;
            (code, cause, tries) = (Some(parked), attribute(CAUSE), number(ATTEMPTS));
            since = attribute(PARKED_AT).and_then(|at| at.parse().ok());
        } else if let Some(by) = attribute("SCHEDULE_ARN")
            .map(|arn| Origin::Schedule(resource(&arn)))
            .or_else(|| attribute("RULE_ARN").map(|arn| Origin::Rule(resource(&arn))))
        {
            origin = by;
            code = attribute("ERROR_CODE");
            let limit = attribute("EXHAUSTED_RETRY_CONDITION").map(|limit| format!("gave up at {limit}"));
            let said: Vec<String> = attribute("ERROR_MESSAGE").into_iter().chain(limit).collect();
            cause = (!said.is_empty()).then(|| said.join("; "));
            tries = number("RETRY_ATTEMPTS").map(|again| again.saturating_add(1));
            since = None;
        } else if let Some(queue) = &letter.redriven_from {
            origin = Origin::Redriven(resource(queue));
            (code, cause, tries, since) = (None, None, None, None);
        } else if let Some(function) = body.pointer("/requestContext/functionArn").and_then(Json::as_str) {
            let text = |pointer: &str| body.pointer(pointer).and_then(Json::as_str).map(str::to_owned);
            // A version or alias follows the function's name.
            let name = function.split(':').nth(6).unwrap_or(function);
            origin = Origin::Function(name.to_owned());
            code = text("/responsePayload/errorType").or_else(|| text("/requestContext/condition"));
            cause = text("/responsePayload/errorMessage");
            let count = body.pointer("/requestContext/approximateInvokeCount").and_then(Json::as_u64);
            tries = count.and_then(|count| count.try_into().ok());
            since = text("/timestamp").and_then(|at| at.parse().ok());
        } else {
            (origin, code, cause, tries, since) = (Origin::Unknown, None, None, None, None);
        }
        let about = if matches!(origin, Origin::Function(_)) { About::default() } else { About::of(&body) };
        let history = attribute(HISTORY).unwrap_or_default();
        Self {
            origin,
            code,
            cause,
            tries,
            replays: number(REPLAYS).unwrap_or(0),
            since: since.or(letter.sent_at),
            about,
            history: history.split(';').filter_map(Past::read).collect(),
            sent_at: letter.sent_at,
        }
    }

    /// Whether the cause heals by itself. Where nobody said why, the function died of it before it could, which may not
    /// come again; what a rule could not hand over was never tried.
    pub fn heals(&self) -> bool {
        match self.origin {
            Origin::Parked => self.code.as_deref().is_some_and(SyncError::heals),
            Origin::Redriven(_) | Origin::Rule(_) | Origin::Unknown => true,
            Origin::Schedule(_) | Origin::Function(_) => false,
        }
    }

    /// When it may be sent back without being asked: at once the first time, then an hour after it came back, two hours,
    /// four, and a day at most.
    pub fn due(&self) -> Option<Timestamp> {
        let wait = match self.replays {
            0 => SignedDuration::ZERO,
            replays => SignedDuration::from_hours(1i64 << (replays - 1).min(5)).min(LONGEST_WAIT),
        };
        self.since.map(|since| since.checked_add(wait).unwrap_or(Timestamp::MAX))
    }

    /// Whether its queue soon drops it.
    pub fn expires(&self, now: Timestamp) -> bool {
        self.sent_at.is_some_and(|sent| now.duration_since(sent) >= EXPIRES_AFTER)
    }

    /// The attributes with which it is sent back; `replays` counts this time.
    pub fn travelling(&self, replays: u32) -> BTreeMap<String, String> {
        let now = Past { at: self.since, code: self.code.clone(), tries: self.tries };
        let mut history = String::new();
        for past in std::iter::once(&now).chain(self.history.iter().rev()) {
            let past = past.to_string();
            if history.len() + past.len() + 1 > LONGEST_HISTORY {
                break;
            }
            let rest = if history.is_empty() { String::new() } else { format!(";{history}") };
            history = past + &rest;
        }
        BTreeMap::from([(REPLAYS.to_owned(), replays.to_string()), (HISTORY.to_owned(), history)])
    }
}

/// Which letters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those with these identifiers, or identifiers that begin so.
    pub ids: Vec<String>,
    /// Those with these codes; `none` means without one.
    pub codes: Vec<String>,
    /// Those about this ACE identifier, CRM identifier, or file (its key or its name).
    pub record: Option<String>,
    /// Those that are dead for longer.
    pub older_than: Option<SignedDuration>,
    /// Those that are dead for less.
    pub newer_than: Option<SignedDuration>,
}

impl Filter {
    /// Whether it leaves everything in.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it leaves this letter in.
    pub fn takes(&self, id: &str, letter: &Letter, now: Timestamp) -> bool {
        let age = letter.since.map(|since| now.duration_since(since));
        let names = |wanted: &String| {
            letter.about.names().any(|name| name == wanted || name.rsplit('/').next() == Some(wanted.as_str()))
        };
        (self.ids.is_empty() || self.ids.iter().any(|start| id.starts_with(start.as_str())))
            && (self.codes.is_empty() || self.codes.iter().any(|code| code == letter.code.as_deref().unwrap_or("none")))
            && self.record.as_ref().is_none_or(names)
            && self.older_than.is_none_or(|least| age.is_some_and(|age| age >= least))
            && self.newer_than.is_none_or(|most| age.is_some_and(|age| age < most))
    }
}

/// What a queue carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries {
    /// Partner Central's events.
    Rings,
    /// Files that landed.
    Files,
    /// Changes of the CRM, on their way to AWS.
    Changes,
    /// Events that name records of the CRM.
    Names,
}

impl Carries {
    /// Whether a body is such that its function can begin with it.
    pub fn check(self, body: &str) -> Result<(), SyncError> {
        match self {
            Self::Rings => from_aws::rung(body).map(drop),
            Self::Files => files::landed(body).map(drop),
            Self::Changes => Changed::read(body).map(drop),
            Self::Names => named::records(body).map(drop),
        }
    }
}

/// Members whose values say what a message is about and nothing about a person.
const OPEN: [&str; 21] = [
    "account",
    "approximateInvokeCount",
    "bucket",
    "catalog",
    "condition",
    "content",
    "detail-type",
    "engagementId",
    "etag",
    "functionArn",
    "id",
    "identifier",
    "key",
    "modified_at",
    "object",
    "reason",
    "region",
    "requestId",
    "source",
    "time",
    "version",
];

/// A body in which every value that may say something about a person is hidden.
pub fn masked(body: &str) -> String {
    let Ok(mut json) = serde_json::from_str(body) else { return format!("({} bytes that are not JSON)", body.len()) };
    hide(&mut json, false);
    serde_json::to_string_pretty(&json).unwrap_or_default()
}

fn hide(json: &mut Json, open: bool) {
    match json {
        Json::Object(members) => {
            for (name, value) in members {
                hide(value, OPEN.contains(&name.as_str()));
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| hide(item, false)),
        Json::String(text) if !open || text.contains(['@', ' ']) => *json = "***".into(),
        Json::Number(_) if !open => *json = "***".into(),
        Json::String(_) | Json::Number(_) | Json::Bool(_) | Json::Null => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample(name: &str) -> DeadLetter {
        let path = format!("{}/../../events/dead-letters/{name}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let message: Json = serde_json::from_str(&text).unwrap();
        let attributes = message["MessageAttributes"].as_object().cloned().unwrap_or_default();
        let sent: Option<i64> = message["Attributes"]["SentTimestamp"].as_str().map(|at| at.parse().unwrap());
        DeadLetter {
            id: message["MessageId"].as_str().unwrap().to_owned(),
            receipt: String::new(),
            body: message["Body"].as_str().unwrap().to_owned(),
            group: message["Attributes"]["MessageGroupId"].as_str().map(str::to_owned),
            attributes: attributes
                .into_iter()
                .map(|(name, value)| (name, value["StringValue"].as_str().unwrap().to_owned()))
                .collect(),
            sent_at: sent.map(|at| Timestamp::from_millisecond(at).unwrap()),
            redriven_from: message["Attributes"]["DeadLetterQueueSourceArn"].as_str().map(str::to_owned),
        }
    }

    fn shown(name: &str) -> String {
        let Letter { origin, code, cause, tries, replays, since, about, .. } = Letter::read(&sample(name));
        let names: Vec<_> = about.names().collect();
        let or = |text: Option<String>| text.unwrap_or_else(|| "-".into());
        let (tries, since) = (or(tries.map(|n| n.to_string())), or(since.map(|at| at.to_string())));
        format!("{origin} | {} | {} | {tries} | {replays} | {since} | {}", or(code), or(cause), names.join(" "))
    }

    #[test]
    fn a_letter_of_any_origin_is_understood() {
        for (name, expected) in [
            (
                "parked.json",
                "parked | unavailable | GetOpportunity O7654321 did not get through: HTTP 503 | 5 | 2 | 2026-03-09T03:00:00Z | O7654321",
            ),
            (
                "rule.json",
                "rule cosell-FnOpportunityRule-1A2B3C | NO_PERMISSIONS | Lack of permissions to invoke the target; gave up at MaximumRetryAttempts | 186 | 0 | 2026-03-10T02:00:00Z | O7654321",
            ),
            (
                "redriven-fifo.json",
                "redriven from cosell-FnDeliverQueue-4D5E6F.fifo | - | - | - | 1 | 2026-03-09T02:00:00Z | 006000000000001AAA",
            ),
            (
                "redriven.json",
                "redriven from cosell-FnOutboundFileQueue-7A8B9C | - | - | - | 0 | 2026-03-09T02:00:00Z | opportunity-outbound/opportunities_03092026020000.json",
            ),
            (
                "schedule.json",
                "schedule cosell-FnPushSchedule-ABCDEF | AWS.Lambda.TooManyRequestsException | Rate Exceeded.; gave up at MaximumRetryAttempts | 3 | 0 | 2026-03-09T02:03:00Z | ",
            ),
            (
                "function.json",
                "run of cosell-fn-push | unavailable | GET /services/data did not get through: HTTP 503 | 3 | 0 | 2026-03-09T02:05:00Z | ",
            ),
            ("unknown.json", "unknown | - | - | - | 0 | 2026-03-09T02:00:00Z | "),
        ] {
            assert_eq!(shown(name), expected, "{name}");
        }
    }

    #[test]
    fn what_was_sent_back_is_told_with_it() {
        let letter = sample("parked.json");
        let read = Letter::read(&letter);
        let codes: Vec<_> = read.history.iter().map(|past| past.code.as_deref()).collect();
        assert_eq!(codes, [Some("throttled"), None]);
        let again = DeadLetter { attributes: read.travelling(3), ..letter };
        let again = Letter::read(&again);
        assert_eq!(again.replays, 3);
        assert_eq!(again.history.len(), 3);
        assert_eq!(again.history[2].code.as_deref(), Some("unavailable"));
    }

    #[test]
    fn a_long_history_loses_its_beginning() {
        let mut letter = sample("parked.json");
        let mut read = Letter::read(&letter);
        read.history = (0..1000).map(|tries| Past { at: None, code: None, tries: Some(tries) }).collect();
        letter.attributes = read.travelling(1);
        assert!(letter.attributes[HISTORY].len() <= LONGEST_HISTORY);
        let history = Letter::read(&letter).history;
        assert!(history.len() > 500);
        assert_eq!(history[history.len() - 2].tries, Some(999));
    }

    #[test]
    fn only_identifiers_are_named() {
        for body in [
            r#"{"object": "Contact", "id": "ingrid.solberg@example.com"}"#,
            r#"{"object": "Contact", "id": "Ingrid Solberg 2"}"#,
            r#"{"id": "Ingrid"}"#,
            r#"["006000000000001AAA"]"#,
            "nonsense",
            "",
        ] {
            assert_eq!(About::read(body), About::default(), "{body}");
        }
        let several = About::read(
            r#"{"id": "0b1f6d5e-2f0c", "detail-type": "Record Changed", "detail": {"records": [{"object": "A", "id": "0061"}, {"id": "0062"}]}}"#,
        );
        assert_eq!(several.crm_ids, ["0061", "0062"]);
    }

    #[test]
    fn replays_come_at_growing_intervals() {
        let mut letter = Letter::read(&sample("parked.json"));
        let hours = [0, 1, 2, 4, 8, 16, 24, 24].map(SignedDuration::from_hours);
        for (replays, expected) in (0..).zip(hours) {
            letter.replays = replays;
            assert_eq!(letter.due().unwrap().duration_since(letter.since.unwrap()), expected, "{replays}");
        }
        letter.replays = u32::MAX;
        assert!(letter.due().is_some());
    }

    #[test]
    fn filters_leave_in_what_they_say() {
        let letter = Letter::read(&sample("parked.json"));
        let id = "5e0c4e1d-0000";
        let now = letter.since.unwrap() + SignedDuration::from_hours(3);
        let hours = |hours| Some(SignedDuration::from_hours(hours));
        for (filter, takes) in [
            (Filter::default(), true),
            (Filter { ids: vec!["5e0c".into()], ..Filter::default() }, true),
            (Filter { ids: vec!["0000".into()], ..Filter::default() }, false),
            (Filter { codes: vec!["none".into()], ..Filter::default() }, false),
            (Filter { codes: vec!["none".into(), "unavailable".into()], ..Filter::default() }, true),
            (Filter { record: Some("O7654321".into()), ..Filter::default() }, true),
            (Filter { record: Some("O765432".into()), ..Filter::default() }, false),
            (Filter { older_than: hours(3), ..Filter::default() }, true),
            (Filter { newer_than: hours(3), ..Filter::default() }, false),
            (Filter { older_than: hours(1), newer_than: hours(4), ..Filter::default() }, true),
        ] {
            assert_eq!(filter.takes(id, &letter, now), takes, "{filter:?}");
        }
        let file = Letter::read(&sample("redriven.json"));
        let record = Some("opportunities_03092026020000.json".to_owned());
        assert!(Filter { record, ..Filter::default() }.takes(id, &file, now), "a file by its name alone");
    }

    #[test]
    fn a_queue_takes_what_its_function_can_read() {
        let body = |name: &str| {
            let path = format!("{}/../../events/{name}", env!("CARGO_MANIFEST_DIR"));
            std::fs::read_to_string(path).unwrap()
        };
        for (carries, fits) in [
            (Carries::Rings, "eventbridge/opportunity-created.json"),
            (Carries::Files, "s3/object-created.json"),
            (Carries::Changes, "crm/changed.json"),
            (Carries::Names, "crm/record-changed.json"),
        ] {
            assert!(carries.check(&body(fits)).is_ok(), "{carries:?}");
            assert!(carries.check("{}").is_err(), "{carries:?}");
        }
        assert!(Carries::Rings.check(&body("eventbridge/no-identifier.json")).is_err());
        assert!(Carries::Rings.check(&body("eventbridge/unknown-detail-type.json")).is_err());
    }

    #[test]
    fn what_may_say_something_about_a_person_is_hidden() {
        let shown = masked(
            r#"{"id": "0061", "name": "Ingrid", "phone": 4722334455, "detail": {"identifier": "O1", "key": "ingrid@example.com", "all": true, "id": ["Solberg"]}}"#,
        );
        let shown: Json = serde_json::from_str(&shown).unwrap();
        let expected = serde_json::json!({"id": "0061", "name": "***", "phone": "***",
            "detail": {"identifier": "O1", "key": "***", "all": true, "id": ["***"]}});
        assert_eq!(shown, expected);
        assert_eq!(masked("Ingrid"), "(6 bytes that are not JSON)");
    }

    proptest! {
        #[test]
        fn no_letter_is_too_strange(body in ".{0,200}", value in ".{0,60}", name in 0usize..8) {
            let names = [CODE, REPLAYS, HISTORY, PARKED_AT, "RULE_ARN", "SCHEDULE_ARN", "RETRY_ATTEMPTS", "ERROR_CODE"];
            let letter = DeadLetter { body, attributes: [(names[name].to_owned(), value)].into(), ..sample("unknown.json") };
            let read = Letter::read(&letter);
            let _ = (read.due(), read.heals(), masked(&letter.body), Past::read(&letter.body));
        }

        #[test]
        fn a_history_comes_back_as_it_went(ends in proptest::collection::vec(("[a-z_]{1,12}", 0u32..9), 0..30)) {
            let mut letter = sample("unknown.json");
            for (number, (code, tries)) in ends.iter().enumerate() {
                letter.attributes.insert(CODE.to_owned(), code.clone());
                letter.attributes.insert(ATTEMPTS.to_owned(), tries.to_string());
                letter.attributes = Letter::read(&letter).travelling(u32::try_from(number).unwrap() + 1);
            }
            let expected: Vec<_> = ends.iter().map(|(code, tries)| (Some(code.clone()), Some(*tries))).collect();
            let history = Letter::read(&letter).history.into_iter();
            prop_assert_eq!(history.map(|past| (past.code, past.tries)).collect::<Vec<_>>(), expected);
        }
    }
}
