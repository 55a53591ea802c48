use jiff::SignedDuration;

use super::*;
use crate::world::tests::{noon, state};

fn request(value: &Value) -> Map<String, Value> {
    let mut request = value.as_object().cloned().expect("an object");
    request.entry("Catalog").or_insert(json!("Sandbox"));
    request
}

fn creation(token: &str) -> Map<String, Value> {
    request(&json!({
        "ClientToken": token,
        "Origin": "Partner Referral",
        "PartnerOpportunityIdentifier": "006A",
        "PrimaryNeedsFromAws": ["Co-Sell - Deal Support"],
        "Customer": {"Account": {
            "CompanyName": "  Example  ", "Industry": "Retail", "WebsiteUrl": "https://example.com",
            "Address": {"CountryCode": "US", "StateOrRegion": "Texas", "PostalCode": "73301", "City": "Austin"}}},
        "Project": {
            "Title": "Move: now", "CustomerBusinessProblem": "The data centre closes next year.",
            "CustomerUseCase": "Database", "DeliveryModels": ["Resell"], "SalesActivities": ["SOW Signed"],
            "OtherSolutionDescription": "Ours",
            "ExpectedCustomerSpend": [
                {"Amount": "100", "CurrencyCode": "USD", "Frequency": "Monthly", "TargetCompany": "AWS"}]},
        "LifeCycle": {"TargetCloseDate": "2026-12-31", "NextSteps": "Call"},
    }))
}

fn created(state: &mut State) -> String {
    let answer = call(state, "CreateOpportunity", &creation("t1"), noon()).expect("it is right");
    answer["Id"].as_str().expect("an id").to_owned()
}

fn fetched(state: &mut State, id: &str) -> Map<String, Value> {
    let answer = call(state, "GetOpportunity", &request(&json!({"Identifier": id})), noon()).expect("it is there");
    answer.as_object().cloned().expect("an object")
}

fn echo(state: &mut State, id: &str) -> Map<String, Value> {
    let full = fetched(state, id);
    let mut request: Map<String, Value> =
        lifecycle::BODY.iter().map(|key| ((*key).to_owned(), full[*key].clone())).collect();
    for key in ["Catalog", "LastModifiedDate"] {
        request.insert(key.to_owned(), full[key].clone());
    }
    request.insert("Identifier".to_owned(), json!(id));
    request
}

fn set_status(state: &mut State, id: &str, status: &str) {
    let opportunity = state.partner_central.visible_mut(id).expect("it is there");
    text::set(&mut opportunity.body, "LifeCycle.ReviewStatus", json!(status));
    opportunity.share("Co-Sell", "Full");
}

fn update(state: &mut State, request: &Map<String, Value>) -> Result<Value, ApiError> {
    call(state, "UpdateOpportunity", request, noon())
}

fn codes(error: &ApiError) -> Vec<(&str, &str)> {
    error.problems.iter().map(|problem| (problem.field.as_str(), problem.code.name())).collect()
}

#[test]
fn creation_fills_in_what_the_service_fills_in() {
    let mut state = state();
    let id = created(&mut state);
    let full = fetched(&mut state, &id);
    assert_eq!(full["Customer"]["Account"]["CompanyName"], "Example");
    assert_eq!(full["Marketing"]["Source"], "None");
    assert_eq!(full["NationalSecurity"], "No");
    assert_eq!(full["LifeCycle"]["Stage"], "Prospect");
    assert_eq!(full["LifeCycle"]["ReviewStatus"], "Pending Submission");
    assert_eq!(full["Customer"]["Account"]["Duns"], Value::Null);
    assert!(full["SoftwareRevenue"].is_null() && full.contains_key("SoftwareRevenue"));
    assert!(!full.contains_key("Origin"));
}

#[test]
fn a_client_token_makes_creation_idempotent() {
    let mut state = state();
    let first = call(&mut state, "CreateOpportunity", &creation("t1"), noon()).expect("it is right");
    let again = call(&mut state, "CreateOpportunity", &creation("t1"), noon() + SignedDuration::from_secs(9));
    assert_eq!(again.expect("the same answer"), first);
    assert_eq!(state.partner_central.opportunities.len(), 1);
    let mut other = creation("t1");
    text::set(&mut other, "Project.Title", json!("Another"));
    let error = call(&mut state, "CreateOpportunity", &other, noon()).expect_err("another body");
    assert_eq!(error.kind, "ConflictException");
}

#[test]
fn a_refused_creation_does_not_use_its_token_up() {
    let mut state = state();
    let mut wrong = creation("t1");
    text::remove(&mut wrong, "Project.Title");
    let error = call(&mut state, "CreateOpportunity", &wrong, noon()).expect_err("no title");
    assert_eq!(error.reason, Some("BUSINESS_VALIDATION_FAILED"));
    assert_eq!(codes(&error), [("project.title", "REQUIRED_FIELD_MISSING")]);
    call(&mut state, "CreateOpportunity", &creation("t1"), noon()).expect("the mended request");
}

#[test]
fn business_problems_come_all_at_once() {
    let mut state = state();
    let mut wrong = creation("t1");
    for (path, value) in [
        ("Customer.Account.Address.StateOrRegion", json!("TX")),
        ("Customer.Account.Industry", json!("Other")),
        ("Project.CustomerUseCase", json!("Gardening")),
        ("Project.AdditionalComments", json!(" ")),
        ("LifeCycle.TargetCloseDate", json!("2026-03-01")),
        ("LifeCycle.Stage", json!("Launched")),
        ("Marketing.Channels", json!(["Email"])),
        ("Marketing.Source", json!("None")),
        ("OpportunityTeam", json!([{"BusinessTitle": "OpportunityOwner"}])),
    ] {
        text::set(&mut wrong, path, value);
    }
    text::remove(&mut wrong, "Customer.Account.Address.PostalCode");
    let error = call(&mut state, "CreateOpportunity", &wrong, noon()).expect_err("much is wrong");
    let found = codes(&error);
    for expected in [
        ("customer.account.address.stateOrRegion", "INVALID_ENUM_VALUE"),
        ("customer.account.address.postalCode", "REQUIRED_FIELD_MISSING"),
        ("customer.account.otherIndustry", "REQUIRED_FIELD_MISSING"),
        ("project.customerUseCase", "INVALID_ENUM_VALUE"),
        ("project.additionalComments", "INVALID_VALUE"),
        ("lifeCycle.targetCloseDate", "INVALID_VALUE"),
        ("lifeCycle.stage", "INVALID_RESOURCE_STATE"),
        ("marketing.channels", "INVALID_VALUE"),
        ("opportunityTeam.businessTitle", "INVALID_VALUE"),
    ] {
        assert!(found.contains(&expected), "{expected:?} in {found:?}");
    }
}

#[test]
fn an_update_needs_the_present_version() {
    let mut state = state();
    let id = created(&mut state);
    let old = echo(&mut state, &id);
    let answer = update(&mut state, &old).expect("the version is present");
    assert!(answer["LastModifiedDate"].as_str() > old["LastModifiedDate"].as_str());
    assert_eq!(update(&mut state, &old).expect_err("the version is old").kind, "ConflictException");
    let mut other_spelling = echo(&mut state, &id);
    let at = other_spelling["LastModifiedDate"].as_str().expect("a timestamp").replace('Z', "000Z");
    other_spelling.insert("LastModifiedDate".to_owned(), json!(at));
    update(&mut state, &other_spelling).expect("the same moment in microseconds");
}

#[test]
fn an_update_replaces_the_whole_object() {
    let mut state = state();
    let id = created(&mut state);
    let team = fetched(&mut state, &id)["OpportunityTeam"].clone();
    let mut request = echo(&mut state, &id);
    request.shift_remove("PartnerOpportunityIdentifier");
    text::remove(&mut request, "Project.CustomerUseCase");
    update(&mut state, &request).expect("both are optional");
    let full = fetched(&mut state, &id);
    assert!(full["PartnerOpportunityIdentifier"].is_null());
    assert!(full["Project"]["CustomerUseCase"].is_null());
    assert_eq!(full["OpportunityTeam"], team);
    assert_eq!(full["LifeCycle"]["ReviewStatus"], "Pending Submission");
    assert_eq!(full["LifeCycle"]["NextStepsHistory"].as_array().map(Vec::len), Some(1));

    let mut sparse = echo(&mut state, &id);
    sparse.shift_remove("Project");
    let error = update(&mut state, &sparse).expect_err("required members are gone");
    assert!(codes(&error).contains(&("project.title", "REQUIRED_FIELD_MISSING")));
}

#[test]
fn each_review_status_opens_its_own_fields() {
    let mut state = state();
    let id = created(&mut state);
    let attempts = [
        ("Project.Title", json!("New title")),
        ("Project.CustomerBusinessProblem", json!("Another problem, told anew.")),
        ("Project.AdditionalComments", json!("Note")),
        ("LifeCycle.NextSteps", json!("Write")),
        ("LifeCycle.TargetCloseDate", json!("2027-01-31")),
        ("Customer.Contacts", json!([{"FirstName": "Casey"}])),
    ];
    for (status, stage, open) in [
        ("Pending Submission", "Prospect", [true, true, true, true, true, true]),
        ("Submitted", "Prospect", [false; 6]),
        ("In review", "Prospect", [false; 6]),
        ("Action Required", "Prospect", [false, true, false, false, true, false]),
        ("Approved", "Prospect", [false, false, true, true, true, true]),
        ("Approved", "Launched", [false, false, true, false, false, false]),
        ("Rejected", "Prospect", [false; 6]),
    ] {
        for ((path, value), open) in attempts.iter().zip(open) {
            set_status(&mut state, &id, status);
            let known = state.partner_central.visible_mut(&id).expect("it is there");
            text::set(&mut known.body, "LifeCycle.Stage", json!(stage));
            known.related.insert("Solutions".to_owned(), vec!["S-1234567".to_owned()]);
            let before = known.body.clone();
            let mut request = echo(&mut state, &id);
            text::set(&mut request, path, value.clone());
            let outcome = update(&mut state, &request);
            assert_eq!(outcome.is_ok(), open, "{path} in {status}, {stage}: {outcome:?}");
            if let Err(error) = outcome {
                assert_eq!(codes(&error), [(table::field_name(path).as_str(), "ACTION_NOT_PERMITTED")]);
            }
            state.partner_central.visible_mut(&id).expect("it is there").body = before;
        }
    }
}

#[test]
fn an_update_sends_action_required_back_to_review() {
    let mut state = state();
    let id = created(&mut state);
    set_status(&mut state, &id, "Action Required");
    let mut request = echo(&mut state, &id);
    text::set(&mut request, "LifeCycle.TargetCloseDate", json!("2027-01-31"));
    update(&mut state, &request).expect("the field is open");
    assert_eq!(fetched(&mut state, &id)["LifeCycle"]["ReviewStatus"], "Submitted");
}

#[test]
fn in_the_sandbox_a_partner_plays_the_reviewer() {
    let mut state = state();
    let id = created(&mut state);
    let mut early = echo(&mut state, &id);
    text::set(&mut early, "LifeCycle.ReviewStatus", json!("Approved"));
    let error = update(&mut state, &early).expect_err("it was not submitted");
    assert_eq!(error.message, "Cannot transition opportunity from status 'Pending Submission' to 'Approved'");
    set_status(&mut state, &id, "Submitted");
    let mut request = echo(&mut state, &id);
    text::set(&mut request, "LifeCycle.ReviewStatus", json!("Approved"));
    state.settings.catalog = "AWS".to_owned();
    request.insert("Catalog".to_owned(), json!("AWS"));
    let error = update(&mut state, &request).expect_err("only AWS reviews there");
    assert_eq!(codes(&error)[0], ("lifeCycle.reviewStatus", "ACTION_NOT_PERMITTED"));
    state.settings.catalog = "Sandbox".to_owned();
    request.insert("Catalog".to_owned(), json!("Sandbox"));
    update(&mut state, &request).expect("allowed");
    assert_eq!(fetched(&mut state, &id)["LifeCycle"]["ReviewStatus"], "Approved");
}

#[test]
fn submission_needs_its_fields_and_happens_once() {
    let mut state = state();
    let mut thin = creation("t1");
    for path in ["Project.SalesActivities", "Project.CustomerUseCase", "Project.OtherSolutionDescription"] {
        text::remove(&mut thin, path);
    }
    let answer = call(&mut state, "CreateOpportunity", &thin, noon()).expect("enough to create");
    let id = answer["Id"].as_str().expect("an id").to_owned();
    let start = |token: &str, involvement: &str| {
        request(&json!({"Identifier": id, "ClientToken": token, "AwsSubmission": {"InvolvementType": involvement}}))
    };
    let error = call(&mut state, "StartEngagementFromOpportunityTask", &start("s1", "For Visibility Only"), noon())
        .expect_err("too thin");
    let found = codes(&error);
    for expected in [
        ("project.salesActivities", "REQUIRED_FIELD_MISSING"),
        ("project.customerUseCase", "REQUIRED_FIELD_MISSING"),
        ("primaryNeedsFromAws", "INVALID_VALUE"),
        ("relatedEntityIdentifiers", "NOT_ENOUGH_VALUES"),
    ] {
        assert!(found.contains(&expected), "{expected:?} in {found:?}");
    }
    let mut request_body = echo(&mut state, &id);
    text::set(&mut request_body, "Project.SalesActivities", json!(["SOW Signed"]));
    text::set(&mut request_body, "Project.CustomerUseCase", json!("Database"));
    text::set(&mut request_body, "Project.OtherSolutionDescription", json!("Ours"));
    update(&mut state, &request_body).expect("completed");
    let first =
        call(&mut state, "StartEngagementFromOpportunityTask", &start("s1", "Co-Sell"), noon()).expect("complete");
    assert_eq!(first["TaskStatus"], "COMPLETE");
    assert_eq!(
        call(&mut state, "StartEngagementFromOpportunityTask", &start("s1", "Co-Sell"), noon()).expect("the same"),
        first
    );
    let error = call(&mut state, "StartEngagementFromOpportunityTask", &start("s2", "Co-Sell"), noon())
        .expect_err("submitted already");
    assert_eq!(codes(&error), [("lifeCycle.reviewStatus", "INVALID_RESOURCE_STATE")]);
    let summary = request(&json!({"RelatedOpportunityIdentifier": id}));
    let summary = call(&mut state, "GetAwsOpportunitySummary", &summary, noon()).expect("it is there");
    assert_eq!(summary["InvolvementType"], "Co-Sell");
}

#[test]
fn every_change_rings_twice_with_different_ids() {
    let world_state = &mut state();
    let id = created(world_state);
    let world = crate::world::World::new(
        std::mem::replace(world_state, state()),
        Box::new(noon),
        tokio::sync::mpsc::unbounded_channel().0,
    );
    world.with(|_, _| ());
    world.with(|state, _| {
        let rung: Vec<_> = state.events.iter().filter(|event| event.detail_type == "Opportunity Created").collect();
        assert_eq!(rung.len(), 2);
        assert_ne!(rung[0].id, rung[1].id);
        assert_eq!(
            rung[0].detail,
            json!({"schemaVersion": "1", "catalog": "Sandbox", "opportunity": {"identifier": id}})
        );
    });
}

#[test]
fn associations_have_their_limits() {
    let mut state = state();
    let id = created(&mut state);
    let mut associate = |kind: &str, entity: &str| {
        let body = json!({"OpportunityIdentifier": id, "RelatedEntityType": kind, "RelatedEntityIdentifier": entity});
        call(&mut state, "AssociateOpportunity", &request(&body), noon())
    };
    associate("Solutions", "S-1234567").expect("it is active");
    associate("Solutions", "S-1234567").expect("once more changes nothing");
    assert_eq!(associate("Solutions", "S-9").expect_err("unknown").kind, "ResourceNotFoundException");
    assert!(associate("Solutions", "S-1111111").is_err(), "inactive");
    for number in 0..20 {
        associate("AwsProducts", &format!("Product{number}")).expect("up to twenty");
    }
    let error = associate("AwsProducts", "Product20").expect_err("twenty-one");
    assert_eq!(codes(&error), [("relatedEntityIdentifier", "TOO_MANY_VALUES")]);
    let arn = |kind: &str| format!("arn:aws:aws-marketplace:us-east-1:111122223333:AWSMarketplace/{kind}");
    associate("AwsMarketplaceOffers", &arn("Offer/offer-1")).expect("one offer");
    assert!(associate("AwsMarketplaceOfferSets", &arn("OfferSet/offerset-1")).is_err(), "offer or offer set");
}

#[test]
fn another_catalog_and_unknown_operations_are_refused() {
    let mut state = state();
    let id = created(&mut state);
    let body = request(&json!({"Identifier": id, "Catalog": "AWS"}));
    let error = call(&mut state, "GetOpportunity", &body, noon()).expect_err("another catalog");
    assert_eq!(error.kind, "ResourceNotFoundException");
    let error = call(&mut state, "DeleteOpportunity", &body, noon()).expect_err("no such operation");
    assert_eq!(
        (error.kind.as_str(), error.message.as_str()),
        ("UnknownOperationException", "not implemented by the sandbox")
    );
}

#[test]
fn a_simulated_referral_hides_until_it_is_accepted() {
    let mut state = state();
    let mut body = creation("t1");
    body.insert("Origin".to_owned(), json!("AWS Referral"));
    let answer = call(&mut state, "CreateOpportunity", &body, noon()).expect("allowed in Sandbox");
    let get = request(&json!({"Identifier": answer["Id"]}));
    assert!(call(&mut state, "GetOpportunity", &get, noon()).is_err());
    let list = request(&json!({"ParticipantType": "RECEIVER", "Status": ["PENDING"]}));
    let list = call(&mut state, "ListEngagementInvitations", &list, noon()).expect("it is right");
    let invitation = &list["EngagementInvitationSummaries"][0]["Id"];
    let accept = request(&json!({"Identifier": invitation, "ClientToken": "a1"}));
    let task = call(&mut state, "StartEngagementByAcceptingInvitationTask", &accept, noon()).expect("it is open");
    assert_eq!(task["OpportunityId"], answer["Id"]);
    assert!(call(&mut state, "GetOpportunity", &get, noon()).is_ok());
}

#[test]
fn an_invitation_expires_by_the_clock() {
    let mut state = state();
    let payload = json!({"Customer": {"CompanyName": "Example"}}).as_object().cloned().expect("an object");
    let invitation = invitations::Invitation::new("OpportunityInvitation", payload, noon());
    let id = invitation.id.clone();
    state.receive_invitation(invitation, noon());
    state.expire_invitations(noon() + invitations::OPEN - SignedDuration::from_secs(1));
    assert_eq!(state.partner_central.invitations[&id].status, "PENDING");
    state.expire_invitations(noon() + invitations::OPEN);
    assert_eq!(state.partner_central.invitations[&id].status, "EXPIRED");
    let reject = request(&json!({"Identifier": id, "RejectionReason": "Other"}));
    let error = call(&mut state, "RejectEngagementInvitation", &reject, noon()).expect_err("too late");
    assert_eq!(error.kind, "ConflictException");
}

#[test]
fn colons_come_back_escaped_when_asked() {
    let mut state = state();
    let id = created(&mut state);
    state.switches.escape_text = true;
    let full = fetched(&mut state, &id);
    assert_eq!(full["Project"]["Title"], "Move&amp;colon; now");
    assert_eq!(full["Customer"]["Account"]["WebsiteUrl"], "https://example.com");
}

/// An accepted lead: its engagement, as `GetEngagement` names it.
fn accepted_lead(state: &mut State) -> String {
    let payload = request(&json!({
        "Customer": {"CompanyName": "Example", "Industry": "Anything"},
        "Interaction": {"ContactBusinessTitle": "CTO"},
    }));
    let mut invitation = invitations::Invitation::new("LeadInvitation", payload, noon());
    invitation.hidden = request(&json!({"Interaction": {
        "Contact": {"FirstName": "Casey", "LastName": "Customer", "Email": "casey@customer.example", "Phone": "0123"},
        "BusinessProblem": "Too short",
    }}));
    let (id, engagement) = (invitation.id.clone(), invitation.engagement.clone());
    state.receive_invitation(invitation, noon());
    let accept = request(&json!({"Identifier": id}));
    call(state, "AcceptEngagementInvitation", &accept, noon()).expect("it is open");
    engagement
}

#[test]
fn a_converted_lead_takes_along_what_fits_an_opportunity() {
    let mut state = state();
    let engagement = accepted_lead(&mut state);
    let start = request(&json!({"Identifier": engagement, "ContextIdentifier": "1", "ClientToken": "c1"}));
    let task = call(&mut state, "StartOpportunityFromEngagementTask", &start, noon()).expect("it is a lead");
    let full = fetched(&mut state, task["OpportunityId"].as_str().expect("an id"));
    let customer = &full["Customer"];
    assert_eq!(customer["Account"]["CompanyName"], "Example");
    assert!(customer["Account"]["Industry"].is_null() && full["Project"]["CustomerBusinessProblem"].is_null());
    assert_eq!(customer["Contacts"][0]["Email"], "casey@customer.example");
    assert!(customer["Contacts"][0]["Phone"].is_null());
    assert_eq!(full["LifeCycle"]["TargetCloseDate"], "2026-05-31");
}

#[test]
fn an_engagement_is_full_at_five_contexts() {
    let mut state = state();
    let engagement = accepted_lead(&mut state);
    let mut convert = |number: usize| {
        let start = json!({"Identifier": engagement, "ContextIdentifier": "1", "ClientToken": format!("c{number}")});
        call(&mut state, "StartOpportunityFromEngagementTask", &request(&start), noon()).expect("a task")
    };
    for number in 1..5 {
        assert_eq!(convert(number)["TaskStatus"], "COMPLETE");
    }
    assert_eq!(convert(5)["ReasonCode"], "ServiceQuotaExceeded");
}

#[test]
fn a_lead_is_full_at_ten_interactions_and_its_lock_only_grows() {
    let mut state = state();
    let engagement = accepted_lead(&mut state);
    let get = request(&json!({"Identifier": engagement}));
    let mut lock = call(&mut state, "GetEngagement", &get, noon()).expect("a member")["ModifiedAt"].clone();
    let contact = json!({"BusinessTitle": "CTO", "Email": "c@customer.example", "FirstName": "C", "LastName": "D"});
    let payload = json!({"Lead": {"Customer": {"CompanyName": "Example"}, "Interaction": {"Contact": contact}}});
    for number in 2..=11 {
        let update = request(&json!({
            "EngagementIdentifier": engagement, "ContextIdentifier": "1", "EngagementLastModifiedAt": lock,
            "Type": "Lead", "Payload": payload,
        }));
        let outcome = call(&mut state, "UpdateEngagementContext", &update, noon());
        if number == 11 {
            assert_eq!(outcome.expect_err("eleven").kind, "ServiceQuotaExceededException");
            break;
        }
        let next = outcome.expect("up to ten")["EngagementLastModifiedAt"].clone();
        assert!(next.as_str() > lock.as_str(), "the clock stands still, the lock does not");
        assert!(next.as_str().is_some_and(|next| !next.ends_with("000Z")), "microseconds are not enough");
        lock = next;
    }
}

#[test]
fn an_update_of_a_context_takes_one_payload_of_its_type() {
    let mut state = state();
    let engagement = accepted_lead(&mut state);
    let get = request(&json!({"Identifier": engagement}));
    let lock = call(&mut state, "GetEngagement", &get, noon()).expect("a member")["ModifiedAt"].clone();
    let mut update = |payload: Value| {
        let update = request(&json!({
            "EngagementIdentifier": engagement, "ContextIdentifier": "1", "EngagementLastModifiedAt": lock,
            "Type": "Lead", "Payload": payload,
        }));
        call(&mut state, "UpdateEngagementContext", &update, noon()).expect_err("it does not fit")
    };
    let lead = json!({"Customer": {"CompanyName": "Example"}});
    for payload in [json!({}), json!({"CustomerProject": {}}), json!({"Lead": lead, "CustomerProject": {}})] {
        assert_eq!(codes(&update(payload)), [("payload", "INVALID_VALUE")]);
    }
    let error = update(json!({"Lead": {"Customer": {}, "Interaction": {"Contact": {"FirstName": "C"}}}}));
    let found = codes(&error);
    for field in ["payload.lead.customer.companyName", "payload.lead.interaction.contact.email"] {
        assert!(found.contains(&(field, "REQUIRED_FIELD_MISSING")), "{field} in {found:?}");
    }
}
