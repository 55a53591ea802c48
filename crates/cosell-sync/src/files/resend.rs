use futures::future::try_join_all;
use jiff::Timestamp;

use super::{Manifest, Shipped, look::named};
use crate::{
    Stage, SyncError,
    log::{Direction, Entry, Purpose, Status},
    ports::{Ledger, PortError, PortResult},
};

/// Takes the records of a file that AWS does not answer back to what waits for the next one.
pub struct Resend {
    /// cosell's memory.
    pub ledger: Box<dyn Ledger>,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resent {
    /// Its key in AWS's bucket.
    pub key: String,
    /// Its records that wait for the next file now.
    pub records: Vec<Shipped>,
    /// How many others it had: they are answered, or elsewhere.
    pub others: usize,
}

/// Why nothing of a file goes again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody knows it.
    #[error(
        "no file of cosell's, or one that AWS answered more than 90 days ago: `cosell files list` names those that are open"
    )]
    Unknown,
    /// AWS may not have it at all.
    #[error("it is not sent for certain: the next run of fn-file-send sends it, under the same name")]
    Unsent,
    /// Nothing is open.
    #[error("AWS's answer was settled at {0}: `cosell files show` says what became of its records")]
    Answered(Timestamp),
    /// It was done.
    #[error("its records went back at {0}: `cosell files show` says where they are")]
    Resent(Timestamp),
}

impl Resend {
    /// Puts the records that are still in a file back to what waits, and waits for its answer no more. AWS knows a record by
    /// its identifiers: what it has of it already, it takes for an update. An answer that comes nevertheless finds none of
    /// these records in its file and changes nothing.
    ///
    /// The manifest is closed last: what a run that was cut has left in the file, the next one puts back.
    pub async fn file(&self, name: &str, dry_run: bool) -> Result<Result<Resent, Refusal>, SyncError> {
        let Some(mut manifest) = named(self.ledger.as_ref(), name).await? else { return Ok(Err(Refusal::Unknown)) };
        match (manifest.answered_at, manifest.sent_at) {
            (Some(at), _) if manifest.resent => return Ok(Err(Refusal::Resent(at))),
            (Some(at), _) => return Ok(Err(Refusal::Answered(at))),
            (None, None) => return Ok(Err(Refusal::Unsent)),
            (None, Some(_)) => {}
        }
        let back = manifest.records.iter().map(|shipped| self.record(&manifest, shipped, dry_run));
        let records: Vec<Shipped> = try_join_all(back).await?.into_iter().flatten().collect();
        let others = manifest.records.len() - records.len();
        if !dry_run {
            let message = "AWS has not answered the file: what it had not settled goes again in the next one";
            self.ledger.log(&[self.entry(&manifest, message)]).await?;
            manifest.resent = true;
            manifest.answered_at = Some((self.now)());
            self.ledger.set_manifest(&manifest).await?;
        }
        Ok(Ok(Resent { key: manifest.key, records, others }))
    }

    /// Puts one record back, if it is still in the file.
    async fn record(&self, manifest: &Manifest, shipped: &Shipped, dry_run: bool) -> PortResult<Option<Shipped>> {
        let Some(mut link) = self.ledger.link(&shipped.link).await? else { return Ok(None) };
        let is_claimed = link.is_claimed((self.now)());
        let Some(shipment) = link.shipment.as_mut().filter(|it| it.stage == Stage::InFile(manifest.key.clone())) else {
            return Ok(None);
        };
        if dry_run {
            return Ok(Some(shipped.clone()));
        }
        if is_claimed {
            return Err(PortError::Conflict {
                what: format!("sending {} again, which is being written,", shipped.link),
            });
        }
        shipment.stage = Stage::Waiting;
        self.ledger.save(&mut link).await?;
        let message = "AWS has not answered the file: the record goes again in the next one";
        self.ledger.log(&[self.entry(manifest, message).about(&link)]).await?;
        Ok(Some(shipped.clone()))
    }

    fn entry(&self, manifest: &Manifest, message: &str) -> Entry {
        let now = (self.now)();
        let mut entry = Entry::new(now, Direction::ToAws, Purpose::Command, Status::Partial, message.to_owned());
        entry.file = Some(manifest.key.clone());
        entry
    }
}
