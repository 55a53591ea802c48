"""Which alarms of a local stack would ring.

The emulator keeps the template's alarms and evaluates them otherwise than CloudWatch. Here they are read back from it, the
values that they watch are gathered where they arise, and CloudWatch's rules are applied to them. cosell's own metrics are in
the functions' logs, in embedded metric format; the age and number of messages in the queues; invocations and errors in the
emulator's metrics. What the queues held a moment ago nobody knows any more: they count as they are now.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from stack import STACK_NAME, Stack

# From the third receipt on, SQS leaves a message of a standard queue out of the age of the oldest.
RECEIPTS_OF_A_POISONED_ONE = 3
# How long CloudWatch looks back at most.
LOOK_BACK = timedelta(days=7)


@dataclass(frozen=True)
class Point:
    """A value, seen so many times."""

    at: float
    value: float
    count: float = 1


Dimensions = frozenset[tuple[str, str]]
Metric = tuple[str, Dimensions]


def ringing(stack: Stack, *, since: float = 0, later: timedelta = timedelta()) -> dict[str, str]:
    """The alarms that ring, by their names in the template, each with its reason.

    `later` asks how it will be then if nothing happens but what is scheduled. `since` forgets what was before, as failures
    of an earlier test; where silence rings, what was before still counts.
    """
    now = time.time()
    then = now + later.total_seconds()
    names = _logical_names(stack)
    cosell = dict(embedded_metrics(stack))
    found = {}
    for alarm in _alarms(stack):
        if alarm["Namespace"] == "cosell":
            points = cosell.get((alarm["MetricName"], _dimensions(alarm)), [])
        elif alarm["Namespace"] == "AWS/SQS":
            points = _queue_points(stack, alarm, then)
        else:
            points = [*_platform_points(stack, alarm, now), *_ticks(stack, alarm, now, then)]
        if alarm["TreatMissingData"] != "breaching":
            points = [point for point in points if point.at >= since]
        if reason := judge(alarm, points, then):
            found[names[alarm["AlarmName"]]] = reason
    return found


# CloudWatch's rules.


def judge(alarm: dict[str, Any], points: Iterable[Point], now: float) -> str | None:
    """Why the alarm rings with these points, or None. Missing periods are filled, not looked behind as CloudWatch does for a
    while, so an alarm on silence may ring somewhat later there."""
    windows: dict[int, list[Point]] = {}
    for point in points:
        if point.at <= now:
            windows.setdefault(int((now - point.at) // alarm["Period"]), []).append(point)
    periods, missing = alarm["EvaluationPeriods"], alarm["TreatMissingData"]
    # Ignored silence keeps the state that the last values led to.
    looked_at = sorted(windows)[:periods] if missing == "ignore" else range(periods)
    name = alarm.get("ExtendedStatistic") or alarm["Statistic"]
    threshold, crosses = alarm["Threshold"], COMPARISONS[alarm["ComparisonOperator"]]
    values = [statistic(name, windows[window]) if window in windows else None for window in looked_at]
    breaching = [missing == "breaching" if value is None else crosses(value, threshold) for value in values]
    if sum(breaching) < alarm.get("DatapointsToAlarm", periods):
        return None
    said = ", ".join("none" if value is None else f"{value:g}" for value in values)
    return f"{alarm['MetricName']} {name} {said} is {alarm['ComparisonOperator']} {threshold:g}"


COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}


def statistic(name: str, points: list[Point]) -> float:
    count = sum(point.count for point in points)
    total = sum(point.value * point.count for point in points)
    if name.startswith("p"):
        return _percentile(float(name[1:]), points, count)
    return {
        "Sum": total,
        "SampleCount": count,
        "Average": total / count,
        "Minimum": min(point.value for point in points),
        "Maximum": max(point.value for point in points),
    }[name]


def _percentile(percent: float, points: list[Point], count: float) -> float:
    """The value that this part of the samples does not exceed."""
    rank, seen = percent / 100 * count, 0.0
    ordered = sorted(points, key=lambda point: point.value)
    for point in ordered:
        seen += point.count
        if seen >= rank:
            return point.value
    return ordered[-1].value


# Where the values come from.


def embedded_metrics(stack: Stack) -> Iterator[tuple[Metric, list[Point]]]:
    """Every metric of cosell's own in the functions' logs."""
    found: dict[Metric, list[Point]] = {}
    for output in stack.outputs:
        if output.endswith("Logs"):
            for line in stack.function_log(output.removesuffix("Logs")):
                for metric, point in embedded(line):
                    found.setdefault(metric, []).append(point)
    yield from found.items()


def embedded(line: str) -> Iterator[tuple[Metric, Point]]:
    """What CloudWatch takes out of a line of embedded metric format; nothing out of any other."""
    if '"CloudWatchMetrics"' not in line:
        return
    document = json.loads(line)
    at = document["_aws"]["Timestamp"] / 1000
    for directive in document["_aws"]["CloudWatchMetrics"]:
        assert directive["Namespace"] == "cosell", line
        for names in directive["Dimensions"]:
            dimensions = frozenset((name, document[name]) for name in names)
            for metric in directive["Metrics"]:
                for value, count in _weighted(document[metric["Name"]]):
                    yield (metric["Name"], dimensions), Point(at, value, count)


def _weighted(value: Any) -> list[tuple[float, float]]:
    if isinstance(value, dict):
        return list(zip(value["Values"], value["Counts"], strict=True))
    return [(one, 1) for one in (value if isinstance(value, list) else [value])]


def _queue_points(stack: Stack, alarm: dict[str, Any], now: float) -> list[Point]:
    [(_, name)] = _dimensions(alarm)
    url = next(value for value in stack.outputs.values() if value.startswith("http") and value.endswith(f"/{name}"))
    # The emulator's own look into a queue: receiving would count as an attempt.
    answer = requests.get(f"{stack.endpoint}/_ministack/sqs/messages", params={"QueueUrl": url}, timeout=30)
    answer.raise_for_status()
    [region] = answer.json()["messages"].values()
    [queues] = region.values()
    messages = queues[url]
    if alarm["MetricName"] == "ApproximateNumberOfMessagesVisible":
        return [Point(now, sum(message["VisibleAt"] <= now for message in messages))]
    assert alarm["MetricName"] == "ApproximateAgeOfOldestMessage", alarm
    counted = [
        int(message["Attributes"]["SentTimestamp"]) / 1000
        for message in messages
        if message["MessageGroupId"] or message["ReceiveCount"] < RECEIPTS_OF_A_POISONED_ONE
    ]
    return [Point(now, now - min(counted))] if counted else []


def _platform_points(stack: Stack, alarm: dict[str, Any], now: float) -> list[Point]:
    assert alarm["Statistic"] == "Sum", "only sums are the same whatever lies in a second"
    answer = stack.client("cloudwatch").get_metric_statistics(
        Namespace=alarm["Namespace"],
        MetricName=alarm["MetricName"],
        Dimensions=alarm["Dimensions"],
        StartTime=datetime.fromtimestamp(now, UTC) - LOOK_BACK,
        EndTime=datetime.fromtimestamp(now, UTC) + timedelta(seconds=1),
        Period=1,
        Statistics=["Sum"],
    )
    return [Point(point["Timestamp"].timestamp(), point["Sum"]) for point in answer["Datapoints"]]


def _ticks(stack: Stack, alarm: dict[str, Any], now: float, then: float) -> Iterator[Point]:
    """What the schedules that are enabled will have started."""
    if alarm["MetricName"] != "Invocations":
        return
    scheduler = stack.client("scheduler")
    for listed in scheduler.list_schedules()["Schedules"]:
        schedule = scheduler.get_schedule(Name=listed["Name"])
        name = schedule["Target"]["Arn"].rsplit(":", 1)[1]
        if schedule["State"] == "ENABLED" and ("FunctionName", name) in _dimensions(alarm):
            rate = _seconds(schedule["ScheduleExpression"])
            yield from (Point(now + tick * rate, 1) for tick in range(1, int((then - now) // rate) + 1))


def _seconds(rate: str) -> int:
    count, unit = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", rate).groups()
    return int(count) * {"minute": 60, "hour": 3600, "day": 86400}[unit]


def _dimensions(alarm: dict[str, Any]) -> Dimensions:
    return frozenset((dimension["Name"], dimension["Value"]) for dimension in alarm["Dimensions"])


def _alarms(stack: Stack) -> list[dict[str, Any]]:
    pages = stack.client("cloudwatch").get_paginator("describe_alarms").paginate()
    found = [alarm for page in pages for alarm in page["MetricAlarms"]]
    assert found, "the stack has no alarm"
    return found


def _logical_names(stack: Stack) -> dict[str, str]:
    pages = stack.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK_NAME)
    resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
    return {resource["PhysicalResourceId"]: resource["LogicalResourceId"] for resource in resources}
