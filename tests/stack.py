"""The local stack: the real template and the real binaries on the emulator, with the sandbox behind them.

    python tests/stack.py up|down|status [--name NAME] [--param KEY=VALUE ...]

Everything listens on 127.0.0.1 on ports found free. What runs and where is written to .local/NAME/stack.json, logs to
.local/NAME/*.log. Tests and the demo use it as `with Stack.up("NAME") as stack`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ROOT = Path(__file__).resolve().parent.parent
LOCAL = ROOT / ".local"
TEMPLATE = ROOT / "infra" / "template.yaml"
MAPPING = ROOT / "crates" / "cosell-mapping" / "presets" / "salesforce.toml"
BINARIES = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"

HOST = "127.0.0.1"
REGION = "us-east-1"
STACK_NAME = "cosell"
ARTIFACTS = "cosell-artifacts"
ACE_BUCKET = "ace-apn-0000000-beta-us-west-2"
SPMS_ID = "0000000"
EVENT_SOURCE = "sandbox.partnercentral-selling"
CRM_SECRET = {"client_id": "cosell-integration", "client_secret": "sandbox-secret"}
# The emulator's root user. The functions get sessions of their own roles instead.
OPERATOR = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
}

CODE_URI = re.compile(r"(CodeUri: )\.\./target/lambda/(fn-[a-z-]+)/bootstrap\.zip")


class StackError(Exception):
    """What could not be started, and what its log says."""


class PortTaken(StackError):
    """Somebody else took a port between our choosing it and our process's listening on it."""


@dataclass
class Process:
    """A process that we started as the leader of its own group, and how to know it again."""

    name: str
    pid: int
    started: str
    command: list[str]

    @classmethod
    def start(cls, name: str, command: list[str], environment: Mapping[str, str], log: Path) -> Process:
        with log.open("ab") as output:
            child = subprocess.Popen(
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(name, child.pid, _started(child.pid) or "", command)

    def alive(self) -> bool:
        """Whether the process with this id is still the one that was started, and no zombie."""
        _reap(self.pid)
        return _started(self.pid) == self.started

    def stop(self, patience: float = 5.0) -> None:
        """Ends the process and its group: the emulator's warm function processes are its children."""
        if _started(self.pid) not in (self.started, None):
            return  # The id belongs to a stranger now, so the group that had it is gone too.
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, sign)
            if _eventually(lambda: not _group(self.pid), patience):
                return
        raise StackError(f"{self.name} (process group {self.pid}) does not end")


@dataclass
class Stack:
    """A running local stack."""

    name: str
    endpoint: str
    partner_central: str
    salesforce: str
    control: str
    sandbox_ports: list[int]
    s3_weather: bool = False
    processes: list[Process] = field(default_factory=list)
    parameters: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def directory(self) -> Path:
        return LOCAL / self.name

    @classmethod
    def up(
        cls,
        name: str = "stack",
        *,
        parameters: Mapping[str, str] | None = None,
        partner_central: str | None = None,
        salesforce: str | None = None,
        binaries: Path = BINARIES,
        mapping: Path = MAPPING,
        auth: bool = True,
        s3_weather: bool = False,
    ) -> Stack:
        """Starts the emulator and the sandbox and deploys the template. Leaves nothing behind when it fails.

        With `s3_weather` the functions reach S3 through the sandbox, so that it can fail on them.
        """
        _require(binaries, mapping)
        return cls._brought_up(
            lambda: cls._on_free_ports(name, partner_central, salesforce, s3_weather),
            lambda stack: stack._start(dict(parameters or {}), binaries, mapping, auth),
        )

    @classmethod
    def bare(cls, name: str, *, binaries: Path = BINARIES, auth: bool = True) -> Stack:
        """The emulator and the sandbox with every face, and nothing deployed."""

        def start(stack: Stack) -> None:
            (stack.directory / "tmp").mkdir(parents=True)
            stack._start_emulator(auth)
            stack._await_emulator()
            stack._start_sandbox(binaries)
            stack._await_sandbox()

        return cls._brought_up(lambda: cls._on_free_ports(name, None, None, True), start)

    @classmethod
    def _brought_up(cls, make: Callable[[], Stack], start: Callable[[Stack], None]) -> Stack:
        for attempt in range(3):
            stack = make()
            cls.forget(stack.name)
            try:
                start(stack)
            except PortTaken:
                stack.down()
                if attempt == 2:
                    raise
            except BaseException:
                stack._stop()
                raise
            else:
                return stack
        raise AssertionError("unreachable")

    @classmethod
    def load(cls, name: str = "stack") -> Stack | None:
        """The stack that `up` recorded under this name."""
        try:
            record = json.loads((LOCAL / name / "stack.json").read_text())
        except FileNotFoundError:
            return None
        record.pop("environment")
        record["processes"] = [Process(**process) for process in record["processes"]]
        return cls(**record)

    @classmethod
    def forget(cls, name: str) -> None:
        """Clears away what a stack that was killed left behind; refuses while one of this name runs."""
        left = cls.load(name)
        if left and any(process.alive() for process in left.processes):
            raise StackError(f"a stack named {name} is up already; `make down` ends it")
        if left:
            left.down()
        shutil.rmtree(LOCAL / name, ignore_errors=True)

    @classmethod
    def _on_free_ports(
        cls, name: str, partner_central: str | None, salesforce: str | None, s3_weather: bool
    ) -> Stack:
        # The functions inherit the emulator's environment, which must name the sandbox's ports, and the sandbox needs
        # the emulator: so all ports are chosen first.
        emulator, *faces = _free_ports(5 if s3_weather else 4)
        sandbox = [f"http://{HOST}:{port}" for port in faces]
        return cls(
            name,
            endpoint=f"http://{HOST}:{emulator}",
            partner_central=partner_central or sandbox[0],
            salesforce=salesforce or sandbox[1],
            control=sandbox[2],
            sandbox_ports=faces,
            s3_weather=s3_weather,
        )

    def environment(self) -> dict[str, str]:
        """What an AWS client, the CLI or the sandbox needs in its environment to reach this stack as the operator."""
        return {
            **OPERATOR,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ENDPOINT_URL_PARTNERCENTRAL_SELLING": self.partner_central,
        }

    def client(self, service: str) -> Any:
        """A boto3 client of the emulator, as the operator."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=OPERATOR["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=OPERATOR["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"max_attempts": 1}, read_timeout=330, s3={"addressing_style": "path"}),
        )

    def invoke(self, function: str, payload: Any = None) -> Any:
        """Invokes a function by its output's name, as its schedule would, and returns its answer."""
        answer = self.client("lambda").invoke(
            FunctionName=self.outputs[function], Payload=json.dumps(payload or {}).encode()
        )
        body = json.loads(answer["Payload"].read() or b"null")
        if "FunctionError" in answer:
            raise StackError(f"{function}: {body}")
        return body

    def function_log(self, function: str) -> list[str]:
        """What a function has logged, oldest first."""
        pages = (
            self.client("logs")
            .get_paginator("filter_log_events")
            .paginate(logGroupName=self.outputs[f"{function}Logs"])
        )
        events = [event for page in pages for event in page["events"]]
        return [event["message"].rstrip("\n") for event in sorted(events, key=lambda event: event["timestamp"])]

    def down(self) -> None:
        """Ends exactly the processes that `up` started and removes what it wrote."""
        self._stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def _start(self, parameters: dict[str, str], binaries: Path, mapping: Path, auth: bool) -> None:
        clock = time.monotonic()

        def lap(step: str) -> None:
            self.seconds[step] = round(time.monotonic() - clock, 1)

        (self.directory / "tmp").mkdir(parents=True)
        self._start_emulator(auth)
        with ThreadPoolExecutor(max_workers=2) as pool:
            packages = {crate: pool.submit(_package, binaries / crate) for crate in _crates()}
            self._await_emulator()
            lap("emulator")
            self._start_sandbox(binaries)
            s3 = self.client("s3")
            s3.create_bucket(Bucket=ARTIFACTS)
            for crate, package in packages.items():
                s3.put_object(Bucket=ARTIFACTS, Key=f"{crate}.zip", Body=package.result())
        lap("packages")
        self._await_sandbox()
        lap("sandbox")
        self._deploy({**self._default_parameters(), **parameters})
        lap("deployed")
        s3.upload_file(str(mapping), self.outputs["ConfigBucket"], "mapping.toml")
        self._record()

    def _start_emulator(self, auth: bool) -> None:
        port = self.endpoint.rsplit(":", 1)[1]
        environment = {
            **self._bare_environment(),
            **self.environment(),
            "BIND_HOST": HOST,
            "MINISTACK_HOST": HOST,
            "GATEWAY_PORT": port,
            "MINISTACK_REGION": REGION,
            "STATE_DIR": str(self.directory / "tmp" / "state"),
            "S3_DATA_DIR": str(self.directory / "tmp" / "s3"),
            "LAMBDA_EXECUTOR": "local",
            # Listeners of services that the template does not have.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "AUTH": "true" if auth else "false",
        }
        if self.s3_weather:
            environment["AWS_ENDPOINT_URL_S3"] = f"http://{HOST}:{self.sandbox_ports[3]}"
        self._run("emulator", [sys.executable, str(Path(__file__).resolve()), "emulator"], environment)

    def _start_sandbox(self, binaries: Path) -> None:
        partner_central, salesforce, control, *s3 = self.sandbox_ports
        command = [
            str(binaries / "cosell-sandbox"),
            *("--partner-central-port", str(partner_central)),
            *("--salesforce-port", str(salesforce)),
            *("--control-port", str(control)),
            *("--ports-file", str(self.directory / "ports.json")),
            *("--event-source", EVENT_SOURCE),
            *("--ace-bucket", ACE_BUCKET),
            *("--spms-id", SPMS_ID),
            *("--catalog", "Sandbox"),
            *(argument for port in s3 for argument in ("--s3-port", str(port))),
        ]
        self._run("sandbox", command, {**self._bare_environment(), **OPERATOR, "AWS_ENDPOINT_URL": self.endpoint})

    def _bare_environment(self) -> dict[str, str]:
        # Nothing of the user's own AWS settings may reach the functions.
        home = str(self.directory / "tmp")
        kept = {key: os.environ[key] for key in ("PATH", "LANG", "RUST_BACKTRACE") if key in os.environ}
        return {**kept, "HOME": home, "TMPDIR": home, "AWS_EC2_METADATA_DISABLED": "true"}

    def _run(self, name: str, command: list[str], environment: Mapping[str, str]) -> None:
        self.processes.append(Process.start(name, command, environment, self._log(name)))
        self._record()

    def _log(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def _await_emulator(self) -> None:
        self._await("emulator", lambda: _answers(f"{self.endpoint}/_ministack/health"))

    def _await_sandbox(self) -> None:
        self._await("sandbox", (self.directory / "ports.json").exists)

    def _await(self, name: str, ready: Callable[[], bool], patience: float = 30.0) -> None:
        process = next(process for process in self.processes if process.name == name)
        if _eventually(lambda: ready() or not process.alive(), patience) and ready():
            return
        tail = self._log(name).read_text(errors="replace")[-2000:]
        if re.search(r"address (is )?already in use|is already in use", tail, re.IGNORECASE):
            raise PortTaken(f"{name}: port taken")
        raise StackError(f"{name} does not answer\n{tail}")

    def _default_parameters(self) -> dict[str, str]:
        secret = self.client("secretsmanager").create_secret(Name="cosell/crm", SecretString=json.dumps(CRM_SECRET))
        return {
            "Catalog": "Sandbox",
            "EventSources": EVENT_SOURCE,
            "SalesforceEndpoint": self.salesforce,
            "CrmSecretArn": secret["ARN"],
            "AceBucketName": ACE_BUCKET,
            "ScheduleState": "DISABLED",
            "MaxReceives": "3",
            "RetryBaseSeconds": "1",
            "Architecture": "arm64" if os.uname().machine in ("aarch64", "arm64") else "x86_64",
        }

    def _deploy(self, parameters: dict[str, str]) -> None:
        self.parameters = parameters
        # What `sam package` does: the code's address, and nothing else, is another one.
        template = CODE_URI.sub(rf"\1s3://{ARTIFACTS}/\2.zip", TEMPLATE.read_text())
        self.client("s3").put_object(Bucket=ARTIFACTS, Key="template.yaml", Body=template.encode())
        cloudformation = self.client("cloudformation")
        cloudformation.create_stack(
            StackName=STACK_NAME,
            TemplateURL=f"{self.endpoint}/{ARTIFACTS}/template.yaml",
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        self.outputs = _await_stack(cloudformation)

    def _record(self) -> None:
        record = {**asdict(self), "environment": self.environment()}
        path = self.directory / "stack.json"
        path.with_suffix(".new").write_text(json.dumps(record, indent=2) + "\n")
        path.with_suffix(".new").replace(path)

    def _stop(self) -> None:
        for process in reversed(self.processes):
            process.stop()
        shutil.rmtree(self.directory / "tmp", ignore_errors=True)


def serve_emulator() -> NoReturn:
    """Runs the emulator in this process, as if behind a load balancer that ends TLS.

    The bucket and queue policies refuse what did not come by TLS. Loopback has none, and the policies are to be
    deployed as they are.
    """
    from ministack import app as ministack
    from ministack.core import iam_actions
    from ministack.services import cloudwatch, lambda_svc

    # IAM knows no batch actions of SQS: the rights to the single ones cover them.
    single = iam_actions.extract_iam_action

    def as_aws_names_it(*arguments: Any) -> str | None:
        action = single(*arguments)
        return action.removesuffix("Batch") if action and action.startswith("sqs:") else action

    iam_actions.extract_iam_action = as_aws_names_it

    # A condition on the events' source is one of IAM's, and the emulator does not know it.
    tags = iam_actions.request_tag_context

    def with_source(service: str, action: str, body: bytes, *arguments: Any) -> dict[str, Any]:
        context = tags(service, action, body, *arguments)
        if action == "events:PutEvents":
            sources = {entry.get("Source") for entry in json.loads(body)["Entries"]}
            context = {**context, "events:source": sources.pop() if len(sources) == 1 else sorted(sources)}
        return context

    iam_actions.request_tag_context = with_source

    # Only what came by the API is in the emulator's metrics. What a queue or a schedule started is an invocation, too.
    run = lambda_svc._execute_function_dispatch

    def counted(function: Any, config: dict[str, Any], *arguments: Any) -> Any:
        result = run(function, config, *arguments)
        dimensions = {"FunctionName": config["FunctionName"]}
        cloudwatch.record_metric("AWS/Lambda", "Invocations", 1, "Count", dimensions)
        cloudwatch.record_metric("AWS/Lambda", "Errors", int(bool(result.get("error"))), "Count", dimensions)
        return result

    lambda_svc._execute_function_dispatch = counted
    lambda_svc._emit_lambda_metrics = lambda *_, **__: None

    answer = ministack.app

    async def behind_tls(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope = {**scope, "headers": [*scope["headers"], (b"x-forwarded-proto", b"https")]}
        await answer(scope, receive, send)

    ministack.app = behind_tls
    sys.argv = ["ministack"]
    ministack.main()
    sys.exit(0)


def _require(binaries: Path, mapping: Path) -> None:
    needed = [mapping, *(binaries / name for name in [*_crates(), "cosell-sandbox"])]
    missing = [path for path in needed if not path.exists()]
    if missing:
        raise StackError("missing, `cargo build --workspace` first: " + ", ".join(map(str, missing)))


def _crates() -> list[str]:
    crates = [match[2] for match in CODE_URI.finditer(TEMPLATE.read_text())]
    if not crates:
        raise StackError(f"{TEMPLATE} has no function")
    return crates


def _package(binary: Path) -> bytes:
    """The binary as Lambda wants it: `bootstrap` in a zip archive."""
    package = io.BytesIO()
    entry = zipfile.ZipInfo("bootstrap")
    entry.external_attr = 0o755 << 16
    with zipfile.ZipFile(package, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(entry, _stripped(binary))
    return package.getvalue()


def _stripped(binary: Path) -> bytes:
    """The binary without its symbols, where the tool is there and likes it: a third less to upload and to unpack."""
    with tempfile.TemporaryDirectory() as scratch:
        small = Path(scratch) / binary.name
        with contextlib.suppress(FileNotFoundError):
            if not subprocess.run(["strip", "-o", str(small), str(binary)], capture_output=True).returncode:
                return small.read_bytes()
    return binary.read_bytes()


def _await_stack(cloudformation: Any) -> dict[str, str]:
    def status() -> dict[str, Any]:
        return cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"][0]

    if not _eventually(lambda: not status()["StackStatus"].endswith("_IN_PROGRESS"), 60):
        raise StackError("the stack is not deployed within a minute")
    stack = status()
    if stack["StackStatus"] != "CREATE_COMPLETE":
        raise StackError(f"{stack['StackStatus']}\n" + "\n".join(_failures(cloudformation)))
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _failures(cloudformation: Any) -> Iterator[str]:
    for event in reversed(cloudformation.describe_stack_events(StackName=STACK_NAME)["StackEvents"]):
        if event["ResourceStatus"].endswith("_FAILED"):
            yield f"  {event['LogicalResourceId']} ({event['ResourceType']}): {event.get('ResourceStatusReason', '')}"


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def _eventually(condition: Callable[[], bool], patience: float, pause: float = 0.05) -> bool:
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True


def _status(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the command's name: state first; None when there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields


def _started(pid: int) -> str | None:
    """When the process started, which with its id names it for good."""
    fields = _status(pid)
    return fields and fields[19]


def _group(pgid: int) -> list[int]:
    """The processes of a group."""
    _reap(pgid)
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [pid for pid in pids if (fields := _status(pid)) and int(fields[2]) == pgid]


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("verb", choices=["up", "down", "status", "emulator"])
    parser.add_argument("--name", default="stack")
    parser.add_argument("--param", action="append", default=[], metavar="KEY=VALUE", help="template parameter")
    parser.add_argument("--partner-central-endpoint", default=os.environ.get("PARTNER_CENTRAL_ENDPOINT"))
    parser.add_argument("--salesforce-endpoint", default=os.environ.get("SALESFORCE_ENDPOINT"))
    parser.add_argument("--binaries", type=Path, default=BINARIES)
    parser.add_argument("--mapping", type=Path, default=MAPPING)
    parser.add_argument("--no-auth", action="store_true", help="let the emulator ignore IAM")
    return parser.parse_args(argv)


def _up(arguments: argparse.Namespace) -> None:
    stack = Stack.up(
        arguments.name,
        parameters=dict(pair.split("=", 1) for pair in arguments.param),
        partner_central=arguments.partner_central_endpoint or None,
        salesforce=arguments.salesforce_endpoint or None,
        binaries=arguments.binaries,
        mapping=arguments.mapping,
        auth=not arguments.no_auth,
    )
    print(f"up in {stack.seconds['deployed']} s, {stack.directory.relative_to(ROOT)}/stack.json")
    for variable, value in stack.environment().items():
        print(f"export {variable}={value}")
    print(f"# salesforce {stack.salesforce}  control {stack.control}")


def _show(arguments: argparse.Namespace) -> None:
    stack = Stack.load(arguments.name)
    if not stack:
        raise StackError(f"no stack named {arguments.name}")
    for process in stack.processes:
        print(f"{process.name}: {'up' if process.alive() else 'gone'}, pid {process.pid}")
    for output, value in sorted(stack.outputs.items()):
        print(f"{output}: {value}")


def main(argv: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    arguments = _arguments(argv)
    try:
        if arguments.verb == "emulator":
            serve_emulator()
        elif arguments.verb == "up":
            _up(arguments)
        elif arguments.verb == "status":
            _show(arguments)
        elif stack := Stack.load(arguments.name):
            stack.down()
    except (StackError, ClientError) as error:
        print(f"{arguments.verb}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
