//! The sync log: what was done for which record, in the words of ACE's users.

use serde::{Deserialize, Serialize};

use crate::{Link, ports::Rejection};

/// Which way a record travelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

/// One line of the sync log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: jiff::Timestamp,
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
    /// What the far side refused, in its words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Rejection>,
}

impl Entry {
    /// A line about nothing in particular yet.
    pub fn new(at: jiff::Timestamp, direction: Direction, purpose: Purpose, status: Status, message: String) -> Self {
        Self {
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
        }
    }

    /// About the records of a link.
    #[must_use]
    pub fn about(mut self, link: &Link) -> Self {
        self.ace_id = link.ace_id().map(str::to_owned);
        self.crm_id = link.crm().map(|record| record.id.clone());
        self
    }
}
