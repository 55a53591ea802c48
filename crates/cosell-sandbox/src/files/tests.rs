use cosell_model::{Kind, PayloadVersion, Value as AceValue};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::opportunities::{self, Referral, Side};
use crate::partner_central::{Opportunity, text};
use crate::world::State;
use crate::world::tests::{noon, state};

fn members(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().expect("an object")
}

fn deal(partner_id: &str) -> Value {
    json!({
        "partnerCrmUniqueIdentifier": partner_id,
        "customerCompanyName": "Example", "customerWebsite": "https://example.com", "industry": "Retail",
        "country": "Germany", "postalCode": "10115", "city": "Berlin",
        "partnerProjectTitle": "Move", "projectDescription": "The data centre closes next year.",
        "useCase": "Database", "deliveryModel": "Resell;Other", "salesActivities": "SOW Signed",
        "expectedMonthlyAwsRevenue": 123.0, "targetCloseDate": "2026-12-31",
        "partnerPrimaryNeedFromAws": "Co-Sell - Deal Support", "IsOppFromMarketingActivity": "No",
        "solutionOffered": ["S-1234567"], "awsProducts": ["AmazonEC2Linux"],
        "customerFirstName": "Casey", "customerLastName": "Customer", "customerPhone": "ask for Casey",
    })
}

fn with(mut record: Value, changes: &Value) -> Value {
    for (key, value) in members(changes) {
        record[key] = value;
    }
    record
}

fn file(state: &mut State, kind: Kind, version: PayloadVersion, record: &Value) -> Value {
    let outcomes = state.work_off(kind, version, &[members(record)], noon());
    outcomes[0].to_json()
}

fn settle(state: &mut State, record: &Value) -> Result<String, Vec<String>> {
    outcome(&file(state, Kind::Opportunity, PayloadVersion::V2, record))
}

fn outcome(result: &Value) -> Result<String, Vec<String>> {
    if result["isSuccess"] == true {
        return Ok(result["apnCrmUniqueIdentifier"].as_str().expect("an id").to_owned());
    }
    Err(serde_json::from_value(result["errors"].clone()).expect("texts"))
}

fn made(state: &mut State, partner_id: &str) -> String {
    settle(state, &deal(partner_id)).expect("it is right")
}

fn stand(world: &mut State, id: &str, status: &str, stage: &str) {
    let body = &mut world.partner_central.opportunities.get_mut(id).expect("it is there").body;
    text::set(body, "LifeCycle.ReviewStatus", json!(status));
    text::set(body, "LifeCycle.Stage", json!(stage));
}

fn opportunity<'s>(state: &'s State, id: &str) -> &'s Opportunity {
    &state.partner_central.opportunities[id]
}

fn at(state: &State, id: &str, path: &str) -> Value {
    text::at(&opportunity(state, id).body, path).cloned().unwrap_or_default()
}

#[test]
fn a_new_record_is_submitted_with_its_creation() {
    let mut state = state();
    let id = made(&mut state, "006A");
    let known = opportunity(&state, &id);
    assert_eq!((known.review_status(), known.origin.as_str()), ("Submitted", "Partner Referral"));
    assert_eq!(known.related("Solutions"), ["S-1234567"]);
    assert_eq!(known.related("AwsProducts"), ["AmazonEC2Linux"]);
    assert_eq!(at(&state, &id, "Customer.Account.Address.CountryCode"), "DE");
    assert_eq!(at(&state, &id, "Marketing.Source"), "None");
    assert_eq!(
        at(&state, &id, "Project.ExpectedCustomerSpend"),
        json!([{"TargetCompany": "AWS", "Amount": "123", "CurrencyCode": "USD", "Frequency": "Monthly"}])
    );
}

#[test]
fn a_record_that_fails_leaves_nothing() {
    let mut state = state();
    for (changes, expected) in [
        (json!({"partnerCrmUniqueIdentifier": null}), "partnerCrmUniqueIdentifier: Required field missing"),
        (json!({"apnCrmUniqueIdentifier": "O1"}), "apnCrmUniqueIdentifier: Opportunity not found"),
        (json!({"customerCompanyName": null}), "customerCompanyName: is required"),
        (json!({"useCase": null}), "useCase: is required"),
        (json!({"useCase": "database"}), "useCase: is not one of the values the service knows"),
        (json!({"solutionOffered": ["S-9"]}), "solutionOffered: Related entity of type Solutions not found"),
        (
            json!({"solutionOffered": ["Other"]}),
            "solutionOffered: needs an associated solution or product, or a description of another solution",
        ),
        (json!({"targetCloseDate": "2025-01-01"}), "targetCloseDate: is in the past"),
        (
            json!({"opportunityOwnerEmail": "no.one@partner.example"}),
            "opportunityOwnerEmail: User not found in Partner Central",
        ),
        (
            json!({"partnerAcceptanceStatus": "Accepted"}),
            "partnerAcceptanceStatus: Only a referral of AWS is accepted or rejected",
        ),
    ] {
        let errors = settle(&mut state, &with(deal("006A"), &changes)).expect_err("it is wrong");
        assert!(errors.contains(&expected.to_owned()), "{changes}: {errors:?}");
    }
    assert!(state.partner_central.opportunities.is_empty() && state.files.sides.is_empty());
}

#[test]
fn an_update_changes_what_it_says_and_null_deletes() {
    let mut state = state();
    let id = made(&mut state, "006A");
    stand(&mut state, &id, "Approved", "Prospect");
    let update = |state: &mut State, changes: Value| {
        settle(state, &with(json!({"partnerCrmUniqueIdentifier": "006A"}), &changes))
    };
    let done = update(
        &mut state,
        json!({"stage": "Qualified", "city": null, "customerTitle": "CTO", "solutionOffered": ["S-7654321"]}),
    );
    assert_eq!(done, Ok(id.clone()));
    assert_eq!(at(&state, &id, "LifeCycle.Stage"), "Qualified");
    assert_eq!(at(&state, &id, "Customer.Account.Address.City"), Value::Null);
    assert_eq!(at(&state, &id, "Customer.Account.Address.PostalCode"), "10115");
    assert_eq!(
        at(&state, &id, "Customer.Contacts"),
        json!([{"FirstName": "Casey", "LastName": "Customer", "Phone": "ask for Casey", "BusinessTitle": "CTO"}])
    );
    assert_eq!(opportunity(&state, &id).related("Solutions"), ["S-7654321"]);
    assert_eq!(
        update(&mut state, json!({"stage": "Qualified", "expectedMonthlyAwsRevenue": 123, "city": null})),
        Err(vec!["No new update: the record says what is known already".to_owned()])
    );
    let before = opportunity(&state, &id).clone();
    let errors = update(&mut state, json!({"awsProducts": ["AmazonS3"], "industry": "Travel"})).expect_err("closed");
    assert_eq!(errors, ["industry: cannot be changed while the review status is Approved"]);
    assert_eq!(opportunity(&state, &id).related, before.related, "whole or not at all");
}

#[test]
fn an_owner_is_a_user_of_partner_central() {
    let mut state = state();
    let id = made(&mut state, "006A");
    stand(&mut state, &id, "Approved", "Prospect");
    let mut owner = |email: Value| {
        let record = json!({"partnerCrmUniqueIdentifier": "006A", "opportunityOwnerEmail": email});
        settle(&mut state, &record)?;
        let record = opportunities::record(&state, opportunity(&state, &id), noon());
        Ok::<_, Vec<String>>(record.text("opportunityOwnerName").unwrap_or_default().to_owned())
    };
    assert_eq!(owner(json!("sales@partner.example")), Ok("Sasha Sales".to_owned()));
    assert_eq!(
        owner(json!("nobody@partner.example")),
        Err(vec!["opportunityOwnerEmail: User not found in Partner Central".to_owned()])
    );
    assert_eq!(owner(Value::Null), Ok("Alex Alliance".to_owned()));
}

#[test]
fn windows_follow_the_status() {
    let mut state = state();
    let id = made(&mut state, "006A");
    let update =
        |state: &mut State, changes: Value| settle(state, &with(json!({"apnCrmUniqueIdentifier": id}), &changes));
    for status in ["Submitted", "In review"] {
        stand(&mut state, &id, status, "Prospect");
        let errors = update(&mut state, json!({"nextStep": "Call"})).expect_err("in review");
        assert_eq!(errors, [format!("Record is not editable: its status is {status}")]);
    }
    stand(&mut state, &id, "Action Required", "Prospect");
    assert!(update(&mut state, json!({"nextStep": "Call"})).is_err());
    assert!(update(&mut state, json!({"solutionOffered": ["S-7654321"]})).is_err());
    assert_eq!(update(&mut state, json!({"city": "Hamburg"})), Ok(id.clone()));
    assert_eq!(opportunity(&state, &id).review_status(), "Submitted");
    for stage in ["Launched", "Closed Lost"] {
        stand(&mut state, &id, "Approved", stage);
        assert!(update(&mut state, json!({"nextStep": stage})).is_err());
        assert!(update(&mut state, json!({"primaryContactTitle": "Boss"})).is_err());
        text::set(
            &mut state.partner_central.opportunities.get_mut(&id).expect("it is there").body,
            "LifeCycle.ClosedLostReason",
            json!("Price"),
        );
        assert_eq!(update(&mut state, json!({"additionalComments": stage})), Ok(id.clone()));
    }
}

#[test]
fn a_referral_is_answered_before_anything_else() {
    let mut state = state();
    let referred = |state: &mut State, accept_by: Timestamp| {
        let body = members(&json!({
            "Customer": {"Account": {"CompanyName": "Example", "Address": {"CountryCode": "DE", "City": "Kiel"}},
                "Contacts": [{"FirstName": "Casey"}]},
            "Project": {"Title": "Move"}, "LifeCycle": {"Stage": "Prospect", "ReviewStatus": "Approved"}}));
        let made = crate::partner_central::operations::new_opportunity(state, body, "AWS Referral", noon());
        made.hidden = true;
        let id = made.id.clone();
        state.files.sides.insert(id.clone(), Side::of(Referral::open(accept_by)));
        id
    };
    let later = noon() + SignedDuration::from_hours(1);
    let (one, other, late) = (referred(&mut state, later), referred(&mut state, later), referred(&mut state, noon()));
    let update = |state: &mut State, id: &str, changes: Value| {
        settle(state, &with(json!({"apnCrmUniqueIdentifier": id}), &changes))
    };
    assert_eq!(
        update(&mut state, &one, json!({"nextStep": "Call"})),
        Err(vec![
            "nextStep: cannot be changed before the referral is accepted".to_owned(),
            "partnerAcceptanceStatus: Required field missing, the referral waits for an answer".to_owned(),
        ])
    );
    assert_eq!(
        update(&mut state, &late, json!({"partnerAcceptanceStatus": "Accepted"})),
        Err(vec!["acceptBy: The referral can no longer be answered".to_owned()])
    );
    assert_eq!(
        update(&mut state, &other, json!({"partnerAcceptanceStatus": "Rejected"})),
        Err(vec!["rejectionReason: Required field missing".to_owned()])
    );
    let no = json!({"partnerAcceptanceStatus": "Rejected", "rejectionReason": "Other"});
    assert_eq!(update(&mut state, &other, no), Ok(other.clone()));
    assert!(
        update(&mut state, &other, json!({"nextStep": "Call"})).expect_err("over")[0]
            .starts_with("Record is not editable")
    );
    let yes = json!({"partnerAcceptanceStatus": "Accepted", "partnerCrmUniqueIdentifier": "006A"});
    assert_eq!(update(&mut state, &one, yes), Ok(one.clone()));
    assert!(!opportunity(&state, &one).hidden && opportunity(&state, &other).hidden);
    assert_eq!(at(&state, &one, "PartnerOpportunityIdentifier"), "006A");
}

#[test]
fn payload_1_is_filled_and_says_so() {
    let mut state = state();
    let mut record = deal("006A");
    for key in ["salesActivities", "solutionOffered", "awsProducts"] {
        record.as_object_mut().expect("an object").shift_remove(key);
    }
    record["opportunityType"] = json!("ignored, as it is of 2.0 only");
    let id = outcome(&file(&mut state, Kind::Opportunity, PayloadVersion::V1, &record)).expect("it is right");
    assert_eq!(at(&state, &id, "OpportunityType"), "Net New Business");
    let told = opportunities::record(&state, opportunity(&state, &id), noon());
    let told = told.text("backwardsCompatibilityChanges").expect("it was changed").to_owned();
    assert!(told.contains("salesActivities set to Initialized discussions with customer"), "{told}");
}

fn lead(state: &mut State) -> String {
    state.files.leads.make(&members(&json!({"company": "Hafen"})), None, noon()).expect("it is right").remove(0)
}

fn answer(id: &str, stage: &str) -> Value {
    json!({"apnCrmUniqueIdentifier": id, "partnerCrmLeadId": "00QA", "status": "Open", "currentLeadStage": stage})
}

#[test]
fn a_lead_is_answered_then_worked_on() {
    let mut state = state();
    let id = lead(&mut state);
    let mut settle = |record: Value| outcome(&file(&mut state, Kind::Lead, PayloadVersion::V2, &record));
    let missing = settle(json!({"apnCrmUniqueIdentifier": id, "partnerCrmLeadId": "00QA"})).expect_err("half");
    assert_eq!(missing, ["status: Required field missing", "currentLeadStage: Required field missing"]);
    assert_eq!(
        settle(answer("L1", "Accepted")),
        Err(vec!["apnCrmUniqueIdentifier: Lead not found, partners cannot create leads".to_owned()])
    );
    assert_eq!(
        settle(with(answer(&id, "Accepted"), &json!({"leadAge": 1}))),
        Err(vec!["leadAge: Field is read-only".to_owned()])
    );
    assert_eq!(
        settle(with(answer(&id, "Accepted"), &json!({"city": "Kiel"}))),
        Err(vec!["city: cannot be changed before the lead is accepted".to_owned()])
    );
    assert_eq!(settle(answer(&id, "accepted")).expect_err("case counts").len(), 1);
    assert_eq!(settle(answer(&id, "Accepted")), Ok(id.clone()));
    assert_eq!(
        settle(answer(&id, "Accepted")),
        Err(vec!["No new update: the record says what is known already".to_owned()])
    );
    assert_eq!(
        settle(answer(&id, "Rejected")),
        Err(vec!["currentLeadStage: The lead was answered already".to_owned()])
    );
    assert_eq!(settle(with(answer(&id, "Accepted"), &json!({"city": "Kiel", "status": "Qualified"}))), Ok(id));
}

#[test]
fn a_lead_is_masked_until_it_is_accepted() {
    let mut state = state();
    let id = lead(&mut state);
    let shown = |state: &State| {
        let record = state.files.leads.known[&id].exported_record(noon());
        ["company", "email", "country", "campaignName", "website"]
            .map(|key| record.text(key).unwrap_or_default().to_owned())
    };
    let mask = "Accept To View";
    assert_eq!(shown(&state), [mask, mask, mask, "Example campaign", "https://customer.example"]);
    outcome(&file(&mut state, Kind::Lead, PayloadVersion::V2, &answer(&id, "Accepted"))).expect("it is right");
    assert_eq!(shown(&state)[..2], ["Hafen", "casey@customer.example"]);
    assert_eq!(state.files.leads.known[&id].full(noon()).value("segmentCompanySize"), Some(&AceValue::Null));
}
