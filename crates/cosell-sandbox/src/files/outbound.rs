//! Exports: what changed at AWS, in files for the partner.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use cosell_model::api::Decoded;
use cosell_model::catalog::postal_code::{self, PostalCodes};
use cosell_model::file::{Contents, FileRecord, MAX_BYTES};
use cosell_model::normalize::normalize;
use cosell_model::{Field, Kind, PayloadVersion, Record, Value, Wire};
use jiff::Timestamp;
use serde_json::Map;

use super::bucket::Bucket;
use super::fields::{self, MASK, field};
use super::{KINDS, opportunities};
use crate::log;
use crate::partner_central::{Opportunity, text};
use crate::world::{State, World};

/// How many records a file has unless somebody says otherwise.
pub const USUAL: usize = 1000;
/// How many records are written before somebody else has a turn.
const AT_ONCE: usize = 50;
/// What a referral hides of its customer until it is accepted.
const HIDDEN: [&str; 10] = [
    "country",
    "state",
    "city",
    "streetAddress",
    "postalCode",
    "customerFirstName",
    "customerLastName",
    "customerEmail",
    "customerPhone",
    "customerTitle",
];
/// What it does not tell until then.
const UNTOLD: [&str; 2] = ["solutionOffered", "otherSolutionOffered"];

/// Exports until the world ends.
pub async fn run(world: Arc<World>, bucket: Bucket, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        if let Err(message) = export(&world, &bucket, USUAL).await {
            log(&message);
        }
    }
}

/// Writes what changed since the last export: the keys of the files.
pub async fn export(world: &World, bucket: &Bucket, records_per_file: usize) -> Result<Vec<String>, String> {
    let mut keys = Vec::new();
    for kind in KINDS {
        let changed = world.with(|state, now| state.changed(kind, now));
        let mut records = Vec::with_capacity(changed.len());
        for ids in changed.chunks(AT_ONCE) {
            records.extend(world.with(|state, now| state.export(kind, ids, now)));
            tokio::task::yield_now().await;
        }
        let (version, spms_id) = world.with(|state, _| (state.files.version(kind), state.settings.spms_id.clone()));
        let written = split(&Contents { version, spms_id, kind, records: Vec::new() }, records, records_per_file)?;
        for content in written {
            let name = world.with(|state, now| state.name(kind, now));
            let folder = format!("{}-outbound", kind.as_str());
            let key = format!("{folder}/{name}");
            let copy = format!("{folder}-archive/{name}");
            let put = tokio::try_join!(bucket.put(&key, content.clone()), bucket.put(&copy, content));
            if put.is_err() {
                world.with(|state, _| state.forget(kind, &changed));
            }
            put?;
            keys.push(key);
        }
    }
    Ok(keys)
}

/// Files of at most so many records and [`MAX_BYTES`].
fn split(empty: &Contents, records: Vec<FileRecord>, records_per_file: usize) -> Result<Vec<Vec<u8>>, String> {
    let bytes = |records: Vec<FileRecord>| {
        serde_json::to_vec(&Contents { records, ..empty.clone() }).map_err(|error| format!("cannot export: {error}"))
    };
    let frame = bytes(Vec::new())?.len();
    let (mut files, mut file, mut size) = (Vec::new(), Vec::new(), frame);
    for record in records {
        // One more for the comma.
        let own = bytes(vec![record.clone()])?.len() - frame + 1;
        if !file.is_empty() && (file.len() >= records_per_file || size + own > MAX_BYTES) {
            files.push(bytes(std::mem::take(&mut file))?);
            size = frame;
        }
        file.push(record);
        size += own;
    }
    if !file.is_empty() {
        files.push(bytes(file)?);
    }
    Ok(files)
}

impl State {
    /// A name that no other file has.
    fn name(&mut self, kind: Kind, now: Timestamp) -> String {
        self.files.exports += 1;
        let (number, chance, stamp) = (self.files.exports, text::random_id(6), now.strftime("%m%d%Y%H%M%S"));
        format!("{}-{number}-{chance}_{stamp}.json", kind.as_str())
    }

    /// What has another content than at its last export, in the order of the changes.
    fn changed(&self, kind: Kind, now: Timestamp) -> Vec<String> {
        let mut found: Vec<(Timestamp, &String)> = match kind {
            Kind::Opportunity if !self.switches.file_exports => Vec::new(),
            Kind::Opportunity => {
                let all = self.partner_central.opportunities.values();
                // What was never submitted AWS does not know.
                let shared =
                    all.filter(|it| opportunities::exchanged(self, it) && it.review_status() != "Pending Submission");
                shared
                    .filter(|it| self.files.exported.get(&it.id) != Some(&self.digest(it, now)))
                    .map(|it| (it.modified, &it.id))
                    .collect()
            }
            Kind::Lead => {
                let all = self.files.leads.known.values();
                all.filter(|lead| lead.exported != Some(lead.modified)).map(|lead| (lead.modified, &lead.id)).collect()
            }
        };
        found.sort_unstable();
        found.into_iter().map(|(_, id)| id.clone()).collect()
    }

    /// Associations and AWS's own view change without the date of the last modification.
    fn digest(&self, opportunity: &Opportunity, now: Timestamp) -> u64 {
        let mut hasher = DefaultHasher::new();
        let Opportunity { modified, origin, body, team, related, summary, hidden, .. } = opportunity;
        (modified, origin, team, related, hidden).hash(&mut hasher);
        for members in [Some(body), summary.as_ref()].into_iter().flatten() {
            members.iter().for_each(|member| member.hash(&mut hasher));
        }
        let side = self.files.sides.get(&opportunity.id);
        side.hash(&mut hasher);
        side.and_then(|side| side.referral.as_ref()?.answer(now)).hash(&mut hasher);
        hasher.finish()
    }

    /// Records for a file, from now on exported.
    fn export(&mut self, kind: Kind, ids: &[String], now: Timestamp) -> Vec<FileRecord> {
        let version = self.files.version(kind);
        let record = |id: &String| {
            let record = match kind {
                Kind::Opportunity => self.export_opportunity(id, now)?,
                Kind::Lead => {
                    let lead = self.files.leads.known.get_mut(id)?;
                    lead.exported = Some(lead.modified);
                    lead.exported_record(now)
                }
            };
            Some(written(record, version))
        };
        ids.iter().filter_map(record).collect()
    }

    fn export_opportunity(&mut self, id: &str, now: Timestamp) -> Option<Record> {
        let opportunity = self.partner_central.opportunities.get(id)?;
        let mut record = opportunities::record(self, opportunity, now);
        let by = if opportunity.origin == "AWS Referral" { "AWS" } else { "Partner" };
        for key in ["createdBy", "lastModifiedBy"] {
            record.set(field(Kind::Opportunity, key), fields::text(by));
        }
        if let Some(side) = self.files.sides.get_mut(id) {
            if side.referral.as_ref().is_some_and(|referral| !referral.accepted()) {
                for key in HIDDEN {
                    record.set(field(Kind::Opportunity, key), fields::text(MASK));
                }
                for key in UNTOLD {
                    record.set(field(Kind::Opportunity, key), Value::Null);
                }
            }
            // Told once.
            side.v1_changes.clear();
        }
        let digest = self.digest(self.partner_central.opportunities.get(id)?, now);
        self.files.exported.insert(id.to_owned(), digest);
        Some(record)
    }

    /// The files did not get to the partner.
    fn forget(&mut self, kind: Kind, ids: &[String]) {
        for id in ids {
            self.files.exported.remove(id);
            if let Some(lead) = self.files.leads.known.get_mut(id).filter(|_| kind == Kind::Lead) {
                lead.exported = None;
            }
        }
    }
}

/// A record as files of a version have it: every field, with a null where there is no value.
fn written(mut record: Record, version: PayloadVersion) -> FileRecord {
    normalize(&mut record, Wire::File(version));
    let kind = record.kind();
    for field in kind.fields() {
        if !field.flow.receives() {
            record.remove(field);
        } else if record.get(field).is_none() {
            record.set(field, Value::Null);
        }
    }
    if kind == Kind::Opportunity {
        in_words_of_the_files(&mut record, version);
    }
    FileRecord { decoded: Decoded { record, unread: Vec::new() }, unknown: Map::new() }
}

fn in_words_of_the_files(record: &mut Record, version: PayloadVersion) {
    let set = |record: &mut Record, field: &'static Field, value| {
        if record.get(field) == Some(&Value::Null) {
            record.set(field, value);
        }
    };
    let needs = field(Kind::Opportunity, "partnerPrimaryNeedFromAws");
    if let Some(none) = needs.ty.picklist().and_then(|list| list.none) {
        set(record, needs, Value::List(vec![none.to_owned()]));
    }
    let country = record.text("country").map(str::to_owned);
    let without = country.is_some_and(|country| postal_code::of(&country) == PostalCodes::None);
    if version == PayloadVersion::V1 && without {
        set(record, field(Kind::Opportunity, "postalCode"), fields::text("99999"));
    }
}

#[cfg(test)]
mod tests {
    use cosell_model::file;

    use super::*;

    #[test]
    fn files_have_their_sizes() {
        let empty =
            Contents { version: PayloadVersion::V2, spms_id: "1".into(), kind: Kind::Lead, records: Vec::new() };
        let record = |length: usize| {
            let mut record = Record::new(Kind::Lead);
            record.set(field(Kind::Lead, "projectDescription"), fields::text("x".repeat(length)));
            FileRecord { decoded: Decoded { record, unread: Vec::new() }, unknown: Map::new() }
        };
        let counts = |records: usize, length: usize, most: usize| {
            let files = split(&empty, vec![record(length); records], most).expect("it can be written");
            assert!(files.iter().all(|file| file.len() <= MAX_BYTES));
            files.iter().map(|bytes| file::read(bytes).expect("it can be read").records.len()).collect::<Vec<_>>()
        };
        assert_eq!(counts(0, 1, 10), [0; 0]);
        assert_eq!(counts(25, 1, 10), [10, 10, 5]);
        assert_eq!(counts(200, 32_000, 1000), [163, 37]);
    }
}
