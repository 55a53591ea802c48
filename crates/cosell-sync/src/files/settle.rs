use std::{collections::HashMap, fmt::Write};

use cosell_model::{
    Kind, LeadId, OpportunityId, Record,
    file::{self, Contents, FileRecord},
};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;

use super::{ABREAST, answered_by, from_landing_key};
use crate::{
    Converged, Converger, Disposition, Link, LinkKey, SkipReason, SyncError,
    converge::{Arrival, moment},
    log::{Direction, Entry, Purpose, Status},
    ports::{AceBucket, AceFile, CrmFields, FileState, Files, PortError, Rejection},
};

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

/// The key of the file that an `Object Created` event in a message's body is about.
pub(crate) fn landed(body: &str) -> Result<String, SyncError> {
    let event: ObjectCreated = serde_json::from_str(body)
        .map_err(|cause| SyncError::Body { expected: "an S3 `Object Created` event", cause })?;
    Ok(event.detail.object.key)
}

/// Settles landed files.
pub struct Settle {
    /// AWS's bucket.
    pub ace: Box<dyn AceBucket>,
    /// The landing bucket.
    pub landing: Box<dyn Files>,
    /// The way into the CRM.
    pub converger: Converger,
    /// AWS's number of the partner: another partner's file is not ours to read.
    pub spms_id: String,
}

/// How a file ended, and what the sync log says of it.
pub(super) struct Ended {
    pub(super) status: Status,
    pub(super) message: String,
    pub(super) problems: Vec<Rejection>,
}

/// A record of a file, once its link is known.
enum Looked {
    /// Nothing is to be done with it.
    Ended(Converged),
    /// It goes into the CRM.
    Arrives(Record, Box<Link>),
}

/// How many records of a file ended how.
#[derive(Default)]
struct Tally {
    settled: usize,
    refused: usize,
    left_out: usize,
    superseded: usize,
}

impl Settle {
    /// Works off one `Object Created` event, in the body of a queue's message.
    pub async fn event(&self, body: &str) -> Disposition {
        let result = async { self.landed(&landed(body)?).await };
        result.await.into()
    }

    async fn landed(&self, key: &str) -> Result<Disposition, SyncError> {
        let ledger = &self.converger.ledger;
        let Some(file) = from_landing_key(key) else {
            return Ok(Disposition::Skip(SkipReason::NotNeeded));
        };
        let content = match self.landing.get(key).await {
            // Settled and removed by an earlier delivery of the same message.
            Err(PortError::NotFound { .. })
                if ledger.file(&file.key, &file.version).await? == Some(FileState::Settled) =>
            {
                return Ok(Disposition::Skip(SkipReason::Unchanged));
            }
            other => other?,
        };
        let ended = match answered_by(&file.key) {
            Some(about) => self.answers(&file, &about, &content).await,
            None => self.records(&file, &content).await,
        };
        let (purpose, ended) = match ended {
            Err(SyncError::File { key, cause }) => {
                ledger.set_file(&file.key, &file.version, FileState::Unusable).await?;
                let message = format!("{cause}: the file stays with AWS");
                ledger.log(&[self.entry(&file, Status::Error, message)]).await?;
                return Err(SyncError::File { key, cause });
            }
            other => other?,
        };
        ledger.set_file(&file.key, &file.version, FileState::Settled).await?;
        self.ace.delete(&file.key).await?;
        self.landing.delete(key).await?;
        let mut entry = self.entry(&file, ended.status, ended.message);
        (entry.purpose, entry.problems) = (purpose, ended.problems);
        ledger.log(&[entry]).await?;
        Ok(Disposition::Done)
    }

    /// Settles a file of AWS's records.
    async fn records(&self, file: &AceFile, content: &[u8]) -> Result<(Purpose, Ended), SyncError> {
        let unusable = |cause| SyncError::File { key: file.key.clone(), cause };
        let Contents { version, spms_id, kind, records } = file::read(content).map_err(unusable)?;
        if spms_id != self.spms_id {
            return Err(unusable(file::UnusableFile::Partner));
        }
        let unknown = unknown_fields(&records);
        let (latest, superseded) = latest(kind, records);
        let unread = unread_values(&latest);
        let mut tally = Tally { superseded, ..Tally::default() };
        let mut records = latest.into_iter().map(|record| record.decoded.record);
        loop {
            // All links are read before any record is settled, so that what goes to the CRM goes there together.
            let next: Vec<Record> = records.by_ref().take(ABREAST).collect();
            if next.is_empty() {
                break;
            }
            let looked = stream::iter(next).map(|aws| self.look(file, kind, aws)).buffered(ABREAST);
            let looked: Vec<Looked> = looked.try_collect().await?;
            let mut ends = stream::iter(looked).map(|looked| self.settle(file, looked)).buffered(ABREAST);
            while let Some(end) = ends.try_next().await? {
                match end {
                    Converged::Rejected => tally.refused += 1,
                    Converged::OutOfScope => tally.left_out += 1,
                    Converged::Written | Converged::Unchanged | Converged::Deleted => tally.settled += 1,
                }
            }
        }
        let Tally { settled, refused, left_out, superseded } = tally;
        let status = if refused == 0 { Status::Processed } else { Status::Partial };
        let mut message = format!("payload {version}: {settled} record(s) settled, {refused} refused");
        for (count, what) in [(left_out, "left out"), (superseded, "twice in the file")] {
            if count > 0 {
                let _ = write!(message, ", {count} {what}");
            }
        }
        let problems = unknown.into_iter().map(|name| Rejection {
            field: Some(name),
            code: "UNKNOWN_FIELD".to_owned(),
            message: "this version of cosell does not know the field: its values were left out".to_owned(),
        });
        Ok((Purpose::OutboundFile, Ended { status, message, problems: problems.chain(unread).collect() }))
    }

    /// What one record belongs to.
    async fn look(&self, file: &AceFile, kind: Kind, aws: Record) -> Result<Looked, SyncError> {
        let converger = &self.converger;
        let Some(key) = key_of(kind, &aws) else {
            let mut entry = self.entry(file, Status::Error, format!("a {} without a usable identifier", kind.as_str()));
            entry.problems = vec![Rejection {
                field: Some("apnCrmUniqueIdentifier".to_owned()),
                code: "REQUIRED_FIELD_MISSING".to_owned(),
                message: "AWS sent no identifier, or one of another form; ask AWS to send the record again".to_owned(),
            }];
            converger.ledger.log(&[entry]).await?;
            return Ok(Looked::Ended(Converged::Rejected));
        };
        if converger.mapping.of(kind).is_some_and(|object| object.is_dummy(&aws)) {
            return Ok(Looked::Ended(Converged::OutOfScope));
        }
        let carried = aws.text(kind.partner_id());
        let link = match converger.known(kind, &key, carried).await? {
            Some(link) => link,
            None => converger.adopted(kind, key, carried).await?,
        };
        Ok(Looked::Arrives(aws, Box::new(link)))
    }

    async fn settle(&self, file: &AceFile, looked: Looked) -> Result<Converged, SyncError> {
        let (aws, link) = match looked {
            Looked::Ended(end) => return Ok(end),
            Looked::Arrives(aws, link) => (aws, *link),
        };
        let arrival = Arrival {
            aws: &aws,
            link,
            facts: CrmFields::new(),
            purpose: Purpose::OutboundFile,
            file: Some(&file.key),
            read_at: None,
            notices: Vec::new(),
        };
        Ok(self.converger.converge(arrival).await?.1)
    }

    pub(super) fn entry(&self, file: &AceFile, status: Status, message: String) -> Entry {
        let now = (self.converger.now)();
        let mut entry = Entry::new(now, Direction::FromAws, Purpose::OutboundFile, status, message);
        entry.file = Some(file.key.clone());
        entry
    }
}

fn key_of(kind: Kind, record: &Record) -> Option<LinkKey> {
    ace_key(kind, record.text("apnCrmUniqueIdentifier")?)
}

/// The key of a record at AWS, by its identifier in files.
pub(super) fn ace_key(kind: Kind, id: &str) -> Option<LinkKey> {
    match kind {
        Kind::Opportunity => id.parse::<OpportunityId>().ok().map(LinkKey::Opportunity),
        Kind::Lead => id.parse::<LeadId>().ok().map(LinkKey::Lead),
    }
}

/// One of each record of AWS's, the one that changed last, the later in the file of two that changed at once; and how many
/// others there were.
fn latest(kind: Kind, records: Vec<FileRecord>) -> (Vec<FileRecord>, usize) {
    let mut latest: Vec<FileRecord> = Vec::with_capacity(records.len());
    let mut places = HashMap::new();
    let mut superseded = 0;
    for record in records {
        let aws = &record.decoded.record;
        match key_of(kind, aws).map(|key| (places.get(&key).copied(), key)) {
            Some((Some(place), _)) => {
                let known: &mut FileRecord = &mut latest[place];
                let changed = |record: &Record| moment(record.text("lastModifiedDate"));
                if changed(aws) >= changed(&known.decoded.record) {
                    *known = record;
                }
                superseded += 1;
            }
            Some((None, key)) => {
                places.insert(key, latest.len());
                latest.push(record);
            }
            None => latest.push(record),
        }
    }
    (latest, superseded)
}

/// Values that are none of their field's, without the values themselves; a few of many show what is wrong.
fn unread_values(records: &[FileRecord]) -> Vec<Rejection> {
    const SHOWN: usize = 20;
    let unread = records.iter().flat_map(|record| {
        let id = record.decoded.record.text("apnCrmUniqueIdentifier").unwrap_or("a record without identifier");
        record.decoded.unread.iter().map(move |(field, cause)| Rejection {
            field: Some(field.to_string()),
            code: "UNREADABLE".to_owned(),
            message: format!("{id}: {cause}: the value was left out"),
        })
    });
    unread.take(SHOWN).collect()
}

/// Names of fields that the catalog does not know, each once.
fn unknown_fields(records: &[FileRecord]) -> Vec<String> {
    let mut names: Vec<String> = records.iter().flat_map(|record| record.unknown.keys().cloned()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_record_that_is_twice_in_a_file_the_latest_counts() {
        let file = r#"{"version":"2","spmsId":"1","leads":[
            {"apnCrmUniqueIdentifier":"L1","city":"Bonn","lastModifiedDate":"2026-03-09T02:00:00.000Z"},
            {"apnCrmUniqueIdentifier":"L2","city":"Jena"},
            {"apnCrmUniqueIdentifier":"L1","city":"Kiel","lastModifiedDate":"2026-03-09T01:00:00.000Z"},
            {"apnCrmUniqueIdentifier":"L2","city":"Gera","novel":1},
            {"city":"Ulm"}]}"#;
        let records = file::read(file.as_bytes()).unwrap().records;
        assert_eq!(unknown_fields(&records), ["novel"]);
        let (kept, superseded) = latest(Kind::Lead, records);
        let cities: Vec<_> = kept.iter().filter_map(|record| record.decoded.record.text("city")).collect();
        assert_eq!((cities, superseded), (vec!["Bonn", "Gera", "Ulm"], 2));
    }
}
