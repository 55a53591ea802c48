"""From AWS to the CRM in bad weather: `make campaign-from-aws` prints the figures and exits 1 when a limit is broken.

10,000 events of 2,000 opportunities, shuffled, a fifth of them duplicates; AWS's people go on editing meanwhile. One request
in twenty fails on either side, and the functions are killed at 50 random moments. Afterwards every record in the CRM must say
what AWS says, and nothing may be there twice.
"""

from __future__ import annotations

import os
import random
import signal
import statistics
import sys
import time
from typing import Any

from campaign import Figures, answered, kills, settle, spend, storm, throttles
from sandbox import Aws, eventually
from stack import Stack

SEED = 20261123
# A tenth of it shows in a minute whether all is well; the limits are meant for the whole.
SCALE = float(os.environ.get("CAMPAIGN_SCALE", "1"))
OPPORTUNITIES = int(2000 * SCALE)
EVENTS = int(10_000 * SCALE)
EDITED_MEANWHILE = int(100 * SCALE)
KILLS = int(os.environ.get("CAMPAIGN_KILLS", 50 * SCALE))
PATIENCE = 2400.0
SINGLE = max(5, int(60 * SCALE))


def event(detail_type: str, opportunity: str) -> tuple[str, Any]:
    return detail_type, {"schemaVersion": "1", "catalog": "Sandbox", "opportunity": {"identifier": opportunity}}


def expected(opportunity: dict[str, Any]) -> dict[str, Any]:
    """What the shipped mapping makes of a record of AWS's, by a reading of our own of what Partner Central stores."""
    body, summary = opportunity["body"], opportunity["Summary"] or {}
    project, account = body["Project"], body["Customer"]["Account"]
    return {
        "Name": project["Title"],
        "CloseDate": body["LifeCycle"]["TargetCloseDate"],
        "NextStep": body["LifeCycle"].get("NextSteps"),
        "ACE_Stage__c": body["LifeCycle"]["Stage"],
        "ACE_Review_Status__c": body["LifeCycle"]["ReviewStatus"],
        "ACE_Customer_Name__c": account["CompanyName"],
        "ACE_Customer_City__c": account["Address"].get("City"),
        "ACE_Business_Problem__c": project["CustomerBusinessProblem"],
        "ACE_Monthly_Revenue__c": float(project["ExpectedCustomerSpend"][0]["Amount"]),
        "AWS_Stage__c": summary.get("LifeCycle", {}).get("Stage"),
        "AWS_Engagement_Score__c": summary.get("Insights", {}).get("EngagementScore"),
    }


def differences(aws: Aws) -> list[str]:
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in aws.crm_rows("Opportunity"):
        rows.setdefault(row["ACE_Opportunity_Id__c"], []).append(row)
    found = []
    for opportunity in aws.opportunities():
        mine = rows.pop(opportunity["Id"], [])
        if len(mine) != 1:
            found.append(f"{opportunity['Id']}: {len(mine)} rows")
            continue
        for name, value in expected(opportunity).items():
            if mine[0].get(name) != value:
                found.append(f"{opportunity['Id']} {name}: {mine[0].get(name)!r} is not {value!r}")
    return found + [f"{len(left)} rows of {name}, which AWS does not have" for name, left in rows.items()]


def calm(stack: Stack, aws: Aws, figures: Figures) -> None:
    """One change after the other: the time from AWS's change to the CRM's."""
    opportunity = aws.creates()
    eventually("it is in the CRM", lambda: aws.crm_row("Opportunity", ACE_Opportunity_Id__c=opportunity))
    times = []
    for number in range(SINGLE):
        began = time.perf_counter()
        step = f"Step {number}"
        aws.edits(opportunity, LifeCycle={"NextSteps": step})
        eventually(step, lambda step=step: aws.crm_row("Opportunity", NextStep=step), every=0.01)
        times.append(time.perf_counter() - began)
        time.sleep(1.1)
    times.sort()
    figures.show(f"event to CRM, median of {SINGLE}", statistics.median(times), "s")
    figures.show("event to CRM, 95th percentile", times[int(len(times) * 0.95)], "s")


def play(stack: Stack, aws: Aws, figures: Figures) -> None:
    calm(stack, aws, figures)
    ids = aws.creates_many(OPPORTUNITIES, ring=False)
    print("\nin bad weather")
    burst(stack, aws, figures, ids, "Opportunity Created", 0)
    if KILLS:
        # What a killed function has read must be read again: that round says nothing about reads.
        print("\nthe same again, with kills")
        burst(stack, aws, figures, ids, "Opportunity Updated", KILLS)


def burst(stack: Stack, aws: Aws, figures: Figures, ids: list[str], first: str, kills_wanted: int) -> None:
    dice = random.Random(SEED + kills_wanted)
    for opportunity in ids:
        aws.edits(opportunity, ring=False, LifeCycle={"NextSteps": f"Call {dice.randrange(10**6)}"})
    distinct = [event(first, opportunity) for opportunity in ids]
    distinct += [event("Opportunity Updated", opportunity) for opportunity in ids for _ in range(3)]
    events = distinct + dice.sample(distinct, EVENTS - len(distinct))
    dice.shuffle(events)
    later = dice.sample(ids, EDITED_MEANWHILE)
    aws.reset_calls()

    began = time.monotonic()
    with storm(aws, 5, SEED), kills(["fn-opportunity"], kills_wanted, OPPORTUNITIES / 6, SEED) as killed:
        for start in range(0, len(events), 500):
            aws.sends_many(events[start : start + 500])
        eventually("all events are on the bus", lambda: aws.waiting() == 0, patience=300)
        print(f"{len(events)} events on the bus within {time.monotonic() - began:.0f} s")
        for opportunity in later:
            aws.edits(opportunity, Project={"ExpectedCustomerSpend": [spend(dice.randrange(1, 10**6))]})
            time.sleep(0.5)

        def progress() -> str:
            return f"{aws.crm_count('Opportunity') - 1} records in the CRM, {len(killed)} kills"

        settle(stack, progress, PATIENCE)
    took = time.monotonic() - began

    wrong = differences(aws)
    print("\n".join(wrong[:20]))
    calls = aws.calls()
    reads = answered(calls, "GetOpportunity", "GetAwsOpportunitySummary")
    quota = aws.call_summary()["partner_central"]["quota"]["read"]
    crm = [call for call in calls if call["face"] == "salesforce"]
    figures.show("events", len(events))
    figures.show("time until everything is settled", took, "s")
    if kills_wanted:
        figures.show("kills of the function's process", len(killed), least=kills_wanted)
    figures.show("records that differ from AWS's", len(wrong), most=0)
    figures.show("records of the CRM made twice", aws.crm_count("Opportunity") - OPPORTUNITIES - 1, most=0)
    figures.show("reads that AWS answered", reads)
    if not kills_wanted:
        # What is read while the events still come is read again: of a part of them that is a larger part.
        most = 1.1 if SCALE >= 1 else None
        figures.show("reads, by the least there could be", reads / (2 * (len(ids) + len(later))), "x", most=most)
    figures.show("most reads in any second, as AWS counts them", quota["most_in_a_second"], most=10)
    figures.show("refusals for too many calls, the weather's apart", throttles(calls), most=0)
    figures.show("requests to the CRM", len(crm))
    figures.show("requests to the CRM, by record", len(crm) / len(ids), "x", most=1)


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    figures = Figures()
    with Stack.up("campaign-from-aws", parameters={"MaxReceives": "10"}) as stack:
        aws = Aws(stack.control)
        aws.switches(enforce_quotas=True)
        try:
            play(stack, aws, figures)
        except (AssertionError, TimeoutError):
            print("\n".join(stack.function_log("FnOpportunity")[-40:]))
            raise
    return figures.result()


if __name__ == "__main__":
    sys.exit(main())
