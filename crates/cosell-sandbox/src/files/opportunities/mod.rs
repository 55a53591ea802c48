//! Records of opportunity files: the same store and the same checks as the API's, in the files' words.

mod parts;
mod words;

use std::collections::{BTreeMap, HashMap};

use cosell_model::catalog::Write;
use cosell_model::normalize::{fill_v1_defaults, normalize};
use cosell_model::{Kind, PayloadVersion, Record, Value, Wire, api};
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::fields::{self, Said, drop_same, field};
use crate::partner_central::{Opportunity, operations, text, views};
use crate::world::State;
use parts::{associate, beside_the_body, object, overlay, patch, shape};
use words::{name, worded};

/// What became of a record: the opportunity's id, or every mistake.
type Settled<T = String> = Result<T, Vec<String>>;

/// What files say of an opportunity and the API does not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Side {
    /// Values of fields that only files have, by key.
    own: BTreeMap<&'static str, String>,
    /// What AWS did to records of payload 1.0, until it is told.
    pub v1_changes: Vec<String>,
    /// A referral that is answered by file.
    pub referral: Option<Referral>,
}

impl Side {
    /// What is new about a referral.
    pub fn of(referral: Referral) -> Self {
        Self { referral: Some(referral), ..Self::default() }
    }
}

/// A referral of AWS in the files.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Referral {
    /// Until when it can be answered.
    pub accept_by: Timestamp,
    /// `Accepted` or `Rejected`.
    pub answer: Option<String>,
    /// Why it was rejected.
    pub reason: Option<String>,
}

impl Referral {
    /// A referral that waits for its answer.
    pub fn open(accept_by: Timestamp) -> Self {
        Self { accept_by, answer: None, reason: None }
    }

    /// Its answer; one that nobody gave in time counts as rejected.
    pub fn answer(&self, now: Timestamp) -> Option<&str> {
        self.answer.as_deref().or_else(|| (now >= self.accept_by).then_some("Rejected"))
    }

    /// Whether it shows the customer.
    pub fn accepted(&self) -> bool {
        self.answer.as_deref() == Some("Accepted")
    }
}

const NOT_EDITABLE: &str = "Record is not editable";

/// Opportunities by the partner's identifier; of several the first.
pub fn by_partner(state: &State) -> HashMap<String, String> {
    let mut known = HashMap::new();
    for opportunity in state.partner_central.opportunities.values().filter(|it| exchanged(state, it)) {
        if let Some(partner_id) = text::str_at(&opportunity.body, "PartnerOpportunityIdentifier") {
            known.entry(partner_id.to_owned()).or_insert_with(|| opportunity.id.clone());
        }
    }
    known
}

/// Whether the files know of it: the partner sees it, or it is a referral of the files.
pub fn exchanged(state: &State, opportunity: &Opportunity) -> bool {
    !opportunity.hidden || state.files.sides.get(&opportunity.id).is_some_and(|side| side.referral.is_some())
}

/// Works one record off, whole or not at all.
pub fn settle(
    state: &mut State,
    version: PayloadVersion,
    said: Said,
    known: &HashMap<String, String>,
    now: Timestamp,
) -> Settled {
    let Some(id) = identify(state, &said.record, known)? else {
        return create(state, version, said, now);
    };
    let (before, side) = (state.partner_central.opportunities.get(&id).cloned(), state.files.sides.get(&id).cloned());
    let done = state.ringing(false, |state| update(state, version, &id, said, now));
    match done {
        Ok(detail_types) => {
            for detail_type in detail_types {
                state.ring_opportunity(detail_type, &id, now);
            }
            Ok(id)
        }
        Err(errors) => {
            state.partner_central.opportunities.extend(before.map(|before| (id.clone(), before)));
            match side {
                Some(side) => state.files.sides.insert(id, side),
                None => state.files.sides.remove(&id),
            };
            Err(errors)
        }
    }
}

/// The opportunity that a record is about; none for a new one.
fn identify(state: &State, said: &Record, known: &HashMap<String, String>) -> Settled<Option<String>> {
    let holder = said.text("partnerCrmUniqueIdentifier").and_then(|partner_id| known.get(partner_id));
    let Some(id) = said.text("apnCrmUniqueIdentifier") else {
        if said.text("partnerCrmUniqueIdentifier").is_none() {
            return Err(vec!["partnerCrmUniqueIdentifier: Required field missing".to_owned()]);
        }
        return Ok(holder.cloned());
    };
    let there = state.partner_central.opportunities.get(id).is_some_and(|opportunity| exchanged(state, opportunity));
    if !there {
        return Err(vec!["apnCrmUniqueIdentifier: Opportunity not found".to_owned()]);
    }
    if holder.is_some_and(|holder| holder != id) {
        return Err(vec!["partnerCrmUniqueIdentifier: Belongs to another opportunity".to_owned()]);
    }
    Ok(Some(id.to_owned()))
}

/// An opportunity in ACE words, with what only files say.
pub fn record(state: &State, opportunity: &Opportunity, now: Timestamp) -> Record {
    let get = views::opportunity(state, opportunity);
    let mut record = api::opportunity(&get, Some(&views::summary(state, opportunity))).record;
    let mut set =
        |key, value: Option<String>| record.set(field(Kind::Opportunity, key), value.map_or(Value::Null, Value::Text));
    let owner = opportunity.team.iter().find(|member| member["BusinessTitle"] == "OpportunityOwner");
    let name = |member: &Json| member["Email"].as_str().and_then(fields::user).map(str::to_owned);
    set("opportunityOwnerName", owner.and_then(name));
    let Some(side) = state.files.sides.get(&opportunity.id) else { return record };
    for (key, value) in &side.own {
        set(key, Some(value.clone()));
    }
    set("backwardsCompatibilityChanges", Some(side.v1_changes.join("; ")).filter(|text| !text.is_empty()));
    if let Some(referral) = &side.referral {
        set("partnerAcceptanceStatus", referral.answer(now).map(str::to_owned));
        set("rejectionReason", referral.reason.clone());
        set("acceptBy", Some(text::millis(referral.accept_by)));
    }
    record
}

fn create(state: &mut State, version: PayloadVersion, said: Said, now: Timestamp) -> Settled {
    let Said { record: mut said, mut errors } = said;
    let mut side = Side::default();
    if version == PayloadVersion::V1 {
        for change in fill_v1_defaults(&mut said) {
            let default = change.field.default_in_v1.unwrap_or_default();
            side.v1_changes.push(format!("{} set to {default}", change.field.key));
        }
        // The default solution, Other, is described in words, for which 1.0 has no field.
        said.set(field(Kind::Opportunity, "otherSolutionOffered"), fields::text("Other"));
    }
    if said.value("partnerAcceptanceStatus").is_some_and(|answer| *answer != Value::Null) {
        errors.push("partnerAcceptanceStatus: Only a referral of AWS is accepted or rejected".to_owned());
    }
    normalize(&mut said, Wire::Api);
    errors.extend(unknown(state, &said));
    let mut body = Map::new();
    overlay(&mut body, &patch(&said));
    errors.extend(shape(&body)?);
    if !errors.is_empty() {
        return Err(errors);
    }
    let made = state.ringing(false, |state| {
        let answer = operations::create(state, &body, now).map_err(|error| worded(&error))?;
        let id = answer["Id"].as_str().unwrap_or_default().to_owned();
        let completed = complete(state, &id, &said, side, now).and_then(|()| submit(state, &id, &said, now));
        if completed.is_err() {
            state.partner_central.opportunities.remove(&id);
            state.files.sides.remove(&id);
        }
        completed.map(|()| id)
    });
    let id = made?;
    state.ring_opportunity("Opportunity Created", &id, now);
    state.ring_opportunity("Opportunity Updated", &id, now);
    Ok(id)
}

fn complete(state: &mut State, id: &str, said: &Record, side: Side, now: Timestamp) -> Settled<()> {
    state.files.sides.insert(id.to_owned(), side);
    associate(state, id, said, true, now)?;
    beside_the_body(state, id, said);
    Ok(())
}

fn submit(state: &mut State, id: &str, said: &Record, now: Timestamp) -> Settled<()> {
    let request = object(json!({"Identifier": id, "InvolvementType": api::involvement(said), "Visibility": "Full"}));
    operations::submit(state, &request, now).map(drop).map_err(|error| worded(&error))
}

/// The events that shall ring for it.
fn update(
    state: &mut State,
    version: PayloadVersion,
    id: &str,
    said: Said,
    now: Timestamp,
) -> Settled<Vec<&'static str>> {
    let gone = || vec![NOT_EDITABLE.to_owned()];
    let current = state.partner_central.opportunities.get(id).cloned().ok_or_else(gone)?;
    let referral = state.files.sides.get(id).and_then(|side| side.referral.clone());
    let open = referral.as_ref().is_none_or(Referral::accepted);
    if referral.as_ref().is_some_and(|referral| referral.answer.as_deref() == Some("Rejected"))
        || ["Submitted", "In review", "Rejected"].contains(&current.review_status())
    {
        return Err(vec![format!("{NOT_EDITABLE}: its status is {}", status(&current, referral.as_ref()))]);
    }
    let Said { record: mut said, mut errors } = said;
    for key in ["apnCrmUniqueIdentifier", "partnerCrmUniqueIdentifier"] {
        // What identifies it changes nothing, unless it is said for the first time.
        let first = key == "partnerCrmUniqueIdentifier" && !current.body.contains_key("PartnerOpportunityIdentifier");
        if !first || said.text(key).is_none() {
            said.remove(field(Kind::Opportunity, key));
        }
    }
    let known = record(state, &current, now);
    normalize_changes(&mut said, &known);
    drop_same(&mut said, &known);
    match referral {
        Some(referral) if !open => {
            if !errors.is_empty() {
                return Err(errors);
            }
            return answer(state, version, id, &said, referral, now);
        }
        None if said.value("partnerAcceptanceStatus").is_some() => {
            errors.push("partnerAcceptanceStatus: Only a referral of AWS is accepted or rejected".to_owned());
        }
        Some(_) if said.value("partnerAcceptanceStatus").is_some() => {
            errors.push("partnerAcceptanceStatus: The referral was answered already".to_owned());
        }
        _ => {}
    }
    errors.extend(unknown(state, &said));
    errors.extend(closed(&current, &said));
    if !errors.is_empty() {
        return Err(errors);
    }
    if said.is_empty() {
        return Err(vec!["No new update: the record says what is known already".to_owned()]);
    }
    change(state, id, &said, now)?;
    Ok(vec!["Opportunity Updated"])
}

fn status<'a>(current: &'a Opportunity, referral: Option<&Referral>) -> &'a str {
    if referral.is_some_and(|referral| referral.answer.is_some()) { "Rejected" } else { current.review_status() }
}

/// In the form that the API takes, which for phones depends on the customer's country.
fn normalize_changes(said: &mut Record, known: &Record) {
    let country = field(Kind::Opportunity, "country");
    let named = said.get(country).is_some();
    if let Some(value) = known.get(country).filter(|_| !named) {
        said.set(country, value.clone());
    }
    normalize(said, Wire::Api);
    if !named {
        said.remove(country);
    }
}

/// What a record names and nobody knows.
fn unknown(state: &State, said: &Record) -> Vec<String> {
    let user = said.text("opportunityOwnerEmail").filter(|email| fields::user(email).is_none());
    let lead = said.text("apnCrmLeadUniqueIdentifier").filter(|id| !state.files.leads.known.contains_key(*id));
    let user = user.map(|_| "opportunityOwnerEmail: User not found in Partner Central");
    let lead = lead.map(|_| "apnCrmLeadUniqueIdentifier: Lead not found");
    user.into_iter().chain(lead).map(str::to_owned).collect()
}

/// What is not in the body follows the rule of most fields: open until launched or lost, closed in a review.
fn closed(current: &Opportunity, said: &Record) -> Vec<String> {
    let (status, stage) = (current.review_status(), current.stage());
    let open =
        status == "Pending Submission" || (status == "Approved" && !["Launched", "Closed Lost"].contains(&stage));
    said.iter()
        .filter(|(field, _)| !open && field.write != Write::Body)
        .map(|(field, _)| {
            format!("{}: cannot be changed while the status is {status} and the stage {stage}", name(field))
        })
        .collect()
}

fn change(state: &mut State, id: &str, said: &Record, now: Timestamp) -> Settled<()> {
    associate(state, id, said, true, now)?;
    let first = said.text("partnerCrmUniqueIdentifier").map(str::to_owned);
    // The API closes this member with the review; in the files a referral gets it from the partner after all.
    let mut rest = said.clone();
    rest.remove(field(Kind::Opportunity, "partnerCrmUniqueIdentifier"));
    let patch = patch(&rest);
    if !patch.is_empty() {
        let current = state.partner_central.visible(id).map_err(|error| worded(&error))?;
        let mut body = current.body.clone();
        overlay(&mut body, &patch);
        let modified = text::millis(current.modified);
        let errors = shape(&text::normal_object(&body))?;
        if !errors.is_empty() {
            return Err(errors);
        }
        body.insert("Identifier".to_owned(), json!(id));
        body.insert("LastModifiedDate".to_owned(), json!(modified));
        operations::update(state, &body, now).map_err(|error| worded(&error))?;
    }
    if let (Some(first), Ok(opportunity)) = (first, state.partner_central.visible_mut(id)) {
        opportunity.body.insert("PartnerOpportunityIdentifier".to_owned(), json!(first));
    }
    associate(state, id, said, false, now)?;
    beside_the_body(state, id, said);
    let stamp = state.partner_central.stamp(now);
    if let Ok(opportunity) = state.partner_central.visible_mut(id) {
        opportunity.modified = stamp;
    }
    Ok(())
}

/// The partner answers a referral, and says nothing else until then.
fn answer(
    state: &mut State,
    version: PayloadVersion,
    id: &str,
    said: &Record,
    mut referral: Referral,
    now: Timestamp,
) -> Settled<Vec<&'static str>> {
    if now >= referral.accept_by {
        return Err(vec!["acceptBy: The referral can no longer be answered".to_owned()]);
    }
    let allowed = ["partnerAcceptanceStatus", "rejectionReason", "partnerCrmUniqueIdentifier"];
    let mut errors: Vec<String> = said
        .iter()
        .filter(|(field, _)| !allowed.contains(&field.key))
        .map(|(field, _)| format!("{}: cannot be changed before the referral is accepted", name(field)))
        .collect();
    let answer = said.text("partnerAcceptanceStatus");
    let mut reason = said.text("rejectionReason").map(str::to_owned);
    match answer {
        None => {
            errors.push("partnerAcceptanceStatus: Required field missing, the referral waits for an answer".to_owned());
        }
        Some("Rejected") if reason.is_none() && version == PayloadVersion::V1 => reason = Some("Other".to_owned()),
        Some("Rejected") if reason.is_none() => errors.push("rejectionReason: Required field missing".to_owned()),
        Some("Accepted") if reason.is_some() => errors.push("rejectionReason: Only a rejection has one".to_owned()),
        Some(_) => {}
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    referral.answer = answer.map(str::to_owned);
    referral.reason = reason;
    let accepted = referral.accepted();
    state.files.sides.entry(id.to_owned()).or_default().referral = Some(referral);
    let stamp = state.partner_central.stamp(now);
    if let Some(opportunity) = state.partner_central.opportunities.get_mut(id) {
        opportunity.modified = stamp;
        if let Some(partner_id) = said.text("partnerCrmUniqueIdentifier") {
            opportunity.body.insert("PartnerOpportunityIdentifier".to_owned(), json!(partner_id));
        }
        if accepted {
            opportunity.hidden = false;
            opportunity.share("Co-Sell", "Full");
            opportunity.engage();
        }
    }
    // A rejected referral never was one of the API's.
    Ok(if accepted { vec!["Opportunity Created", "Opportunity Updated"] } else { Vec::new() })
}
