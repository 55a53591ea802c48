//! From files to the API: what is in the way, what is linked, and what differs.

use cosell_sync::{
    CrmRef, Link, LinkKey,
    backfill::{Decision, Deed, How, Notes, Outcome, Refusal},
    drift::Verdict,
    migrate::{Counts, InFlight, Migration, Report, Step, linked},
    ports::Ledger,
};
use serde_json::json;

use crate::{
    at_aws,
    backfill::{backfill, drift, functions},
    memory::{MAPPING, Shared, shareable},
};

const REVENUE: &str = "ACE_Monthly_Revenue__c";

fn by_files() -> String {
    format!("{MAPPING}\n[files]\nopportunities = true\n")
}

fn migration(world: &Shared) -> Migration {
    Migration { backfill: backfill(world), drift: drift(world) }
}

async fn report(world: &Shared, apply: bool) -> Report {
    let migration = migration(world);
    let plan = migration.plan(&mut Notes::default(), &mut |_| ()).await.unwrap();
    let differences = migration.compare(&linked(&plan)).await.unwrap();
    let applied = if apply { migration.link(&plan, &mut |_| ()).await.unwrap().unwrap() } else { Vec::new() };
    let in_flight = migration.in_flight().await.unwrap();
    Report { by_files: migration.by_files(), in_flight, plan, applied, differences }
}

/// A deal of each sort, of a partner whose opportunities went by files: one that is linked and in step; one that AWS's record
/// names the CRM's of; one at AWS alone; two that name one record; one in the CRM alone, and one there with an identifier that
/// leads nowhere.
async fn pipeline() -> Shared {
    let world = Shared::default();
    world.mutate(|w| {
        w.mapping = Some(by_files());
        w.opportunities.insert("O1".into(), at_aws("O1"));
    });
    let id = "O1".parse().unwrap();
    world.reader().opportunity(&id, cosell_sync::log::Purpose::Event).await.unwrap();
    for (id, names) in [("O2", Some("006B")), ("O3", None), ("O4", Some("006D")), ("O5", Some("006D"))] {
        let mut opportunity = at_aws(id);
        opportunity["PartnerOpportunityIdentifier"] = json!(names);
        world.mutate(|w| w.opportunities.insert(id.into(), opportunity));
    }
    for (id, names) in [("006B", None), ("006D", None), ("006E", None), ("006F", Some("O99"))] {
        world.rep_edits("Opportunity", id, &[("Name", json!("Deal")), ("ACE_Opportunity_Id__c", json!(names))]);
    }
    world
}

fn one(world: &Shared) {
    world.mutate(|w| {
        w.opportunities.retain(|id, _| id == "O1");
        w.crm.retain(|_, (object, fields)| object != "Opportunity" || fields.contains_key("ACE_Sync_Status__c"));
    });
}

#[tokio::test]
async fn every_record_is_of_one_sort_and_nothing_is_written() {
    let world = pipeline().await;
    world.mutate(|w| w.calls.clear());
    let report = report(&world, false).await;
    let counts = Counts {
        linked: 1,
        compared: 1,
        in_step: 1,
        matched: 1,
        ambiguous: 3,
        only_at_aws: 1,
        misnamed: 1,
        only_in_crm: 1,
        ..Counts::default()
    };
    assert_eq!(report.counts(), counts);
    let steps = [Step::Link(1), Step::Decide(3), Step::Bring(1), Step::Rename(1), Step::Switch(0)];
    assert_eq!(report.steps(), steps);
    assert!(!report.is_ready());
    let reads = ["changed_since", "ListOpportunities", "GetOpportunity", "GetAwsOpportunitySummary", "fetch"];
    assert!(world.mutate(|w| w.calls.clone()).iter().all(|call| reads.contains(&call.as_str())));
}

#[tokio::test]
async fn what_identifiers_tell_is_linked_once_and_what_is_left_is_the_switch() {
    let world = pipeline().await;
    world.mutate(|w| {
        w.opportunities.retain(|id, _| ["O1", "O2"].contains(&id.as_str()));
        w.crm.retain(|id, _| !["006D", "006E", "006F"].contains(&id.as_str()));
    });
    let applied = report(&world, true).await;
    assert_eq!(applied.applied.iter().map(|it| it.deed).collect::<Vec<_>>(), [Deed::Linked]);
    assert_eq!(applied.steps(), [Step::Merge(1), Step::Switch(0)]);
    assert!(!applied.is_ready(), "nobody has merged the two yet");
    functions(&world).await;
    assert_eq!(world.crm_text("006B", "ACE_Opportunity_Id__c").as_deref(), Some("O2"));

    world.mutate(|w| w.calls.clear());
    let again = report(&world, true).await;
    assert_eq!((again.counts().linked, again.steps()), (2, vec![Step::Switch(0)]), "{:?}", again.differences);
    assert!(again.is_ready());
    assert_eq!((world.count("save"), world.count("upsert")), (0, 0), "a second run does nothing twice");
    world.mutate(|w| w.mapping = Some(MAPPING.to_owned()));
    assert_eq!(report(&world, true).await.steps(), [Step::Done]);
}

#[tokio::test]
async fn nothing_is_linked_while_opportunities_are_on_their_way_in_files() {
    let world = pipeline().await;
    one(&world);
    world.rep_edits("Opportunity", "006G", &shareable());
    world.deliver().record(crate::memory::opportunity("006G")).await.unwrap();
    let migration = migration(&world);
    assert_eq!(migration.in_flight().await.unwrap(), InFlight { waiting: 1, files: Vec::new() });
    let waits = report(&world, false).await;
    assert_eq!(waits.counts().linked, 2, "what is being shared has its counterpart in a moment");
    assert_eq!(waits.steps(), [Step::Sends(1), Step::Switch(0)]);
    assert!(!waits.is_ready());

    world.mutate(|w| w.opportunities.insert("O2".into(), at_aws("O2")));
    let own = Decision { row: 2, outcome: Some(Outcome::Matched), ace_id: "O2".into(), crm_id: "006G".into() };
    let refused = backfill(&world).apply(&[own], How::default(), &mut |_| ()).await.unwrap();
    assert_eq!(refused[0].why, Some(Refusal::BeingShared("006G".into())), "AWS names it in a moment");
    world.mutate(|w| w.opportunities.remove("O2"));

    world.send().run(|| true).await.unwrap();
    let sent = migration.in_flight().await.unwrap();
    assert_eq!((sent.waiting, sent.files.len()), (0, 1));
    assert_eq!(migration.link(&waits.plan, &mut |_| ()).await.unwrap(), Err(sent));
    assert_eq!(report(&world, false).await.steps(), [Step::Answers(1), Step::Switch(0)]);
}

#[tokio::test]
async fn a_lead_on_its_way_is_in_nobodys_way() {
    let world = Shared::default();
    let mut lead = Link::new(LinkKey::Lead("L1".parse().unwrap()));
    lead.also(LinkKey::Crm(CrmRef { object: "Lead".into(), id: "00Q1".into() }));
    let shipment = json!({"record": {}, "stage": "waiting", "since": "2026-03-09T02:00:00Z"});
    lead.shipment = Some(serde_json::from_value(shipment).unwrap());
    world.save(&mut lead).await.unwrap();
    assert!(migration(&world).in_flight().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_files_could_not_carry_is_no_difference_and_goes_with_the_switch() {
    let world = pipeline().await;
    one(&world);
    let record = world.mutate(|w| w.crm.keys().next().cloned()).unwrap();
    // What the files agreed on, and what the CRM has meant all along.
    world.mutate(|w| {
        let spend = &mut w.opportunities.get_mut("O1").unwrap()["Project"]["ExpectedCustomerSpend"][0];
        spend["Amount"] = json!("1042");
    });
    world.aws_edits("O1", "/LifeCycle/NextSteps", json!("Call again"));
    world.reader().opportunity(&"O1".parse().unwrap(), cosell_sync::log::Purpose::Event).await.unwrap();
    world.rep_edits("Opportunity", &record, &[(REVENUE, json!(1041.67))]);
    let rounded = report(&world, false).await;
    let [difference] = &rounded.differences[..] else { panic!("{:?}", rounded.differences) };
    assert_eq!((difference.line.field, difference.by_switch), (Some("expectedMonthlyAwsRevenue"), true));
    assert_eq!((rounded.counts().in_step, rounded.steps()), (1, vec![Step::Switch(1)]));
    assert!(rounded.is_ready());

    world.rep_edits("Opportunity", &record, &[("NextStep", json!("Meet"))]);
    let edited = report(&world, false).await;
    assert_eq!(edited.steps(), [Step::Agree(1), Step::Switch(0)]);
    let own: Vec<_> = edited.differences.iter().filter(|it| !it.by_switch).map(|it| it.line.verdict).collect();
    assert_eq!(own, [Verdict::CrmChanged]);
    world.mutate(|w| w.opportunities.clear());
    let gone = report(&world, false).await;
    assert_eq!(gone.differences[0].line.verdict, Verdict::NotAtAws);
}

#[test]
fn every_step_says_what_to_do() {
    let steps = [
        Step::Sends(1),
        Step::Answers(1),
        Step::Link(1),
        Step::Merge(1),
        Step::Refused(1),
        Step::Decide(1),
        Step::Bring(1),
        Step::Rename(1),
        Step::Agree(1),
    ];
    assert!(steps.iter().all(|step| step.to_string().starts_with("1 ") && step.to_string().contains(": ")));
    assert!(!Step::Switch(0).to_string().contains("could not carry"));
    assert!(
        Step::Switch(2).to_string().ends_with("of 2 record(s) the API then gets what files could not carry as it is")
    );
}
