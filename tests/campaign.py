"""What campaigns share: bad weather, kills at random moments, and figures held against their limits."""

from __future__ import annotations

import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from os import kill
from pathlib import Path
from typing import Any

from sandbox import Aws
from stack import Stack, StackError

QUEUES = ["FnOpportunityQueue", "FnInvitationQueue", "FnDeliverQueue"]


@dataclass
class Figures:
    """Prints a line a figure. One beyond its limit makes the campaign fail, at its end."""

    broken: list[str] = field(default_factory=list)

    def show(self, name: str, value: float, unit: str = "", *, most: float | None = None, least: float | None = None) -> None:
        bad = (most is not None and value > most) or (least is not None and value < least)
        limit = f"at most {most:g}" if most is not None else f"at least {least:g}" if least is not None else ""
        print(f"{name:<58}{value:>10,.2f} {unit:<6}{limit:<16}{'BROKEN' if bad else ''}".rstrip(), flush=True)
        if bad:
            self.broken.append(name)

    def result(self) -> int:
        if self.broken:
            print(f"FAILED: {', '.join(self.broken)}", file=sys.stderr)
        return min(len(self.broken), 1)


@contextmanager
def storm(aws: Aws, percent: float, seed: int) -> Iterator[None]:
    """Every kind of failure on both faces."""
    for face in ("partner_central", "salesforce"):
        aws.weathers(face, percent, seed=seed, slow_millis=1500)
    yield
    for face in aws.clears():
        print(f"weather on {face['face']}: {face['struck']} of {face['requests']} requests")


def processes(function: str) -> list[int]:
    """The running processes of a function's binary."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            command = path.read_bytes().split(b"\0")[0].decode()
            if command.endswith((f"/{function}", f"/{function}/bootstrap", "/bootstrap")):
                environment = (path.parent / "environ").read_bytes()
                if f"AWS_LAMBDA_FUNCTION_NAME=cosell-{function}".encode() in environment:
                    found.append(int(path.parent.name))
    return found


@contextmanager
def kills(functions: list[str], times: int, within: float, seed: int) -> Iterator[list[str]]:
    """Kills a process of one of the functions at so many random moments."""
    dice = random.Random(seed)
    moments = sorted(dice.uniform(0, within) for _ in range(times))
    killed: list[str] = []
    over = threading.Event()

    def work() -> None:
        began = time.monotonic()
        for moment in moments:
            if over.wait(max(0.0, began + moment - time.monotonic())):
                return
            # A moment at which nothing runs is no kill: the next one that runs is it.
            while not over.wait(0.02):
                running = {name: found for name in functions if (found := processes(name))}
                if running:
                    # The function first: else the one with the most processes would get nearly all kills.
                    name = dice.choice(list(running))
                    pid = dice.choice(running[name])
                    with suppress(ProcessLookupError):
                        kill(pid, signal.SIGKILL)
                        killed.append(name)
                    break

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield killed
    over.set()
    thread.join()


@dataclass
class Runs:
    """What scheduled runs came to."""

    failed: dict[str, int] = field(default_factory=dict)
    answers: dict[str, list[Any]] = field(default_factory=dict)

    def run(self, stack: Stack, function: str) -> None:
        """One run. That it fails is part of the weather: the next one does the same work."""
        try:
            # What comes back waits an hour and more, which a campaign does not.
            tick = {"early": True} if function == "FnReplay" else None
            self.answers.setdefault(function, []).append(stack.invoke(function, tick))
        except StackError:
            self.failed[function] = self.failed.get(function, 0) + 1

    def total(self, function: str, count: str) -> int:
        return sum(answer[count] for answer in self.answers.get(function, []))


@contextmanager
def schedules(stack: Stack, every: dict[str, float]) -> Iterator[Runs]:
    """Runs functions every so many seconds, as their schedules would every so many minutes."""
    runs = Runs()
    over = threading.Event()

    def work() -> None:
        due = {function: time.monotonic() + seconds for function, seconds in every.items()}
        while not over.wait(0.1):
            for function, moment in due.items():
                if time.monotonic() >= moment and not over.is_set():
                    runs.run(stack, function)
                    due[function] = time.monotonic() + every[function]

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield runs
    finally:
        over.set()
        thread.join()


def waiting(stack: Stack, queues: list[str] | None = None) -> dict[str, int]:
    """Messages on each queue, those that are being worked off included."""
    sqs = stack.client("sqs")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
    count = {}
    for queue in queues or QUEUES:
        answer = sqs.get_queue_attributes(QueueUrl=stack.outputs[queue], AttributeNames=names)
        count[queue] = sum(int(answer["Attributes"].get(name, 0)) for name in names)
    return count


def settle(stack: Stack, look: Callable[[], str], patience: float, every: float = 10.0) -> float:
    """Waits until nothing is on any queue, replaying dead letters as the schedule would. Says how it goes."""
    letters = [queue.replace("Queue", "DeadLetters") for queue in QUEUES]
    began = time.monotonic()
    while time.monotonic() < began + patience:
        left, dead = waiting(stack), waiting(stack, letters)
        print(f"{time.monotonic() - began:6.0f} s  {look()}; {sum(left.values())} waiting, {sum(dead.values())} dead letters", flush=True)
        if not any(left.values()):
            if not any(dead.values()):
                return time.monotonic() - began
            stack.invoke("FnReplay", {"early": True})
        time.sleep(every)
    raise TimeoutError(f"not settled within {patience:.0f} s: {waiting(stack)}")


def spend(amount: float) -> dict[str, str]:
    return {"Amount": f"{amount:.2f}", "CurrencyCode": "USD", "Frequency": "Monthly", "TargetCompany": "AWS"}


def throttles(calls: list[dict[str, Any]]) -> int:
    """Calls that were one too many, the weather's apart."""
    return sum(call["error"] == "ThrottlingException" and not call["weather"] for call in calls)


def answered(calls: list[dict[str, Any]], *operations: str) -> int:
    """Calls that had their answer: one that was lost must be repeated by anybody."""
    return sum(call["status"] == 200 for call in calls if call["operation"] in operations)
