use std::iter::once;

use cosell_mapping::FileExchange;
use cosell_model::Kind;
use futures::{StreamExt, TryStreamExt, future::try_join_all, stream};
use jiff::Timestamp;
use serde::Serialize;

use super::{Manifest, Shipped, folder_to_aws, send::AT_ONCE};
use crate::{
    Link, LinkKey, Stage, SyncError,
    log::{Entry, Of, Query},
    ports::{Ledger, PortResult},
};

/// Looks at what is on its way to AWS in files.
pub struct Look {
    /// cosell's memory.
    pub ledger: Box<dyn Ledger>,
    /// What the mapping says of files.
    pub exchange: FileExchange,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// How far a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Passage {
    /// It is not sent for certain: the next run sends it.
    Made,
    /// AWS has it.
    Sent,
    /// AWS has it, and had time enough to answer.
    Late,
    /// AWS has answered.
    Answered,
    /// Nobody waits for AWS's answer: its records were sent again.
    Resent,
}

/// A file and its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// What is in it.
    pub manifest: Manifest,
    /// How far it is.
    pub passage: Passage,
    /// Its records, in order.
    pub records: Vec<Carried>,
}

/// A record of a file, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// Its link.
    pub link: LinkKey,
    /// The CRM's identifier.
    pub crm_id: Option<String>,
    /// AWS's, if it has one by now.
    pub ace_id: Option<String>,
    /// Where it is now; none where the ledger has lost it.
    pub whereabouts: Option<Whereabouts>,
    /// The last line of its sync log.
    pub last: Option<Entry>,
}

/// Where a record is now that was in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Whereabouts {
    /// In the file still: AWS has not said what it made of it.
    Here,
    /// It waits for the next file.
    Waits,
    /// In this later file.
    In(String),
    /// AWS has answered, to this file or to a later one.
    Answered,
}

impl Look {
    /// How many records of a kind wait for the next file.
    pub async fn waiting(&self, kind: Kind) -> Result<usize, SyncError> {
        Ok(self.ledger.waiting(kind).await?.len())
    }

    /// The records of a kind that wait for the next file.
    pub async fn waiting_records(&self, kind: Kind) -> Result<Vec<Link>, SyncError> {
        let keys = self.ledger.waiting(kind).await?;
        let links = stream::iter(keys).map(|key| async move { self.ledger.link(&key).await }).buffered(AT_ONCE);
        Ok(links.try_filter_map(async |link| Ok(link)).try_collect().await?)
    }

    /// The files that AWS has not answered, the oldest first.
    pub async fn unanswered(&self) -> Result<Vec<(Manifest, Passage)>, SyncError> {
        let mut open = self.ledger.open_manifests().await?;
        open.sort_by_key(|manifest| manifest.made_at);
        let with_progress = open.into_iter().map(|manifest| {
            let passage = self.passage(&manifest);
            (manifest, passage)
        });
        Ok(with_progress.collect())
    }

    /// A file, by its key in AWS's bucket or by its name alone.
    pub async fn file(&self, name: &str) -> Result<Option<Shown>, SyncError> {
        let Some(manifest) = named(self.ledger.as_ref(), name).await? else { return Ok(None) };
        let records = try_join_all(manifest.records.iter().map(|shipped| self.carried(&manifest, shipped))).await?;
        Ok(Some(Shown { passage: self.passage(&manifest), manifest, records }))
    }

    async fn carried(&self, manifest: &Manifest, shipped: &Shipped) -> PortResult<Carried> {
        let Shipped { link: key, crm_id, ace_id } = shipped.clone();
        let link = self.ledger.link(&key).await?;
        let ace_id = link.as_ref().and_then(Link::ace_id).map(str::to_owned).or(ace_id);
        let last = match crm_id.as_deref().or(ace_id.as_deref()) {
            Some(id) => self.ledger.read_log(&Query::of(Of::Record(id)), 1).await?.into_iter().next(),
            None => None,
        };
        let whereabouts = link.map(|link| match link.shipment.map(|shipment| shipment.stage) {
            Some(Stage::InFile(key)) if key == manifest.key => Whereabouts::Here,
            Some(Stage::InFile(key)) => Whereabouts::In(key),
            Some(Stage::Waiting) => Whereabouts::Waits,
            Some(Stage::Answered | Stage::Refused) | None => Whereabouts::Answered,
        });
        Ok(Carried { link: key, crm_id, ace_id, whereabouts, last })
    }

    fn passage(&self, manifest: &Manifest) -> Passage {
        match (manifest.answered_at, manifest.sent_at) {
            (Some(_), _) if manifest.resent => Passage::Resent,
            (Some(_), _) => Passage::Answered,
            (None, None) => Passage::Made,
            (None, Some(_)) if manifest.is_late(self.exchange.answer_hours, (self.now)()) => Passage::Late,
            (None, Some(_)) => Passage::Sent,
        }
    }
}

/// The manifest of a file, by its key in AWS's bucket or by its name alone.
pub(super) async fn named(ledger: &dyn Ledger, name: &str) -> PortResult<Option<Manifest>> {
    let keys = [Kind::Opportunity, Kind::Lead].map(|kind| format!("{}{name}", folder_to_aws(kind)));
    for key in once(name).chain(keys.iter().map(String::as_str).filter(|_| !name.contains('/'))) {
        if let Some(manifest) = ledger.manifest(key).await? {
            return Ok(Some(manifest));
        }
    }
    Ok(None)
}
