//! Corrections: what a person says a side should have said of a record, until that side says something else.
//!
//! The record itself stays as it is on the side that it came from. Whatever reads it from there reads the correction in its
//! place, and goes on as always.

use cosell_mapping::{CrmFields, Mapping, ObjectMapping, Unmappable};
use cosell_model::{
    Catalog, Field, Kind, LeadId, MalformedValue, Record, Value, Wire,
    life_cycle::Standing,
    normalize::normalize,
    validate::{Case, Operation, Problem, validate},
};
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use crate::{
    CrmRef, Link, LinkKey, SyncError,
    again::Again,
    log::{Direction, Entry, Purpose, Status},
    ports::{Ledger, PortError, PortResult, SyncLog},
};

/// What a person put in the place of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// Which way the record goes whose value it is: from AWS, AWS's is corrected; to AWS, the CRM's.
    pub direction: Direction,
    /// A digest of what that side said: the correction holds as long as it says the same.
    pub said: Uuid,
    /// The value.
    pub value: Json,
}

/// A digest of what a side says of a field.
fn digest(said: Option<&Value>) -> Uuid {
    let text = said.map(|value| value.to_json().to_string()).unwrap_or_default();
    Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes())
}

impl Link {
    /// What a side says of a record, as people have corrected it.
    pub(crate) fn corrected(&self, direction: Direction, mut said: Record) -> Record {
        for (key, correction) in &self.corrections {
            if correction.direction == direction
                && let Some(field) = said.kind().field(key)
                && correction.said == digest(said.get(field))
                && let Ok(Some(value)) = Value::parse(field.ty, &correction.value)
            {
                said.set(field, value);
            }
        }
        said
    }

    /// The CRM's record in ACE words, and what of it cannot be turned, as people have corrected it.
    pub(crate) fn ours(&self, object: &ObjectMapping, crm: &CrmFields) -> (Record, Vec<Unmappable>) {
        let (mut said, mut unmappable) = object.to_ace(crm);
        self.without_defaults(object, crm, &mut said);
        if self.corrections.is_empty() {
            return (said, unmappable);
        }
        let mut ours = self.corrected(Direction::ToAws, said);
        normalize(&mut ours, object.wire);
        // What could not be turned is absent: a correction says it.
        unmappable.retain(|problem| ours.value(problem.ace).is_none());
        (ours, unmappable)
    }

    /// A default that fills what AWS had no value for is nobody's word: it is no edit, and no rival of what AWS says later.
    fn without_defaults(&self, object: &ObjectMapping, crm: &CrmFields, said: &mut Record) {
        if matches!(self.born_as, LinkKey::Crm(_)) {
            return;
        }
        let mut defaulted = object.defaulted(crm).peekable();
        if defaulted.peek().is_none() {
            return;
        }
        let base = self.base(object.kind);
        defaulted.filter(|line| base.get(line.ace).is_none()).for_each(|line| said.remove(line.ace));
    }
}

/// Corrects what entries of the sync log are about.
pub struct Correct {
    /// cosell's memory.
    pub ledger: Box<dyn Ledger>,
    /// The entries.
    pub sync_log: Box<dyn SyncLog>,
    /// How records correspond.
    pub mapping: Mapping,
    /// Which world of Partner Central this deployment serves.
    pub catalog: Catalog,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// Why nothing is corrected.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such entry, or not any more.
    #[error("the sync log has no such entry: `cosell log --output json` shows what entries are called")]
    Unknown,
    /// The entry has no payload.
    #[error("the entry is about no record: choose one of a record that was written or refused")]
    NoRecord,
    /// The values are not as they have to be.
    #[error("nothing was stored: {} mistake(s)", .0.len())]
    Mistakes(Vec<Mistake>),
}

/// What is wrong with an edited value; the value itself is not quoted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
#[error("{field}: {message}")]
pub struct Mistake {
    /// The field.
    pub field: String,
    /// What is wrong, and how to mend it.
    pub message: String,
}

/// An entry and its record.
#[derive(Debug)]
pub struct Opened {
    /// The entry.
    pub entry: Entry,
    /// The record as it is read now: with earlier corrections.
    pub record: Record,
    /// As its side said it.
    said: Record,
    link: Link,
}

/// What was corrected.
#[derive(Debug)]
pub struct Corrected {
    /// Fields with another value now.
    pub fields: Vec<&'static str>,
    /// How the record is worked off once more.
    pub again: Option<Again>,
}

impl Correct {
    /// Opens an entry.
    pub async fn open(&self, id: Uuid) -> Result<Result<Opened, Refusal>, SyncError> {
        let Some(entry) = self.sync_log.entry(id).await? else { return Ok(Err(Refusal::Unknown)) };
        let Some(payload) = &entry.payload else { return Ok(Err(Refusal::NoRecord)) };
        let said = payload.record();
        let Some(link) = self.link(&entry, said.kind()).await? else { return Ok(Err(Refusal::NoRecord)) };
        let record = link.corrected(entry.direction, said.clone());
        Ok(Ok(Opened { entry, record, said, link }))
    }

    /// The link of an entry's record; a new one where nobody has stored one yet.
    async fn link(&self, entry: &Entry, kind: Kind) -> PortResult<Option<Link>> {
        let crm = entry.crm_id.as_deref().zip(self.mapping.of(kind));
        let crm = crm.map(|(id, object)| LinkKey::Crm(CrmRef::of(object, id)));
        let id = entry.ace_id.as_deref().unwrap_or_default();
        let aws = [
            id.parse().map(LinkKey::Opportunity).ok(),
            id.parse::<LeadId>().map(LinkKey::Lead).ok(),
            id.parse().map(LinkKey::Invitation).ok(),
            id.parse().map(LinkKey::Engagement).ok(),
        ];
        let keys: Vec<LinkKey> = aws.into_iter().flatten().chain(crm).collect();
        for key in &keys {
            if let Some(link) = self.ledger.link(key).await? {
                return Ok(Some(link));
            }
        }
        Ok(keys.into_iter().next().map(Link::new))
    }

    /// What would be corrected: fields with another value than now.
    pub fn check(&self, opened: &Opened, edited: &Map<String, Json>) -> Result<Vec<&'static str>, Refusal> {
        let (_, changed) = self.checked(opened, edited)?;
        Ok(changed.into_iter().map(|field| field.key).collect())
    }

    /// The edited record, and the fields with another value than now.
    fn checked(&self, opened: &Opened, edited: &Map<String, Json>) -> Result<(Record, Vec<&'static Field>), Refusal> {
        let Opened { entry, record, link, .. } = opened;
        let (edited, mut mistakes) = self.read(record, edited);
        let fields = record.kind().fields().iter();
        let changed: Vec<&'static Field> = fields.filter(|field| edited.get(field) != record.get(field)).collect();
        if entry.direction == Direction::ToAws {
            mistakes.extend(self.refused_by_aws(link, &edited, &changed));
        }
        if mistakes.is_empty() { Ok((edited, changed)) } else { Err(Refusal::Mistakes(mistakes)) }
    }

    /// Takes a record as a person edited it: what differs from the present one is checked, stored, and logged. The caller sends
    /// the record on its way once more.
    pub async fn correct(
        &self,
        opened: Opened,
        edited: &Map<String, Json>,
    ) -> Result<Result<Corrected, Refusal>, SyncError> {
        let (edited, changed) = match self.checked(&opened, edited) {
            Ok(checked) => checked,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Opened { entry, said, mut link, .. } = opened;
        if link.is_claimed((self.now)()) {
            return Err(
                PortError::Conflict { what: format!("correcting {}, which is being written,", link.born_as) }.into()
            );
        }
        for field in &changed {
            // What goes to AWS is logged as it was corrected.
            let known = link.corrections.get(field.key).filter(|known| known.direction == entry.direction);
            let known = known.filter(|known| said.get(field).is_some_and(|said| said.to_json() == known.value));
            let said = known.map_or_else(|| digest(said.get(field)), |known| known.said);
            let value = edited.get(field).unwrap_or(&Value::Null).to_json();
            link.corrections.insert(field.key.to_owned(), Correction { direction: entry.direction, said, value });
        }
        let fields: Vec<&'static str> = changed.iter().map(|field| field.key).collect();
        if !fields.is_empty() {
            self.ledger.save(&mut link).await?;
            let message = "an operator corrected the record".to_owned();
            let now = (self.now)();
            let mut line = Entry::new(now, entry.direction, Purpose::Command, Status::Processed, message).about(&link);
            line.crm_id = line.crm_id.or_else(|| entry.crm_id.clone());
            line.fields = fields.iter().map(|&key| key.to_owned()).collect();
            self.ledger.log(&[line.with(&edited, Vec::new())]).await?;
        }
        let again = Again::of(&entry, &self.mapping, self.catalog, (self.now)())?;
        Ok(Ok(Corrected { fields, again }))
    }

    /// The edited record, and what of it cannot be read. What is not said stays as it was.
    fn read(&self, record: &Record, edited: &Map<String, Json>) -> (Record, Vec<Mistake>) {
        let kind = record.kind();
        let mut read = record.clone();
        let mut mistakes = Vec::new();
        for (key, json) in edited {
            let mistake = |message: &str| Mistake { field: key.clone(), message: message.to_owned() };
            let Some(field) = kind.field(key) else {
                mistakes.push(mistake("ACE has no such field: `cosell fields` lists them"));
                continue;
            };
            match Value::parse(field.ty, json) {
                Ok(value) => match value {
                    Some(value) => read.set(field, value),
                    None => read.set(field, Value::Null),
                },
                Err(MalformedValue { expected, found }) => {
                    mistakes.push(mistake(&format!("write {expected}; this is {found}")));
                    continue;
                }
            }
            if read.get(field) == record.get(field) {
                continue;
            }
            let is_fixed = [kind.partner_id(), "apnCrmUniqueIdentifier", "lastModifiedDate"].contains(&field.key);
            if is_fixed {
                mistakes.push(mistake("says which record it is, or which version: it stays as it was"));
            } else if self
                .mapping
                .of(kind)
                .is_none_or(|object| object.fields.iter().all(|line| line.ace.key != field.key))
            {
                mistakes.push(mistake("the mapping has no line for it: nothing would become of the value"));
            }
        }
        (read, mistakes)
    }

    /// What AWS would refuse of the values that changed.
    fn refused_by_aws(&self, link: &Link, edited: &Record, changed: &[&'static Field]) -> Vec<Mistake> {
        let kind = edited.kind();
        let by_file = self.mapping.of(kind).is_some_and(ObjectMapping::goes_by_file) || link.lead().is_some();
        let wire = if by_file { Wire::File(self.mapping.files.payload) } else { Wire::Api };
        let is_new = link.of_kind(kind).is_none();
        let operation = if is_new { Operation::Submit } else { Operation::Update };
        let today = (self.now)().to_zoned(TimeZone::UTC).date();
        let case = Case { operation, wire, standing: Standing::default(), changes: None, today };
        let mut edited = edited.clone();
        normalize(&mut edited, wire);
        let problems = validate(&edited, &case).into_iter();
        let of_change = |problem: &Problem| changed.iter().any(|field| field.key == problem.field);
        let mistake = |Problem { field, message, mend, .. }: Problem| Mistake {
            field: field.to_owned(),
            message: format!("{message}: {mend}"),
        };
        problems.filter(of_change).map(mistake).collect()
    }
}
