//! What the use cases decide, on ports in memory: every sample event, repetitions, and a crash at every call.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod backfill;
mod corrections;
mod dead_letters;
mod files;
mod memory;
mod migrate;
mod orders;

use cosell_mapping::Mapping;
use cosell_model::{Catalog, OpportunityId};
use cosell_sync::{
    Disposition, SkipReason, SyncError, Work,
    log::Status,
    ports::{FileState, Message, PortResult, Queue},
    push::Request,
    reconcile::Reconcile,
};
use memory::Shared;
use serde_json::{Value as Json, json};

fn sample(name: &str) -> String {
    let path = format!("{}/../../events/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// An event that just came.
fn fresh(name: &str) -> String {
    let mut event: Json = serde_json::from_str(&sample(name)).unwrap();
    event.as_object_mut().unwrap().remove("time");
    event.to_string()
}

fn at_aws(id: &str) -> Json {
    json!({
        "Id": id, "Catalog": "Sandbox", "LastModifiedDate": "2026-03-09T01:50:00.000Z", "OpportunityType": "Net New Business",
        "PrimaryNeedsFromAws": ["Co-Sell - Deal Support"],
        "Customer": {"Account": {"CompanyName": "Nordlicht Energie", "WebsiteUrl": "nordlicht.example", "Industry": "Energy - Power and Utilities",
            "Address": {"CountryCode": "DE", "City": "Kiel"}}, "Contacts": []},
        "Project": {"Title": "Grid data lake", "CustomerBusinessProblem": "Meter data is spread over nine systems.",
            "CustomerUseCase": "Security &amp; Compliance",
            "ExpectedCustomerSpend": [{"Amount": "4200.00", "CurrencyCode": "USD", "Frequency": "Monthly", "TargetCompany": "AWS"}],
            "Unmapped": {"Kept": true}},
        "LifeCycle": {"Stage": "Qualified", "ReviewStatus": "Approved", "TargetCloseDate": "2027-01-31", "NextSteps": "Call"},
        "RelatedEntityIdentifiers": {"Solutions": ["S-0000001"]}
    })
}

fn world() -> Shared {
    let world = Shared::default();
    world.mutate(|w| {
        for id in ["O1234567", "O7654321"] {
            w.opportunities.insert(id.into(), at_aws(id));
        }
        let offer = json!({"Customer": {"CompanyName": "Sonnenhof", "WebsiteUrl": "sonnenhof.example", "Industry": "Agriculture", "CountryCode": "AT"},
            "Project": {"Title": "Barn sensors", "BusinessProblem": "Cows are counted by hand each morning.", "TargetCompletionDate": "2027-02-28",
                "ExpectedCustomerSpend": [{"Amount": "90", "CurrencyCode": "USD", "Frequency": "Monthly", "TargetCompany": "AWS"}]}});
        let mut hidden = at_aws("O5000001");
        hidden["Customer"]["Contacts"] = json!([{"FirstName": "Anna", "LastName": "Huber", "Email": "anna@sonnenhof.example"}]);
        hidden["Project"]["Title"] = json!("Barn sensors");
        w.invitations.insert("engi-0123456789abc".into(), json!({"Id": "engi-0123456789abc", "Status": "PENDING",
            "PayloadType": "OpportunityInvitation", "ExpirationDate": "2026-03-24T01:50:25.685385312Z", "SenderCompanyName": "AWS",
            "Payload": {"OpportunityInvitation": offer}, "Hidden": hidden}));
    });
    world
}

fn word(disposition: &Disposition) -> String {
    match disposition {
        Disposition::Done => "done".into(),
        Disposition::Skip(reason) => format!("skip {}", reason.code()),
        Disposition::Retry(error) => format!("retry {}", error.code()),
        Disposition::Park(error) => format!("park {}: {}", error.code(), error.chain()),
    }
}

#[tokio::test]
async fn every_sample_event_ends_as_its_readme_says() {
    let world = world();
    let mut words = Vec::new();
    for name in [
        "opportunity-updated.json",
        "opportunity-updated-again.json",
        "opportunity-created.json",
        "engagement-invitation-created.json",
        "engagement-invitation-created-by-us.json",
        "engagement-created.json",
        "unknown-detail-type.json",
        "other-catalog.json",
        "no-identifier.json",
        "malformed.txt",
    ] {
        let disposition = world.rings(&sample(&format!("eventbridge/{name}"))).await;
        words.push(format!("{name}: {}", word(&disposition)));
    }
    for name in ["changed.json", "malformed.txt"] {
        words.push(format!("crm/{name}: {}", word(&world.deliver().message(&sample(&format!("crm/{name}"))).await)));
    }
    insta::assert_snapshot!(words.join("\n"));
}

#[tokio::test]
async fn a_ring_that_says_nothing_new_writes_nothing() {
    let world = world();
    let ring = fresh("eventbridge/opportunity-updated.json");
    assert!(matches!(world.rings(&ring).await, Disposition::Done));
    assert_eq!(world.crm_text("006000000000000001", "Name").as_deref(), Some("Grid data lake"));
    assert_eq!(world.crm_text("006000000000000001", "ACE_Use_Case__c").as_deref(), Some("Security & Compliance"));
    assert_eq!(world.crm_text("006000000000000001", "AWS_Stage__c").as_deref(), Some("Engaged"));
    world.mutate(|w| w.calls.clear());
    assert!(matches!(world.rings(&ring).await, Disposition::Skip(SkipReason::Unchanged)));
    assert_eq!(world.mutate(|w| w.calls.clone()), ["GetOpportunity", "GetAwsOpportunitySummary", "fetch", "save"]);
}

/// The shipped mapping with the customer in a related account.
fn with_accounts(write: &str, more: &str) -> String {
    let text = include_str!("../../cosell-mapping/presets/salesforce.toml");
    let related = format!(
        "[opportunity.related.Account]\nobject = \"Account\"\nlookup = \"AccountId\"\nwrite = \"{write}\"\n{more}\n\n[opportunity.fields]"
    );
    text.replace(
        "customerCompanyName = \"ACE_Customer_Name__c\"",
        "customerCompanyName = { crm = \"Account.Name\", direction = \"both\" }",
    )
    .replace(
        "customerWebsite = \"ACE_Customer_Website__c\"",
        "customerWebsite = { crm = \"Account.Website\", direction = \"both\" }",
    )
    .replace("[opportunity.fields]", &related)
}

#[tokio::test]
async fn a_new_record_finds_or_makes_its_account() {
    let ring = fresh("eventbridge/opportunity-updated.json");
    let account_of = |world: &Shared| {
        let row = world.mutate(|w| w.crm.iter().find(|(_, (kind, _))| kind == "Opportunity").map(|(id, _)| id.clone()));
        world.crm_text(&row.unwrap(), "AccountId")
    };
    let known = |world: &Shared| {
        world.rep_edits("Account", "001A", &[("Name", json!("Nordlicht Energie")), ("Website", json!("old.example"))]);
        world.rep_edits("Account", "001B", &[("Name", json!("Somebody")), ("Type", json!("Prospect"))]);
    };
    for (write, more, with_known, expected) in [
        ("create", "match = [\"Name\"]", true, Some("001A")),
        ("create", "match = [\"Name\"]\ntemplate = \"001B\"\ndefaults = { Industry = \"Energy\" }", false, None),
        ("update", "match = [\"Name\"]\ndefault = \"001B\"", true, Some("001A")),
        ("update", "match = [\"Website\"]\ndefault = \"001B\"", true, Some("001B")),
        ("update", "", true, None),
    ] {
        let world = world();
        known(&world);
        if !with_known {
            world.mutate(|w| w.crm.remove("001A"));
        }
        world.mutate(|w| {
            w.mapping = Some(with_accounts(write, more));
            w.opportunities.get_mut("O1234567").unwrap()["Customer"]["Account"]["CompanyName"] =
                json!("Nordlicht Energie");
        });
        assert!(matches!(world.rings(&ring).await, Disposition::Done), "{write} {more}");
        let account = account_of(&world);
        if let Some(expected) = expected {
            assert_eq!(account.as_deref(), Some(expected), "{write} {more}");
        } else if write == "create" {
            let made = account.unwrap();
            assert_eq!(
                world.crm_text(&made, "Name").as_deref(),
                Some("Nordlicht Energie"),
                "AWS's value before the template's"
            );
            assert_eq!(world.crm_text(&made, "Type").as_deref(), Some("Prospect"), "a copy of the template");
            assert_eq!(world.crm_text(&made, "Industry").as_deref(), Some("Energy"));
        } else {
            assert_eq!(account, None, "nothing says which");
        }
        world.mutate(|w| w.calls.clear());
        assert!(matches!(world.rings(&ring).await, Disposition::Skip(SkipReason::Unchanged)), "{write} {more}");
        assert!(!world.mutate(|w| w.calls.clone()).iter().any(|call| call == "create" || call == "find"));
    }
}

#[tokio::test]
async fn an_arrival_that_is_cut_anywhere_ends_as_one_deal_with_one_account() {
    let ring = fresh("eventbridge/opportunity-updated.json");
    let arriving = || {
        let world = world();
        world.mutate(|w| w.mapping = Some(with_accounts("create", "match = [\"Name\"]")));
        world
    };
    let calls = {
        let world = arriving();
        world.rings(&ring).await;
        world.mutate(|w| w.calls.len())
    };
    for (nth, carried_out) in (0..calls).flat_map(|nth| [(nth, false), (nth, true)]) {
        let world = arriving();
        world.mutate(|w| w.lost = Some((nth, carried_out)));
        until_settled(async || world.rings(&ring).await).await;
        let kinds = world.mutate(|w| w.crm.values().map(|(kind, _)| kind.clone()).collect::<Vec<_>>());
        assert_eq!(kinds, ["Account", "Opportunity"], "call {nth} lost, carried out: {carried_out}");
    }
}

#[tokio::test]
async fn a_changed_customer_reaches_the_account_that_the_deal_has() {
    let world = world();
    world.mutate(|w| w.mapping = Some(with_accounts("update", "match = [\"Name\"]")));
    world.rep_edits("Account", "001A", &[("Name", json!("Old name")), ("Website", json!("old.example"))]);
    let ring = fresh("eventbridge/opportunity-updated.json");
    world.rings(&ring).await;
    let deal =
        world.mutate(|w| w.crm.iter().find(|(_, (kind, _))| kind == "Opportunity").map(|(id, _)| id.clone())).unwrap();
    world.rep_edits("Opportunity", &deal, &[("AccountId", json!("001A"))]);
    world.aws_edits("O1234567", "/Customer/Account/WebsiteUrl", json!("new.example"));
    assert!(matches!(world.rings(&ring).await, Disposition::Done));
    assert_eq!(world.crm_text("001A", "Website").as_deref(), Some("new.example"));
    assert!(world.mutate(|w| w.crm[&deal].1.keys().all(|name| !name.contains('.'))), "paths are no fields");
}

#[tokio::test]
async fn a_new_record_is_a_copy_of_the_template() {
    let world = world();
    let text = include_str!("../../cosell-mapping/presets/salesforce.toml");
    world.mutate(|w| w.mapping = Some(text.replace("share = ", "template = \"006T\"\nshare = ")));
    world.rep_edits(
        "Opportunity",
        "006T",
        &[("Name", json!("Template")), ("RecordTypeId", json!("012A")), ("StageName", json!("Won"))],
    );
    assert!(matches!(world.rings(&fresh("eventbridge/opportunity-updated.json")).await, Disposition::Done));
    let deal = world.mutate(|w| w.crm.keys().find(|id| *id != "006T").cloned()).unwrap();
    assert_eq!(world.crm_text(&deal, "Name").as_deref(), Some("Grid data lake"), "AWS's value goes before");
    assert_eq!(world.crm_text(&deal, "StageName").as_deref(), Some("Prospecting"), "so does a declared default");
    assert_eq!(world.crm_text(&deal, "RecordTypeId").as_deref(), Some("012A"));
}

#[tokio::test]
async fn what_is_out_of_scope_is_left_alone_both_ways() {
    let world = world();
    let text = include_str!("../../cosell-mapping/presets/salesforce.toml");
    let scope = "dummy_ids = \"X\"\n[opportunity.only_aws]\ncountry = \"FR\"\n[opportunity.only_crm]\nRegion__c = \"EMEA\"\n\n[opportunity.status]";
    world.mutate(|w| w.mapping = Some(text.replace("[opportunity.status]", scope)));
    let ring = fresh("eventbridge/opportunity-updated.json");
    assert_eq!(word(&world.rings(&ring).await), "skip out_of_scope");
    world.mutate(|w| {
        let opportunity = w.opportunities.get_mut("O1234567").unwrap();
        opportunity["Customer"]["Account"]["Address"]["CountryCode"] = json!("FR");
        opportunity["PartnerOpportunityIdentifier"] = json!("X0001");
    });
    assert_eq!(word(&world.rings(&ring).await), "skip out_of_scope", "history");
    world.mutate(|w| w.opportunities.get_mut("O1234567").unwrap()["PartnerOpportunityIdentifier"] = Json::Null);
    assert_eq!(word(&world.rings(&ring).await), "done");

    world.rep_edits("Opportunity", "006A", &[("Share_With_AWS__c", json!(true)), ("Region__c", json!("APJ"))]);
    world.mutate(|w| w.calls.clear());
    let end = world.deliver().record(memory::opportunity("006A")).await.unwrap();
    assert_eq!(word(&end), "skip out_of_scope");
    assert_eq!(world.mutate(|w| w.calls.clone()), ["fetch"], "nothing is sent, nothing is said");
}

#[tokio::test]
async fn an_invitation_that_rings_again_is_not_written_again() {
    let world = world();
    let ring = fresh("eventbridge/engagement-invitation-created.json");
    assert!(matches!(world.rings(&ring).await, Disposition::Done));
    world.mutate(|w| w.calls.clear());
    assert!(matches!(world.rings(&ring).await, Disposition::Skip(SkipReason::Unchanged)));
    assert_eq!(world.mutate(|w| w.calls.clone()), ["GetEngagementInvitation", "fetch"]);
}

#[tokio::test]
async fn two_rings_at_the_same_moment_write_once() {
    let world = world();
    let key = cosell_sync::LinkKey::Opportunity("O1234567".parse().unwrap());
    let mut link = cosell_sync::Link::new(key);
    link.claimed_until = Some(jiff::Timestamp::MAX);
    cosell_sync::ports::Ledger::save(&world, &mut link).await.unwrap();
    let ring = fresh("eventbridge/opportunity-updated.json");
    assert_eq!(word(&world.rings(&ring).await), "retry conflict", "another function is writing it");
    assert_eq!(world.count("upsert"), 0);
    link.claimed_until = None;
    cosell_sync::ports::Ledger::save(&world, &mut link).await.unwrap();
    assert!(matches!(world.rings(&ring).await, Disposition::Done));
}

#[tokio::test]
async fn a_record_that_somebody_deleted_stays_deleted_unless_the_mapping_says_otherwise() {
    let text = include_str!("../../cosell-mapping/presets/salesforce.toml");
    let ring = fresh("eventbridge/opportunity-updated.json");
    for (policy, ends, said, left) in [
        ("report", ["skip deleted", "skip deleted"], 1, 0),
        ("unlink", ["skip deleted", "skip deleted"], 1, 0),
        ("recreate", ["done", "skip unchanged"], 0, 1),
    ] {
        let world = world();
        world.mutate(|w| w.mapping = Some(text.replace("share = ", &format!("deleted = \"{policy}\"\nshare = "))));
        world.rings(&ring).await;
        world.mutate(|w| {
            w.crm.clear();
            w.log.clear();
        });
        world.aws_edits("O1234567", "/LifeCycle/NextSteps", json!("Meet"));
        let first = word(&world.rings(&ring).await);
        assert_eq!([first, word(&world.rings(&ring).await)], ends, "{policy}");
        assert_eq!(world.mutate(|w| w.crm.len()), left, "{policy}");
        let errors = || world.mutate(|w| w.log.iter().filter(|entry| entry.status == Status::Error).count());
        assert_eq!(errors(), said, "{policy}: once a change of AWS's");
        world.aws_edits("O1234567", "/LifeCycle/NextSteps", json!("Meet again"));
        world.rings(&ring).await;
        assert_eq!(errors(), if policy == "report" { 2 } else { said }, "{policy}");
        if policy == "recreate" {
            let id = world.mutate(|w| w.crm.keys().next().cloned()).unwrap();
            assert_eq!(
                world.crm_text(&id, "Name").as_deref(),
                Some("Grid data lake"),
                "everything, not the change alone"
            );
        }
    }
}

#[tokio::test]
async fn an_incomplete_share_costs_no_call_and_says_what_is_missing() {
    let world = world();
    world.rep_edits("Opportunity", "006A", &[("Share_With_AWS__c", json!(true)), ("Name", json!("Too little"))]);
    let disposition = world.deliver().record(memory::opportunity("006A")).await.unwrap();
    assert!(matches!(disposition, Disposition::Skip(SkipReason::Rejected)));
    insta::assert_snapshot!(world.crm_text("006A", "ACE_Sync_Message__c").unwrap());
    assert_eq!(world.count("CreateOpportunity"), 0);
    world.mutate(|w| w.calls.clear());
    world.deliver().record(memory::opportunity("006A")).await.unwrap();
    assert_eq!(world.mutate(|w| w.calls.clone()), ["fetch"], "what the record says already is not written again");
}

/// Runs `work` until it ends without a retry; each attempt is a new function instance.
async fn until_settled(work: impl AsyncFn() -> Disposition) -> Disposition {
    for _ in 0..5 {
        match work().await {
            Disposition::Retry(_) => {}
            other => return other,
        }
    }
    panic!("it never settled");
}

#[test]
fn events_about_one_record_are_told_from_others() {
    let reader = world().reader();
    let subject = |name: &str| reader.subject(&sample(&format!("eventbridge/{name}")));
    assert_eq!(subject("opportunity-updated.json").as_deref(), Some("Sandbox/O1234567"));
    assert_eq!(subject("opportunity-updated-again.json"), subject("opportunity-updated.json"));
    assert_ne!(subject("other-catalog.json"), subject("opportunity-updated.json"));
    for alone in ["engagement-created.json", "unknown-detail-type.json", "no-identifier.json", "malformed.txt"] {
        assert_eq!(subject(alone), None, "{alone}");
    }
}

#[tokio::test]
async fn a_deal_that_both_had_before_is_not_made_a_second_time() {
    let ring = fresh("eventbridge/opportunity-updated.json");
    for (ace_id, carried, expected) in [
        (Json::Null, "006A", vec!["006A"]),
        (json!("O1234567"), "006A", vec!["006A"]),
        // It belongs to another opportunity, or there is none of this name.
        (json!("O7777777"), "006A", vec!["006000000000000002", "006A"]),
        (Json::Null, "deal 17", vec!["006000000000000002", "006A"]),
    ] {
        let world = world();
        world.rep_edits("Opportunity", "006A", &[("Name", json!("Grid data lake")), ("ACE_Opportunity_Id__c", ace_id)]);
        world.mutate(|w| {
            w.opportunities.get_mut("O1234567").unwrap()["PartnerOpportunityIdentifier"] = json!(carried);
        });
        assert_eq!(word(&world.rings(&ring).await), "done");
        assert_eq!(world.mutate(|w| w.crm.keys().cloned().collect::<Vec<_>>()), expected, "{carried}");
        if expected.len() == 1 {
            assert_eq!(world.crm_text("006A", "ACE_Opportunity_Id__c").as_deref(), Some("O1234567"));
            assert_eq!(world.crm_text("006A", "ACE_Use_Case__c").as_deref(), Some("Security & Compliance"));
        }
        assert_eq!(word(&world.rings(&ring).await), "skip unchanged");
    }
}

#[tokio::test]
async fn what_the_rep_mends_after_a_refused_submission_goes_before_the_next_one() {
    let world = world();
    world.mutate(|w| w.refused_use_case = Some("Containers & Serverless".to_owned()));
    world.rep_edits("Opportunity", "006A", &memory::shareable());
    let share = async || word(&world.deliver().record(memory::opportunity("006A")).await.unwrap());
    assert_eq!(share().await, "skip rejected");
    assert_eq!(world.crm_text("006A", "ACE_Sync_Status__c").as_deref(), Some("Error"));
    assert_eq!((world.count("CreateOpportunity"), world.count("UpdateOpportunity")), (1, 0));

    world.rep_edits(
        "Opportunity",
        "006A",
        &[("ACE_Use_Case__c", json!("Database")), ("ACE_Primary_Needs__c", json!(null))],
    );
    world.mutate(|w| w.calls.clear());
    assert_eq!(share().await, "done");
    insta::assert_snapshot!(world.mutate(|w| w.calls.join("\n")));
    world.mutate(|w| {
        let opportunity = &w.opportunities["O9000003"];
        assert_eq!(opportunity["Project"]["CustomerUseCase"], "Database");
        assert_eq!(opportunity["LifeCycle"]["ReviewStatus"], "Submitted");
        let involvements: Vec<_> = w.submissions.values().map(|(involvement, _)| involvement.as_str()).collect();
        assert_eq!(w.submissions.len(), 2, "a new token, as AWS would repeat the refusal under the old one");
        assert!(involvements.contains(&"Co-Sell") && involvements.contains(&"For Visibility Only"));
    });
    assert_eq!(world.crm_text("006A", "ACE_Sync_Status__c").as_deref(), Some("Synced"));
}

#[tokio::test]
async fn a_share_that_is_cut_anywhere_ends_as_one_opportunity() {
    let calls = {
        let world = world();
        world.rep_edits("Opportunity", "006A", &memory::shareable());
        assert!(matches!(world.deliver().record(memory::opportunity("006A")).await.unwrap(), Disposition::Done));
        assert_eq!(world.crm_text("006A", "ACE_Opportunity_Id__c").as_deref(), Some("O9000003"));
        assert_eq!(world.crm_text("006A", "ACE_Review_Status__c").as_deref(), Some("Submitted"));
        assert_eq!(world.crm_text("006A", "ACE_Sync_Status__c").as_deref(), Some("Synced"));
        insta::assert_snapshot!(world.mutate(|w| w.calls.join("\n")));
        world.mutate(|w| w.calls.len())
    };
    for (nth, carried_out) in (0..calls).flat_map(|nth| [(nth, false), (nth, true)]) {
        let world = world();
        world.rep_edits("Opportunity", "006A", &memory::shareable());
        world.mutate(|w| w.lost = Some((nth, carried_out)));
        let message = r#"{"object":"Opportunity","id":"006A","modified_at":"x"}"#;
        until_settled(async || world.deliver().message(message).await).await;
        // The events of our own calls ring too.
        let ring = fresh("eventbridge/opportunity-created.json").replace("O7654321", "O9000003");
        until_settled(async || world.rings(&ring).await).await;
        let case = format!("call {nth} lost, carried out: {carried_out}");
        world.mutate(|w| {
            let ours: Vec<_> =
                w.opportunities.values().filter(|o| o["Project"]["Title"] == "Harbour analytics").collect();
            assert_eq!(ours.len(), 1, "{case}");
            assert_eq!(ours[0]["LifeCycle"]["ReviewStatus"], "Submitted", "{case}");
            assert_eq!(ours[0]["RelatedEntityIdentifiers"]["Solutions"], json!(["S-0000001", "S-0000002"]), "{case}");
            assert_eq!(w.crm.len(), 1, "{case}");
        });
        assert_eq!(world.crm_text("006A", "ACE_Opportunity_Id__c").as_deref(), Some("O9000003"), "{case}");
    }
}

#[tokio::test]
async fn an_event_between_a_share_and_its_next_attempt_takes_nothing_away() {
    let calls = {
        let world = world();
        world.rep_edits("Opportunity", "006A", &memory::shareable());
        world.deliver().record(memory::opportunity("006A")).await.unwrap();
        world.mutate(|w| w.calls.len())
    };
    for (nth, carried_out) in (0..calls).flat_map(|nth| [(nth, false), (nth, true)]) {
        let world = world();
        world.rep_edits("Opportunity", "006A", &memory::shareable());
        let solutions = world.mutate(|w| w.crm["006A"].1["ACE_Solutions__c"].clone());
        world.mutate(|w| w.lost = Some((nth, carried_out)));
        let message = r#"{"object":"Opportunity","id":"006A","modified_at":"x"}"#;
        world.deliver().message(message).await;
        let ring = fresh("eventbridge/opportunity-created.json").replace("O7654321", "O9000003");
        if world.mutate(|w| w.opportunities.contains_key("O9000003")) {
            until_settled(async || world.rings(&ring).await).await;
        }
        let case = format!("call {nth} lost, carried out: {carried_out}");
        assert_eq!(world.mutate(|w| w.crm["006A"].1["ACE_Solutions__c"].clone()), solutions, "{case}");
        until_settled(async || world.deliver().message(message).await).await;
        world.mutate(|w| {
            let associated = &w.opportunities["O9000003"]["RelatedEntityIdentifiers"]["Solutions"];
            assert_eq!(*associated, json!(["S-0000001", "S-0000002"]), "{case}");
            assert_eq!(w.opportunities["O9000003"]["LifeCycle"]["ReviewStatus"], "Submitted", "{case}");
        });
    }
}

#[tokio::test]
async fn edits_on_both_sides_survive_and_nothing_else_is_touched() {
    let world = world();
    let ring = fresh("eventbridge/opportunity-updated.json");
    world.rings(&ring).await;
    let id = "006000000000000001";
    world.rep_edits(
        "Opportunity",
        id,
        &[("NextStep", json!("Send the offer")), ("ACE_Customer_City__c", json!("Flensburg"))],
    );
    world.aws_edits("O1234567", "/LifeCycle/TargetCloseDate", json!("2027-02-15"));
    assert!(matches!(world.deliver().record(memory::opportunity(id)).await.unwrap(), Disposition::Done));
    world.rings(&ring).await;
    world.mutate(|w| {
        let opportunity = &w.opportunities["O1234567"];
        assert_eq!(opportunity["LifeCycle"]["NextSteps"], "Send the offer");
        assert_eq!(opportunity["LifeCycle"]["TargetCloseDate"], "2027-02-15");
        assert_eq!(opportunity["Customer"]["Account"]["Address"]["City"], "Flensburg");
        assert_eq!(
            opportunity["Project"]["Unmapped"],
            json!({"Kept": true}),
            "what is not mapped goes back as it came"
        );
        assert_eq!(opportunity["Project"]["CustomerUseCase"], "Security & Compliance");
    });
    assert_eq!(world.crm_text(id, "CloseDate").as_deref(), Some("2027-02-15"));
    assert_eq!(world.crm_text(id, "NextStep").as_deref(), Some("Send the offer"));
    world.mutate(|w| w.calls.clear());
    assert!(matches!(
        world.deliver().record(memory::opportunity(id)).await.unwrap(),
        Disposition::Skip(SkipReason::Unchanged)
    ));
    assert_eq!(world.count("UpdateOpportunity"), 0, "the echo of our own writes is not sent");
}

/// A write of which nobody knows whether it arrived is not the other side's edit: the next edit of the same field is no
/// conflict with it.
#[tokio::test]
async fn a_later_edit_survives_the_echo_of_an_earlier_one_whose_delivery_was_cut_anywhere() {
    let ring = fresh("eventbridge/opportunity-updated.json");
    let id = "006000000000000001";
    // AWS wins a conflict over the city, the CRM one over the next step.
    let by_rep = |world: &Shared, city| world.rep_edits("Opportunity", id, &[("ACE_Customer_City__c", json!(city))]);
    let by_aws = |world: &Shared, step| world.aws_edits("O1234567", "/LifeCycle/NextSteps", json!(step));
    let deliver = async |world: &Shared| world.deliver().record(memory::opportunity(id)).await.into();
    for (nth, carried_out) in (0..8).flat_map(|nth| [(nth, false), (nth, true)]) {
        let case = format!("call {nth} lost, carried out: {carried_out}");
        let world = world();
        world.rings(&ring).await;
        by_rep(&world, "First");
        world.mutate(|w| w.lost = Some((nth, carried_out)));
        let _: Disposition = deliver(&world).await;
        by_rep(&world, "Second");
        world.mutate(|w| w.lost = None);
        until_settled(async || world.rings(&ring).await).await;
        until_settled(async || deliver(&world).await).await;
        until_settled(async || world.rings(&ring).await).await;
        assert_eq!(world.crm_text(id, "ACE_Customer_City__c").as_deref(), Some("Second"), "to AWS, {case}");
        world.mutate(|w| {
            assert_eq!(w.opportunities["O1234567"]["Customer"]["Account"]["Address"]["City"], "Second", "{case}");
        });

        by_aws(&world, "First");
        world.mutate(|w| w.lost = Some((nth, carried_out)));
        world.rings(&ring).await;
        by_aws(&world, "Second");
        world.mutate(|w| w.lost = None);
        until_settled(async || deliver(&world).await).await;
        until_settled(async || world.rings(&ring).await).await;
        until_settled(async || deliver(&world).await).await;
        assert_eq!(world.crm_text(id, "NextStep").as_deref(), Some("Second"), "from AWS, {case}");
        world.mutate(|w| assert_eq!(w.opportunities["O1234567"]["LifeCycle"]["NextSteps"], "Second", "{case}"));
    }
}

#[tokio::test]
async fn an_edit_that_aws_would_refuse_is_said_and_not_sent() {
    let world = world();
    let ring = fresh("eventbridge/opportunity-updated.json");
    world.rings(&ring).await;
    let id = "006000000000000001";
    let edits = [("ACE_Monthly_Revenue__c", json!(0)), ("NextStep", json!("Send the offer"))];
    world.rep_edits("Opportunity", id, &edits);
    let disposition = world.deliver().record(memory::opportunity(id)).await.unwrap();
    assert!(matches!(disposition, Disposition::Skip(SkipReason::Rejected)));
    assert_eq!(
        world.crm_text(id, "ACE_Sync_Message__c").as_deref(),
        Some(
            "Not sent to AWS, some fields are not as AWS takes them:\n\
             - ACE_Monthly_Revenue__c (expectedMonthlyAwsRevenue): AWS wants an amount greater than 0: correct it"
        )
    );
    assert_eq!(world.count("UpdateOpportunity"), 0);
}

#[tokio::test]
async fn what_aws_does_not_take_now_waits_and_what_it_never_takes_is_said() {
    let world = world();
    let ring = fresh("eventbridge/opportunity-updated.json");
    world.aws_edits("O1234567", "/LifeCycle/ReviewStatus", json!("Submitted"));
    world.rings(&ring).await;
    let id = "006000000000000001";
    world.rep_edits("Opportunity", id, &[("NextStep", json!("Send the offer")), ("Name", json!("Another title"))]);
    assert!(matches!(
        world.deliver().record(memory::opportunity(id)).await.unwrap(),
        Disposition::Skip(SkipReason::HeldBack)
    ));
    insta::assert_snapshot!(world.crm_text(id, "ACE_Sync_Message__c").unwrap());
    assert_eq!(
        world.crm_text(id, "ACE_Pending__c").as_deref(),
        Some("nextStep"),
        "what is closed for good waits for nothing"
    );
    assert_eq!(world.count("UpdateOpportunity"), 0);
    world.aws_edits("O1234567", "/LifeCycle/ReviewStatus", json!("Approved"));
    world.rings(&ring).await;
    assert!(matches!(world.deliver().record(memory::opportunity(id)).await.unwrap(), Disposition::Done));
    world.mutate(|w| {
        assert_eq!(w.opportunities["O1234567"]["LifeCycle"]["NextSteps"], "Send the offer");
        assert_eq!(w.opportunities["O1234567"]["Project"]["Title"], "Grid data lake");
        assert_eq!(w.log.last().unwrap().status, Status::Partial);
    });
    assert_eq!(world.crm_text(id, "ACE_Pending__c"), None);
}

#[tokio::test]
async fn an_accepted_referral_becomes_the_same_record_unmasked() {
    for event_first in [false, true] {
        let world = world();
        world.rings(&fresh("eventbridge/engagement-invitation-created.json")).await;
        let id = "006000000000000001";
        assert_eq!(world.crm_text(id, "ACE_Referral_Status__c").as_deref(), Some("Pending"));
        assert_eq!(world.crm_text(id, "ACE_Accept_By__c").as_deref(), Some("2026-03-24T01:50:25Z"));
        assert_eq!(world.crm_text(id, "ACE_Contact_Email__c"), None);
        world.rep_edits("Opportunity", id, &[("ACE_Response__c", json!("Accept"))]);
        if event_first {
            // The event of the new opportunity overtakes the answer to our own call.
            let id = "engi-0123456789abc".parse().unwrap();
            cosell_sync::ports::PartnerCentral::accept(&world, &id, "t").await.unwrap();
            let ring = fresh("eventbridge/opportunity-created.json").replace("O7654321", "O5000001");
            world.rings(&ring).await;
        }
        let message = format!(r#"{{"object":"Opportunity","id":"{id}","modified_at":"x"}}"#);
        until_settled(async || world.deliver().message(&message).await).await;
        assert_eq!(world.mutate(|w| w.crm.len()), 1, "event first: {event_first}");
        assert_eq!(world.crm_text(id, "ACE_Referral_Status__c").as_deref(), Some("Accepted"));
        assert_eq!(world.crm_text(id, "ACE_Contact_Email__c").as_deref(), Some("anna@sonnenhof.example"));
        assert_eq!(world.crm_text(id, "ACE_Opportunity_Id__c").as_deref(), Some("O5000001"));
    }
}

#[tokio::test]
async fn a_referral_that_somebody_accepts_at_aws_says_so_in_whatever_order_its_events_come() {
    let accepted = fresh("eventbridge/engagement-invitation-created.json").replace("Created", "Accepted");
    let created = fresh("eventbridge/opportunity-created.json").replace("O7654321", "O5000001");
    for rings in [[&accepted, &created], [&created, &accepted]] {
        let world = world();
        world.rings(&fresh("eventbridge/engagement-invitation-created.json")).await;
        let id = "engi-0123456789abc".parse().unwrap();
        cosell_sync::ports::PartnerCentral::accept(&world, &id, "not ours").await.unwrap();
        for ring in rings {
            until_settled(async || world.rings(ring).await).await;
        }
        let record = "006000000000000001";
        assert_eq!(world.mutate(|w| w.crm.len()), 1);
        assert_eq!(world.crm_text(record, "ACE_Referral_Status__c").as_deref(), Some("Accepted"));
        assert_eq!(world.crm_text(record, "ACE_Opportunity_Id__c").as_deref(), Some("O5000001"));
    }
}

#[tokio::test]
async fn a_rejected_referral_says_so() {
    let world = world();
    world.rings(&fresh("eventbridge/engagement-invitation-created.json")).await;
    let id = "006000000000000001";
    world.rep_edits("Opportunity", id, &[("ACE_Response__c", json!("Reject"))]);
    assert!(matches!(world.deliver().record(memory::opportunity(id)).await.unwrap(), Disposition::Done));
    assert_eq!(world.crm_text(id, "ACE_Referral_Status__c").as_deref(), Some("Rejected"));
    world.mutate(|w| w.calls.clear());
    world.deliver().record(memory::opportunity(id)).await.unwrap();
    assert_eq!(world.count("RejectEngagementInvitation"), 0);
}

async fn settle(world: &Shared, name: &str, folder: &str) -> Disposition {
    let key = format!("landing/{folder}/v1/{name}");
    world.mutate(|w| {
        let content = sample(&format!("files/{name}")).into_bytes();
        w.files.insert(format!("{folder}/{name}"), content.clone());
        w.files.insert(key.clone(), content);
    });
    let event = sample("s3/object-created.json").replace(
        "landing/opportunity-outbound/5d41402abc4b2a76b9719d911017c592/opportunities_03092026020000.json",
        &key,
    );
    until_settled(async || world.settle().event(&event).await).await
}

#[tokio::test]
async fn files_are_settled_record_by_record_and_then_removed() {
    let world = world();
    assert!(matches!(settle(&world, "leads.json", "lead-outbound").await, Disposition::Done));
    assert!(matches!(settle(&world, "opportunities.json", "opportunity-outbound").await, Disposition::Done));
    let one_bad = settle(&world, "one-without-identifier.json", "opportunity-outbound").await;
    assert!(matches!(one_bad, Disposition::Done));
    world.mutate(|w| {
        assert_eq!(w.files.len(), 0, "{:?}", w.files.keys());
        let mut names: Vec<_> = w
            .crm
            .values()
            .filter_map(|(kind, f)| f.get(if kind == "Lead" { "Company" } else { "Name" })?.as_text())
            .collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "Fjordkraft Analyse AS",
                "Good neighbour",
                "Order system move",
                "Shown after acceptance",
                "Stock forecast"
            ]
        );
        let refused: Vec<_> =
            w.log.iter().filter(|entry| entry.status == Status::Error).map(|entry| &entry.message).collect();
        assert_eq!(refused, ["a opportunity without a usable identifier"]);
    });
}

#[tokio::test]
async fn a_file_that_is_none_stays_with_aws() {
    let world = world();
    let disposition = settle(&world, "not-json.txt", "opportunity-outbound").await;
    assert!(matches!(&disposition, Disposition::Park(SyncError::File { .. })), "{disposition:?}");
    world.mutate(|w| {
        assert!(w.files.contains_key("opportunity-outbound/not-json.txt"));
        assert_eq!(w.file_states["opportunity-outbound/not-json.txt@v1"], FileState::Unusable);
    });
}

#[tokio::test]
async fn a_file_that_is_cut_anywhere_is_settled_once() {
    let calls = {
        let world = world();
        settle(&world, "opportunities.json", "opportunity-outbound").await;
        world.mutate(|w| w.calls.len())
    };
    for (nth, carried_out) in (0..calls).flat_map(|nth| [(nth, false), (nth, true)]) {
        let world = world();
        world.mutate(|w| w.lost = Some((nth, carried_out)));
        settle(&world, "opportunities.json", "opportunity-outbound").await;
        world.mutate(|w| {
            assert_eq!(w.crm.len(), 2, "call {nth}");
            assert!(!w.files.contains_key("opportunity-outbound/opportunities.json"), "call {nth}");
        });
    }
}

struct Collect<'w>(&'w Shared);

#[async_trait::async_trait]
impl Queue for Collect<'static> {
    async fn send(&self, messages: &[Message]) -> PortResult<()> {
        self.0.mutate(|w| w.calls.extend(messages.iter().map(|message| message.body.clone())));
        Ok(())
    }
}

#[tokio::test]
async fn reconciliation_rings_for_what_no_event_brought() {
    let world: &'static Shared = Box::leak(Box::new(world()));
    let id: OpportunityId = "O1234567".parse().unwrap();
    world.reader().opportunity(&id, cosell_sync::log::Purpose::Event).await.unwrap();
    let reconcile = Reconcile {
        partner_central: Box::new(world.clone()),
        ledger: Box::new(world.clone()),
        sync_log: Box::new(world.clone()),
        to_aws: Box::new(world.clone()),
        opportunities: Box::new(Collect(world)),
        invitations: Box::new(Collect(world)),
        catalog: Catalog::Sandbox,
        mapping: Mapping::parse(memory::MAPPING).unwrap(),
        now: || "2026-03-10T00:00:00Z".parse().unwrap(),
    };
    world.mutate(|w| w.calls.clear());
    let found = reconcile.run(|| true).await.unwrap();
    assert_eq!((found.opportunities, found.opportunities_missed, found.invitations_missed), (2, 1, 1));
    let rings: Vec<String> = world.mutate(|w| w.calls.iter().filter(|call| call.starts_with('{')).cloned().collect());
    for ring in &rings {
        assert!(matches!(world.rings(ring).await, Disposition::Done), "{ring}");
    }
    let again = reconcile.run(|| true).await.unwrap();
    assert_eq!((again.opportunities_missed, again.invitations_missed), (0, 0));

    // What was refused, or was deleted in the CRM, was not missed.
    world.aws_edits("O1234567", "/LifeCycle/NextSteps", json!("Refused"));
    world.aws_edits("O7654321", "/LifeCycle/NextSteps", json!("Deleted"));
    let row = world.mutate(|w| {
        w.refused_value = Some(("NextStep".into(), "Refused".into()));
        let named = |fields: &cosell_sync::ports::CrmFields| fields.get("ACE_Opportunity_Id__c").cloned();
        let second = Some(cosell_mapping::CrmValue::Text("O7654321".into()));
        w.crm.iter().find(|(_, (_, fields))| named(fields) == second).unwrap().0.clone()
    });
    world.rep_deletes(&row);
    for (id, end) in [("O1234567", "skip rejected"), ("O7654321", "skip deleted")] {
        let ring = fresh("eventbridge/opportunity-updated.json").replace("O1234567", id);
        assert_eq!(word(&world.rings(&ring).await), end);
    }
    assert_eq!(reconcile.run(|| true).await.unwrap().opportunities_missed, 0);
    world.aws_edits("O7654321", "/LifeCycle/NextSteps", json!("Nobody rang"));
    assert_eq!(reconcile.run(|| true).await.unwrap().opportunities_missed, 1);
}

/// What was told on the bus, each with the members of its detail that are its own.
fn told(world: &Shared) -> Vec<String> {
    let common = ["schemaVersion", "catalog", "at", "kind", "aceId", "invitationId", "crmObject", "crmId", "fields"];
    let shown = |event: &cosell_sync::notice::Event| {
        let own = event.detail.as_object().unwrap().iter().filter(|(name, _)| !common.contains(&name.as_str()));
        let own: Vec<String> = own.map(|(name, value)| format!("{name}={value}")).collect();
        format!("{} {}", event.detail_type, own.join(" ")).trim_end().to_owned()
    };
    world.mutate(|w| std::mem::take(&mut w.told).iter().map(shown).collect())
}

#[tokio::test]
async fn a_ring_that_came_before_we_last_asked_costs_no_read() {
    let world = world();
    let ring = |time: &str| {
        let mut event: Json = serde_json::from_str(&sample("eventbridge/opportunity-updated.json")).unwrap();
        event["time"] = json!(time);
        event.to_string()
    };
    assert!(matches!(world.rings(&ring("2026-03-09T01:50:25Z")).await, Disposition::Done));
    world.mutate(|w| w.calls.clear());
    // Our clock stands in 2027.
    for late in ["2026-03-09T01:50:25Z", "2026-03-09T01:40:00Z"] {
        let end = world.rings(&ring(late)).await;
        assert!(matches!(end, Disposition::Skip(SkipReason::AlreadyRead)), "{}", word(&end));
    }
    assert_eq!(world.count("GetOpportunity"), 0);
    world.aws_edits("O1234567", "/Project/Title", json!("Grid data ocean"));
    assert!(matches!(world.rings(&ring("2099-03-09T01:40:00Z")).await, Disposition::Done), "a ring from after it");
}

#[tokio::test]
async fn a_review_is_told_and_what_waited_for_it_goes() {
    let world = world();
    let ring = fresh("eventbridge/opportunity-updated.json");
    world.aws_edits("O1234567", "/LifeCycle/ReviewStatus", json!("Submitted"));
    world.rings(&ring).await;
    let id = "006000000000000001";
    assert_eq!(told(&world), ["Opportunity Synced direction=\"from_aws\""], "the first look at a review is no news");

    world.rep_edits("Opportunity", id, &[("ACE_Business_Problem__c", json!("Meter data is spread over ten systems."))]);
    world.rings(&ring).await;
    assert!(world.mutate(|w| w.to_aws.is_empty()), "AWS takes nothing while it reviews");

    world.mutate(|w| {
        w.opportunities.get_mut("O1234567").unwrap()["LifeCycle"]["ReviewComments"] = json!("How many meters?");
    });
    world.aws_edits("O1234567", "/LifeCycle/ReviewStatus", json!("Action Required"));
    world.rings(&ring).await;
    assert_eq!(
        told(&world),
        [
            "Review Status Changed previous=\"Submitted\" reviewStatus=\"Action Required\"",
            "Action Required",
            "Opportunity Synced direction=\"from_aws\""
        ]
    );
    assert_eq!(world.crm_text(id, "ACE_Sync_Status__c").as_deref(), Some("Action Required"));
    assert!(world.crm_text(id, "ACE_Sync_Message__c").unwrap().ends_with("How many meters?"));
    let sent = world.mutate(|w| std::mem::take(&mut w.to_aws));
    assert_eq!(sent.len(), 1, "the edit that waited goes now");
    assert!(matches!(world.deliver().message(&sent[0].body).await, Disposition::Done));
    let problem = world.mutate(|w| w.opportunities["O1234567"]["Project"]["CustomerBusinessProblem"].clone());
    assert_eq!(problem, json!("Meter data is spread over ten systems."));
    world.rings(&ring).await;
    assert!(world.mutate(|w| w.to_aws.is_empty()), "nothing is left to do");
}

#[tokio::test]
async fn a_referral_is_told_once_and_again_when_its_time_is_nearly_over() {
    let world = world();
    let ring = sample("eventbridge/engagement-invitation-created.json");
    let set = |at: &str| {
        world.mutate(|w| w.invitations.get_mut("engi-0123456789abc").unwrap()["ExpirationDate"] = json!(at));
    };
    set("2099-01-01T00:00:00Z");
    world.rings(&ring).await;
    assert_eq!(told(&world)[0], "Referral Received expiresAt=\"2099-01-01T00:00:00Z\"");
    world.rings(&ring).await;
    assert!(told(&world).is_empty());
    let row = world.mutate(|w| w.crm.keys().next().cloned()).unwrap();
    let expiring = |world: &Shared| world.mutate(|w| w.crm[&row].1["ACE_Expiring__c"].is_true());
    assert!(!expiring(&world));

    set("2027-01-16T00:00:00Z");
    world.rings(&ring).await;
    assert_eq!(told(&world)[0], "Referral Expiring expiresAt=\"2027-01-16T00:00:00Z\"");
    assert!(expiring(&world));
    world.rings(&ring).await;
    assert!(told(&world).is_empty());

    world.mutate(|w| w.invitations.get_mut("engi-0123456789abc").unwrap()["Status"] = json!("EXPIRED"));
    world.rings(&ring).await;
    assert_eq!(world.crm_text(&row, "ACE_Referral_Status__c").as_deref(), Some("Expired"));
    assert!(!expiring(&world));
}

#[tokio::test]
async fn a_rule_answers_in_the_reps_place_and_says_so() {
    for (rule, answer, reason) in [
        ("answer = \"accept\"\ncountry = [\"AT\"]\nspend_to = 100", Some("Accept"), None),
        (
            "answer = \"reject\"\nreason = \"Unable to support\"\nindustry = [\"Agriculture\"]\nsender = [\"AWS\"]",
            Some("Reject"),
            Some("Unable to support"),
        ),
        ("answer = \"accept\"\ncountry = [\"AT\"]\nspend_from = 100", None, None),
        ("answer = \"accept\"\nsender = [\"Somebody\"]", None, None),
    ] {
        let world = world();
        let rules = format!("[[opportunity.referral.rules]]\nname = \"ours\"\n{rule}\n\n[opportunity.defaults]");
        world.mutate(|w| w.mapping = Some(memory::MAPPING.replace("[opportunity.defaults]", &rules)));
        world.rings(&sample("eventbridge/engagement-invitation-created.json")).await;
        let row = world.mutate(|w| w.crm.keys().next().cloned()).unwrap();
        assert_eq!(world.crm_text(&row, "ACE_Response__c").as_deref(), answer, "{rule}");
        assert_eq!(world.crm_text(&row, "ACE_Rejection_Reason__c").as_deref(), reason, "{rule}");
        let said = world.mutate(|w| w.log.iter().any(|entry| entry.message.contains("the rule `ours`")));
        assert_eq!(said, answer.is_some(), "{rule}");
        let sent = world.mutate(|w| std::mem::take(&mut w.to_aws));
        assert_eq!(sent.len(), usize::from(answer.is_some()), "{rule}");
        if let Some(message) = sent.first() {
            assert!(matches!(world.deliver().message(&message.body).await, Disposition::Done), "{rule}");
        }
        // A person who changes the answer is not overruled by the next ring.
        let world = self::world();
        world.mutate(|w| w.mapping = Some(memory::MAPPING.replace("[opportunity.defaults]", &rules)));
        world.rings(&sample("eventbridge/engagement-invitation-created.json")).await;
        world.rep_edits("Opportunity", &row, &[("ACE_Response__c", Json::Null)]);
        world.rings(&sample("eventbridge/engagement-invitation-created.json")).await;
        assert_eq!(world.crm_text(&row, "ACE_Response__c"), None, "{rule}");
    }
}

fn lead_world() -> Shared {
    let world = world();
    world.mutate(|w| {
        w.invitations.insert(
            "engi-00000000lead1".into(),
            json!({"Id": "engi-00000000lead1", "EngagementId": "eng-0123456789lead", "Status": "PENDING",
                "PayloadType": "LeadInvitation", "ExpirationDate": "2099-03-24T01:50:25Z",
                "Payload": {"LeadInvitation": {"Customer": {"CompanyName": "Bergblick", "CountryCode": "AT"},
                    "Interaction": {"ContactBusinessTitle": "CTO"}}}}),
        );
        w.engagements.insert(
            "eng-0123456789lead".into(),
            json!({"Id": "eng-0123456789lead", "ModifiedAt": "2026-03-09T01:50:25.123456789Z", "Contexts": [{"Id": "1", "Type": "Lead",
                "Payload": {"Lead": {"QualificationStatus": "Unqualified", "Customer": {"CompanyName": "Bergblick", "Address": {"CountryCode": "AT"}},
                    "Interactions": [{"Contact": {"BusinessTitle": "CTO", "Email": "mia@bergblick.example", "FirstName": "Mia", "LastName": "Berg"}}]}}}]}),
        );
    });
    world
}

fn lead_event(detail_type: &str) -> String {
    let invitation = json!({"id": "engi-00000000lead1", "participantType": "RECEIVER"});
    let engagement = json!({"engagementId": "eng-0123456789lead", "ContextTypes": ["Lead"]});
    let detail = json!({"catalog": "Sandbox", "engagementInvitation": invitation, "engagement": engagement});
    json!({"detail-type": detail_type, "detail": detail}).to_string()
}

#[tokio::test]
async fn a_lead_is_shown_accepted_and_converted() {
    let world = lead_world();
    assert!(matches!(world.rings(&lead_event("Engagement Updated")).await, Disposition::Skip(SkipReason::NotNeeded)));
    assert!(matches!(world.rings(&lead_event("Engagement Invitation Created")).await, Disposition::Done));
    let (row, kind) = world.mutate(|w| w.crm.iter().next().map(|(id, (kind, _))| (id.clone(), kind.clone()))).unwrap();
    assert_eq!(kind, "Lead");
    assert_eq!(world.crm_text(&row, "ACE_Lead_Id__c").as_deref(), Some("eng-0123456789lead"));
    assert_eq!(world.crm_text(&row, "ACE_Referral_Status__c").as_deref(), Some("Pending"));
    assert_eq!(world.crm_text(&row, "LastName").as_deref(), Some("AWS lead"), "hidden before acceptance");
    assert_eq!(told(&world)[0], "Referral Received expiresAt=\"2099-03-24T01:50:25Z\"");

    let changed = |row: &str| json!({"object": "Lead", "id": row, "modified_at": ""}).to_string();
    world.rep_edits("Lead", &row, &[("ACE_Response__c", json!("Accept"))]);
    assert!(matches!(world.deliver().message(&changed(&row)).await, Disposition::Done));
    assert_eq!(world.crm_text(&row, "ACE_Referral_Status__c").as_deref(), Some("Accepted"));
    assert_eq!(world.crm_text(&row, "LastName").as_deref(), Some("Mia Berg"));
    assert_eq!(world.count("StartEngagementByAcceptingInvitationTask"), 0, "that is for opportunities");
    assert!(matches!(world.deliver().message(&changed(&row)).await, Disposition::Skip(SkipReason::Unchanged)));

    world.rep_edits("Opportunity", "006C", &[("Name", json!("Bergblick lake")), ("ACE_Stage__c", json!("Qualified"))]);
    world.rep_edits("Lead", &row, &[("IsConverted", json!(true)), ("ConvertedOpportunityId", json!("006C"))]);
    assert!(matches!(world.deliver().message(&changed(&row)).await, Disposition::Done));
    assert_eq!(world.crm_text("006C", "ACE_Opportunity_Id__c").as_deref(), Some("O6000001"));
    assert_eq!(world.crm_text("006C", "Name").as_deref(), Some("Bergblick lake"), "AWS's draft does not overwrite it");
    assert_eq!(world.mutate(|w| w.to_aws.len()), 1, "what the rep has goes into the draft");
    assert!(matches!(world.deliver().message(&changed(&row)).await, Disposition::Skip(SkipReason::Unchanged)));
    assert_eq!(world.count("StartOpportunityFromEngagementTask"), 1);
}

#[tokio::test]
async fn a_conversion_that_loses_any_call_makes_one_opportunity() {
    for carried_out in [false, true] {
        for lost in 0.. {
            let world = lead_world();
            world.rings(&lead_event("Engagement Invitation Created")).await;
            let row = world.mutate(|w| w.crm.keys().next().cloned()).unwrap();
            let changed = json!({"object": "Lead", "id": row, "modified_at": ""}).to_string();
            world.rep_edits("Lead", &row, &[("ACE_Response__c", json!("Accept"))]);
            world.deliver().message(&changed).await;
            world.rep_edits("Opportunity", "006C", &[("Name", json!("Bergblick lake"))]);
            world.rep_edits("Lead", &row, &[("IsConverted", json!(true)), ("ConvertedOpportunityId", json!("006C"))]);
            world.mutate(|w| w.lost = Some((lost, carried_out)));
            let mut tries = 0;
            while matches!(world.deliver().message(&changed).await, Disposition::Retry(_)) {
                tries += 1;
                assert!(tries < 5, "call {lost} lost for good");
            }
            let made = world.mutate(|w| w.opportunities.keys().filter(|id| id.starts_with("O6")).count());
            assert_eq!((made, world.crm_text("006C", "ACE_Opportunity_Id__c").as_deref()), (1, Some("O6000001")));
            if world.mutate(|w| w.lost.take().is_some()) {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_sweep_finds_what_was_decided_or_changed_without_an_event() {
    struct Nowhere;
    #[async_trait::async_trait]
    impl Queue for Nowhere {
        async fn send(&self, _: &[Message]) -> PortResult<()> {
            Ok(())
        }
    }
    let world = world();
    world.rings(&fresh("eventbridge/opportunity-updated.json")).await;
    world.rings(&sample("eventbridge/engagement-invitation-created.json")).await;
    world.mutate(|w| {
        w.opportunities.remove("O7654321");
        w.invitations.get_mut("engi-0123456789abc").unwrap()["Status"] = json!("REJECTED");
    });
    let sweep = |now| Reconcile {
        partner_central: Box::new(world.clone()),
        ledger: Box::new(world.clone()),
        sync_log: Box::new(world.clone()),
        to_aws: Box::new(world.clone()),
        opportunities: Box::new(Nowhere),
        invitations: Box::new(Nowhere),
        catalog: Catalog::Sandbox,
        mapping: Mapping::parse(memory::MAPPING).unwrap(),
        now,
    };
    let found = sweep(|| "2026-03-10T00:00:00Z".parse().unwrap()).run(|| true).await.unwrap();
    assert_eq!((found.invitations_missed, found.opportunities_missed, found.refreshed), (1, 0, 0));
    let found = sweep(|| "2028-03-10T00:00:00Z".parse().unwrap()).run(|| true).await.unwrap();
    assert_eq!((found.refreshed, found.unfinished), (1, false), "long not read");
    let found = sweep(|| "2028-03-10T01:00:00Z".parse().unwrap()).run(|| true).await.unwrap();
    assert_eq!(found.refreshed, 0, "once a day");
}

#[tokio::test]
async fn a_referral_that_a_person_accepted_in_partner_central_becomes_its_opportunity() {
    let world = world();
    world.mutate(|w| {
        w.invitations.get_mut("engi-0123456789abc").unwrap()["EngagementId"] = json!("eng-0123456789abcd");
        w.opportunities.get_mut("O7654321").unwrap()["Engagement"] = json!("eng-0123456789abcd");
    });
    world.rings(&sample("eventbridge/engagement-invitation-created.json")).await;
    world.rings(&fresh("eventbridge/opportunity-created.json")).await;
    let rows = world.mutate(|w| w.crm.keys().cloned().collect::<Vec<_>>());
    assert_eq!(rows.len(), 1);
    assert_eq!(world.crm_text(&rows[0], "ACE_Opportunity_Id__c").as_deref(), Some("O7654321"));
    assert_eq!(world.crm_text(&rows[0], "ACE_Invitation_Id__c").as_deref(), Some("engi-0123456789abc"));
}

/// A mapping with a CRM field for every ACE field, of its own name.
fn every_field() -> String {
    let fields =
        cosell_model::Kind::Opportunity.fields().iter().filter(|field| field.is_writable_on(cosell_model::Wire::Api));
    let lines: Vec<String> = fields.map(|field| format!("{0} = \"F_{0}\"", field.key)).collect();
    format!(
        "version = 1\n[opportunity]\nobject = \"Opportunity\"\nace_id = \"ACE_Opportunity_Id__c\"\nshare = \"Share\"\n\
        [opportunity.status]\nsync_status = \"Status\"\nsync_message = \"Message\"\n[opportunity.fields]\n{}\n",
        lines.join("\n")
    )
}

/// A field, what is wrong with the value, and the value.
type Mistake = (&'static str, &'static str, Json);

/// A record that AWS takes, and changes of which it takes none.
fn mistakes() -> (Vec<(&'static str, Json)>, Vec<Mistake>) {
    use cosell_model::{Kind, catalog::Type};
    let sound = vec![
        ("partnerPrimaryNeedFromAws", json!("Co-Sell - Deal Support")),
        ("customerCompanyName", json!("Nordlicht Energie")),
        ("customerWebsite", json!("https://nordlicht.example")),
        ("country", json!("US")),
        ("state", json!("Washington")),
        ("postalCode", json!("98101")),
        ("industry", json!("Energy - Power and Utilities")),
        ("partnerProjectTitle", json!("Grid data lake")),
        ("projectDescription", json!("Meter data is spread over nine systems.")),
        ("useCase", json!("Database")),
        ("deliveryModel", json!("SaaS or PaaS")),
        ("salesActivities", json!("Initialized discussions with customer")),
        ("expectedMonthlyAwsRevenue", json!(4200)),
        ("targetCloseDate", json!("2027-06-30")),
        ("stage", json!("Qualified")),
        ("opportunityType", json!("Net New Business")),
        ("solutionOffered", json!("S-0000001")),
        ("doesOppBelongToNatSec", json!("No")),
        ("isOppFromMarketingActivity", json!("None")),
    ];
    let mut wrong = Vec::new();
    for field in Kind::Opportunity.fields().iter().filter(|field| field.is_writable_on(cosell_model::Wire::Api)) {
        let value = match field.ty {
            Type::Text { max } if max < 32_000 => Some(("too long", json!("x".repeat(usize::from(max) + 1)))),
            Type::Digits(_) => Some(("not digits", json!("12a"))),
            Type::Picklist(list) if !list.open => Some(("not in the list", json!("Nothing of the kind"))),
            Type::Picklists(list) if !list.open => Some(("not in the list", json!("Nothing of the kind"))),
            Type::YesNo => Some(("neither yes nor no", json!("Perhaps"))),
            Type::Email => Some(("no e-mail", json!("nobody at home"))),
            Type::Url => Some(("no address", json!("nowhere"))),
            Type::Phone => Some(("no phone number", json!("call me"))),
            Type::Identifiers(_) => Some(("no identifier", json!("no identifier at all"))),
            Type::Number { .. } => Some(("less than nothing", json!(-1))),
            Type::Date => Some(("no day", json!("next week"))),
            _ => None,
        };
        wrong.extend(value.map(|(kind, value)| (field.key, kind, value)));
    }
    for (field, kind, value) in [
        ("customerCompanyName", "missing", Json::Null),
        ("country", "missing", Json::Null),
        ("industry", "missing", Json::Null),
        ("partnerProjectTitle", "missing", Json::Null),
        ("projectDescription", "missing", Json::Null),
        ("targetCloseDate", "missing", Json::Null),
        ("useCase", "missing", Json::Null),
        ("deliveryModel", "missing", Json::Null),
        ("salesActivities", "missing", Json::Null),
        ("expectedMonthlyAwsRevenue", "missing", Json::Null),
        ("solutionOffered", "missing", Json::Null),
        ("customerWebsite", "missing", Json::Null),
        ("state", "missing in the United States", Json::Null),
        ("postalCode", "missing", Json::Null),
        ("postalCode", "of another country", json!("K1A 0B1")),
        ("state", "not as AWS spells it", json!("WA")),
        ("projectDescription", "too short", json!("Too short")),
        ("targetCloseDate", "in the past", json!("2020-01-01")),
        ("stage", "lost without a reason", json!("Closed Lost")),
        ("industry", "other without saying which", json!("Other")),
        ("doesOppBelongToNatSec", "secret and not for the government", json!("Yes")),
        ("opportunityType", "a renewal of nothing", json!("Flat Renewal")),
    ] {
        wrong.push((field, kind, value));
    }
    (sound, wrong)
}

#[tokio::test]
async fn what_aws_would_refuse_costs_no_call() {
    let (sound, wrong) = mistakes();
    let filled = |world: &Shared| {
        world.mutate(|w| w.mapping = Some(every_field()));
        let fields: Vec<(String, Json)> =
            sound.iter().map(|(key, value)| (format!("F_{key}"), value.clone())).collect();
        let fields: Vec<(&str, Json)> = fields.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        world.rep_edits("Opportunity", "006A", &fields);
        world.rep_edits("Opportunity", "006A", &[("Share", json!(true))]);
    };
    let calls = |world: &Shared| -> Vec<String> {
        let at_aws = |call: &&String| call.starts_with(|c: char| c.is_ascii_uppercase());
        world.mutate(|w| w.calls.iter().filter(at_aws).cloned().collect())
    };
    let changed = json!({"object": "Opportunity", "id": "006A", "modified_at": ""}).to_string();
    let world = self::world();
    filled(&world);
    let end = world.deliver().message(&changed).await;
    assert!(matches!(end, Disposition::Done), "the sound one: {} {:?}", word(&end), world.crm_text("006A", "Message"));
    assert!(wrong.len() >= 60, "{} kinds", wrong.len());
    for (field, kind, value) in &wrong {
        let world = self::world();
        filled(&world);
        world.rep_edits("Opportunity", "006A", &[(&format!("F_{field}"), value.clone())]);
        let end = world.deliver().message(&changed).await;
        assert!(matches!(end, Disposition::Skip(SkipReason::Rejected)), "{field} {kind}: {}", word(&end));
        assert!(calls(&world).is_empty(), "{field} {kind}: {:?}", calls(&world));
        let said = world.crm_text("006A", "Message").unwrap();
        assert!(said.contains("F_"), "{field} {kind}: {said}");
    }
}

/// What people are told on a record: its status and the message.
fn shown(world: &Shared, id: &str) -> [String; 2] {
    ["ACE_Sync_Status__c", "ACE_Sync_Message__c"].map(|field| world.crm_text(id, field).unwrap_or_default())
}

#[tokio::test]
async fn a_share_that_is_taken_back_stops_says_so_once_and_goes_on_when_it_is_given_again() {
    let text = include_str!("../../cosell-mapping/presets/salesforce.toml");
    for policy in ["stop", "go_on"] {
        let world = world();
        world.mutate(|w| w.mapping = Some(text.replace("share = ", &format!("unshared = \"{policy}\"\nshare = "))));
        world.rep_edits("Opportunity", "006A", &memory::shareable());
        assert_eq!(word(&world.deliver().record(memory::opportunity("006A")).await.unwrap()), "done");
        let ring = fresh("eventbridge/opportunity-updated.json").replace("O1234567", "O9000003");
        world.aws_edits("O9000003", "/LifeCycle/ReviewStatus", json!("Approved"));
        world.rings(&ring).await;

        let edits = [("Share_With_AWS__c", json!(false)), ("NextStep", json!("Send the offer"))];
        world.rep_edits("Opportunity", "006A", &edits);
        let end = word(&world.deliver().record(memory::opportunity("006A")).await.unwrap());
        let at_aws =
            |world: &Shared, pointer: &str| world.mutate(|w| w.opportunities["O9000003"].pointer(pointer).cloned());
        let sent = at_aws(&world, "/LifeCycle/NextSteps") == Some(json!("Send the offer"));
        if policy == "go_on" {
            assert_eq!((end.as_str(), sent), ("done", true), "the check box only begins a share");
            continue;
        }
        let stopped = ["Stopped", "Not shared any more: changes are not sent to AWS"].map(str::to_owned);
        assert_eq!((end.as_str(), sent), ("skip unshared", false));
        assert_eq!(shown(&world, "006A"), stopped);
        world.mutate(|w| {
            assert_eq!(w.log.last().unwrap().message, "not shared any more: changes are not sent");
            w.log.clear();
            w.calls.clear();
        });
        let again = world.deliver().record(memory::opportunity("006A")).await.unwrap();
        assert_eq!(word(&again), "skip unshared");
        assert_eq!(world.mutate(|w| w.calls.clone()), ["fetch"], "it is said once");

        world.aws_edits("O9000003", "/LifeCycle/TargetCloseDate", json!("2027-05-01"));
        assert_eq!(word(&world.rings(&ring).await), "done", "AWS's changes still arrive");
        assert_eq!(world.crm_text("006A", "CloseDate").as_deref(), Some("2027-05-01"));
        assert_eq!(shown(&world, "006A"), stopped, "and change nothing of that");

        world.rep_edits("Opportunity", "006A", &[("Share_With_AWS__c", json!(true))]);
        assert_eq!(word(&world.deliver().record(memory::opportunity("006A")).await.unwrap()), "done");
        assert_eq!(at_aws(&world, "/LifeCycle/NextSteps"), Some(json!("Send the offer")), "what was changed meanwhile");
        assert_eq!(shown(&world, "006A"), ["Synced", ""].map(str::to_owned));
        assert_eq!((world.count("CreateOpportunity"), world.mutate(|w| w.submissions.len())), (0, 1), "nothing twice");
    }
}

#[tokio::test]
async fn what_nobody_shared_from_the_crm_needs_no_check_box() {
    let world = world();
    world.rings(&fresh("eventbridge/opportunity-updated.json")).await;
    world.rings(&sample("eventbridge/engagement-invitation-created.json")).await;
    let [from_aws, referral] = world.mutate(|w| w.crm.keys().cloned().collect::<Vec<_>>()).try_into().unwrap();
    world.rep_edits("Opportunity", &referral, &[("ACE_Response__c", json!("Accept"))]);
    for id in [from_aws, referral] {
        world.rep_edits(
            "Opportunity",
            &id,
            &[("Share_With_AWS__c", json!(false)), ("NextStep", json!("Send the offer"))],
        );
        assert_eq!(word(&world.deliver().record(memory::opportunity(&id)).await.unwrap()), "done");
        assert_ne!(shown(&world, &id)[0], "Stopped");
    }
    assert_eq!(world.mutate(|w| w.opportunities["O1234567"]["LifeCycle"]["NextSteps"].clone()), "Send the offer");
    assert_eq!(world.count("StartEngagementByAcceptingInvitationTask"), 1);

    let rule = "[opportunity.share_when]\nStageName = \"Proposal\"\n\n[opportunity.status]";
    world.mutate(|w| w.mapping = Some(memory::MAPPING.replace("[opportunity.status]", rule)));
    world.rep_edits("Opportunity", "006A", &memory::shareable());
    let by_rule = [("Share_With_AWS__c", json!(false)), ("StageName", json!("Proposal"))];
    let outgrown = [("StageName", json!("Negotiation")), ("NextStep", json!("Send the offer"))];
    for edits in [&by_rule[..], &outgrown[..]] {
        world.rep_edits("Opportunity", "006A", edits);
        world.deliver().record(memory::opportunity("006A")).await.unwrap();
    }
    assert_eq!(world.crm_text("006A", "ACE_Review_Status__c").as_deref(), Some("Submitted"));
    assert_ne!(shown(&world, "006A")[0], "Stopped", "a rule's share is nobody's to take back");
    world.rep_edits("Opportunity", "006A", &[("Share_With_AWS__c", json!(true))]);
    world.deliver().record(memory::opportunity("006A")).await.unwrap();
    world.rep_edits("Opportunity", "006A", &[("Share_With_AWS__c", json!(false))]);
    assert_eq!(word(&world.deliver().record(memory::opportunity("006A")).await.unwrap()), "skip unshared");
}

#[tokio::test]
async fn a_deletion_is_found_said_once_and_changes_nothing_at_aws() {
    let text = include_str!("../../cosell-mapping/presets/salesforce.toml");
    let ring = fresh("eventbridge/opportunity-updated.json");
    let id = "006000000000000001";
    let failures = |world: &Shared| {
        let deleted = json!(["CRM_RECORD_DELETED"]);
        world.mutate(|w| w.told.iter().filter(|event| event.detail["codes"] == deleted).count())
    };
    for (policy, said, said_by_aws, left) in [("report", 1, 2, 0), ("unlink", 1, 1, 0), ("recreate", 0, 0, 1)] {
        let world = world();
        world.mutate(|w| w.mapping = Some(text.replace("share = ", &format!("deleted = \"{policy}\"\nshare = "))));
        world.rings(&ring).await;
        world.rep_edits("Opportunity", "006B", &[("Name", json!("Nobody linked it"))]);
        world.rep_deletes("006B");
        world.rep_deletes(id);
        world.mutate(|w| {
            w.log.clear();
            w.calls.clear();
        });
        for run in 0..3 {
            let found = world.push().run(Request::default(), || true).await.unwrap();
            let ends: Vec<_> = world.delivers().await.iter().map(word).collect();
            let expected = if run == 0 { (1, vec!["skip deleted".to_owned()]) } else { (0, vec![]) };
            assert_eq!((found.deleted, ends), expected, "{policy}");
        }
        assert_eq!((failures(&world), world.mutate(|w| w.log.len())), (said, 1), "{policy}");
        let calls = world.mutate(|w| w.calls.clone());
        assert!(calls.iter().all(|call| !call.ends_with("Opportunity")), "{policy}: AWS is not even asked: {calls:?}");

        if policy == "report" {
            world.rep_restores(id);
            world.rep_edits("Opportunity", id, &[("NextStep", json!("Back again"))]);
            assert_eq!(word(&world.deliver().record(memory::opportunity(id)).await.unwrap()), "done");
            world.rep_deletes(id);
            assert_eq!(world.push().run(Request::default(), || true).await.unwrap().deleted, 1, "another deletion");
            world.delivers().await;
            assert_eq!(failures(&world), 2);
            continue;
        }
        world.aws_edits("O1234567", "/LifeCycle/NextSteps", json!("Meet"));
        world.rings(&ring).await;
        assert_eq!((failures(&world), world.mutate(|w| w.crm.len())), (said_by_aws, left), "{policy}");
        assert_eq!(world.push().run(Request::default(), || true).await.unwrap().deleted, 0, "{policy}");
        if policy == "unlink" {
            world.rep_restores(id);
            assert_eq!(word(&world.rings(&ring).await), "done", "what came back goes on");
            assert_eq!(world.crm_text(id, "NextStep").as_deref(), Some("Meet"));
        }
    }
}

#[tokio::test]
async fn a_push_looks_for_the_kinds_that_it_is_asked_for() {
    let request = |text: &str| serde_json::from_str::<Request>(text);
    for (asked, queued) in [("{}", 2), (r#"{"kinds": ["lead"]}"#, 1), (r#"{"kinds": ["opportunity"]}"#, 1)] {
        let world = world();
        world.rep_edits("Opportunity", "006A", &[("Share_With_AWS__c", json!(true))]);
        world.rep_edits("Lead", "00QA", &[("ACE_Invitation_Id__c", json!("engi-0123456789abc"))]);
        let found = world.push().run(request(asked).unwrap(), || true).await.unwrap();
        assert_eq!((found.changed, found.queued), (queued, queued), "{asked}");
    }
    assert!(request(r#"{"kinds": ["account"]}"#).is_err());
}

#[tokio::test]
async fn what_a_search_lists_once_more_is_not_queued_once_more() {
    let world = world();
    world.rep_edits("Opportunity", "006A", &memory::shareable());
    let push = async || {
        world.mutate(|w| w.cursors.retain(|name, _| name.ends_with(":queued")));
        world.push().run(Request::default(), || true).await.unwrap().queued
    };
    assert_eq!([push().await, push().await], [1, 0]);
    world.rep_edits("Opportunity", "006A", &[("NextStep", json!("Call"))]);
    assert_eq!([push().await, push().await], [1, 0], "an edit of the same second is another one");
}

#[tokio::test]
async fn our_own_writes_are_not_pushed_and_what_a_person_edited_before_them_is() {
    let world = world();
    let ring = fresh("eventbridge/opportunity-updated.json");
    world.rings(&ring).await;
    let push = async || {
        world.mutate(|w| {
            w.cursors.clear();
            w.to_aws.clear();
        });
        let pushed = world.push().run(Request::default(), || true).await.unwrap();
        (pushed.own, pushed.queued)
    };
    assert_eq!(push().await, (1, 0), "what AWS said");
    let id = "006000000000000001";
    world.rep_edits("Opportunity", id, &[("ACE_Customer_City__c", json!("Husum"))]);
    world.aws_edits("O1234567", "/LifeCycle/NextSteps", json!("Meet"));
    world.rings(&ring).await;
    assert!(!world.mutate(|w| w.by_rep.contains(id)), "we wrote it last");
    assert_eq!(push().await, (0, 1), "the rep's edit is still to go");
    world.delivers().await;
    world.rings(&ring).await;
    assert_eq!(push().await, (1, 0));
    world.rep_edits("Opportunity", id, &[("Share_With_AWS__c", json!(true))]);
    world.mutate(|w| w.by_rep.clear());
    assert_eq!(push().await, (0, 1), "a tick is news");
}

#[tokio::test]
async fn records_that_are_named_go_on_the_queue_or_say_why_not() {
    let world = world();
    let scope = "[opportunity.only_crm]\nRegion__c = \"EMEA\"\n\n[opportunity.status]";
    world.mutate(|w| w.mapping = Some(memory::MAPPING.replace("[opportunity.status]", scope)));
    let shared = [("Share_With_AWS__c", json!(true)), ("Region__c", json!("EMEA"))];
    world.rep_edits("Opportunity", "006A", &shared);
    world.rep_edits("Opportunity", "006B", &[("Share_With_AWS__c", json!(true)), ("Region__c", json!("APJ"))]);
    world.rep_edits("Opportunity", "006C", &[("Region__c", json!("EMEA"))]);
    let event =
        |detail: Json| json!({"source": "cosell.crm", "detail-type": "Record Changed", "detail": detail}).to_string();
    let named = |object: &str, id: &str| json!({"object": object, "id": id});
    for (detail, end) in [
        (named("Opportunity", "006A"), "done"),
        (named("Opportunity", "006B"), "skip out_of_scope"),
        (named("Opportunity", "006C"), "skip not_shared"),
        (named("Opportunity", "006D"), "skip deleted"),
        (named("Case", "500A"), "skip unknown_object"),
        (json!({"records": []}), "skip not_needed"),
        (
            json!({"records": [named("Opportunity", "006A"), named("Case", "500A"), named("Opportunity", "006D")]}),
            "done",
        ),
    ] {
        assert_eq!(word(&world.named().message(&event(detail.clone())).await), end, "{detail}");
    }
    assert_eq!(word(&world.named().message(&sample("crm/record-changed.json")).await), "skip deleted");
    let queued = world.mutate(|w| std::mem::take(&mut w.to_aws));
    world.push().run(Request::default(), || true).await.unwrap();
    let scheduled = world.mutate(|w| std::mem::take(&mut w.to_aws));
    assert_eq!(
        (queued.len(), &queued[0], &queued[1]),
        (2, &scheduled[0], &scheduled[0]),
        "as a schedule would send it"
    );

    let many: Vec<_> = (0..101).map(|_| named("Opportunity", "006A")).collect();
    for detail in [json!({"records": many}), json!({"record": "006A"}), json!({"object": "Opportunity"})] {
        let end = word(&world.named().message(&event(detail)).await);
        assert!(end.starts_with("park malformed_message"), "{end}");
    }
    world.mutate(|w| w.lost = Some((1, false)));
    let both = json!({"records": [named("Opportunity", "006A"), named("Opportunity", "006A")]});
    assert_eq!(word(&world.named().message(&event(both)).await), "retry unavailable", "one could not be looked at");
    assert_eq!(world.mutate(|w| w.to_aws.len()), 1, "the other does not wait for it");
}
