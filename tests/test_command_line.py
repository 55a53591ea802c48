"""The `cosell` command where it needs no stack: output for people and machines, and exit codes."""

from __future__ import annotations

import json
import subprocess

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


def test_a_picklist_shows_both_spellings_and_an_unknown_one_names_those_that_are() -> None:
    rows = json.loads(cosell("picklist", "country", "--output", "json").stdout)
    assert {"api": "GB", "file": "United Kingdom"} in rows and len(rows) == 249
    unknown = cosell("picklist", "nonsense")
    assert unknown.returncode == 1 and "use cases" in unknown.stderr


def test_validation_says_everything_at_once() -> None:
    good = cosell("validate", str(FILES / "opportunities.json"))
    assert (good.returncode, good.stdout) == (0, "nothing to complain about\n"), good
    bad = cosell("validate", "--output", "json", str(FILES / "not-json.txt"), str(FILES / "leads.json"))
    assert bad.returncode == 1
    assert [row["rule"] for row in json.loads(bad.stdout)] == ["unusable"]
    assert "1 record(s) or file(s)" in bad.stderr


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = f"set -o pipefail; {BINARIES / 'cosell'} fields | head -1"
    answer = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert answer.stdout.startswith("FIELD") and not answer.stderr, answer
    assert answer.returncode == 0


def test_help_teaches() -> None:
    answer = cosell("--help").stdout
    for verb in ("fields", "picklist", "validate", "config", "log", "dlq"):
        assert f"\n  {verb} " in answer, answer
