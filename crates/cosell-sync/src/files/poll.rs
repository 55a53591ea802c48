use futures::{StreamExt, stream};
use serde::Serialize;

use super::{FOLDERS, landing_key};
use crate::{
    SyncError,
    ports::{AceBucket, AceFile, FileState, Files, Ledger},
};

/// Files that are looked at or copied at the same time. Each has up to 5 MB.
const AT_ONCE: usize = 4;

/// Copies new files; AWS's bucket tells nobody about them.
pub struct Poll {
    /// AWS's bucket.
    pub ace: Box<dyn AceBucket>,
    /// The landing bucket.
    pub landing: Box<dyn Files>,
    /// cosell's memory.
    pub ledger: Box<dyn Ledger>,
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
        metrics::gauge!("files_unusable").set(u32::try_from(polled.unusable).unwrap_or(u32::MAX));
        failed.map_or(Ok(polled), Err)
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
