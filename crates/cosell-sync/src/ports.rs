//! What the work needs of the world. Hands implement these traits and translate every vendor's errors into
//! [`PortError`]; the work decides by its variants and nothing matches on texts.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use cosell_mapping::{Description, Unmappable};
use cosell_model::{EngagementId, InvitationId, Kind, OpportunityId, validate::Problem};
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::{
    Link, LinkKey,
    files::Manifest,
    log::{Entry, OpenRecord, Query, RunSummary, Tally},
    notice::Event,
};

/// What a port's own client said.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// One reason why the far side refused a record, in its words. The message may quote values: it goes to the CRM record
/// and the sync log, never to a log line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// The far side's name of the field, when it named one.
    pub field: Option<String>,
    /// The far side's code.
    pub code: String,
    /// The far side's text.
    pub message: String,
}

impl From<&Unmappable> for Rejection {
    fn from(problem: &Unmappable) -> Self {
        Self {
            field: Some(format!("{} ({})", problem.crm, problem.ace)),
            code: "UNMAPPABLE".to_owned(),
            message: problem.cause.to_string(),
        }
    }
}

impl From<&Problem> for Rejection {
    fn from(problem: &Problem) -> Self {
        let Problem { field, crm, rule, message, mend, .. } = problem;
        let name = crm.as_ref().map_or_else(|| (*field).to_owned(), |crm| format!("{crm} ({field})"));
        Self { field: Some(name), code: rule.to_string(), message: format!("{message}: {mend}") }
    }
}

/// Why a port could not do what was asked. `what` says the operation and the record: `UpdateOpportunity O1234567`.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// Too much at once; nothing was done.
    #[error("{what} was throttled")]
    Throttled {
        /// Operation and record.
        what: String,
        /// When to come back, if the far side said so.
        retry_after: Option<Duration>,
    },
    /// Not now: a time-out, a lost connection, a server's error. It may have been done.
    #[error("{what} did not get through")]
    Unavailable {
        /// Operation and record.
        what: String,
        /// What the client said.
        #[source]
        cause: Option<Cause>,
    },
    /// Somebody else was faster: read again, merge again.
    #[error("{what} met a newer version")]
    Conflict {
        /// Operation and record.
        what: String,
    },
    /// This record will not pass until somebody edits it.
    #[error("{what} was refused ({} problem(s))", problems.len())]
    Rejected {
        /// Operation and record.
        what: String,
        /// Why.
        problems: Vec<Rejection>,
    },
    /// Nobody's record will pass: credentials, rights, or a set-up that does not fit the far side.
    #[error("{what} is not allowed")]
    Unauthorized {
        /// Operation and record.
        what: String,
        /// What the client said.
        #[source]
        cause: Option<Cause>,
    },
    /// There is no such record.
    #[error("{what} found nothing")]
    NotFound {
        /// Operation and record.
        what: String,
    },
}

impl PortError {
    /// A short stable code, for metrics and dead letters.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Throttled { .. } => "throttled",
            Self::Unavailable { .. } => "unavailable",
            Self::Conflict { .. } => "conflict",
            Self::Rejected { .. } => "rejected",
            Self::Unauthorized { .. } => "unauthorized",
            Self::NotFound { .. } => "not_found",
        }
    }
}

/// What every port answers.
pub type PortResult<T> = Result<T, PortError>;

/// What AWS answers to a creation or an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The opportunity.
    pub id: OpportunityId,
    /// The key of its optimistic lock, verbatim.
    pub last_modified: String,
}

/// How far one of AWS's asynchronous tasks is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskState {
    /// Ask again later, with the same token.
    InProgress,
    /// Done.
    Complete,
    /// Ended without success.
    Failed {
        /// AWS's code.
        reason: String,
        /// AWS's text.
        message: String,
    },
}

/// An asynchronous task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// How far it is.
    pub state: TaskState,
    /// The opportunity that it made or submitted, once known.
    pub opportunity: Option<OpportunityId>,
}

/// One line of a list of opportunities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The opportunity.
    pub id: OpportunityId,
    /// When it last changed, verbatim.
    pub last_modified: String,
}

/// One line of a list of invitations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invited {
    /// The invitation.
    pub id: InvitationId,
    /// Until when it can be answered.
    pub expires: Option<Timestamp>,
}

/// One line of a list of solutions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Solution {
    /// What an opportunity is associated with.
    pub id: String,
    /// What the partner calls it.
    pub name: String,
    /// `Active`, `Inactive` or `Draft`.
    pub status: String,
    /// What kind of solution.
    pub category: Option<String>,
}

impl Solution {
    /// Whether an opportunity can be associated with it.
    pub fn is_active(&self) -> bool {
        self.status == "Active"
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The lines.
    pub items: Vec<T>,
    /// What to ask for the next page with; none at the end.
    pub next: Option<String>,
}

/// AWS Partner Central, in its own JSON: whole answers, so that nothing that we do not know is lost.
#[async_trait]
pub trait PartnerCentral: Send + Sync {
    /// `GetOpportunity`.
    async fn opportunity(&self, id: &OpportunityId) -> PortResult<Json>;
    /// `GetAwsOpportunitySummary`; none where AWS has none yet.
    async fn summary(&self, id: &OpportunityId) -> PortResult<Option<Json>>;
    /// `GetEngagementInvitation`.
    async fn invitation(&self, id: &InvitationId) -> PortResult<Json>;
    /// The invitation whose acceptance made this opportunity (`ListEngagementByAcceptingInvitationTasks`).
    async fn invitation_behind(&self, id: &OpportunityId) -> PortResult<Option<InvitationId>>;
    /// The engagement that an opportunity belongs to (`ListEngagementResourceAssociations`).
    async fn engagement_of(&self, id: &OpportunityId) -> PortResult<Option<EngagementId>>;
    /// `ListOpportunities` changed at or after `since` (AWS's own timestamp), oldest first.
    async fn opportunities(&self, since: Option<&str>, page: Option<&str>) -> PortResult<Page<Listed>>;
    /// `ListEngagementInvitations` that we received and have not answered.
    async fn pending_invitations(&self, page: Option<&str>) -> PortResult<Page<Invited>>;
    /// `ListOpportunities` that are approved and neither launched nor lost: AWS works on them.
    async fn open_opportunities(&self, page: Option<&str>) -> PortResult<Page<Listed>>;
    /// `ListSolutions`: the partner's own, by name.
    async fn solutions(&self, page: Option<&str>) -> PortResult<Page<Solution>>;
    /// `GetEngagement`.
    async fn engagement(&self, id: &EngagementId) -> PortResult<Json>;
    /// `CreateOpportunity` with a complete body, its token included.
    async fn create(&self, body: &Json) -> PortResult<Stored>;
    /// `UpdateOpportunity` with a complete body, its `LastModifiedDate` included.
    async fn update(&self, body: &Json) -> PortResult<Stored>;
    /// `AssociateOpportunity`. What is associated already is no error.
    async fn associate(&self, id: &OpportunityId, entity_type: &str, entity: &str) -> PortResult<()>;
    /// `DisassociateOpportunity`. What is not associated any more is no error.
    async fn disassociate(&self, id: &OpportunityId, entity_type: &str, entity: &str) -> PortResult<()>;
    /// `AssignOpportunity`, with one of [`assignees`](cosell_model::api::assignees).
    async fn assign(&self, id: &OpportunityId, assignee: &Json) -> PortResult<()>;
    /// `StartEngagementFromOpportunityTask`: submits to AWS.
    async fn submit(&self, id: &OpportunityId, token: &str, involvement: &str, visibility: &str) -> PortResult<Task>;
    /// `StartEngagementByAcceptingInvitationTask`.
    async fn accept(&self, id: &InvitationId, token: &str) -> PortResult<Task>;
    /// `AcceptEngagementInvitation`: joins the engagement of a lead. What is accepted already is no error.
    async fn join(&self, id: &InvitationId) -> PortResult<()>;
    /// `StartOpportunityFromEngagementTask`: makes an opportunity of a lead.
    async fn convert(&self, id: &EngagementId, context: &str, token: &str) -> PortResult<Task>;
    /// `RejectEngagementInvitation`. What is rejected already is no error.
    async fn reject(&self, id: &InvitationId, reason: &str) -> PortResult<()>;
}

pub use cosell_mapping::CrmFields;

/// A record of the CRM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrmRecord {
    /// The CRM's identifier.
    pub id: String,
    /// When it last changed, as the CRM writes it.
    pub modified_at: String,
    /// Whether the last change was our own, as far as the CRM tells.
    pub by_self: Option<bool>,
    /// The fields that were asked for.
    pub fields: CrmFields,
}

/// Records that changed since a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The records, oldest change first.
    pub records: Vec<CrmRecord>,
    /// Where to go on; opaque.
    pub cursor: String,
    /// Whether there is nothing more for now.
    pub caught_up: bool,
}

/// How a CRM record is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrmKey<'k> {
    /// By the CRM's identifier.
    Id(&'k str),
    /// By the value of a unique field.
    External {
        /// The field.
        field: &'k str,
        /// Its value.
        value: &'k str,
    },
}

/// What a write made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The CRM's identifier.
    pub id: String,
    /// Whether the record is new.
    pub created: bool,
}

/// A CRM. Dates and timestamps travel as ISO 8601 text with `Z`.
#[async_trait]
pub trait Crm: Send + Sync {
    /// One record; none where there is none or it was deleted.
    async fn fetch(&self, object: &str, key: CrmKey<'_>, fields: &[String]) -> PortResult<Option<CrmRecord>>;
    /// The cursor of a search that begins with the record that has not changed for longest. Without a cursor a search
    /// begins a little before now.
    fn beginning(&self) -> String;
    /// At most about `limit` records that changed since `cursor`, some of them perhaps once more.
    async fn changed_since(
        &self,
        object: &str,
        cursor: Option<&str>,
        fields: &[String],
        limit: usize,
    ) -> PortResult<Changes>;
    /// At most about `limit` records that were deleted since `cursor`, some of them perhaps once more: when, and no fields.
    /// What is gone for good may be missing. Cursors of [`Crm::changed_since`] mean nothing here.
    async fn deleted_since(&self, object: &str, cursor: Option<&str>, limit: usize) -> PortResult<Changes>;
    /// Creates or updates one record by a unique field. Safe to repeat.
    async fn upsert(&self, object: &str, field: &str, value: &str, fields: &CrmFields) -> PortResult<Written>;
    /// Updates one record; fields that are not given stay.
    async fn update(&self, object: &str, id: &str, fields: &CrmFields) -> PortResult<()>;
    /// The identifier of the record whose fields all have these values, the oldest when there are several. Text is
    /// compared as the CRM does it.
    async fn find(&self, object: &str, fields: &CrmFields) -> PortResult<Option<String>>;
    /// The identifiers of at most `limit` records that meet a condition in the CRM's own query language. What is wrong with
    /// the condition is [`PortError::Rejected`], in the CRM's words.
    async fn select(&self, object: &str, condition: &str, limit: usize) -> PortResult<Vec<String>>;
    /// Creates a record and answers its identifier. Not safe to repeat: whoever can, looks with [`Crm::find`] first.
    async fn create(&self, object: &str, fields: &CrmFields) -> PortResult<String>;
    /// What a copy of a record starts with: every value that may be set on a new one. [`PortError::NotFound`] when there
    /// is no such record.
    async fn template(&self, object: &str, id: &str) -> PortResult<CrmFields>;
    /// What the CRM says about an object, as the user sees it that cosell runs as.
    async fn describe(&self, object: &str) -> PortResult<Description>;
}

/// What became of a file of AWS's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// Copied; its records are not all settled.
    Landed,
    /// Every record is settled: it may leave AWS's side.
    Settled,
    /// Unusable as a whole: it stays at AWS's side until somebody looks.
    Unusable,
}

/// cosell's memory.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// The link that one of its keys leads to.
    async fn link(&self, key: &LinkKey) -> PortResult<Option<Link>>;
    /// Stores a link and all its keys at once and moves its version on. [`PortError::Conflict`] when somebody stored it
    /// since it was read, or when a key leads to another link.
    async fn save(&self, link: &mut Link) -> PortResult<()>;
    /// The invitations of every link that waits for an answer.
    async fn open_invitations(&self) -> PortResult<Vec<InvitationId>>;
    /// A cursor by name.
    async fn cursor(&self, name: &str) -> PortResult<Option<String>>;
    /// Moves a cursor.
    async fn set_cursor(&self, name: &str, value: &str) -> PortResult<()>;
    /// Links of this kind whose shipment waits for the next file.
    async fn waiting(&self, kind: Kind) -> PortResult<Vec<LinkKey>>;
    /// Stores a file's manifest together with the links that it carries, all or nothing. [`PortError::Conflict`] when one of
    /// them was stored since it was read.
    async fn ship(&self, links: &mut [Link], manifest: &Manifest) -> PortResult<()>;
    /// The manifest of a file.
    async fn manifest(&self, key: &str) -> PortResult<Option<Manifest>>;
    /// The manifests of all files that AWS has not answered.
    async fn open_manifests(&self) -> PortResult<Vec<Manifest>>;
    /// Stores what became of a file, unless it was answered meanwhile.
    async fn set_manifest(&self, manifest: &Manifest) -> PortResult<()>;
    /// What became of this version of a file.
    async fn file(&self, key: &str, version: &str) -> PortResult<Option<FileState>>;
    /// Remembers it.
    async fn set_file(&self, key: &str, version: &str, state: FileState) -> PortResult<()>;
    /// Writes into the sync log, payloads included, and counts what was written.
    async fn log(&self, entries: &[Entry]) -> PortResult<()>;
    /// At most so many entries of the sync log, newest first, without their payloads.
    async fn read_log(&self, query: &Query<'_>, limit: usize) -> PortResult<Vec<Entry>>;
    /// The records of which something is left to do, as the sync log has it.
    async fn open_records(&self) -> PortResult<Vec<OpenRecord>>;
    /// Notes that one of them is tried again.
    async fn tried_again(&self, record: &OpenRecord, at: Timestamp) -> PortResult<()>;
}

/// What only people ask the sync log.
#[async_trait]
pub trait SyncLog: Send + Sync {
    /// An entry by its name, with its payload.
    async fn entry(&self, id: Uuid) -> PortResult<Option<Entry>>;
    /// At most so many runs that wrote into it, newest first.
    async fn runs(&self, since: Timestamp, until: Timestamp, limit: usize) -> PortResult<Vec<RunSummary>>;
    /// What was counted on each of the days from the first to the last, UTC.
    async fn tallies(&self, first: Date, last: Date) -> PortResult<BTreeMap<Date, Tally>>;
}

/// The event bus, for what cosell tells others.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Puts events on the bus, or says that it could not; some may then be there already.
    async fn publish(&self, events: &[Event]) -> PortResult<()>;
}

/// A message that goes on a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its body.
    pub body: String,
    /// For FIFO queues: messages of a group stay in order.
    pub group: Option<String>,
}

/// A queue to put messages on.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Sends all messages, or says that it could not; some may then be there already.
    async fn send(&self, messages: &[Message]) -> PortResult<()>;
}

/// The queue that a function is fed from, seen from the function: for what the platform does not do by itself.
#[async_trait]
pub trait Letters: Send + Sync {
    /// Makes a message come back after `delay` instead of the queue's own time-out.
    async fn delay(&self, receipt: &str, delay: Duration) -> PortResult<()>;
    /// Puts a message on the dead-letter queue with its cause. The caller acknowledges it afterwards.
    async fn park(&self, body: &str, group: Option<&str>, attributes: &BTreeMap<String, String>) -> PortResult<()>;
}

/// A message on a dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The queue's identifier of it.
    pub id: String,
    /// What it is deleted with.
    #[serde(skip)]
    pub receipt: String,
    /// Its body, as it came.
    pub body: String,
    /// Its FIFO group.
    pub group: Option<String>,
    /// Its text attributes.
    pub attributes: BTreeMap<String, String>,
    /// When it was sent; where a standard queue gave it up, to that queue.
    pub sent_at: Option<Timestamp>,
    /// The ARN of the queue that gave it up, if one did.
    pub redriven_from: Option<String>,
}

/// A dead-letter queue and the queue that its messages came from.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// What to call it.
    fn name(&self) -> &str;
    /// Whether its messages came from a queue that they can go back to.
    fn returns(&self) -> bool;
    /// Takes up to ten messages; they stay invisible to others until released or forgotten. Of a FIFO group none is given
    /// while others of it are taken.
    async fn receive(&self) -> PortResult<Vec<DeadLetter>>;
    /// Puts a message on the queue that the letters came from. A FIFO queue drops a second one with the same token that
    /// comes within five minutes.
    async fn send_back(&self, message: &Message, attributes: &BTreeMap<String, String>, token: &str) -> PortResult<()>;
    /// Removes a message that is safely elsewhere.
    async fn delete(&self, letter: &DeadLetter) -> PortResult<()>;
    /// Leaves a message where it is, visible again.
    async fn release(&self, letter: &DeadLetter) -> PortResult<()>;
}

/// A file on AWS's side of the exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AceFile {
    /// Its whole key, folder included.
    pub key: String,
    /// What changes when its content does (the entity tag, without quotes).
    pub version: String,
}

/// AWS's bucket of the file exchange.
#[async_trait]
pub trait AceBucket: Send + Sync {
    /// The files under a folder.
    async fn list(&self, folder: &str) -> PortResult<Vec<AceFile>>;
    /// A file's content.
    async fn get(&self, file: &AceFile) -> PortResult<Vec<u8>>;
    /// Puts a file where AWS looks for it.
    async fn put(&self, key: &str, content: Vec<u8>) -> PortResult<()>;
    /// Removes a file.
    async fn delete(&self, key: &str) -> PortResult<()>;
}

/// Our own bucket.
#[async_trait]
pub trait Files: Send + Sync {
    /// The keys that begin with this.
    async fn list(&self, prefix: &str) -> PortResult<Vec<String>>;
    /// Stores a file.
    async fn put(&self, key: &str, content: Vec<u8>) -> PortResult<()>;
    /// A file's content; [`PortError::NotFound`] when it is gone.
    async fn get(&self, key: &str) -> PortResult<Vec<u8>>;
    /// Removes a file.
    async fn delete(&self, key: &str) -> PortResult<()>;
}
