"""The sync log on the local stack: every question that it answers, records that are corrected, and what is tried again."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import conftest
import demo
import pytest
from sandbox import DEAL, eventually
from stack import BINARIES, Stack

# Salesforce keeps 120 characters of an opportunity's name, AWS 255 of a title.
LONG = "A data lake for every meter of the grid, " * 4


@pytest.fixture(scope="module")
def story() -> Iterator[demo.Story]:
    with Stack.up("log", parameters={"ReadsPerSecond": "50", "WritesPerSecond": "20"}) as stack:
        yield demo.Story(stack)


def run(story: demo.Story, *arguments: str, text: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **story.stack.environment(), **more}
    line = [str(BINARIES / "cosell"), *arguments]
    return subprocess.run(line, env=environment, input=text, capture_output=True, text=True, check=False)


def log(story: demo.Story, *arguments: str) -> Any:
    answer = run(story, "log", *arguments, "--output", "json")
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def refused(story: demo.Story, record: str, direction: str) -> dict[str, Any]:
    found = eventually(
        f"{record} is refused", lambda: log(story, "--record", record, "--status", "error", "--direction", direction)
    )
    return found[0]


def open_records(story: demo.Story) -> dict[str, str]:
    return {line["name"]: line["what"] for line in log(story, "open")}


def metrics(story: demo.Story, function: str) -> list[dict[str, Any]]:
    lines = [line for line in story.stack.function_log(function) if '"_aws"' in line]
    return [json.loads(line[line.index("{") :]) for line in lines]


def title(story: demo.Story, opportunity: str) -> str:
    return story.aws.opportunity(opportunity)["body"]["Project"]["Title"]


@pytest.fixture(scope="module")
def too_long(story: demo.Story) -> str:
    """A record that the CRM refuses."""
    opportunity = story.aws.creates(Project={"Title": LONG}, Customer={"Contacts": [{"Email": "mila.reber@gipfel.example"}]})
    refused(story, opportunity, "from_aws")
    return opportunity


def test_every_question_has_an_answer(story: demo.Story, too_long: str) -> None:
    sound = story.aws.creates(Project={"Title": "Sound"})
    arrived = eventually("it arrives", lambda: log(story, "--record", sound))[0]
    day, error = arrived["at"][:10], refused(story, too_long, "from_aws")
    assert error["problems"][0]["code"] == "STRING_TOO_LONG", error
    assert arrived["run"] and arrived["cause"] and arrived["changed_at"]

    ids = {"error": error["id"], "sound": arrived["id"]}
    for question, found in [
        (["--day", day], {"error", "sound"}),
        (["--since", "1h"], {"error", "sound"}),
        (["--since", "1h", "--status", "error"], {"error"}),
        (["--since", "1h", "--status", "processed"], {"sound"}),
        (["--since", "1h", "--direction", "from_aws", "--status", "error"], {"error"}),
        (["--since", "1h", "--direction", "to_aws"], set()),
        (["--run", arrived["run"]], {"sound"}),
        (["--record", too_long], {"error"}),
        (["--day", "2020-01-01"], set()),
    ]:
        entries = {entry["id"] for entry in log(story, *question)}
        assert {name for name, id in ids.items() if id in entries} >= found, question
        assert {name for name, id in ids.items() if id in entries} <= found | ({"error"} if "--run" in question else set()), question
    runs = {line["run"]: line for line in log(story, "runs")}
    assert runs[arrived["run"]]["by"].endswith("fn-opportunity") and runs[arrived["run"]]["success"] >= 1
    assert runs[error["run"]]["error"] >= 1
    outcome = [line for line in story.stack.function_log("FnOpportunity") if arrived["cause"] in line and "outcome=" in line]
    assert outcome, "the log line of the message names the same cause"
    rows = list(csv.DictReader(io.StringIO(run(story, "log", "--since", "1h", "--output", "csv").stdout)))
    assert {row["id"] for row in rows} >= set(ids.values())


def test_people_are_shown_to_who_asks(story: demo.Story, too_long: str) -> None:
    entry = refused(story, too_long, "from_aws")["id"]
    assert "mila" not in json.dumps(log(story, "--record", too_long))
    masked = log(story, "show", entry)["record"]
    assert masked["customerEmail"] == "***" and masked["partnerProjectTitle"] == LONG.strip()
    assert "mila" not in run(story, "log", "show", entry).stdout
    assert log(story, "show", entry, "--show-values")["record"]["customerEmail"] == "mila.reber@gipfel.example"
    unknown = run(story, "log", "show", "019ac000000070008000000000000000")
    assert unknown.returncode == 1 and "sync log" in unknown.stderr


def test_awss_value_is_corrected_for_the_crm(story: demo.Story, too_long: str) -> None:
    entry = refused(story, too_long, "from_aws")["id"]
    assert open_records(story)[too_long] == "refused"
    odd = run(story, "log", "edit", entry, "--set", "partnerProjectTtle=x", "--set", "targetCloseDate=soon")
    assert odd.returncode == 1 and "no such field" in odd.stderr and "targetCloseDate" in odd.stderr, odd.stderr
    planned = log(story, "edit", entry, "--set", "partnerProjectTitle=A data lake", "--dry-run")[0]
    assert planned["corrected"] == ["partnerProjectTitle"] and not planned["queued"]
    corrected = log(story, "edit", entry, "--set", "partnerProjectTitle=A data lake")[0]
    assert corrected["queued"]
    row = eventually("it arrives", lambda: story.opportunity_row(ACE_Opportunity_Id__c=too_long))
    assert row["Name"] == "A data lake"
    eventually("nothing is left to do", lambda: too_long not in open_records(story))
    assert title(story, too_long) == LONG.strip(), "AWS's own value stays"
    story.stack.invoke("FnPush")
    story.quiet("FnDeliverQueue", "FnOpportunityQueue")
    assert title(story, too_long) == LONG.strip(), "it is no edit of the CRM's"
    story.aws.edits(too_long, Project={"Title": "Another title"})
    story.expect(row["Id"], Name="Another title")


def test_the_crms_value_is_corrected_for_aws(story: demo.Story) -> None:
    deal = story.rep.creates("Opportunity", **{"Name": "Free trial", **DEAL, "Share_With_AWS__c": True, "ACE_Monthly_Revenue__c": 0})
    story.stack.invoke("FnPush")
    entry = refused(story, deal, "to_aws")["id"]
    assert open_records(story)[deal] == "wrong"
    body = json.dumps({"expectedMonthlyAwsRevenue": 1200})
    answer = run(story, "log", "edit", entry, "--file", "-", "--output", "json", text=body)
    assert answer.returncode == 0, answer.stderr
    row = eventually("it is at AWS", lambda: story.opportunity_row(Id=deal)["ACE_Opportunity_Id__c"] and story.opportunity_row(Id=deal))
    spend = story.aws.opportunity(row["ACE_Opportunity_Id__c"])["body"]["Project"]["ExpectedCustomerSpend"][0]
    assert float(spend["Amount"]) == 1200
    eventually("nothing is left to do", lambda: not {deal, row["ACE_Opportunity_Id__c"]} & set(open_records(story)))
    story.quiet("FnDeliverQueue", "FnOpportunityQueue")
    assert story.opportunity_row(Id=deal)["ACE_Monthly_Revenue__c"] == 0, "the CRM's own value stays"


def test_an_editor_opens_the_record(story: demo.Story, too_long: str) -> None:
    entry = refused(story, too_long, "from_aws")["id"]
    changed = run(story, "log", "edit", entry, "--dry-run", "--output", "json", EDITOR="sed -i s/Net.New.Business/Expansion/")
    assert changed.returncode == 0, changed.stderr
    none = run(story, "log", "edit", entry, "--dry-run", EDITOR="", VISUAL="")
    assert none.returncode == 1


def test_a_lead_of_a_file_is_corrected_and_lands_again(story: demo.Story) -> None:
    story.aws.switches(file_exports=True)
    # Salesforce keeps 80 characters of a last name, AWS 120 of a full one.
    lead = story.aws.makes_lead(currentLeadStage="Accepted", firstName="Annelie Wilhelmina Friederike Charlotte", lastName="von Lindenhof " * 5)
    story.aws.exports()
    story.stack.invoke("FnFilePoll")
    entry = refused(story, lead, "from_aws")
    assert entry["file"].startswith("lead-outbound/") and entry["problems"][0]["field"] == "LastName", entry
    assert log(story, "edit", entry["id"], "--set", "fullName=Annelie von Lindenhof")[0]["queued"]
    row = eventually("the lead arrives", lambda: story.aws.crm_row("Lead", ACE_Lead_Id__c=lead))
    assert row["LastName"] == "Annelie von Lindenhof"
    eventually("nothing is left to do", lambda: lead not in open_records(story))


def test_what_is_refused_is_tried_again_by_itself(story: demo.Story) -> None:
    opportunity = story.aws.creates(Project={"Title": LONG})
    refused(story, opportunity, "from_aws")
    assert story.stack.invoke("FnReconcile")["retried"] == 0, "an hour is not over"
    # The sweep of what AWS lists as changed has rung for it, too.
    story.quiet("FnOpportunityQueue")
    key = {"pk": {"S": f"{story.stack.outputs['Catalog']}#log#open"}, "sk": {"S": f"from_aws#{opportunity}"}}
    story.stack.client("dynamodb").update_item(
        TableName=story.stack.outputs["Table"], Key=key, UpdateExpression="SET last_at = :at",
        ExpressionAttributeValues={":at": {"S": "2026-01-01T00:00:00Z"}},
    )
    assert story.stack.invoke("FnReconcile")["retried"] == 1
    story.quiet("FnOpportunityQueue")
    assert [line["retries"] for line in log(story, "open") if line["name"] == opportunity] == [1]
    assert story.stack.invoke("FnReconcile")["retried"] == 0, "four hours are not over"
    story.aws.edits(opportunity, Project={"Title": "Short"})
    eventually("it arrives", lambda: story.opportunity_row(ACE_Opportunity_Id__c=opportunity, Name="Short"))
    eventually("nothing is left to do", lambda: opportunity not in open_records(story))


def test_the_report_counts(story: demo.Story) -> None:
    report = json.loads(run(story, "report", "--output", "json").stdout)
    # Midnight may have passed.
    count = lambda way, what: sum(line[what] for line in report["days"] if line["direction"] == way)  # noqa: E731
    assert count("from_aws", "success") >= 3 and count("from_aws", "error") >= 3 and count("to_aws", "success") >= 1
    arrivals = {line["direction"]: line for line in report["arrivals"]}
    assert arrivals["from_aws"]["arrived"] >= 1 and arrivals["from_aws"]["median_seconds"] <= 60
    codes = {(cause["direction"], cause["code"]) for cause in report["causes"]}
    assert ("from_aws", "STRING_TOO_LONG") in codes, codes
    shown = run(story, "report", "--since", "2d").stdout
    assert "STRING_TOO_LONG" in shown and "█" in shown
    rows = list(csv.DictReader(io.StringIO(run(story, "report", "--output", "csv").stdout)))
    assert {row["direction"] for row in rows} == {"from_aws", "to_aws"}


def test_the_metrics_tell_the_same(story: demo.Story) -> None:
    said = [line for function in ("FnOpportunity", "FnDeliver", "FnReconcile") for line in metrics(story, function)]
    counted = {(line["direction"], line["status"]) for line in said if "records" in line}
    assert {("from_aws", "processed"), ("from_aws", "error"), ("to_aws", "api_success")} <= counted, counted
    assert any("arrival_seconds" in line for line in said)
    for gauge in ("refused_records", "held_back_records", "invitations_open", "invitations_expiring"):
        assert any(gauge in line for line in metrics(story, "FnReconcile")), gauge


def test_a_leak_would_be_found(story: demo.Story) -> None:
    logs, group = story.stack.client("logs"), story.stack.outputs["FnReplayLogs"]
    assert conftest.leaks(story.stack) == []
    logs.create_log_stream(logGroupName=group, logStreamName="leak")
    event = {"timestamp": 1, "message": "sent to Mila.Reber@gipfel.example"}
    logs.put_log_events(logGroupName=group, logStreamName="leak", logEvents=[event])
    try:
        assert conftest.leaks(story.stack) == ["FnReplay: mila.reber@gipfel.example"]
    finally:
        logs.delete_log_stream(logGroupName=group, logStreamName="leak")
