"""What operators do with opportunities from the command line, on the local stack."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import demo
import pytest
from sandbox import DEAL, eventually
from stack import BINARIES, Stack


@pytest.fixture(scope="module")
def story() -> Iterator[demo.Story]:
    # The campaigns keep to the real quotas; here they would only be waited for.
    with Stack.up("opportunity", parameters={"ReadsPerSecond": "50", "WritesPerSecond": "20"}) as stack:
        yield demo.Story(stack)


@pytest.fixture(scope="module")
def deal(story: demo.Story) -> str:
    """A deal that nobody has shared."""
    return story.rep.creates("Opportunity", Name="Harbour analytics", **DEAL)


def cosell(story: demo.Story, *arguments: str) -> tuple[int, Any, str]:
    """Exit code, what is said, and what is said aside."""
    command = [str(BINARIES / "cosell"), "--output", "json", *arguments]
    environment = {**os.environ, **story.stack.environment()}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return answer.returncode, json.loads(answer.stdout or "null"), answer.stderr


def next_of(story: demo.Story, record: str) -> str:
    code, told, said = cosell(story, "status", record)
    assert code == 0, said
    return told["next"]


def test_a_deal_is_shared_once_from_the_command_line(story: demo.Story, deal: str) -> None:
    assert next_of(story, deal) == "not shared: tick Share_With_AWS__c"
    writes = story.crm_writes()
    code, rows, said = cosell(story, "opportunity", "share", deal, "--dry-run")
    assert code == 0 and said.endswith("1 done; nothing was written\n"), said
    calls = [call for call in rows[0]["calls"] if call["to"] == "Partner Central"]
    assert [call["operation"] for call in calls] == [
        "CreateOpportunity", "AssociateOpportunity", "StartEngagementFromOpportunityTask"
    ]
    assert calls[0]["body"]["Project"]["Title"] == "Harbour analytics"
    assert story.crm_writes() == writes and not story.aws.calls("CreateOpportunity"), "a rehearsal writes nothing"
    assert next_of(story, deal) == "not shared: tick Share_With_AWS__c"

    code, rows, said = cosell(story, "opportunity", "share", deal, "006000000000000AAA")
    assert (code, [row["result"] for row in rows]) == (1, ["done", "refused"]), (rows, said)
    assert "1 done, 1 refused" in said
    opportunity = rows[0]["ace_id"]
    story.expect(deal, ACE_Opportunity_Id__c=opportunity, ACE_Review_Status__c="Submitted", Share_With_AWS__c=True)
    assert next_of(story, opportunity).startswith("waiting for AWS's review since ")
    code, rows, said = cosell(story, "opportunity", "share", deal)
    assert (code, [row["result"] for row in rows]) == (0, ["unchanged"]), (rows, said)
    story.pushes()
    story.quiet("FnDeliverQueue", "FnOpportunityQueue")
    for call in calls:
        assert len(story.aws.calls(call["operation"])) == 1, call["operation"]


def test_a_deal_is_shown_changed_and_closed(story: demo.Story, deal: str) -> None:
    opportunity = story.opportunity_row(Id=deal)["ACE_Opportunity_Id__c"]
    code, shown, said = cosell(story, "opportunity", "show", deal)
    assert code == 0 and shown["partnerProjectTitle"] == "Harbour analytics", said
    code, raw, _ = cosell(story, "opportunity", "show", opportunity, "--raw")
    assert raw["GetOpportunity"]["Id"] == opportunity

    lose = ("opportunity", "close", opportunity, "--lost", "Customer Deficiency")
    code, rows, said = cosell(story, *lose)
    assert (code, rows[0]["result"]) == (0, "held_back"), (rows, said)
    assert "2 edits go out by themselves" in next_of(story, deal)
    story.aws.reviews(opportunity, "Approved")
    at_aws = eventually(
        "what was held back goes by itself",
        lambda: (it := story.aws.opportunity(opportunity)["body"]["LifeCycle"])["Stage"] == "Closed Lost" and it,
    )
    assert at_aws["ClosedLostReason"] == "Customer Deficiency"
    story.quiet("FnDeliverQueue", "FnOpportunityQueue")
    assert next_of(story, deal) == "nothing: both sides agree"
    code, told, _ = cosell(story, "status", deal)
    assert "Command" in {entry["purpose"] for entry in told["log"]} and told["link"]["share"] == "submitted"


def approved(story: demo.Story, **fields: Any) -> tuple[str, str]:
    """A deal that is shared and approved, in the CRM and at AWS."""
    deal = story.rep.creates("Opportunity", **{**DEAL, **fields})
    code, rows, said = cosell(story, "opportunity", "share", deal)
    assert code == 0, (rows, said)
    opportunity = rows[0]["ace_id"]
    story.aws.reviews(opportunity, "Approved")
    story.expect(deal, ACE_Review_Status__c="Approved")
    story.quiet("FnDeliverQueue", "FnOpportunityQueue")
    return deal, opportunity


def test_a_deal_is_assigned_and_launched(story: demo.Story) -> None:
    deal, opportunity = approved(story, Name="Crane telemetry")
    code, rows, said = cosell(story, "opportunity", "assign", deal, "--email", "jane@partner.example")
    assert (code, rows[0]["result"]) == (0, "done"), (rows, said)
    owner, = (it for it in story.aws.opportunity(opportunity)["OpportunityTeam"] if it["BusinessTitle"] == "OpportunityOwner")
    assert owner["Email"] == "jane@partner.example", owner
    story.expect(deal, ACE_Owner_Email__c="jane@partner.example")

    launch = ("opportunity", "close", opportunity, "--launched", "--aws-account-id", "123456789012")
    code, rows, said = cosell(story, *launch)
    assert (code, rows[0]["result"]) == (0, "done"), (rows, said)
    body = story.aws.opportunity(opportunity)["body"]
    assert (body["LifeCycle"]["Stage"], body["Customer"]["Account"]["AwsAccountId"]) == ("Launched", "123456789012")
    story.expect(deal, ACE_Stage__c="Launched", ACE_AWS_Account_Id__c="123456789012")
    code, rows, said = cosell(story, *launch)
    assert (code, rows[0]["result"]) == (0, "unchanged"), (rows, said)


def test_a_solution_goes_and_the_last_one_stays(story: demo.Story) -> None:
    first, second = (it["id"] for it in cosell(story, "solutions")[1][:2])
    deal, opportunity = approved(story, Name="Berth planner", ACE_Solutions__c=f"{first};{second}")
    code, rows, said = cosell(story, "opportunity", "disassociate", opportunity, "Solutions", first)
    assert (code, rows[0]["result"]) == (0, "done"), (rows, said)
    assert story.aws.opportunity(opportunity)["RelatedEntityIdentifiers"]["Solutions"] == [second]
    story.expect(deal, ACE_Solutions__c=second)

    code, rows, said = cosell(story, "opportunity", "disassociate", opportunity, "Solutions", second)
    assert (code, rows[0]["result"]) == (1, "refused"), (rows, said)
    assert rows[0]["problems"][0]["code"] == "solution", rows
    assert not [call for call in story.aws.calls("DisassociateOpportunity") if call["status"] != 200], "AWS is not asked in vain"
    assert story.aws.opportunity(opportunity)["RelatedEntityIdentifiers"]["Solutions"] == [second]
    story.expect(deal, ACE_Sync_Status__c="Error", ACE_Solutions__c=None)
    assert next_of(story, deal).startswith("the rep has to mend: "), "as if the rep had emptied the field"
    cosell(story, "opportunity", "associate", deal, "Solutions", second)
    story.expect(deal, ACE_Sync_Status__c="Synced", ACE_Solutions__c=second)


def test_deals_are_shared_by_a_condition(story: demo.Story) -> None:
    def quay(number: int, **fields: Any) -> str:
        return story.rep.creates("Opportunity", **{**DEAL, "Name": f"Quay {number}", "Amount": 5000 * number, **fields})

    _, *bigger = quay(1), quay(2), quay(3), quay(4, ACE_Industry__c=None)
    share = ("opportunity", "share", "--where", "Name LIKE 'Quay%' AND (Amount > 5000 AND CloseDate > TODAY)")
    code, rows, said = cosell(story, *share, "--dry-run")
    assert code == 1 and "3 record(s) meet the condition" in said and "nothing was written" in said, said
    assert story.aws.crm_row("Opportunity", Id=bigger[0])["ACE_Opportunity_Id__c"] is None

    code, rows, said = cosell(story, *share)
    assert [(row["id"], row["result"]) for row in rows] == list(zip(bigger, ("done", "done", "refused"), strict=True)), (rows, said)
    assert code == 1 and "working off: 3 of 3" in said and "2 done, 1 refused" in said, said
    assert rows[2]["problems"][0]["field"] == "ACE_Industry__c (industry)", rows[2]
    code, rows, said = cosell(story, *share[:-1], "ACE_Review_Status__c = 'Submitted' AND Name LIKE 'Quay%'")
    assert (code, [row["result"] for row in rows]) == (0, ["unchanged"] * 2), (rows, said)
    story.quiet("FnDeliverQueue", "FnOpportunityQueue")


def test_a_condition_is_judged_by_the_crm(story: demo.Story) -> None:
    for condition, reason in (
        ("Nmae = 'Quay 1'", "- INVALID_FIELD: No such column 'Nmae' on entity 'Opportunity'."),
        ("Amount > 'many'", "- INVALID_FIELD: value of filter criterion for field 'Amount' must be of type currency"),
        ("Name = 'a' OR Name = 'b' AND Amount > 1", "- MALFORMED_QUERY: unexpected token: 'AND'"),
        ("Amount > 1 LIMIT 1", "- MALFORMED_QUERY: unexpected token: 'LIMIT'"),
        (" ", "- MALFORMED_QUERY: unexpected token: ')'"),
    ):
        code, rows, said = cosell(story, "opportunity", "update", "--where", condition)
        assert (code, rows) == (1, None) and reason in said, said
        assert said.startswith("error: search Opportunity by a condition was refused (1 problem(s))\n"), said
    code, rows, said = cosell(story, "opportunity", "update", "--where", "Name = 'Nobody knows it'")
    assert (code, rows, said) == (0, [], "0 record(s) meet the condition\n")
    code, _, said = cosell(story, "opportunity", "update", "O1234567", "--where", "Amount > 1")
    assert code == 2, said


def test_many_records_are_confirmed(story: demo.Story) -> None:
    for number in range(101):
        story.rep.creates("Opportunity", Name=f"Buoy {number}", StageName="Prospecting", CloseDate="2029-03-31")
    update = ("opportunity", "update", "--where", "Name LIKE 'Buoy%'")
    code, rows, said = cosell(story, *update)
    assert (code, rows) == (1, None), rows
    assert said == (
        "error: 101 records meet the condition: look at them with --dry-run first, then go on with --yes\n"
    )
    for confirmed in ("--dry-run", "--yes"):
        code, rows, said = cosell(story, *update, confirmed)
        assert code == 1 and {row["result"] for row in rows} == {"refused"} and len(rows) == 101, said
        assert "101 refused" in said


def test_referrals_are_answered_by_a_list(story: demo.Story) -> None:
    invitations = [story.aws.invites(title=f"Barn {number}")["Id"] for number in range(4)]
    for invitation in invitations:
        eventually("the referral", lambda it=invitation: story.opportunity_row(ACE_Invitation_Id__c=it))
    assert next_of(story, invitations[0]).startswith("accept or reject until ")
    story.quiet("FnInvitationQueue")
    code, rows, said = cosell(story, "opportunity", "accept", *invitations[:2], "engi-0000000000000")
    assert [row["result"] for row in rows[:2]] == ["done", "done"] and code == 1, (rows, said)
    assert "working off: 3 of 3" in said, said
    for row in rows[:2]:
        assert story.opportunity_row(Id=row["crm_id"])["ACE_Referral_Status__c"] == "Accepted"
    code, _, said = cosell(story, "opportunity", "reject", invitations[2], "--reason", "No time")
    assert code == 2 and "Unable to support" in said, said
    code, rows, said = cosell(story, "opportunity", "reject", *invitations[2:], "--reason", "Unable to support")
    assert (code, [row["result"] for row in rows]) == (0, ["done", "done"]), (rows, said)
    assert len(story.aws.calls("RejectEngagementInvitation")) == 2
    assert next_of(story, invitations[2]) == "nothing: the referral is REJECTED"
    code, rows, said = cosell(story, "opportunity", "reject", invitations[0], "--reason", "Other")
    assert code == 1 and rows[0]["why"] == "the referral is ACCEPTED already", (rows, said)


def test_solutions_are_listed(story: demo.Story) -> None:
    code, solutions, said = cosell(story, "solutions")
    assert code == 0 and {solution["status"] for solution in solutions} == {"Active"}, said
    assert len(cosell(story, "solutions", "--all")[1]) > len(solutions)
