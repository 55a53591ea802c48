//! Finds what changed in the CRM, or was deleted there, and puts one message a record on the queue to AWS.

mod recent;

use cosell_mapping::{CrmValue, Mapping, ObjectMapping, Side};
use cosell_model::Kind;
use futures::{StreamExt, TryStreamExt, future, stream};
use jiff::Timestamp;
use recent::Recent;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    CrmRef, Link, LinkKey, SkipReason, SyncError,
    ports::{Changes, Crm, CrmRecord, Ledger, Message, PortResult, Queue},
};

/// How many records one request to the CRM asks for.
const PAGE: usize = 500;
/// Links that are read at the same time.
const AT_ONCE: usize = 16;

/// The message that says: this record of the CRM changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Which record.
    #[serde(flatten)]
    pub record: CrmRef,
    /// When.
    pub modified_at: String,
    /// A digest of the fields. The queue drops a message that says the same as one before; CRMs keep whole seconds, and
    /// two edits of one second must not look the same.
    #[serde(default)]
    pub content: String,
    /// Whether somebody named the record: then what AWS has refused goes once more.
    #[serde(default)]
    pub again: bool,
    /// When AWS was seen to take what it did not take before. The record need not have changed since, and the queue must not
    /// drop the message for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Timestamp>,
}

/// Why a record goes on the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// It changed.
    Changed,
    /// Somebody named it.
    ByHand,
    /// AWS takes now what it did not take before.
    Opened(Timestamp),
}

impl Changed {
    /// Says that a record is to go although it has not changed.
    pub(crate) fn again(object: &ObjectMapping, id: &str, now: Timestamp) -> Self {
        let record = CrmRef::of(object, id);
        Self { record, modified_at: now.to_string(), content: String::new(), again: true, opened_at: Some(now) }
    }

    /// The message that says so.
    pub(crate) fn message(&self) -> Result<Message, SyncError> {
        let body = serde_json::to_string(self).map_err(unwritable)?;
        Ok(Message { body, group: Some(self.record.id.clone()) })
    }

    /// Reads it from a message's body.
    pub(crate) fn read(body: &str) -> Result<Self, SyncError> {
        serde_json::from_str(body).map_err(|cause| SyncError::Body { expected: "a changed CRM record", cause })
    }
}

/// Looks for changes.
pub struct Push {
    /// The CRM.
    pub crm: Box<dyn Crm>,
    /// cosell's memory.
    pub ledger: Box<dyn Ledger>,
    /// The queue to AWS.
    pub queue: Box<dyn Queue>,
    /// How records correspond.
    pub mapping: Mapping,
}

/// What to look for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Request {
    /// Which kinds; none means all.
    pub kinds: Vec<Kind>,
}

/// What a run found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Pushed {
    /// Records that changed.
    pub changed: usize,
    /// Those of which our own write was the last change, and nothing is left for AWS.
    pub own: usize,
    /// Linked records that were deleted.
    pub deleted: usize,
    /// Records that were put on the queue.
    pub queued: usize,
    /// Whether there is more for the next run.
    pub unfinished: bool,
}

/// What a pass looks for.
#[derive(Debug, Clone, Copy)]
enum Sought {
    Changed,
    Deleted,
}

impl Push {
    /// Goes through the changes and deletions, page by page, until there are none or `go_on` says stop. The cursor is
    /// stored after each page: a run that dies repeats one page at most.
    pub async fn run(&self, request: Request, go_on: impl Fn() -> bool) -> Result<Pushed, SyncError> {
        let mut pushed = Pushed::default();
        let wanted = |object: &&ObjectMapping| request.kinds.is_empty() || request.kinds.contains(&object.kind);
        for object in self.mapping.objects().filter(|object| is_pushed(object)).filter(wanted) {
            self.pass(Sought::Changed, object, &go_on, &mut pushed).await?;
            self.pass(Sought::Deleted, object, &go_on, &mut pushed).await?;
        }
        Ok(pushed)
    }

    async fn pass(
        &self,
        sought: Sought,
        object: &ObjectMapping,
        go_on: impl Fn() -> bool,
        pushed: &mut Pushed,
    ) -> Result<(), SyncError> {
        let name = match sought {
            Sought::Changed => cursor(&object.object),
            Sought::Deleted => format!("{}:deleted", cursor(&object.object)),
        };
        let mut cursor = self.ledger.cursor(&name).await?;
        let known = format!("{name}:queued");
        let mut has_sent = false;
        // A deletion is looked up in the ledger instead, each time, until it was said.
        let mut recent = match sought {
            Sought::Changed => Some(Recent::read(self.ledger.cursor(&known).await?.as_deref())),
            Sought::Deleted => None,
        };
        loop {
            let Changes { mut records, cursor: next, caught_up } = self.page(sought, object, cursor.as_deref()).await?;
            match sought {
                Sought::Changed => {
                    pushed.changed += records.len();
                    records.retain(|record| left_out(object, record).is_none());
                    let found = records.len();
                    records = self.others(object, records).await?;
                    pushed.own += found - records.len();
                }
                Sought::Deleted => {
                    records = self.missed(object, records).await?;
                    pushed.deleted += records.len();
                }
            }
            let mut messages = Vec::new();
            for record in &records {
                let message = message(object, record, Why::Changed)?;
                if recent.as_mut().is_none_or(|recent| recent.is_news(&record.modified_at, &message)) {
                    messages.push(message);
                }
            }
            self.queue.send(&messages).await?;
            pushed.queued += messages.len();
            has_sent |= !messages.is_empty();
            if cursor.as_ref() != Some(&next) {
                self.ledger.set_cursor(&name, &next).await?;
            }
            if !caught_up && go_on() {
                cursor = Some(next);
                continue;
            }
            pushed.unfinished |= !caught_up;
            if let Some(recent) = recent.filter(|_| has_sent) {
                self.ledger.set_cursor(&known, &recent.text()).await?;
            }
            return Ok(());
        }
    }

    async fn page(&self, sought: Sought, object: &ObjectMapping, cursor: Option<&str>) -> PortResult<Changes> {
        match sought {
            Sought::Changed => self.crm.changed_since(&object.object, cursor, &object.crm_fields(), PAGE).await,
            Sought::Deleted => self.crm.deleted_since(&object.object, cursor, PAGE).await,
        }
    }

    /// Without the records that only we have written: what a person changed besides differs from what both sides said when
    /// they last agreed.
    async fn others(&self, object: &ObjectMapping, records: Vec<CrmRecord>) -> PortResult<Vec<CrmRecord>> {
        let look = |record: CrmRecord| async move {
            if record.by_self != Some(true) {
                return Ok(Some(record));
            }
            let key = LinkKey::Crm(CrmRef::of(object, &record.id));
            let link = self.ledger.link(&key).await?;
            Ok(Some(record).filter(|record| !link.is_some_and(|link| is_told(object, &link, record))))
        };
        stream::iter(records).map(look).buffered(AT_ONCE).try_filter_map(future::ok).try_collect().await
    }

    /// The deleted records that were linked, and of which it was not said yet that they are gone.
    async fn missed(&self, object: &ObjectMapping, records: Vec<CrmRecord>) -> PortResult<Vec<CrmRecord>> {
        let mut missed = Vec::new();
        for record in records {
            let named = CrmRef::of(object, &record.id);
            let link = self.ledger.link(&LinkKey::Crm(named.clone())).await?;
            if link.is_some_and(|link| link.misses(&named)) {
                missed.push(record);
            }
        }
        Ok(missed)
    }
}

/// The cursor of the search for changed records of an object. It is moved by every run that finds its way.
pub fn cursor(object: &str) -> String {
    format!("push:{object}")
}

/// Whether changes of an object's records go to AWS.
pub(crate) fn is_pushed(object: &ObjectMapping) -> bool {
    let sends = || object.fields.iter().any(|line| line.direction.sends());
    object.kind == Kind::Opportunity || object.referral.is_some() || sends()
}

/// Why a record is not AWS's business; none if it is shared, is to be shared, or is a referral.
pub(crate) fn left_out(object: &ObjectMapping, record: &CrmRecord) -> Option<SkipReason> {
    if !object.in_scope(&record.fields) {
        return Some(SkipReason::OutOfScope);
    }
    let filled = |name: &str| !matches!(record.fields.get(name), None | Some(CrmValue::Null));
    let known = filled(&object.ace_id)
        || object.wants_share(&record.fields)
        || object.referral.as_ref().is_some_and(|fields| filled(&fields.invitation_id));
    (!known).then_some(SkipReason::NotShared)
}

/// Whether AWS has heard everything that a record says.
fn is_told(object: &ObjectMapping, link: &Link, record: &CrmRecord) -> bool {
    let is_whole = link.of_kind(object.kind).is_some() || link.engagement().is_some();
    let is_converted = object.converted(&record.fields).is_some();
    let is_under_way = link.share.as_ref().is_some_and(|share| !share.submitted) || link.is_shipping();
    let asks = link.is_pending() || link.unlinked || link.ticked(object, &record.fields) != link.tick;
    if !is_whole || is_converted || is_under_way || asks {
        return false;
    }
    let (ours, unmappable) = link.ours(object, &record.fields);
    let aws = link.at_aws(object.kind);
    unmappable.is_empty() && link.edits(object, &aws, &ours).won_by(Side::Crm).next().is_none()
}

fn unwritable(cause: serde_json::Error) -> SyncError {
    SyncError::Body { expected: "writable as JSON", cause }
}

/// The message that brings AWS in step with a record of the CRM.
pub(crate) fn message(object: &ObjectMapping, record: &CrmRecord, why: Why) -> Result<Message, SyncError> {
    let changed = Changed {
        record: CrmRef::of(object, &record.id),
        modified_at: record.modified_at.clone(),
        content: Uuid::new_v5(&Uuid::NAMESPACE_OID, &serde_json::to_vec(&record.fields).map_err(unwritable)?)
            .to_string(),
        again: why == Why::ByHand,
        opened_at: if let Why::Opened(at) = why { Some(at) } else { None },
    };
    changed.message()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_edits_of_one_second_are_two_messages() {
        let text = include_str!("../../cosell-mapping/presets/salesforce.toml");
        let object = Mapping::parse(text).unwrap().opportunity;
        let edited = |step: &str| CrmRecord {
            id: "006A".into(),
            modified_at: "2026-03-09T02:00:00Z".into(),
            by_self: None,
            fields: [("NextStep".to_owned(), CrmValue::Text(step.to_owned()))].into(),
        };
        let message = |step| message(&object, &edited(step), Why::Changed).unwrap();
        assert_ne!(message("Call"), message("Meet"));
        assert_eq!(message("Call"), message("Call"), "a repetition is dropped by the queue");
        assert_eq!(message("Call").group.as_deref(), Some("006A"));
        assert!(!message("Call").body.contains("Call"), "no value travels with the ring");
        let opened = super::message(&object, &edited("Call"), Why::Opened(Timestamp::UNIX_EPOCH)).unwrap();
        assert_ne!(opened, message("Call"), "an unchanged record goes again when AWS takes it");
    }
}
