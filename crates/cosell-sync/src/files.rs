//! Files from AWS: fetched from AWS's bucket into our landing bucket, settled record by record, and only then removed
//! at AWS's side.

use cosell_model::{Kind, LeadId, OpportunityId, Record, file, file::FileRecord};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::{
    Converged, Converger, Disposition, Link, LinkKey, SyncError,
    converge::Arrival,
    log::{Direction, Entry, Purpose, Status},
    ports::{AceBucket, AceFile, CrmFields, FileState, Files, Ledger, PortError, Rejection},
};

/// The folders in which AWS leaves files for the partner.
const FOLDERS: [&str; 2] = ["opportunity-outbound/", "lead-outbound/"];

/// Where copies land. The rest of a key is `<folder>/<version>/<name>`.
pub const LANDING: &str = "landing/";

/// Records of one file that are settled at the same time: the CRM's adapter makes one request of what they ask for.
const ABREAST: usize = 200;

fn landing_key(file: &AceFile) -> String {
    let (folder, name) = file.key.rsplit_once('/').unwrap_or(("", &file.key));
    format!("{LANDING}{folder}/{}/{name}", file.version)
}

fn from_landing_key(key: &str) -> Option<AceFile> {
    let (folder, rest) = key.strip_prefix(LANDING)?.split_once('/')?;
    let (version, name) = rest.split_once('/')?;
    Some(AceFile { key: format!("{folder}/{name}"), version: version.to_owned() })
}

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
}

impl Poll {
    /// Looks once. Each version of a file is copied once.
    pub async fn run(&self) -> Result<Polled, SyncError> {
        let mut polled = Polled::default();
        for folder in FOLDERS {
            for file in self.ace.list(folder).await? {
                polled.seen += 1;
                match self.ledger.file(&file.key, &file.version).await? {
                    None => {
                        let content = self.ace.get(&file).await?;
                        self.landing.put(&landing_key(&file), content).await?;
                        self.ledger.set_file(&file.key, &file.version, FileState::Landed).await?;
                        polled.landed += 1;
                    }
                    // The function died between settling and removing.
                    Some(FileState::Settled) => {
                        self.ace.delete(&file.key).await?;
                        polled.removed += 1;
                    }
                    Some(FileState::Landed | FileState::Unusable) => {}
                }
            }
        }
        Ok(polled)
    }
}

/// The part of S3's `Object Created` event that names the file.
#[derive(Debug, Deserialize)]
struct ObjectCreated {
    detail: Detail,
}

#[derive(Debug, Deserialize)]
struct Detail {
    object: Object,
}

#[derive(Debug, Deserialize)]
struct Object {
    key: String,
}

/// Settles landed files.
pub struct Settle {
    /// AWS's bucket.
    pub ace: Box<dyn AceBucket>,
    /// The landing bucket.
    pub landing: Box<dyn Files>,
    /// The way into the CRM.
    pub converger: Converger,
}

impl Settle {
    /// Works off one `Object Created` event, in the body of a queue's message.
    pub async fn event(&self, body: &str) -> Disposition {
        let result = async {
            let event: ObjectCreated = serde_json::from_str(body)
                .map_err(|cause| SyncError::Body { expected: "an S3 `Object Created` event", cause })?;
            self.file(&event.detail.object.key).await
        };
        result.await.into()
    }

    async fn file(&self, key: &str) -> Result<Disposition, SyncError> {
        let ledger = &self.converger.ledger;
        let Some(file) = from_landing_key(key) else {
            return Ok(Disposition::Skip(crate::SkipReason::NotNeeded));
        };
        let content = match self.landing.get(key).await {
            // Settled and removed by an earlier delivery of the same message.
            Err(PortError::NotFound { .. })
                if ledger.file(&file.key, &file.version).await? == Some(FileState::Settled) =>
            {
                return Ok(Disposition::Skip(crate::SkipReason::Unchanged));
            }
            other => other?,
        };
        let contents = match file::read(&content) {
            Ok(contents) => contents,
            Err(cause) => {
                ledger.set_file(&file.key, &file.version, FileState::Unusable).await?;
                let mut entry = self.entry(&file, Status::Error, format!("{cause}: the file stays with AWS"));
                entry.file = Some(file.key.clone());
                ledger.log(&[entry]).await?;
                return Err(SyncError::File { key: file.key, cause });
            }
        };
        let settled: Vec<bool> = stream::iter(contents.records)
            .map(|record| self.record(&file, contents.kind, record))
            .buffered(ABREAST)
            .try_collect()
            .await?;
        let refused = settled.iter().filter(|good| !**good).count();
        ledger.set_file(&file.key, &file.version, FileState::Settled).await?;
        self.ace.delete(&file.key).await?;
        self.landing.delete(key).await?;
        let status = if refused == 0 { Status::Processed } else { Status::Partial };
        let message = format!("{} record(s) settled, {refused} refused", settled.len());
        ledger.log(&[self.entry(&file, status, message)]).await?;
        Ok(Disposition::Done)
    }

    /// Settles one record; `false` when it was refused, which the sync log tells.
    async fn record(&self, file: &AceFile, kind: Kind, record: FileRecord) -> Result<bool, SyncError> {
        let aws = record.decoded.record;
        let Some(key) = key_of(kind, &aws) else {
            let mut entry = self.entry(file, Status::Error, format!("a {} without a usable identifier", kind.as_str()));
            entry.problems = vec![Rejection {
                field: Some("apnCrmUniqueIdentifier".to_owned()),
                code: "REQUIRED_FIELD_MISSING".to_owned(),
                message: "AWS sent no identifier, or one of another form; ask AWS to send the record again".to_owned(),
            }];
            self.converger.ledger.log(&[entry]).await?;
            return Ok(false);
        };
        let link = self.converger.ledger.link(&key).await?.unwrap_or_else(|| Link::new(key));
        let arrival = Arrival {
            aws: &aws,
            link,
            facts: CrmFields::new(),
            purpose: Purpose::OutboundFile,
            file: Some(&file.key),
            read_at: None,
            notices: Vec::new(),
        };
        Ok(self.converger.converge(arrival).await?.1 != Converged::Rejected)
    }

    fn entry(&self, file: &AceFile, status: Status, message: String) -> Entry {
        let now = (self.converger.now)();
        let mut entry = Entry::new(now, Direction::FromAws, Purpose::OutboundFile, status, message);
        entry.file = Some(file.key.clone());
        entry
    }
}

fn key_of(kind: Kind, record: &Record) -> Option<LinkKey> {
    let id = record.text("apnCrmUniqueIdentifier")?;
    match kind {
        Kind::Opportunity => id.parse::<OpportunityId>().ok().map(LinkKey::Opportunity),
        Kind::Lead => id.parse::<LeadId>().ok().map(LinkKey::Lead),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_landing_key_leads_back_to_its_file() {
        for key in ["lead-outbound/a.json", "opportunity-outbound/b c+d.json"] {
            let file = AceFile { key: key.to_owned(), version: "9f-2".to_owned() };
            assert_eq!(from_landing_key(&landing_key(&file)), Some(file));
        }
        assert_eq!(from_landing_key("config/mapping.toml"), None);
        assert_eq!(from_landing_key("landing/short"), None);
    }
}
