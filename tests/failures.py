"""Failures on the local stack, one after the other: each is caused, what is said of it is read in six places, it is mended,
and what was on its way is looked for.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import alarms
from campaign import processes, waiting
from sandbox import DEAL, Aws, Rep, eventually
from stack import BINARIES, HOST, MAPPING, ROOT, STACK_NAME, Stack

QUEUES = ["FnOpportunity", "FnInvitation", "FnOutboundFile", "FnDeliver", "FnChanged"]
SCHEDULED = ["FnPush", "FnFilePoll", "FnFileSend", "FnReconcile", "FnReplay"]
PLACES = ["record", "sync log", "log", "metric", "alarm", "doctor"]
# One picklist with words of the CRM's own, so that there can be one that nobody translated.
OWN_WORDS = 'opportunityType = { crm = "ACE_Opportunity_Type__c", values = { "New" = "Net New Business" } }'


# What stands between the functions and the CRM.


@dataclass
class Asked:
    """A request to the CRM."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def writes(self) -> bool:
        return self.method in ("POST", "PATCH") and "/sobjects" in self.path

    def records(self) -> list[dict[str, Any]]:
        """The records of a writing request, each with its identifier where it has one."""
        content = json.loads(self.body)
        return content["records"] if "records" in content else [{"Id": self.path.rsplit("/", 1)[1], **content}]


@dataclass
class Answer:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})

    @classmethod
    def of(cls, status: int, content: Any) -> Answer:
        return cls(status, json.dumps(content).encode())


Forward = Callable[[Asked], Answer]
Rule = Callable[[Asked, Forward], Answer]


class Gate:
    """The CRM's address, or another server's. It can be closed, and rules may answer in that one's place."""

    def __init__(self, target: int = 0) -> None:
        self.rules: list[Rule] = []
        self.target = target
        self.connections: set[socket.socket] = set()
        self.port = 0
        self.open()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def open(self) -> None:
        self.server = ThreadingHTTPServer((HOST, self.port), self._handler())
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def forward(self, asked: Asked) -> Answer:
        connection = http.client.HTTPConnection(HOST, self.target, timeout=60)
        try:
            connection.request(asked.method, asked.path, asked.body, asked.headers)
            answer = connection.getresponse()
            # The session names the address that it is for.
            body = answer.read().replace(f"http://{HOST}:{self.target}".encode(), self.url.encode())
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in ("content-length", "transfer-encoding", "connection")}
            return Answer(answer.status, body, kept)
        finally:
            connection.close()

    def ask(self, asked: Asked, rules: list[Rule]) -> Answer:
        if not rules:
            return self.forward(asked)
        return rules[0](asked, lambda further: self.ask(further, rules[1:]))

    def _handler(gate: Gate) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                gate.connections.add(self.connection)

            def finish(self) -> None:
                gate.connections.discard(self.connection)
                with suppress(OSError):
                    super().finish()

            def handle(self) -> None:
                with suppress(OSError):
                    super().handle()

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                given = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
                answer = gate.ask(Asked(self.command, self.path, given, body), list(gate.rules))
                self.send_response_only(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


@contextmanager
def between(port: int) -> Generator[Gate]:
    gate = Gate(port)
    try:
        yield gate
    finally:
        gate.close()


def always(answer: Answer) -> Rule:
    """Whoever is logged in hears this."""
    return lambda asked, forward: forward(asked) if asked.path.endswith("/token") else answer


def once(answer: Answer) -> Rule:
    """The next request hears this."""
    left = [answer]
    return lambda asked, forward: forward(asked) if asked.path.endswith("/token") or not left else left.pop()


def refuses(meets: Callable[[dict[str, Any]], bool], code: str, message: str, about: Iterable[str] = ()) -> Rule:
    """The CRM takes no record that meets this, as a validation rule does; the others of the same request pass."""

    def rule(asked: Asked, forward: Forward) -> Answer:
        if not asked.writes or not any(map(meets, asked.records())):
            return forward(asked)
        problem = {"message": message, "fields": list(about)}
        if "/composite/" not in asked.path:
            return Answer.of(400, [{**problem, "errorCode": code}])
        content = json.loads(asked.body)
        refused = [meets(record) for record in content["records"]]
        passing = [record for record, bad in zip(content["records"], refused, strict=True) if not bad]
        rest: list[Any] = []
        if passing:
            answer = forward(Asked(asked.method, asked.path, _sized(asked.headers), json.dumps({**content, "records": passing}).encode()))
            if answer.status != 200:
                return answer
            rest = json.loads(answer.body)
        no = {"success": False, "errors": [{**problem, "statusCode": code}]}
        return Answer.of(200, [no if bad else rest.pop(0) for bad in refused])

    return rule


def _sized(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() != "content-length"}


def lacks(name: str) -> Rule:
    """A field that the CRM does not have any more."""

    def rule(asked: Asked, forward: Forward) -> Answer:
        answer = forward(asked)
        if asked.path.endswith("/describe"):
            content = json.loads(answer.body)
            content["fields"] = [it for it in content["fields"] if it["name"] != name]
            return Answer(answer.status, json.dumps(content).encode(), answer.headers)
        if name in asked.path or name.encode() in asked.body:
            return Answer.of(400, [{"errorCode": "INVALID_FIELD", "message": f"No such column '{name}' on sobject of type Opportunity"}])
        return answer

    return rule


def locks(name: str) -> Rule:
    """A field that the integration user may read and not write."""
    said = f"Unable to create/update fields: {name}. Please check the security settings of this field and verify that it is read/write for your profile or permission set."
    refusal = refuses(lambda record: name in record, "INVALID_FIELD_FOR_INSERT_UPDATE", said, [name])

    def rule(asked: Asked, forward: Forward) -> Answer:
        answer = refusal(asked, forward)
        if not asked.path.endswith("/describe"):
            return answer
        content = json.loads(answer.body)
        for it in content["fields"]:
            if it["name"] == name:
                it["updateable"] = it["createable"] = False
        return Answer(answer.status, json.dumps(content).encode(), answer.headers)

    return rule


# The failures and what is said of them.


def event(opportunity: str) -> dict[str, Any]:
    """What rings for an opportunity."""
    sample = json.loads((ROOT / "events/eventbridge/opportunity-updated.json").read_text())
    sample["detail"]["opportunity"]["identifier"] = opportunity
    return {**sample, "id": str(uuid.uuid4()), "time": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")}


@dataclass(frozen=True)
class Says:
    """What each place says, as an expression to be found there; `None`: it rightly says nothing."""

    record: str | None = None
    sync_log: str | None = None
    log: str | None = None
    metric: str | None = None
    # Exactly these, by their names in the template.
    alarm: tuple[str, ...] = ()
    doctor: str | None = None


@dataclass(frozen=True)
class Failure:
    """`play` causes it and waits until it shows, yields the CRM record in question if there is one, mends it as the messages
    say, and returns what then is."""

    name: str
    says: Says
    play: Callable[[World], Generator[str | None, None, str]]
    # How much later the alarms are asked.
    later: timedelta = timedelta()


@dataclass
class Row:
    """A line of the table."""

    failure: str
    cells: list[str]
    wrong: list[str] = field(default_factory=list)
    awaited: int = 0
    lost: list[str] = field(default_factory=list)
    seconds: float = 0


class World:
    """The stack, the people around it, and what is on its way."""

    def __init__(self, stack: Stack, gate: Gate, mapping: Path) -> None:
        self.stack = stack
        self.mapping = mapping
        self.gate = gate
        self.aws = Aws(stack.control)
        self.rep = Rep(f"http://{HOST}:{gate.target}")
        self.began = time.time()
        self.awaited: list[tuple[str, Callable[[], Any]]] = []
        self.scratch = Path(tempfile.mkdtemp(dir=stack.directory))
        self.sound: dict[str, str] = {}
        # What earlier failures have left to do for good.
        self.left: set[str] = set()

    # What an operator does.

    def command(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(BINARIES / "cosell"), *arguments],
            env={**os.environ, **self.stack.environment(), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def cosell(self, *arguments: str) -> Any:
        answer = self.command(*arguments, "--output", "json")
        if answer.returncode:
            raise RuntimeError(f"{' '.join(arguments)}: {answer.stderr}")
        return json.loads(answer.stdout or "[]")

    def examined(self) -> dict[str, str]:
        """What the doctor finds fault with, and how it is to be mended."""
        answer = self.command("doctor", "--output", "json")
        assert answer.stdout, answer.stderr
        lines = [line for line in json.loads(answer.stdout) if line["status"] in ("warning", "failed")]
        return {f"{line['area']}: {line['check']}: {line['found']}": f"{line['status']}, {line['mend']}" for line in lines}

    def letters(self, *filters: str) -> list[dict[str, Any]]:
        return self.cosell("dlq", "list", *filters)

    def dead(self, *queues: str) -> dict[str, int]:
        """How many dead letters there are, which is told sooner than what they are."""
        names = [f"{queue}DeadLetters" for queue in queues or [*QUEUES, "Schedule"]]
        return {name: count for name, count in waiting(self.stack, names).items() if count}

    def letter(self, queue: str, **having: Any) -> dict[str, Any]:
        """Waits for a dead letter."""

        def look() -> dict[str, Any] | None:
            if not self.dead(queue):
                return None
            found = [letter for letter in self.letters("--queue", queue) if having.items() <= letter.items()]
            return found[0] if found else None

        return eventually(f"a letter of {queue} with {having}", look, 40, 0.3)

    # What happens around the stack.

    def restarts(self, *functions: str) -> None:
        """The platform replaces a function's processes, as it does from time to time."""
        client = self.stack.client("lambda")
        for function in functions:
            name = self.stack.outputs[function]
            variables = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
            client.update_function_configuration(FunctionName=name, Environment={"Variables": {**variables, "SINCE": str(time.time())}})

    def runs(self, function: str, **payload: Any) -> Any:
        return self.stack.invoke(function, payload)

    @contextmanager
    def settings(self, function: str, **variables: str) -> Generator[None]:
        """Somebody changes a function's environment by hand."""
        client, name = self.stack.client("lambda"), self.stack.outputs[function]
        before = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        client.update_function_configuration(FunctionName=name, Environment={"Variables": {**before, **variables}})
        try:
            yield
        finally:
            client.update_function_configuration(FunctionName=name, Environment={"Variables": before})

    def secret(self, content: Any) -> None:
        self.stack.client("secretsmanager").put_secret_value(
            SecretId=self.stack.outputs["CrmSecretArn"], SecretString=json.dumps(content)
        )

    def source(self, queue: str, enabled: bool) -> None:
        """Somebody turns a function's event source off or on."""
        client = self.stack.client("lambda")
        name = self.stack.outputs[f"{queue}Queue"].rsplit("/", 1)[1]
        for source in client.list_event_source_mappings()["EventSourceMappings"]:
            if source["EventSourceArn"].endswith(f":{name}"):
                client.update_event_source_mapping(UUID=source["UUID"], Enabled=enabled)

    def forbids(self, function: str, action: str, resource: str = "*") -> None:
        """Somebody takes a right from a function's role."""
        statement = {"Effect": "Deny", "Action": action, "Resource": resource}
        self.stack.client("iam").put_role_policy(
            RoleName=self._role(function),
            PolicyName="forbidden",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )

    def allows(self, function: str) -> None:
        self.stack.client("iam").delete_role_policy(RoleName=self._role(function), PolicyName="forbidden")

    def _role(self, function: str) -> str:
        configuration = self.stack.client("lambda").get_function_configuration(FunctionName=self.stack.outputs[function])
        return configuration["Role"].rsplit("/", 1)[1]

    def sends(self, queue: str, body: str, **arguments: Any) -> str:
        answer = self.stack.client("sqs").send_message(QueueUrl=self.stack.outputs[f"{queue}Queue"], MessageBody=body, **arguments)
        return answer["MessageId"]

    def impatient(self, queue: str, seconds: int = 2) -> None:
        """What a function dies of comes again after six of its time-outs: nobody wants to wait for that here."""
        self.stack.client("sqs").set_queue_attributes(
            QueueUrl=self.stack.outputs[f"{queue}Queue"], Attributes={"VisibilityTimeout": str(seconds)}
        )

    def kills(self, function: str) -> int:
        """Kills the processes of a function of this stack."""
        killed = 0
        for pid in processes(function):
            with suppress(OSError):
                if str(self.stack.directory).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
        return killed

    def config(self, key: str, text: str | None) -> None:
        """Somebody puts a mapping into the bucket without checking it, or takes it away."""
        s3, bucket = self.stack.client("s3"), self.stack.outputs["ConfigBucket"]
        if text is None:
            s3.delete_object(Bucket=bucket, Key=key)
        else:
            s3.put_object(Bucket=bucket, Key=key, Body=text.encode())

    def ends(self, message: str) -> None:
        """A message must end in words, whatever it is."""
        self.awaits(f"message {message} ends", lambda: any(message in line and re.search(r'outcome="(done|skip|park)"', line) for _, line in self.lines()))

    def resource(self, logical: str) -> str:
        resources = self.stack.client("cloudformation").describe_stack_resources(StackName=STACK_NAME)["StackResources"]
        return next(it["PhysicalResourceId"] for it in resources if it["LogicalResourceId"] == logical)

    # Records.

    def row(self, record: str) -> dict[str, Any]:
        return self.aws.crm_row("Opportunity", Id=record) or {}

    def shown(self, opportunity: str, **values: Any) -> dict[str, Any] | None:
        return self.aws.crm_row("Opportunity", ACE_Opportunity_Id__c=opportunity, **values)

    def at_aws(self, opportunity: str) -> dict[str, Any]:
        return self.aws.opportunity(opportunity)["body"]

    def awaits(self, what: str, look: Callable[[], Any]) -> None:
        """Something that must arrive or be settled, whatever happens on the way."""
        self.awaited.append((what, look))

    def awaits_in_crm(self, opportunity: str, **values: Any) -> None:
        self.awaits(f"{opportunity} in the CRM", lambda: self.shown(opportunity, **values))

    def known(self, title: str) -> tuple[str, str]:
        """An opportunity that both sides have, in step: its names at AWS and in the CRM."""
        opportunity = self.aws.creates(Project={"Title": title}, LifeCycle={"Stage": "Qualified"}, ring=False)
        self.sends("FnOpportunity", json.dumps(event(opportunity)))
        row = eventually(f"{title} in the CRM", lambda: self.shown(opportunity))
        self.quiet()
        return opportunity, row["Id"]

    def new(self, title: str, **more: Any) -> str:
        """An opportunity of which one event tells, and that the CRM must get."""
        opportunity = self.aws.creates(Project={"Title": title}, ring=False)
        self.awaits_in_crm(opportunity)
        self.sends("FnOpportunity", json.dumps({**event(opportunity), **more}))
        return opportunity

    def changes(self, opportunity: str, text: str) -> None:
        """AWS changes what the CRM must get, and one event tells of it."""
        self.aws.edits(opportunity, LifeCycle={"NextSteps": text}, ring=False)
        self.awaits_in_crm(opportunity, NextStep=text)
        self.sends("FnOpportunity", json.dumps(event(opportunity)))

    def deal(self, title: str, **values: Any) -> str:
        """A deal that a rep shares, and that AWS must get once."""
        deal = self.rep.creates("Opportunity", Name=title, Share_With_AWS__c=True, **{**DEAL, **values})

        def shared() -> bool:
            row = self.row(deal)
            kept = row["ACE_Solutions__c"] == DEAL["ACE_Solutions__c"]
            return self.reviewed(deal) == ["Submitted"] and row["ACE_Sync_Status__c"] == "Synced" and kept

        self.awaits(f"{title} submitted to AWS, once, and nothing of the rep's lost", shared)
        return deal

    def reviewed(self, deal: str) -> list[str]:
        """Where AWS's review of each opportunity that came of a deal stands."""
        found = [it["body"] for it in self.aws.opportunities()]
        return [body["LifeCycle"].get("ReviewStatus") for body in found if body.get("PartnerOpportunityIdentifier") == deal]

    def edits(self, opportunity: str, record: str, text: str) -> None:
        """A rep edits what AWS must get."""
        self.rep.edits("Opportunity", record, NextStep=text)
        self.awaits(f"{text} at AWS", lambda: self.at_aws(opportunity)["LifeCycle"].get("NextSteps") == text)

    def status(self, record: str, status: str, saying: str = "") -> None:
        """Waits until the CRM's record says so."""

        def look() -> bool:
            row = self.row(record)
            return row["ACE_Sync_Status__c"] == status and saying in (row["ACE_Sync_Message__c"] or "")

        eventually(f"{record} says {status} {saying}", look, 40)

    def quiet(self) -> None:
        """Waits until nothing is on its way."""
        names = [f"{queue}Queue" for queue in QUEUES]
        eventually("the queues are empty", lambda: not self.aws.waiting() and not any(waiting(self.stack, names).values()), 40)

    # What is said.

    def said_on(self, record: str | None) -> str:
        row = self.row(record) if record else {}
        told = [row.get(name) for name in ("ACE_Sync_Status__c", "ACE_Sync_Message__c", "ACE_Pending__c")]
        return ": ".join(text for text in told if text and text != "Synced")

    def said_in_sync_log(self) -> str:
        entries = self.cosell("log", "--since", "1h", "--limit", "500")
        return "; ".join(
            " ".join([entry["status"], entry["message"], *(problem["message"] for problem in entry.get("problems", []))])
            for entry in entries
            if datetime.fromisoformat(entry["at"]).timestamp() >= self.began and (entry["status"] in ("Error", "Partial") or entry.get("open"))
        )

    def lines(self) -> list[tuple[str, str]]:
        """What the functions have logged since this failure began, with their names."""
        client = self.stack.client("logs")
        found = []
        for output, group in self.stack.outputs.items():
            if output.endswith("Logs"):
                for page in client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=int(self.began * 1000)):
                    found += [(output.removesuffix("Logs"), event["message"]) for event in page["events"]]
        return found

    def said_in_logs(self, lines: list[tuple[str, str]]) -> str:
        return "\n".join(f"{function}: {line.strip()}" for function, line in lines if re.search(r"\b(WARN|ERROR)\b", line))

    def said_in_metrics(self, lines: list[tuple[str, str]]) -> str:
        """What is not as on a good day."""
        counts: dict[str, float] = {}
        for _, line in lines:
            for (name, dimensions), point in alarms.embedded(line):
                told = dict(dimensions)
                told.pop("function", None)
                if is_usual(name, told, point.value):
                    continue
                told = {key: value.rsplit("-", 1)[0] if key == "queue" else value for key, value in told.items()}
                label = name + ("{" + ",".join(f"{key}={value}" for key, value in sorted(told.items())) + "}" if told else "")
                counts[label] = counts.get(label, 0) + point.value * point.count if name in COUNTERS else max(counts.get(label, 0), point.value)
        return "; ".join(f"{label} {value:g}" for label, value in sorted(counts.items()))

    def ringing(self, later: timedelta) -> tuple[str, ...]:
        return tuple(sorted(alarms.ringing(self.stack, since=self.began, later=later)))

    def said_by_doctor(self) -> str:
        found = self.examined()
        return "; ".join(f"{line} ({found[line]})" for line in found if line not in self.sound)


COUNTERS = ("messages", "records", "dead_letters", "missed_events", "conflicts")


def is_usual(name: str, dimensions: dict[str, str], value: float) -> bool:
    """Whether a metric says nothing about a failure."""
    if name == "messages":
        return dimensions["outcome"] == "done" or dimensions.get("reason") in ("unchanged", "already_read", "not_needed", "not_shared")
    if name == "records":
        return dimensions["status"] not in ("error", "partial")
    if name == "quota_used_percent":
        return value < 80
    return name in ("arrival_seconds", "dead_letters_oldest_seconds", "refused_oldest_seconds", "held_back_oldest_seconds") or not value


@contextmanager
def world(name: str) -> Generator[World]:
    """A stack whose quotas and patience do not have to be waited for."""
    hourly = {f"{which}Schedule": "rate(1 hour)" for which in ("Push", "LeadPush", "FilePoll", "FileSend", "Reconcile", "Replay")}
    parameters = {"ScheduleState": "ENABLED", "MaxReceives": "2", "ReadsPerSecond": "50", "WritesPerSecond": "20", **hourly}
    with between(0) as gate, Stack.up(name, parameters=parameters, salesforce=gate.url) as stack:
        gate.target = stack.sandbox_ports[1]
        mapping = stack.directory / "mapping.toml"
        words = MAPPING.read_text().replace('opportunityType = "ACE_Opportunity_Type__c"', OWN_WORDS)
        mapping.write_text(words + "\n[retry]\ntimes = 3\n")
        for function in SCHEDULED:
            # Nothing may work with the mapping that was there before.
            stack.client("s3").upload_file(str(mapping), stack.outputs["ConfigBucket"], "mapping.toml")
            stack.invoke(function)
        made = World(stack, gate, mapping)
        made.cosell("config", "push", str(mapping))
        made.sound = made.examined()
        yield made


def play(world: World, failure: Failure) -> Row:
    """Causes a failure, reads what is said, and sees it mended."""
    # The emulator's own metrics know whole seconds only.
    time.sleep(1.01 - time.time() % 1)
    world.began, world.awaited = float(int(time.time())), []
    started = time.monotonic()
    row = Row(failure.name, [])
    acts = failure.play(world)
    try:
        record = next(acts)
        listen(world, failure, record, row)
        row.cells.append(mended(acts))
    except Exception as error:  # What one failure breaks must not hide the others.
        row.wrong.append(f"{type(error).__name__}: {error}")
    row.cells += [""] * (len(PLACES) + 1 - len(row.cells))
    row.awaited = len(world.awaited)
    end = time.monotonic() + 25
    for what, look in world.awaited:
        try:
            eventually(what, look, max(1.0, end - time.monotonic()), 0.3)
        except Exception:
            row.lost.append(what)
    restore(world, row)
    row.seconds = time.monotonic() - started
    return row


def mended(acts: Generator[str | None, None, str]) -> str:
    try:
        next(acts)
    except StopIteration as end:
        return end.value
    raise AssertionError("a failure yields once")


def listen(world: World, failure: Failure, record: str | None, row: Row) -> None:
    """Reads the six places. What is expected may come a moment later; silence is believed at the end."""
    expected = failure.says

    def hear() -> dict[str, Any]:
        lines = world.lines()
        return {
            "record": world.said_on(record),
            "sync_log": world.said_in_sync_log(),
            "log": world.said_in_logs(lines),
            "metric": world.said_in_metrics(lines),
            "alarm": world.ringing(failure.later),
            "doctor": world.said_by_doctor(),
        }

    def cell(place: str, said: Any) -> tuple[str, bool]:
        wanted = getattr(expected, place)
        if place == "alarm":
            return ", ".join(said) or "-", said == tuple(sorted(wanted))
        if wanted is None:
            return said or "-", not said
        found = re.search(wanted, said, re.DOTALL)
        return (" ".join(found[0].split()) if found else said or "-"), bool(found)

    places = [it.name for it in fields(Says)]
    end = time.monotonic() + 8
    while True:
        heard = hear()
        cells = {place: cell(place, heard[place]) for place in places}
        if all(good for _, good in cells.values()) or time.monotonic() > end:
            break
        time.sleep(0.5)
    for place, title in zip(places, PLACES, strict=True):
        text, good = cells[place]
        row.cells.append(text)
        if not good:
            row.wrong.append(f"{title} says `{text}`, not `{getattr(expected, place)}`")


def restore(world: World, row: Row) -> None:
    """What a failure left behind would be taken for the next one's."""
    world.aws.mends()
    world.gate.rules.clear()
    try:
        world.quiet()
        # Gauges tell how it is now.
        world.runs("FnReconcile")
        world.quiet()
    except Exception as error:
        row.wrong.append(f"afterwards: {error}")
    left = {
        "dead letters": [f"{it['queue']} {it['code']}: {it['cause']}" for it in (world.letters() if world.dead() else [])],
        "in quarantine": [letter["key"] for letter in world.cosell("dlq", "quarantine", "list")],
        "still wrong": world.said_by_doctor(),
        "left to do": sorted({f"{it['name']} {it['what']}" for it in world.cosell("log", "open")} - world.left),
    }
    world.left |= set(left["left to do"])
    row.wrong += [f"afterwards {what}: {found}" for what, found in left.items() if found]
    sqs = world.stack.client("sqs")
    for queue in world.dead():
        sqs.purge_queue(QueueUrl=world.stack.outputs[queue])


def shorten(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def table(rows: list[Row], width: int = 90) -> str:
    lines = ["failure | " + " | ".join([*PLACES, "after the mend"])]
    lines += [" | ".join([row.failure, *(shorten(cell, width) for cell in row.cells)]) for row in rows]
    return "\n".join(lines)


def campaign(failures: list[Failure], name: str) -> int:
    """Plays them all on one stack and prints the table. Not zero if something was not said as it should be, or lost."""
    rows = []
    began = time.monotonic()
    with world(name) as made:
        for failure in failures:
            row = play(made, failure)
            rows.append(row)
            print(f"{time.monotonic() - began:5.0f} s  {row.failure} ({row.seconds:.0f} s)", flush=True)
            for wrong in row.wrong + [f"LOST: {lost}" for lost in row.lost]:
                print(f"         {wrong}", flush=True)
    print("\n" + table(rows))
    awaited, lost = sum(row.awaited for row in rows), sum(len(row.lost) for row in rows)
    wrong = sum(bool(row.wrong) for row in rows)
    print(f"\n{len(rows)} failures in {time.monotonic() - began:.0f} s; {wrong} not told as expected; lost {lost} of {awaited} records and messages")
    if wrong or lost:
        print(f"FAILED: {', '.join(row.failure for row in rows if row.wrong or row.lost)}", file=sys.stderr)
    return int(bool(wrong or lost))
