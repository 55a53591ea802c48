"""A day of the file exchange: leads from AWS in large files, deals to AWS in many, in bad weather and with kills.

    CAMPAIGN_SCALE=0.1 tests/campaign_files.py   a part of it
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import requests
from campaign import Figures, kills, processes, schedules, waiting
from sandbox import DEAL, Aws, Rep, eventually
from stack import MAPPING, Stack

SCALE = float(os.environ.get("CAMPAIGN_SCALE", "1"))
SEED = 7
HOURS = max(2, round(24 * SCALE))
IN_A_FILE = 1000
DEALS = round(10_000 * SCALE)
INVALID = 0.03
KILLS = max(2, round(20 * SCALE))
PATIENCE = 3600
# With this much to tell, 1,000 leads are a file of 5 MB.
STORY = "Freight by rail and ship. " * 165
QUEUES = ["FnDeliverQueue", "FnOutboundFileQueue"]
FUNCTIONS = ["fn-outbound-file", "fn-deliver", "fn-file-send", "fn-file-poll", "fn-push"]
# Seconds for the minutes of the real schedules.
SCHEDULES = {"FnPush": 10.0, "FnFilePoll": 10.0, "FnFileSend": 15.0}


class Memory:
    """The most memory that any process of a function has had, in MB."""

    def __init__(self, function: str) -> None:
        self.most = 0.0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._watch, args=(function,), daemon=True)
        self.thread.start()

    def _watch(self, function: str) -> None:
        while not self.over.wait(0.1):
            for pid in processes(function):
                try:
                    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                except OSError:
                    continue
                peaks = [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
                self.most = max([self.most, *peaks])

    def stop(self) -> float:
        self.over.set()
        self.thread.join()
        return self.most


def crm_calls(aws: Aws) -> int:
    operations = aws.call_summary()["salesforce"]["operations"]
    return sum(call["count"] for name, call in operations.items() if name != "token")


def one_file(stack: Stack, aws: Aws, figures: Figures) -> list[str]:
    """A file of 5 MB that comes alone: new leads first, then the same ones changed."""
    ids = aws.leads(IN_A_FILE, company="Hafen", status="Open", currentLeadStage="Accepted", projectDescription=STORY, email="hafen@kai.example")
    for what in ("new leads", "changed leads"):
        [key] = aws.exports(records_per_file=IN_A_FILE)
        s3 = stack.client("s3")
        size = s3.head_object(Bucket=stack.parameters["AceBucketName"], Key=key)["ContentLength"]
        aws.reset_calls()
        memory = Memory("fn-outbound-file")
        began = time.monotonic()
        stack.invoke("FnFilePoll")
        eventually("the file is settled", lambda: not any(waiting(stack, QUEUES).values()), patience=120)
        took, most, calls = time.monotonic() - began, memory.stop(), crm_calls(aws)
        print(f"\n{what}: {IN_A_FILE} records, {size / 1e6:.2f} MB")
        figures.show("requests to the CRM for each 200 records", calls / (IN_A_FILE / 200), most=5)
        figures.show("time, of which the CRM's requests are a part", took, "s", most=10 + calls * 0.2)
        figures.show("memory at most", most, "MB", most=128)
        for lead in ids:
            aws.edits_lead(lead, city="Kiel")
    aws.exports(records_per_file=IN_A_FILE)
    return ids


def makes_deals(stack: Stack, rep: Rep) -> dict[str, str]:
    """The reps' deals, in requests of 200; what is wrong with each, if anything."""
    dice = random.Random(SEED)
    deals: dict[str, str] = {}
    url = rep.base.replace("/sobjects", "/composite/sobjects")
    for start in range(0, DEALS, 200):
        wrong = [dice.choice(["owner", "industry"]) if dice.random() < INVALID else "" for _ in range(min(200, DEALS - start))]
        records = [
            {
                "attributes": {"type": "Opportunity"},
                **DEAL,
                "Name": f"Deal {start + place}",
                "Share_With_AWS__c": True,
                **({"ACE_Owner_Email__c": "nobody@partner.example"} if what == "owner" else {}),
                **({"ACE_Industry__c": None} if what == "industry" else {}),
            }
            for place, what in enumerate(wrong)
        ]
        answer = requests.post(url, json={"allOrNone": True, "records": records}, headers=rep.headers, timeout=60)
        answer.raise_for_status()
        deals |= {row["id"]: what for row, what in zip(answer.json(), wrong, strict=True)}
    return deals


def in_bucket(stack: Stack) -> int:
    """Files that somebody has yet to work off."""
    s3, bucket = stack.client("s3"), stack.parameters["AceBucketName"]
    folders = ["lead-outbound/", "opportunity-outbound/", "lead-inbound/", "opportunity-inbound/"]
    folders += ["lead-inbound-processed-results/", "opportunity-inbound-processed-results/"]
    return sum(s3.list_objects_v2(Bucket=bucket, Prefix=folder)["KeyCount"] for folder in folders)


def on_the_way(stack: Stack) -> int:
    """Records that wait for a file, and files that AWS has not answered."""
    table = stack.client("dynamodb")
    count = 0
    for partition in ("waiting#opportunity", "waiting#lead", "manifest#open"):
        count += table.query(
            TableName=stack.outputs["Table"],
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": f"Sandbox#{partition}"}},
            Select="COUNT",
        )["Count"]
    return count


def a_day(stack: Stack, aws: Aws, rep: Rep, figures: Figures, leads: list[str]) -> None:
    dice = random.Random(SEED)
    for queue in QUEUES:
        # A killed batch comes again after six time-outs, which is half an hour for files: nobody wants to wait for that here.
        stack.client("sqs").set_queue_attributes(QueueUrl=stack.outputs[queue], Attributes={"VisibilityTimeout": "150"})
    deals = makes_deals(stack, rep)
    print(f"\na day: {HOURS} files from AWS, {len(deals)} deals, {sum(map(bool, deals.values()))} of them wrong", flush=True)
    aws.reset_calls()
    aws.weathers("s3", 1, seed=SEED, slow_millis=500)
    began = time.monotonic()
    with schedules(stack, SCHEDULES) as runs, kills(FUNCTIONS, KILLS, 60 + 600 * SCALE, SEED) as killed:
        hours = quiet = 0
        while True:
            if hours < HOURS:
                hours += 1
                half = IN_A_FILE // 2
                for lead in dice.sample(leads, half):
                    aws.edits_lead(lead, leadStatusReason=f"hour {hours}")
                leads += aws.leads(half, company=f"Hour {hours} ", status="Open", currentLeadStage="Accepted", projectDescription=STORY, email="kai@hafen.example")
                aws.exports(records_per_file=IN_A_FILE)
            left = waiting(stack, QUEUES)
            dead = waiting(stack, [queue.replace("Queue", "DeadLetters") for queue in QUEUES])
            bucket, way = in_bucket(stack), on_the_way(stack)
            taken = sum(file["succeeded"] for file in aws.files())
            print(
                f"{time.monotonic() - began:6.0f} s  hour {hours}; {aws.crm_count('Lead')} leads; AWS took {taken} deals; {way} on the way, "
                f"{bucket} in the bucket, {sum(left.values())} waiting, {sum(dead.values())} dead letters, {len(killed)} kills",
                flush=True,
            )
            # Long enough for each schedule to find nothing more.
            quiet = quiet + 1 if not any(left.values()) and not bucket and not way else 0
            if quiet >= 6 and hours == HOURS and len(killed) >= KILLS and taken:
                if not any(dead.values()):
                    break
                stack.invoke("FnReplay", {"early": True})
                quiet = 0
            if time.monotonic() - began > PATIENCE:
                raise TimeoutError("not settled")
            time.sleep(5)
    took = time.monotonic() - began
    for face in aws.clears():
        print(f"weather on {face['face']}: {face['struck']} of {face['requests']} requests")
    figures.show("time until everything is settled", took, "s")
    figures.show("kills", len(killed), least=KILLS)
    figures.show("scheduled runs that failed", sum(runs.failed.values()))
    check_leads(aws, figures)
    check_deals(aws, figures, deals)


def check_leads(aws: Aws, figures: Figures) -> None:
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in aws.crm_rows("Lead"):
        if row["ACE_Lead_Id__c"]:
            rows.setdefault(row["ACE_Lead_Id__c"], []).append(row)
    at_aws = aws.all_leads()
    shown = {"company": "Company", "city": "City", "leadStatusReason": "ACE_Lead_Status_Reason__c", "email": "Email"}
    differ = [
        lead["apnCrmUniqueIdentifier"]
        for lead in at_aws
        if any((row.get(crm) or None) != (lead.get(ace) or None) for row in rows.get(lead["apnCrmUniqueIdentifier"], [])[:1] for ace, crm in shown.items())
    ]
    figures.show("leads at AWS", len(at_aws))
    figures.show("leads that the CRM lacks", sum(lead["apnCrmUniqueIdentifier"] not in rows for lead in at_aws), most=0)
    figures.show("leads that the CRM has twice", sum(len(found) > 1 for found in rows.values()), most=0)
    figures.show("leads that differ", len(differ), most=0)


def check_deals(aws: Aws, figures: Figures, deals: dict[str, str]) -> None:
    by_record: dict[str, list[str]] = {}
    for found in aws.opportunities():
        by_record.setdefault(found["body"].get("PartnerOpportunityIdentifier") or "", []).append(found["body"]["Id"] if "Id" in found["body"] else found["Id"])
    rows = {row["Id"]: row for row in aws.crm_rows("Opportunity")}
    good = [deal for deal, wrong in deals.items() if not wrong]
    refused = [deal for deal, wrong in deals.items() if wrong]
    figures.show("sound deals", len(good))
    figures.show("sound deals that AWS lacks", sum(deal not in by_record for deal in good), most=0)
    figures.show("sound deals that AWS has twice", sum(len(by_record.get(deal, [])) > 1 for deal in good), most=0)
    figures.show("sound deals whose record does not say so", sum(
        rows[deal]["ACE_Sync_Status__c"] != "Synced" or rows[deal]["ACE_Opportunity_Id__c"] not in by_record.get(deal, []) for deal in good
    ), most=0)
    figures.show("wrong deals", len(refused))
    figures.show("wrong deals that AWS has", sum(deal in by_record for deal in refused), most=0)
    figures.show("wrong deals whose record says nothing", sum(
        rows[deal]["ACE_Sync_Status__c"] != "Error" or not rows[deal]["ACE_Sync_Message__c"] for deal in refused
    ), most=0)
    files = [file for file in aws.files() if file["key"].startswith("opportunity-inbound/")]
    sent = sum(file["records"] for file in files)
    figures.show("files to AWS", len(files))
    figures.show("records in them", sent, most=len(good) + sum(wrong == "owner" for wrong in deals.values()))
    figures.show("files that AWS refused", sum(bool(file["refused"]) for file in files), most=0)


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    figures = Figures()
    with tempfile.TemporaryDirectory() as folder:
        mapping = Path(folder) / "mapping.toml"
        mapping.write_text(MAPPING.read_text() + "\n[files]\nopportunities = true\n")
        # The deals that are made by files ring as well; who goes by files does not listen.
        parameters = {"MaxReceives": "10", "OpportunityDetailTypes": "Nothing"}
        with Stack.up("campaign-files", parameters=parameters, mapping=mapping, s3_weather=True) as stack:
            aws, rep = Aws(stack.control), Rep(stack.salesforce)
            leads = one_file(stack, aws, figures)
            a_day(stack, aws, rep, figures, leads)
    return figures.result()


if __name__ == "__main__":
    sys.exit(main())
