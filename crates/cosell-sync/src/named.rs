//! Records of the CRM that somebody names, in an event on the bus or at the command line: they go on the queue to AWS as a
//! scheduled search would put them there, at once.

use cosell_mapping::Mapping;
use futures::future::join_all;
use serde::{Deserialize, de::Error};

use crate::{
    CrmRef, Disposition, SkipReason, SyncError,
    ports::{Crm, CrmKey, Message, Queue},
    push,
};

/// The most records that one event names.
const MOST: usize = 100;

/// Looks at the records that are named.
pub struct Named {
    /// The CRM.
    pub crm: Box<dyn Crm>,
    /// The queue to AWS.
    pub queue: Box<dyn Queue>,
    /// How records correspond.
    pub mapping: Mapping,
    /// Whether a person names them: then what AWS has refused in a file goes once more.
    pub by_hand: bool,
}

/// What becomes of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Planned {
    /// This goes on the queue.
    Goes(Message),
    /// Nothing, for this reason.
    Stays(SkipReason),
}

/// The part of an EventBridge event that names records.
#[derive(Debug, Deserialize)]
struct Event {
    detail: Detail,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Detail {
    Several { records: Vec<CrmRef> },
    One(CrmRef),
}

pub(crate) fn records(body: &str) -> Result<Vec<CrmRef>, SyncError> {
    let unusable = |cause| SyncError::Body { expected: "an event that names records of the CRM", cause };
    let Event { detail } = serde_json::from_str(body).map_err(unusable)?;
    match detail {
        Detail::Several { records } if records.len() > MOST => {
            Err(unusable(serde_json::Error::custom(format_args!("it names more than {MOST}"))))
        }
        Detail::Several { records } => Ok(records),
        Detail::One(record) => Ok(vec![record]),
    }
}

impl Named {
    /// Works off one event. Every record that can go goes; the event ends as the record does that needs it most.
    pub async fn message(&self, body: &str) -> Disposition {
        let records = match records(body) {
            Ok(records) => records,
            Err(error) => return error.into(),
        };
        let mut messages = Vec::new();
        let mut end = Disposition::Skip(SkipReason::NotNeeded);
        for (record, planned) in records.iter().zip(self.plan(&records).await) {
            let (code, own) = match planned {
                Ok(Planned::Goes(message)) => {
                    messages.push(message);
                    ("queued", Disposition::Done)
                }
                Ok(Planned::Stays(reason)) => {
                    said(record, reason);
                    (reason.code(), Disposition::Skip(reason))
                }
                Err(error) => (error.code(), error.into()),
            };
            metrics::counter!("records_named", "outcome" => code).increment(1);
            if weight(&own) >= weight(&end) {
                end = own;
            }
        }
        match self.queue.send(&messages).await {
            Ok(()) => end,
            Err(error) => SyncError::from(error).into(),
        }
    }

    /// What becomes of each record, in the order in which they are named. Nothing is sent.
    pub async fn plan(&self, records: &[CrmRef]) -> Vec<Result<Planned, SyncError>> {
        join_all(records.iter().map(|record| self.look(record))).await
    }

    async fn look(&self, record: &CrmRef) -> Result<Planned, SyncError> {
        let known = self.mapping.object(&record.object).filter(|object| push::is_pushed(object));
        let Some(object) = known else { return Ok(Planned::Stays(SkipReason::UnknownObject)) };
        let found = self.crm.fetch(&object.object, CrmKey::Id(&record.id), &object.crm_fields()).await?;
        let Some(found) = found else { return Ok(Planned::Stays(SkipReason::Deleted)) };
        let why = if self.by_hand { push::Why::ByHand } else { push::Why::Changed };
        Ok(match push::left_out(object, &found) {
            Some(reason) => Planned::Stays(reason),
            None => Planned::Goes(push::message(object, &found, why)?),
        })
    }
}

/// Logs why a record stays. What names an object that is none of ours may hold anything: it is not repeated.
fn said(record: &CrmRef, reason: SkipReason) {
    let record = (reason != SkipReason::UnknownObject).then(|| record.to_string());
    tracing::info!(record, reason = reason.code(), "a record that was named does not go to AWS");
}

/// Which of several ends an event has: a retry sends again what went already, which changes nothing.
fn weight(end: &Disposition) -> u8 {
    match end {
        Disposition::Skip(_) => 0,
        Disposition::Done => 1,
        Disposition::Park(_) => 2,
        Disposition::Retry(_) => 3,
    }
}
