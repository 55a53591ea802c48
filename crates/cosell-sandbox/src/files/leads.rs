//! Leads: AWS makes them, the partner answers and works on them by file.

use std::collections::{BTreeMap, HashMap};

use cosell_model::{Field, Kind, Record, Value};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json, json};

use super::fields::{self, Author, MASK, Said, drop_same, field};
use crate::partner_central::text;

/// The leads of the partner.
pub struct Leads {
    /// By id.
    pub known: BTreeMap<String, Lead>,
    next: u64,
    last: Timestamp,
}

/// A lead.
#[derive(Debug, Clone)]
pub struct Lead {
    /// `L…`
    pub id: String,
    /// What is known of it, unmasked.
    pub record: Record,
    /// When it was made.
    pub created: Timestamp,
    /// When it changed last.
    pub modified: Timestamp,
    /// When it was exported last, by its last change.
    pub exported: Option<Timestamp>,
    by: &'static str,
}

/// What every record of a file must have.
const MANDATORY: [&str; 4] = ["status", "currentLeadStage", "partnerCrmLeadId", "apnCrmUniqueIdentifier"];
/// What is hidden until the lead is accepted.
const HIDDEN: [&str; 10] =
    ["title", "streetAddress", "state", "postalCode", "phone", "fullName", "email", "country", "company", "city"];

impl Leads {
    /// No leads; `seed` keeps the identifiers of two runs apart.
    pub fn new(seed: u64) -> Self {
        Self {
            known: BTreeMap::new(),
            next: seed.wrapping_mul(1000) % 1_000_000_000 + 1_000_000,
            last: Timestamp::UNIX_EPOCH,
        }
    }

    fn stamp(&mut self, now: Timestamp) -> Timestamp {
        self.last = now.max(self.last + SignedDuration::from_millis(1));
        self.last
    }

    /// AWS has new leads for the partner: `count` of them, numbered when there are several.
    pub fn make(
        &mut self,
        members: &Map<String, Json>,
        count: Option<u64>,
        now: Timestamp,
    ) -> Result<Vec<String>, Vec<String>> {
        let mut whole = sample();
        text::merge(&mut whole, members);
        let record = by_aws(&whole)?;
        let company = record.text("company").unwrap_or_default().to_owned();
        let mut ids = Vec::new();
        for number in 1..=count.unwrap_or(1) {
            self.next += 1;
            let stamp = self.stamp(now);
            let id = format!("L{}", self.next);
            let mut record = record.clone();
            if count.is_some() {
                record.set(field(Kind::Lead, "company"), fields::text(format!("{company} {number}")));
            }
            let lead = Lead { id: id.clone(), record, created: stamp, modified: stamp, exported: None, by: "AWS" };
            self.known.insert(id.clone(), lead);
            ids.push(id);
        }
        Ok(ids)
    }

    /// AWS's people change a lead; null deletes.
    pub fn edit(&mut self, id: &str, members: &Map<String, Json>, now: Timestamp) -> Result<bool, Vec<String>> {
        let changes = by_aws(members)?;
        Ok(self.change(id, &changes, "AWS", now))
    }

    fn change(&mut self, id: &str, changes: &Record, by: &'static str, now: Timestamp) -> bool {
        let stamp = self.stamp(now);
        let Some(lead) = self.known.get_mut(id) else { return false };
        changes.iter().for_each(|(field, value)| lead.record.set(field, value.clone()));
        (lead.modified, lead.by) = (stamp, by);
        true
    }
}

fn by_aws(members: &Map<String, Json>) -> Result<Record, Vec<String>> {
    let Said { record, mut errors } = fields::read(Kind::Lead, Author::Aws, members);
    let computed =
        ["apnCrmUniqueIdentifier", "createdDate", "lastModifiedDate", "fullName", "leadAge", "lastModifiedBy"];
    let given = record.iter().filter(|(field, _)| computed.contains(&field.key));
    errors.extend(given.map(|(field, _)| format!("{}: cannot be set", field.key)));
    if errors.is_empty() { Ok(record) } else { Err(errors) }
}

fn sample() -> Map<String, Json> {
    let sample = json!({
        "status": "Open",
        "company": "Example Customer",
        "firstName": "Casey",
        "lastName": "Customer",
        "email": "casey@customer.example",
        "phone": "+12065550100",
        "title": "Head of IT",
        "website": "https://customer.example",
        "country": "United States",
        "state": "Washington",
        "city": "Seattle",
        "postalCode": "98101",
        "streetAddress": "1 Example Street",
        "projectDescription": "The customer wants to leave its own data centre within a year.",
        "campaignName": "Example campaign",
        "campaignMemberStatus": "Attended",
        "createdBy": "AWS",
        "leadOwnerEmail": fields::USERS[0].0,
    });
    sample.as_object().cloned().unwrap_or_default()
}

/// Leads by the partner's identifier.
pub fn by_partner(leads: &Leads) -> HashMap<String, String> {
    let partner_id = |lead: &Lead| Some((lead.record.text("partnerCrmLeadId")?.to_owned(), lead.id.clone()));
    leads.known.values().filter_map(partner_id).collect()
}

/// Works one record off, whole or not at all: the lead's id, or every mistake.
pub fn settle(
    leads: &mut Leads,
    said: Said,
    known: &HashMap<String, String>,
    now: Timestamp,
) -> Result<String, Vec<String>> {
    let Said { record: mut said, mut errors } = said;
    let told = |key: &str| said.value(key).is_some_and(|value| *value != Value::Null);
    let named = |key: &&str| errors.iter().any(|error| error.starts_with(&format!("{key}:")));
    let missing: Vec<String> = MANDATORY
        .iter()
        .filter(|key| !told(key) && !named(key))
        .map(|key| format!("{key}: Required field missing"))
        .collect();
    errors.extend(missing);
    let partner_id = said.text("partnerCrmLeadId").map(str::to_owned);
    let holder = partner_id.as_ref().and_then(|partner_id| known.get(partner_id));
    let Some(id) = said.text("apnCrmUniqueIdentifier").map(str::to_owned).or_else(|| holder.cloned()) else {
        return Err(errors);
    };
    let Some(lead) = leads.known.get(&id) else {
        errors.push("apnCrmUniqueIdentifier: Lead not found, partners cannot create leads".to_owned());
        return Err(errors);
    };
    if holder.is_some_and(|holder| *holder != id) {
        errors.push("partnerCrmLeadId: Belongs to another lead".to_owned());
    }
    if said.text("leadOwnerEmail").is_some_and(|email| fields::user(email).is_none()) {
        errors.push("leadOwnerEmail: User not found in Partner Central".to_owned());
    }
    said.remove(field(Kind::Lead, "apnCrmUniqueIdentifier"));
    drop_same(&mut said, &lead.record);
    errors.extend(closed(lead, &said));
    if errors.is_empty() && said.is_empty() {
        errors.push("No new update: the record says what is known already".to_owned());
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    leads.change(&id, &said, "Partner", now);
    Ok(id)
}

/// Before its answer a lead takes little more than that, after a rejection nothing.
fn closed(lead: &Lead, changes: &Record) -> Vec<String> {
    let open = MANDATORY.iter().chain(&["leadStatusReason"]);
    match lead.record.text("currentLeadStage") {
        Some("Accepted") if changes.value("currentLeadStage").is_some() => {
            vec!["currentLeadStage: The lead was answered already".to_owned()]
        }
        Some("Accepted") => Vec::new(),
        Some(_) => vec!["Record is not editable: the lead was rejected".to_owned()],
        None => changes
            .iter()
            .filter(|(field, _)| !open.clone().any(|key| *key == field.key))
            .map(|(field, _)| format!("{}: cannot be changed before the lead is accepted", field.key))
            .collect(),
    }
}

impl Lead {
    /// The lead as an exported file has it.
    pub fn exported_record(&self, now: Timestamp) -> Record {
        let mut record = self.full(now);
        if self.record.text("currentLeadStage") != Some("Accepted") {
            for key in HIDDEN {
                record.set(field(Kind::Lead, key), fields::text(MASK));
            }
        }
        record
    }

    /// The lead with what follows from the rest of it, and a null for what it does not have.
    pub fn full(&self, now: Timestamp) -> Record {
        let mut record = self.record.clone();
        let absent: Vec<&'static Field> =
            Kind::Lead.fields().iter().filter(|field| record.get(field).is_none()).collect();
        for field in absent {
            record.set(field, Value::Null);
        }
        let names: Vec<&str> = ["firstName", "lastName"].iter().filter_map(|key| self.record.text(key)).collect();
        let owner = self.record.text("leadOwnerEmail").and_then(fields::user);
        let days = now.duration_since(self.created).as_hours() / 24;
        for (key, value) in [
            ("apnCrmUniqueIdentifier", Some(self.id.clone())),
            ("fullName", Some(names.join(" ")).filter(|name| !name.is_empty())),
            ("leadOwnerName", owner.map(str::to_owned)),
            ("createdDate", Some(text::millis(self.created))),
            ("lastModifiedDate", Some(text::millis(self.modified))),
            ("lastModifiedBy", Some(self.by.to_owned())),
        ] {
            record.set(field(Kind::Lead, key), value.map_or(Value::Null, Value::Text));
        }
        let age = field(Kind::Lead, "leadAge");
        if let Ok(Some(value)) = Value::parse(age.ty, &json!(days)) {
            record.set(age, value);
        }
        record
    }
}
