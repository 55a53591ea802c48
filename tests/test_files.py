"""The file exchange on the local stack, both ways: opportunities and leads that go by files alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import demo
import pytest
from sandbox import DEAL, eventually
from stack import MAPPING, Stack

ANSWER = """[opportunity.fields]
partnerAcceptanceStatus = { crm = "ACE_Response__c", values = { "Accept" = "Accepted", "Reject" = "Rejected" } }
rejectionReason = "ACE_Rejection_Reason__c"
"""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[demo.Story]:
    mapping = tmp_path_factory.mktemp("mapping") / "mapping.toml"
    # A referral of a file is answered by fields, as a lead is.
    answer = MAPPING.read_text().replace("[opportunity.fields]\n", ANSWER, 1)
    begin, end = answer.index("[opportunity.referral]"), answer.index("# What Salesforce insists on")
    mapping.write_text(f"{answer[:begin]}{answer[end:]}\n[files]\nopportunities = true\n")
    with Stack.up("files", mapping=mapping) as stack:
        story = demo.Story(stack)
        story.aws.switches(file_exports=True)
        yield story


def keys(story: demo.Story, folder: str) -> list[str]:
    answer = story.stack.client("s3").list_objects_v2(Bucket=story.stack.parameters["AceBucketName"], Prefix=f"{folder}/")
    return [entry["Key"] for entry in answer.get("Contents", [])]


def delivered(story: demo.Story) -> None:
    story.stack.invoke("FnPush")
    story.quiet("FnDeliverQueue")


def exchanged(story: demo.Story) -> dict[str, Any]:
    """What waits goes, AWS works it off, and its answers are settled."""
    sent = story.stack.invoke("FnFileSend")
    worked_off = eventually("AWS works off the files", lambda: not keys(story, "opportunity-inbound") and not keys(story, "lead-inbound"))
    assert worked_off
    fetched(story)
    return sent


def fetched(story: demo.Story) -> None:
    story.stack.invoke("FnFilePoll")
    story.quiet("FnOutboundFileQueue")


def an_hour_passes(story: demo.Story) -> list[str]:
    written = story.aws.exports()
    fetched(story)
    return written


def log_of(story: demo.Story, record: str) -> list[dict[str, Any]]:
    return story.cosell("log", "--record", record, "--output", "json")


def test_a_deal_goes_in_a_file_and_its_review_comes_back_in_one(story: demo.Story) -> None:
    deal = story.rep.creates("Opportunity", Name="Lock keeper", Share_With_AWS__c=True, **{**DEAL, "ACE_Monthly_Revenue__c": 1041.67})
    delivered(story)
    assert exchanged(story) | {"left": 0} == {"files": 1, "records": 1, "repeated": 0, "unanswered": 0, "left": 0}
    row = story.expect(deal, ACE_Sync_Status__c="Synced")
    opportunity = row["ACE_Opportunity_Id__c"]
    at_aws = story.aws.opportunity(opportunity)
    assert at_aws["body"]["Project"]["Title"] == "Lock keeper" and at_aws["RelatedEntityIdentifiers"]["Solutions"] == ["S-1234567"]
    assert at_aws["body"]["Project"]["ExpectedCustomerSpend"][0]["Amount"] in ("1042", "1042.00"), "files take whole amounts"
    assert not story.aws.calls("CreateOpportunity"), "no call of the API"
    assert not keys(story, "opportunity-inbound-processed-results"), "the answer is settled and gone"
    [file] = [file for file in story.aws.files() if file["key"].startswith("opportunity-inbound/")]
    assert (file["succeeded"], file["odd_name"]) == (1, False), file
    said = [entry for entry in log_of(story, deal) if entry["purpose"] == "Inbound File Results"]
    assert [entry["status"] for entry in said] == ["API Success"], said

    story.rep.edits("Opportunity", deal, ACE_Customer_City__c="Kiel")
    an_hour_passes(story)
    story.expect(deal, ACE_Review_Status__c="Submitted")
    delivered(story)
    story.expect(deal, ACE_Sync_Status__c="Waiting")
    assert exchanged(story)["files"] == 0, "AWS reviews it"
    story.aws.reviews(opportunity, "Approved")
    an_hour_passes(story)
    story.quiet("FnDeliverQueue")
    assert exchanged(story)["records"] == 1, "what waited goes when the review is over"
    story.expect(deal, ACE_Review_Status__c="Approved", ACE_Sync_Status__c="Synced", ACE_Customer_City__c="Kiel")
    assert story.aws.opportunity(opportunity)["body"]["Customer"]["Account"]["Address"]["City"] == "Kiel"
    an_hour_passes(story)
    delivered(story)
    assert exchanged(story)["files"] == 0, "no echo"


def test_what_aws_refuses_is_on_the_record(story: demo.Story) -> None:
    deal = story.rep.creates("Opportunity", Name="Tug", Share_With_AWS__c=True, ACE_Owner_Email__c="nobody@partner.example", **DEAL)
    incomplete = story.rep.creates("Opportunity", Name="Raft", Share_With_AWS__c=True, **{**DEAL, "ACE_Industry__c": None})
    delivered(story)
    assert exchanged(story)["records"] == 1, "what AWS would refuse is not sent"
    assert "ACE_Industry__c" in story.expect(incomplete, ACE_Sync_Status__c="Error")["ACE_Sync_Message__c"]
    row = story.expect(deal, ACE_Sync_Status__c="Error")
    assert "User not found" in row["ACE_Sync_Message__c"] and not row["ACE_Opportunity_Id__c"], row
    problems = [problem["code"] for entry in log_of(story, deal) for problem in entry.get("problems", [])]
    assert "USER_NOT_FOUND" in problems
    story.rep.edits("Opportunity", deal, ACE_Owner_Email__c=None)
    delivered(story)
    exchanged(story)
    story.expect(deal, ACE_Sync_Status__c="Synced")


def test_a_lead_is_accepted_and_worked_on(story: demo.Story) -> None:
    lead = story.aws.makes_lead(company="Uhrwerk AG", status="Open", email="uhr@werk.example", city="Biel")
    an_hour_passes(story)
    row = eventually("the lead", lambda: story.aws.crm_row("Lead", ACE_Lead_Id__c=lead))
    assert row["Company"] == "Shown after acceptance" and not row["Email"], row
    story.rep.edits("Lead", row["Id"], ACE_Lead_Stage__c="Accepted")
    delivered(story)
    assert exchanged(story)["records"] == 1
    an_hour_passes(story)
    row = eventually("what was hidden", lambda: story.aws.crm_row("Lead", ACE_Lead_Id__c=lead, Company="Uhrwerk AG"))
    assert row["Email"] == "uhr@werk.example", row
    story.rep.edits("Lead", row["Id"], ACE_Lead_Status_Reason__c="Called them")
    delivered(story)
    assert exchanged(story)["records"] == 1
    assert story.aws.lead(lead)["leadStatusReason"] == "Called them"


def test_a_referral_of_a_file_is_answered_in_a_file(story: demo.Story) -> None:
    referral = story.aws.refers_by_file(Project={"Title": "Ferry"})
    an_hour_passes(story)
    row = eventually("the referral", lambda: story.opportunity_row(ACE_Opportunity_Id__c=referral))
    story.rep.edits("Opportunity", row["Id"], ACE_Response__c="Accept", NextStep="Call")
    delivered(story)
    assert exchanged(story)["records"] == 1
    assert story.aws.opportunity(referral)["Referral"]["answer"] == "Accepted", log_of(story, row["Id"])
    an_hour_passes(story)
    story.quiet("FnDeliverQueue")
    exchanged(story)
    assert story.aws.opportunity(referral)["body"]["LifeCycle"]["NextSteps"] == "Call", "what waited for the acceptance"


def test_a_file_of_another_partner_is_left_alone(story: demo.Story) -> None:
    story.aws.drops("lead-outbound", "other_03092026020000.json", body={"version": "2", "spmsId": "1111111", "leads": []})
    fetched(story)
    said = eventually("it is told", lambda: log_of(story, "lead-outbound/other_03092026020000.json"))
    assert said[0]["status"] == "Error" and "spmsId" in said[0]["message"], said
    assert keys(story, "lead-outbound") == ["lead-outbound/other_03092026020000.json"]
    assert story.stack.invoke("FnFilePoll")["unusable"] == 1
    story.stack.client("s3").delete_object(Bucket=story.stack.parameters["AceBucketName"], Key="lead-outbound/other_03092026020000.json")


def test_a_file_that_was_prepared_and_not_sent_is_sent_once(story: demo.Story) -> None:
    """A crash between the manifest and the upload: played by taking away what was uploaded."""
    story.aws.switches(file_results=False)
    deal = story.rep.creates("Opportunity", Name="Pilot", Share_With_AWS__c=True, **DEAL)
    delivered(story)
    assert story.stack.invoke("FnFileSend")["files"] == 1
    table = story.stack.client("dynamodb")
    [item] = table.query(
        TableName=story.stack.outputs["Table"],
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "Sandbox#manifest#open"}},
    )["Items"]
    manifest = json.loads(item["doc"]["S"])
    assert [record["crm_id"] for record in manifest["records"]] == [deal]
    table.put_item(TableName=story.stack.outputs["Table"], Item={**item, "doc": {"S": json.dumps({**manifest, "sent_at": None})}})
    assert story.stack.invoke("FnFileSend")["repeated"] == 1
    story.aws.switches(file_results=True)
    eventually("AWS answers", lambda: keys(story, "opportunity-inbound-processed-results"))
    fetched(story)
    story.expect(deal, ACE_Sync_Status__c="Synced")
    ours = [found for found in story.aws.opportunities() if found["body"].get("PartnerOpportunityIdentifier") == deal]
    assert len(ours) == 1, "AWS takes a name once"


def test_the_copy_of_what_was_sent_is_ours_to_look_at(story: demo.Story) -> None:
    s3 = story.stack.client("s3")
    bucket = story.stack.outputs["LandingBucket"]
    copies = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket, Prefix="sent/")["Contents"]]
    content = json.loads(s3.get_object(Bucket=bucket, Key=copies[0])["Body"].read())
    assert content["spmsId"] == "0000000" and content["version"], Path(copies[0]).name
