"""The alarms on the local stack: which failure rings which, and that nothing else does. First CloudWatch's rules themselves."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import alarms
import pytest
from alarms import Point
from sandbox import Aws, eventually
from stack import STACK_NAME, Stack, StackError

NOW = 1_000_000.0
SCHEDULED = ("FnPush", "FnFilePoll", "FnFileSend", "FnReconcile", "FnReplay")


def rings(points: list[tuple[float, float]], **changes: Any) -> bool:
    """Whether an alarm on the maximum of five minutes, changed so, rings with values of so many seconds ago."""
    alarm = {
        "MetricName": "made_up",
        "Statistic": "Maximum",
        "Period": 300,
        "EvaluationPeriods": 1,
        "Threshold": 10.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
        **changes,
    }
    return alarms.judge(alarm, [Point(NOW - ago, value) for ago, value in points], NOW) is not None


@pytest.mark.parametrize(
    ("comparison", "below", "at", "above"),
    [
        ("GreaterThanOrEqualToThreshold", False, True, True),
        ("GreaterThanThreshold", False, False, True),
        ("LessThanOrEqualToThreshold", True, True, False),
        ("LessThanThreshold", True, False, False),
    ],
)
def test_a_threshold_is_crossed(comparison: str, below: bool, at: bool, above: bool) -> None:
    for value, expected in ((9.9, below), (10, at), (10.1, above)):
        assert rings([(5, value)], ComparisonOperator=comparison) == expected, value


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Sum", 22), ("SampleCount", 5), ("Average", 4.4), ("Minimum", 1), ("Maximum", 10), ("p50", 1), ("p95", 10), ("p60", 1)],
)
def test_a_statistic_counts_each_value_as_often_as_it_was_seen(name: str, expected: float) -> None:
    assert alarms.statistic(name, [Point(0, 10), Point(0, 1, 3), Point(0, 9)]) == expected


def test_a_period_is_counted_back_from_now() -> None:
    assert rings([(299, 10)]) and not rings([(301, 10)])
    assert not rings([(-1, 10)]), "what has not happened yet"
    assert rings([(10, 6), (20, 6)], Statistic="Sum") and not rings([(10, 6), (310, 6)], Statistic="Sum")


def test_so_many_of_so_many_periods() -> None:
    both = {"EvaluationPeriods": 2}
    assert rings([(10, 10), (310, 10)], **both) and not rings([(10, 10), (310, 9)], **both)
    one_of_two = {"EvaluationPeriods": 2, "DatapointsToAlarm": 1}
    assert rings([(310, 10)], **one_of_two) and not rings([(610, 10)], **one_of_two)


@pytest.mark.parametrize(
    ("missing", "silent", "long_ago_bad", "long_ago_good", "half_silent"),
    [
        ("notBreaching", False, False, False, False),
        ("breaching", True, True, True, True),
        ("ignore", False, True, False, False),
    ],
)
def test_silence(missing: str, silent: bool, long_ago_bad: bool, long_ago_good: bool, half_silent: bool) -> None:
    assert rings([], TreatMissingData=missing) == silent
    assert rings([(9000, 10), (99000, 9)], TreatMissingData=missing) == long_ago_bad
    assert rings([(9000, 9), (99000, 10)], TreatMissingData=missing) == long_ago_good
    assert rings([(10, 10)], TreatMissingData=missing, EvaluationPeriods=2) == half_silent


def test_a_heartbeat_wants_one_run_in_one_of_its_hours() -> None:
    heartbeat = {
        "Statistic": "Sum",
        "Period": 3600,
        "EvaluationPeriods": 2,
        "Threshold": 1.0,
        "ComparisonOperator": "LessThanThreshold",
        "TreatMissingData": "breaching",
    }
    assert not rings([(7000, 1)], **heartbeat) and not rings([(10, 1)], **heartbeat)
    assert rings([(7300, 1)], **heartbeat)


def test_an_embedded_line_is_read_whatever_its_values_look_like() -> None:
    directive = {"Namespace": "cosell", "Dimensions": [["function", "direction"]], "Metrics": [{"Name": "arrival_seconds"}]}
    head = {"_aws": {"Timestamp": 5000, "CloudWatchMetrics": [directive]}, "function": "f", "direction": "to_aws"}
    metric = ("arrival_seconds", frozenset({("function", "f"), ("direction", "to_aws")}))
    for value, expected in [
        (3, [Point(5, 3)]),
        ([3, 4], [Point(5, 3), Point(5, 4)]),
        ({"Values": [3, 4], "Counts": [1, 7]}, [Point(5, 3), Point(5, 4, 7)]),
    ]:
        found = list(alarms.embedded(json.dumps({**head, "arrival_seconds": value})))
        assert found == [(metric, point) for point in expected]
    assert list(alarms.embedded("START RequestId: 1")) == list(alarms.embedded('{"level": "INFO"}')) == []


# On the stack.


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    # An hour is longer than the tests, and what a heartbeat's default allows.
    hourly = {f"{name}Schedule": "rate(1 hour)" for name in ("Push", "LeadPush", "FilePoll", "FileSend", "Reconcile", "Replay")}
    with Stack.up("alarms", parameters={"ScheduleState": "ENABLED", "MaxReceives": "1", **hourly}) as stack:
        for function in SCHEDULED:
            stack.invoke(function)
        yield stack


@pytest.fixture(autouse=True)
def began() -> float:
    return time.time()


def names(stack: Stack, **asked: Any) -> set[str]:
    return set(alarms.ringing(stack, **asked))


@contextmanager
def letter(stack: Stack, queue: str, **attributes: str) -> Iterator[None]:
    sqs, url = stack.client("sqs"), stack.outputs[queue]
    said = {f"cosell.{name}": {"DataType": "String", "StringValue": text} for name, text in attributes.items()}
    sqs.send_message(QueueUrl=url, MessageBody="{}", MessageAttributes=said)
    try:
        yield
    finally:
        sqs.purge_queue(QueueUrl=url)


def test_a_sound_stack_is_quiet_and_stays_so(stack: Stack) -> None:
    assert alarms.ringing(stack) == {}
    assert alarms.ringing(stack, later=timedelta(hours=5)) == {}


def test_a_poisoned_message_rings_for_its_dead_letters_only(stack: Stack, began: float) -> None:
    sqs = stack.client("sqs")
    sqs.send_message(QueueUrl=stack.outputs["FnInvitationQueue"], MessageBody="no event")
    try:
        eventually("the letter", lambda: names(stack, since=began) == {"FnInvitationDeadLettersAlarm"})
        assert names(stack, later=timedelta(days=2)) == {"FnInvitationDeadLettersAlarm"}
    finally:
        sqs.purge_queue(QueueUrl=stack.outputs["FnInvitationDeadLetters"])
    assert alarms.ringing(stack) == {}


def test_a_letter_that_nobody_looks_after_rings_again(stack: Stack) -> None:
    old = datetime.now(UTC) - timedelta(days=2)
    with letter(stack, "FnOpportunityDeadLetters", code="unusable_event", parked_at=old.isoformat()):
        assert stack.invoke("FnReplay")["kept"] == 1
        assert names(stack) == {"FnOpportunityDeadLettersAlarm", "FnOpportunityDeadLettersAgeAlarm"}
    gone = time.time()
    stack.invoke("FnReplay")
    # Both runs fall into one period, of which the worse counts.
    assert names(stack) == {"FnOpportunityDeadLettersAgeAlarm"}
    assert names(stack, since=gone) == set()


def test_a_letter_of_a_schedule_ages_by_itself(stack: Stack, began: float) -> None:
    with letter(stack, "ScheduleDeadLetters"):
        assert names(stack, since=began) == {"ScheduleDeadLettersAlarm"}
        aged = names(stack, since=began, later=timedelta(days=1))
        assert aged == {"ScheduleDeadLettersAlarm", "ScheduleDeadLettersAgeAlarm"}


def test_a_queue_that_nobody_works_off(stack: Stack, began: float) -> None:
    client = stack.client("lambda")
    sources = client.list_event_source_mappings()["EventSourceMappings"]
    queue = stack.outputs["FnChangedQueue"]
    [source] = [source["UUID"] for source in sources if source["EventSourceArn"].endswith(f":{queue.rsplit('/', 1)[1]}")]
    client.update_event_source_mapping(UUID=source, Enabled=False)
    try:
        with letter(stack, "FnChangedQueue"):
            assert names(stack, since=began) == set()
            assert names(stack, since=began, later=timedelta(hours=1)) == {"FnChangedQueueAlarm"}
    finally:
        client.update_event_source_mapping(UUID=source, Enabled=True)


def test_a_run_that_fails(stack: Stack, began: float) -> None:
    aws = Aws(stack.control)
    aws.breaks("salesforce", status=503)
    try:
        with pytest.raises(StackError):
            stack.invoke("FnPush")
    finally:
        aws.mends()
    # The emulator's metrics are as old as the second that they fall into.
    assert names(stack, since=began - 1) == {"FnPushAlarm"}
    assert names(stack, since=began - 1, later=timedelta(minutes=6)) == set()


def test_a_referral_that_nobody_answers(stack: Stack, began: float) -> None:
    invitation = Aws(stack.control).invites(expires_in_seconds=3600)
    stack.invoke("FnReconcile")
    assert names(stack, since=began) == {"ExpiringInvitationsAlarm"}
    Aws(stack.control).decides(invitation["Id"], "REJECTED")
    gone = time.time()
    stack.invoke("FnReconcile")
    assert names(stack, since=gone) == set()


def test_a_schedule_that_somebody_disabled(stack: Stack) -> None:
    scheduler = stack.client("scheduler")
    resources = stack.client("cloudformation").describe_stack_resources(StackName=STACK_NAME)["StackResources"]
    name = next(it["PhysicalResourceId"] for it in resources if it["LogicalResourceId"] == "FnReconcileSchedule")
    now = scheduler.get_schedule(Name=name)
    kept = {key: now[key] for key in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
    scheduler.update_schedule(**kept, State="DISABLED")
    since = time.time()
    try:
        assert names(stack, since=since) == set(), "it has run a moment ago"
        assert names(stack, since=since, later=timedelta(hours=3)) == {"FnReconcileHeartbeatAlarm"}
    finally:
        scheduler.update_schedule(**kept, State="ENABLED")
    assert names(stack, since=since, later=timedelta(hours=3)) == set()


def test_the_dashboard_shows_the_alarms_that_are_there(stack: Stack) -> None:
    cloudwatch = stack.client("cloudwatch")
    body = json.loads(cloudwatch.get_dashboard(DashboardName=STACK_NAME)["DashboardBody"])
    [shown] = [widget["properties"]["alarms"] for widget in body["widgets"] if widget["type"] == "alarm"]
    there = {alarm["AlarmArn"] for page in cloudwatch.get_paginator("describe_alarms").paginate() for alarm in page["MetricAlarms"]}
    assert set(shown) == there and len(shown) == len(there)
    assert "${" not in json.dumps(body)
    assert stack.outputs["Dashboard"].endswith(f"#dashboards/dashboard/{STACK_NAME}")
