use cosell_mapping::Mapping;
use cosell_model::{
    Catalog, PayloadVersion,
    api::Decoded,
    file::{Contents, FileRecord},
};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::{FOLDERS, folder_from_aws, landing_key};
use crate::{
    SyncError,
    again::Again,
    log::Payload,
    ports::{AceBucket, AceFile, FileState, Files, Ledger, PortError, PortResult, SyncLog},
};

/// Files that are looked at or copied at the same time. Each has up to 5 MB.
const AT_ONCE: usize = 4;
/// The cursor that every good run moves.
pub const POLLED: &str = "files:polled";

/// Copies new files; AWS's bucket tells nobody about them.
pub struct Poll {
    /// AWS's bucket.
    pub ace: Box<dyn AceBucket>,
    /// The landing bucket.
    pub landing: Box<dyn Files>,
    /// cosell's memory.
    pub ledger: Box<dyn Ledger>,
    /// What is known of records that were refused.
    pub sync_log: Box<dyn SyncLog>,
    /// How records correspond, and how what the CRM refused is tried again.
    pub mapping: Mapping,
    /// AWS's number of the partner.
    pub spms_id: String,
    /// Which world of Partner Central this deployment serves.
    pub catalog: Catalog,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// What a poll did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Polled {
    /// Files that are at AWS's side.
    pub seen: usize,
    /// Files that were copied.
    pub landed: usize,
    /// Settled files that were still at AWS's side and are gone now.
    pub removed: usize,
    /// Files of which nobody knows what to make: they stay at AWS's side until somebody looks.
    pub unusable: usize,
    /// Records of earlier files that the CRM had refused and that are tried again.
    pub retried: usize,
    /// Files for which the time was too short: the next run looks at them.
    pub left: usize,
}

/// What was done with one file.
enum Seen {
    Landed,
    Removed,
    Unusable,
    Waiting,
    Left,
}

impl Poll {
    /// Looks once, until there is nothing more or `go_on` says stop. Each version of a file is copied once. One file that
    /// cannot be read or copied holds up no other one; the run fails when all were looked at.
    pub async fn run(&self, go_on: impl Fn() -> bool) -> Result<Polled, SyncError> {
        let (mut polled, mut failed) = (Polled::default(), None);
        for folder in FOLDERS {
            let files = self.ace.list(folder).await?;
            polled.seen += files.len();
            let go_on = &go_on;
            let look = |file| async move { if go_on() { self.file(&file).await } else { Ok(Seen::Left) } };
            let mut seen = stream::iter(files).map(look).buffer_unordered(AT_ONCE);
            while let Some(seen) = seen.next().await {
                match seen {
                    Ok(Seen::Landed) => polled.landed += 1,
                    Ok(Seen::Removed) => polled.removed += 1,
                    Ok(Seen::Unusable) => polled.unusable += 1,
                    Ok(Seen::Left) => polled.left += 1,
                    Ok(Seen::Waiting) => {}
                    Err(error) => failed = Some(error),
                }
            }
        }
        self.again(&go_on, &mut polled).await?;
        metrics::gauge!("files_unusable").set(u32::try_from(polled.unusable).unwrap_or(u32::MAX));
        if let Some(error) = failed {
            return Err(error);
        }
        self.ledger.set_cursor(POLLED, &(self.now)().to_string()).await?;
        Ok(polled)
    }

    /// Lands records once more that the CRM refused, each in a file of its own: AWS sends a record again only after a change.
    async fn again(&self, go_on: impl Fn() -> bool, polled: &mut Polled) -> Result<(), SyncError> {
        let now = (self.now)();
        let open = self.ledger.open_records().await?;
        for record in open.iter().filter(|record| record.is_due(self.mapping.retry, now)) {
            if !go_on() {
                break;
            }
            let Some(entry) = self.sync_log.entry(record.entry).await? else { continue };
            let Some(Again::File(payload)) = Again::of(&entry, &self.mapping, self.catalog, now)? else { continue };
            land_again(self.landing.as_ref(), &self.spms_id, &payload, entry.id).await?;
            self.ledger.tried_again(record, now).await?;
            polled.retried += 1;
        }
        Ok(())
    }

    async fn file(&self, file: &AceFile) -> Result<Seen, SyncError> {
        Ok(match self.ledger.file(&file.key, &file.version).await? {
            None => {
                let content = self.ace.get(file).await?;
                self.landing.put(&landing_key(file), content).await?;
                self.ledger.set_file(&file.key, &file.version, FileState::Landed).await?;
                Seen::Landed
            }
            // The function died between settling and removing.
            Some(FileState::Settled) => {
                self.ace.delete(&file.key).await?;
                Seen::Removed
            }
            Some(FileState::Landed) => Seen::Waiting,
            Some(FileState::Unusable) => Seen::Unusable,
        })
    }
}

/// Puts a record where files of AWS's land, as AWS had sent it, under the name of the entry that tells of it.
pub async fn land_again(landing: &dyn Files, spms_id: &str, payload: &Payload, entry: Uuid) -> PortResult<()> {
    let decoded = Decoded { record: payload.record(), unread: Vec::new() };
    let contents = Contents {
        version: PayloadVersion::V2,
        spms_id: spms_id.to_owned(),
        kind: payload.kind,
        records: vec![FileRecord { decoded, unknown: serde_json::Map::new() }],
    };
    let key = format!("{}cosell-again-{}.json", folder_from_aws(payload.kind), entry.simple());
    let file = AceFile { key, version: Uuid::new_v4().simple().to_string() };
    let what = || format!("writing {}", file.key);
    let content = serde_json::to_vec(&contents)
        .map_err(|cause| PortError::Unavailable { what: what(), cause: Some(cause.into()) })?;
    landing.put(&landing_key(&file), content).await
}
