//! Files of the partner: taken or refused as a whole, worked off record by record, answered with a result file.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cosell_model::{Kind, PayloadVersion, api};
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json, json};

use super::bucket::{Bucket, Lying};
use super::fields::{self, Author};
use super::{Exchange, KINDS, Met, leads, opportunities};
use crate::log;
use crate::partner_central::text;
use crate::world::{State, World};

/// How often AWS looks for files.
const PAUSE: Duration = Duration::from_millis(250);
/// The largest file that is taken, in bytes.
const MOST_BYTES: usize = 1 << 20;
/// The most records that one file has.
const MOST_RECORDS: usize = 500;
/// The most files that are taken in 24 hours.
const MOST_FILES: usize = 10_000;
/// How many records are worked off before somebody else has a turn.
const AT_ONCE: usize = 25;

/// A record of a file, as it came.
type Members = Map<String, Json>;

/// A file that was taken.
#[derive(Debug)]
struct Taken {
    version: PayloadVersion,
    records: Vec<Members>,
}

/// What became of one record.
#[derive(Debug, Default)]
pub struct Outcome {
    partner_id: Option<String>,
    aws_id: Option<String>,
    errors: Vec<String>,
}

impl Outcome {
    /// As result files have it.
    pub fn to_json(&self) -> Json {
        json!({
            "warnings": null,
            "partnerCrmUniqueIdentifier": self.partner_id,
            "isSuccess": self.errors.is_empty(),
            "errors": if self.errors.is_empty() { Json::Null } else { json!(self.errors) },
            "apnCrmUniqueIdentifier": self.aws_id,
        })
    }
}

/// Works files off until the world ends.
pub async fn run(world: Arc<World>, bucket: Bucket) {
    let mut said = String::new();
    loop {
        tokio::time::sleep(PAUSE).await;
        match round(&world, &bucket).await {
            Ok(()) => said.clear(),
            // While the bucket is away the reason is the same again and again.
            Err(message) if message == said => {}
            Err(message) => {
                log(&message);
                said = message;
            }
        }
    }
}

async fn round(world: &World, bucket: &Bucket) -> Result<(), String> {
    release(world, bucket).await?;
    let mut lying: Vec<(Lying, Kind)> = Vec::new();
    for kind in KINDS {
        let folder = format!("{}-inbound/", kind.as_str());
        lying.extend(bucket.list(&folder).await?.into_iter().map(|file| (file, kind)));
    }
    lying.sort();
    for (file, kind) in lying {
        meet(world, bucket, &file, kind).await?;
        release(world, bucket).await?;
    }
    Ok(())
}

/// Puts the results into the bucket, unless they are held back.
async fn release(world: &World, bucket: &Bucket) -> Result<(), String> {
    let next = || world.with(|state, _| state.files.held.front().filter(|_| state.switches.file_results).cloned());
    while let Some((key, content)) = next() {
        bucket.put(&key, content).await?;
        world.with(|state, _| state.files.held.pop_front());
    }
    Ok(())
}

/// Works a file off and puts it away; its result waits until it is released.
async fn meet(world: &World, bucket: &Bucket, file: &Lying, kind: Kind) -> Result<(), String> {
    let content = bucket.get(&file.key).await?;
    let folder = format!("{}-inbound", kind.as_str());
    let name = file.key.strip_prefix(&format!("{folder}/")).unwrap_or(&file.key).to_owned();
    if world.with(|state, now| state.files.is_new(file, now)) {
        let (result, ending) = match world.with(|state, now| state.take(kind, file, &content, now)) {
            Err(reason) => {
                let result = refusal(&reason);
                world.with(|state, now| state.files.note(&file.key, 0, 0, Some(reason), now));
                (result, ".error.json")
            }
            Ok(taken) => {
                let outcomes = work_off(world, kind, &taken).await;
                let succeeded = outcomes.iter().filter(|outcome| outcome.errors.is_empty()).count();
                world.with(|state, now| state.files.note(&file.key, outcomes.len(), succeeded, None, now));
                (results(&outcomes, succeeded), "_result.json")
            }
        };
        world.with(|state, now| {
            let folder = format!("{folder}-processed-results");
            let (stem, day) = (without_extension(&name), now.strftime("%Y/%m/%d"));
            let content = finished(result, &state.settings.spms_id, &file.key, now);
            for folder in [format!("{folder}-archive/{day}"), folder] {
                state.files.held.push_back((format!("{folder}/{stem}{ending}"), content.clone()));
            }
        });
    }
    bucket.put(&format!("{folder}-archive/{name}"), content).await?;
    bucket.delete(&file.key).await
}

fn without_extension(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

fn refusal(reason: &str) -> Members {
    Map::from_iter([
        ("success".to_owned(), json!("NONE")),
        ("isApiError".to_owned(), json!(true)),
        ("inboundApiResults".to_owned(), Json::Null),
        ("apiErrors".to_owned(), json!([reason])),
    ])
}

fn results(outcomes: &[Outcome], succeeded: usize) -> Members {
    let success = match succeeded {
        0 => "NONE",
        all if all == outcomes.len() => "ALL",
        _ => "PARTIAL",
    };
    Map::from_iter([
        ("success".to_owned(), json!(success)),
        ("isApiError".to_owned(), json!(false)),
        ("inboundApiResults".to_owned(), outcomes.iter().map(Outcome::to_json).collect()),
        ("apiErrors".to_owned(), Json::Null),
    ])
}

fn finished(mut result: Members, spms_id: &str, key: &str, now: Timestamp) -> Vec<u8> {
    result.insert("spmsId".to_owned(), json!(spms_id));
    result.insert("fileName".to_owned(), json!(key));
    result.insert("fileApnProcessedDT".to_owned(), json!(text::millis(now)));
    Json::Object(result).to_string().into_bytes()
}

async fn work_off(world: &World, kind: Kind, taken: &Taken) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(taken.records.len());
    for records in taken.records.chunks(AT_ONCE) {
        outcomes.extend(world.with(|state, now| state.work_off(kind, taken.version, records, now)));
        tokio::task::yield_now().await;
    }
    outcomes
}

impl Exchange {
    /// Whether no file of this name was met before. One that was is only put away, also if it is the same file, which
    /// could not be put away the last time.
    fn is_new(&mut self, file: &Lying, now: Timestamp) -> bool {
        match self.keys.get(&file.key) {
            None => {
                self.keys.insert(file.key.clone(), file.modified);
                return true;
            }
            Some(first) if *first == file.modified => {}
            Some(_) => {
                let reason = "the name was used before, the file is only archived".to_owned();
                self.note(&file.key, 0, 0, Some(reason), now);
            }
        }
        false
    }

    fn note(&mut self, key: &str, records: usize, succeeded: usize, refused: Option<String>, now: Timestamp) {
        let odd_name = is_odd(key);
        self.met.push(Met { key: key.to_owned(), records, succeeded, refused, odd_name, at: now });
    }

    /// The version that files for the partner have.
    pub fn version(&self, kind: Kind) -> PayloadVersion {
        self.highest.get(&kind).copied().unwrap_or(PayloadVersion::V2)
    }

    fn count(&mut self, now: Timestamp) -> Result<(), String> {
        let day = now - SignedDuration::from_hours(24);
        while self.taken.front().is_some_and(|at| *at <= day) {
            self.taken.pop_front();
        }
        if self.taken.len() >= MOST_FILES {
            return Err(format!("more than {MOST_FILES} files in 24 hours"));
        }
        self.taken.push_back(now);
        Ok(())
    }
}

/// The guide recommends `name_MMDDYYYYHHMMSS.json`, by the 24-hour clock.
fn is_odd(key: &str) -> bool {
    let stamp = key.strip_suffix(".json").and_then(|stem| stem.rsplit_once('_')).map(|(_, stamp)| stamp);
    !stamp.is_some_and(|stamp| stamp.len() == 14 && DateTime::strptime("%m%d%Y%H%M%S", stamp).is_ok())
}

impl State {
    /// Takes a file, or says why it is refused as a whole.
    fn take(&mut self, kind: Kind, file: &Lying, content: &[u8], now: Timestamp) -> Result<Taken, String> {
        self.files.count(now)?;
        if file.key.strip_suffix(".json").is_none() {
            return Err("only .json files are taken".to_owned());
        }
        if content.len() > MOST_BYTES {
            return Err(format!("the file has {} bytes, more than the limit of 1 MB ({MOST_BYTES})", content.len()));
        }
        let taken = read(kind, content, &self.settings.spms_id)?;
        let highest = self.files.highest.get(&kind).copied().unwrap_or(taken.version);
        if taken.version < highest {
            return Err(format!("version {} after version {highest} was sent", taken.version));
        }
        self.files.highest.insert(kind, taken.version);
        Ok(taken)
    }

    /// Works some records of one file off, in their order.
    pub fn work_off(
        &mut self,
        kind: Kind,
        version: PayloadVersion,
        records: &[Members],
        now: Timestamp,
    ) -> Vec<Outcome> {
        let mut known: HashMap<String, String> = match kind {
            Kind::Opportunity => opportunities::by_partner(self),
            Kind::Lead => leads::by_partner(&self.files.leads),
        };
        let mut outcomes = Vec::with_capacity(records.len());
        for members in records {
            let said = fields::read(kind, Author::Partner(version), members);
            let own = match kind {
                Kind::Opportunity => "partnerCrmUniqueIdentifier",
                Kind::Lead => "partnerCrmLeadId",
            };
            let named = |name: &str| members.get(name).and_then(Json::as_str).map(str::to_owned);
            let mut outcome =
                Outcome { partner_id: named(own), aws_id: named("apnCrmUniqueIdentifier"), ..Outcome::default() };
            let done = match kind {
                Kind::Opportunity => opportunities::settle(self, version, said, &known, now),
                Kind::Lead => leads::settle(&mut self.files.leads, said, &known, now),
            };
            match done {
                Ok(id) => {
                    if let Some(partner_id) = &outcome.partner_id {
                        known.insert(partner_id.clone(), id.clone());
                    }
                    outcome.aws_id = Some(id);
                }
                Err(errors) => outcome.errors = errors,
            }
            outcomes.push(outcome);
        }
        outcomes
    }
}

fn read(kind: Kind, content: &[u8], spms_id: &str) -> Result<Taken, String> {
    let list = match kind {
        Kind::Opportunity => "opportunities",
        Kind::Lead => "leads",
    };
    let json = api::read(content).map_err(|error| format!("the input is not of type object: {error}"))?;
    let Json::Object(mut file) = json else { return Err("the input is not of type object".to_owned()) };
    let version = match file.shift_remove("version") {
        // 2.0 made it mandatory.
        None => PayloadVersion::V1,
        Some(Json::String(version)) => version.parse().map_err(|error| format!("version: {error}"))?,
        Some(_) => return Err("version is not a text".to_owned()),
    };
    match file.shift_remove("spmsId") {
        Some(Json::String(given)) if given == spms_id => {}
        Some(Json::String(_)) => return Err("spmsId is not the one of this bucket".to_owned()),
        _ => return Err("spmsId is missing or not a text".to_owned()),
    }
    let Some(Json::Array(items)) = file.shift_remove(list) else {
        return Err(format!("{list} is missing or not a list"));
    };
    if let Some(other) = file.keys().next() {
        return Err(format!("{other} is not a member of the file, names are case-sensitive"));
    }
    if items.is_empty() || items.len() > MOST_RECORDS {
        return Err(format!("{list} has {} records, 1 to {MOST_RECORDS} are taken", items.len()));
    }
    let record = |(index, item)| match item {
        Json::Object(members) => Ok(members),
        _ => Err(format!("record {} of {list} is not of type object", index + 1)),
    };
    Ok(Taken { version, records: items.into_iter().enumerate().map(record).collect::<Result<_, _>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::tests::{noon, state};

    fn take(state: &mut State, key: &str, content: &str) -> Result<usize, String> {
        let file = Lying { modified: 0, key: key.to_owned() };
        state.take(Kind::Lead, &file, content.as_bytes(), noon()).map(|taken| taken.records.len())
    }

    #[test]
    fn a_file_is_refused_as_a_whole() {
        let many =
            |count: usize| format!(r#"{{"version":"1","spmsId":"0000000","leads":[{}]}}"#, vec!["{}"; count].join(","));
        for (key, content, expected) in [
            ("a.json", many(1), Ok(1)),
            ("a.json", many(500), Ok(500)),
            ("a.json", many(501), Err("leads has 501 records, 1 to 500 are taken")),
            ("a.json", many(0), Err("leads has 0 records, 1 to 500 are taken")),
            ("a.csv", many(1), Err("only .json files are taken")),
            ("a.json", "[]".to_owned(), Err("the input is not of type object")),
            ("a.json", "{".to_owned(), Err("the input is not of type object: the file is not JSON")),
            (
                "a.json",
                format!("{}{}", many(1), " ".repeat(1 << 20)),
                Err("the file has 1048623 bytes, more than the limit of 1 MB (1048576)"),
            ),
            ("a.json", r#"{"spmsId":"1","leads":[{}]}"#.to_owned(), Err("spmsId is not the one of this bucket")),
            ("a.json", r#"{"spmsId":"0000000","Leads":[{}]}"#.to_owned(), Err("leads is missing or not a list")),
            (
                "a.json",
                r#"{"spmsId":"0000000","leads":[1]}"#.to_owned(),
                Err("record 1 of leads is not of type object"),
            ),
            (
                "a.json",
                r#"{"version":"3.0","spmsId":"0000000","leads":[{}]}"#.to_owned(),
                Err("version: `3.0` is no payload version: there are 1.0 and 2.0"),
            ),
        ] {
            assert_eq!(take(&mut state(), key, &content), expected.map_err(str::to_owned), "{key}");
        }
    }

    #[test]
    fn the_version_never_goes_back() {
        let mut state = state();
        let file = |version: &str| format!(r#"{{"version":"{version}","spmsId":"0000000","leads":[{{}}]}}"#);
        assert_eq!(take(&mut state, "a.json", &file("1")), Ok(1));
        assert_eq!(state.files.version(Kind::Lead), PayloadVersion::V1);
        assert_eq!(take(&mut state, "a.json", &file("2.0")), Ok(1));
        assert_eq!(take(&mut state, "a.json", &file("1.0")), Err("version 1.0 after version 2.0 was sent".to_owned()));
        assert_eq!(state.files.version(Kind::Opportunity), PayloadVersion::V2, "each kind has its own");
    }

    #[test]
    fn a_day_has_its_limit() {
        let mut exchange = Exchange::new(1);
        for _ in 0..MOST_FILES {
            exchange.count(noon()).expect("within the limit");
        }
        assert!(exchange.count(noon()).is_err());
        exchange.count(noon() + SignedDuration::from_hours(24)).expect("a day later");
    }

    #[test]
    fn a_name_is_worked_off_once_and_odd_ones_are_counted() {
        let mut exchange = Exchange::new(1);
        let mut is_new = |modified: i128, key: &str| exchange.is_new(&Lying { modified, key: key.to_owned() }, noon());
        assert!(is_new(1, "lead-inbound/a.json"));
        assert!(is_new(1, "opportunity-inbound/a.json"));
        assert!(!is_new(2, "lead-inbound/a.json"));
        assert!(!is_new(1, "lead-inbound/a.json"), "left behind");
        assert_eq!(exchange.met.len(), 1, "only the second one is news");
        assert!(is_odd("lead-inbound/a.json") && is_odd("lead-inbound/a_13012026120000.json"));
        assert!(!is_odd("lead-inbound/a_03092026235959.json"));
    }
}
