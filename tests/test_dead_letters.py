"""Dead letters of every origin on the local stack: seen, replayed, dropped, set aside and corrected."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import demo
import pytest
from sandbox import eventually
from stack import BINARIES, ROOT, Stack

SAMPLES = ROOT / "events" / "dead-letters"


@pytest.fixture(scope="module")
def story() -> Iterator[demo.Story]:
    parameters = {"ScheduleState": "DISABLED", "MaxReceives": "1", "MaxReplays": "2"}
    with Stack.up("dead", parameters={**parameters, "ReadsPerSecond": "50", "WritesPerSecond": "20"}) as stack:
        yield demo.Story(stack)


def sample(name: str) -> dict[str, Any]:
    return json.loads((SAMPLES / name).read_text())


def puts(story: demo.Story, queue: str, name: str, body: str | None = None, **arguments: Any) -> str:
    """Puts a sample on a queue, as whoever it came from would."""
    letter = sample(name)
    answer = story.stack.client("sqs").send_message(
        QueueUrl=story.stack.outputs[queue],
        MessageBody=body or letter["Body"],
        MessageAttributes=letter.get("MessageAttributes", {}),
        **arguments,
    )
    return answer["MessageId"]


def letters(story: demo.Story, *filters: str) -> list[dict[str, Any]]:
    return story.cosell("dlq", "list", *filters, "--output", "json")


def says(story: demo.Story, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What the command does that fails or prints nothing."""
    return subprocess.run(
        [str(BINARIES / "cosell"), "dlq", *arguments],
        env={**os.environ, **story.stack.environment(), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def ring(opportunity: str) -> str:
    event = json.loads(sample("rule.json")["Body"])
    event["detail"]["opportunity"]["identifier"] = opportunity
    return json.dumps(event)


def unknown_to_the_crm(story: demo.Story, title: str) -> str:
    return story.aws.creates(Project={"Title": title}, ring=False)


def arrives(story: demo.Story, opportunity: str) -> None:
    eventually(f"{opportunity} in the CRM", lambda: story.opportunity_row(ACE_Opportunity_Id__c=opportunity))


@contextmanager
def stopped(story: demo.Story, queue: str) -> Iterator[None]:
    """Nobody works off this queue."""
    client = story.stack.client("lambda")
    name = story.stack.outputs[queue].rsplit("/", 1)[1]
    sources = client.list_event_source_mappings()["EventSourceMappings"]
    [source] = [source["UUID"] for source in sources if source["EventSourceArn"].endswith(f":{name}")]
    client.update_event_source_mapping(UUID=source, Enabled=False)
    try:
        yield
    finally:
        client.update_event_source_mapping(UUID=source, Enabled=True)


def test_what_a_rule_could_not_hand_over_is_replayed_by_itself(story: demo.Story) -> None:
    known = unknown_to_the_crm(story, "Not handed over")
    letter = puts(story, "FnOpportunityDeadLetters", "rule.json", ring(known))
    [shown] = letters(story, "--queue", "FnOpportunity", "--record", known)
    expected = {"id": letter, "origin": "rule cosell-FnOpportunityRule-1A2B3C", "code": "NO_PERMISSIONS", "attempts": 186}
    assert expected.items() <= shown.items(), shown
    assert letters(story, "--older-than", "1h") == []
    assert story.stack.invoke("FnReplay")["replayed"] == 1
    arrives(story, known)
    assert letters(story) == []


def test_what_its_queue_gave_up_is_told_and_replayed(story: demo.Story) -> None:
    known = unknown_to_the_crm(story, "Given up")
    sqs, url = story.stack.client("sqs"), story.stack.outputs["FnOpportunityQueue"]
    with stopped(story, "FnOpportunityQueue"):
        sqs.send_message(QueueUrl=url, MessageBody=ring(known))
        # A function that dies of it says nothing: the message is delivered again until its queue gives it up.
        for _ in range(3):
            received = eventually("delivery", lambda: sqs.receive_message(QueueUrl=url, VisibilityTimeout=0).get("Messages"))
            assert len(received) == 1
        sqs.receive_message(QueueUrl=url)
        [shown] = letters(story)
        assert shown["origin"] == f"redriven from {url.rsplit('/', 1)[1]}", shown
        assert (shown["ace_id"], shown["code"], shown["replays"]) == (known, None, 0)
        planned = story.cosell("dlq", "replay", "--code", "none", "--dry-run", "--output", "json")
        assert [row["outcome"] for row in planned] == ["would be replayed"]
        replayed = story.cosell("dlq", "replay", "--id", shown["id"][:8], "--rate", "5", "--output", "json")
        assert [row["outcome"] for row in replayed] == ["replayed"]
    arrives(story, known)
    assert letters(story) == []


def test_a_group_goes_back_in_its_order(story: demo.Story) -> None:
    body = json.loads(sample("redriven-fifo.json")["Body"])
    bodies = [json.dumps({**body, "modified_at": f"2026-03-09T02:00:0{second}Z"}) for second in range(5)]
    fifo = {"MessageGroupId": body["id"]}
    with stopped(story, "FnDeliverQueue"):
        for number, text in enumerate(bodies):
            puts(story, "FnDeliverDeadLetters", "redriven-fifo.json", text, MessageDeduplicationId=str(number), **fifo)
        assert len(letters(story, "--record", body["id"])) == 5
        assert [row["outcome"] for row in story.cosell("dlq", "replay", "--all", "--output", "json")] == ["replayed"] * 5
        received = story.stack.client("sqs").receive_message(
            QueueUrl=story.stack.outputs["FnDeliverQueue"],
            MaxNumberOfMessages=10,
            VisibilityTimeout=0,
            MessageAttributeNames=["All"],
        )["Messages"]
        assert [message["Body"] for message in received] == bodies
        attributes = received[0]["MessageAttributes"]
        assert attributes["cosell.replays"]["StringValue"] == "2"
        assert "conflict" in attributes["cosell.history"]["StringValue"], "what happened before travels with it"
    story.quiet("FnDeliverQueue")


def test_what_a_schedule_started_is_looked_at_and_dropped(story: demo.Story) -> None:
    puts(story, "ScheduleDeadLetters", "function.json")
    puts(story, "ScheduleDeadLetters", "schedule.json")
    shown = {letter["origin"]: letter["code"] for letter in letters(story, "--queue", "ScheduleDeadLetters")}
    throttled = "AWS.Lambda.TooManyRequestsException"
    assert shown == {"run of cosell-fn-push": "unavailable", "schedule cosell-FnPushSchedule-ABCDEF": throttled}
    kept = story.cosell("dlq", "replay", "--all", "--output", "json")
    assert all(row["outcome"].startswith("stays") for row in kept) and len(kept) == 2, kept
    unsure = says(story, "drop", "--queue", "ScheduleDeadLetters")
    assert unsure.returncode == 1 and "add --yes" in unsure.stderr, unsure
    assert says(story, "drop", "--yes").returncode == 1, "everything has to be said"
    dropped = story.cosell("dlq", "drop", "--code", throttled, "--yes", "--output", "json")
    assert [row["outcome"] for row in dropped] == ["dropped"]
    assert [letter["code"] for letter in letters(story)] == ["unavailable"]
    assert len(story.cosell("dlq", "drop", "--all", "--yes", "--output", "json")) == 1


def test_a_scheduled_run_that_failed_is_told(story: demo.Story) -> None:
    story.aws.breaks("salesforce", status=503)
    story.stack.client("lambda").invoke(FunctionName=story.stack.outputs["FnPush"], InvocationType="Event", Payload=b"{}")
    [letter] = eventually("the letter", lambda: letters(story, "--queue", "ScheduleDeadLetters"), 60)
    story.aws.mends()
    assert letter["origin"].startswith("run of ") and letter["origin"].endswith("fn-push"), letter
    assert story.cosell("dlq", "drop", "--all", "--yes", "--output", "json")[0]["outcome"] == "dropped"


def test_what_came_back_waits_longer_unless_somebody_asks(story: demo.Story) -> None:
    known = unknown_to_the_crm(story, "Came back")
    parked_at = datetime.now(UTC) - timedelta(minutes=30)
    attributes = {"cosell.code": "unavailable", "cosell.replays": "1", "cosell.parked_at": parked_at.isoformat()}
    story.stack.client("sqs").send_message(
        QueueUrl=story.stack.outputs["FnOpportunityDeadLetters"],
        MessageBody=ring(known),
        MessageAttributes={name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()},
    )
    assert story.stack.invoke("FnReplay") == {"replayed": 0, "kept": 1, "quarantined": 0}
    early = json.loads((ROOT / "events/scheduler/replay-early.json").read_text())
    assert story.stack.invoke("FnReplay", early)["replayed"] == 1
    arrives(story, known)


def test_what_came_back_too_often_is_set_aside_and_replayed(story: demo.Story) -> None:
    known = unknown_to_the_crm(story, "Worn")
    puts(story, "FnOpportunityDeadLetters", "parked.json", ring(known))
    assert story.stack.invoke("FnReplay") == {"replayed": 0, "kept": 0, "quarantined": 1}
    [kept] = story.cosell("dlq", "quarantine", "list", "--output", "json")
    assert (kept["why"], kept["queue"], kept["ace_id"]) == ("too_often", "FnOpportunityDeadLetters", known), kept
    shown = story.cosell("dlq", "quarantine", "show", kept["key"], "--output", "json")
    assert [past["code"] for past in shown["history"]] == ["throttled", None]
    story.cosell("dlq", "quarantine", "replay", kept["id"], "--output", "json")
    arrives(story, known)
    assert story.cosell("dlq", "quarantine", "list", "--output", "json") == []


def test_a_letter_is_corrected_before_it_goes_back(story: demo.Story, tmp_path: Path) -> None:
    known = unknown_to_the_crm(story, "Mended by hand")
    broken = json.loads(ring(known)) | {"detail": {"catalog": "Sandbox"}, "note": "Ingrid Solberg"}
    story.stack.client("sqs").send_message(
        QueueUrl=story.stack.outputs["FnOpportunityQueue"], MessageBody=json.dumps(broken)
    )
    [letter] = eventually("the letter", lambda: letters(story, "--code", "unusable_event"))
    assert story.stack.invoke("FnReplay")["kept"] == 1, "what does not heal by itself stays"
    story.cosell("dlq", "quarantine", "add", "--id", letter["id"], "--output", "json")
    [kept] = story.cosell("dlq", "quarantine", "list", "--output", "json")
    hidden = says(story, "quarantine", "show", kept["key"]).stdout
    assert "Sandbox" in hidden and "Ingrid" not in hidden, hidden
    assert "Ingrid" in says(story, "quarantine", "show", kept["key"], "--show-values").stdout
    mended = tmp_path / "mended.json"
    for text, refusal in [("{", "no JSON"), (json.dumps(broken), "takes no such body")]:
        mended.write_text(text)
        refused = says(story, "edit", kept["key"], "--file", str(mended))
        assert refused.returncode == 1 and refusal in refused.stderr, refused
    mended.write_text(ring(known))
    edited = says(story, "edit", kept["id"], VISUAL=f"cp {mended}")
    assert edited.returncode == 0, edited
    shown = story.cosell("dlq", "quarantine", "show", kept["key"], "--show-values", "--output", "json")
    assert json.loads(shown["original"]) == broken and json.loads(shown["body"]) == json.loads(ring(known))
    assert says(story, "quarantine", "replay", kept["key"]).returncode == 0
    arrives(story, known)
    assert story.cosell("dlq", "quarantine", "list", "--output", "json") == letters(story) == []
