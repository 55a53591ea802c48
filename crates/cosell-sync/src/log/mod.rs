//! The sync log: what was done for which record, in the words of ACE's users.

mod payload;
mod query;
mod tally;

use cosell_model::Record;
use jiff::{
    Timestamp,
    civil::Date,
    tz::{Offset, TimeZone},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use payload::Payload;
pub use query::{Of, Query};
pub use tally::{Arrivals, Cause, RunSummary, Tally};

use crate::{Link, ports::Rejection, run};

/// Which way a record travelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From AWS to the CRM.
    FromAws,
    /// From the CRM to AWS.
    ToAws,
}

/// Why it travelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// An event rang.
    #[serde(rename = "Event")]
    Event,
    /// No event rang: a comparison with AWS's lists found it.
    #[serde(rename = "Reconciliation")]
    Reconciliation,
    /// A CRM record changed.
    #[serde(rename = "Push")]
    Push,
    /// Somebody linked two records that both sides had.
    #[serde(rename = "Backfill")]
    Backfill,
    /// An operator asked for it.
    #[serde(rename = "Command")]
    Command,
    /// A file of AWS's arrived.
    #[serde(rename = "Outbound File Retrieval")]
    OutboundFile,
    /// A file was sent to AWS.
    #[serde(rename = "Inbound File")]
    InboundFile,
    /// AWS said what it made of a file that it was sent.
    #[serde(rename = "Inbound File Results")]
    InboundFileResults,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Status {
    /// AWS took it.
    #[serde(rename = "API Success")]
    ApiSuccess,
    /// The CRM took it.
    #[serde(rename = "Processed")]
    Processed,
    /// Some of it went, the rest waits or can never go.
    #[serde(rename = "Partial")]
    Partial,
    /// None of it went.
    #[serde(rename = "Error")]
    Error,
}

impl Direction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::FromAws, Self::ToAws];

    /// A short stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::FromAws => "from_aws",
            Self::ToAws => "to_aws",
        }
    }
}

impl Status {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::ApiSuccess, Self::Processed, Self::Partial, Self::Error];

    /// A short stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::ApiSuccess => "api_success",
            Self::Processed => "processed",
            Self::Partial => "partial",
            Self::Error => "error",
        }
    }
}

/// What is left to do about a record after an entry, until a later entry of the same direction says that it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Open {
    /// The far side refused it: that may change without an edit of the record, so it is tried again.
    Refused,
    /// Our own checks refuse it, until somebody edits it.
    Wrong,
    /// AWS takes it when its review is over.
    Held,
}

/// A record of which something is left to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenRecord {
    /// Which way.
    pub direction: Direction,
    /// AWS's identifier, or the CRM's of what AWS does not have yet.
    pub name: String,
    /// What is left.
    pub what: Open,
    /// Since when.
    pub since: Timestamp,
    /// The entry that said so last.
    pub entry: Uuid,
    /// How often it was tried again by itself.
    pub retries: u32,
    /// When it was last tried.
    pub last_at: Timestamp,
}

/// One line of the sync log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What it is called; identifiers sort by time.
    pub id: Uuid,
    /// When.
    pub at: Timestamp,
    /// Which way.
    pub direction: Direction,
    /// Why.
    pub purpose: Purpose,
    /// How it ended.
    pub status: Status,
    /// AWS's identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ace_id: Option<String>,
    /// The CRM's identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crm_id: Option<String>,
    /// The file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What was done, without values.
    pub message: String,
    /// ACE fields that were written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// What the far side refused, in its words; personal data of the payload is masked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Rejection>,
    /// When the side that it came from had changed it, where this entry brings that change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<Timestamp>,
    /// The run that did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The event or message that led to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What is left to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<Open>,
    /// The record; kept apart, and shown only to who asks.
    #[serde(skip)]
    pub payload: Option<Payload>,
}

impl Entry {
    /// A line about nothing in particular yet, of the run that is under way.
    pub fn new(at: Timestamp, direction: Direction, purpose: Purpose, status: Status, message: String) -> Self {
        Self {
            id: name(at),
            at,
            direction,
            purpose,
            status,
            ace_id: None,
            crm_id: None,
            file: None,
            message,
            fields: Vec::new(),
            problems: Vec::new(),
            changed_at: None,
            run: run::current().map(|run| run.id),
            cause: run::cause(),
            open: None,
            payload: None,
        }
    }

    /// About the records of a link.
    #[must_use]
    pub fn about(mut self, link: &Link) -> Self {
        self.ace_id = link.ace_id().map(str::to_owned);
        self.crm_id = link.crm().map(|record| record.id.clone());
        self
    }

    /// With what was refused, and the record as the side says it that it came from. What the far side quotes of personal data
    /// is masked: it is in the payload.
    #[must_use]
    pub fn with(mut self, record: &Record, mut problems: Vec<Rejection>) -> Self {
        let payload = Payload::of(record);
        for problem in &mut problems {
            payload.mask(&mut problem.message);
        }
        (self.problems, self.payload) = (problems, Some(payload));
        self
    }

    /// Leaves something to do.
    #[must_use]
    pub fn leaves(mut self, open: Option<Open>) -> Self {
        self.open = open;
        self
    }

    /// Whether it says that a record went its way, so that nothing is left to do.
    pub fn is_settled(&self) -> bool {
        let went = matches!(self.status, Status::ApiSuccess | Status::Processed);
        went && self.open.is_none() && self.purpose != Purpose::Command
    }

    /// Everything that it is about.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names = [&self.ace_id, &self.crm_id, &self.file].into_iter().flatten();
        names.map(String::as_str).filter(|name| !name.is_empty())
    }

    /// The day on which it is found, UTC.
    pub fn day(&self) -> Date {
        day_of(self.id)
    }
}

/// A name that sorts by time and that nothing else has.
fn name(at: Timestamp) -> Uuid {
    // Nothing is logged before 1970.
    let seconds = u64::try_from(at.as_second()).unwrap_or_default();
    let nanos = u32::try_from(at.subsec_nanosecond()).unwrap_or_default();
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos))
}

/// The day of an entry's name, UTC. Both come from the same milliseconds.
pub fn day_of(id: Uuid) -> Date {
    let (seconds, nanos) = id.get_timestamp().map_or((0, 0), |at| at.to_unix());
    let nanos = i32::try_from(nanos).unwrap_or_default();
    let at = Timestamp::new(i64::try_from(seconds).unwrap_or_default(), nanos).unwrap_or_default();
    at.to_zoned(TimeZone::fixed(Offset::UTC)).date()
}

/// The lowest name of an entry of this moment or later.
pub fn first_name(at: Timestamp) -> Uuid {
    let millis = u64::try_from(at.as_millisecond()).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_time_and_know_their_day() {
        let name = |at: &str| name(at.parse().unwrap());
        let times =
            ["2026-03-09T01:00:00Z", "2026-03-09T01:00:00.5Z", "2026-03-09T23:59:59.9999Z", "2026-03-10T00:00:00Z"];
        let names = times.map(name);
        assert!(names.is_sorted(), "{names:?}");
        assert_ne!(name(times[0]), names[0]);
        assert_eq!(
            names.map(|name| day_of(name).to_string()),
            ["2026-03-09", "2026-03-09", "2026-03-09", "2026-03-10"]
        );
        for at in times {
            let at: Timestamp = at.parse().unwrap();
            assert!(first_name(at) <= self::name(at), "{at}");
        }
        assert!(first_name("2026-03-09T01:00:00.501Z".parse().unwrap()) > names[1]);
    }
}
