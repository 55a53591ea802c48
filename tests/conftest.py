"""No function of any stack that a test brings up logs what it was sent about people: looked at when the stack goes down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from botocore.exceptions import BotoCoreError, ClientError
from sandbox import Aws
from stack import Stack

# Members that say something about a person, in AWS's, the files' and the CRM's words.
PERSONAL = re.compile(r"(e-?mail|phone|first_?name|last_?name|business_?title)(__c)?$", re.IGNORECASE)
OBJECTS = ("Opportunity", "Lead", "Contact")
# Shorter ones are parts of words.
SHORTEST = 5


@dataclass
class Looked:
    stacks: int = 0
    lines: int = 0
    values: int = 0


LOOKED = Looked()


def personal(sent: Any) -> Iterator[str]:
    """Every value about a person, wherever it stands."""
    if isinstance(sent, list):
        for item in sent:
            yield from personal(item)
    elif isinstance(sent, dict):
        for name, value in sent.items():
            if isinstance(value, str) and PERSONAL.search(name):
                yield value.lower()
            else:
                yield from personal(value)


def sent(aws: Aws) -> set[str]:
    """What the far sides have about people."""
    everything = [aws.opportunities(), aws.all_leads(), *(aws.crm_rows(name) for name in OBJECTS)]
    words = {name.lower() for name in OBJECTS}
    return {value for value in personal(everything) if len(value) >= SHORTEST} - words


def leaks(stack: Stack) -> list[str]:
    values = sent(Aws(stack.control))
    if not values:
        return []
    functions = [name.removesuffix("Logs") for name in stack.outputs if name.endswith("Logs")]
    lines = {function: [line.lower() for line in stack.function_log(function)] for function in functions}
    LOOKED.stacks += 1
    LOOKED.values += len(values)
    LOOKED.lines += sum(map(len, lines.values()))
    found = re.compile("|".join(map(re.escape, sorted(values))))
    return [f"{function}: {hit.group()}" for function in functions for line in lines[function] if (hit := found.search(line))]


def watched(down: Any) -> Any:
    def look_first(stack: Stack) -> None:
        found = []
        # A test may have ended the emulator or the sandbox itself.
        with suppress(BotoCoreError, ClientError, requests.RequestException):
            found = leaks(stack)
        down(stack)
        assert not found, f"personal data in the logs: {found[:5]}"

    return look_first


Stack.down = watched(Stack.down)  # type: ignore[method-assign]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    told = f"{LOOKED.values} values about people looked for in {LOOKED.lines} log lines of {LOOKED.stacks} stacks"
    terminalreporter.write_line(told)
