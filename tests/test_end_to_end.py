"""The real template and the real binaries on the local stack, roles enforced: the story, bad input, and the clock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import demo
import pytest
import requests
from sandbox import eventually
from stack import MAPPING, ROOT, Stack

EVENTS = ROOT / "events"
# Values of the samples that say something about a person.
PERSONAL = ["caduff", "ingrid", "solberg", "+41812345678", "+4722334455", "casey@", "reto."]


@pytest.fixture(scope="module")
def story() -> Iterator[demo.Story]:
    schedules = {
        "ScheduleState": "ENABLED",
        "PushSchedule": "rate(1 minute)",
        **{f"{name}Schedule": "rate(1 day)" for name in ("FilePoll", "Reconcile", "Replay")},
    }
    # The campaigns keep to the real quotas; here they would only be waited for.
    quotas = {"ReadsPerSecond": "50", "WritesPerSecond": "20"}
    with Stack.up("test", parameters={**schedules, **quotas}) as stack:
        yield demo.Story(stack)


def outcome(story: demo.Story, function: str, message: str) -> str:
    """What a function says that it did with a message."""

    def look() -> str | None:
        for line in reversed(story.stack.function_log(function)):
            if message in line and "outcome=" in line and 'outcome="retry"' not in line:
                return line
        return None

    return eventually(f"{function} works off {message}", look)


def send(story: demo.Story, queue: str, body: str, **arguments: Any) -> str:
    answer = story.stack.client("sqs").send_message(
        QueueUrl=story.stack.outputs[queue], MessageBody=body, **arguments
    )
    return answer["MessageId"]


def letters(story: demo.Story, queue: str) -> list[dict[str, Any]]:
    return [letter for letter in story.cosell("dlq", "list", "--output", "json") if letter["queue"] == queue]


def log_of(story: demo.Story, record: str) -> list[dict[str, Any]]:
    return story.cosell("log", "--record", record, "--output", "json")


def test_the_roles_are_enforced(story: demo.Story) -> None:
    health = requests.get(f"{story.stack.endpoint}/_ministack/health", timeout=5).json()
    assert health["auth"] == "enabled", "the functions' own roles are part of what is tested"


def test_the_story_of_the_demo(story: demo.Story) -> None:
    demo.play(story)


@pytest.mark.parametrize(
    ("sample", "queue", "expected"),
    [
        ("eventbridge/unknown-detail-type.json", "FnOpportunity", 'outcome="skip" reason="unknown_type"'),
        ("eventbridge/other-catalog.json", "FnOpportunity", 'outcome="skip" reason="other_catalog"'),
        ("eventbridge/engagement-created.json", "FnOpportunity", 'outcome="skip" reason="not_needed"'),
        ("eventbridge/engagement-invitation-created-by-us.json", "FnInvitation", 'outcome="skip" reason="not_needed"'),
        ("eventbridge/no-identifier.json", "FnOpportunity", 'outcome="park" code="unusable_event"'),
        ("eventbridge/malformed.txt", "FnInvitation", 'outcome="park" code="malformed_message"'),
        ("crm/malformed.txt", "FnDeliver", 'outcome="park" code="malformed_message"'),
        ("crm/changed.json", "FnDeliver", 'outcome="skip" reason="deleted"'),
        ("crm/record-changed.json", "FnChanged", 'outcome="skip" reason="deleted"'),
        ("eventbridge/malformed.txt", "FnOutboundFile", 'outcome="park" code="malformed_message"'),
    ],
)
def test_samples_end_as_their_readme_says(story: demo.Story, sample: str, queue: str, expected: str) -> None:
    fifo = {"MessageGroupId": sample} if queue == "FnDeliver" else {}
    message = send(story, f"{queue}Queue", (EVENTS / sample).read_text(), **fifo)
    assert expected in outcome(story, queue, message)
    if "park" in expected:
        codes = [letter["code"] for letter in letters(story, f"{queue}DeadLetters")]
        assert expected.split('code="')[1].rstrip('"') in codes
        assert all(letter["cause"] for letter in letters(story, f"{queue}DeadLetters"))


def test_poison_disturbs_nobody_and_is_replayed_only_when_asked(story: demo.Story) -> None:
    known = story.aws.creates(Project={"Title": "Beside poison"}, ring=False)
    poison = [send(story, "FnOpportunityQueue", "{") for _ in range(3)]
    story.aws.rings(known)
    eventually("the good one arrives", lambda: story.opportunity_row(ACE_Opportunity_Id__c=known))
    for message in poison:
        outcome(story, "FnOpportunity", message)
    dead = story.depth("FnOpportunityDeadLetters")
    assert dead >= 3
    assert story.stack.invoke("FnReplay")["replayed"] == 0, "what does not heal by itself stays"
    assert story.depth("FnOpportunityDeadLetters") == dead
    replayed = story.stack.invoke("FnReplay", json.loads((EVENTS / "scheduler/replay-all.json").read_text()))
    assert replayed["replayed"] >= dead, replayed

    def parked_again() -> bool:
        return len([letter for letter in letters(story, "FnOpportunityDeadLetters") if letter["replays"] == 1]) == dead

    eventually("it is parked again, with its count", parked_again)


def test_a_file_that_is_none_stays_with_aws(story: demo.Story) -> None:
    name = "broken_03092026020000.json"
    story.aws.drops("opportunity-outbound", name, text=(EVENTS / "files/not-json.txt").read_text())
    assert story.stack.invoke("FnFilePoll")["landed"] == 1
    key = f"opportunity-outbound/{name}"
    said = eventually("the sync log tells of it", lambda: log_of(story, key))
    assert said[0]["status"] == "Error" and "not JSON" in said[0]["message"], said
    eventually("the letter", lambda: [x for x in letters(story, "FnOutboundFileDeadLetters") if key in x["cause"]])
    story.stack.client("s3").head_object(Bucket=story.stack.parameters["AceBucketName"], Key=key)
    assert story.stack.invoke("FnFilePoll", json.loads((EVENTS / "scheduler/tick.json").read_text()))["landed"] == 0


def test_a_record_without_identifier_is_told_and_its_neighbour_arrives(story: demo.Story) -> None:
    name = "mixed_03092026030000.json"
    story.aws.drops("opportunity-outbound", name, body=demo.sample("one-without-identifier.json"))
    story.stack.invoke("FnFilePoll")
    eventually("the neighbour", lambda: story.opportunity_row(ACE_Opportunity_Id__c="O3000003"))
    said = eventually("the file is settled", lambda: log_of(story, f"opportunity-outbound/{name}")[2:] and True)
    assert said
    entries = log_of(story, f"opportunity-outbound/{name}")
    assert {entry["status"] for entry in entries} == {"Error", "Processed", "Partial"}, entries


def test_reconciliation_finds_what_no_event_brought(story: demo.Story) -> None:
    lost = story.aws.creates(Project={"Title": "Nobody rang"}, ring=False)
    invitation = story.aws.invites(title="Nobody rang either", ring=False)["Id"]
    found = story.stack.invoke("FnReconcile")
    assert found["opportunities_missed"] >= 1 and found["invitations_missed"] == 1, found
    eventually("the opportunity", lambda: story.opportunity_row(ACE_Opportunity_Id__c=lost))
    eventually("the referral", lambda: story.opportunity_row(ACE_Invitation_Id__c=invitation))


def test_a_record_is_refreshed_on_request(story: demo.Story) -> None:
    silent = story.aws.creates(Project={"Title": "Silent"}, ring=False)
    planned = story.cosell("refresh", "--all", "--dry-run", "--output", "json")
    assert {"id": silent, "queued": False} in planned
    assert story.cosell("refresh", silent, "--output", "json") == [{"id": silent, "queued": True}]
    eventually("the opportunity", lambda: story.opportunity_row(ACE_Opportunity_Id__c=silent))
    with pytest.raises(RuntimeError, match="neither an opportunity"):
        story.cosell("refresh", "006A")


def lead_row(story: demo.Story, engagement: str) -> dict[str, Any] | None:
    return story.aws.crm_row("Lead", ACE_Lead_Id__c=engagement)


def test_a_lead_of_an_engagement_is_accepted_and_converted(story: demo.Story) -> None:
    invited = story.aws.invites(payload_type="LeadInvitation", customer={"CompanyName": "Bergbahn AG"})
    engagement = invited["EngagementId"]
    row = eventually("the lead", lambda: lead_row(story, engagement))
    assert (row["Company"], row["ACE_Referral_Status__c"]) == ("Bergbahn AG", "Pending"), row
    assert row["LastName"] == "AWS lead", "the contact is hidden before acceptance"

    story.rep.edits("Lead", row["Id"], ACE_Response__c="Accept")
    story.pushes()
    accepted = eventually("accepted", lambda: (found := lead_row(story, engagement)) and found["Email"] and found)
    assert accepted["ACE_Referral_Status__c"] == "Accepted" and accepted["LastName"] != "AWS lead", accepted
    story.aws.edits_engagement(engagement, Lead={"Customer": {"CompanyName": "Bergbahn Holding AG"}})
    eventually("AWS's change", lambda: lead_row(story, engagement)["Company"] == "Bergbahn Holding AG")

    # What the lead does not say, AWS wants of its opportunity.
    deal = story.rep.creates(
        "Opportunity",
        Name="Lift telemetry",
        StageName="Prospecting",
        CloseDate="2027-06-30",
        ACE_Industry__c="Transportation and Logistics",
        ACE_Customer_Website__c="https://bergbahn.example",
        ACE_Monthly_Revenue__c=900,
    )
    story.rep.edits("Lead", row["Id"], IsConverted=True, ConvertedOpportunityId=deal)
    story.pushes()
    converted = story.expect(deal, ACE_Review_Status__c="Pending Submission")
    assert converted["Name"] == "Lift telemetry", "AWS's draft does not overwrite what the rep has"
    opportunity = converted["ACE_Opportunity_Id__c"]
    eventually(
        "the draft has the rep's title",
        lambda: story.aws.opportunity(opportunity)["body"]["Project"]["Title"] == "Lift telemetry",
    )
    assert len(story.aws.calls("StartOpportunityFromEngagementTask")) == 1
    assert not story.aws.crm_row("Opportunity", Name="Converted from Lead")


def test_a_referral_that_was_decided_without_an_event_is_found(story: demo.Story) -> None:
    gone = [story.aws.invites(title=title)["Id"] for title in ("Taken back", "Taken elsewhere")]
    for invitation in gone:
        eventually("the referral", lambda it=invitation: story.opportunity_row(ACE_Invitation_Id__c=it))
    story.quiet("FnInvitationQueue")
    story.aws.decides(gone[0], "EXPIRED", ring=False)
    opportunity = story.aws.decides(gone[1], "ACCEPTED", ring=False)["OpportunityId"]
    found = story.stack.invoke("FnReconcile")
    assert found["invitations_missed"] == 2 and found["opportunities_missed"] >= 1, found
    rows = [
        eventually(status, lambda it=it, s=status: story.opportunity_row(ACE_Invitation_Id__c=it, ACE_Referral_Status__c=s))
        for it, status in zip(gone, ("Expired", "Accepted"), strict=True)
    ]
    story.expect(rows[1]["Id"], ACE_Opportunity_Id__c=opportunity)
    assert len([row for row in story.aws.crm_rows("Opportunity") if row["ACE_Opportunity_Id__c"] == opportunity]) == 1
    assert story.stack.invoke("FnReconcile")["invitations_missed"] == 0, "what is decided waits for nothing"


def test_what_cosell_tells_is_as_its_samples_say(story: demo.Story) -> None:
    events, sqs = story.stack.client("events"), story.stack.client("sqs")
    queue = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="told", EventPattern=json.dumps({"source": ["cosell"]}))
    events.put_targets(Rule="told", Targets=[{"Id": "told", "Arn": arn}])

    story.aws.invites(title="Soon over", expires_in_seconds=3600)
    story.aws.invites(payload_type="LeadInvitation", customer={"CompanyName": "Talstation"})
    known = story.aws.creates(Project={"Title": "Under review"}, ReviewStatus="Submitted")
    row = eventually("the opportunity", lambda: story.opportunity_row(ACE_Opportunity_Id__c=known))
    story.aws.reviews(known, "Action Required", "How many lifts?")
    told = story.expect(row["Id"], ACE_Sync_Status__c="Action Required")
    assert told["ACE_Sync_Message__c"].endswith("How many lifts?"), told
    story.rep.creates(
        "Opportunity", Name="Too early too", StageName="Prospecting", CloseDate="2027-01-01", Share_With_AWS__c=True
    )
    story.pushes()

    samples = {}
    for path in (EVENTS / "cosell").glob("*.json"):
        sample = json.loads(path.read_text())
        samples[sample["detail-type"]] = sample
    seen: dict[str, dict[str, Any]] = {}

    def all_told() -> bool:
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            event = json.loads(message["Body"])
            sample = samples[event["detail-type"]]
            if set(event["detail"]) == set(sample["detail"]):
                seen[event["detail-type"]] = event
        return set(seen) == set(samples)

    try:
        eventually("each kind", all_told, 40)
    except AssertionError:
        raise AssertionError(f"never told as the sample says: {set(samples) - set(seen)}") from None
    for event in seen.values():
        assert event["source"] == "cosell" and event["detail"]["catalog"] == "Sandbox"
        assert not [word for word in ("lifts", "Under review", "Talstation") if word in json.dumps(event)], event


def test_an_edit_reaches_aws_and_nothing_else_is_touched(story: demo.Story) -> None:
    known = story.aws.creates(
        Project={"Title": "Two editors", "AdditionalComments": "Keep me"}, LifeCycle={"Stage": "Qualified"}
    )
    row = eventually("the opportunity", lambda: story.opportunity_row(ACE_Opportunity_Id__c=known))
    story.quiet("FnOpportunityQueue")
    before = story.aws.opportunity(known)["body"]
    story.rep.edits("Opportunity", row["Id"], NextStep="Send the offer")
    story.pushes()

    def sent() -> bool:
        return story.aws.opportunity(known)["body"]["LifeCycle"].get("NextSteps") == "Send the offer"

    eventually("the edit is at AWS", sent)
    after = story.aws.opportunity(known)["body"]
    after["LifeCycle"].pop("NextSteps")
    after["LifeCycle"].pop("NextStepsHistory", None)
    before["LifeCycle"].pop("NextStepsHistory", None)
    assert after == before
    story.quiet("FnDeliverQueue", "FnOpportunityQueue")
    updates = len(story.aws.calls("UpdateOpportunity"))
    story.pushes()
    story.quiet("FnDeliverQueue")
    assert len(story.aws.calls("UpdateOpportunity")) == updates, "our own write does not come back"


def test_an_incomplete_share_says_what_is_missing(story: demo.Story) -> None:
    deal = story.rep.creates(
        "Opportunity", Name="Too early", StageName="Prospecting", CloseDate="2027-01-01", Share_With_AWS__c=True
    )
    story.pushes()
    row = story.expect(deal, ACE_Sync_Status__c="Error")
    assert "ACE_Customer_Name__c (customerCompanyName): AWS needs a value here" in row["ACE_Sync_Message__c"], row
    assert log_of(story, deal)[0]["status"] == "Error"


def test_the_schedule_runs_without_being_asked(story: demo.Story) -> None:
    """The one test that waits for the clock: the emulator's scheduler looks every ten seconds."""
    known = story.aws.creates(Project={"Title": "By the clock"}, LifeCycle={"Stage": "Qualified"})
    row = eventually("the opportunity", lambda: story.opportunity_row(ACE_Opportunity_Id__c=known))
    story.rep.edits("Opportunity", row["Id"], NextStep="By itself")

    def sent() -> bool:
        return story.aws.opportunity(known)["body"]["LifeCycle"].get("NextSteps") == "By itself"

    eventually("the scheduled push", sent, 90)


def test_the_shipped_mapping_fits_the_org(story: demo.Story) -> None:
    found = story.cosell("mapping", "check", str(MAPPING), "--live", "--output", "json")
    assert not [row for row in found if row["severity"] == "error"], found
    described = story.cosell("mapping", "describe", "Opportunity")
    assert {field["name"]: field for field in described["fields"]}["ACE_Opportunity_Id__c"]["unique"]


def restart(story: demo.Story, function: str, why: str) -> None:
    """Another environment starts a function anew."""
    functions, name = story.stack.client("lambda"), story.stack.outputs[function]
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(
        FunctionName=name, Environment={"Variables": {**variables, "STARTED": why}}
    )


def test_a_customer_becomes_an_account(story: demo.Story, tmp_path: Path) -> None:
    related = """[opportunity.related.Account]
object = "Account"
lookup = "AccountId"
write = "create"
match = ["Name"]
defaults = { Type = "Prospect" }

[opportunity.fields]"""
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(
        MAPPING.read_text()
        .replace('customerCompanyName = "', 'customerCompanyName = { crm = "Account.Name", direction = "both" } # "')
        .replace('customerWebsite = "', 'customerWebsite = { crm = "Account.Website", direction = "both" } # "')
        .replace("[opportunity.fields]", related)
    )
    checked = story.cosell("mapping", "check", str(mapping), "--live", "--output", "json")
    assert not [row for row in checked if row["severity"] == "error"], checked
    story.cosell("config", "push", str(mapping), "--output", "json")
    try:
        restart(story, "FnOpportunity", "with accounts")
        deals = [
            story.aws.creates(
                Customer={"Account": {"CompanyName": "Alpenblick AG", "WebsiteUrl": "alpenblick.example"}},
                Project={"Title": title},
                LifeCycle={"Stage": "Qualified"},
            )
            for title in ("Hut sensors", "Hut bookings")
        ]
        rows = [
            eventually("the deal", lambda deal=deal: story.opportunity_row(ACE_Opportunity_Id__c=deal))
            for deal in deals
        ]
        accounts = [row for row in story.aws.crm_rows("Account") if row["Name"] == "Alpenblick AG"]
        assert [row["AccountId"] for row in rows] == [accounts[0]["Id"]] * 2 and len(accounts) == 1, accounts
        assert (accounts[0]["Type"], accounts[0]["Website"]) == ("Prospect", "alpenblick.example")
    finally:
        story.cosell("config", "push", str(MAPPING), "--output", "json")
        restart(story, "FnOpportunity", "as before")


def test_a_mapping_that_cannot_be_used_leaves_the_last_good_one_at_work(story: demo.Story, tmp_path: Path) -> None:
    bucket, s3 = story.stack.outputs["ConfigBucket"], story.stack.client("s3")
    broken = tmp_path / "mapping.toml"
    broken.write_text(MAPPING.read_text().replace('"CloseDate"', '{ crm = "CloseDate", colour = "red" }'))
    with pytest.raises(RuntimeError, match="there is no such option"):
        story.cosell("config", "push", str(broken))
    pushed = story.cosell("config", "push", str(MAPPING), "--output", "json")
    assert {row["object"] for row in pushed} == {"Opportunity", "Lead"}
    s3.put_object(Bucket=bucket, Key="mapping.toml", Body=broken.read_bytes())
    try:
        restart(story, "FnPush", "anew")
        story.pushes()
        lines = eventually("the complaint", lambda: [
            line for line in story.stack.function_log("FnPush") if "the last good one is" in line
        ])
        assert "mapping_invalid" in "\n".join(story.stack.function_log("FnPush")), lines
    finally:
        s3.upload_file(str(MAPPING), bucket, "mapping.toml")


def test_no_log_line_tells_of_a_person(story: demo.Story) -> None:
    story.stack.invoke("FnFileSend")
    functions = [name.removesuffix("Logs") for name in story.stack.outputs if name.endswith("Logs")]
    lines = {function: "\n".join(story.stack.function_log(function)) for function in functions}
    assert len(lines) == 10 and all(lines.values()), {function: len(text) for function, text in lines.items()}
    rows = json.dumps(story.aws.crm_rows("Opportunity") + story.aws.crm_rows("Lead")).lower()
    for word in PERSONAL:
        assert word in rows, f"{word} was never there: this test would see nothing"
        assert not [function for function, text in lines.items() if word in text.lower()], word


def test_every_sample_has_a_reader() -> None:
    samples = [path.relative_to(EVENTS).as_posix() for path in EVENTS.rglob("*") if path.suffix in (".json", ".txt")]
    assert samples
    # cosell/*.json are read by folder.
    sync = ROOT / "crates/cosell-sync"
    readers = "cosell" + "".join(path.name for path in (EVENTS / "cosell").iterdir()) + "".join(
        path.read_text()
        for path in [
            *(ROOT / "tests" / name for name in ("test_end_to_end.py", "test_dead_letters.py", "demo.py")),
            *(sync / name for name in ("tests/use_cases.rs", "src/letter.rs")),
        ]
    )
    readme = (EVENTS / "README.md").read_text()
    for sample in samples:
        assert Path(sample).name in readers, f"{sample} is read by no test"
        assert Path(sample).name in readme, f"events/README.md does not tell of {sample}"
