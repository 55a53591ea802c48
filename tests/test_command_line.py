"""The `cosell` command where it needs no stack: output for people and machines, and exit codes."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from pathlib import Path

from stack import BINARIES, ROOT

FILES = ROOT / "events" / "files"


def cosell(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(BINARIES / "cosell"), *arguments], capture_output=True, text=True, check=False)


def test_fields_are_found_by_any_of_their_names() -> None:
    for text in ("customerCompanyName", "Customer.Account.CompanyName", "registered name"):
        found = json.loads(cosell("fields", "--find", text, "--output", "json").stdout)
        assert [row["field"] for row in found] == ["customerCompanyName"], text
    assert "aWSStage" in cosell("fields", "--find", "awsStage", "--output", "json").stdout
    assert json.loads(cosell("fields", "--kind", "lead", "--output", "json").stdout)


def test_fields_say_where_they_are_or_why_not() -> None:
    one = cosell("fields", "--find", "awsStage").stdout
    assert "LifeCycle.Stage" in one and "(AWS's own view: in the summary only)" in one and "aWSStage" in one
    rows = list(csv.DictReader(io.StringIO(cosell("fields", "--output", "csv").stdout)))
    by_key = {row["field"]: row for row in rows}
    assert by_key["subUseCase"]["file_1_0"] == "subUseCase" and by_key["subUseCase"]["file_2_0"] == ""
    assert by_key["deliveryModel"]["open_after_submission"] == "approved;launched (ISV)"
    assert all(row["about"] for row in rows) and len(rows) > 100


def test_a_picklist_shows_both_spellings_and_an_unknown_one_names_those_that_are() -> None:
    rows = json.loads(cosell("picklist", "country", "--output", "json").stdout)
    assert {"api": "GB", "file": "United Kingdom"} in rows and len(rows) == 249
    unknown = cosell("picklist", "nonsense")
    assert unknown.returncode == 1 and "use cases" in unknown.stderr
    lists = json.loads(cosell("picklist", "--output", "json").stdout)
    assert {"industries", "US states", "AWS products"} <= {row["list"] for row in lists}


def test_a_newer_list_of_products_is_compared(tmp_path: Path) -> None:
    newer = tmp_path / "aws_products.json"
    newer.write_text(json.dumps([{"Identifier": "AWSTeleport", "Name": "AWS Teleport", "Family": "Compute"}]))
    rows = json.loads(cosell("picklist", "--newer-products", str(newer), "--output", "json").stdout)
    assert rows[0] == {"change": "new", "code": "AWSTeleport", "name": "AWS Teleport"}
    assert {"change": "gone", "code": "AWSLambda", "name": "AWS Lambda"} in rows


def test_validation_says_everything_at_once() -> None:
    good = cosell("validate", str(FILES / "opportunities.json"))
    assert (good.returncode, good.stdout) == (0, "nothing to complain about in 2 record(s)\n"), good
    bad = cosell("validate", "--output", "json", str(FILES / "not-json.txt"), str(FILES / "leads.json"))
    assert bad.returncode == 1
    assert [row["rule"] for row in json.loads(bad.stdout)] == ["unreadable"]
    assert "1 record(s) or file(s)" in bad.stderr
    missing = cosell("validate", "nowhere.json")
    assert missing.returncode == 1 and "cannot read nowhere.json" in missing.stderr


def test_an_answer_of_the_api_is_validated_too_with_the_names_of_the_crm(tmp_path: Path) -> None:
    answer = tmp_path / "answer.json"
    answer.write_text(json.dumps({"Id": "O1", "Customer": {"Account": {"Industry": "software & internet"}}}))
    mapping = ROOT / "crates" / "cosell-mapping" / "presets" / "salesforce.toml"
    arguments = ("validate", str(answer), "--for", "update", "--mapping", str(mapping), "--output", "json")
    problems = {row["field"]: row for row in json.loads(cosell(*arguments).stdout)}
    industry = problems["industry"]
    assert industry["api"] == "Customer.Account.Industry" and industry["in_files"] == "industry"
    assert industry["crm"].endswith("__c") and industry["mend"] == "use `Software and Internet`"
    assert industry["rule"] == "listed" and industry["source"]
    closed = json.loads(cosell(*arguments, "--status", "Approved", "--stage", "Launched").stdout)
    assert "window" in {row["rule"] for row in closed}


def test_a_file_becomes_the_apis_and_comes_back(tmp_path: Path) -> None:
    for name, spms_id in (("opportunities.json", "123456"), ("leads.json", "123456")):
        there = cosell("convert", "--to", "api", str(FILES / name))
        assert there.returncode == 0, there.stderr
        (tmp_path / name).write_text(there.stdout)
        nameless = cosell("convert", "--to", "file", str(tmp_path / name))
        assert nameless.returncode == 1 and "--spms-id" in nameless.stderr
        back = cosell("convert", "--to", "file", "--spms-id", spms_id, str(tmp_path / name))
        assert back.returncode == 0, back.stderr
        kind = name.removesuffix(".json")
        before = json.loads((FILES / name).read_text())[kind]
        lost = {line.split(": ")[1] for line in there.stderr.splitlines() if "left out" in line}
        for old, new in zip(before, json.loads(back.stdout)[kind], strict=True):
            kept = {key: value for key, value in old.items() if value not in (None, "Accept To View") and key not in lost}
            assert {key: new[key] for key in kept} == kept


def test_requests_are_made_of_a_file() -> None:
    answer = cosell("convert", "--to", "api", "--requests", str(FILES / "opportunities.json"))
    assert "what the file does not say would be erased at AWS" in answer.stderr
    requests = json.loads(answer.stdout)
    assert requests[0]["Operation"] == "UpdateOpportunity" and requests[0]["Body"]["Identifier"] == "O3000001"
    assert {"RelatedEntityType": "Solutions", "RelatedEntityIdentifier": "S-0000001"} in requests[0]["Associations"]


def test_an_older_payload_says_what_it_cannot_hold() -> None:
    older = cosell("convert", "--to", "file", "--payload-version", "1", str(FILES / "opportunities.json"))
    assert json.loads(older.stdout)["version"] == "1.0"
    assert "AWS takes no 1.0 from a partner who has sent 2.0" in older.stderr
    assert "record 1: opportunityType: left out" in older.stderr


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = f"set -o pipefail; {BINARIES / 'cosell'} fields | head -1"
    answer = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert answer.stdout.startswith("FIELD") and not answer.stderr, answer
    assert answer.returncode == 0


def test_help_teaches() -> None:
    answer = cosell("--help").stdout
    for verb in ("fields", "picklist", "validate", "convert", "mapping", "config", "backfill", "drift", "push", "refresh", "log", "dlq"):
        assert f"\n  {verb} " in answer, answer
