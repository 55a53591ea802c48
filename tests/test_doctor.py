"""`cosell doctor` and `cosell init` on the local stack: what is sound, what is broken and how it is mended, and the first files."""

from __future__ import annotations

import json
import os
import pty
import shlex
import subprocess
import termios
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sandbox import Aws, eventually
from stack import ACE_BUCKET, BINARIES, CRM_SECRET, MAPPING, Stack

WRONG_SECRET = {**CRM_SECRET, "client_secret": "not-the-secret"}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    # What is paused on purpose shows as a warning, what is not runs too rarely to disturb.
    parameters = {"ScheduleState": "ENABLED", "PushState": "DISABLED", "LeadPushState": "DISABLED"}
    rare = {f"{name}Schedule": "rate(1 day)" for name in ("FilePoll", "FileSend", "Reconcile", "Replay")}
    with Stack.up("doctor", parameters={**parameters, **rare}) as stack:
        as_cloudformation_sets_it(stack)
        pushed = cosell(stack, "config", "push", str(MAPPING))
        assert pushed.returncode == 0, pushed.stderr
        for function in ("FnReconcile", "FnFilePoll", "FnFileSend"):
            stack.invoke(function)
        yield stack


def as_cloudformation_sets_it(stack: Stack) -> None:
    """The emulator's CloudFormation leaves out two settings of the table that the template has."""
    dynamodb, table = stack.client("dynamodb"), stack.outputs["Table"]
    dynamodb.update_time_to_live(
        TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"}
    )
    recoverable(stack, True)


def recoverable(stack: Stack, enabled: bool) -> None:
    stack.client("dynamodb").update_continuous_backups(
        TableName=stack.outputs["Table"], PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": enabled}
    )


@pytest.fixture
def aws(stack: Stack) -> Aws:
    return Aws(stack.control)


def cosell(stack: Stack, *arguments: str, **credentials: str) -> subprocess.CompletedProcess[str]:
    """Without a terminal, and with nothing of the user's own settings."""
    environment = {"HOME": str(stack.directory), **stack.environment(), **credentials}
    command = [str(BINARIES / "cosell"), *arguments]
    return subprocess.run(command, env=environment, input="", capture_output=True, text=True, check=False)


class Examined:
    """What the doctor said."""

    def __init__(self, answer: subprocess.CompletedProcess[str]) -> None:
        assert answer.stdout, answer.stderr
        self.code = answer.returncode
        self.lines: list[dict[str, Any]] = json.loads(answer.stdout)

    def of(self, *statuses: str) -> set[tuple[str, str]]:
        return {(line["area"], line["check"]) for line in self.lines if line["status"] in statuses}

    def line(self, area: str, check: str, status: str) -> dict[str, Any]:
        found = [line for line in self.lines if (line["area"], line["check"], line["status"]) == (area, check, status)]
        assert found, f"no {status} {area}: {check} in {self.lines}"
        return found[0]


def examined(stack: Stack, **credentials: str) -> Examined:
    return Examined(cosell(stack, "doctor", "--output", "json", **credentials))


# What is paused on purpose, and fields of the CRM that are shorter than what AWS may say.
KNOWN = {
    ("schedules", "FnPushSchedule"),
    ("schedules", "FnPushLeadsSchedule"),
    ("CRM", "what the mapping needs"),
}


@contextmanager
def secret(stack: Stack, content: Any) -> Iterator[None]:
    client = stack.client("secretsmanager")

    def put(value: Any) -> None:
        client.put_secret_value(SecretId=stack.outputs["CrmSecretArn"], SecretString=json.dumps(value))

    put(content)
    try:
        yield
    finally:
        put(CRM_SECRET)


@contextmanager
def config(stack: Stack, key: str, text: str | None) -> Iterator[None]:
    """Another mapping in the bucket, put there by somebody who does not check it; none is no mapping."""
    s3, bucket = stack.client("s3"), stack.outputs["ConfigBucket"]
    before = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    if text is None:
        s3.delete_object(Bucket=bucket, Key=key)
    else:
        s3.put_object(Bucket=bucket, Key=key, Body=text.encode())
    try:
        yield
    finally:
        s3.put_object(Bucket=bucket, Key=key, Body=before)


def test_a_sound_stack_is_sound(stack: Stack) -> None:
    found = examined(stack)
    assert found.of("failed", "skipped") == set(), found.lines
    assert found.of("warning") == KNOWN, found.lines
    assert found.code == 0
    areas = {"AWS", "stack", "Partner Central", "CRM", "mapping", "table", "buckets", "queues", "schedules", "functions", "files"}
    assert {line["area"] for line in found.lines} == areas
    assert "parameter PushState" in found.line("schedules", "FnPushSchedule", "warning")["found"]
    assert "min ago" in found.line("schedules", "FnReconcileSchedule's last run", "ok")["found"]
    assert all(line["mend"] for line in found.lines if line["status"] in ("warning", "failed"))
    assert "not-the-secret" not in json.dumps(found.lines) and CRM_SECRET["client_secret"] not in json.dumps(found.lines)


def test_people_read_the_same(stack: Stack) -> None:
    answer = cosell(stack, "doctor")
    assert answer.returncode == 0, answer.stderr
    assert "  warning  FnPushSchedule: DISABLED by the stack's parameter PushState\n           -> deploy with PushState=ENABLED" in answer.stdout
    assert "0 failed, 0 skipped" in answer.stdout


def test_a_stack_that_is_not_there(stack: Stack) -> None:
    found = Examined(cosell(stack, "doctor", "--stack", "nowhere", "--output", "json"))
    assert found.code == 1
    assert "--stack" in found.line("stack", "nowhere", "failed")["mend"]
    assert found.line("AWS", "who we are", "ok") and found.line("CRM", "everything", "skipped")


def test_a_wrong_secret_of_the_crm(stack: Stack) -> None:
    with secret(stack, WRONG_SECRET):
        found = examined(stack)
    assert found.code == 1 and found.of("failed") == {("CRM", "login")}
    assert "invalid_client" in found.line("CRM", "login", "failed")["found"]
    assert "client id and secret" in found.line("CRM", "login", "failed")["mend"]
    assert found.line("CRM", "objects", "skipped")["found"] == "because the login failed"
    with secret(stack, {"client_id": "only"}):
        found = examined(stack)
    assert "lacks `client_secret`" in found.line("CRM", "secret", "failed")["found"]
    assert found.of("skipped") == {("CRM", "login"), ("CRM", "objects")}


def test_a_crm_that_is_down(stack: Stack, aws: Aws) -> None:
    aws.breaks("salesforce", status=503)
    try:
        found = examined(stack)
    finally:
        aws.mends()
    assert found.code == 1 and found.of("failed") == {("CRM", "login")}
    assert "503" in found.line("CRM", "login", "failed")["found"]
    assert "is up" in found.line("CRM", "login", "failed")["mend"]


def test_a_partner_central_that_refuses(stack: Stack, aws: Aws) -> None:
    aws.breaks("partner_central", status=403, code="AccessDeniedException")
    try:
        found = examined(stack)
    finally:
        aws.mends()
    assert found.code == 1 and found.of("failed") == {("Partner Central", "catalog Sandbox")}
    assert "link the account" in found.line("Partner Central", "catalog Sandbox", "failed")["mend"]


def test_a_mapped_field_that_the_crm_has_not(stack: Stack) -> None:
    # To the mapping it is the same whether a field was deleted or never was.
    gone = MAPPING.read_text().replace("ACE_Use_Case__c", "ACE_Used_Case__c")
    with config(stack, "mapping.toml", gone), config(stack, "mapping.last-good.toml", gone):
        found = examined(stack)
    assert found.code == 1 and found.of("failed") == {("CRM", "what the mapping needs")}
    line = found.line("CRM", "what the mapping needs", "failed")
    assert "ACE_Used_Case__c" in line["found"] and "config push" in line["mend"]


def test_a_mapping_that_cannot_be_used(stack: Stack) -> None:
    with config(stack, "mapping.toml", "version = 1\n[opportunity]\nobject = 3\n"):
        found = examined(stack)
        assert found.code == 1 and found.of("failed") == {("mapping", "mapping.toml")}
        line = found.line("mapping", "mapping.toml", "failed")
        assert "go on with the last good one" in line["found"] and "mapping check" in line["mend"]
        with config(stack, "mapping.last-good.toml", None):
            found = examined(stack)
    assert "no function can work" in found.line("mapping", "mapping.toml", "failed")["found"]
    assert found.line("CRM", "objects", "skipped") and found.line("files", "to AWS", "skipped")


def test_a_mapping_that_is_not_there_or_that_nobody_checked(stack: Stack) -> None:
    with config(stack, "mapping.toml", None):
        found = examined(stack)
    assert found.code == 1
    assert "config push" in found.line("mapping", "mapping.toml", "failed")["mend"]
    with config(stack, "mapping.toml", MAPPING.read_text() + "\n# by hand\n"):
        found = examined(stack)
    assert found.code == 0 and "config push" in found.line("mapping", "mapping.toml", "warning")["mend"]


def test_aws_bucket_denied_or_missing(stack: Stack) -> None:
    # The emulator's root user may do everything; this one may not look into AWS's bucket.
    iam = stack.client("iam")
    iam.create_user(UserName="curious")
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{ACE_BUCKET}"},
    ]
    policy = {"Version": "2012-10-17", "Statement": statements}
    iam.put_user_policy(UserName="curious", PolicyName="curious", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="curious")["AccessKey"]
    found = examined(stack, AWS_ACCESS_KEY_ID=key["AccessKeyId"], AWS_SECRET_ACCESS_KEY=key["SecretAccessKey"])
    assert "user/curious" in found.line("AWS", "who we are", "ok")["found"]
    line = found.line("files", ACE_BUCKET, "warning")
    assert "not allowed" in line["found"] and "AceRoleArn" in line["mend"]
    assert found.line("files", "from AWS", "skipped")

    s3 = stack.client("s3")
    for entry in s3.list_objects_v2(Bucket=ACE_BUCKET).get("Contents", []):
        s3.delete_object(Bucket=ACE_BUCKET, Key=entry["Key"])
    s3.delete_bucket(Bucket=ACE_BUCKET)
    try:
        found = examined(stack)
    finally:
        s3.create_bucket(Bucket=ACE_BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    assert found.code == 1 and "AceBucketName" in found.line("files", ACE_BUCKET, "failed")["mend"]


def test_dead_letters(stack: Stack) -> None:
    sqs, url = stack.client("sqs"), stack.outputs["FnInvitationDeadLetters"]
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    try:
        found = examined(stack)
    finally:
        sqs.purge_queue(QueueUrl=url)
    line = found.line("queues", "FnInvitationDeadLetters", "warning")
    assert found.code == 0 and line["found"].startswith("1 message") and "cosell dlq list" in line["mend"]


def test_a_schedule_that_somebody_turned_off(stack: Stack) -> None:
    scheduler = stack.client("scheduler")
    resources = stack.client("cloudformation").describe_stack_resources(StackName="cosell")["StackResources"]
    name = next(it["PhysicalResourceId"] for it in resources if it["LogicalResourceId"] == "FnReconcileSchedule")
    now = scheduler.get_schedule(Name=name)
    kept = {key: now[key] for key in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
    scheduler.update_schedule(**kept, State="DISABLED")
    try:
        found = examined(stack)
    finally:
        scheduler.update_schedule(**kept, State="ENABLED")
    assert found.code == 1
    line = found.line("schedules", "FnReconcileSchedule", "failed")
    assert "by hand" in line["found"] and "enable it" in line["mend"]


def test_a_table_and_a_bucket_that_somebody_changed(stack: Stack) -> None:
    s3, landing = stack.client("s3"), stack.outputs["LandingBucket"]
    notices = s3.get_bucket_notification_configuration(Bucket=landing)
    notices.pop("ResponseMetadata")
    recoverable(stack, False)
    s3.put_bucket_notification_configuration(Bucket=landing, NotificationConfiguration={})
    try:
        found = examined(stack)
    finally:
        recoverable(stack, True)
        s3.put_bucket_notification_configuration(Bucket=landing, NotificationConfiguration=notices)
    assert "created again" in found.line("table", "point-in-time recovery", "warning")["found"]
    assert found.line("table", "time to live", "ok")
    assert "EventBridge" in found.line("buckets", landing, "failed")["mend"]


def test_a_file_of_which_nobody_knows_what_to_make(stack: Stack, aws: Aws) -> None:
    key = "opportunity-outbound/broken_03092026020000.json"
    aws.drops(*key.split("/"), text="no JSON")
    assert stack.invoke("FnFilePoll")["landed"] == 1

    def told() -> dict[str, Any] | None:
        found = examined(stack)
        assert found.code == 0, found.lines
        return next((line for line in found.lines if line["check"] == "from AWS" and line["status"] == "warning"), None)

    line = eventually("the doctor tells of it", told)
    assert key in line["found"] and "cosell log --record" in line["mend"]


# The set-up.


def answers(stack: Stack, **more: str) -> dict[str, str]:
    return {"crm_endpoint": stack.salesforce, "crm_secret": stack.outputs["CrmSecretArn"], **more}


def initialized(stack: Stack, directory: Path, given: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    file = directory / "answers.json"
    file.write_text(json.dumps(given))
    files = ("--mapping", str(directory / "mapping.toml"), "--parameters", str(directory / "cosell.parameters"))
    return cosell(stack, "init", "--answers", str(file), *files, *arguments)


def test_init_writes_what_is_deployed_next(stack: Stack, tmp_path: Path) -> None:
    given = answers(stack, ace_bucket=ACE_BUCKET, push_rate="rate(5 minutes)", alarm_email="ops@example.com")
    made = initialized(stack, tmp_path, given, "--output", "json")
    assert made.returncode == 0, made.stderr
    assert "ok      crm-secret: the login at" in made.stderr and "in account" in made.stderr
    [told] = json.loads(made.stdout)
    assert (told["missing_fields"], told["findings"]) == ([], [])
    assert any("make deploy PARAMETERS" in step for step in told["next"]) and "cosell doctor" in told["next"]
    assert (tmp_path / "mapping.toml").read_text() == MAPPING.read_text()
    live = cosell(stack, "mapping", "check", "--live", str(tmp_path / "mapping.toml"))
    assert live.returncode == 0, live.stderr

    # As the shell of make's recipe takes them, and then sam, which wants double quotes around what has blanks.
    words = shlex.split((tmp_path / "cosell.parameters").read_text())
    parameters = dict(word.split("=", 1) for word in words)
    assert parameters == {
        "Catalog": "Sandbox",
        "SalesforceEndpoint": stack.salesforce,
        "CrmSecretArn": stack.outputs["CrmSecretArn"],
        "AceBucketName": ACE_BUCKET,
        "PushSchedule": '"rate(5 minutes)"',
        "AlarmEmail": "ops@example.com",
        "ScheduleState": "DISABLED",
    }

    again = initialized(stack, tmp_path, given)
    assert again.returncode == 1 and "--force" in again.stderr
    forced = initialized(stack, tmp_path, given, "--force", "--lead-object", "none")
    assert forced.returncode == 0, forced.stderr
    assert set(tomllib.loads((tmp_path / "mapping.toml").read_text())) == {"version", "opportunity"}
    assert "1. make deploy" in forced.stdout


def test_init_proposes_a_mapping_for_another_object_and_names_the_fields_that_are_missing(
    stack: Stack, tmp_path: Path
) -> None:
    made = initialized(stack, tmp_path, answers(stack, opportunity_object="account", lead_object="none"), "--output", "json")
    assert made.returncode == 0, made.stderr
    [told] = json.loads(made.stdout)
    assert {"object": "Account", "field": "ACE_Opportunity_Id__c", "kind": "text", "length": 20, "unique": True} in told["missing_fields"]
    assert "missing fields" in told["next"][0]
    assert tomllib.loads((tmp_path / "mapping.toml").read_text())["opportunity"]["object"] == "Account"


def test_init_says_all_that_is_missing_at_once(stack: Stack, tmp_path: Path) -> None:
    nothing = cosell(stack, "init", "--catalog", "sandbox", "--mapping", str(tmp_path / "m"), "--parameters", str(tmp_path / "p"))
    assert nothing.returncode == 1
    for said in ("--catalog (`catalog` in a file): it is `Sandbox` or `AWS`", "--crm-endpoint", "--crm-secret"):
        assert said in nothing.stderr
    unknown = initialized(stack, tmp_path, {"crm_endpiont": "x"})
    assert unknown.returncode == 1 and "crm_endpiont" in unknown.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers.json"]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"crm_endpoint": "http://127.0.0.1:1"}, "--crm-endpoint: the Salesforce login did not get through"),
        ({"opportunity_object": "Oportunity"}, "did you mean `Opportunity`?"),
        ({"ace_bucket": "ace-apn-1111111-beta-us-west-2"}, "--ace-role: ListObjectsV2"),
        ({"ace_bucket": ACE_BUCKET, "ace_role": "arn:aws:iam::000000000000:role/nobody"}, "let the role trust this account"),
    ],
)
def test_init_tests_each_answer(stack: Stack, tmp_path: Path, more: dict[str, str], says: str) -> None:
    made = initialized(stack, tmp_path, {**answers(stack), **more})
    assert made.returncode == 1 and says in made.stderr, made.stderr
    assert not (tmp_path / "mapping.toml").exists() and not (tmp_path / "cosell.parameters").exists()


def test_init_never_shows_the_secret(stack: Stack, tmp_path: Path) -> None:
    with secret(stack, WRONG_SECRET):
        made = initialized(stack, tmp_path, answers(stack))
    assert made.returncode == 1 and "invalid_client" in made.stderr
    assert WRONG_SECRET["client_secret"] not in made.stderr + made.stdout


def test_init_asks_whoever_sits_there_and_makes_the_secret(stack: Stack, tmp_path: Path) -> None:
    typed = [
        ("Partner Central's catalog", "aws"),
        ("Partner Central's catalog", "Sandbox"),
        ("The CRM's address", stack.salesforce),
        ("Make a new secret", "y"),
        ("Client id (not shown)", CRM_SECRET["client_id"]),
        ("Client secret (not shown)", WRONG_SECRET["client_secret"]),
        ("Make a new secret", "y"),
        ("Client id (not shown)", CRM_SECRET["client_id"]),
        ("Client secret (not shown)", CRM_SECRET["client_secret"]),
        ("Name of the secret", "cosell/asked"),
        ("object for opportunities", ""),
        ("object for leads", "none"),
        ("AWS's bucket", ""),
        ("changed opportunities", "rate(1 hour)"),
        ("Who gets the alarms", ""),
    ]
    code, shown = at_a_terminal(stack, tmp_path, typed, "init")
    assert code == 0, shown
    assert CRM_SECRET["client_secret"] not in shown and WRONG_SECRET["client_secret"] not in shown
    kept = stack.client("secretsmanager").get_secret_value(SecretId="cosell/asked")
    assert json.loads(kept["SecretString"]) == CRM_SECRET
    parameters = (tmp_path / "cosell.parameters").read_text()
    assert kept["ARN"] in parameters and "'PushSchedule=\"rate(1 hour)\"'" in parameters


def at_a_terminal(
    stack: Stack, directory: Path, typed: list[tuple[str, str]], *arguments: str
) -> tuple[int, str]:
    """Types each answer when its question shows; the exit code, and all that was shown."""
    environment = {"HOME": str(directory), "TERM": "dumb", **stack.environment()}
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(directory)
        os.execve(BINARIES / "cosell", ["cosell", *arguments], environment)
    shown, read = "", 0

    def more() -> bool:
        nonlocal shown
        try:
            shown += os.read(terminal, 4096).decode(errors="replace")
        except OSError:  # Nobody has the other end any more.
            return False
        return True

    for question, answer in typed:
        while question not in shown[read:]:
            assert more(), f"{question} was never asked:\n{shown}"
        read = shown.index(question, read) + len(question)
        if "(not shown)" in question:
            # What is typed before would be shown, and forgotten.
            eventually("the terminal shows nothing", lambda: not termios.tcgetattr(terminal)[3] & termios.ECHO)
        os.write(terminal, f"{answer}\n".encode())
    while more():
        pass
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown
