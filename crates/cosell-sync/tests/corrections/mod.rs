//! What is refused is kept with its record, corrected by people, and tried again by itself.

use cosell_mapping::Mapping;
use cosell_model::Catalog;
use cosell_sync::{
    Disposition, SkipReason,
    again::Again,
    correct::{Corrected, Refusal},
    log::{Entry, Open, OpenRecord, Status},
    ports::Ledger,
    reconcile::Reconcile,
};
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::{
    fresh,
    memory::{MAPPING, Shared, opportunity},
    sample, settle, world,
};

const ID: &str = "006000000000000001";

fn last_error(world: &Shared) -> Entry {
    let error = |entry: &&Entry| entry.status == Status::Error;
    world.mutate(|w| w.log.iter().rev().find(error).cloned()).unwrap()
}

async fn corrects(world: &Shared, entry: &Entry, edited: Json) -> Result<Corrected, Refusal> {
    let correct = world.correct();
    let opened = correct.open(entry.id).await.unwrap().unwrap();
    correct.correct(opened, edited.as_object().unwrap()).await.unwrap()
}

async fn open(world: &Shared) -> Vec<(String, Open)> {
    let open: Vec<OpenRecord> = world.open_records().await.unwrap();
    open.into_iter().map(|record| (record.name, record.what)).collect()
}

fn refuses(world: &Shared, field: &str, value: &str) {
    world.mutate(|w| w.refused_value = Some((field.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn awss_value_that_the_crm_refuses_is_read_as_corrected_until_aws_changes_it() {
    let world = world();
    let ring = fresh("eventbridge/opportunity-updated.json");
    refuses(&world, "NextStep", "Call");
    assert!(matches!(world.rings(&ring).await, Disposition::Skip(SkipReason::Rejected)));
    assert_eq!(open(&world).await, [("O1234567".to_owned(), Open::Refused)]);
    let entry = last_error(&world);
    let payload = entry.payload.clone().unwrap();
    assert_eq!(payload.record["nextStep"], "Call");

    let corrected = corrects(&world, &entry, json!({"nextStep": "Ring them"})).await.unwrap();
    assert_eq!(corrected.fields, ["nextStep"]);
    assert!(matches!(corrected.again, Some(Again::Opportunities(_))));
    assert_eq!(open(&world).await.len(), 1, "a correction alone is no success");
    assert!(matches!(world.rings(&ring).await, Disposition::Done));
    assert_eq!(world.crm_text(ID, "NextStep").as_deref(), Some("Ring them"));
    assert_eq!(open(&world).await, []);

    for _ in 0..2 {
        assert!(matches!(world.rings(&ring).await, Disposition::Skip(SkipReason::Unchanged)));
        let end = world.deliver().record(opportunity(ID)).await.unwrap();
        assert!(matches!(end, Disposition::Skip(SkipReason::Unchanged)), "it is no edit of the CRM's");
    }
    world.mutate(|w| assert_eq!(w.opportunities["O1234567"]["LifeCycle"]["NextSteps"], "Call"));
    world.aws_edits("O1234567", "/LifeCycle/NextSteps", json!("Meet"));
    assert!(matches!(world.rings(&ring).await, Disposition::Done));
    assert_eq!(world.crm_text(ID, "NextStep").as_deref(), Some("Meet"));
}

#[tokio::test]
async fn what_aws_takes_back_is_no_error_any_more() {
    let world = world();
    let ring = fresh("eventbridge/opportunity-updated.json");
    world.rings(&ring).await;
    refuses(&world, "NextStep", "Meet");
    world.aws_edits("O1234567", "/LifeCycle/NextSteps", json!("Meet"));
    assert!(matches!(world.rings(&ring).await, Disposition::Skip(SkipReason::Rejected)));
    assert_eq!(world.crm_text(ID, "ACE_Sync_Status__c").as_deref(), Some("Error"));
    world.aws_edits("O1234567", "/LifeCycle/NextSteps", json!("Call"));
    assert!(matches!(world.rings(&ring).await, Disposition::Skip(SkipReason::Unchanged)));
    assert_eq!(world.crm_text(ID, "ACE_Sync_Status__c").as_deref(), Some("Synced"));
    assert_eq!(open(&world).await, []);
    let entries = world.mutate(|w| w.log.len());
    world.rings(&ring).await;
    assert_eq!(world.mutate(|w| w.log.len()), entries, "said once");
}

#[tokio::test]
async fn the_crms_value_goes_to_aws_as_corrected_until_a_rep_changes_it() {
    let world = world();
    world.rings(&fresh("eventbridge/opportunity-updated.json")).await;
    world.rep_edits("Opportunity", ID, &[("ACE_Monthly_Revenue__c", json!(0)), ("NextStep", json!("Send the offer"))]);
    let deliver = async || world.deliver().record(opportunity(ID)).await.unwrap();
    assert!(matches!(deliver().await, Disposition::Skip(SkipReason::Rejected)));
    assert_eq!(open(&world).await, [("O1234567".to_owned(), Open::Wrong)]);

    let entry = last_error(&world);
    let refused = corrects(&world, &entry, json!({"expectedMonthlyAwsRevenue": -1})).await.unwrap_err();
    assert!(matches!(refused, Refusal::Mistakes(_)), "{refused:?}");
    let corrected = corrects(&world, &entry, json!({"expectedMonthlyAwsRevenue": 70})).await.unwrap();
    assert!(matches!(corrected.again, Some(Again::ToAws(_))));
    assert!(matches!(deliver().await, Disposition::Done));
    let spend = |w: &mut crate::memory::World| {
        w.opportunities["O1234567"]["Project"]["ExpectedCustomerSpend"][0]["Amount"].as_str().map(str::to_owned)
    };
    assert_eq!(world.mutate(spend).as_deref(), Some("70"));
    world.mutate(|w| assert_eq!(w.opportunities["O1234567"]["LifeCycle"]["NextSteps"], "Send the offer"));
    assert_eq!(open(&world).await, []);
    assert!(matches!(deliver().await, Disposition::Skip(SkipReason::Unchanged)));

    world.rep_edits("Opportunity", ID, &[("ACE_Monthly_Revenue__c", json!(90))]);
    assert!(matches!(deliver().await, Disposition::Done));
    assert_eq!(world.mutate(spend).as_deref(), Some("90"), "the rep's word is newer");
}

#[tokio::test]
async fn a_correction_is_checked_before_it_is_stored() {
    let world = world();
    refuses(&world, "NextStep", "Call");
    world.rings(&fresh("eventbridge/opportunity-updated.json")).await;
    let entry = last_error(&world);
    let wrong =
        json!({"nextStep": ["a", "b"], "nextstep": "x", "apnCrmUniqueIdentifier": "O7", "targetCloseDate": "soon"});
    let Err(Refusal::Mistakes(mistakes)) = corrects(&world, &entry, wrong).await else { panic!("it was taken") };
    let said: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(said.join("\n"));
    assert_eq!(corrects(&world, &entry, json!({"nextStep": "Call"})).await.unwrap().fields, [""; 0], "nothing changed");
    let nobodys = world.correct().open(uuid::Uuid::nil()).await.unwrap();
    assert!(matches!(nobodys, Err(Refusal::Unknown)));
}

#[tokio::test]
async fn what_the_far_side_refused_is_tried_again_by_itself() {
    let world = world();
    refuses(&world, "NextStep", "Call");
    let ring = fresh("eventbridge/opportunity-updated.json");
    world.rings(&ring).await;
    let reconcile = |now: fn() -> Timestamp| {
        let mapping = MAPPING.to_owned() + "\n[retry]\ntimes = 2\ndays = 30000\n";
        let ports = || Box::new(world.clone());
        let run = Reconcile {
            partner_central: ports(),
            ledger: ports(),
            sync_log: ports(),
            to_aws: ports(),
            opportunities: ports(),
            invitations: ports(),
            catalog: Catalog::Sandbox,
            mapping: Mapping::parse(&mapping).unwrap(),
            now,
        };
        async move { run.run(|| true).await.unwrap().retried }
    };
    let early: fn() -> Timestamp = || Timestamp::from_second(1_800_000_000).unwrap();
    let late: fn() -> Timestamp = || Timestamp::from_second(2_500_000_000).unwrap();
    assert_eq!(reconcile(early).await, 0, "an hour is not over");
    assert_eq!([reconcile(late).await, reconcile(late).await, reconcile(late).await], [1, 1, 0], "no more than twice");
    let rings = world.mutate(|w| w.to_aws.iter().filter(|message| message.body.contains("O1234567")).count());
    assert!(rings >= 2, "{rings}");
    world.mutate(|w| w.refused_value = None);
    world.rings(&ring).await;
    assert_eq!(open(&world).await, []);
}

#[tokio::test]
async fn a_record_of_a_file_lands_again() {
    let world = world();
    refuses(&world, "Company", "Fjordkraft Analyse AS");
    assert!(matches!(settle(&world, "leads.json", "lead-outbound").await, Disposition::Done));
    assert_eq!(world.mutate(|w| w.files.len()), 0, "AWS's file is settled");
    let entry = last_error(&world);
    assert!(entry.file.is_some());
    world.mutate(|w| w.refused_value = None);
    let late: fn() -> Timestamp = || Timestamp::from_second(1_800_400_000).unwrap();
    assert_eq!(world.poll(late).run(|| true).await.unwrap().retried, 1);
    let (key, content) = world.mutate(|w| w.files.pop_first()).unwrap();
    let sent: Json = serde_json::from_str(&sample("files/leads.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Json>(&content).unwrap()["spmsId"], sent["spmsId"]);
    world.mutate(|w| w.files.insert(key.clone(), content));
    let event = json!({"detail": {"object": {"key": key}}}).to_string();
    assert!(matches!(world.settle().event(&event).await, Disposition::Done));
    assert_eq!(open(&world).await, []);
    let has = |w: &mut crate::memory::World| {
        w.crm
            .values()
            .any(|(_, fields)| fields.get("Company").and_then(|it| it.as_text()) == Some("Fjordkraft Analyse AS"))
    };
    assert!(world.mutate(has));
    assert_eq!(world.poll(late).run(|| true).await.unwrap().retried, 0);
}
