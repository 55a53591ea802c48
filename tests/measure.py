"""Start-up and memory of the release binaries. `make bench` prints a line a figure and fails when a limit is broken.

Each function is started as Lambda starts it, with the environment that the template gives it, against the local stack.
Start-up is the time from the start of the process to its first call of the runtime API: settings read, secret and
mapping fetched, clients made. Memory is what is resident then.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from stack import BINARIES, HOST, ROOT, Stack

RELEASE = BINARIES.parent / "release"
ZIPS = ROOT / "target" / "lambda"
STARTS = 15
LIMITS = {"start-up": (80.0, "ms"), "memory": (20.0, "MiB"), "zip": (5.0, "MiB")}


class Runtime:
    """Lambda's runtime API as far as the first call: it says when that comes, and never answers."""

    def __init__(self) -> None:
        self.called = threading.Event()
        self.at = 0.0
        runtime = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                runtime.at = time.perf_counter()
                runtime.called.set()
                # Holds the connection until the function is ended.
                self.rfile.read()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer((HOST, 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"{HOST}:{self.server.server_port}"


@contextmanager
def started(crate: str, environment: dict[str, str]) -> Iterator[tuple[float, float]]:
    """Milliseconds until the first call, and MiB resident then."""
    runtime = Runtime()
    variables = {**environment, "AWS_LAMBDA_RUNTIME_API": runtime.address}
    began = time.perf_counter()
    process = subprocess.Popen([RELEASE / crate], env=variables, stdout=subprocess.DEVNULL)
    try:
        if not runtime.called.wait(10):
            raise RuntimeError(f"{crate} does not call the runtime API within 10 s")
        status = Path(f"/proc/{process.pid}/status").read_text()
        resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
        yield (runtime.at - began) * 1000, resident / 1024
    finally:
        process.kill()
        process.wait()
        runtime.server.shutdown()


def environment_of(stack: Stack, function: str) -> dict[str, str]:
    name = stack.outputs[function]
    configuration = stack.client("lambda").get_function_configuration(FunctionName=name)
    platform = {
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration["MemorySize"]),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    }
    return {**configuration["Environment"]["Variables"], **platform, **stack.environment(), "PATH": os.environ["PATH"]}


def figures(stack: Stack) -> Iterator[tuple[str, str, float]]:
    for crate in sorted(path.name for path in (ROOT / "crates").glob("fn-*")):
        function = "".join(part.capitalize() for part in crate.split("-"))
        environment = environment_of(stack, function)
        times, sizes = [], []
        for _ in range(STARTS):
            with started(crate, environment) as (milliseconds, mebibytes):
                times.append(milliseconds)
                sizes.append(mebibytes)
        yield crate, "start-up", statistics.median(times)
        yield crate, "memory", statistics.median(sizes)
        package = ZIPS / crate / "bootstrap.zip"
        if package.exists():
            yield crate, "zip", package.stat().st_size / 2**20


def main() -> int:
    broken = 0
    with Stack.up("bench") as stack:
        for crate, figure, value in figures(stack):
            limit, unit = LIMITS[figure]
            broken += value > limit
            print(f"{crate + ' ' + figure:<28}{value:>8.1f} {unit:<4} limit {limit:.0f}{'  BROKEN' if value > limit else ''}")
    return min(broken, 1)


if __name__ == "__main__":
    sys.exit(main())
