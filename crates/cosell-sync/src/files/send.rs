use cosell_mapping::FileExchange;
use cosell_model::{
    Kind, PayloadVersion, Record,
    api::Decoded,
    file::{Contents, FileRecord, MAX_SENT_BYTES},
};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Map;

use super::{Manifest, SENT, Shipped};
use crate::{
    Link, Stage, SyncError,
    log::{Direction, Entry, Purpose, Status},
    ports::{AceBucket, Files, Ledger, PortError, PortResult},
};

/// Records of one file. AWS advises 50 at most; a transaction of the ledger stores a manifest and 49 links with their places.
const RECORDS: usize = 49;
/// What the links of one file may weigh: a transaction takes 4 MB.
const LINK_BYTES: usize = 3 * 1024 * 1024;
/// What stands around the records in a file.
const FRAME_BYTES: usize = 1024;
/// Files of one day, UTC. AWS takes 10,000 in any 24 hours, which two days share.
const FILES_PER_DAY: u32 = 5_000;
/// Links that are read at the same time.
pub(super) const AT_ONCE: usize = 16;

/// Sends what waits, in files.
pub struct Send {
    /// AWS's bucket.
    pub ace: Box<dyn AceBucket>,
    /// Our bucket.
    pub files: Box<dyn Files>,
    /// cosell's memory.
    pub ledger: Box<dyn Ledger>,
    /// What the mapping says of files.
    pub exchange: FileExchange,
    /// AWS's number of the partner.
    pub spms_id: String,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Dispatched {
    /// New files.
    pub files: usize,
    /// Their records.
    pub records: usize,
    /// Files that an earlier run had made and not sent for certain.
    pub repeated: usize,
    /// Files that AWS has not answered in time.
    pub unanswered: usize,
    /// Records for which the time or the day's files were not enough: a later run sends them.
    pub left: usize,
}

/// The cursor that every good run moves.
pub const DISPATCHED: &str = "files:dispatched";

/// A link whose shipment goes, and its record as the file has it.
struct Parcel {
    link: Link,
    record: FileRecord,
    bytes: usize,
    weight: usize,
    alone: bool,
}

impl Send {
    /// Sends what an earlier run could not, says which files AWS does not answer, and then sends everything that waits, until
    /// there is nothing more or `go_on` says stop.
    pub async fn run(&self, go_on: impl Fn() -> bool) -> Result<Dispatched, SyncError> {
        let mut done = Dispatched::default();
        for mut manifest in self.ledger.open_manifests().await? {
            if manifest.sent_at.is_none() {
                self.upload(&mut manifest).await?;
                done.repeated += 1;
            } else if manifest.is_late(self.exchange.answer_hours, (self.now)()) {
                self.miss(&mut manifest).await?;
                done.unanswered += 1;
            }
        }
        metrics::gauge!("files_unanswered").set(u32::try_from(done.unanswered).unwrap_or(u32::MAX));
        for kind in [Kind::Lead, Kind::Opportunity] {
            self.kind(kind, &go_on, &mut done).await?;
        }
        self.ledger.set_cursor(DISPATCHED, &(self.now)().to_string()).await?;
        Ok(done)
    }

    async fn kind(&self, kind: Kind, go_on: impl Fn() -> bool, done: &mut Dispatched) -> Result<(), SyncError> {
        let waiting = self.ledger.waiting(kind).await?;
        if waiting.is_empty() {
            return Ok(());
        }
        self.version_goes_up(kind).await?;
        let mut rest = waiting.len();
        let mut links = stream::iter(waiting).map(|key| async move { self.ledger.link(&key).await }).buffered(AT_ONCE);
        let mut next: Option<Parcel> = None;
        while go_on() {
            let mut parcels: Vec<Parcel> = next.take().into_iter().collect();
            while parcels.len() < RECORDS && !parcels.first().is_some_and(|first| first.alone) {
                let Some(link) = links.try_next().await? else { break };
                let Some(parcel) = link.and_then(|link| self.parcel(kind, link)) else {
                    rest -= 1;
                    continue;
                };
                if !parcels.is_empty() && !fits(&parcels, &parcel) {
                    next = Some(parcel);
                    break;
                }
                parcels.push(parcel);
            }
            if parcels.is_empty() {
                return Ok(());
            }
            if !self.may_send().await? {
                break;
            }
            let count = parcels.len();
            match self.ship(kind, parcels).await {
                Ok(()) => {
                    rest -= count;
                    done.files += 1;
                    done.records += count;
                }
                // One of the records changed at this moment: the next run sends what it is then.
                Err(PortError::Conflict { what }) => tracing::info!(what, "records changed on their way into a file"),
                Err(error) => return Err(error.into()),
            }
        }
        done.left += rest;
        Ok(())
    }

    /// AWS takes an older payload never again: whoever would send one is told before the first file.
    async fn version_goes_up(&self, kind: Kind) -> Result<(), SyncError> {
        let name = format!("files:payload:{}", kind.as_str());
        let version = self.exchange.payload;
        let last = self.ledger.cursor(&name).await?.and_then(|last| last.parse::<PayloadVersion>().ok());
        if let Some(last) = last.filter(|last| !version.may_follow(*last)) {
            let what = format!("sending payload {version} after {last} (set `payload` under `[files]` back to {last})");
            return Err(PortError::Unauthorized { what, cause: None }.into());
        }
        if last != Some(version) {
            self.ledger.set_cursor(&name, version.as_str()).await?;
        }
        Ok(())
    }

    /// Books one file of the day's.
    async fn may_send(&self) -> PortResult<bool> {
        let name = format!("files:sent:{}", (self.now)().strftime("%F"));
        let sent: u32 = self.ledger.cursor(&name).await?.and_then(|count| count.parse().ok()).unwrap_or(0);
        if sent >= FILES_PER_DAY {
            tracing::error!(sent, "the day's files to AWS are used up: the rest goes tomorrow");
            return Ok(false);
        }
        self.ledger.set_cursor(&name, &(sent + 1).to_string()).await?;
        Ok(true)
    }

    /// None for what does not wait any more.
    fn parcel(&self, kind: Kind, link: Link) -> Option<Parcel> {
        let shipment = link.shipment.as_ref().filter(|shipment| shipment.stage == Stage::Waiting)?;
        let record = Record::from_json(kind, &shipment.record)
            .inspect_err(
                |(field, _)| tracing::error!(link = %link.born_as, field, "a record that waits cannot be read"),
            )
            .ok()?;
        let record = FileRecord { decoded: Decoded { record, unread: Vec::new() }, unknown: Map::new() };
        let alone = shipment.alone;
        let bytes = self.content(kind, vec![record.clone()]).len();
        let weight = serde_json::to_vec(&link).map_or(LINK_BYTES, |doc| doc.len());
        Some(Parcel { link, record, bytes, weight, alone })
    }

    fn content(&self, kind: Kind, records: Vec<FileRecord>) -> Vec<u8> {
        let contents = Contents { version: self.exchange.payload, spms_id: self.spms_id.clone(), kind, records };
        // Texts, numbers and lists: nothing in it can fail to be written.
        serde_json::to_vec(&contents).unwrap_or_default()
    }

    /// One file: a copy of it, then its manifest and its links at once, then the file. Cut before the manifest nothing has
    /// happened; cut after it, the next run sends the same file again, whose name AWS takes once.
    async fn ship(&self, kind: Kind, parcels: Vec<Parcel>) -> PortResult<()> {
        let shipped: Vec<Shipped> = parcels.iter().map(|parcel| Shipped::from(&parcel.link)).collect();
        let mut manifest = Manifest::new(kind, self.exchange.payload, shipped, (self.now)());
        let (mut links, records): (Vec<_>, Vec<_>) =
            parcels.into_iter().map(|Parcel { link, record, .. }| (link, record)).unzip();
        let content = self.content(kind, records);
        self.files.put(&format!("{SENT}{}", manifest.key), content).await?;
        for shipment in links.iter_mut().filter_map(|link| link.shipment.as_mut()) {
            shipment.stage = Stage::InFile(manifest.key.clone());
        }
        self.ledger.ship(&mut links, &manifest).await?;
        self.upload(&mut manifest).await
    }

    async fn upload(&self, manifest: &mut Manifest) -> PortResult<()> {
        let content = self.files.get(&format!("{SENT}{}", manifest.key)).await?;
        self.ace.put(&manifest.key, content).await?;
        manifest.sent_at = Some((self.now)());
        self.ledger.set_manifest(manifest).await?;
        let message = format!("{} record(s) sent, payload {}", manifest.records.len(), manifest.version);
        self.ledger.log(&[self.entry(manifest, Status::ApiSuccess, message)]).await
    }

    /// Says once that AWS does not answer a file.
    async fn miss(&self, manifest: &mut Manifest) -> PortResult<()> {
        if manifest.missed {
            return Ok(());
        }
        let hours = self.exchange.answer_hours;
        let message = format!(
            "AWS has not answered the file within {hours} hours: ask AWS, or send its records again with `cosell files resend`"
        );
        self.ledger.log(&[self.entry(manifest, Status::Error, message)]).await?;
        manifest.missed = true;
        self.ledger.set_manifest(manifest).await
    }

    fn entry(&self, manifest: &Manifest, status: Status, message: String) -> Entry {
        let mut entry = Entry::new((self.now)(), Direction::ToAws, Purpose::InboundFile, status, message);
        entry.file = Some(manifest.key.clone());
        entry
    }
}

/// Whether one more goes into the same file.
fn fits(parcels: &[Parcel], more: &Parcel) -> bool {
    let bytes: usize = parcels.iter().map(|parcel| parcel.bytes).sum();
    let weight: usize = parcels.iter().map(|parcel| parcel.weight).sum();
    !more.alone && bytes + more.bytes + FRAME_BYTES <= MAX_SENT_BYTES && weight + more.weight <= LINK_BYTES
}
