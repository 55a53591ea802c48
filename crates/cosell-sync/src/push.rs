//! Finds what changed in the CRM and puts one message a record on the queue to AWS.

use cosell_mapping::{CrmValue, Mapping, ObjectMapping};
use serde::{Deserialize, Serialize};

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
    /// When; it makes the next change another message to a queue that drops repetitions.
    pub modified_at: String,
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
        let object = &self.mapping.opportunity;
        let name = format!("push:{}", object.object);
        let mut cursor = self.ledger.cursor(&name).await?;
        let mut pushed = Pushed::default();
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
                return Ok(pushed);
            }
            if !go_on() {
                pushed.unfinished = true;
                return Ok(pushed);
            }
            cursor = Some(changes.cursor);
        }
    }
}

/// Whether a record is shared, is to be shared, or is a referral.
fn concerns_aws(object: &ObjectMapping, record: &CrmRecord) -> bool {
    let filled = |name: &str| !matches!(record.fields.get(name), None | Some(CrmValue::Null));
    filled(&object.ace_id)
        || object.share.as_ref().is_some_and(|name| record.fields.get(name).is_some_and(CrmValue::is_true))
        || object.referral.as_ref().is_some_and(|fields| filled(&fields.invitation_id))
}

fn message(object: &ObjectMapping, record: &CrmRecord) -> Result<Message, SyncError> {
    let changed = Changed {
        record: CrmRef { object: object.object.clone(), id: record.id.clone() },
        modified_at: record.modified_at.clone(),
    };
    let body = serde_json::to_string(&changed)
        .map_err(|cause| SyncError::Body { expected: "a message to the queue", cause })?;
    Ok(Message { body, group: Some(record.id.clone()) })
}
