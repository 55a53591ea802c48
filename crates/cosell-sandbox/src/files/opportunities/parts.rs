//! The parts of an opportunity that a record changes: its body, its associations, its people.

use cosell_model::catalog::{Entity, Write};
use cosell_model::{Kind, Record, api};
use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::Settled;
use super::words::{name, sentence, worded};
use crate::files::fields;
use crate::partner_central::table::{TABLE, check};
use crate::partner_central::{operations, text};
use crate::world::State;

/// Adds the associations that are new, or removes those that are gone.
pub fn associate(state: &mut State, id: &str, said: &Record, adds: bool, now: Timestamp) -> Settled<()> {
    for (field, value) in said.iter() {
        let Some(entity) = field.entity() else { continue };
        let wanted: Vec<String> = value.items().iter().map(|item| identifier(entity, item, state)).collect();
        let kind = entity.as_str();
        let present = state.partner_central.visible(id).map_err(|error| worded(&error))?.related(kind).to_vec();
        let (from, without) = if adds { (&wanted, &present) } else { (&present, &wanted) };
        for one in from.iter().filter(|one| !without.contains(one)) {
            let request = object(json!({
                "OpportunityIdentifier": id, "RelatedEntityType": kind, "RelatedEntityIdentifier": one}));
            let operation = if adds { operations::associate } else { operations::disassociate };
            operation(state, &request, now).map_err(|error| vec![format!("{}: {}", name(field), error.message)])?;
        }
    }
    Ok(())
}

/// Files name an offer by its last part.
fn identifier(entity: Entity, item: &str, state: &State) -> String {
    match entity {
        Entity::Offer if !item.starts_with("arn:") => {
            format!("arn:aws:aws-marketplace:us-east-1:{}:AWSMarketplace/Offer/{item}", state.settings.account)
        }
        _ => item.to_owned(),
    }
}

/// People and what only files have.
pub fn beside_the_body(state: &mut State, id: &str, said: &Record) {
    let document = object(api::document(said));
    let people = text::items_at(&document, "OpportunityTeam");
    if let Some(opportunity) = state.partner_central.opportunities.get_mut(id) {
        for person in people {
            let same = |member: &&mut Json| member["BusinessTitle"] == person["BusinessTitle"];
            let changed = person.as_object().cloned().unwrap_or_default();
            match opportunity.team.iter_mut().find(same).and_then(Json::as_object_mut) {
                Some(member) => text::merge(member, &changed),
                None => opportunity.team.extend(text::normal(&Json::Object(changed))),
            }
        }
        own(&mut opportunity.team);
    }
    let side = state.files.sides.entry(id.to_owned()).or_default();
    let beside = said.iter().filter(|(field, _)| {
        field.api.is_none() && !["partnerAcceptanceStatus", "rejectionReason"].contains(&field.key)
    });
    for (field, value) in beside {
        match value.as_text() {
            Some(text) => side.own.insert(field.key, text.to_owned()),
            None => side.own.remove(field.key),
        };
    }
}

pub fn object(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(object) => object,
        _ => Map::new(),
    }
}

/// An owner has the name of the user; without one the first user owns it.
fn own(team: &mut [Json]) {
    let Some(owner) = team.iter_mut().find(|member| member["BusinessTitle"] == "OpportunityOwner") else { return };
    if owner["Email"].is_null() {
        owner["Email"] = json!(fields::USERS[0].0);
    }
    if let Some((first, last)) = owner["Email"].as_str().and_then(fields::user).and_then(|name| name.split_once(' ')) {
        owner["FirstName"] = json!(first);
        owner["LastName"] = json!(last);
    }
}

/// What a record says of the body.
pub fn patch(said: &Record) -> Map<String, Json> {
    let mut in_body = Record::new(Kind::Opportunity);
    let body = said.iter().filter(|(field, _)| field.write == Write::Body);
    body.for_each(|(field, value)| in_body.set(field, value.clone()));
    object(api::document(&in_body))
}

/// Lays a patch over a body: objects member by member, lists of objects item by item, and what AWS fills in.
pub fn overlay(body: &mut Map<String, Json>, patch: &Map<String, Json>) {
    lay(body, patch);
    if let Some(Json::Array(entries)) =
        body.get_mut("Project").and_then(|project| project.get_mut("ExpectedCustomerSpend"))
    {
        for entry in entries.iter_mut().filter_map(Json::as_object_mut) {
            entry.entry("CurrencyCode").or_insert(json!("USD"));
            entry.entry("Frequency").or_insert(json!("Monthly"));
        }
    }
}

fn lay(target: &mut Map<String, Json>, patch: &Map<String, Json>) {
    for (key, value) in patch {
        match (target.get_mut(key), value) {
            (Some(Json::Object(inner)), Json::Object(patch)) => lay(inner, patch),
            (Some(Json::Array(items)), Json::Array(patches)) if patches.iter().all(Json::is_object) => {
                for (index, patch) in patches.iter().filter_map(Json::as_object).enumerate() {
                    let company = patch.get("TargetCompany");
                    let own = |item: &Json| company.is_some() && item.get("TargetCompany") == company;
                    let place = if company.is_some() { items.iter().position(own) } else { Some(index) };
                    match place.and_then(|place| items.get_mut(place)).and_then(Json::as_object_mut) {
                        Some(item) => lay(item, patch),
                        None => items.push(Json::Object(patch.clone())),
                    }
                }
            }
            (_, value) => {
                target.insert(key.clone(), value.clone());
            }
        }
    }
}

/// The API's checks of the shape, except that the files take phones in any form.
pub fn shape(body: &Map<String, Json>) -> Settled<Vec<String>> {
    let problems = check(&TABLE.opportunity, body).map_err(|error| worded(&error))?;
    Ok(problems.iter().filter(|problem| !problem.field.ends_with("phone")).map(sentence).collect())
}
