"""An existing pipeline on the local stack: matched, linked, merged by the functions, and compared."""

from __future__ import annotations

import csv
import json
import os
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import demo
import pytest
from sandbox import eventually
from stack import BINARIES, Stack

FOUND = 20


@dataclass
class Pipeline:
    """Who is who, before anybody has linked anything: opportunity by CRM record."""

    found: dict[str, str] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)
    only_at_aws: list[str] = field(default_factory=list)
    only_in_crm: list[str] = field(default_factory=list)
    twins: list[str] = field(default_factory=list)
    twin_in_crm: str = ""
    linked: tuple[str, str] = ("", "")


@pytest.fixture(scope="module")
def story() -> Iterator[demo.Story]:
    with Stack.up("backfill") as stack:
        yield demo.Story(stack)


@pytest.fixture(scope="module")
def pipeline(story: demo.Story) -> Pipeline:
    made = Pipeline()

    def at_aws(title: str, **more: Any) -> str:
        customer = {"Account": {"CompanyName": f"Customer of {title}, Inc."}}
        return story.aws.creates(Project={"Title": title}, Customer=customer, **{"ring": False, **more})

    def in_crm(title: str, **more: Any) -> str:
        fields = {
            "Name": title,
            "StageName": "Prospecting",
            "CloseDate": "2027-03-31",
            "ACE_Customer_Name__c": f"customer of {title} inc",
        }
        return story.rep.creates("Opportunity", **{**fields, **more})

    linked = at_aws("Linked", ring=True)
    row = eventually("what is linked", lambda: story.opportunity_row(ACE_Opportunity_Id__c=linked))
    made.linked = (linked, row["Id"])
    for number in range(FOUND):
        record = in_crm(f"deal {number}", **({"NextStep": "Call"} if number == 0 else {}))
        made.found[record] = at_aws(f"Deal-{number}")
    for spelling in (18, 15):
        record = in_crm(f"Renamed in the CRM {spelling}")
        made.named[record] = at_aws(f"Carries it {spelling}", PartnerOpportunityIdentifier=record[:spelling])
    opportunity = at_aws("Carried")
    made.named[in_crm("Carries AWS's", ACE_Opportunity_Id__c=opportunity)] = opportunity
    made.twins = [at_aws("Twin"), at_aws("Twin")]
    made.twin_in_crm = in_crm("Twin")
    made.only_at_aws = [at_aws(f"Only at AWS {number}") for number in range(3)]
    made.only_in_crm = [in_crm(f"Only in the CRM {number}") for number in range(3)]
    story.quiet("FnOpportunityQueue")
    return made


def cosell(story: demo.Story, *arguments: str) -> tuple[int, Any, str]:
    """Exit code, what is said, and what is said aside."""
    command = [str(BINARIES / "cosell"), "--output", "json", *arguments]
    environment = {**os.environ, **story.stack.environment()}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return answer.returncode, json.loads(answer.stdout or "null"), answer.stderr


def rows_of(plan: Path) -> list[dict[str, str]]:
    with plan.open(newline="") as file:
        return list(csv.DictReader(file))


def is_private(path: Path) -> bool:
    return stat.S_IMODE(path.stat().st_mode) == 0o600


def results(applied: list[dict[str, Any]]) -> dict[str, int]:
    words = [row["result"] for row in applied]
    return {word: words.count(word) for word in set(words)}


@pytest.fixture(scope="module")
def plan(story: demo.Story, pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plan, read in two goes."""
    out = tmp_path_factory.mktemp("plan") / "plan.csv"
    part = Path(f"{out}.part")
    arguments = ("backfill", "plan", "--out", str(out))

    def succeeded() -> int:
        return len([call for call in story.aws.calls("GetOpportunity") if call["status"] == 200])

    writes, read = story.crm_writes(), succeeded()
    story.aws.breaks("partner_central", operation="GetOpportunity", status=500)
    code, _, said = cosell(story, *arguments)
    assert code == 1 and "GetOpportunity" in said and "reading the CRM: " in said, said
    assert is_private(part) and not out.exists()
    story.aws.mends()
    code, _, said = cosell(story, *arguments, "--match", "customer+amount")
    assert code == 1 and "--fresh" in said, said

    code, counts, said = cosell(story, *arguments)
    assert code == 0 and "an earlier run has read 0 record(s) of AWS's and 28 of the CRM's" in said, said
    found = {count["outcome"]: count["records"] for count in counts}
    assert found == {
        "matched": FOUND + 3, "ambiguous": 3, "only_at_aws": 3, "only_in_crm": 3, "linked": 1, "left_out": 0
    }
    assert is_private(out) and not part.exists()
    assert story.crm_writes() == writes, "a plan writes nothing"
    assert succeeded() - read == FOUND + 3 + 2 + 3, "each once, and what is linked not at all"
    return out


def test_every_record_is_in_the_plan_as_what_it_is(story: demo.Story, pipeline: Pipeline, plan: Path) -> None:
    rows = rows_of(plan)
    matched = {row["crm_id"]: (row["ace_id"], row["rule"]) for row in rows if row["outcome"] == "matched"}
    by_rule = {record: (opportunity, "customer+title") for record, opportunity in pipeline.found.items()}
    by_id = {record: (opportunity, "id") for record, opportunity in pipeline.named.items()}
    assert matched == {**by_rule, **by_id}
    ambiguous = [row for row in rows if row["outcome"] == "ambiguous"]
    assert {row["ace_id"]: row["candidates"] for row in ambiguous if row["ace_id"]} == dict.fromkeys(
        pipeline.twins, pipeline.twin_in_crm
    )
    assert [row["candidates"].split() for row in ambiguous if row["crm_id"]] == [sorted(pipeline.twins)]
    assert [row["ace_id"] for row in rows if row["outcome"] == "only_at_aws"] == sorted(pipeline.only_at_aws)
    assert [row["crm_id"] for row in rows if row["outcome"] == "only_in_crm"] == sorted(pipeline.only_in_crm)
    assert [(row["ace_id"], row["crm_id"]) for row in rows if row["outcome"] == "linked"] == [pipeline.linked]
    one = next(row for row in rows if row["ace_id"] == pipeline.twins[0])
    assert (one["title_at_aws"], one["customer_at_aws"]) == ("Twin", "Customer of Twin, Inc.")
    assert (one["stage_at_aws"], one["review_status"]) == ("Prospect", "Approved")
    code, _, said = cosell(story, "backfill", "plan", "--out", str(plan))
    assert code == 1 and "somebody's decisions" in said, said


def test_rules_and_days_are_as_declared(story: demo.Story, pipeline: Pipeline, plan: Path, tmp_path: Path) -> None:
    arguments = ("backfill", "plan", "--out", str(tmp_path / "plan.csv"))
    code, _, said = cosell(story, *arguments, "--match", "custommer+date")
    assert code == 1 and "did you mean `customer`?" in said, said
    by_title = (*arguments, "--match", "title+date", "--days", "4000")
    code, counts, said = cosell(story, *by_title, "--since", "2000-01-01")
    assert code == 0 and counts[1] == {"outcome": "matched", "records": FOUND + 3}, (counts, said)
    assert {row["rule"] for row in rows_of(tmp_path / "plan.csv")} == {"title+date", "id", "ledger", ""}
    code, counts, said = cosell(story, *by_title, "--since", "2999-01-01", "--fresh")
    assert code == 0 and {count["outcome"] for count in counts if count["records"]} == {"only_in_crm", "linked"}, counts


def decided(pipeline: Pipeline, plan: Path) -> Path:
    """A person goes through the plan: the first twin is the CRM's, and one row is wrong."""
    rows = rows_of(plan)
    for row in rows:
        if row["ace_id"] == pipeline.twins[0]:
            row.update(outcome="matched", crm_id=pipeline.twin_in_crm)
        if row["ace_id"] == pipeline.only_at_aws[2]:
            row.update(outcome="matched", crm_id=pipeline.linked[1])
    path = plan.with_name("decided.csv")
    # As a spreadsheet saves it.
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_what_is_matched_is_linked_once_and_merged(story: demo.Story, pipeline: Pipeline, plan: Path) -> None:
    path, records = decided(pipeline, plan), len(story.aws.crm_rows("Opportunity"))
    apply = ("backfill", "apply", str(path))
    code, applied, said = cosell(story, *apply, "--dry-run")
    assert (code, results(applied)) == (1, {"linked": FOUND + 4, "refused": 1}), said
    code, applied, said = cosell(story, *apply)
    assert (code, results(applied)) == (1, {"linked": FOUND + 4, "refused": 1}), said
    refused = next(row for row in applied if row["result"] == "refused")
    assert refused["why"] == f"{pipeline.linked[1]} is linked with {pipeline.linked[0]}", refused
    assert rows_of(plan)[refused["row"] - 2]["ace_id"] == pipeline.only_at_aws[2], "the row of the file"

    pairs = {**pipeline.found, **pipeline.named, pipeline.twin_in_crm: pipeline.twins[0]}

    def in_step() -> bool:
        rows = {row["Id"]: row for row in story.aws.crm_rows("Opportunity")}
        return all(
            rows[record]["ACE_Opportunity_Id__c"] == opportunity and rows[record]["ACE_Review_Status__c"] == "Approved"
            for record, opportunity in pairs.items()
        )

    eventually("the functions merge what is linked", in_step, 30)
    # What the CRM alone had goes to AWS.
    known = next(iter(pipeline.found.values()))
    eventually(
        "the CRM's next step is at AWS",
        lambda: story.aws.opportunity(known)["body"]["LifeCycle"].get("NextSteps") == "Call",
    )
    story.quiet("FnOpportunityQueue", "FnDeliverQueue")
    assert len(story.aws.crm_rows("Opportunity")) == records, "no record was made"
    assert not story.aws.calls("CreateOpportunity")
    said = story.cosell("log", "--record", known, "--output", "json")
    assert "Backfill" in {entry["purpose"] for entry in said}, said

    written = story.crm_writes()
    code, applied, said = cosell(story, *apply)
    assert (code, results(applied)) == (1, {"linked_before": FOUND + 4, "refused": 1}), said
    story.quiet("FnOpportunityQueue")
    assert story.crm_writes() == written, "nothing is left to do"


def test_what_is_missing_is_made_when_asked_for(story: demo.Story, pipeline: Pipeline, plan: Path) -> None:
    records = len(story.aws.crm_rows("Opportunity"))
    arguments = ("backfill", "apply", str(plan), "--create-missing")
    code, applied, said = cosell(story, *arguments)
    assert (code, results(applied)) == (0, {"linked_before": FOUND + 3, "queued": 3}), said
    for opportunity in pipeline.only_at_aws:
        eventually("the record", lambda known=opportunity: story.opportunity_row(ACE_Opportunity_Id__c=known))
    story.quiet("FnOpportunityQueue", "FnDeliverQueue")
    code, applied, said = cosell(story, *arguments)
    assert (code, results(applied)) == (0, {"linked_before": FOUND + 6}), said
    assert len(story.aws.crm_rows("Opportunity")) == records + 3
    assert not story.aws.calls("CreateOpportunity")


def test_drift_shows_edits_of_either_side_and_afterwards_nothing(
    story: demo.Story, pipeline: Pipeline, plan: Path
) -> None:
    code, lines, said = cosell(story, "drift", "--all")
    assert (code, [(line["ace_id"], line["verdict"]) for line in lines]) == (3, [(pipeline.twins[1], "not linked")]), said

    record, opportunity = next(iter(pipeline.found.items()))
    story.aws.edits(opportunity, Project={"AdditionalComments": "Bring the architect"}, ring=False)
    story.rep.edits("Opportunity", record, NextStep="Visit")
    expected = [
        {"ace_id": opportunity, "crm_id": record, "field": "additionalComments", "verdict": "aws changed", "goes": "yes"},
        {"ace_id": opportunity, "crm_id": record, "field": "nextStep", "verdict": "crm changed", "goes": "yes"},
    ]
    for spelling in (opportunity, record, record[:15]):
        assert cosell(story, "drift", spelling)[:2] == (3, expected), spelling
    code, lines, _ = cosell(story, "drift", opportunity, "--values")
    assert [(line["aws"], line["crm"], line["base"]) for line in lines] == [
        ("Bring the architect", None, None), ("Call", "Visit", "Call")
    ]
    story.pushes()
    story.aws.rings(opportunity)
    eventually("both sides in step", lambda: cosell(story, "drift", opportunity)[0] == 0)
    code, lines, _ = cosell(story, "drift", opportunity, "--verbose")
    assert code == 0 and {line["verdict"] for line in lines} == {"in step"}, lines
    code, lines, _ = cosell(story, "drift", pipeline.only_in_crm[0], "O9999999")
    assert (code, [line["verdict"] for line in lines]) == (3, ["not linked", "not at AWS"])
    story.aws.breaks("partner_central", status=500)
    assert cosell(story, "drift", opportunity)[0] == 1, "not known is not in step"
    story.aws.mends()
