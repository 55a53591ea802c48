"""The way from the CRM to AWS, where it begins: by kind, on demand, and what is taken back or deleted."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import demo
import pytest
import requests
from sandbox import eventually
from stack import ROOT, Stack

SAMPLE = json.loads((ROOT / "events" / "crm" / "record-changed.json").read_text())


@pytest.fixture(scope="module")
def story() -> Iterator[demo.Story]:
    parameters = {"ReadsPerSecond": "50", "WritesPerSecond": "20", "ScheduleState": "ENABLED", "LeadPushState": "DISABLED"}
    rare = {f"{name}Schedule": "rate(1 day)" for name in ("Push", "LeadPush", "FilePoll", "Reconcile", "Replay")}
    with Stack.up("push", parameters={**parameters, **rare}) as stack:
        yield demo.Story(stack)


def tells(story: demo.Story, *details: dict[str, Any]) -> None:
    """What automation of the CRM does: it puts events on the bus."""
    entries = [
        {"Source": SAMPLE["source"], "DetailType": SAMPLE["detail-type"], "Detail": json.dumps(detail)}
        for detail in details
    ]
    answer = story.stack.client("events").put_events(Entries=entries)
    assert not answer["FailedEntryCount"], answer


def linked(story: demo.Story, title: str) -> tuple[str, str]:
    """An opportunity that AWS had first, and its record in the CRM."""
    known = story.aws.creates(Project={"Title": title}, LifeCycle={"Stage": "Qualified"})
    row = eventually("the opportunity", lambda: story.opportunity_row(ACE_Opportunity_Id__c=known))
    story.quiet("FnOpportunityQueue")
    return known, row["Id"]


def at_aws(story: demo.Story, opportunity: str) -> str | None:
    return story.aws.opportunity(opportunity)["body"]["LifeCycle"].get("NextSteps")


def reaches_aws(story: demo.Story, opportunity: str, step: str) -> None:
    eventually(f"`{step}` is at AWS", lambda: at_aws(story, opportunity) == step)


def deletes(story: demo.Story, record: str) -> None:
    answer = requests.delete(f"{story.rep.base}/Opportunity/{record}", headers=story.rep.headers, timeout=10)
    assert answer.status_code == 204, answer.text


def log_of(story: demo.Story, record: str) -> list[dict[str, Any]]:
    return story.cosell("log", "--record", record, "--output", "json")


def lines(story: demo.Story, function: str, *words: str) -> list[str]:
    return [line for line in story.stack.function_log(function) if all(word in line for word in words)]


def test_each_kind_has_a_schedule_that_can_be_paused(story: demo.Story) -> None:
    scheduler = story.stack.client("scheduler")
    found = [scheduler.get_schedule(Name=entry["Name"]) for entry in scheduler.list_schedules()["Schedules"]]
    states = {
        json.loads(schedule["Target"]["Input"])["kinds"][0]: schedule["State"]
        for schedule in found
        if "kinds" in schedule["Target"].get("Input", "")
    }
    assert states == {"opportunity": "ENABLED", "lead": "DISABLED"}, found


def test_a_push_looks_for_the_kinds_that_its_schedule_names(story: demo.Story) -> None:
    invited = story.aws.invites(payload_type="LeadInvitation", customer={"CompanyName": "Seilbahn AG"})
    lead = eventually("the lead", lambda: story.aws.crm_row("Lead", ACE_Lead_Id__c=invited["EngagementId"]))
    story.quiet("FnInvitationQueue")
    story.rep.edits("Lead", lead["Id"], ACE_Response__c="Accept")
    others = story.stack.invoke("FnPush", {"kinds": ["opportunity"]})
    assert others["queued"] == 0, others
    assert story.stack.invoke("FnPush", {"kinds": ["lead"]})["queued"] == 1
    eventually("the answer", lambda: story.aws.crm_row("Lead", Id=lead["Id"], ACE_Referral_Status__c="Accepted"))


def test_an_event_of_the_crm_brings_a_change_to_aws_at_once(story: demo.Story) -> None:
    (first, one), (second, other), (third, last) = (linked(story, title) for title in ("Told", "Told too", "Told last"))
    for record in (one, other, last):
        story.rep.edits("Opportunity", record, NextStep="Without a push")
    named = [{"object": "Opportunity", "id": record} for record in (other, last)]
    tells(story, {"object": "Opportunity", "id": one}, {"records": [{"object": "Case", "id": "secret"}, *named]})
    for opportunity in (first, second, third):
        reaches_aws(story, opportunity, "Without a push")
    unknown = eventually("the refusal", lambda: lines(story, "FnChanged", 'reason="unknown_object"'))
    assert not [line for line in unknown if "secret" in line], "what is none of ours is not repeated"


def test_what_cannot_go_says_why(story: demo.Story) -> None:
    private = story.rep.creates("Opportunity", Name="Private", StageName="Prospecting", CloseDate="2027-01-01")
    before = len(lines(story, "FnChanged", 'outcome="skip"'))
    tells(story, {"object": "Opportunity", "id": private}, SAMPLE["detail"])
    eventually("both are skipped", lambda: len(lines(story, "FnChanged", 'outcome="skip"')) == before + 2)
    assert lines(story, "FnChanged", private, "not_shared")
    assert lines(story, "FnChanged", SAMPLE["detail"]["id"], "deleted")


def test_an_event_that_the_crm_cannot_be_asked_about_is_replayed(story: demo.Story) -> None:
    known, record = linked(story, "Told in a storm")
    story.rep.edits("Opportunity", record, NextStep="After the storm")
    story.aws.breaks("salesforce", status=503)
    tells(story, {"object": "Opportunity", "id": record}, {"record": record})
    letters = eventually("two letters", lambda: (found := letters_of(story))[1:] and found, 40)
    assert {letter["code"] for letter in letters} == {"unavailable", "malformed_message"}, letters
    story.aws.mends()
    # Rings of AWS's may have ended there meanwhile, too.
    assert story.stack.invoke("FnReplay")["replayed"] >= 1
    reaches_aws(story, known, "After the storm")
    assert [letter["code"] for letter in letters_of(story)] == ["malformed_message"], "what does not heal by itself stays"


def letters_of(story: demo.Story) -> list[dict[str, Any]]:
    found = story.cosell("dlq", "list", "--output", "json")
    return [letter for letter in found if letter["queue"] == "FnChangedDeadLetters"]


def test_the_operator_pushes_single_records(story: demo.Story) -> None:
    known, record = linked(story, "By hand")
    story.rep.edits("Opportunity", record, NextStep="At once")
    planned = story.cosell("push", record, "--dry-run", "--output", "json")
    assert planned == [{"record": record, "queued": False, "why": None}]
    assert story.cosell("push", record, "--output", "json") == [{"record": record, "queued": True, "why": None}]
    reaches_aws(story, known, "At once")
    private = story.rep.creates("Opportunity", Name="Private too", StageName="Prospecting", CloseDate="2027-01-01")
    for arguments in ([private], ["006000000000099AAA"], [record, "--object", "Case"]):
        with pytest.raises(RuntimeError, match=r"1 record\(s\) cannot go to AWS"):
            story.cosell("push", *arguments, "--output", "json")
    with pytest.raises(RuntimeError, match="MALFORMED_ID"):
        story.cosell("push", "nobody@example.com", "--output", "json")


def test_a_share_that_is_taken_back_stops_until_it_is_given_again(story: demo.Story) -> None:
    known, record = linked(story, "Ours for a while")
    story.rep.edits("Opportunity", record, Share_With_AWS__c=True, NextStep="Together")
    story.cosell("push", record, "--output", "json")
    reaches_aws(story, known, "Together")
    story.quiet("FnDeliverQueue", "FnOpportunityQueue")
    story.rep.edits("Opportunity", record, Share_With_AWS__c=False, NextStep="Alone")
    story.cosell("push", record, "--output", "json")
    row = story.expect(record, ACE_Sync_Status__c="Stopped")
    assert row["ACE_Sync_Message__c"] == "Not shared any more: changes are not sent to AWS", row
    story.aws.edits(known, Project={"Title": "Ours for a while longer"})
    story.expect(record, Name="Ours for a while longer", ACE_Sync_Status__c="Stopped")
    story.quiet("FnOpportunityQueue", "FnDeliverQueue")
    story.rep.edits("Opportunity", record, NextStep="Still alone")
    story.cosell("push", record, "--output", "json")
    story.quiet("FnOpportunityQueue", "FnDeliverQueue")
    assert at_aws(story, known) == "Together"
    assert len([entry for entry in log_of(story, record) if entry["message"].startswith("not shared any more")]) == 1
    story.rep.edits("Opportunity", record, Share_With_AWS__c=True)
    story.cosell("push", record, "--output", "json")
    reaches_aws(story, known, "Still alone")
    story.expect(record, ACE_Sync_Status__c="Synced")


def test_a_deletion_is_said_once_and_changes_nothing_at_aws(story: demo.Story) -> None:
    events, sqs = story.stack.client("events"), story.stack.client("sqs")
    queue = sqs.create_queue(QueueName=f"told-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="deletions", EventPattern=json.dumps({"source": ["cosell"], "detail-type": ["Sync Failed"]}))
    events.put_targets(Rule="deletions", Targets=[{"Id": "told", "Arn": arn}])

    known, record = linked(story, "Deleted by somebody")
    unknown = story.rep.creates("Opportunity", Name="Nobody's", StageName="Prospecting", CloseDate="2027-01-01")
    before = story.aws.opportunity(known)["body"]
    for gone in (record, unknown):
        deletes(story, gone)
    found = story.pushes()
    assert found["deleted"] == 1, found
    said = eventually("the sync log", lambda: [x for x in log_of(story, record) if "was deleted" in x["message"]])
    assert said[0]["status"] == "Error" and said[0]["ace_id"] == known, said

    def told() -> dict[str, Any] | None:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        bodies = [json.loads(message["Body"])["detail"] for message in messages]
        return next((body for body in bodies if body["crmId"] == record), None)

    detail = eventually("the notice", told)
    assert (detail["codes"], detail["direction"]) == (["CRM_RECORD_DELETED"], "to_aws"), detail
    story.quiet("FnDeliverQueue")
    assert story.pushes()["deleted"] == 0, "it was said"
    assert len([x for x in log_of(story, record) if "was deleted" in x["message"]]) == 1
    assert story.aws.opportunity(known)["body"] == before
