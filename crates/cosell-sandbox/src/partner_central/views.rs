//! Records as the service answers them: explicit nulls for what is absent, escaped text when asked.

use serde_json::{Map, Value, json};

use super::lifecycle::BODY;
use super::store::Opportunity;
use super::table::{Kind, Rows, Rule, TABLE};
use super::text;
use crate::world::State;

/// The types of entities an opportunity may be associated with.
pub const RELATED: [&str; 6] = [
    "Solutions",
    "AwsProducts",
    "AwsMarketplaceOffers",
    "AwsMarketplaceOfferSets",
    "AwsMarketplaceSolutions",
    "AwsMarketplaceProducts",
];

/// `GetOpportunity`'s answer.
pub fn opportunity(state: &State, opportunity: &Opportunity) -> Value {
    let mut answer = Map::new();
    answer.insert("Catalog".to_owned(), json!(state.settings.catalog));
    for key in BODY {
        let rule = &TABLE.opportunity[key];
        let value = opportunity.body.get(key);
        answer.insert(key.to_owned(), complete(&TABLE.opportunity, key, rule, value, state.switches.escape_text));
    }
    answer.insert("Id".to_owned(), json!(opportunity.id));
    answer.insert("Arn".to_owned(), json!(state.arn("opportunity", &opportunity.id)));
    answer.insert("LastModifiedDate".to_owned(), json!(text::millis(opportunity.modified)));
    answer.insert("CreatedDate".to_owned(), json!(text::millis(opportunity.created)));
    let related: Map<String, Value> =
        RELATED.iter().map(|kind| ((*kind).to_owned(), json!(opportunity.related(kind)))).collect();
    answer.insert("RelatedEntityIdentifiers".to_owned(), Value::Object(related));
    answer.insert("OpportunityTeam".to_owned(), json!(opportunity.team));
    Value::Object(answer)
}

/// `GetAwsOpportunitySummary`'s answer.
pub fn summary(state: &State, opportunity: &Opportunity) -> Value {
    let nothing = Map::new();
    let facts = opportunity.summary.as_ref().unwrap_or(&nothing);
    let mut answer = Map::new();
    answer.insert("Catalog".to_owned(), json!(state.settings.catalog));
    answer.insert("RelatedOpportunityId".to_owned(), json!(opportunity.id));
    for (key, rule) in TABLE.summary.iter().filter(|(path, _)| !path.contains('.')) {
        let value = complete(&TABLE.summary, key, rule, facts.get(key), state.switches.escape_text);
        answer.insert(key.clone(), value);
    }
    answer.insert("Origin".to_owned(), json!(opportunity.origin));
    let related = opportunity.summary.as_ref().map(|_| {
        ["AwsProducts", "Solutions", "AwsMarketplaceSolutions", "AwsMarketplaceProducts"]
            .iter()
            .map(|kind| ((*kind).to_owned(), json!(opportunity.related(kind))))
            .collect::<Map<String, Value>>()
    });
    answer.insert("RelatedEntityIds".to_owned(), json!(related));
    Value::Object(answer)
}

/// A row of `ListOpportunities`.
pub fn listed(state: &State, row: &Opportunity) -> Value {
    let full = opportunity(state, row);
    let mut answer = Map::new();
    for key in [
        "Catalog",
        "Id",
        "Arn",
        "PartnerOpportunityIdentifier",
        "OpportunityType",
        "LastModifiedDate",
        "CreatedDate",
        "LifeCycle",
    ] {
        answer.insert(key.to_owned(), full[key].clone());
    }
    if let Value::Object(life_cycle) = &mut answer["LifeCycle"] {
        life_cycle.shift_remove("NextStepsHistory");
    }
    let mut account = full["Customer"]["Account"].clone();
    if let Value::Object(account) = &mut account {
        for key in ["AwsAccountId", "Duns"] {
            account.shift_remove(key);
        }
        if let Some(Value::Object(address)) = account.get_mut("Address") {
            address.shift_remove("StreetAddress");
        }
    }
    answer.insert("Customer".to_owned(), json!({"Account": account}));
    let project = &full["Project"];
    answer.insert(
        "Project".to_owned(),
        json!({
            "DeliveryModels": project["DeliveryModels"],
            "ExpectedCustomerSpend": project["ExpectedCustomerSpend"],
            "ExpectedContractDuration": project["ExpectedContractDuration"],
        }),
    );
    Value::Object(answer)
}

/// A body with a null for every member that is absent.
pub fn whole(rows: &Rows, body: &Map<String, Value>, escape: bool) -> Value {
    members(rows, "", body, escape)
}

/// Fills in nulls for the members that are absent.
pub fn complete(rows: &Rows, path: &str, rule: &Rule, value: Option<&Value>, escape: bool) -> Value {
    match (rule.kind, value) {
        // Captured answers have an empty list here where other absent members are null.
        (_, None) if path == "Project.SalesActivities" => json!([]),
        (_, None | Some(Value::Null)) => Value::Null,
        (Kind::Struct, Some(Value::Object(object))) => members(rows, &format!("{path}."), object, escape),
        (Kind::Structs, Some(Value::Array(items))) => items
            .iter()
            .filter_map(Value::as_object)
            .map(|item| members(rows, &format!("{path}[]."), item, escape))
            .collect(),
        (_, Some(Value::String(text))) if rule.text && escape => json!(text.replace(':', "&amp;colon;")),
        (_, Some(value)) => value.clone(),
    }
}

fn members(rows: &Rows, prefix: &str, object: &Map<String, Value>, escape: bool) -> Value {
    let mut filled = Map::new();
    for (path, rule) in rows {
        if let Some(key) = path.strip_prefix(prefix)
            && !key.contains('.')
        {
            filled.insert(key.to_owned(), complete(rows, path, rule, object.get(key), escape));
        }
    }
    Value::Object(filled)
}
