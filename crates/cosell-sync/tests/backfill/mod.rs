//! An existing pipeline is linked.

use cosell_model::Catalog;
use cosell_sync::{
    CrmRef, Disposition, Link, LinkKey,
    backfill::{Backfill, Decision, Deed, How, Note, Notes, Outcome, Plan, Question, Rule},
    log::Purpose,
    ports::{Ledger, PortResult},
};
use serde_json::json;

use crate::{at_aws, memory::Shared, until_settled};

fn crm(id: &str) -> LinkKey {
    LinkKey::Crm(CrmRef { object: "Opportunity".into(), id: id.into() })
}

fn opportunity(id: &str) -> LinkKey {
    LinkKey::Opportunity(id.parse().unwrap())
}

fn backfill(world: &Shared) -> Backfill {
    let converger = world.converger();
    Backfill {
        partner_central: Box::new(world.clone()),
        crm: converger.crm,
        ledger: converger.ledger,
        opportunities: Box::new(world.clone()),
        mapping: converger.mapping,
        catalog: Catalog::Sandbox,
        now: converger.now,
    }
}

fn question(backfill: &Backfill) -> Question {
    Question { rules: Rule::usual(&backfill.mapping.opportunity).unwrap(), days: 0, since: None }
}

/// Three deals: one that both have under their names, one that AWS's record names the CRM's of, one at AWS alone; and one
/// that is linked.
async fn pipeline() -> Shared {
    let world = Shared::default();
    for (id, title) in
        [("O1000001", "Grid data lake"), ("O1000002", "Other"), ("O1000003", "Alone"), ("O1000004", "Linked")]
    {
        let mut opportunity = at_aws(id);
        opportunity["Project"]["Title"] = json!(title);
        world.mutate(|w| w.opportunities.insert(id.into(), opportunity));
    }
    world.mutate(|w| w.opportunities.get_mut("O1000002").unwrap()["PartnerOpportunityIdentifier"] = json!("006B"));
    for (id, title) in [("006A", "Grid Data Lake"), ("006B", "Named"), ("006C", "In the CRM alone"), ("006D", "Linked")]
    {
        let fields =
            [("Name", json!(title)), ("ACE_Customer_Name__c", json!("Nordlicht Energie")), ("NextStep", json!("Ask"))];
        world.rep_edits("Opportunity", id, &fields);
    }
    let mut link = Link::new(opportunity("O1000004"));
    link.also(crm("006D"));
    link.read_at = Some(jiff::Timestamp::UNIX_EPOCH);
    world.save(&mut link).await.unwrap();
    world.mutate(|w| w.calls.clear());
    world
}

fn shown(plan: &Plan) -> Vec<String> {
    let rows = plan.rows.iter().map(|row| {
        let words = [row.outcome.as_str(), &row.rule, &row.ace_id, &row.crm_id];
        words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    });
    rows.collect()
}

const PLAN: [&str; 5] = [
    "matched id O1000002 006B",
    "matched customer+title O1000001 006A",
    "only_at_aws O1000003",
    "only_in_crm 006C",
    "linked ledger O1000004 006D",
];

#[tokio::test]
async fn a_plan_reads_what_is_not_linked_and_writes_nothing() {
    let world = pipeline().await;
    let backfill = backfill(&world);
    let (mut steps, mut notes) = (Vec::new(), Notes::default());
    let plan = backfill
        .plan(&question(&backfill), &mut notes, &mut |_| Ok(()), &mut |progress| steps.push(progress.step))
        .await
        .unwrap();
    assert_eq!(shown(&plan), PLAN);
    let both = &plan.rows[1];
    assert_eq!((both.title_at_aws.as_str(), both.title_in_crm.as_str()), ("Grid data lake", "Grid Data Lake"));
    assert_eq!((both.customer_at_aws.as_str(), both.review_status.as_str()), ("Nordlicht Energie", "Approved"));
    assert_eq!(world.count("GetOpportunity"), 3);
    let reads = ["changed_since", "ListOpportunities", "GetOpportunity"];
    assert!(
        world.mutate(|w| w.calls.clone()).iter().all(|call| reads.contains(&call.as_str())),
        "no write, no summary"
    );
    steps.dedup();
    assert_eq!(steps.len(), 5, "{steps:?}");
}

#[tokio::test]
async fn a_plan_that_is_cut_anywhere_goes_on() {
    let calls = {
        let world = pipeline().await;
        let backfill = backfill(&world);
        backfill.plan(&question(&backfill), &mut Notes::default(), &mut |_| Ok(()), &mut |_| ()).await.unwrap();
        world.mutate(|w| w.calls.len())
    };
    for nth in 0..calls {
        let world = pipeline().await;
        let backfill = backfill(&world);
        let mut kept: Vec<Note> = Vec::new();
        world.mutate(|w| w.lost = Some((nth, true)));
        let mut keep = |page: &[Note]| -> PortResult<()> {
            kept.extend_from_slice(page);
            Ok(())
        };
        let cut = backfill.plan(&question(&backfill), &mut Notes::default(), &mut keep, &mut |_| ()).await;
        assert!(cut.is_err(), "call {nth}");
        let mut notes = Notes::default();
        let lines = kept.iter().map(|note| serde_json::to_string(note).unwrap());
        notes.extend(lines.map(|line| serde_json::from_str::<Note>(&line).unwrap()));
        let plan = backfill.plan(&question(&backfill), &mut notes, &mut |_| Ok(()), &mut |_| ()).await.unwrap();
        assert_eq!(shown(&plan), PLAN, "call {nth}");

        world.mutate(|w| w.calls.clear());
        world.aws_edits("O1000003", "/Project/Title", json!("In the CRM alone"));
        let plan = backfill.plan(&question(&backfill), &mut notes, &mut |_| Ok(()), &mut |_| ()).await.unwrap();
        assert!(
            shown(&plan).contains(&"matched customer+title O1000003 006C".to_owned()),
            "what changed is read again"
        );
        assert_eq!(world.count("GetOpportunity"), 1, "and nothing else");
    }
}

fn decision(row: u64, outcome: Outcome, ace_id: &str, crm_id: &str) -> Decision {
    Decision { row, outcome: Some(outcome), ace_id: ace_id.into(), crm_id: crm_id.into() }
}

fn planned() -> [Decision; 4] {
    [
        decision(2, Outcome::Matched, "O1000002", "006B"),
        decision(3, Outcome::Matched, "O1000001", "006A"),
        decision(4, Outcome::OnlyAtAws, "O1000003", ""),
        decision(5, Outcome::Linked, "O1000004", "006D"),
    ]
}

async fn deeds(world: &Shared, decisions: &[Decision], how: How) -> Vec<(u64, Deed)> {
    let applied = backfill(world).apply(decisions, how, &mut |_| ()).await.unwrap();
    applied.into_iter().map(|applied| (applied.row, applied.deed)).collect()
}

/// The functions work off what rang.
async fn functions(world: &Shared) -> Vec<String> {
    let rings = world.mutate(|w| std::mem::take(&mut w.to_aws));
    let mut ends = Vec::new();
    for ring in rings {
        ends.push(match until_settled(async || world.rings(&ring.body).await).await {
            Disposition::Done => "done".to_owned(),
            other => format!("{other:?}"),
        });
    }
    // What the CRM wins goes to AWS.
    world.mutate(|w| w.to_aws.clear());
    ends
}

#[tokio::test]
async fn what_is_matched_is_linked_and_merged_and_nothing_is_made_twice() {
    let world = pipeline().await;
    let dry = How { dry_run: true, ..How::default() };
    assert_eq!(deeds(&world, &planned(), dry).await, [(2, Deed::Linked), (3, Deed::Linked)]);
    assert!(world.mutate(|w| w.to_aws.is_empty() && w.calls.iter().all(|call| call != "save")), "a rehearsal");

    assert_eq!(deeds(&world, &planned(), How::default()).await, [(2, Deed::Linked), (3, Deed::Linked)]);
    assert_eq!(functions(&world).await, ["done", "done"]);
    assert_eq!(world.count("upsert"), 0, "no record was made");
    assert_eq!(world.crm_text("006A", "ACE_Opportunity_Id__c").as_deref(), Some("O1000001"));
    assert_eq!(world.crm_text("006A", "ACE_Use_Case__c").as_deref(), Some("Security & Compliance"), "AWS's alone");
    assert_eq!(world.crm_text("006A", "Name").as_deref(), Some("Grid data lake"), "AWS wins, says the mapping");
    assert_eq!(world.crm_text("006A", "NextStep").as_deref(), Some("Ask"), "the CRM wins, says the mapping");
    let linked = world.mutate(|w| w.log.iter().filter(|entry| entry.purpose == Purpose::Backfill).count());
    assert_eq!(linked, 2);

    world.mutate(|w| w.calls.clear());
    let all = How { create_missing: true, ..How::default() };
    let again = [(2, Deed::LinkedBefore), (3, Deed::LinkedBefore), (4, Deed::Queued)];
    assert_eq!(deeds(&world, &planned(), all).await, again);
    assert_eq!(world.count("save"), 0);
    assert_eq!(functions(&world).await, ["done"]);
    assert_eq!(world.count("upsert"), 1, "what only AWS had");
    let done = [(2, Deed::LinkedBefore), (3, Deed::LinkedBefore), (4, Deed::LinkedBefore)];
    assert_eq!(deeds(&world, &planned(), all).await, done);
    assert!(functions(&world).await.is_empty());
}

#[tokio::test]
async fn a_plan_whose_application_is_cut_anywhere_is_applied_once_more() {
    let calls = {
        let world = pipeline().await;
        deeds(&world, &planned(), How::default()).await;
        world.mutate(|w| w.calls.len())
    };
    for (nth, carried_out) in (0..calls).flat_map(|nth| [(nth, false), (nth, true)]) {
        let world = pipeline().await;
        world.mutate(|w| w.lost = Some((nth, carried_out)));
        let cut = backfill(&world).apply(&planned(), How::default(), &mut |_| ()).await;
        assert!(cut.is_err());
        world.mutate(|w| w.to_aws.clear());
        deeds(&world, &planned(), How::default()).await;
        functions(&world).await;
        for (id, record) in [("O1000001", "006A"), ("O1000002", "006B")] {
            let said = world.crm_text(record, "ACE_Opportunity_Id__c");
            assert_eq!(said.as_deref(), Some(id), "call {nth} lost, carried out: {carried_out}");
        }
        assert_eq!(world.count("upsert"), 0);
    }
}

#[tokio::test]
async fn rows_that_cannot_be_done_are_refused_one_by_one() {
    let world = pipeline().await;
    let mut shared = Link::new(crm("006C"));
    shared.share = serde_json::from_value(json!({"body": {}, "submit_token": "t", "involvement": "Co-Sell"})).unwrap();
    world.save(&mut shared).await.unwrap();
    let rows = [
        Decision { outcome: None, ..decision(2, Outcome::Matched, "O1000003", "006C") },
        decision(3, Outcome::Matched, "1000003", "006C"),
        decision(4, Outcome::Matched, "O1000003", ""),
        decision(5, Outcome::Matched, "O1000004", "006A"),
        decision(6, Outcome::Matched, "O1000003", "006D"),
        decision(7, Outcome::Matched, "O9999999", "006X"),
        decision(8, Outcome::Matched, "O1000002", "006Y"),
        decision(9, Outcome::Matched, "O1000001", "006B"),
    ];
    let applied = backfill(&world).apply(&rows, How::default(), &mut |_| ()).await.unwrap();
    let whys: Vec<_> =
        applied.iter().map(|it| it.why.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string)).collect();
    assert_eq!(
        whys,
        [
            "its outcome is none of ambiguous, matched, only_at_aws, only_in_crm, linked",
            "its ace_id is no opportunity's (`O` and digits)",
            "its crm_id is empty",
            "O1000004 is linked with Opportunity 006D",
            "006D is linked with O1000004",
            "AWS lists no opportunity O9999999",
            "the CRM has no Opportunity 006Y",
            "-",
        ]
    );
    for (rows, expected) in [
        (vec![decision(2, Outcome::Matched, "O1000003", "006C")], vec!["006C is being shared with AWS"]),
        (
            vec![decision(2, Outcome::Matched, "O1000003", "006A"), decision(3, Outcome::Matched, "O1000002", "006A")],
            vec![
                "006A is in row 3 as well: one record has one counterpart",
                "006A is in row 2 as well: one record has one counterpart",
            ],
        ),
        (
            vec![decision(2, Outcome::Matched, "O1000003", "006A"), decision(3, Outcome::Matched, "O1000003", "006A")],
            vec!["-"],
        ),
    ] {
        let applied = backfill(&world).apply(&rows, How::default(), &mut |_| ()).await.unwrap();
        let whys: Vec<_> =
            applied.iter().map(|it| it.why.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string)).collect();
        assert_eq!(whys, expected);
    }
}

#[tokio::test]
async fn a_share_that_aws_refused_leaves_nothing_agreed_on() {
    let world = pipeline().await;
    let mut refused = Link::new(crm("006A"));
    refused.base = json!({"partnerProjectTitle": "Grid Data Lake", "nextStep": "Ask"}).as_object().unwrap().clone();
    world.save(&mut refused).await.unwrap();
    assert_eq!(deeds(&world, &planned(), How::default()).await, [(2, Deed::Linked), (3, Deed::Linked)]);
    functions(&world).await;
    assert_eq!(world.crm_text("006A", "NextStep").as_deref(), Some("Ask"), "AWS's value is no change of AWS's");
}
