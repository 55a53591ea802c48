"""The tools around the mapping file (`cosell mapping …`): they need no stack."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from stack import MAPPING, ROOT
from test_command_line import FILES, cosell

DOCS = ROOT / "docs"
WHOLE = MAPPING.read_text()


def described(**fields: dict[str, Any]) -> dict[str, Any]:
    """What Salesforce says about an object, as far as anybody reads it."""
    usual = {
        "type": "string",
        "length": 255,
        "createable": True,
        "updateable": True,
        "nillable": True,
        "defaultedOnCreate": False,
        "unique": False,
        "externalId": False,
        "restrictedPicklist": False,
        "picklistValues": [],
        "referenceTo": [],
        "relationshipName": None,
        "scale": 0,
    }
    rows = [{"name": name, "label": name.replace("_", " "), **usual, **own} for name, own in fields.items()]
    return {"name": "Opportunity", "label": "Opportunity", "createable": True, "fields": rows}


def choices(*values: str) -> dict[str, Any]:
    active = [{"active": True, "value": value, "label": value} for value in values]
    return {"type": "picklist", "restrictedPicklist": True, "picklistValues": active}


KEY = {"length": 20, "unique": True, "externalId": True}
ORG = described(
    Name={"length": 120, "nillable": False},
    CloseDate={"type": "datetime"},
    ACE_Opportunity_Id__c=KEY,
    Share_With_AWS__c={"type": "boolean"},
    Customer_Company_Name__c={},
    Does_Opp_Belong_To_NatSec__c={"type": "boolean"},
    ACE_Stage__c=choices("prospect", "Qualified", "Won"),
    AccountId={"type": "reference", "referenceTo": ["Account"], "relationshipName": "Account"},
)
HEAD = 'version = 1\n[opportunity]\nobject = "Opportunity"\nace_id = "ACE_Opportunity_Id__c"\n'


@pytest.fixture
def org(tmp_path: Path) -> Path:
    path = tmp_path / "opportunity.json"
    path.write_text(json.dumps(ORG))
    return path


def file(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mapping.toml"
    path.write_text(text)
    return str(path)


def findings(*arguments: str) -> dict[str, dict[str, str]]:
    rows = json.loads(cosell("mapping", "check", *arguments, "--output", "json").stdout)
    return {row["place"]: row for row in rows}


def test_the_shipped_preset_is_sound() -> None:
    good = cosell("mapping", "check", str(MAPPING))
    assert good.returncode == 0 and good.stdout.startswith("nothing to complain about"), good
    assert json.loads(cosell("mapping", "check", str(MAPPING), "--output", "json").stdout) == []


def test_a_wrong_file_is_refused_with_everything_at_once(tmp_path: Path) -> None:
    text = WHOLE.replace("partnerProjectTitle =", "partnerProjectTitel =").replace('Stage__c", policy = "crm"', 'Stage__c", policy = "krm"')
    answer = cosell("mapping", "check", file(tmp_path, text))
    assert answer.returncode == 1 and answer.stdout.startswith("SEVERITY")
    assert "opportunity.fields.partnerProjectTitel" in answer.stdout and "did you mean `partnerProjectTitle`?" in answer.stdout
    assert "opportunity.fields.stage" in answer.stdout and "it cannot be used" in answer.stderr
    missing = cosell("mapping", "check", "nowhere.toml")
    assert missing.returncode == 1 and "cannot read nowhere.toml" in missing.stderr


def test_what_the_crm_says_is_compared(tmp_path: Path, org: Path) -> None:
    lines = """[opportunity.fields]
partnerProjectTitle = "Nam"
targetCloseDate = "CloseDate"
stage = "ACE_Stage__c"
customerWebsite = "Account.Website"
"""
    path = file(tmp_path, HEAD + lines)
    found = findings(path, "--describe", str(org))
    title = found["opportunity.fields.partnerProjectTitle"]
    assert title == {
        "severity": "error",
        "place": "opportunity.fields.partnerProjectTitle",
        "message": "`Opportunity` has no field `Nam` (did you mean `Name`?)",
    }
    assert "zone" in found["opportunity.fields.targetCloseDate"]["message"]
    assert found["opportunity.object"]["severity"] == "warning" and "`Account`" in found["opportunity.object"]["message"]
    assert found["opportunity.defaults"]["severity"] == "warning"
    account = tmp_path / "account.json"
    own = {"object": "Account", "label": "Account", "fields": []}
    account.write_text(json.dumps([own]))
    found = findings(path, "--describe", str(org), "--describe", str(account))
    assert found["opportunity.fields.customerWebsite"]["message"] == "`Account` has no field `Website`"
    assert cosell("mapping", "check", path, "--describe", str(org)).returncode == 1
    strange = cosell("mapping", "check", path, "--describe", path)
    assert strange.returncode == 1 and "is not JSON" in strange.stderr


def test_a_proposal_is_a_mapping(tmp_path: Path, org: Path) -> None:
    answer = cosell("mapping", "auto", "--object", "opportunity", "--describe", str(org))
    assert answer.returncode == 0, answer.stderr
    own = tomllib.loads(answer.stdout)["opportunity"]
    assert own["ace_id"] == "ACE_Opportunity_Id__c" and own["share"] == "Share_With_AWS__c"
    assert own["fields"]["customerCompanyName"] == "Customer_Company_Name__c"
    assert own["fields"]["doesOppBelongToNatSec"] == {"crm": "Does_Opp_Belong_To_NatSec__c", "check_box": True}
    assert own["fields"]["stage"]["values"] == {"prospect": "Prospect"}
    assert own["fields"]["customerWebsite"] == {"crm": "Account.Website", "direction": "to_aws"}
    assert "#   stage  Won" in answer.stdout and "#   projectDescription " in answer.stdout
    found = findings(file(tmp_path, answer.stdout), "--describe", str(org))
    assert "opportunity.ace_id" not in found and "opportunity.fields.doesOppBelongToNatSec" not in found
    other = cosell("mapping", "auto", "--object", "Deal", "--describe", str(org))
    assert other.returncode == 1 and "no description of `Deal`, but of `Opportunity`" in other.stderr


def test_a_crm_record_is_explained(tmp_path: Path) -> None:
    lines = """[opportunity.fields]
partnerProjectTitle = { crm = "Name", steps = ["upper"] }
customerWebsite = "Account.Website"
stage = "Stage__c"
status = "Status__c"
city = "City__c"
nextStep = "Next__c"
"""
    record = tmp_path / "record.json"
    record.write_text(
        json.dumps({"Id": "006", "Name": "Deal", "Account": {"Website": "a.example"}, "Stage__c": "qualified", "City__c": None})
    )
    arguments = ("mapping", "explain", file(tmp_path, HEAD + lines), str(record))
    rows = {row["to"][0]: row for row in json.loads(cosell(*arguments, "--output", "json").stdout)}
    title = rows["partnerProjectTitle"]
    assert title["from"] == ["Name"] and title["steps"] == [{"step": "upper", "value": "DEAL"}]
    assert (title["value"], title["result"], title["fate"]) == ("Deal", "DEAL", "written")
    assert rows["customerWebsite"]["result"] == "a.example"
    assert rows["stage"]["fate"] == "failed" and "AWS spells it `Qualified`" in rows["stage"]["why"]
    assert rows["status"]["fate"] == "skipped" and rows["status"]["why"] == "AWS sets this field"
    assert rows["city"]["fate"] == "emptied" and "no `Next__c`" in rows["nextStep"]["why"]
    table = cosell(*arguments)
    assert table.stdout.startswith("FROM") and "upper: DEAL" in table.stdout
    lead = cosell(*arguments, "--kind", "lead")
    assert lead.returncode == 1 and "no section `[lead]`" in lead.stderr


def test_a_record_of_aws_is_explained() -> None:
    for name, field, crm in (("opportunities.json", "stage", "ACE_Stage__c"), ("leads.json", "status", "ACE_Lead_Status__c")):
        answer = cosell("mapping", "explain", str(MAPPING), str(FILES / name), "--output", "json")
        assert answer.returncode == 0, answer.stderr
        rows = {row["from"][0]: row for row in json.loads(answer.stdout)}
        assert rows[field]["to"] == [crm] and rows[field]["fate"] == "written"
    other = cosell("mapping", "explain", str(MAPPING), str(FILES / "leads.json"), "--kind", "opportunity")
    assert other.returncode == 1 and "leave out --kind" in other.stderr
    none = cosell("mapping", "explain", str(MAPPING), str(FILES / "leads.json"), "--number", "99")
    assert none.returncode == 1 and "record(s)" in none.stderr


def test_coverage_says_what_would_block_a_share(tmp_path: Path) -> None:
    rows = {row["kind"]: row for row in json.loads(cosell("mapping", "coverage", str(MAPPING), "--output", "json").stdout)}
    whole = rows["opportunity"]
    assert whole["blocking"] == [] and whole["required"] == whole["required_mapped"] > 5
    assert ["parentOppId", "opportunityType is Flat Renewal"] in whole["conditional"]
    less = file(tmp_path, "\n".join(line for line in WHOLE.splitlines() if not line.startswith("industry =")))
    answer = cosell("mapping", "coverage", less)
    assert answer.returncode == 0 and "industry" in answer.stdout
    check = findings(less)["opportunity.fields.industry"]
    assert check["severity"] == "error" and check["message"].startswith("AWS wants this of every opportunity")


def test_the_pages_are_what_the_commands_print() -> None:
    for verb, page in (("schema", "mapping.schema.json"), ("reference", "mapping.md")):
        printed = cosell("mapping", verb).stdout
        assert (DOCS / page).read_text() == printed, f"cosell mapping {verb} > docs/{page}"
    json.loads(cosell("mapping", "schema").stdout)
