"""100,000 entries in the sync log, made of what the functions themselves wrote: how long each question takes, and how much of
the table it reads."""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import demo
import requests
from campaign import Figures
from sandbox import eventually
from stack import BINARIES, Stack

ENTRIES = int(100_000 * float(os.environ.get("CAMPAIGN_SCALE", "1")))
DAYS = 30
RECORDS = ENTRIES // 50
RUNS = ENTRIES // 100
# What `cosell log` shows without being asked for more; of each part of a day so much is read at most.
LIMIT = 50
PARTS = 8
TIMES = 5
LONG = "A title of more characters than the CRM keeps of a name, " * 3

Item = dict[str, dict[str, str]]


class Counting(BaseHTTPRequestHandler):
    """Hands requests on to DynamoDB and counts the items that it read for them."""

    target = ""
    read = 0
    requests = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        answer = requests.post(self.target, data=body, headers=headers, timeout=60)
        told = answer.json()
        items = told.get("ScannedCount", 0) + sum(map(len, told.get("Responses", {}).values())) + ("Item" in told)
        type(self).read += items
        type(self).requests += 1
        # The days that are looked at beside the one that was enough are not waited for.
        with suppress(BrokenPipeError):
            self.passes(answer)

    def passes(self, answer: requests.Response) -> None:
        self.send_response(answer.status_code)
        for name in ("Content-Type", "x-amzn-RequestId", "x-amz-crc32"):
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def counting(endpoint: str) -> Iterator[str]:
    Counting.target = endpoint
    # Sixteen questions at once are more than its queue has room for by itself.
    ThreadingHTTPServer.request_queue_size = 128
    server = ThreadingHTTPServer(("127.0.0.1", 0), Counting)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def logged(story: demo.Story, record: str) -> dict[str, Any]:
    return eventually(f"{record} is logged", lambda: story.cosell("log", "--record", record, "--output", "json"))[0]


def items_of(catalog: str, entry: dict[str, Any], doc: str, payload: str, expires: str) -> list[Item]:
    """The items of an entry, as the ledger lays them out."""
    key = entry["id"].replace("-", "")
    status = entry["status"].lower().replace(" ", "_")
    places = [f"log#{entry['at'][:10]}#{entry['direction']}#{status}", f"log#run#{entry['run']}"]
    places += [f"log#record#{entry[name]}" for name in ("ace_id", "crm_id") if entry.get(name)]
    rows = [(place, key, doc) for place in places] + [(f"log#payload#{key}", "payload", payload)]
    return [
        {"pk": {"S": f"{catalog}#{pk}"}, "sk": {"S": sk}, "doc": {"S": text}, "expires_at": {"N": expires}}
        for pk, sk, text in rows
    ]


def by_key(items: list[Item]) -> list[Item]:
    return sorted(items, key=lambda item: item["pk"]["S"])


def name_at(moment: datetime, dice: random.Random) -> str:
    """The name of an entry of that moment (UUID version 7)."""
    millis = int(moment.timestamp() * 1000)
    return str(uuid.UUID(int=(millis << 80) | (7 << 76) | (dice.getrandbits(12) << 64) | (2 << 62) | dice.getrandbits(62)))


def templates(story: demo.Story) -> list[tuple[dict[str, Any], str, str, str]]:
    """What the functions wrote of a record that arrived and of one that the CRM refused; their layout is held against ours."""
    catalog, table = story.stack.outputs["Catalog"], story.stack.outputs["Table"]
    sound = logged(story, story.aws.creates(Project={"Title": "Sound"}))
    refused = logged(story, story.aws.creates(Project={"Title": LONG}))
    pages = story.stack.client("dynamodb").get_paginator("scan").paginate(TableName=table)
    stored = [item for page in pages for item in page["Items"]]
    found = []
    for entry in (sound, refused):
        key = entry["id"].replace("-", "")
        own = [item for item in stored if item["sk"]["S"] == key or item["pk"]["S"].endswith(f"#log#payload#{key}")]
        doc = next(item["doc"]["S"] for item in own if item["sk"]["S"] == key)
        payload = next(item["doc"]["S"] for item in own if item["sk"]["S"] == "payload")
        expires = own[0]["expires_at"]["N"]
        made = items_of(catalog, json.loads(doc), doc, payload, expires)
        assert by_key(made) == by_key(own), "the ledger's layout is another one"
        found.append((json.loads(doc), doc, payload, expires))
    return found


def fill(story: demo.Story) -> list[dict[str, Any]]:
    """Entries over a month, and the counters of their days and runs."""
    catalog, table = story.stack.outputs["Catalog"], story.stack.outputs["Table"]
    dynamodb = story.stack.client("dynamodb")
    (sound, _, payload, expires), (refused, *_rest) = templates(story)
    dice = random.Random(8)
    now = datetime.now(UTC)
    entries, items = [], []
    days: dict[str, Counter[str]] = {}
    runs: dict[str, Counter[str]] = {}
    for number in range(ENTRIES):
        moment = now - timedelta(seconds=dice.uniform(60, (DAYS - 1) * 86_400))
        entry = dict(refused if dice.random() < 0.05 else sound)
        record, run = dice.randrange(RECORDS), f"run-{number * RUNS // ENTRIES}"
        entry |= {"id": name_at(moment, dice), "at": f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}", "run": run}
        entry |= {"ace_id": f"O7{record:07}", "crm_id": f"006Z{record:014}"}
        if dice.random() < 0.4:
            entry["direction"] = "to_aws"
        entries.append(entry)
        items += items_of(catalog, entry, json.dumps(entry), payload, expires)
        counters = [f"record.{entry['direction']}.{entry['status'].lower()}", f"arrival.{entry['direction']}.5"]
        counters += [f"cause.{entry['direction']}.{problem['code']}" for problem in entry.get("problems", [])]
        days.setdefault(entry["at"][:10], Counter()).update(counters)
        runs.setdefault(run, Counter()).update(counters)
    numbers = lambda counts: {name: {"N": str(count)} for name, count in counts.items()}  # noqa: E731
    for day, counts in days.items():
        items.append({"pk": {"S": f"{catalog}#log#days"}, "sk": {"S": day}, **numbers(counts)})
    for number, (run, counts) in enumerate(runs.items()):
        began = now - timedelta(minutes=number)
        at = f"{began:%Y-%m-%dT%H:%M:%S.%f}000Z"
        facts = {"by": {"S": "cosell-fn-deliver"}, "run": {"S": run}, "last_at": {"S": at}}
        items.append({"pk": {"S": f"{catalog}#log#runs#{began:%Y-%m-%d}"}, "sk": {"S": f"{at}#{run}"}, **facts, **numbers(counts)})

    def write(start: int) -> None:
        puts = [{"PutRequest": {"Item": item}} for item in items[start : start + 25]]
        assert not dynamodb.batch_write_item(RequestItems={table: puts})["UnprocessedItems"]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(0, len(items), 25)))
    print(f"{len(items)} items of {ENTRIES} entries", flush=True)
    return entries


def main() -> int:
    figures = Figures()
    with Stack.up("campaign-log") as stack, counting(stack.endpoint) as endpoint:
        story = demo.Story(stack)
        began = time.monotonic()
        entries = fill(story)
        print(f"written in {time.monotonic() - began:.0f} s", flush=True)
        some = entries[ENTRIES // 2]
        environment = {**os.environ, **stack.environment(), "AWS_ENDPOINT_URL_DYNAMODB": endpoint}
        whole = ["--since", f"{DAYS}d"]
        of_a_day = LIMIT * PARTS
        # What a question may read: a day's parts as far as one page goes, with the days that are looked at beside it.
        questions: list[tuple[list[str], int]] = [
            (["log"], 2 * of_a_day),
            (["log", "--record", some["ace_id"]], LIMIT),
            (["log", "--run", some["run"]], LIMIT),
            (["log", "--day", some["at"][:10]], 2 * of_a_day),
            (["log", *whole], 6 * of_a_day),
            (["log", *whole, "--status", "error"], 6 * of_a_day),
            (["log", *whole, "--direction", "to_aws"], 6 * of_a_day),
            (["log", *whole, "--direction", "to_aws", "--status", "partial"], 0),
            (["log", "show", some["id"]], 2),
            (["log", "runs", *whole], LIMIT),
            (["log", "open"], 10),
            (["report", *whole], 2 * DAYS),
        ]
        for question, most in questions:
            times = []
            for _ in range(TIMES):
                Counting.read = Counting.requests = 0
                start = time.monotonic()
                line = [str(BINARIES / "cosell"), *question, "--output", "json"]
                answer = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
                times.append(time.monotonic() - start)
                assert answer.returncode == 0, answer.stderr
            shown = " ".join(question)
            figures.show(f"cosell {shown[:49]}", statistics.median(times), "s", most=1.0)
            figures.show(f"  items read, in {Counting.requests} requests", Counting.read, "", most=most)
    return figures.result()


if __name__ == "__main__":
    sys.exit(main())
