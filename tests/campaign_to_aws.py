"""From the CRM to AWS: `make campaign-to-aws` prints the figures and exits 1 when a limit is broken.

Three rounds. *Plain*: one edit a record, and what each costs at AWS. *Throughput*: a backlog of edits against a far side that
enforces its quotas. *Storm*: 1,000 edits, several a record, while AWS's people edit a tenth of the same records at the same
moments, reps share new deals, one request in twenty fails on either side, and the functions are killed at 50 random moments.
Afterwards every field of every record must be on both sides what the merge rules say.
"""

from __future__ import annotations

import copy
import html
import os
import random
import signal
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import requests
from campaign import Figures, Runs, kills, schedules, settle, spend, storm, throttles
from sandbox import DEAL, Aws, Rep, eventually
from stack import MAPPING, Stack

SEED = 20261124
# A tenth of it shows in some minutes whether all is well; the limits are meant for the whole.
SCALE = float(os.environ.get("CAMPAIGN_SCALE", "1"))
PLAIN = max(5, int(50 * SCALE))
BACKLOG = max(20, int(300 * SCALE))
RECORDS = max(10, int(300 * SCALE))
EDITS = int(1000 * SCALE)
SHARES = max(3, int(60 * SCALE))
KILLS = int(50 * SCALE)
# Of a hundred edits by a rep: AWS edits the record at the same moment.
CONFLICTS = 10
# Of a hundred edits by a rep: a field that was edited a moment ago, while that edit is under way.
AGAIN = 40
A_MOMENT = 30
# Some five minutes of storm at full scale. The queue to AWS is worked off by one instance here, as the emulator keeps its
# order: what comes faster only waits longer.
EDITS_A_SECOND = 3.3
SCHEDULES = {"FnPush": 4.0, "FnReplay": 20.0, "FnReconcile": 60.0}
# So that the storm ends in some minutes; the far side does not enforce its own meanwhile.
RAISED = {"ReadsPerSecond": "100", "WritesPerSecond": "50", "MaxReceives": "10"}
# The time-out of each function and a little: what a killed one held comes again that much later. The template's queues wait
# six time-outs, so that nothing comes twice when the platform itself is slow.
VISIBILITY = {"FnDeliverQueue": 130, "FnOpportunityQueue": 70}
PATIENCE = 2400.0


# What is edited.


@dataclass(frozen=True)
class Field:
    """A field of the CRM's opportunity and where AWS keeps it, by a reading of our own of Partner Central's documents."""

    crm: str
    path: str
    # The number-th value, as the CRM has it.
    make: Callable[[int], Any]
    # How many different ones there are.
    values: int = 10**6
    # AWS takes changes of it in an approved opportunity.
    writable: bool = True
    clearable: bool = False

    def at_aws(self, value: Any) -> Any:
        """A value of the CRM's as AWS has it."""
        if self.crm == "ACE_Monthly_Revenue__c":
            return [spend(value)]
        return value.split(";") if self.crm == "ACE_Sales_Activities__c" and value else value

    def seen(self, value: Any) -> Any:
        """A value of either side in a form that can be compared."""
        if self.crm == "ACE_Monthly_Revenue__c" and value:
            return float(value[0]["Amount"] if isinstance(value, list) else value)
        if self.crm == "ACE_Sales_Activities__c":
            return tuple(sorted(value.split(";") if isinstance(value, str) else value or ()))
        return html.unescape(value) if value else None


def one_of(*values: str) -> dict[str, Any]:
    return {"make": lambda number: values[number], "values": len(values)}


ACTIVITIES = [
    "Customer has shown interest in solution",
    "Conducted POC / Demo",
    "In evaluation / planning stage",
    "Agreed on solution to Business Problem",
    "Completed Action Plan",
    "Finalized Deployment Need",
    "SOW Signed",
]
FIELDS = [
    Field("CloseDate", "LifeCycle.TargetCloseDate", lambda n: str(date(2030, 1, 1) + timedelta(n % 7000))),
    Field("NextStep", "LifeCycle.NextSteps", lambda n: f"Call {n} & visit", clearable=True),
    Field("ACE_Comments__c", "Project.AdditionalComments", lambda n: f"Comment <{n}>", clearable=True),
    Field("ACE_Monthly_Revenue__c", "Project.ExpectedCustomerSpend", lambda n: n + 1.25),
    Field("ACE_Customer_City__c", "Customer.Account.Address.City", lambda n: f"City {n}"),
    Field("ACE_Stage__c", "LifeCycle.Stage", **one_of("Qualified", "Technical Validation", "Business Validation")),
    Field("ACE_Competitor__c", "Project.CompetitorName", **one_of("On-Prem", "Akamai", "AliCloud", "Co-location")),
    Field("ACE_Use_Case__c", "Project.CustomerUseCase", **one_of("Networking", "Database", "SAP", "Training", "Energy")),
    Field("ACE_Sales_Activities__c", "Project.SalesActivities", **one_of(*(";".join(two) for two in zip(ACTIVITIES, ACTIVITIES[1:], strict=False)))),
    # These only AWS changes once it has approved.
    Field("Name", "Project.Title", lambda n: f"Title {n}", writable=False),
    Field("ACE_Customer_Name__c", "Customer.Account.CompanyName", lambda n: f"Company {n}", writable=False),
    Field("ACE_Business_Problem__c", "Project.CustomerBusinessProblem", lambda n: f"Problem {n} of twenty letters", writable=False),
]
# What the mapping does not know of, and every update must send back.
UNMAPPED = {
    "Marketing": {"CampaignName": "Harbour", "Source": "Marketing Activity", "Channels": ["Email"], "AwsFundingUsed": "No"},
    "SoftwareRevenue": {"DeliveryModel": "Contract", "Value": {"Amount": "500.00", "CurrencyCode": "USD"}},
    "Project": {"ApnPrograms": ["P3"], "AdditionalComments": "None yet", "CompetitorName": "No Competition"},
    "LifeCycle": {"NextSteps": "Begin"},
}


def policies() -> dict[str, str]:
    """Who wins a conflict, by the CRM's field."""
    found = {}
    for line in tomllib.loads(MAPPING.read_text())["opportunity"]["fields"].values():
        line = {"crm": line} if isinstance(line, str) else line
        if line.get("direction", "both") == "both":
            found[line["crm"]] = line.get("policy", "aws")
    return found


def at(body: Any, path: str) -> Any:
    for member in path.split("."):
        body = (body or {}).get(member)
    return body


def nested(path: str, value: Any) -> dict[str, Any]:
    for member in reversed(path.split(".")):
        value = {member: value}
    return value


def leaves(body: Any, path: str = "") -> dict[str, Any]:
    """Every member by its path; one that is null is as good as none."""
    if isinstance(body, dict):
        parts = [leaves(value, f"{path}.{name}".lstrip(".")) for name, value in body.items()]
        return {leaf: value for part in parts for leaf, value in part.items()}
    return {} if body is None else {path: html.unescape(body) if isinstance(body, str) else body}


# The rules.


@dataclass
class Edited:
    """A field of one record: how it began, and who set it to what, in order."""

    start: Any
    edits: list[tuple[str, Any]] = field(default_factory=list)

    def outcomes(self, policy: str) -> list[Any]:
        """What it may be in the end.

        The last edit stands. Where it met an earlier one of the other side's that had not arrived yet, it was a conflict, and
        the earlier one stands if the mapping's policy says so: who was first is a race, so either is right.
        """
        if not self.edits:
            return [self.start]
        side, value = self.edits[-1]
        others = [(other, value) for other, value in self.edits if other != side]
        return [value, *(value for other, value in others[-1:] if other == policy)]


@dataclass
class Record:
    """One record on both sides as it was, and what is done to it."""

    row: dict[str, Any]
    body: dict[str, Any]
    fields: dict[str, Edited] = field(default_factory=dict)
    shared: bool = False

    def edited(self, spec: Field) -> Edited:
        start = self.row.get(spec.crm) if self.shared else at(self.body, spec.path)
        return self.fields.setdefault(spec.crm, Edited(spec.seen(start)))


# What the CRM and cosell write about a record, and AWS's own history.
ROW_APART = {"LastModifiedDate", "LastModifiedById", "SystemModstamp", "ACE_Last_Sync__c", "attributes"}
BODY_APART = {"LifeCycle.NextStepsHistory"}


def unlike(record: Record, row: dict[str, Any], body: dict[str, Any], rules: dict[str, str]) -> tuple[list[str], list[str]]:
    """Where a record differs from what the rules say, and which fields are empty though nobody emptied them."""
    wrong, cleared = [], []
    name = row.get("ACE_Opportunity_Id__c") or row["Id"]
    for spec in FIELDS:
        known = record.edited(spec)
        allowed = [known.start] if not known.edits else [spec.seen(value) for value in known.outcomes(rules[spec.crm])]
        sides = {"CRM": spec.seen(row.get(spec.crm)), "AWS": spec.seen(at(body, spec.path))}
        told = " then ".join(f"{side} {value!r}" for side, value in known.edits) or "nobody"
        if len(set(sides.values())) > 1 or sides["CRM"] not in allowed:
            wrong.append(f"{name} {spec.crm}: {sides}, not {allowed}; {known.start!r} was edited by {told}")
        for side, value in sides.items():
            if not value and not any(not option for option in allowed):
                cleared.append(f"{name} {spec.crm} at {side}")
    columns = {spec.crm for spec in FIELDS} | ROW_APART
    paths = {spec.path for spec in FIELDS} | BODY_APART
    if not record.shared:
        for column in sorted((record.row.keys() | row.keys()) - columns):
            if (record.row.get(column) or None) != (row.get(column) or None):
                wrong.append(f"{name} {column}: {row.get(column)!r}, was {record.row.get(column)!r}")
            if record.row.get(column) and not row.get(column):
                cleared.append(f"{name} {column} at CRM")
        before, after = leaves(record.body), leaves(body)
        for path in sorted((before.keys() | after.keys()) - paths):
            if before.get(path) != after.get(path):
                wrong.append(f"{name} {path}: {after.get(path)!r}, was {before.get(path)!r}")
            if path in before and path not in after:
                cleared.append(f"{name} {path} at AWS")
    if row.get("ACE_Sync_Status__c") != "Synced" or row.get("ACE_Pending__c"):
        wrong.append(f"{name}: {row.get('ACE_Sync_Status__c')}, {row.get('ACE_Sync_Message__c')}")
    return wrong, cleared


# The people.


def insist(act: Callable[[], Any]) -> Any:
    """What a rep does whose page did not save: once more. All that a rep does here may be done twice."""
    for _ in range(20):
        try:
            return act()
        except (requests.RequestException, RuntimeError) as error:
            failed = error
            time.sleep(0.1)
    raise failed


def rows_of(aws: Aws) -> dict[str, dict[str, Any]]:
    """The CRM's opportunities that AWS has too, by AWS's identifier."""
    return {row["ACE_Opportunity_Id__c"]: row for row in aws.crm_rows("Opportunity") if row.get("ACE_Opportunity_Id__c")}


def quiet(stack: Stack, aws: Aws) -> float:
    """Waits until nothing is under way."""
    eventually("all events are on the bus", lambda: aws.waiting() == 0, patience=300)
    return settle(stack, lambda: f"{len(aws.calls('UpdateOpportunity'))} updates", PATIENCE, every=3.0)


def linked(stack: Stack, aws: Aws, count: int) -> dict[str, dict[str, Any]]:
    """So many opportunities on both sides, in step, and nothing left to push."""
    ids = aws.creates_many(count, **UNMAPPED)
    eventually("they are in the CRM", lambda: rows_of(aws).keys() >= set(ids), patience=900, every=1.0)
    quiet(stack, aws)
    aws.reset_calls()
    # What cosell itself has written changed in the CRM, too.
    pushed = stack.invoke("FnPush")
    quiet(stack, aws)
    read = len(aws.calls("GetOpportunity"))
    print(f"{count} opportunities are in step; {pushed['queued']} of cosell's own writes were pushed, which cost {read} reads", flush=True)
    rows = rows_of(aws)
    return {opportunity: rows[opportunity] for opportunity in ids}


# The rounds.


def plain(stack: Stack, aws: Aws, rep: Rep, figures: Figures) -> None:
    """One edit a record.

    The write rings, and fn-opportunity reads AWS's record and AWS's own view of it, always both. fn-deliver never asks for the
    view. So of each record's reads those without a view are the edit's, and the others the echo's.
    """
    print(f"\nplain: {PLAIN} edits", flush=True)
    rows = linked(stack, aws, PLAIN)
    for number, row in enumerate(rows.values()):
        rep.edits("Opportunity", row["Id"], NextStep=f"Plain {number}")
    aws.reset_calls()
    stack.invoke("FnPush")
    eventually("all are written", lambda: len(aws.calls("UpdateOpportunity")) >= PLAIN, patience=PLAIN * 2 + 60, every=1.0)
    quiet(stack, aws)
    calls = [call for call in aws.calls() if call["face"] == "partner_central"]
    by = Counter((call["target_id"], call["operation"]) for call in calls)
    reads = [by[target, "GetOpportunity"] - by[target, "GetAwsOpportunitySummary"] for target in rows]
    writes = [by[target, "UpdateOpportunity"] for target in rows]
    usual = {"GetOpportunity", "GetAwsOpportunitySummary", "UpdateOpportunity"}
    others = [call["operation"] for call in calls if call["operation"] not in usual]
    figures.show("reads of an edit, on average", sum(reads) / PLAIN, "calls", most=1)
    figures.show("reads of the edit that cost most", max(reads), "calls", most=1)
    figures.show("reads of the edit that cost least", min(reads), "calls", least=1)
    figures.show("writes of the edit that cost most", max(writes), "calls", most=1)
    figures.show("writes of the edit that cost least", min(writes), "calls", least=1)
    figures.show("calls of any other operation", len(others), most=0)
    echo = sum(count for (_, operation), count in by.items() if operation == "GetAwsOpportunitySummary")
    figures.show("echo: looks at AWS, two reads each, of an edit", echo / PLAIN)

    aws.reset_calls()
    for opportunity, row in rows.items():
        # Nothing that the mapping knows of.
        rep.edits("Opportunity", row["Id"], Description="Only ours")
        aws.rings(opportunity)
    stack.invoke("FnPush")
    quiet(stack, aws)
    figures.show("writes to AWS where nothing differs", len(aws.calls("UpdateOpportunity")), most=0)
    updates = [call for call in aws.calls() if call["face"] == "salesforce" and call["operation"] not in ("token", "query")]
    figures.show("writes to the CRM where nothing differs", len(updates) - PLAIN, most=0)


def throughput(stack: Stack, aws: Aws, rep: Rep, figures: Figures) -> None:
    """A backlog against the enforced quota of one write a second."""
    print(f"\nthroughput: {BACKLOG} edits at once", flush=True)
    rows = linked(stack, aws, BACKLOG)
    for number, row in enumerate(rows.values()):
        rep.edits("Opportunity", row["Id"], NextStep=f"Backlog {number}")
    aws.reset_calls()
    began = time.time()
    stack.invoke("FnPush")
    eventually("all are written", lambda: len(aws.calls("UpdateOpportunity")) >= BACKLOG, patience=BACKLOG * 2 + 60, every=1.0)
    took = time.time() - began
    quiet(stack, aws)
    calls = aws.calls()
    moments = sorted(moment(call["at"]) for call in calls if call["operation"] == "UpdateOpportunity" and call["acted"])
    # The first write has its second, too.
    used = moments[-1] - moments[0] + 1
    quota = aws.call_summary()["partner_central"]["quota"]
    figures.show("writes", len(moments), least=BACKLOG, most=BACKLOG)
    figures.show("time from the push to the last write", took, "s")
    figures.show("time of the writes", used, "s", most=BACKLOG / 0.95)
    figures.show("writes, of what the quota allows", 100 * len(moments) / used, "%", least=95)
    figures.show("most writes in any second, as AWS counts them", quota["write"]["most_in_a_second"], most=1)
    figures.show("most reads in any second, as AWS counts them", quota["read"]["most_in_a_second"], most=10)
    figures.show("refusals for too many calls", throttles(calls), most=0)


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def drafts(rep: Rep) -> list[str]:
    """Deals in the CRM that are complete, and not shared yet."""
    return [
        rep.creates(
            "Opportunity",
            Name=f"Deal {number}",
            NextStep="Begin",
            ACE_Comments__c="None yet",
            ACE_Competitor__c="No Competition",
            ACE_Stage__c="Prospect",
            **{**DEAL, "ACE_Customer_Name__c": f"Hafen {number}"},
        )
        for number in range(SHARES)
    ]


class Crowd:
    """Reps and AWS's people who work on the same records, one after the other, so that it is known who was first."""

    def __init__(self, aws: Aws, rep: Rep, records: list[Record], deals: list[Record]) -> None:
        self.aws, self.rep, self.records, self.deals = aws, rep, records, deals
        self.dice = random.Random(SEED)
        self.used: Counter[tuple[str, str]] = Counter()
        self.number = 0
        self.lately: list[tuple[Record, Field]] = []

    def value(self, record: Record, spec: Field) -> Any:
        """A value that the field has never had."""
        self.number += 1
        if spec.values >= 10**6:
            return spec.make(self.number)
        used = self.used[record.row["Id"], spec.crm]
        self.used[record.row["Id"], spec.crm] += 1
        return spec.make(used)

    def free(self, record: Record, spec: Field) -> bool:
        return self.used[record.row["Id"], spec.crm] < spec.values

    def pick(self) -> tuple[Record, Field]:
        if self.lately and self.dice.randrange(100) < AGAIN:
            record, spec = self.dice.choice(self.lately[-A_MOMENT:])
            if self.free(record, spec):
                return record, spec
        record = self.dice.choice(self.records)
        return record, self.dice.choice([spec for spec in FIELDS if spec.writable and self.free(record, spec)])

    def rep_edits(self, record: Record, spec: Field, clears: bool = False) -> None:
        value = None if clears else self.value(record, spec)
        known = record.edited(spec)
        insist(lambda: self.rep.edits("Opportunity", record.row["Id"], **{spec.crm: value}))
        known.edits.append(("crm", value))

    def aws_edits(self, record: Record, spec: Field) -> None:
        value = self.value(record, spec)
        known = record.edited(spec)
        self.aws.edits(record.row["ACE_Opportunity_Id__c"], **nested(spec.path, spec.at_aws(value)))
        known.edits.append(("aws", value))

    def edit(self) -> None:
        """One edit by a rep, and now and then one by AWS's people just before or after it, of the same field or another one."""
        record, spec = self.pick()
        self.lately.append((record, spec))
        turns = [lambda: self.rep_edits(record, spec, spec.clearable and self.dice.randrange(10) == 0)]
        if self.dice.randrange(100) < CONFLICTS:
            same = self.dice.randrange(2) and spec.values - self.used[record.row["Id"], spec.crm] > 1
            theirs = spec if same else self.dice.choice([one for one in FIELDS if one != spec and self.free(record, one)])
            turns.append(lambda: self.aws_edits(record, theirs))
        self.dice.shuffle(turns)
        for turn in turns:
            turn()

    def share(self, deal: Record) -> None:
        insist(lambda: self.rep.edits("Opportunity", deal.row["Id"], Share_With_AWS__c=True))

    def work(self, progress: Callable[[], str]) -> None:
        """Everything in any order, at an even pace."""
        turns = [self.edit] * EDITS + [lambda deal=deal: self.share(deal) for deal in self.deals]
        self.dice.shuffle(turns)
        began = time.monotonic()
        for number, turn in enumerate(turns):
            time.sleep(max(0.0, began + number / EDITS_A_SECOND - time.monotonic()))
            turn()
            if number % 50 == 49:
                print(f"{time.monotonic() - began:6.0f} s  {number + 1} of {len(turns)}; {progress()}", flush=True)


def gale(stack: Stack, aws: Aws, rep: Rep, figures: Figures) -> None:
    print(f"\nstorm: {EDITS} edits of {RECORDS} records, {SHARES} shares", flush=True)
    for queue, seconds in VISIBILITY.items():
        attributes = {"VisibilityTimeout": str(seconds)}
        stack.client("sqs").set_queue_attributes(QueueUrl=stack.outputs[queue], Attributes=attributes)
    rows = linked(stack, aws, RECORDS)
    made = drafts(rep)
    by_id = {row["Id"]: row for row in aws.crm_rows("Opportunity")}
    records = [Record(row, copy.deepcopy(aws.opportunity(opportunity)["body"])) for opportunity, row in rows.items()]
    deals = [Record(by_id[deal], {}, shared=True) for deal in made]
    crowd = Crowd(aws, rep, records, deals)
    aws.reset_calls()

    began = time.monotonic()
    seconds = (EDITS + SHARES) / EDITS_A_SECOND
    with storm(aws, 5, SEED), schedules(stack, SCHEDULES) as runs, kills(["fn-deliver", "fn-opportunity", "fn-push"], KILLS, seconds, SEED) as killed:
        def progress() -> str:
            return f"{len(aws.calls('UpdateOpportunity'))} updates, {len(killed)} kills"

        crowd.work(progress)
        for deal in deals[::3]:
            # Its review waits, so it is kept until that is over.
            crowd.rep_edits(deal, FIELDS[1])
        settle(stack, progress, PATIENCE)
    print("the storm is over")
    end = Runs()
    tidy(stack, aws, end)
    submitted = [one for one in aws.opportunities() if one["body"].get("PartnerOpportunityIdentifier") in set(made)]
    unsubmitted = [one["Id"] for one in submitted if one["body"]["LifeCycle"]["ReviewStatus"] != "Submitted"]
    for one in submitted:
        if one["Id"] not in unsubmitted:
            aws.reviews(one["Id"], "Approved")
    tidy(stack, aws, end)
    took = time.monotonic() - began
    tell(aws, figures, records, deals, killed, unsubmitted)
    figures.show("messages set aside after too many replays", runs.total("FnReplay", "quarantined") + end.total("FnReplay", "quarantined"), most=0)
    figures.show("scheduled runs that failed", sum(runs.failed.values()))
    figures.show("time until everything is settled", took, "s")


def tidy(stack: Stack, aws: Aws, runs: Runs) -> None:
    """What the schedules would do next, twice: the first time may make work for the second."""
    for _ in range(2):
        quiet(stack, aws)
        runs.run(stack, "FnReconcile")
        runs.run(stack, "FnPush")
    quiet(stack, aws)


def tell(aws: Aws, figures: Figures, records: list[Record], deals: list[Record], killed: list[str], unsubmitted: list[str]) -> None:
    rules = policies()
    rows = {row["Id"]: row for row in aws.crm_rows("Opportunity")}
    at_aws = {one["Id"]: one for one in aws.opportunities()}
    ours = Counter(one["body"].get("PartnerOpportunityIdentifier") for one in at_aws.values())
    titles = Counter(one["body"]["Project"]["Title"] for one in at_aws.values())
    wrong: dict[str, list[str]] = {}
    cleared: list[str] = []
    lost = []
    for record in records + deals:
        row = rows.get(record.row["Id"])
        opportunity = at_aws.get(row and row.get("ACE_Opportunity_Id__c"))
        if not row or not opportunity:
            lost.append(record.row["Name"])
            continue
        differs, empty = unlike(record, row, opportunity["body"], rules)
        if record.shared and opportunity["body"].get("PartnerOpportunityIdentifier") != row["Id"]:
            differs.append(f"{opportunity['Id']} is not of {row['Id']}")
        if differs:
            wrong[row["Id"]] = differs
        cleared += empty
    for line in [line for lines in wrong.values() for line in lines][:40] + cleared[:20] + lost[:20]:
        print(line)
    known = [known for record in records for known in record.fields.values()]
    met = sum(len({side for side, _ in field.edits}) > 1 for field in known)
    calls = aws.calls()
    figures.show("edits by reps", sum(side == "crm" for field in known for side, _ in field.edits))
    figures.show("edits by AWS's people meanwhile", sum(side == "aws" for field in known for side, _ in field.edits))
    figures.show("fields that both edited", met)
    figures.show("kills", len(killed), least=KILLS)
    print("  of " + ", ".join(f"{name} {count}" for name, count in sorted(Counter(killed).items())))
    figures.show("records that are not as the merge rules say", len(wrong), most=0)
    figures.show("fields that were cleared and nobody cleared", len(cleared), most=0)
    figures.show("opportunities that are lost, or were never made", len(lost), most=0)
    figures.show("opportunities at AWS too many", len(at_aws) - len(records) - len(deals), most=0)
    figures.show("identifiers of the CRM's that AWS has twice", sum(ours[deal.row["Id"]] > 1 for deal in deals), most=0)
    figures.show("titles of shared deals that AWS has twice", sum(titles[deal.row["Name"]] > 1 for deal in deals), most=0)
    figures.show("shared deals that were not submitted", len(unsubmitted), most=0)
    figures.show("submissions, one of each deal", aws.state()["tasks"], least=len(deals), most=len(deals))
    figures.show("updates that AWS took", sum(call["operation"] == "UpdateOpportunity" and call["acted"] for call in calls))
    figures.show("updates refused as conflicts", sum(call["error"] == "ConflictException" for call in calls))


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    figures = Figures()
    rounds = [({}, True, [plain, throughput]), (RAISED, False, [gale])]
    wanted = sys.argv[1:] or [round.__name__ for *_, parts in rounds for round in parts]
    for parameters, enforced, parts in rounds:
        parts = [part for part in parts if part.__name__ in wanted]
        if not parts:
            continue
        with Stack.up("campaign-to-aws", parameters=parameters) as stack:
            aws, rep = Aws(stack.control), Rep(stack.salesforce)
            aws.switches(enforce_quotas=enforced)
            try:
                for part in parts:
                    part(stack, aws, rep, figures)
            except (AssertionError, TimeoutError):
                print("\n".join(stack.function_log("FnDeliver")[-40:]))
                raise
            finally:
                if keep := os.environ.get("CAMPAIGN_LOGS"):
                    for function in ("FnDeliver", "FnOpportunity", "FnPush"):
                        with open(f"{keep}-{function}.log", "w") as log:
                            log.write("\n".join(stack.function_log(function)))
    return figures.result()


if __name__ == "__main__":
    sys.exit(main())
