//! The file exchange against the ports in memory: what goes out, what AWS says of it, and what is cut on the way.

use cosell_model::Kind;
use cosell_sync::{
    Disposition, SkipReason, Stage,
    files::{Passage, Refusal, Whereabouts},
    log::Status,
    ports::Ledger,
};
use serde_json::{Value as Json, json};

use crate::memory::{MAPPING, Shared, opportunity, shareable};

const DEAL: &str = "006A";
const CITY: &str = "ACE_Customer_City__c";

/// A world whose opportunities go by files.
fn world() -> Shared {
    let world = Shared::default();
    world.mutate(|w| w.mapping = Some(format!("{MAPPING}\n[files]\nopportunities = true\n")));
    world
}

async fn delivers(world: &Shared, id: &str) -> Disposition {
    world.deliver().record(opportunity(id)).await.unwrap()
}

/// Works off a file that has landed.
async fn lands(world: &Shared, key: &str, content: &Json) -> Disposition {
    let (folder, name) = key.rsplit_once('/').unwrap();
    let landed = format!("landing/{folder}/v{}/{name}", content.to_string().len());
    world.mutate(|w| w.files.insert(landed.clone(), content.to_string().into_bytes()));
    let event = json!({"detail": {"object": {"key": landed}}}).to_string();
    for _ in 0..5 {
        match world.settle().event(&event).await {
            Disposition::Retry(_) => {}
            end => return end,
        }
    }
    panic!("it never settled");
}

/// The files that AWS has, each with its content.
fn sent(world: &Shared) -> Vec<(String, Json)> {
    let files = world.mutate(|w| w.sent.clone());
    files.into_iter().map(|(key, content)| (key, serde_json::from_slice(&content).unwrap())).collect()
}

fn result(file: &str, records: &Json) -> Json {
    json!({"success": "ALL", "spmsId": "0000000", "isApiError": false, "apiErrors": null, "fileName": file,
        "fileApnProcessedDT": "2099-01-01T00:00:00.000Z", "inboundApiResults": records})
}

fn took(crm_id: &str, ace_id: &str) -> Json {
    json!([{"partnerCrmUniqueIdentifier": crm_id, "apnCrmUniqueIdentifier": ace_id, "isSuccess": true,
        "errors": null, "warnings": null}])
}

fn refused(crm_id: &str, error: &str) -> Json {
    json!([{"partnerCrmUniqueIdentifier": crm_id, "apnCrmUniqueIdentifier": null, "isSuccess": false,
        "errors": [error], "warnings": null}])
}

fn answer_of(file: &str) -> String {
    let (folder, name) = file.rsplit_once('/').unwrap();
    format!("{folder}-processed-results/{}_result.json", name.trim_end_matches(".json"))
}

/// Sends what waits, and answers the one file that is new.
async fn sends(world: &Shared) -> (String, Json) {
    let before: Vec<String> = sent(world).into_iter().map(|(key, _)| key).collect();
    world.send().run(|| true).await.unwrap();
    let mut new: Vec<_> = sent(world).into_iter().filter(|(key, _)| !before.contains(key)).collect();
    assert_eq!(new.len(), 1, "one file");
    new.remove(0)
}

/// A deal that AWS has approved, as its files tell.
async fn approved(world: &Shared) {
    world.rep_edits("Opportunity", DEAL, &shareable());
    delivers(world, DEAL).await;
    let (file, _) = sends(world).await;
    lands(world, &answer_of(&file), &result(&file, &took(DEAL, "O1"))).await;
    from_aws(world, "Approved", "2098-01-01T00:00:00.000Z").await;
    world.mutate(|w| w.to_aws.clear());
}

async fn from_aws(world: &Shared, status: &str, at: &str) -> Disposition {
    let record = json!({"apnCrmUniqueIdentifier": "O1", "partnerCrmUniqueIdentifier": DEAL, "status": status,
        "stage": "Qualified", "lastModifiedDate": at});
    let file = json!({"version": "2.0", "spmsId": "0000000", "opportunities": [record]});
    lands(world, &format!("opportunity-outbound/{status}-{at}.json"), &file).await
}

fn says(world: &Shared, field: &str) -> String {
    world.crm_text(DEAL, field).unwrap_or_default()
}

#[tokio::test]
async fn a_deal_goes_whole_and_its_changes_go_alone() {
    let world = world();
    world.rep_edits("Opportunity", DEAL, &shareable());
    assert!(matches!(delivers(&world, DEAL).await, Disposition::Done));
    assert!(sent(&world).is_empty(), "it waits for company");
    let (file, content) = sends(&world).await;
    assert_eq!((&content["version"], &content["spmsId"]), (&json!("2.0"), &json!("0000000")));
    let record = &content["opportunities"][0];
    assert_eq!(record["partnerCrmUniqueIdentifier"], DEAL);
    assert_eq!(record["expectedMonthlyAwsRevenue"], 1042, "files take whole amounts");
    assert_eq!(record["solutionOffered"], json!(["S-0000001", "S-0000002"]));
    assert_eq!(record.get("apnCrmUniqueIdentifier"), None);
    assert_eq!(world.count("CreateOpportunity"), 0);

    world.rep_edits("Opportunity", DEAL, &[(CITY, json!("Kiel"))]);
    delivers(&world, DEAL).await;
    assert_eq!(world.send().run(|| true).await.unwrap().files, 0, "AWS has not answered the first");
    lands(&world, &answer_of(&file), &result(&file, &took(DEAL, "O1"))).await;
    assert_eq!(says(&world, "ACE_Opportunity_Id__c"), "O1");
    assert_eq!(says(&world, "ACE_Sync_Status__c"), "Synced");
    assert_eq!(world.mutate(|w| w.to_aws.len()), 1, "what changed meanwhile goes by itself");
    world.delivers().await;
    let (_, content) = sends(&world).await;
    assert_eq!(
        content["opportunities"],
        json!([{"apnCrmUniqueIdentifier": "O1", "partnerCrmUniqueIdentifier": DEAL, "city": "Kiel"}])
    );
}

#[tokio::test]
async fn what_comes_by_files_is_not_asked_of_the_api() {
    let world = world();
    let ring = json!({"source": "aws.partnercentral-selling", "detail-type": "Opportunity Updated",
        "detail": {"catalog": "Sandbox", "opportunity": {"identifier": "O1234567"}}});
    assert!(matches!(world.rings(&ring.to_string()).await, Disposition::Skip(SkipReason::ByFile)));
    assert_eq!(world.mutate(|w| w.calls.len()), 0);
}

#[tokio::test]
async fn a_share_that_is_cut_anywhere_goes_once_and_is_answered_once() {
    let calls = {
        let world = world();
        approved(&world).await;
        world.mutate(|w| w.calls.len())
    };
    for (nth, carried_out) in (0..calls).flat_map(|nth| [(nth, false), (nth, true)]) {
        let case = format!("call {nth} lost, carried out: {carried_out}");
        let world = world();
        world.rep_edits("Opportunity", DEAL, &shareable());
        world.mutate(|w| w.lost = Some((nth, carried_out)));
        for _ in 0..3 {
            let _: Result<_, _> = world.deliver().record(opportunity(DEAL)).await;
        }
        for _ in 0..3 {
            let _: Result<_, _> = world.send().run(|| true).await;
        }
        let files = sent(&world);
        assert_eq!(files.len(), 1, "{case}");
        let (file, content) = &files[0];
        assert_eq!(content["opportunities"].as_array().map(Vec::len), Some(1), "{case}");
        lands(&world, &answer_of(file), &result(file, &took(DEAL, "O1"))).await;
        lands(&world, &answer_of(file), &result(file, &took(DEAL, "O1"))).await;
        assert_eq!(says(&world, "ACE_Opportunity_Id__c"), "O1", "{case}");
        world.mutate(|w| w.lost = None);
        world.delivers().await;
        assert_eq!(world.send().run(|| true).await.unwrap().files, 0, "nothing is left to say, {case}");
    }
}

#[tokio::test]
async fn what_aws_refuses_is_said_and_goes_again_only_where_that_helps() {
    for (error, status, message, again) in [
        ("Title is too long", "Error", "AWS refused the record:\n- Title is too long", 0),
        ("UNABLE_TO_LOCK_ROW", "Waiting", "AWS could not take it yet: it goes again:\n- UNABLE_TO_LOCK_ROW", 1),
        ("Record is not editable", "Waiting", "AWS is reviewing: it goes when the review is over.", 0),
        ("No new update", "Synced", "", 0),
    ] {
        let world = world();
        approved(&world).await;
        world.rep_edits("Opportunity", DEAL, &[(CITY, json!("Kiel"))]);
        delivers(&world, DEAL).await;
        let (file, _) = sends(&world).await;
        lands(&world, &answer_of(&file), &result(&file, &refused(DEAL, error))).await;
        assert_eq!(
            (says(&world, "ACE_Sync_Status__c").as_str(), says(&world, "ACE_Sync_Message__c").as_str()),
            (status, message)
        );
        assert_eq!(world.send().run(|| true).await.unwrap().records, again, "{error}");
    }
}

#[tokio::test]
async fn what_aws_refused_goes_once_more_only_when_somebody_edits_or_asks() {
    let world = world();
    approved(&world).await;
    world.rep_edits("Opportunity", DEAL, &[(CITY, json!("Kiel"))]);
    let message = r#"{"object":"Opportunity","id":"006A","modified_at":"x"}"#;
    world.deliver().message(message).await;
    let (file, _) = sends(&world).await;
    lands(&world, &answer_of(&file), &result(&file, &refused(DEAL, "Title is too long"))).await;
    let end = world.deliver().message(message).await;
    assert!(matches!(end, Disposition::Skip(SkipReason::Rejected)), "our own note of it changes nothing: {end:?}");
    assert_eq!(world.send().run(|| true).await.unwrap().files, 0);
    delivers(&world, DEAL).await;
    sends(&world).await;
}

#[tokio::test]
async fn two_records_of_the_crm_cannot_be_one_of_awss() {
    let world = world();
    for id in [DEAL, "006B"] {
        world.rep_edits("Opportunity", id, &shareable());
        delivers(&world, id).await;
    }
    let (file, _) = sends(&world).await;
    let mut both = took(DEAL, "O1");
    both.as_array_mut().unwrap().push(took("006B", "O1")[0].clone());
    assert!(matches!(lands(&world, &answer_of(&file), &result(&file, &both)).await, Disposition::Done));
    let said = ["006A", "006B"].map(|id| world.crm_text(id, "ACE_Sync_Status__c").unwrap());
    assert!(said.contains(&"Synced".to_owned()) && said.contains(&"Error".to_owned()), "{said:?}");
}

#[tokio::test]
async fn what_was_not_editable_goes_when_the_review_is_over() {
    let world = world();
    approved(&world).await;
    world.rep_edits("Opportunity", DEAL, &[(CITY, json!("Kiel"))]);
    delivers(&world, DEAL).await;
    let (file, _) = sends(&world).await;
    lands(&world, &answer_of(&file), &result(&file, &refused(DEAL, "Record is not editable"))).await;
    from_aws(&world, "In review", "2098-02-01T00:00:00.000Z").await;
    assert!(matches!(delivers(&world, DEAL).await, Disposition::Skip(_)), "closed");
    assert!(world.delivers().await.is_empty());
    from_aws(&world, "Approved", "2098-03-01T00:00:00.000Z").await;
    world.delivers().await;
    let (_, content) = sends(&world).await;
    assert_eq!(content["opportunities"][0]["city"], "Kiel");
}

#[tokio::test]
async fn errors_that_pass_are_tried_a_few_times_only() {
    let world = world();
    approved(&world).await;
    world.rep_edits("Opportunity", DEAL, &[(CITY, json!("Kiel"))]);
    delivers(&world, DEAL).await;
    for _ in 0..4 {
        let (file, _) = sends(&world).await;
        lands(&world, &answer_of(&file), &result(&file, &refused(DEAL, "internal error"))).await;
    }
    assert_eq!(world.send().run(|| true).await.unwrap().files, 0, "three more times after the first");
    assert_eq!(says(&world, "ACE_Sync_Status__c"), "Error");
}

#[tokio::test]
async fn records_of_a_file_that_was_refused_whole_go_each_alone() {
    let world = world();
    for id in ["006A", "006B", "006C"] {
        world.rep_edits("Opportunity", id, &shareable());
        delivers(&world, id).await;
    }
    let (file, content) = sends(&world).await;
    assert_eq!(content["opportunities"].as_array().map(Vec::len), Some(3));
    let refusal = json!({"success": "NONE", "isApiError": true, "apiErrors": ["not of type object"], "fileName": file,
        "inboundApiResults": null});
    let name = answer_of(&file).replace("_result.json", ".error.json");
    lands(&world, &name, &refusal).await;
    assert_eq!(world.send().run(|| true).await.unwrap().files, 3);
    let (alone, _) = sent(&world)
        .into_iter()
        .find(|(key, content)| *key != file && content["opportunities"][0]["partnerCrmUniqueIdentifier"] == DEAL)
        .unwrap();
    lands(
        &world,
        &answer_of(&alone).replace("_result.json", ".error.json"),
        &json!({"success": "NONE", "isApiError": true,
        "apiErrors": ["not of type object"], "fileName": null}),
    )
    .await;
    assert_eq!(says(&world, "ACE_Sync_Message__c"), "AWS refused the record:\n- not of type object");
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_stays_where_it_is() {
    let world = world();
    let end =
        lands(&world, "lead-inbound-results/other_result.json", &result("lead-inbound/other.json", &took("x", "L1")))
            .await;
    assert!(matches!(end, Disposition::Park(_)), "{end:?}");
    assert_eq!(world.mutate(|w| w.log.last().map(|entry| entry.status)), Some(Status::Error));
    assert_eq!(world.mutate(|w| w.files.len()), 1, "the copy is kept, and AWS's is not deleted");
}

#[tokio::test]
async fn an_edit_that_is_taken_back_before_it_goes_does_not_go() {
    let world = world();
    approved(&world).await;
    world.rep_edits("Opportunity", DEAL, &[(CITY, json!("Kiel"))]);
    delivers(&world, DEAL).await;
    world.rep_edits("Opportunity", DEAL, &[(CITY, Json::Null)]);
    delivers(&world, DEAL).await;
    assert_eq!(world.send().run(|| true).await.unwrap().files, 0);
}

#[tokio::test]
async fn the_payload_goes_up_and_never_back() {
    let world = world();
    approved(&world).await;
    let older = format!("{MAPPING}\n[files]\nopportunities = true\npayload = \"1.0\"\n");
    world.mutate(|w| w.mapping = Some(older));
    world.rep_edits("Opportunity", DEAL, &[(CITY, json!("Kiel"))]);
    delivers(&world, DEAL).await;
    let error = world.send().run(|| true).await.unwrap_err();
    assert!(error.to_string().starts_with("sending payload 1.0 after 2.0"), "{error}");
}

#[tokio::test]
async fn a_file_that_aws_does_not_answer_is_said_once() {
    let world = world();
    world.rep_edits("Opportunity", DEAL, &shareable());
    delivers(&world, DEAL).await;
    sends(&world).await;
    // The clock of these tests goes on by a minute with each look at it.
    let mut said = 0;
    for _ in 0..400 {
        said = said.max(world.send().run(|| true).await.unwrap().unanswered);
    }
    assert_eq!(said, 1);
    let errors = world.mutate(|w| w.log.iter().filter(|entry| entry.status == Status::Error).count());
    assert_eq!(errors, 1);
}

#[tokio::test]
async fn a_lead_of_a_file_is_answered_in_a_file_and_nothing_else_goes_before() {
    let world = Shared::default();
    let lead = json!({"apnCrmUniqueIdentifier": "L1", "status": "Open", "company": "Accept To View", "currentLeadStage": null,
        "lastModifiedDate": "2027-01-01T00:00:00.000Z"});
    let file = json!({"version": "2", "spmsId": "0000000", "leads": [lead, {"apnCrmUniqueIdentifier": "L2", "status": "Open"}]});
    assert!(matches!(lands(&world, "lead-outbound/a.json", &file).await, Disposition::Done));
    let id = world.mutate(|w| {
        w.crm.iter().find(|(_, (_, fields))| fields["ACE_Lead_Id__c"].as_text() == Some("L1")).unwrap().0.clone()
    });
    let lead = || cosell_sync::CrmRef { object: "Lead".into(), id: id.clone() };
    assert!(matches!(world.deliver().record(lead()).await.unwrap(), Disposition::Skip(SkipReason::Unchanged)));
    assert_eq!(world.crm_text(&id, "ACE_Sync_Status__c").as_deref(), Some("Synced"), "defaults are no edit");
    world.rep_edits("Lead", &id, &[("ACE_Lead_Stage__c", json!("Accepted")), ("City", json!("Bern"))]);
    assert!(matches!(world.deliver().record(lead()).await.unwrap(), Disposition::Done));
    let (file, content) = sends(&world).await;
    assert_eq!(
        content["leads"],
        json!([{"apnCrmUniqueIdentifier": "L1", "partnerCrmLeadId": id, "status": "Open", "currentLeadStage": "Accepted"}])
    );
    assert_eq!(content["version"], "2");
    lands(&world, &answer_of(&file), &result(&file, &took(&id, "L1"))).await;

    let shown = json!({"apnCrmUniqueIdentifier": "L1", "partnerCrmLeadId": id, "status": "Open", "company": "Uhrwerk AG",
        "currentLeadStage": "Accepted", "lastModifiedDate": "2099-02-01T00:00:00.000Z"});
    lands(&world, "lead-outbound/b.json", &json!({"version": "2", "spmsId": "0000000", "leads": [shown]})).await;
    assert_eq!(world.crm_text(&id, "Company").as_deref(), Some("Uhrwerk AG"));
    let conflicts = |w: &mut crate::memory::World| {
        w.log.iter().flat_map(|it| &it.problems).filter(|it| it.code == "CONFLICT").count()
    };
    assert_eq!(world.mutate(conflicts), 0, "nobody had said what AWS says now");
    world.delivers().await;
    let (_, content) = sends(&world).await;
    assert_eq!(content["leads"][0]["city"], "Bern", "what waited for the acceptance");
    assert_eq!(content["leads"][0].get("fullName"), None, "a default is nobody's name");
}

#[tokio::test]
async fn files_that_are_not_for_us_or_say_nothing() {
    let world = Shared::default();
    let other = json!({"version": "2", "spmsId": "9999999", "leads": []});
    assert!(matches!(lands(&world, "lead-outbound/a.json", &other).await, Disposition::Park(_)));
    let empty = json!({"version": "2", "spmsId": "0000000", "leads": []});
    assert!(matches!(lands(&world, "lead-outbound/b.json", &empty).await, Disposition::Done));
    let dummy = MAPPING.replace("[lead.status]", "dummy_ids = \"X\"\n[lead.status]");
    world.mutate(|w| w.mapping = Some(dummy));
    let history = json!({"version": "1", "spmsId": "0000000", "leads": [
        {"apnCrmUniqueIdentifier": "L1", "partnerCrmLeadId": "X0001", "status": "Open", "novel": 1},
        {"apnCrmUniqueIdentifier": "L2", "status": "Open"}, {"apnCrmUniqueIdentifier": "L2", "status": "Open"}]});
    assert!(matches!(lands(&world, "lead-outbound/c.json", &history).await, Disposition::Done));
    let entry = world.mutate(|w| w.log.last().cloned()).unwrap();
    assert_eq!(entry.message, "payload 1.0: 1 record(s) settled, 0 refused, 1 left out, 1 twice in the file");
    assert_eq!(entry.problems[0].field.as_deref(), Some("novel"));
}

#[tokio::test]
async fn only_one_file_at_a_time_carries_a_record() {
    let world = world();
    world.rep_edits("Opportunity", DEAL, &shareable());
    delivers(&world, DEAL).await;
    sends(&world).await;
    let stage = || {
        world
            .mutate(|w| w.links.values().find_map(|link| link.shipment.clone()).map(|shipment| shipment.stage))
            .unwrap()
    };
    assert!(matches!(stage(), Stage::InFile(_)));
    world.rep_edits("Opportunity", DEAL, &[("NextStep", json!("Call"))]);
    assert!(matches!(delivers(&world, DEAL).await, Disposition::Skip(_)));
    assert_eq!(world.send().run(|| true).await.unwrap().files, 0);
}

/// Where the records of a file are, by AWS's identifier or the CRM's.
async fn whereabouts(world: &Shared, file: &str) -> (Passage, Vec<Whereabouts>) {
    let shown = world.look().file(file).await.unwrap().unwrap();
    (shown.passage, shown.records.into_iter().filter_map(|record| record.whereabouts).collect())
}

/// Two deals, shared and sent, of whose file AWS says nothing.
async fn unanswered() -> (Shared, String) {
    let world = world();
    for id in ["006A", "006B"] {
        world.rep_edits("Opportunity", id, &shareable());
        delivers(&world, id).await;
    }
    let (file, _) = sends(&world).await;
    (world, file)
}

#[tokio::test]
async fn what_is_on_its_way_can_be_seen() {
    let world = world();
    world.rep_edits("Opportunity", DEAL, &shareable());
    delivers(&world, DEAL).await;
    let look = world.look();
    assert_eq!((look.waiting(Kind::Opportunity).await.unwrap(), look.waiting(Kind::Lead).await.unwrap()), (1, 0));
    let waiting = look.waiting_records(Kind::Opportunity).await.unwrap();
    assert_eq!(waiting[0].crm().map(|record| record.id.as_str()), Some(DEAL));

    let (file, _) = sends(&world).await;
    // The clock of these tests is one for all of them: it may jump by hours.
    let sent = |at| world.mutate(|w| w.manifests.get_mut(&file).unwrap().sent_at = at);
    sent("2099-01-01T00:00:00Z".parse().ok());
    assert_eq!(look.waiting(Kind::Opportunity).await.unwrap(), 0);
    let open = look.unanswered().await.unwrap();
    assert_eq!((open.len(), open[0].0.key.as_str(), open[0].1), (1, file.as_str(), Passage::Sent));
    assert_eq!(whereabouts(&world, &file).await, (Passage::Sent, vec![Whereabouts::Here]));
    sent(None);
    assert_eq!(look.unanswered().await.unwrap()[0].1, Passage::Made);
    sent(Some(jiff::Timestamp::UNIX_EPOCH));
    assert_eq!(look.unanswered().await.unwrap()[0].1, Passage::Late);

    lands(&world, &answer_of(&file), &result(&file, &took(DEAL, "O1"))).await;
    let name = file.rsplit('/').next().unwrap();
    let shown = look.file(name).await.unwrap().unwrap();
    assert_eq!(shown.passage, Passage::Answered);
    let [record] = &shown.records[..] else { panic!("one record: {shown:?}") };
    assert_eq!((record.ace_id.as_deref(), &record.whereabouts), (Some("O1"), &Some(Whereabouts::Answered)));
    assert_eq!(record.last.as_ref().map(|entry| entry.status), Some(Status::ApiSuccess));
    assert_eq!(look.file("other.json").await.unwrap(), None);
}

#[tokio::test]
async fn what_aws_does_not_answer_goes_again_and_a_late_answer_changes_nothing() {
    for late in [took(DEAL, "O1"), refused(DEAL, "Title is too long")] {
        let (world, file) = unanswered().await;
        // Of the second deal AWS's answer was settled before it was cut.
        world.mutate(|w| {
            let links = w.links.values_mut().filter(|link| link.crm().is_some_and(|record| record.id == "006B"));
            links.for_each(|link| link.shipment.as_mut().unwrap().stage = Stage::Answered);
        });
        let (resend, before) = (world.resend(), world.mutate(|w| w.calls.len()));
        let rehearsed = resend.file(&file, true).await.unwrap().unwrap();
        assert_eq!((rehearsed.records.len(), rehearsed.others), (1, 1));
        assert_eq!(world.mutate(|w| w.calls.len()), before, "a rehearsal writes nothing");

        assert_eq!(resend.file(&file, false).await.unwrap().unwrap(), rehearsed);
        assert_eq!(
            whereabouts(&world, &file).await,
            (Passage::Resent, vec![Whereabouts::Waits, Whereabouts::Answered])
        );
        assert_eq!(world.look().unanswered().await.unwrap(), [], "nobody waits for it");
        assert!(matches!(resend.file(&file, false).await.unwrap(), Err(Refusal::Resent(_))));
        lands(&world, &answer_of(&file), &result(&file, &late)).await;
        assert_eq!(whereabouts(&world, &file).await.1[0], Whereabouts::Waits, "late, and of no consequence");
        world.delivers().await;

        let (next, content) = sends(&world).await;
        assert_eq!(content["opportunities"].as_array().map(Vec::len), Some(1));
        assert_eq!(content["opportunities"][0]["partnerCrmUniqueIdentifier"], DEAL, "by which AWS knows it");
        lands(&world, &answer_of(&file), &result(&file, &late)).await;
        assert_eq!(whereabouts(&world, &file).await.1[0], Whereabouts::In(next.clone()));
        lands(&world, &answer_of(&next), &result(&next, &took(DEAL, "O1"))).await;
        assert_eq!(says(&world, "ACE_Opportunity_Id__c"), "O1");
        assert_eq!(says(&world, "ACE_Sync_Status__c"), "Synced");
        world.delivers().await;
        assert_eq!(world.send().run(|| true).await.unwrap().files, 0, "nothing is left to say");
    }
}

#[tokio::test]
async fn a_resending_that_is_cut_anywhere_is_done_once_more() {
    let calls = {
        let (world, file) = unanswered().await;
        let before = world.mutate(|w| w.calls.len());
        world.resend().file(&file, false).await.unwrap().unwrap();
        world.mutate(|w| w.calls.len()) - before
    };
    for (nth, carried_out) in (0..calls).flat_map(|nth| [(nth, false), (nth, true)]) {
        let case = format!("call {nth} lost, carried out: {carried_out}");
        let (world, file) = unanswered().await;
        world.mutate(|w| w.lost = Some((nth, carried_out)));
        assert!(world.resend().file(&file, false).await.is_err(), "{case}");
        let again = world.resend().file(&file, false).await.unwrap();
        assert!(matches!(again, Ok(_) | Err(Refusal::Resent(_))), "{case}: {again:?}");
        let waits = vec![Whereabouts::Waits, Whereabouts::Waits];
        assert_eq!(whereabouts(&world, &file).await, (Passage::Resent, waits), "{case}");
    }
}

#[tokio::test]
async fn only_what_aws_has_and_does_not_answer_goes_again() {
    let (world, file) = unanswered().await;
    let resend = world.resend();
    assert_eq!(resend.file("nowhere.json", false).await.unwrap(), Err(Refusal::Unknown));
    world.mutate(|w| w.manifests.get_mut(&file).unwrap().sent_at = None);
    assert_eq!(resend.file(&file, false).await.unwrap(), Err(Refusal::Unsent));
    world.send().run(|| true).await.unwrap();
    let mut link = world.mutate(|w| w.links.values().next().cloned()).unwrap();
    link.claimed_until = Some(jiff::Timestamp::MAX);
    world.save(&mut link).await.unwrap();
    assert_eq!(resend.file(&file, false).await.unwrap_err().code(), "conflict", "somebody is writing it");
    link.claimed_until = None;
    world.save(&mut link).await.unwrap();
    let answers = [("006A", "O1"), ("006B", "O2")].map(|(crm_id, ace_id)| took(crm_id, ace_id)[0].clone());
    lands(&world, &answer_of(&file), &result(&file, &json!(answers))).await;
    assert!(matches!(resend.file(&file, false).await.unwrap(), Err(Refusal::Answered(_))));
}
