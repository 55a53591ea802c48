//! Finds what changed in the CRM and puts one message a record on the queue to AWS.

use cosell_mapping::{CrmValue, Mapping, ObjectMapping};
use cosell_model::Kind;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    CrmRef, SyncError,
    ports::{Crm, CrmRecord, Ledger, Message, Queue},
};

/// How many records one request to the CRM asks for.
const PAGE: usize = 500;

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

/// What a run found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Pushed {
    /// Records that changed.
    pub changed: usize,
    /// Records that were put on the queue.
    pub queued: usize,
    /// Whether there is more for the next run.
    pub unfinished: bool,
}

impl Push {
    /// Goes through the changes, page by page, until there are none or `go_on` says stop. The cursor is stored after
    /// each page: a run that dies repeats one page at most.
    pub async fn run(&self, go_on: impl Fn() -> bool) -> Result<Pushed, SyncError> {
        let mut pushed = Pushed::default();
        let answered = |object: &&ObjectMapping| object.kind == Kind::Opportunity || object.referral.is_some();
        for object in self.mapping.objects().filter(answered) {
            self.object(object, &go_on, &mut pushed).await?;
        }
        Ok(pushed)
    }

    async fn object(
        &self,
        object: &ObjectMapping,
        go_on: impl Fn() -> bool,
        pushed: &mut Pushed,
    ) -> Result<(), SyncError> {
        let name = format!("push:{}", object.object);
        let mut cursor = self.ledger.cursor(&name).await?;
        loop {
            let changes = self.crm.changed_since(&object.object, cursor.as_deref(), &object.crm_fields(), PAGE).await?;
            let messages = changes
                .records
                .iter()
                .filter(|record| concerns_aws(object, record))
                .map(|record| message(object, record))
                .collect::<Result<Vec<_>, _>>()?;
            self.queue.send(&messages).await?;
            pushed.changed += changes.records.len();
            pushed.queued += messages.len();
            if cursor.as_ref() != Some(&changes.cursor) {
                self.ledger.set_cursor(&name, &changes.cursor).await?;
            }
            if changes.caught_up {
                return Ok(());
            }
            if !go_on() {
                pushed.unfinished = true;
                return Ok(());
            }
            cursor = Some(changes.cursor);
        }
    }
}

/// Whether a record is shared, is to be shared, or is a referral. Leads of files have nobody who waits for an answer.
fn concerns_aws(object: &ObjectMapping, record: &CrmRecord) -> bool {
    let filled = |name: &str| !matches!(record.fields.get(name), None | Some(CrmValue::Null));
    let known = (object.kind == Kind::Opportunity && filled(&object.ace_id))
        || object.wants_share(&record.fields)
        || object.referral.as_ref().is_some_and(|fields| filled(&fields.invitation_id));
    known && object.in_scope(&record.fields)
}

fn unwritable(cause: serde_json::Error) -> SyncError {
    SyncError::Body { expected: "writable as JSON", cause }
}

/// The message that brings AWS in step with a record of the CRM.
pub(crate) fn message(object: &ObjectMapping, record: &CrmRecord) -> Result<Message, SyncError> {
    let changed = Changed {
        record: CrmRef { object: object.object.clone(), id: record.id.clone() },
        modified_at: record.modified_at.clone(),
        content: Uuid::new_v5(&Uuid::NAMESPACE_OID, &serde_json::to_vec(&record.fields).map_err(unwritable)?)
            .to_string(),
    };
    let body = serde_json::to_string(&changed).map_err(unwritable)?;
    Ok(Message { body, group: Some(record.id.clone()) })
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
        let message = |step| message(&object, &edited(step)).unwrap();
        assert_ne!(message("Call"), message("Meet"));
        assert_eq!(message("Call"), message("Call"), "a repetition is dropped by the queue");
        assert_eq!(message("Call").group.as_deref(), Some("006A"));
        assert!(!message("Call").body.contains("Call"), "no value travels with the ring");
    }
}
