"""Failures on purpose, one after the other on one stack: what the record, the sync log, the function's log, the metrics, the alarms
and the doctor say of each, and that nothing is lost once it is mended.

    tests/campaign_failures.py [WORD ...]   only those whose names have one of the words
"""

from __future__ import annotations

import email.utils
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from failures import (
    Answer,
    Asked,
    Failure,
    Forward,
    Says,
    World,
    always,
    between,
    campaign,
    event,
    lacks,
    locks,
    once,
    refuses,
)
from sandbox import eventually
from stack import BINARIES, CRM_SECRET, ROOT, StackError

FAILURES: list[Failure] = []
Play = Generator[str | None, None, str]


def failure(name: str, later: timedelta = timedelta(), **says: object) -> Callable[[Callable[[World], Play]], Callable[[World], Play]]:
    def named(play: Callable[[World], Play]) -> Callable[[World], Play]:
        FAILURES.append(Failure(name, Says(**says), play, later))
        return play

    return named


def parks(code: str, function: str = "FnOpportunity", error: str = "", **otherwise: object) -> dict[str, object]:
    """What is said of a message that was given up."""
    return {
        "log": f'{function}: ERROR.*outcome="park" code="{code}"{error}',
        "metric": f"messages{{outcome=park,reason={code}}} 1",
        "alarm": (f"{function}DeadLettersAlarm",),
        "doctor": f"queues: {function}DeadLetters: 1 message",
        **otherwise,
    }


def replayed(world: World) -> int:
    """What FnReplay sends back, as its schedule would have it do."""
    return world.runs("FnReplay", early=True)["replayed"]


# The CRM's login, and its being there.


@failure(
    "CRM: wrong client secret",
    **parks(
        "unauthorized",
        error=' error="the Salesforce login is not allowed: Salesforce answered 400 invalid_client"',
        doctor="CRM: login: .*invalid_client.*client id and secret",
    ),
)
def wrong_secret(world: World) -> Play:
    world.secret({**CRM_SECRET, "client_secret": "not-the-secret"})
    world.restarts("FnOpportunity")
    world.new("Login refused")
    world.letter("FnOpportunity", code="unauthorized")
    yield None
    world.secret(CRM_SECRET)
    # A process keeps the credentials that it began with.
    world.restarts("FnOpportunity")
    return f"right secret, new processes; FnReplay sent {replayed(world)} back; arrived"


@failure(
    "CRM: secret deleted",
    # The emulator does not keep what a function says that does not start.
    alarm=("FnOpportunityAlarm", "FnOpportunityDeadLettersAlarm"),
    doctor="CRM: secret: GetSecretValue of the CRM secret was refused.*InvalidRequestException.*restore",
)
def secret_deleted(world: World) -> Play:
    secrets, secret = world.stack.client("secretsmanager"), world.stack.outputs["CrmSecretArn"]
    secrets.delete_secret(SecretId=secret, RecoveryWindowInDays=7)
    world.impatient("FnOpportunity")
    world.restarts("FnOpportunity")
    world.new("No secret")
    world.letter("FnOpportunity")
    yield None
    secrets.restore_secret(SecretId=secret)
    world.restarts("FnOpportunity")
    world.impatient("FnOpportunity", 360)
    return f"secret restored; FnReplay sent {replayed(world)} back; arrived"


@failure("CRM: session ends in the middle")
def session_ends(world: World) -> Play:
    opportunity, record = world.known("Long day")
    world.gate.rules.append(once(Answer.of(401, [{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}])))
    world.changes(opportunity, "Log in again")
    eventually("it arrives", lambda: world.shown(opportunity, NextStep="Log in again"))
    world.quiet()
    yield record
    return "arrived with a new session, unnoticed"


@failure(
    "CRM: does not listen",
    **parks(
        "unavailable",
        alarm=("FnOpportunityDeadLettersAlarm", "FnPushAlarm"),
        doctor="CRM: login: .*did not get through.*is up",
    ),
)
def crm_down(world: World) -> Play:
    world.gate.close()
    world.new("Nobody there")
    world.letter("FnOpportunity", code="unavailable")
    with suppress(StackError):
        world.runs("FnPush")
    yield None
    world.gate.open()
    return f"CRM is up; FnReplay sent {replayed(world)} back; arrived"


@failure(
    "CRM: answers 503 for a moment",
    log='FnOpportunity: WARN.*outcome="retry" code="unavailable".*SERVER_UNAVAILABLE',
    metric="messages{outcome=retry,reason=unavailable}",
)
def crm_503(world: World) -> Play:
    busy = Answer.of(503, [{"errorCode": "SERVER_UNAVAILABLE", "message": "Service Unavailable"}])
    world.gate.rules.append(always(busy))
    opportunity = world.new("Comes again")
    eventually("it is tried again", lambda: "retry" in world.said_in_metrics(world.lines()))
    world.gate.rules.clear()
    eventually("it arrives", lambda: world.shown(opportunity))
    yield None
    return "arrived by itself"


@failure(
    "CRM: shows a maintenance page",
    **parks(
        "unavailable",
        error=".*answer lacks",
        doctor="CRM: object Opportunity: describe Opportunity did not get through: Salesforce's answer lacks",
    ),
)
def crm_maintenance(world: World) -> Play:
    page = Answer(200, b"<html><body>We are down for maintenance.</body></html>", {"Content-Type": "text/html"})
    world.gate.rules.append(always(page))
    world.new("Behind a page")
    world.letter("FnOpportunity")
    yield None
    world.gate.rules.clear()
    return f"page gone; FnReplay sent {replayed(world)} back; arrived"


@failure(
    "CRM: too many requests at once",
    log='FnOpportunity: WARN.*outcome="retry" code="throttled" seconds=5',
    metric="messages{outcome=retry,reason=throttled}",
)
def crm_limit(world: World) -> Play:
    limit = Answer.of(403, [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "ConcurrentRequests Limit exceeded."}])
    world.gate.rules.append(always(limit))
    opportunity = world.new("One request too many")
    eventually("it is put off", lambda: "throttled" in world.said_in_metrics(world.lines()))
    world.gate.rules.clear()
    eventually("it arrives", lambda: world.shown(opportunity))
    yield None
    return "arrived by itself after the pause"


# The CRM and single records.


@failure(
    "CRM: a validation rule refuses a record",
    record="Error: .*Forecast category",
    sync_log="Error .*Forecast category",
    metric="messages{outcome=skip,reason=rejected} 1; records{direction=from_aws,status=error} 1",
)
def validation_rule(world: World) -> Play:
    opportunity, record = world.known("Ruled out")
    world.gate.rules.append(
        refuses(lambda it: it.get("NextStep") == "Skip the forecast", "FIELD_CUSTOM_VALIDATION_EXCEPTION", "Forecast category is needed first")
    )
    world.changes(opportunity, "Skip the forecast")
    world.status(record, "Error")
    world.quiet()
    yield record
    world.gate.rules.clear()
    world.cosell("refresh", opportunity)
    return "rule changed, cosell refresh; arrived"


@failure(
    "CRM: a rule refuses ten new records",
    sync_log="Error .*Territory is needed",
    metric="refused_records 10",
    alarm=("RefusedRecordsAlarm",),
)
def rule_refuses_many(world: World) -> Play:
    world.gate.rules.append(
        refuses(lambda it: str(it.get("Name")).startswith("Territory"), "FIELD_CUSTOM_VALIDATION_EXCEPTION", "Territory is needed")
    )
    made = [world.new(f"Territory {number}") for number in range(10)]
    eventually("all are refused", lambda: len(world.cosell("log", "open")) == 10)
    world.runs("FnReconcile")
    yield None
    world.gate.rules.clear()
    world.cosell("refresh", *made)
    return "rule changed, cosell refresh; arrived"


@failure(
    "CRM: a mapped field was deleted",
    **parks(
        "unauthorized",
        error=".*INVALID_FIELD.*ACE_Use_Case__c",
        doctor="CRM: what the mapping needs: .*ACE_Use_Case__c.*config push",
    ),
)
def field_deleted(world: World) -> Play:
    world.gate.rules.append(lacks("ACE_Use_Case__c"))
    world.new("A field less")
    world.letter("FnOpportunity", code="unauthorized")
    yield None
    world.gate.rules.clear()
    return f"field is back; FnReplay sent {replayed(world)} back; arrived"


@failure(
    "CRM: a field may not be written any more",
    record="Error: .*Unable to create/update fields: ACE_Business_Problem__c",
    sync_log="Error .*Unable to create/update fields: ACE_Business_Problem__c",
    metric="messages{outcome=skip,reason=rejected} 1; records{direction=from_aws,status=error} 1",
    doctor="CRM: what the mapping needs: .*ACE_Business_Problem__c",
)
def field_locked(world: World) -> Play:
    opportunity, record = world.known("Locked field")
    world.gate.rules.append(locks("ACE_Business_Problem__c"))
    said = "Cranes wait for ships that wait for cranes."
    world.aws.edits(opportunity, Project={"CustomerBusinessProblem": said}, ring=False)
    world.awaits_in_crm(opportunity, ACE_Business_Problem__c=said)
    world.sends("FnOpportunity", json.dumps(event(opportunity)))
    world.status(record, "Error")
    world.quiet()
    yield record
    world.gate.rules.clear()
    world.cosell("refresh", opportunity)
    return "right given back, cosell refresh; arrived"


@failure(
    "CRM: the user may not edit the record",
    sync_log="Error .*insufficient access rights",
    metric="messages{outcome=skip,reason=rejected} 1; records{direction=from_aws,status=error} 1",
)
def record_locked(world: World) -> Play:
    opportunity, record = world.known("Approval runs")

    def locked(it: dict[str, Any]) -> bool:
        return bool({record, opportunity} & {it.get("id"), it.get("Id"), it.get("ACE_Opportunity_Id__c")})

    world.gate.rules.append(refuses(locked, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id"))
    world.changes(opportunity, "Wait for approval")
    eventually("it is said", lambda: world.said_in_sync_log())
    world.quiet()
    yield record
    world.gate.rules.clear()
    world.cosell("refresh", opportunity)
    return "right given back, cosell refresh; arrived"


@failure(
    "CRM: a rep deletes the record",
    sync_log="Error the CRM record was deleted: not written again",
    metric="messages{outcome=skip,reason=deleted} 2",
)
def record_deleted(world: World) -> Play:
    opportunity, record = world.known("Deleted by mistake")
    world.rep.deletes("Opportunity", record)
    world.aws.edits(opportunity, LifeCycle={"NextSteps": "Nobody reads this"}, ring=False)
    world.ends(world.sends("FnOpportunity", json.dumps(event(opportunity))))
    world.quiet()
    world.runs("FnPush")
    world.quiet()
    yield None
    return "neither written again nor changed at AWS: the rep decides"


# Shares and edits.


@failure(
    "Share: a field that AWS needs is empty",
    record="Error: .*ACE_Customer_Name__c .*AWS needs a value here: fill it in",
    sync_log="Error it is not complete AWS needs a value here: fill it in",
    metric="messages{outcome=skip,reason=rejected} 1; records{direction=to_aws,status=error} 1",
)
def incomplete_share(world: World) -> Play:
    deal = world.deal("Nameless customer", ACE_Customer_Name__c=None)
    world.runs("FnPush")
    world.status(deal, "Error")
    yield deal
    world.rep.edits("Opportunity", deal, ACE_Customer_Name__c="Hafen Nord")
    world.runs("FnPush")
    return "the rep filled it in; shared"


@failure(
    "Share: a picklist value that nobody mapped",
    record="Error: .*ACE_Opportunity_Type__c .*`Fresh` is not in AWS's list.*add it under `values`",
    sync_log="Error some fields cannot be turned into ACE's `Fresh` is not in AWS's list",
    metric="messages{outcome=skip,reason=rejected} 1; records{direction=to_aws,status=error} 1",
)
def unmappable(world: World) -> Play:
    deal = world.deal("Own words", ACE_Opportunity_Type__c="Fresh")
    world.runs("FnPush")
    world.status(deal, "Error")
    yield deal
    both = '"Fresh" = "Net New Business", "New" = "Net New Business" }, back = { "Net New Business" = "New" }'
    world.mapping.write_text(world.mapping.read_text().replace('"New" = "Net New Business" }', both))
    world.cosell("config", "push", str(world.mapping))
    world.restarts("FnDeliver", "FnPush")
    world.cosell("push", deal)
    return "mapping completed, cosell config push, cosell push; shared"


@failure(
    "Share: AWS refuses it",
    record="Error: Not sent to AWS, AWS refused the record:\\s- a failure that the sandbox was told",
    sync_log="Error AWS refused the record a failure that the sandbox was told",
    log="FnDeliver: WARN.*AWS refused the record",
    metric="messages{outcome=skip,reason=rejected} 1; records{direction=to_aws,status=error} 1",
)
def share_refused(world: World) -> Play:
    world.aws.breaks("partner_central", status=400, code="ValidationException", operation="CreateOpportunity")
    deal = world.deal("Not to AWS's liking")
    world.runs("FnPush")
    world.status(deal, "Error")
    yield deal
    world.aws.mends()
    world.cosell("push", deal)
    return "AWS changed its mind, cosell push; shared"


@failure("Share: AWS's answer is lost", log="FnDeliver: WARN.*outcome=\"retry\" code=\"unavailable\"", metric="messages{outcome=retry,reason=unavailable}")
def answer_lost(world: World) -> Play:
    # More often than the client repeats it by itself, and not so often that the message is given up.
    world.aws.breaks("partner_central", status=500, operation="CreateOpportunity", after=True, count=4)
    # Its event would meet the second try, which is the last one here.
    world.source("FnOpportunity", False)
    deal = world.deal("Said and not heard")
    world.runs("FnPush")
    eventually("it is shared", lambda: world.reviewed(deal) == ["Submitted"])
    world.source("FnOpportunity", True)
    world.quiet()
    yield deal
    return "shared by itself, once"


@failure(
    "Edit: AWS meets a newer version each time",
    **parks("conflict", "FnDeliver"),
)
def conflicts(world: World) -> Play:
    opportunity, record = world.known("Everybody writes")
    world.aws.breaks("partner_central", status=409, code="ConflictException", operation="UpdateOpportunity")
    world.edits(opportunity, record, "Take turns")
    world.runs("FnPush")
    world.letter("FnDeliver", code="conflict")
    yield record
    world.aws.mends()
    world.cosell("dlq", "replay", "--code", "conflict")
    return "cosell dlq replay; arrived"


@failure("Edit: AWS throttles", **parks("throttled", "FnDeliver"))
def throttled(world: World) -> Play:
    opportunity, record = world.known("Slower please")
    world.aws.breaks("partner_central", status=400, code="ThrottlingException", operation="UpdateOpportunity")
    world.edits(opportunity, record, "Wait a little")
    world.runs("FnPush")
    world.letter("FnDeliver", code="throttled")
    yield record
    world.aws.mends()
    world.cosell("dlq", "replay", "--code", "throttled")
    return "cosell dlq replay; arrived"


@failure(
    "AWS: answers 500",
    **parks(
        "unavailable",
        error=".*InternalServerException",
        doctor="Partner Central: catalog Sandbox: .*did not get through.*InternalServerException",
    ),
)
def aws_down(world: World) -> Play:
    world.aws.breaks("partner_central", status=500)
    world.new("AWS is down")
    world.letter("FnOpportunity", code="unavailable")
    yield None
    world.aws.mends()
    return f"AWS is back; FnReplay sent {replayed(world)} back; arrived"


@failure(
    "AWS: access denied",
    **parks(
        "unauthorized",
        error=".*AccessDeniedException",
        doctor="Partner Central: catalog Sandbox: .*link the account",
    ),
)
def aws_denied(world: World) -> Play:
    world.aws.breaks("partner_central", status=403, code="AccessDeniedException")
    world.new("AWS says no")
    world.letter("FnOpportunity", code="unauthorized")
    yield None
    world.aws.mends()
    return f"account linked; FnReplay sent {replayed(world)} back; arrived"


def writes_used(world: World) -> int:
    return int(re.search(r"([0-9]+) of [0-9]+ writes", world.command("doctor").stdout)[1])


def writes(world: World, record: str, count: int) -> None:
    """Uses up some of AWS's quota."""
    for step in range(count):
        world.rep.edits("Opportunity", record, NextStep=f"Step {step}")
        world.runs("FnPush")
        world.quiet()


@failure(
    "Edit: AWS's quota of the day runs out",
    metric="quota_used_percent{class=write} [89][0-9]",
    alarm=("WriteQuotaAlarm",),
)
def quota_runs_out(world: World) -> Play:
    opportunity, record = world.known("One of the last writes")
    writes(world, record, 9 - min(writes_used(world), 9))
    # The doctor asks the stack, and this is changed behind its back.
    with world.settings("FnDeliver", COSELL_WRITES_PER_DAY=str(int((writes_used(world) + 1) / 0.85))):
        world.edits(opportunity, record, "One more")
        world.runs("FnPush")
        eventually("it is sent", lambda: world.at_aws(opportunity)["LifeCycle"].get("NextSteps") == "One more")
        world.quiet()
        yield record
    return "quota raised (WritesPerDay)"


@failure(
    "Edit: AWS's quota of the day is used up",
    log='FnDeliver: ERROR.*outcome="park" code="throttled" error="UpdateOpportunity .* was throttled',
    metric="messages{outcome=park,reason=throttled} 1; quota_used_percent{class=write} 9[0-9]",
    alarm=("FnDeliverDeadLettersAlarm", "WriteQuotaAlarm"),
    doctor="queues: FnDeliverDeadLetters: 1 message",
)
def quota_used_up(world: World) -> Play:
    opportunity, record = world.known("Too many writes")
    writes(world, record, 9 - min(writes_used(world), 9))
    # A tenth is kept for what somebody waits for. The message would come again with the next hour, several times; this is the last.
    with world.settings("FnDeliver", COSELL_WRITES_PER_DAY=str(writes_used(world) * 10 // 9), COSELL_MAX_RECEIVES="1"):
        world.edits(opportunity, record, "Too late today")
        world.runs("FnPush")
        world.letter("FnDeliver", code="throttled")
        yield record
    return f"quota raised (WritesPerDay); FnReplay sent {replayed(world)} back; arrived"


@failure(
    "Edit: AWS reviews the opportunity",
    record="Waiting: AWS is reviewing: nextStep will be sent when the review is over",
    sync_log="Partial AWS is reviewing: nextStep will be sent when the review is over",
    metric="held_back_records 1",
)
def under_review(world: World) -> Play:
    opportunity, record = world.known("Under review")
    world.aws.reviews(opportunity, "In review")
    eventually("the review shows", lambda: world.shown(opportunity, ACE_Review_Status__c="In review"))
    world.quiet()
    world.edits(opportunity, record, "After the review")
    world.runs("FnPush")
    eventually("it is held back", lambda: world.cosell("log", "open"))
    world.runs("FnReconcile")
    yield record
    world.aws.reviews(opportunity, "Approved")
    return "AWS approved; went by itself"


# The stack.


@failure(
    "Stack: an unusable mapping is put into the bucket",
    log="FnOpportunity: .*mapping",
    metric="mapping_invalid 1",
    alarm=("FnOpportunityMappingAlarm",),
    doctor="mapping: mapping.toml: .*go on with the last good one.*mapping check",
)
def mapping_invalid(world: World) -> Play:
    world.config("mapping.toml", "version = 1\n[opportunity]\nobject = 3\n")
    world.restarts("FnOpportunity")
    opportunity = world.new("By the last good one")
    eventually("it arrives", lambda: world.shown(opportunity))
    yield None
    world.cosell("config", "push", str(world.mapping))
    world.restarts("FnOpportunity")
    world.new("By the new one")
    world.quiet()
    return "arrived meanwhile; cosell config push"


@failure(
    "Stack: no mapping at all",
    # The emulator does not keep what a function says that does not start.
    alarm=("FnOpportunityAlarm", "FnOpportunityDeadLettersAlarm"),
    doctor="mapping: mapping.toml: .*config push",
)
def mapping_missing(world: World) -> Play:
    world.config("mapping.toml", None)
    world.config("mapping.last-good.toml", None)
    world.impatient("FnOpportunity")
    world.restarts("FnOpportunity")
    world.new("No mapping")
    world.letter("FnOpportunity")
    yield None
    world.cosell("config", "push", str(world.mapping))
    world.restarts("FnOpportunity")
    world.impatient("FnOpportunity", 360)
    return f"cosell config push; FnReplay sent {replayed(world)} back; arrived"


@failure(
    "Stack: the role may not use the ledger",
    **parks("unauthorized", error=".*AccessDenied"),
)
def ledger_denied(world: World) -> Play:
    world.forbids("FnOpportunity", "dynamodb:*")
    world.new("Nothing to remember with")
    world.letter("FnOpportunity", code="unauthorized")
    yield None
    world.allows("FnOpportunity")
    return f"right given back; FnReplay sent {replayed(world)} back; arrived"


@failure(
    "Stack: the table throttles",
    log='FnOpportunity: WARN.*outcome="retry" code="throttled".*ERROR.*outcome="park" code="throttled".*reading link .* was throttled',
    metric="messages{outcome=park,reason=throttled} 1; messages{outcome=retry,reason=throttled} 1",
    alarm=("FnOpportunityDeadLettersAlarm",),
    doctor="queues: FnOpportunityDeadLetters: 1 message",
)
def table_throttled(world: World) -> Play:
    opportunity, record = world.known("Too much to remember")
    kind = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"
    slow = Answer(400, json.dumps({"__type": kind, "message": "The level of configured provisioned throughput was exceeded"}).encode(), {"Content-Type": "application/x-amz-json-1.0"})
    with between(urlsplit(world.stack.endpoint).port) as table:
        table.rules.append(lambda asked, forward: slow)
        with world.settings("FnOpportunity", AWS_ENDPOINT_URL_DYNAMODB=table.url):
            world.changes(opportunity, "Come again")
            world.letter("FnOpportunity", code="throttled")
            yield record
    return f"capacity is back; FnReplay sent {replayed(world)} back; arrived"


@failure(
    "Stack: the event bus refuses what cosell tells",
    log="FnOpportunity: ERROR.*the event bus took no notice.*PutEvents is not allowed",
    metric="untold_events 1",
    alarm=("FnOpportunityBusAlarm",),
)
def bus_denied(world: World) -> Play:
    world.forbids("FnOpportunity", "events:PutEvents")
    opportunity = world.new("Nobody is told")
    eventually("it arrives", lambda: world.shown(opportunity))
    world.quiet()
    yield None
    world.allows("FnOpportunity")
    return "arrived all the same; who listens on the bus was not told"


@failure(
    "Stack: a schedule is switched off by hand",
    later=timedelta(hours=3),
    alarm=("FnReconcileHeartbeatAlarm",),
    doctor="schedules: FnReconcileSchedule: DISABLED by hand.*enable it",
)
def schedule_off(world: World) -> Play:
    scheduler, name = world.stack.client("scheduler"), world.resource("FnReconcileSchedule")
    now = scheduler.get_schedule(Name=name)
    kept = {key: now[key] for key in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
    scheduler.update_schedule(**kept, State="DISABLED")
    yield None
    scheduler.update_schedule(**kept, State="ENABLED")
    return "schedule enabled"


@failure(
    "Stack: an event source is switched off",
    later=timedelta(hours=1),
    alarm=("FnOpportunityQueueAlarm",),
    doctor="queues: FnOpportunityQueue: ",
)
def source_off(world: World) -> Play:
    world.source("FnOpportunity", False)
    world.new("Nobody takes it")
    yield None
    world.source("FnOpportunity", True)
    return "event source enabled; arrived"


@failure("AWS: an event is lost", metric="missed_events 1")
def event_lost(world: World) -> Play:
    opportunity = world.aws.creates(Project={"Title": "Nobody rang"}, ring=False)
    world.awaits_in_crm(opportunity)
    world.runs("FnReconcile")
    world.quiet()
    yield None
    return "FnReconcile found it; arrived"


@failure(
    "AWS: a referral is nearly over",
    record=None,
    metric="invitations_expiring 1; invitations_open 1; missed_events 1",
    alarm=("ExpiringInvitationsAlarm",),
)
def referral_expires(world: World) -> Play:
    invitation = world.aws.invites(title="Soon over", expires_in_seconds=3600, ring=False)["Id"]
    world.runs("FnReconcile")
    row = eventually("the referral", lambda: world.aws.crm_row("Opportunity", ACE_Invitation_Id__c=invitation))
    world.quiet()
    world.runs("FnReconcile")
    eventually("the record warns", lambda: world.row(row["Id"])["ACE_Expiring__c"])
    yield row["Id"]
    world.awaits("the referral is accepted", lambda: world.row(row["Id"])["ACE_Referral_Status__c"] == "Accepted")
    world.cosell("opportunity", "accept", invitation)
    return "cosell opportunity accept; accepted"


# Messages.


@failure("Message: not JSON", **parks("malformed_message", "FnInvitation"))
def poison(world: World) -> Play:
    world.ends(world.sends("FnInvitation", "{"))
    letter = world.letter("FnInvitation", code="malformed_message")
    yield None
    kept = world.runs("FnReplay", early=True)["kept"]
    world.cosell("dlq", "drop", "--id", letter["id"], "--yes")
    return f"FnReplay kept {kept}; cosell dlq drop"


@failure("Message: names no opportunity", **parks("unusable_event"))
def unusable_event(world: World) -> Play:
    opportunity = world.aws.creates(Project={"Title": "Mended by hand"}, ring=False)
    world.awaits_in_crm(opportunity)
    world.ends(world.sends("FnOpportunity", json.dumps({**event(opportunity), "detail": {"catalog": "Sandbox"}})))
    letter = world.letter("FnOpportunity", code="unusable_event")
    yield None
    world.cosell("dlq", "quarantine", "add", "--id", letter["id"])
    mended = world.scratch / "mended.json"
    mended.write_text(json.dumps(event(opportunity)))
    world.cosell("dlq", "edit", letter["id"], "--file", str(mended))
    world.cosell("dlq", "quarantine", "replay", letter["id"])
    return "quarantined, cosell dlq edit, replayed; arrived"


@failure(
    "Message: of an unknown type, and of the other catalog",
    log="FnOpportunity: WARN.*an event of an unknown type was left alone.*an event of the other catalog was refused: mend the rule",
    metric="messages{outcome=skip,reason=other_catalog} 1; messages{outcome=skip,reason=unknown_type} 1",
)
def foreign_events(world: World) -> Play:
    for name in ("unknown-detail-type", "other-catalog"):
        world.ends(world.sends("FnOpportunity", (ROOT / f"events/eventbridge/{name}.json").read_text()))
    world.quiet()
    yield None
    return "skipped, nothing to mend"


@failure("Message: an event of 250 KB")
def huge_event(world: World) -> Play:
    opportunity = world.new("Wordy", padding="x" * 250_000)
    eventually("it arrives", lambda: world.shown(opportunity))
    yield None
    return "arrived, unnoticed"


@failure("Message: 255 KB that are no event", **parks("malformed_message"))
def huge_poison(world: World) -> Play:
    world.impatient("FnOpportunity")
    world.ends(world.sends("FnOpportunity", "x" * 262_000))
    letter = world.letter("FnOpportunity")
    yield None
    world.impatient("FnOpportunity", 360)
    world.cosell("dlq", "drop", "--id", letter["id"], "--yes")
    return "cosell dlq drop"


@failure(
    "Message: a function that is killed each time",
    alarm=("FnOpportunityAlarm", "FnOpportunityDeadLettersAlarm"),
    doctor="queues: FnOpportunityDeadLetters: [0-9]+ message",
)
def killed(world: World) -> Play:
    world.impatient("FnOpportunity")
    opportunity, record = world.known("Killed again and again")

    def slow(asked: Asked, forward: Forward) -> Answer:
        world.kills("fn-opportunity")
        return forward(asked)

    world.gate.rules.append(slow)
    world.changes(opportunity, "Survive")
    world.letter("FnOpportunity", code=None)
    yield record
    world.gate.rules.clear()
    world.impatient("FnOpportunity", 360)
    return f"FnReplay sent {replayed(world)} back; arrived"


@failure(
    "Dead letters: the replay is killed half-way",
    log='FnOpportunity: ERROR.*outcome="park" code="unavailable"',
    metric="messages{outcome=park,reason=unavailable} 6; messages{outcome=retry,reason=unavailable} 6",
    alarm=("FnOpportunityDeadLettersAlarm",),
    doctor="queues: FnOpportunityDeadLetters: 6 message",
)
def replay_killed(world: World) -> Play:
    world.gate.rules.append(always(Answer.of(503, [{"errorCode": "SERVER_UNAVAILABLE", "message": "Service Unavailable"}])))
    for number in range(6):
        world.new(f"Sent back {number}")
    eventually("six letters", lambda: world.dead().get("FnOpportunityDeadLetters") == 6, 40)
    yield None
    world.gate.rules.clear()
    command = [str(BINARIES / "cosell"), "dlq", "replay", "--all", "--rate", "1"]
    cut = subprocess.Popen(command, env={**os.environ, **world.stack.environment()}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually("some are sent back", lambda: sum(world.dead("FnOpportunity").values()) < 5)
    cut.kill()
    cut.wait()
    world.quiet()
    sent = 6 - sum(world.dead("FnOpportunity").values())
    # What the killed one had taken shows itself two minutes later.
    eventually("FnReplay sends the others back", lambda: replayed(world) == 0 and not world.dead("FnOpportunity"), 150, 5)
    return f"killed after {sent} of 6; FnReplay sent the others back; arrived"


# Files.


@failure(
    "Files: AWS's bucket is denied",
    log="FnFilePoll: ERROR.*ListObjectsV2 .* is not allowed: AccessDenied",
    alarm=("FnFilePollAlarm",),
)
def bucket_denied(world: World) -> Play:
    world.forbids("FnFilePoll", "s3:*")
    body = json.loads((ROOT / "events/files/leads.json").read_text())
    world.aws.drops("lead-outbound", "leads_03092026010000.json", body=body)
    for lead in body["leads"]:
        world.awaits("a lead of the file", lambda it=lead["apnCrmUniqueIdentifier"]: world.aws.crm_row("Lead", ACE_Lead_Id__c=it))
    with suppress(StackError):
        world.runs("FnFilePoll")
    yield None
    world.allows("FnFilePoll")
    world.runs("FnFilePoll")
    return "right given back; the next run took the file"


@failure(
    "Files: one of AWS's is no JSON",
    sync_log="Error .*not JSON",
    **parks(
        "unusable_file", "FnOutboundFile",
        alarm=("FilesUnusableAlarm", "FnOutboundFileDeadLettersAlarm"),
        doctor="files: from AWS: .*cosell log --record",
    ),
)
def file_malformed(world: World) -> Play:
    yield from unusable_file(world, "broken_03092026020000.json", text="no JSON")
    return "AWS's operator removed it, cosell dlq drop"


@failure(
    "Files: one of another partner",
    sync_log="Error the file's `spmsId` is not the partner's",
    **parks(
        "unusable_file", "FnOutboundFile",
        alarm=("FilesUnusableAlarm", "FnOutboundFileDeadLettersAlarm"),
        doctor="files: from AWS: .*cosell log --record",
    ),
)
def file_of_another(world: World) -> Play:
    body = json.loads((ROOT / "events/files/opportunities.json").read_text())
    name = next(key for key in body if key.lower() == "spmsid")
    yield from unusable_file(world, "theirs_03092026020000.json", body={**body, name: "9999999"})
    return "AWS's operator removed it, cosell dlq drop"


def unusable_file(world: World, name: str, **content: Any) -> Generator[None]:
    key = f"opportunity-outbound/{name}"
    world.aws.drops("opportunity-outbound", name, **content)
    world.runs("FnFilePoll")
    letter = world.letter("FnOutboundFile", code="unusable_file")
    world.runs("FnFilePoll")
    world.awaits(f"what became of {key} is said", lambda: world.cosell("log", "--record", key))
    yield None
    world.stack.client("s3").delete_object(Bucket=world.stack.parameters["AceBucketName"], Key=key)
    world.cosell("dlq", "drop", "--id", letter["id"], "--yes")
    world.runs("FnFilePoll")


@failure("Files: a landed one is deleted before it is settled", **parks("not_found", "FnOutboundFile"))
def landed_deleted(world: World) -> Play:
    s3, landing = world.stack.client("s3"), world.stack.outputs["LandingBucket"]
    body = json.loads((ROOT / "events/files/opportunities.json").read_text())
    for it in body["opportunities"]:
        world.awaits_in_crm(it["apnCrmUniqueIdentifier"])
    world.source("FnOutboundFile", False)
    world.aws.drops("opportunity-outbound", "gone_03092026030000.json", body=body)
    world.runs("FnFilePoll")
    landed = [it["Key"] for it in s3.list_objects_v2(Bucket=landing, Prefix="landing/").get("Contents", [])]
    for key in landed:
        s3.delete_object(Bucket=landing, Key=key)
    world.source("FnOutboundFile", True)
    world.letter("FnOutboundFile", code="not_found")
    yield None
    for version in s3.list_object_versions(Bucket=landing, Prefix="landing/").get("DeleteMarkers", []):
        if version["Key"] in landed:
            s3.delete_object(Bucket=landing, Key=version["Key"], VersionId=version["VersionId"])
    world.cosell("dlq", "replay", "--code", "not_found")
    return "version restored, cosell dlq replay; arrived"


@failure("CRM: its clock is hours ahead for a moment", doctor="CRM: clock: 7[0-9]+ s ahead of here")
def crm_clock(world: World) -> Play:
    def ahead(asked: Asked, forward: Forward) -> Answer:
        answer = forward(asked)
        later = email.utils.formatdate(time.time() + 7200, usegmt=True)
        kept = {name: value for name, value in answer.headers.items() if name.lower() != "date"}
        return Answer(answer.status, answer.body, {**kept, "Date": later})

    opportunity, record = world.known("Two hours ahead")
    world.gate.rules.append(ahead)
    world.edits(opportunity, record, "Look at the clock")
    world.runs("FnPush")
    eventually("it arrives", lambda: world.at_aws(opportunity)["LifeCycle"].get("NextSteps") == "Look at the clock")
    world.awaited.clear()
    yield record
    world.gate.rules.clear()
    world.edits(opportunity, record, "The clock is right again")
    world.runs("FnPush")
    return "arrived; so does the next edit, with the clock right again"


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    words = [word.lower() for word in sys.argv[1:]]
    return campaign([it for it in FAILURES if not words or any(word in it.name.lower() for word in words)], "campaign-failures")


if __name__ == "__main__":
    sys.exit(main())
