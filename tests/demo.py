"""The co-sell story on the local stack: the real template and the real binaries. `make demo` plays it.

Each step waits for the state that it should lead to and fails by name when that does not come.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sandbox import DEAL, Aws, Rep, eventually
from stack import BINARIES, ROOT, Stack, StackError

FILES = ROOT / "events" / "files"


def sample(name: str) -> Any:
    return json.loads((FILES / name).read_text())


class Story:
    """The stack, the people around it, and the timeline."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.aws = Aws(stack.control)
        self.rep = Rep(stack.salesforce)
        self.began = time.monotonic()
        self.step = "start"

    def says(self, who: str, what: str) -> None:
        print(f"{time.monotonic() - self.began:6.1f} s  {who:<11} {what}", flush=True)

    @contextmanager
    def chapter(self, title: str) -> Iterator[None]:
        self.step = title
        print(f"\n{title}", flush=True)
        yield

    def depth(self, queue: str) -> int:
        attributes = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.stack.client("sqs").get_queue_attributes(
            QueueUrl=self.stack.outputs[queue], AttributeNames=attributes
        )
        return sum(int(answer["Attributes"][name]) for name in attributes)

    def quiet(self, *queues: str) -> None:
        """Waits until queues have nothing left to work off."""
        eventually(f"{', '.join(queues)} empty", lambda: not any(self.depth(queue) for queue in queues))

    def opportunity_row(self, **fields: Any) -> dict[str, Any] | None:
        return self.aws.crm_row("Opportunity", **fields)

    def expect(self, record: str, patience: float = 20.0, **fields: Any) -> dict[str, Any]:
        """Waits until a CRM opportunity shows these values."""
        what = f"CRM opportunity {record} shows {fields}"
        return eventually(what, lambda: self.opportunity_row(Id=record, **fields), patience)

    def crm_writes(self) -> int:
        calls = [call["operation"] for call in self.aws.calls() if call["face"] == "salesforce"]
        return len([operation for operation in calls if operation not in ("token", "query")])

    def reads(self, opportunity: str) -> int:
        return len([call for call in self.aws.calls("GetOpportunity") if call["target_id"] == opportunity])

    def cosell(self, *arguments: str) -> Any:
        """What the command line says."""
        command = [str(BINARIES / "cosell"), *arguments]
        answer = subprocess.run(
            command, env={**os.environ, **self.stack.environment()}, capture_output=True, text=True, check=False
        )
        if answer.returncode:
            raise RuntimeError(f"{' '.join(arguments)}: {answer.stderr}")
        return json.loads(answer.stdout)

    def pushes(self) -> dict[str, Any]:
        found = self.stack.invoke("FnPush")
        self.says("fn-push", f"{found['changed']} changed in the CRM, {found['queued']} on the queue to AWS")
        return found


def aws_tells_us(story: Story) -> tuple[str, str]:
    """Chapter 1. Returns the opportunity at AWS and the CRM's record of the referral."""
    aws = story.aws
    known = aws.creates(
        Customer={"Account": {"CompanyName": "Nordlicht Energie", "Address": {"CountryCode": "DE", "City": "Kiel"}}},
        Project={"Title": "Grid data lake"},
        LifeCycle={"Stage": "Qualified", "NextSteps": "Call the architect"},
        ring=False,
    )
    story.says("AWS", f"has opportunity {known}, Grid data lake, which the CRM does not know yet")
    aws.edits(known, LifeCycle={"NextSteps": "Visit in Kiel"})
    story.says("AWS", "changes it; the one change rings twice, with two event ids")
    row = eventually("the opportunity in the CRM", lambda: story.opportunity_row(ACE_Opportunity_Id__c=known))
    shown = {name: row[name] for name in ("Name", "NextStep", "ACE_Customer_Name__c", "ACE_Review_Status__c")}
    assert list(shown.values()) == ["Grid data lake", "Visit in Kiel", "Nordlicht Energie", "Approved"], shown
    assert row["AWS_Stage__c"], "AWS's own stage comes from GetAwsOpportunitySummary"
    story.says("CRM", f"opportunity {row['Id']}: {', '.join(shown.values())}, AWS stage {row['AWS_Stage__c']}")
    story.quiet("FnOpportunityQueue")
    writes, heard = story.crm_writes(), story.reads(known)
    aws.rings(known)
    eventually("the repeated rings are heard", lambda: story.reads(known) > heard)
    story.quiet("FnOpportunityQueue")
    assert (writes, story.crm_writes()) == (1, 1), f"{story.crm_writes()} CRM writes for one change"
    story.says("check", f"4 rings, {story.reads(known)} reads, one CRM write")

    invitation = aws.invites(title="Barn sensors", project={"Title": "Barn sensors"})
    story.says("AWS", f"invites us to Barn sensors ({invitation['Id']})")
    fields = {"ACE_Invitation_Id__c": invitation["Id"]}
    referral = eventually("the referral in the CRM", lambda: story.opportunity_row(**fields))
    assert referral["ACE_Referral_Status__c"] == "Pending", referral
    assert referral["ACE_Accept_By__c"][:19] == invitation["ExpirationDate"][:19], (referral, invitation)
    assert not referral["ACE_Contact_Email__c"], "masked until it is accepted"
    deadline = referral["ACE_Accept_By__c"][:10]
    story.says("CRM", f"referral {referral['Id']}: Pending, answer by {deadline}, the contact is not shown yet")
    return known, referral["Id"]


def a_rep_shares_a_deal(story: Story, referral: str) -> str:
    """Chapter 2. Returns the deal's CRM record."""
    aws, rep = story.aws, story.rep
    deal = rep.creates(
        "Opportunity",
        Name="Harbour analytics",
        Share_With_AWS__c=True,
        **{**DEAL, "ACE_Monthly_Revenue__c": 1041.67},
    )
    story.says("rep", f"ticks `share with AWS` on {deal}, Harbour analytics")
    story.pushes()
    row = story.expect(deal, ACE_Review_Status__c="Submitted", ACE_Sync_Status__c="Synced")
    opportunity = row["ACE_Opportunity_Id__c"]
    for operation in ("CreateOpportunity", "AssociateOpportunity", "StartEngagementFromOpportunityTask"):
        assert len(aws.calls(operation)) == 1, f"{operation}: {len(aws.calls(operation))} calls"
    at_aws = aws.opportunity(opportunity)
    assert at_aws["RelatedEntityIdentifiers"]["Solutions"] == ["S-1234567"], at_aws
    assert at_aws["body"]["Project"]["ExpectedCustomerSpend"][0]["Amount"] == "1041.67", at_aws
    story.says("fn-deliver", f"created, associated and submitted as {opportunity}, each exactly once")
    story.says("CRM", f"{deal}: ACE id {opportunity}, Submitted")
    aws.reviews(opportunity, "Approved")
    story.says("AWS", f"approves {opportunity}")
    story.expect(deal, ACE_Review_Status__c="Approved")
    story.says("CRM", f"{deal}: Approved")

    rep.edits("Opportunity", referral, ACE_Response__c="Accept")
    story.says("rep", f"accepts the referral {referral}")
    story.pushes()
    row = story.expect(referral, ACE_Referral_Status__c="Accepted")
    assert row["ACE_Contact_Email__c"] and row["ACE_Opportunity_Id__c"], row
    same = [other for other in aws.crm_rows("Opportunity") if other["Name"] == row["Name"]]
    assert len(same) == 1, "the accepted referral is the same record"
    story.says("CRM", f"{referral}: Accepted, ACE id {row['ACE_Opportunity_Id__c']}, the contact is shown now")
    story.quiet("FnDeliverQueue", "FnOpportunityQueue", "FnInvitationQueue")
    return deal


def aws_drops_files(story: Story) -> None:
    """Chapter 3."""
    aws, bucket = story.aws, story.stack.parameters["AceBucketName"]
    files = {"lead-outbound": "leads.json", "opportunity-outbound": "opportunities.json"}
    for folder, name in files.items():
        aws.drops(folder, name, body=sample(name))
        story.says("AWS", f"puts {folder}/{name} into its bucket, and tells nobody")
    polled = story.stack.invoke("FnFilePoll")
    assert polled["landed"] == 2, polled
    story.says("fn-file-poll", f"{polled['landed']} new files copied to the landing bucket")
    for lead in sample("leads.json")["leads"]:
        fields = {"ACE_Lead_Id__c": lead["apnCrmUniqueIdentifier"]}
        row = eventually(f"lead {fields}", lambda fields=fields: aws.crm_row("Lead", **fields))
        story.says("CRM", f"lead {row['Id']}: {row['Company']}, {row['ACE_Lead_Status__c']}")
    for record in sample("opportunities.json")["opportunities"]:
        fields = {"ACE_Opportunity_Id__c": record["apnCrmUniqueIdentifier"]}
        row = eventually(f"opportunity {fields}", lambda fields=fields: story.opportunity_row(**fields))
        assert row["Name"] == record["partnerProjectTitle"], row
        story.says("CRM", f"opportunity {row['Id']}: {row['Name']}, {row['ACE_Customer_Country__c']}")

    def left() -> list[str]:
        listed = story.stack.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])
        return [entry["Key"] for entry in listed if "-outbound/" in entry["Key"]]

    eventually("the files leave AWS's bucket", lambda: not left())
    story.says("check", "every record is settled, and the files are gone from AWS's bucket")


def the_crm_is_down(story: Story, known: str) -> None:
    """Chapter 4."""
    aws = story.aws
    aws.breaks("salesforce", status=503)
    story.says("CRM", "answers 503 to everything")
    fresh = aws.creates(Project={"Title": "Ferry booking"}, ring=False)
    aws.edits(fresh, LifeCycle={"NextSteps": "Wait for the tide"})
    aws.edits(known, LifeCycle={"NextSteps": "Send the offer"})
    story.says("AWS", f"changes {fresh} and {known}; each change rings twice")
    attempts = story.stack.parameters["MaxReceives"]
    eventually("four dead letters", lambda: story.depth("FnOpportunityDeadLetters") == 4, 40)
    letters = story.cosell("dlq", "list", "--output", "json")
    causes = {(letter["code"], str(letter["attempts"])) for letter in letters}
    assert causes == {("unavailable", attempts)}, letters
    story.says("dead", f"4 letters after {attempts} attempts each: {letters[0]['cause'][:88]}")
    aws.mends()
    story.says("CRM", "is back")
    replayed = story.stack.invoke("FnReplay")
    assert replayed == {"replayed": 4, "kept": 0, "quarantined": 0}, replayed
    story.says("fn-replay", f"{replayed['replayed']} letters sent back to where they came from")
    eventually("the new record", lambda: story.opportunity_row(ACE_Opportunity_Id__c=fresh, NextStep="Wait for the tide"))
    eventually("the changed record", lambda: story.opportunity_row(ACE_Opportunity_Id__c=known, NextStep="Send the offer"))
    story.quiet("FnOpportunityQueue", "FnOpportunityDeadLetters")
    story.says("check", "both records are in the CRM, the dead-letter queue is empty")


def accounts(story: Story) -> None:
    """The table at the end."""
    log = story.cosell("log", "--limit", "200", "--output", "json")
    assert log, "the sync log is empty"
    assert not [entry for entry in log if entry["status"] == "Error"], "the sync log tells of an error"
    print(f"\n{'operation':<58}{'calls':>6}   what the sync log says")
    calls: dict[str, int] = {}
    for call in story.aws.calls():
        name = f"{call['face']} {call['operation']}"
        calls[name] = calls.get(name, 0) + 1
    lines = [f"{entry['direction']:<8} {entry['purpose']:<24} {entry['status']}" for entry in log]
    said = sorted({line: lines.count(line) for line in lines}.items())
    rows = max(len(calls), len(said))
    for (name, count), (line, times) in zip(
        sorted(calls.items()) + [("", 0)] * (rows - len(calls)), said + [("", 0)] * (rows - len(said)), strict=True
    ):
        print(f"{name:<58}{count or '':>6}   {line}{f' x {times}' if times else ''}")


def play(story: Story) -> None:
    """The whole story. An assertion or a wait that fails names its step."""
    with story.chapter("1. AWS tells us"):
        known, referral = aws_tells_us(story)
    with story.chapter("2. A rep shares a deal, and accepts the referral"):
        a_rep_shares_a_deal(story, referral)
    with story.chapter("3. AWS drops files"):
        aws_drops_files(story)
    with story.chapter("4. The CRM is down"):
        the_crm_is_down(story, known)
    accounts(story)


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # A shell that started us in the background has switched Ctrl-C off.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    began = time.monotonic()
    story = None
    try:
        with Stack.up("demo") as stack:
            print(f"The stack is up in {time.monotonic() - began:.1f} s: infra/template.yaml, {len(stack.outputs)} outputs")
            story = Story(stack)
            play(story)
    except (AssertionError, StackError, RuntimeError) as error:
        print(f"\nFAILED in `{story.step if story else 'start'}`: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; everything is stopped", file=sys.stderr)
        return 130
    print(f"\nThe demo took {time.monotonic() - began:.1f} s; nothing of it is left running.")
    cosell = BINARIES / "cosell"
    shown = cosell.relative_to(ROOT) if cosell.is_relative_to(ROOT) else cosell
    print(f"Look further: `make up`, then `{shown} log` and `{shown} dlq list` with the variables that it prints.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
