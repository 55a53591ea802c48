//! Everything the sandbox knows, behind one mutex, and the clock it reads.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;
use uuid::Uuid;

use crate::calls::Call;
use crate::files::Exchange;
use crate::partner_central::Store;
use crate::salesforce::Org;
use crate::weather::{Ending, Mishap, Refusal, Weather};

/// How many events `GET /events` remembers.
const EVENTS_KEPT: usize = 2000;
/// How many calls `GET /calls` remembers.
const CALLS_KEPT: usize = 100_000;

/// Where the time comes from.
pub type Clock = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// The state of all faces and the way to the bus.
pub struct World {
    state: Mutex<State>,
    clock: Clock,
    bus: UnboundedSender<Event>,
}

/// What does not change while the process runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The one catalog that exists here.
    pub catalog: String,
    /// The partner's AWS account.
    pub account: String,
    /// Source of the events.
    pub event_source: String,
    /// The bucket AWS owns, absent without an emulator.
    pub ace_bucket: Option<String>,
    /// The partner's SPMS id.
    pub spms_id: String,
    /// Base URL of the Salesforce face.
    pub salesforce_url: String,
}

/// All that changes.
pub struct State {
    /// What does not change.
    pub settings: Settings,
    /// AWS's records.
    pub partner_central: Store,
    /// The CRM.
    pub salesforce: Org,
    /// What passes through the files.
    pub files: Exchange,
    /// Requests seen, without bodies.
    pub calls: VecDeque<Call>,
    /// Failures to act out.
    pub faults: Vec<Fault>,
    /// Failures that fall at random.
    pub weather: BTreeMap<Face, Weather>,
    /// Milliseconds each face waits before it answers.
    pub latency: BTreeMap<Face, u64>,
    /// Behaviours that can be turned on.
    pub switches: Switches,
    /// Events of the recent past.
    pub events: VecDeque<Event>,
    /// Events on their way to the bus.
    pub waiting: u64,
    /// Events put on the bus.
    pub emitted: u64,
    /// Events the bus did not take.
    pub emit_failures: u64,
    outbox: Vec<Event>,
}

/// A face of the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Face {
    /// AWS's API.
    PartnerCentral,
    /// The CRM's API.
    Salesforce,
    /// The emulator's S3, passed through.
    S3,
}

/// A failure to act out on purpose.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// On which face.
    pub face: Face,
    /// With which HTTP status.
    pub status: u16,
    /// How often; without it until `seconds` are over or faults are deleted.
    pub count: Option<u64>,
    /// For how long.
    pub seconds: Option<u64>,
    /// Only on this operation.
    pub operation: Option<String>,
    /// The error's code in place of the status's usual one.
    pub code: Option<String>,
    /// Act on the request first and lose only the answer.
    #[serde(default)]
    pub after: bool,
    #[serde(skip)]
    until: Option<Timestamp>,
}

/// Behaviours that somebody may turn on or off.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Debug, Clone, Serialize)]
pub struct Switches {
    /// Answer free text with its colons escaped.
    pub escape_text: bool,
    /// Enforce the documented call quotas.
    pub enforce_quotas: bool,
    /// Export opportunities to files, too; leads always are.
    pub file_exports: bool,
    /// Put results of files into the bucket; while it is off they are held back.
    pub file_results: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self { escape_text: false, enforce_quotas: false, file_exports: false, file_results: true }
    }
}

/// An event for the bus.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// Its id: ours until the bus gives it another.
    pub id: String,
    /// Its source.
    pub source: String,
    /// Its detail type.
    #[serde(rename = "detail-type")]
    pub detail_type: String,
    /// When it happened.
    pub time: Timestamp,
    /// Its payload.
    pub detail: Value,
}

impl World {
    /// A world with its clock and its way to the bus.
    pub fn new(state: State, clock: Clock, bus: UnboundedSender<Event>) -> Self {
        Self { state: Mutex::new(state), clock, bus }
    }

    /// Works on the state at the present time, then hands new events on.
    pub fn with<R>(&self, work: impl FnOnce(&mut State, Timestamp) -> R) -> R {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (self.clock)();
        state.expire_invitations(now);
        let result = work(&mut state, now);
        for event in std::mem::take(&mut state.outbox) {
            state.events.push_back(event.clone());
            state.waiting += 1;
            // The receiver ends only with the process.
            let _ = self.bus.send(event);
        }
        while state.events.len() > EVENTS_KEPT {
            state.events.pop_front();
        }
        result
    }

    /// What a request meets before a face looks at it: how long it waits, and what goes wrong. A fault that somebody
    /// asked for comes before the weather.
    pub fn arrival(&self, face: Face, operation: &str) -> (Duration, Option<Mishap>) {
        self.with(|state, now| {
            let wait = Duration::from_millis(state.latency.get(&face).copied().unwrap_or_default());
            let fault = state.take_fault(face, operation, now).map(|fault| Mishap {
                acted: fault.after,
                ending: Ending::Refused(Refusal::Error { status: fault.status, code: fault.code }),
                weather: None,
            });
            (wait, fault.or_else(|| state.weather.get_mut(&face)?.strike(operation)))
        })
    }
}

impl State {
    /// An empty world; `seed` keeps the identifiers of two runs apart.
    pub fn new(settings: Settings, seed: u64) -> Self {
        Self {
            settings,
            partner_central: Store::new(seed),
            salesforce: Org::new(seed),
            files: Exchange::new(seed),
            calls: VecDeque::new(),
            faults: Vec::new(),
            weather: BTreeMap::new(),
            latency: BTreeMap::new(),
            switches: Switches::default(),
            events: VecDeque::new(),
            waiting: 0,
            emitted: 0,
            emit_failures: 0,
            outbox: Vec::new(),
        }
    }

    /// Remembers a request that came to its end.
    pub fn record(&mut self, call: Call) {
        self.calls.push_back(call);
        if self.calls.len() > CALLS_KEPT {
            self.calls.pop_front();
        }
    }

    /// Puts one event into the outbox.
    pub fn emit(&mut self, detail_type: &str, detail: Value, now: Timestamp) {
        self.outbox.push(Event {
            id: Uuid::new_v4().to_string(),
            source: self.settings.event_source.clone(),
            detail_type: detail_type.to_owned(),
            time: now,
            detail,
        });
    }

    /// Does something, and loses its events unless they shall ring.
    pub fn ringing<R>(&mut self, ring: bool, work: impl FnOnce(&mut Self) -> R) -> R {
        let before = self.outbox.len();
        let done = work(self);
        if !ring {
            self.outbox.truncate(before);
        }
        done
    }

    /// Takes note of a fault to act out.
    pub fn add_fault(&mut self, mut fault: Fault, now: Timestamp) {
        fault.until = fault
            .seconds
            .and_then(|seconds| i64::try_from(seconds).ok())
            .and_then(|seconds| now.checked_add(SignedDuration::from_secs(seconds)).ok());
        self.faults.push(fault);
    }

    fn take_fault(&mut self, face: Face, operation: &str, now: Timestamp) -> Option<Fault> {
        self.faults.retain(|fault| fault.count != Some(0) && fault.until.is_none_or(|until| now < until));
        let fault = self
            .faults
            .iter_mut()
            .find(|fault| fault.face == face && fault.operation.as_ref().is_none_or(|wanted| wanted == operation))?;
        if let Some(count) = &mut fault.count {
            *count -= 1;
        }
        Some(fault.clone())
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A state for tests.
    pub fn state() -> State {
        State::new(
            Settings {
                catalog: "Sandbox".to_owned(),
                account: "111122223333".to_owned(),
                event_source: "sandbox.partnercentral-selling".to_owned(),
                ace_bucket: None,
                spms_id: "0000000".to_owned(),
                salesforce_url: "http://127.0.0.1:1".to_owned(),
            },
            1,
        )
    }

    /// A moment for tests.
    pub fn noon() -> Timestamp {
        "2026-03-02T12:00:00.123Z".parse().expect("a timestamp")
    }

    fn fault(count: Option<u64>, seconds: Option<u64>, operation: Option<&str>) -> Fault {
        let operation = operation.map(str::to_owned);
        Fault { face: Face::Salesforce, status: 503, count, seconds, operation, code: None, after: false, until: None }
    }

    #[test]
    fn a_counted_fault_ends_after_its_count() {
        let mut state = state();
        state.add_fault(fault(Some(2), None, Some("query")), noon());
        assert!(state.take_fault(Face::PartnerCentral, "query", noon()).is_none());
        assert!(state.take_fault(Face::Salesforce, "upsert", noon()).is_none());
        assert!(state.take_fault(Face::Salesforce, "query", noon()).is_some());
        assert!(state.take_fault(Face::Salesforce, "query", noon()).is_some());
        assert!(state.take_fault(Face::Salesforce, "query", noon()).is_none());
    }

    #[test]
    fn a_timed_fault_ends_by_the_clock() {
        let mut state = state();
        state.add_fault(fault(None, Some(5), None), noon());
        assert!(state.take_fault(Face::Salesforce, "query", noon()).is_some());
        let later = noon() + SignedDuration::from_secs(5);
        assert!(state.take_fault(Face::Salesforce, "query", later).is_none());
    }
}
