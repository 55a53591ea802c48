//! An existing pipeline is linked, and both sides are compared.

use cosell_mapping::Mapping;
use cosell_model::Catalog;
use cosell_sync::{
    CrmRef, Disposition, Link, LinkKey, SkipReason,
    backfill::{Backfill, Decision, Deed, How, Note, Notes, Outcome, Plan, Question, Rule},
    drift::{Drift, Goes, Line, Subject, Verdict},
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

pub fn backfill(world: &Shared) -> Backfill {
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
pub async fn functions(world: &Shared) -> Vec<String> {
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

pub fn drift(world: &Shared) -> Drift {
    let converger = world.converger();
    Drift {
        partner_central: Box::new(world.clone()),
        crm: converger.crm,
        ledger: converger.ledger,
        mapping: converger.mapping,
        now: converger.now,
    }
}

async fn apart(world: &Shared, subjects: &[Subject]) -> Vec<Line> {
    let lines = drift(world).compare(subjects).await.unwrap();
    lines.into_iter().filter(|line| !line.verdict.is_in_step()).collect()
}

fn verdicts(lines: &[Line]) -> Vec<(&'static str, Verdict, Option<Goes>)> {
    lines.iter().map(|line| (line.field.unwrap_or("-"), line.verdict, line.goes)).collect()
}

/// One deal that is in step.
async fn in_step(mapping: &str) -> Shared {
    let world = Shared::default();
    world.mutate(|w| {
        w.mapping = Some(mapping.to_owned());
        w.opportunities.insert("O1000001".into(), at_aws("O1000001"));
    });
    let id = "O1000001".parse().unwrap();
    world.reader().opportunity(&id, Purpose::Event).await.unwrap();
    world
}

const RECORD: &str = "006000000000000001";

fn both() -> [Subject; 2] {
    [Subject::Opportunity("O1000001".parse().unwrap()), Subject::Record(RECORD.into())]
}

#[tokio::test]
async fn drift_says_what_the_functions_would_do() {
    let mapping = crate::memory::MAPPING
        .replace(
            "customerDuns = \"ACE_Customer_Duns__c\"",
            "customerDuns = { crm = \"ACE_Customer_Duns__c\", protect = true }",
        )
        .replace("city = \"ACE_Customer_City__c\"", "city = { crm = \"ACE_Customer_City__c\", policy = \"manual\" }");
    let world = in_step(&mapping).await;
    assert_eq!(apart(&world, &both()).await, []);
    world.mutate(|w| {
        let account = &mut w.opportunities.get_mut("O1000001").unwrap()["Customer"]["Account"];
        account["Duns"] = json!("123456789");
        account["Address"]["City"] = json!("Lübeck");
        account["Address"]["StreetAddress"] = json!("Hafenstraße 1");
    });
    world.aws_edits("O1000001", "/Project/Title", json!("Grid lake"));
    let edits = [
        ("Name", json!("Grid")),
        ("NextStep", json!("Meet")),
        ("ACE_Customer_City__c", json!("Hamburg")),
        ("ACE_Industry__c", json!("Agriculture")),
        ("AWS_Stage__c", json!("Qualified")),
    ];
    world.rep_edits("Opportunity", RECORD, &edits);
    world.mutate(|w| w.calls.clear());
    let expected = [
        ("awsStage", Verdict::OtherWay, Some(Goes::No)),
        ("city", Verdict::Held, Some(Goes::No)),
        ("customerDuns", Verdict::Protected, Some(Goes::No)),
        ("industry", Verdict::Closed, Some(Goes::No)),
        ("nextStep", Verdict::CrmChanged, Some(Goes::Yes)),
        ("partnerProjectTitle", Verdict::AwsWins, Some(Goes::Yes)),
        ("streetAddress", Verdict::AwsChanged, Some(Goes::Yes)),
    ];
    let lines = apart(&world, &both()[..1]).await;
    assert_eq!(verdicts(&lines), expected);
    assert_eq!(apart(&world, &both()[1..]).await, lines, "by either identifier");
    let reads = ["GetOpportunity", "GetAwsOpportunitySummary", "fetch"];
    assert!(world.mutate(|w| w.calls.clone()).iter().all(|call| reads.contains(&call.as_str())));

    world.aws_edits("O1000001", "/LifeCycle/ReviewStatus", json!("In review"));
    let waiting = verdicts(&apart(&world, &both()[..1]).await);
    assert!(waiting.contains(&("nextStep", Verdict::Waits, Some(Goes::Later))), "{waiting:?}");
    world.aws_edits("O1000001", "/LifeCycle/ReviewStatus", json!("Approved"));

    // One value that cannot go keeps the others of the record from going.
    world.rep_edits("Opportunity", RECORD, &[("ACE_Monthly_Revenue__c", json!("much"))]);
    let stuck = verdicts(&apart(&world, &both()[..1]).await);
    assert!(stuck.contains(&("expectedMonthlyAwsRevenue", Verdict::Unmappable, Some(Goes::No))), "{stuck:?}");
    assert!(stuck.contains(&("nextStep", Verdict::CrmChanged, Some(Goes::No))), "{stuck:?}");
    world.rep_edits("Opportunity", RECORD, &[("ACE_Monthly_Revenue__c", json!(-1))]);
    let refused = verdicts(&apart(&world, &both()[..1]).await);
    assert!(refused.contains(&("expectedMonthlyAwsRevenue", Verdict::Refused, Some(Goes::No))), "{refused:?}");
    assert!(refused.contains(&("streetAddress", Verdict::AwsChanged, Some(Goes::Yes))), "{refused:?}");
}

#[tokio::test]
async fn what_aws_redacts_is_no_difference_and_keeps_nothing_from_going() {
    let world = in_step(crate::memory::MAPPING).await;
    world.mutate(|w| {
        let opportunity = w.opportunities.get_mut("O1000001").unwrap();
        opportunity["NationalSecurity"] = json!("Yes");
        opportunity["Customer"]["Account"]["CompanyName"] = json!("Redacted");
        opportunity["Customer"]["Account"]["Industry"] = json!("Government");
        opportunity["Customer"]["Account"]["Address"]["PostalCode"] = json!("24103");
    });
    world.aws_edits("O1000001", "/LifeCycle/NextSteps", json!("Call"));
    world.reader().opportunity(&"O1000001".parse().unwrap(), Purpose::Event).await.unwrap();
    assert_eq!(apart(&world, &both()).await, []);
    world.rep_edits("Opportunity", RECORD, &[("NextStep", json!("Meet"))]);
    let lines = apart(&world, &both()[..1]).await;
    assert_eq!(verdicts(&lines), [("nextStep", Verdict::CrmChanged, Some(Goes::Yes))]);
    let record = crate::memory::opportunity(RECORD);
    assert!(matches!(world.deliver().record(record).await.unwrap(), Disposition::Done));
}

#[tokio::test]
async fn what_goes_by_itself_is_in_step_once_the_functions_are_through() {
    let world = in_step(crate::memory::MAPPING).await;
    world.aws_edits("O1000001", "/Project/Title", json!("Grid lake"));
    world.rep_edits("Opportunity", RECORD, &[("NextStep", json!("Meet"))]);
    let lines = apart(&world, &both()[..1]).await;
    assert!(lines.len() == 2 && lines.iter().all(|line| line.goes == Some(Goes::Yes)), "{lines:?}");
    let record = crate::memory::opportunity(RECORD);
    assert!(matches!(world.deliver().record(record.clone()).await.unwrap(), Disposition::Done));
    world.reader().opportunity(&"O1000001".parse().unwrap(), Purpose::Event).await.unwrap();
    assert_eq!(apart(&world, &both()).await, []);
    assert!(matches!(world.deliver().record(record).await.unwrap(), Disposition::Skip(SkipReason::Unchanged)));
}

#[tokio::test]
async fn records_without_a_counterpart_have_a_line() {
    let world = pipeline().await;
    let subjects = ["O1000001", "O9999999"].map(|id| Subject::Opportunity(id.parse().unwrap()));
    let records = ["006C", "006X"].map(|id| Subject::Record(id.into()));
    let lines = apart(&world, &[subjects, records].concat()).await;
    let stand: Vec<_> = lines.iter().map(|line| line.verdict).collect();
    assert_eq!(stand, [Verdict::NotLinked, Verdict::NotAtAws, Verdict::NotLinked, Verdict::NotInCrm]);
    world.mutate(|w| w.crm.remove("006D"));
    let gone = apart(&world, &[Subject::Opportunity("O1000004".parse().unwrap())]).await;
    assert_eq!((gone[0].verdict, gone[0].crm_id.as_deref()), (Verdict::NotInCrm, Some("006D")));

    let scoped = crate::memory::MAPPING
        .replace("[opportunity.status]", "[opportunity.only_aws]\ncountry = \"FR\"\n\n[opportunity.status]");
    assert!(Mapping::parse(&scoped).is_ok());
    world.mutate(|w| w.mapping = Some(scoped));
    assert_eq!(apart(&world, &[Subject::Opportunity("O1000001".parse().unwrap())]).await, [], "nobody wants it");
}
