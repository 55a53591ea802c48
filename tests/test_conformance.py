"""The sandbox against clients that nobody here wrote: boto3 speaks to its Partner Central, simple-salesforce to its org.

The binary runs by itself on free ports, without an emulator; the tests of the files have one of their own.
"""

import contextlib
import copy
import datetime
import json
import os
import signal
import socket
import subprocess
import time
import urllib.parse
import uuid

import boto3
import botocore.config
import botocore.exceptions
import botocore.session
import pytest
import requests
import simple_salesforce
from sandbox import Aws, eventually
from simple_salesforce import exceptions as sf_errors
from stack import ACE_BUCKET, BINARIES, SPMS_ID, Stack

BINARY = BINARIES / "cosell-sandbox"
VERSION = "66.0"
OUR_ID = "ACE_Opportunity_Id__c"


class Sandbox:
    def __init__(self, ports):
        self.partner_central = f"http://127.0.0.1:{ports['partner_central']}"
        self.salesforce = f"http://127.0.0.1:{ports['salesforce']}"
        self.base = f"http://127.0.0.1:{ports['control']}"
        self.http = requests.Session()
        self.http.trust_env = False

    def control(self, method, path, body=None, expect=(200, 201)):
        answer = self.http.request(method, self.base + path, json=body, timeout=10)
        assert answer.status_code in expect, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def events(self, detail_type=None):
        events = self.control("GET", "/events")
        return [event for event in events if detail_type in (None, event["detail-type"])]


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory):
    ports_file = tmp_path_factory.mktemp("sandbox") / "ports.json"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    process = subprocess.Popen([BINARY, "--no-bus", "--ports-file", ports_file], env=environment)
    try:
        deadline = time.monotonic() + 20
        while not ports_file.exists():
            assert process.poll() is None, "the sandbox ended at its start"
            assert time.monotonic() < deadline, "the sandbox does not listen"
            time.sleep(0.05)
        ports = json.loads(ports_file.read_text())
        assert ports["pid"] == process.pid
        yield Sandbox(ports)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture(autouse=True)
def clean_weather(sandbox):
    yield
    sandbox.control("DELETE", "/faults")
    sandbox.control("DELETE", "/weather")
    sandbox.control("POST", "/switches", {"escape_text": False, "enforce_quotas": False})
    for face in ("partner_central", "salesforce"):
        sandbox.control("POST", "/latency", {"face": face, "millis": 0})


# Partner Central


def selling(sandbox, create=boto3.client, **config):
    return create(
        "partnercentral-selling",
        endpoint_url=sandbox.partner_central,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=botocore.config.Config(retries={"total_max_attempts": 1}, proxies={}, **config),
    )


@pytest.fixture(scope="session")
def aws(sandbox):
    return selling(sandbox)


@pytest.fixture(scope="session")
def verbatim(sandbox):
    """boto3 reads timestamps to the microsecond; this one leaves them as the texts they are."""
    session = botocore.session.get_session()
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=str)
    return selling(sandbox, session.create_client)


def in_days(days):
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)).date().isoformat()


def creation(**changes):
    body = {
        "Catalog": "Sandbox",
        "ClientToken": str(uuid.uuid4()),
        "Origin": "Partner Referral",
        "PartnerOpportunityIdentifier": "006-from-the-crm",
        "PrimaryNeedsFromAws": ["Co-Sell - Deal Support"],
        "NationalSecurity": "No",
        "OpportunityType": "Net New Business",
        "Customer": {
            "Account": {
                "CompanyName": "Example Customer",
                "Industry": "Retail",
                "WebsiteUrl": "https://customer.example",
                "Address": {
                    "CountryCode": "US",
                    "StateOrRegion": "Texas",
                    "City": "Austin",
                    "PostalCode": "73301",
                },
            },
            "Contacts": [{"FirstName": "Casey", "LastName": "Customer", "Email": "casey@customer.example"}],
        },
        "Project": {
            "Title": "Leave the data centre",
            "CustomerBusinessProblem": "The lease of the data centre ends next year.",
            "CustomerUseCase": "Migration / Database Migration",
            "DeliveryModels": ["SaaS or PaaS"],
            "SalesActivities": ["Initialized discussions with customer"],
            "ExpectedCustomerSpend": [
                {"Amount": "2500.00", "CurrencyCode": "USD", "Frequency": "Monthly", "TargetCompany": "AWS"}
            ],
        },
        "LifeCycle": {"TargetCloseDate": in_days(90)},
    }
    body.update(changes)
    return body


def drop_empty(value):
    if isinstance(value, dict):
        slim = {key: drop_empty(item) for key, item in value.items()}
        return {key: item for key, item in slim.items() if item not in (None, {}, [])}
    if isinstance(value, list):
        return [drop_empty(item) for item in value]
    return value


BODY = (
    "PrimaryNeedsFromAws",
    "NationalSecurity",
    "PartnerOpportunityIdentifier",
    "Customer",
    "Project",
    "OpportunityType",
    "Marketing",
    "SoftwareRevenue",
    "LifeCycle",
)


def echo(aws, identifier):
    """The present record as the body of an update."""
    full = aws.get_opportunity(Catalog="Sandbox", Identifier=identifier)
    body = drop_empty({key: full.get(key) for key in BODY})
    return {
        "Catalog": "Sandbox",
        "Identifier": identifier,
        "LastModifiedDate": full["LastModifiedDate"],
        **copy.deepcopy(body),
    }


def refused(aws, code, call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == code, caught.value.response
    return caught.value.response


def problems(response):
    return {(entry["FieldName"], entry["Code"]) for entry in response["ErrorList"]}


def submitted(aws):
    identifier = aws.create_opportunity(**creation())["Id"]
    aws.associate_opportunity(
        Catalog="Sandbox",
        OpportunityIdentifier=identifier,
        RelatedEntityType="Solutions",
        RelatedEntityIdentifier="S-1234567",
    )
    aws.start_engagement_from_opportunity_task(
        Catalog="Sandbox",
        ClientToken=str(uuid.uuid4()),
        Identifier=identifier,
        AwsSubmission={"InvolvementType": "Co-Sell", "Visibility": "Full"},
    )
    return identifier


def test_created_opportunity_reads_back_with_the_services_defaults(aws):
    body = creation()
    body["Project"]["Title"] = "  Leave the data centre  "
    created = aws.create_opportunity(**body)
    assert created["PartnerOpportunityIdentifier"] == "006-from-the-crm"
    full = aws.get_opportunity(Catalog="Sandbox", Identifier=created["Id"])
    assert full["Project"]["Title"] == "Leave the data centre"
    assert full["Marketing"]["Source"] == "None"
    assert full["LifeCycle"]["Stage"] == "Prospect"
    assert full["LifeCycle"]["ReviewStatus"] == "Pending Submission"
    assert full["LastModifiedDate"] == created["LastModifiedDate"]
    assert full["OpportunityTeam"][0]["BusinessTitle"] == "OpportunityOwner"
    assert full["Arn"].endswith(f":catalog/Sandbox/opportunity/{created['Id']}")
    assert "Origin" not in full


def test_absent_members_come_back_as_explicit_nulls(aws, sandbox):
    created = aws.create_opportunity(**creation())
    raw = sandbox.http.post(
        sandbox.partner_central,
        data=json.dumps({"Catalog": "Sandbox", "Identifier": created["Id"]}),
        headers={
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": "AWSPartnerCentralSelling.GetOpportunity",
            "authorization": "AWS4-HMAC-SHA256 Credential=test",
        },
        timeout=10,
    )
    assert raw.headers["content-type"] == "application/x-amz-json-1.0"
    record = raw.json()
    assert record["SoftwareRevenue"] is None
    assert record["Customer"]["Account"]["Duns"] is None
    assert record["LifeCycle"]["ClosedLostReason"] is None
    assert record["Customer"]["Contacts"][0]["Phone"] is None
    assert len(record["LastModifiedDate"]) == len("2026-01-05T20:37:46.972Z")


def test_requests_must_be_signed(sandbox):
    answer = sandbox.http.post(
        sandbox.partner_central, data="{}", headers={"x-amz-target": "AWSPartnerCentralSelling.ListOpportunities"}
    )
    assert answer.status_code == 403


def test_creation_is_idempotent_by_its_token(aws, sandbox):
    body = creation()
    first = aws.create_opportunity(**body)
    again = aws.create_opportunity(**body)
    assert (again["Id"], again["LastModifiedDate"]) == (first["Id"], first["LastModifiedDate"])
    rung = [event for event in sandbox.events("Opportunity Created") if first["Id"] in str(event["detail"])]
    assert len(rung) == 2
    other = copy.deepcopy(body)
    other["Project"]["Title"] = "Another"
    refused(aws, "ConflictException", aws.create_opportunity, **other)


def test_shape_errors_come_first_and_all_together(aws):
    body = creation(NationalSecurity="Perhaps")
    body["Customer"]["Contacts"] = [{"Email": "Casey@Customer.example"}, {"Phone": "0123"}]
    body["Project"]["CustomerBusinessProblem"] = "Too short"
    body["Project"]["ExpectedCustomerSpend"][0]["Amount"] = "12.345"
    response = refused(aws, "ValidationException", aws.create_opportunity, **body)
    assert response["Reason"] == "REQUEST_VALIDATION_FAILED"
    assert problems(response) == {
        ("nationalSecurity", "INVALID_ENUM_VALUE"),
        ("customer.contacts.1.member.email", "INVALID_STRING_FORMAT"),
        ("customer.contacts.2.member.phone", "INVALID_STRING_FORMAT"),
        ("project.customerBusinessProblem", "INVALID_STRING_FORMAT"),
        ("project.expectedCustomerSpend.1.member.amount", "INVALID_STRING_FORMAT"),
    }
    assert all(entry["Message"] for entry in response["ErrorList"])


def test_business_errors_come_all_together(aws):
    body = creation()
    account = body["Customer"]["Account"]
    account["Industry"] = "Other"
    account["Address"]["StateOrRegion"] = "TX"
    del account["Address"]["PostalCode"], account["WebsiteUrl"]
    body["Project"]["CustomerUseCase"] = "Gardening"
    body["LifeCycle"] = {"TargetCloseDate": in_days(-2), "Stage": "Closed Lost"}
    body["Marketing"] = {"Source": "Marketing Activity"}
    response = refused(aws, "ValidationException", aws.create_opportunity, **body)
    assert response["Reason"] == "BUSINESS_VALIDATION_FAILED"
    assert problems(response) == {
        ("customer.account.otherIndustry", "REQUIRED_FIELD_MISSING"),
        ("customer.account.address.stateOrRegion", "INVALID_ENUM_VALUE"),
        ("customer.account.address.postalCode", "REQUIRED_FIELD_MISSING"),
        ("customer.account.websiteUrl", "REQUIRED_FIELD_MISSING"),
        ("project.customerUseCase", "INVALID_ENUM_VALUE"),
        ("lifeCycle.targetCloseDate", "INVALID_VALUE"),
        ("lifeCycle.closedLostReason", "REQUIRED_FIELD_MISSING"),
        ("marketing.awsFundingUsed", "REQUIRED_FIELD_MISSING"),
        ("marketing.channels", "REQUIRED_FIELD_MISSING"),
    }


def test_update_is_locked_by_last_modified_date(aws):
    identifier = aws.create_opportunity(**creation())["Id"]
    body = echo(aws, identifier)
    first = aws.update_opportunity(**body)
    assert first["LastModifiedDate"] > body["LastModifiedDate"]
    refused(aws, "ConflictException", aws.update_opportunity, **body)
    second = aws.update_opportunity(**{**body, "LastModifiedDate": first["LastModifiedDate"]})
    assert second["LastModifiedDate"] > first["LastModifiedDate"]


def test_update_replaces_the_whole_object(aws):
    identifier = aws.create_opportunity(**creation())["Id"]
    body = echo(aws, identifier)
    del body["PartnerOpportunityIdentifier"], body["Customer"]["Contacts"]
    aws.update_opportunity(**body)
    full = aws.get_opportunity(Catalog="Sandbox", Identifier=identifier)
    assert not full.get("PartnerOpportunityIdentifier")
    assert not full["Customer"].get("Contacts")
    assert full["OpportunityTeam"], "the team is not the update's business"
    sparse = echo(aws, identifier)
    del sparse["Project"], sparse["LifeCycle"]["Stage"]
    found = problems(refused(aws, "ValidationException", aws.update_opportunity, **sparse))
    assert {("project.title", "REQUIRED_FIELD_MISSING"), ("lifeCycle.stage", "REQUIRED_FIELD_MISSING")} <= found


def test_update_respects_the_review_windows(aws, sandbox):
    identifier = submitted(aws)
    body = echo(aws, identifier)
    body["LifeCycle"]["NextSteps"] = "Call"
    found = problems(refused(aws, "ValidationException", aws.update_opportunity, **body))
    assert ("lifeCycle.nextSteps", "ACTION_NOT_PERMITTED") in found

    review = {"status": "Action Required", "comments": "Please say more.", "reason": "Other"}
    sandbox.control("POST", f"/opportunities/{identifier}/review", review)
    body = echo(aws, identifier)
    assert body["LifeCycle"]["ReviewComments"] == "Please say more."
    body["Project"]["CustomerBusinessProblem"] = "The lease of the data centre ends in March."
    aws.update_opportunity(**body)
    assert echo(aws, identifier)["LifeCycle"]["ReviewStatus"] == "Submitted"

    sandbox.control("POST", f"/opportunities/{identifier}/review", {"status": "Approved"})
    body = echo(aws, identifier)
    body["LifeCycle"]["NextSteps"] = "Call"
    aws.update_opportunity(**body)
    body = echo(aws, identifier)
    body["Project"]["Title"] = "Another title"
    body["Customer"]["Account"]["CompanyName"] = "Another customer"
    found = problems(refused(aws, "ValidationException", aws.update_opportunity, **body))
    assert found == {
        ("project.title", "ACTION_NOT_PERMITTED"),
        ("customer.account.companyName", "ACTION_NOT_PERMITTED"),
    }

    rejected = submitted(aws)
    sandbox.control("POST", f"/opportunities/{rejected}/review", {"status": "Rejected"})
    found = problems(refused(aws, "ValidationException", aws.update_opportunity, **echo(aws, rejected)))
    assert found == {("lifeCycle.reviewStatus", "INVALID_RESOURCE_STATE")}


def test_associations(aws, sandbox):
    identifier = aws.create_opportunity(**creation())["Id"]
    before = aws.get_opportunity(Catalog="Sandbox", Identifier=identifier)["LastModifiedDate"]
    entity = {
        "Catalog": "Sandbox",
        "OpportunityIdentifier": identifier,
        "RelatedEntityType": "AwsProducts",
        "RelatedEntityIdentifier": "AmazonEC2Linux",
    }
    aws.associate_opportunity(**entity)
    aws.associate_opportunity(**entity)
    full = aws.get_opportunity(Catalog="Sandbox", Identifier=identifier)
    assert full["RelatedEntityIdentifiers"]["AwsProducts"] == ["AmazonEC2Linux"]
    assert full["LastModifiedDate"] == before, "an association is no new version"
    aws.disassociate_opportunity(**entity)
    refused(aws, "ResourceNotFoundException", aws.disassociate_opportunity, **entity)
    solutions = aws.list_solutions(Catalog="Sandbox", Status=["Active"])["SolutionSummaries"]
    unknown = {**entity, "RelatedEntityType": "Solutions", "RelatedEntityIdentifier": "S-99"}
    assert "S-99" not in {solution["Id"] for solution in solutions}
    refused(aws, "ResourceNotFoundException", aws.associate_opportunity, **unknown)
    offer = "arn:aws:aws-marketplace:us-east-1:111122223333:AWSMarketplace/Offer/" + uuid.uuid4().hex
    only = {**entity, "RelatedEntityType": "AwsMarketplaceOffers", "RelatedEntityIdentifier": offer}
    aws.associate_opportunity(**only)
    other = aws.create_opportunity(**creation())["Id"]
    refused(aws, "ValidationException", aws.associate_opportunity, **{**only, "OpportunityIdentifier": other})


def test_submission_checks_then_runs_once(aws, sandbox):
    body = creation()
    del body["Project"]["SalesActivities"]
    identifier = aws.create_opportunity(**body)["Id"]
    task = {
        "Catalog": "Sandbox",
        "ClientToken": str(uuid.uuid4()),
        "Identifier": identifier,
        "AwsSubmission": {"InvolvementType": "Co-Sell"},
    }
    empty = aws.get_aws_opportunity_summary(Catalog="Sandbox", RelatedOpportunityIdentifier=identifier)
    assert not empty.get("LifeCycle") and not empty.get("InvolvementType")
    found = problems(
        refused(aws, "ValidationException", aws.start_engagement_from_opportunity_task, **task),
    )
    assert found == {
        ("project.salesActivities", "REQUIRED_FIELD_MISSING"),
        ("relatedEntityIdentifiers", "NOT_ENOUGH_VALUES"),
    }
    body = echo(aws, identifier)
    body["Project"]["SalesActivities"] = ["SOW Signed"]
    body["Project"]["OtherSolutionDescription"] = "Our own"
    aws.update_opportunity(**body)
    first = aws.start_engagement_from_opportunity_task(**task)
    assert first["TaskStatus"] == "COMPLETE"
    assert first["OpportunityId"] == identifier
    again = aws.start_engagement_from_opportunity_task(**task)
    assert again["TaskId"] == first["TaskId"]
    other = {**task, "AwsSubmission": {"InvolvementType": "For Visibility Only"}}
    refused(aws, "ConflictException", aws.start_engagement_from_opportunity_task, **other)

    listed = aws.list_engagement_from_opportunity_tasks(Catalog="Sandbox", OpportunityIdentifier=[identifier])
    assert [task["TaskId"] for task in listed["TaskSummaries"]] == [first["TaskId"]]
    assert echo(aws, identifier)["LifeCycle"]["ReviewStatus"] == "Submitted"
    summary = aws.get_aws_opportunity_summary(Catalog="Sandbox", RelatedOpportunityIdentifier=identifier)
    assert summary["Origin"] == "Partner Referral"
    assert summary["InvolvementType"] == "Co-Sell"
    assert summary["LifeCycle"]["TargetCloseDate"] == in_days(90)
    sent = aws.get_engagement_invitation(Catalog="Sandbox", Identifier=first["EngagementInvitationId"])
    assert sent["Status"] == "PENDING"

    sandbox.control("POST", f"/opportunities/{identifier}/review", {"status": "Approved"})
    sent = aws.get_engagement_invitation(Catalog="Sandbox", Identifier=first["EngagementInvitationId"])
    assert sent["Status"] == "ACCEPTED"
    summary = aws.get_aws_opportunity_summary(Catalog="Sandbox", RelatedOpportunityIdentifier=identifier)
    assert summary["OpportunityTeam"][0]["BusinessTitle"] == "AWSSalesRep"


def test_submit_alone(aws):
    body = creation()
    body["Project"]["OtherSolutionDescription"] = "Our own"
    body["PrimaryNeedsFromAws"] = []
    identifier = aws.create_opportunity(**body)["Id"]
    call = {"Catalog": "Sandbox", "Identifier": identifier}
    found = problems(refused(aws, "ValidationException", aws.submit_opportunity, InvolvementType="Co-Sell", **call))
    assert found == {("primaryNeedsFromAws", "REQUIRED_FIELD_MISSING")}
    aws.submit_opportunity(InvolvementType="For Visibility Only", **call)
    found = problems(
        refused(aws, "ValidationException", aws.submit_opportunity, InvolvementType="For Visibility Only", **call)
    )
    assert found == {("lifeCycle.reviewStatus", "INVALID_RESOURCE_STATE")}


def test_assignment(aws):
    identifier = aws.create_opportunity(**creation())["Id"]
    person = {"Email": "pam@partner.example", "FirstName": "Pam", "LastName": "Manager"}
    call = {"Catalog": "Sandbox", "Identifier": identifier}
    aws.assign_opportunity(**call, Assignee={**person, "BusinessTitle": "PartnerAccountManager"})
    team = aws.get_opportunity(**call)["OpportunityTeam"]
    assert {member["BusinessTitle"] for member in team} == {"OpportunityOwner", "PartnerAccountManager"}
    refused(
        aws, "ValidationException", aws.assign_opportunity, **call, Assignee={**person, "BusinessTitle": "Anybody"}
    )


def test_accepting_an_invitation_reveals_the_opportunity(aws, sandbox):
    made = sandbox.control(
        "POST",
        "/invitations",
        {
            "customer": {"CompanyName": "Masked Customer"},
            "project": {"Title": "A referral"},
            "hidden": {
                "Customer": {
                    "Account": {"Address": {"City": "Austin", "PostalCode": "73301", "StateOrRegion": "Texas"}},
                    "Contacts": [{"FirstName": "Casey", "LastName": "Customer", "Email": "casey@customer.example"}],
                }
            },
        },
    )
    call = {"Catalog": "Sandbox", "Identifier": made["Id"]}
    before = aws.get_engagement_invitation(**call)
    payload = before["Payload"]["OpportunityInvitation"]
    assert before["Status"] == "PENDING"
    assert payload["Customer"]["CompanyName"] == "Masked Customer"
    assert "casey" not in str(before) and "Austin" not in str(before)
    open_for = before["ExpirationDate"] - before["InvitationDate"]
    assert open_for == datetime.timedelta(days=15)
    event = [event for event in sandbox.events("Engagement Invitation Created") if made["Id"] in str(event["detail"])]
    assert len(event) == 2 and event[0]["id"] != event[1]["id"]
    detail = event[0]["detail"]["engagementInvitation"]
    assert (detail["participantType"], detail["senderAccountId"]) == ("RECEIVER", "aws")

    token = str(uuid.uuid4())
    task = aws.start_engagement_by_accepting_invitation_task(**call, ClientToken=token)
    assert task["TaskStatus"] == "COMPLETE"
    again = aws.start_engagement_by_accepting_invitation_task(**call, ClientToken=token)
    assert again["OpportunityId"] == task["OpportunityId"]
    refused(
        aws,
        "ConflictException",
        aws.start_engagement_by_accepting_invitation_task,
        **call,
        ClientToken=str(uuid.uuid4()),
    )
    refused(aws, "ConflictException", aws.reject_engagement_invitation, **call, RejectionReason="Other")

    full = aws.get_opportunity(Catalog="Sandbox", Identifier=task["OpportunityId"])
    assert full["Customer"]["Account"]["CompanyName"] == "Masked Customer"
    assert full["Customer"]["Account"]["Address"]["City"] == "Austin"
    assert full["Customer"]["Contacts"][0]["FirstName"] == "Casey"
    assert full["LifeCycle"]["ReviewStatus"] == "Approved"
    summary = aws.get_aws_opportunity_summary(
        Catalog="Sandbox", RelatedOpportunityIdentifier=task["OpportunityId"]
    )
    assert summary["Origin"] == "AWS Referral"
    listed = aws.list_engagement_by_accepting_invitation_tasks(
        Catalog="Sandbox", EngagementInvitationIdentifier=[made["Id"]]
    )
    assert [row["OpportunityId"] for row in listed["TaskSummaries"]] == [task["OpportunityId"]]


def test_rejecting_an_invitation_closes_it(aws, sandbox):
    made = sandbox.control("POST", "/invitations", {})
    arn = aws.get_engagement_invitation(Catalog="Sandbox", Identifier=made["Id"])["Arn"]
    call = {"Catalog": "Sandbox", "Identifier": arn}
    refused(aws, "ValidationException", aws.reject_engagement_invitation, **call, RejectionReason="No time")
    aws.reject_engagement_invitation(**call, RejectionReason="Unable to support")
    after = aws.get_engagement_invitation(**call)
    assert after["Status"] == "REJECTED"
    assert after["RejectionReason"] == "Unable to support"
    assert not after.get("Payload"), "a rejected referral shows nothing any more"
    pending = aws.list_engagement_invitations(Catalog="Sandbox", ParticipantType="RECEIVER", Status=["PENDING"])
    assert made["Id"] not in {row["Id"] for row in pending["EngagementInvitationSummaries"]}


def test_a_lead_is_accepted_without_an_opportunity(aws, sandbox):
    made = sandbox.control(
        "POST",
        "/invitations",
        {"payload_type": "LeadInvitation", "interaction": {"ContactBusinessTitle": "CTO", "Usecase": "Database"}},
    )
    call = {"Catalog": "Sandbox", "Identifier": made["Id"]}
    lead = aws.get_engagement_invitation(**call)["Payload"]["LeadInvitation"]
    assert lead["Interaction"]["ContactBusinessTitle"] == "CTO"
    refused(
        aws,
        "ValidationException",
        aws.start_engagement_by_accepting_invitation_task,
        **call,
        ClientToken=str(uuid.uuid4()),
    )
    aws.accept_engagement_invitation(**call)
    assert aws.get_engagement_invitation(**call)["Status"] == "ACCEPTED"
    refused(aws, "ConflictException", aws.accept_engagement_invitation, **call)


# Leads


CONTACT = {"FirstName": "Lee", "LastName": "Lead", "Email": "Lee@customer.example", "BusinessTitle": "CTO"}


def lead(aws, sandbox, **invitation):
    """An accepted lead: its engagement."""
    body = {"payload_type": "LeadInvitation", "interaction": {"ContactBusinessTitle": "CTO"}, **invitation}
    made = sandbox.control("POST", "/invitations", body)
    aws.accept_engagement_invitation(Catalog="Sandbox", Identifier=made["Id"])
    return made["EngagementId"]


def rung(sandbox, detail_type, identifier):
    return [event["detail"] for event in sandbox.events(detail_type) if identifier in str(event["detail"])]


def qualify(client, lock, **arguments):
    """UpdateEngagementContext with the lock as AWS wrote it: boto3 would cut it to microseconds."""

    def echo_lock(params, **_):
        params["body"] = json.dumps({**json.loads(params["body"]), "EngagementLastModifiedAt": lock}).encode()

    event = "before-call.partnercentral-selling.UpdateEngagementContext"
    client.meta.events.register(event, echo_lock)
    try:
        return client.update_engagement_context(
            **{"Catalog": "Sandbox", "ContextIdentifier": "1", "Type": "Lead", **arguments},
            EngagementLastModifiedAt=datetime.datetime.now(datetime.UTC),
        )
    finally:
        client.meta.events.unregister(event, echo_lock)


def test_accepting_a_lead_shows_its_people(aws, sandbox):
    made = sandbox.control(
        "POST",
        "/invitations",
        {
            "payload_type": "LeadInvitation",
            "customer": {"CompanyName": "Leading Customer", "CountryCode": "DE", "AwsMaturity": "Experimenting"},
            "interaction": {"ContactBusinessTitle": "CTO", "SourceType": "Event", "Usecase": "Database"},
            "hidden": {
                "QualificationStatus": "Unqualified",
                "Customer": {"Address": {"City": "Berlin", "PostalCode": "10115", "StateOrRegion": None}},
                "Interaction": {"Contact": {**CONTACT, "Phone": None}, "CustomerAction": "Attended"},
            },
        },
    )
    invitation = {"Catalog": "Sandbox", "Identifier": made["Id"]}
    engagement = {"Catalog": "Sandbox", "Identifier": made["EngagementId"]}
    before = aws.get_engagement_invitation(**invitation)
    assert before["Payload"]["LeadInvitation"]["Customer"]["CountryCode"] == "DE"
    assert "Lee" not in str(before) and "Berlin" not in str(before)
    refused(aws, "ResourceNotFoundException", aws.get_engagement, **engagement)
    mine = {"Catalog": "Sandbox", "EngagementIdentifier": [made["EngagementId"]]}
    assert aws.list_engagements(**mine)["EngagementSummaryList"] == []

    aws.accept_engagement_invitation(**invitation)
    full = aws.get_engagement(**engagement)
    assert full["Arn"].endswith(f"::catalog/Sandbox/engagement/{made['EngagementId']}")
    assert (full["Title"], full["CreatedBy"], full["MemberCount"]) == ("Leading Customer", "aws", 2)
    assert full["ModifiedAt"] == full["CreatedAt"]
    [context] = full["Contexts"]
    assert (context["Id"], context["Type"]) == ("1", "Lead")
    known = drop_empty(context["Payload"]["Lead"])
    [interaction] = known.pop("Interactions")
    assert known == {
        "QualificationStatus": "Unqualified",
        "Customer": {
            "CompanyName": "Leading Customer",
            "AwsMaturity": "Experimenting",
            "Address": {"City": "Berlin", "PostalCode": "10115", "CountryCode": "DE"},
        },
    }
    assert interaction["Contact"] == CONTACT
    assert (interaction["SourceType"], interaction["Usecase"], interaction["CustomerAction"]) == (
        "Event",
        "Database",
        "Attended",
    )
    assert isinstance(interaction["InteractionDate"], datetime.datetime)
    assert aws.get_engagement(Catalog="Sandbox", Identifier=full["Arn"])["Id"] == full["Id"]
    [listed] = aws.list_engagements(**mine, ContextTypes=["Lead"], ExcludeCreatedBy=["000000000000"])[
        "EngagementSummaryList"
    ]
    assert (listed["Id"], listed["ContextTypes"], listed["ModifiedAt"]) == (full["Id"], ["Lead"], full["ModifiedAt"])
    assert aws.list_engagements(**mine, ExcludeContextTypes=["Lead"])["EngagementSummaryList"] == []

    accepted = rung(sandbox, "Engagement Invitation Accepted", made["Id"])
    assert len(accepted) == 2 and accepted[0]["engagementInvitation"]["payloadType"] == "LeadInvitation"
    joined = rung(sandbox, "Engagement Member Added", made["EngagementId"])
    assert joined[0] == {
        "catalog": "Sandbox",
        "engagement": {"id": made["EngagementId"]},
        "engagementMember": {"accountId": "000000000000", "companyName": "Example Partner"},
    }
    created = rung(sandbox, "Engagement Created", made["EngagementId"])
    assert len(joined) == len(created) == 2
    assert set(created[0]["engagement"]) == {"engagementArn", "engagementId", "CreatedAt", "CreatedBy", "ContextTypes"}
    assert (created[0]["engagement"]["CreatedBy"], created[0]["engagement"]["ContextTypes"]) == ("aws", ["Lead"])


def test_a_lead_is_updated_under_the_engagements_lock(aws, verbatim, sandbox):
    identifier = lead(aws, sandbox)
    engagement = {"Catalog": "Sandbox", "Identifier": identifier}
    first = verbatim.get_engagement(**engagement)["ModifiedAt"]
    assert len(first) == len("2026-01-05T20:37:46.972000001Z")
    change = {
        "EngagementIdentifier": identifier,
        "Payload": {
            "Lead": {
                "QualificationStatus": "Qualified",
                "Customer": {"CompanyName": "Another Name", "Industry": "anything"},
                "Interaction": {"Contact": CONTACT, "BusinessProblem": "  Too slow "},
            }
        },
    }
    answer = qualify(verbatim, first, **change)
    assert (answer["EngagementId"], answer["ContextId"]) == (identifier, "1")
    second = answer["EngagementLastModifiedAt"]
    assert second > first
    after = verbatim.get_engagement(**engagement)
    assert (after["ModifiedAt"], after["ModifiedBy"]) == (second, "000000000000")
    known = after["Contexts"][0]["Payload"]["Lead"]
    assert known["QualificationStatus"] == "Qualified"
    assert drop_empty(known["Customer"]) == {"CompanyName": "Another Name", "Industry": "anything"}
    assert [one["Contact"]["LastName"] for one in known["Interactions"]] == ["Customer", "Lead"]
    assert known["Interactions"][1]["BusinessProblem"] == "Too slow"
    updated = rung(sandbox, "Engagement Updated", identifier)
    assert len(updated) == 2
    assert updated[0]["engagement"]["LastModifiedAt"] == second
    assert updated[0]["engagement"]["LastModifiedBy"] == "000000000000"

    refused(aws, "ConflictException", qualify, client=aws, lock=first, **change)
    refused(aws, "ConflictException", qualify, client=aws, lock=second[:26] + "Z", **change)
    unknown = {**change, "ContextIdentifier": "2"}
    refused(aws, "ResourceNotFoundException", qualify, client=aws, lock=second, **unknown)
    project = {**change, "Type": "CustomerProject"}
    found = problems(refused(aws, "ValidationException", qualify, client=aws, lock=second, **project))
    assert found == {("type", "INVALID_VALUE")}

    changes = {"Lead": {"QualificationStatus": None, "Customer": {"MarketSegment": "Startup"}}, "Title": "Renamed"}
    sandbox.control("PATCH", f"/engagements/{identifier}", changes)
    refused(aws, "ConflictException", qualify, client=aws, lock=second, **change)
    full = aws.get_engagement(**engagement)
    assert (full["Title"], full["ModifiedBy"]) == ("Renamed", "aws")
    known = full["Contexts"][0]["Payload"]["Lead"]
    assert not known.get("QualificationStatus")
    assert (known["Customer"]["CompanyName"], known["Customer"]["MarketSegment"]) == ("Another Name", "Startup")
    assert len(rung(sandbox, "Engagement Updated", identifier)) == 4
    sandbox.control("PATCH", f"/engagements/{identifier}", {"Lead": {"QualificationStatus": "New"}, "ring": False})
    assert len(rung(sandbox, "Engagement Updated", identifier)) == 4
    behind = sandbox.control("GET", f"/engagements/{identifier}")
    assert behind["members"] == ["aws", "000000000000"]
    assert behind["Contexts"][0]["Payload"]["Lead"]["QualificationStatus"] == "New"
    for wrong, status in (({"Lead": {"Colour": "blue"}}, 400), ({"Title": None}, 400), ({"CustomerProject": {}}, 404)):
        sandbox.control("PATCH", f"/engagements/{identifier}", wrong, expect=[status])


def test_a_lead_becomes_an_opportunity(aws, sandbox):
    problem = "The lease of the data centre ends next year."
    hidden = {
        "Customer": {"Industry": "Retail", "WebsiteUrl": "https://customer.example", "MarketSegment": "Startup"},
        "Interaction": {"Contact": CONTACT, "BusinessProblem": problem},
    }
    identifier = lead(aws, sandbox, hidden=hidden)
    start = {"Catalog": "Sandbox", "Identifier": identifier, "ContextIdentifier": "1"}
    token = str(uuid.uuid4())
    task = aws.start_opportunity_from_engagement_task(**start, ClientToken=token)
    assert (task["TaskStatus"], task["EngagementId"], task["ContextId"]) == ("COMPLETE", identifier, "1")
    assert f":catalog/Sandbox/opportunity-from-engagement-task/{task['TaskId']}" in task["TaskArn"]
    assert aws.start_opportunity_from_engagement_task(**start, ClientToken=token)["TaskId"] == task["TaskId"]
    other = {**start, "ContextIdentifier": "2"}
    refused(aws, "ConflictException", aws.start_opportunity_from_engagement_task, **other, ClientToken=token)
    listed = aws.list_opportunity_from_engagement_tasks(
        Catalog="Sandbox", EngagementIdentifier=[identifier], ContextIdentifier=["1"], TaskStatus=["COMPLETE"]
    )
    assert [row["OpportunityId"] for row in listed["TaskSummaries"]] == [task["OpportunityId"]]

    made = aws.get_opportunity(Catalog="Sandbox", Identifier=task["OpportunityId"])
    assert made["LifeCycle"]["ReviewStatus"] == "Pending Submission"
    assert made["LifeCycle"]["TargetCloseDate"] == in_days(90)
    assert made["Project"]["Title"] == "Converted from Lead"
    assert made["Project"]["ExpectedCustomerSpend"] == []
    assert made["Project"]["CustomerBusinessProblem"] == problem
    account = drop_empty(made["Customer"]["Account"])
    assert account["Industry"] == "Retail" and account["Address"]["City"] == "Seattle"
    [contact] = made["Customer"]["Contacts"]
    assert contact["LastName"] == "Lead" and not contact.get("Email"), "only lower-case addresses fit an opportunity"
    full = aws.get_engagement(Catalog="Sandbox", Identifier=identifier)
    assert [(context["Id"], context["Type"]) for context in full["Contexts"]] == [("1", "Lead"), ("2", "CustomerProject")]
    project = full["Contexts"][1]["Payload"]["CustomerProject"]
    assert project["Customer"]["CompanyName"] == "Example Customer"
    assert project["Project"]["TargetCompletionDate"] == in_days(90)
    assert len(rung(sandbox, "Opportunity Created", task["OpportunityId"])) == 2
    assert rung(sandbox, "Engagement Updated", identifier)[-1]["engagement"]["ContextTypes"] == ["Lead", "CustomerProject"]

    failed = aws.start_opportunity_from_engagement_task(**other, ClientToken=str(uuid.uuid4()))
    assert (failed["TaskStatus"], failed["ReasonCode"]) == ("FAILED", "CustomerProjectContextNotPermitted")

    body = echo(aws, task["OpportunityId"])
    body["PrimaryNeedsFromAws"] = ["Co-Sell - Deal Support"]
    body["Project"] |= {
        key: creation()["Project"][key]
        for key in ("CustomerUseCase", "DeliveryModels", "SalesActivities", "ExpectedCustomerSpend")
    } | {"OtherSolutionDescription": "Our own"}
    aws.update_opportunity(**body)
    submission = aws.start_engagement_from_opportunity_task(
        Catalog="Sandbox",
        ClientToken=str(uuid.uuid4()),
        Identifier=task["OpportunityId"],
        AwsSubmission={"InvolvementType": "Co-Sell"},
    )
    assert (submission["TaskStatus"], submission["EngagementId"]) == ("COMPLETE", identifier)
    assert not submission.get("EngagementInvitationId"), "AWS is in the engagement already"
    review = {"status": "Approved"}
    sandbox.control("POST", f"/opportunities/{task['OpportunityId']}/review", review)
    assert echo(aws, task["OpportunityId"])["LifeCycle"]["ReviewStatus"] == "Approved"


def test_a_lead_that_cannot_be_converted_fails_its_task(aws, sandbox):
    identifier = lead(aws, sandbox, hidden={"QualificationStatus": "Disqualified"})
    before = opportunities(sandbox)
    start = {"Catalog": "Sandbox", "Identifier": identifier}
    for context, reason in (("1", "DisqualifiedLeadNotPermitted"), ("7", "ContextNotFound")):
        task = {**start, "ContextIdentifier": context, "ClientToken": str(uuid.uuid4())}
        failed = aws.start_opportunity_from_engagement_task(**task)
        assert (failed["TaskStatus"], failed["ReasonCode"]) == ("FAILED", reason)
        assert failed["Message"] and not failed.get("OpportunityId") and not failed.get("ResourceSnapshotJobId")
        assert aws.start_opportunity_from_engagement_task(**task)["TaskId"] == failed["TaskId"]
    listed = aws.list_opportunity_from_engagement_tasks(
        Catalog="Sandbox", EngagementIdentifier=[identifier], TaskStatus=["FAILED"]
    )
    assert [row["ReasonCode"] for row in listed["TaskSummaries"]] == ["DisqualifiedLeadNotPermitted", "ContextNotFound"]
    assert opportunities(sandbox) == before
    unknown = {"Identifier": "eng-0123456789abcd", "ContextIdentifier": "1", "ClientToken": str(uuid.uuid4())}
    refused(
        aws, "ResourceNotFoundException", aws.start_opportunity_from_engagement_task, Catalog="Sandbox", **unknown
    )


def test_referrals_and_submissions_have_engagements_too(aws, sandbox):
    made = sandbox.control("POST", "/invitations", {"project": {"Title": "A referral"}})
    referral = {"Catalog": "Sandbox", "Identifier": made["EngagementId"]}
    refused(aws, "ResourceNotFoundException", aws.get_engagement, **referral)
    aws.start_engagement_by_accepting_invitation_task(Catalog="Sandbox", Identifier=made["Id"], ClientToken=made["Id"])
    [context] = aws.get_engagement(**referral)["Contexts"]
    assert context["Payload"]["CustomerProject"]["Project"]["Title"] == "A referral"

    identifier = submitted(aws)
    [task] = aws.list_engagement_from_opportunity_tasks(Catalog="Sandbox", OpportunityIdentifier=[identifier])[
        "TaskSummaries"
    ]
    submission = {"Catalog": "Sandbox", "Identifier": task["EngagementId"]}
    assert aws.get_engagement(**submission)["MemberCount"] == 1
    sandbox.control("POST", f"/opportunities/{identifier}/review", {"status": "Approved"})
    engagement = aws.get_engagement(**submission)
    assert (engagement["MemberCount"], engagement["CreatedBy"]) == (2, "000000000000")
    newest = aws.list_engagements(Catalog="Sandbox", ContextTypes=["CustomerProject"], MaxResults=2)
    assert [row["Id"] for row in newest["EngagementSummaryList"]] == [task["EngagementId"], made["EngagementId"]]


def test_an_invitation_expires(aws, sandbox):
    made = sandbox.control("POST", "/invitations", {"expires_in_seconds": 0})
    invitation = aws.get_engagement_invitation(Catalog="Sandbox", Identifier=made["Id"])
    assert invitation["Status"] == "EXPIRED"
    assert any(made["Id"] in str(event["detail"]) for event in sandbox.events("Engagement Invitation Expired"))


def decide(sandbox, invitation, status, **more):
    return sandbox.control("POST", f"/invitations/{invitation}/decide", {"status": status, **more})


def test_invitations_are_decided_elsewhere_too(aws, sandbox):
    referral = sandbox.control("POST", "/invitations", {"project": {"Title": "Taken in the portal"}})
    decided = decide(sandbox, referral["Id"], "ACCEPTED")
    assert (decided["Status"], decided["EngagementId"]) == ("ACCEPTED", referral["EngagementId"])
    made = aws.get_opportunity(Catalog="Sandbox", Identifier=decided["OpportunityId"])
    assert made["Project"]["Title"] == "Taken in the portal"
    assert len(rung(sandbox, "Engagement Invitation Accepted", referral["Id"])) == 2
    assert len(rung(sandbox, "Opportunity Created", decided["OpportunityId"])) == 2
    tasks = aws.list_engagement_by_accepting_invitation_tasks(
        Catalog="Sandbox", EngagementInvitationIdentifier=[referral["Id"]]
    )
    assert tasks["TaskSummaries"] == [], "nobody called the API"
    call = {"Catalog": "Sandbox", "Identifier": referral["Id"]}
    refused(
        aws, "ConflictException", aws.start_engagement_by_accepting_invitation_task, **call, ClientToken=referral["Id"]
    )
    again = f"/invitations/{referral['Id']}/decide"
    assert "ACCEPTED already" in sandbox.control("POST", again, {"status": "REJECTED"}, expect=[409])["error"]
    sandbox.control("POST", "/invitations/engi-0123456789abc/decide", {"status": "REJECTED"}, expect=[404])
    sandbox.control("POST", again, {"status": "PENDING"}, expect=[400])

    made = sandbox.control("POST", "/invitations", {"payload_type": "LeadInvitation"})
    assert decide(sandbox, made["Id"], "ACCEPTED")["OpportunityId"] is None
    assert aws.get_engagement(Catalog="Sandbox", Identifier=made["EngagementId"])["MemberCount"] == 2


def test_a_decision_may_be_lost_on_its_way(aws, sandbox):
    for status, what in (("ACCEPTED", "Accepted"), ("REJECTED", "Rejected"), ("EXPIRED", "Expired")):
        made = sandbox.control("POST", "/invitations", {})
        heard = sandbox.control("GET", "/state")["events"]
        decide(sandbox, made["Id"], status, ring=False)
        seen = aws.get_engagement_invitation(Catalog="Sandbox", Identifier=made["Id"])
        assert seen["Status"] == status
        if status == "EXPIRED":
            assert seen["ExpirationDate"] <= datetime.datetime.now(datetime.UTC)
        assert rung(sandbox, f"Engagement Invitation {what}", made["Id"]) == []
        assert sandbox.control("GET", "/state")["events"] == heard


def test_awss_people_decide_on_what_we_sent(aws, sandbox):
    for status, review in (("ACCEPTED", "Approved"), ("REJECTED", "Rejected"), ("EXPIRED", "Submitted")):
        identifier = submitted(aws)
        [task] = aws.list_engagement_from_opportunity_tasks(Catalog="Sandbox", OpportunityIdentifier=[identifier])[
            "TaskSummaries"
        ]
        decided = decide(sandbox, task["EngagementInvitationId"], status)
        assert (decided["Status"], decided["OpportunityId"]) == (status, identifier)
        assert echo(aws, identifier)["LifeCycle"]["ReviewStatus"] == review
        path = f"/invitations/{task['EngagementInvitationId']}/decide"
        sandbox.control("POST", path, {"status": "ACCEPTED"}, expect=[409])


def test_lists_page_filter_and_sort(aws, sandbox):
    company = f"Page Customer {uuid.uuid4().hex[:8]}"
    made = []
    for _ in range(5):
        body = creation()
        body["Customer"]["Account"]["CompanyName"] = company
        made.append(aws.create_opportunity(**body))
    pages = aws.get_paginator("list_opportunities").paginate(
        Catalog="Sandbox",
        CustomerCompanyName=[company],
        Sort={"SortBy": "LastModifiedDate", "SortOrder": "ASCENDING"},
        PaginationConfig={"PageSize": 2},
    )
    pages = [[row["Id"] for row in page["OpportunitySummaries"]] for page in pages]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [identifier for page in pages for identifier in page] == [one["Id"] for one in made]

    newest = aws.list_opportunities(Catalog="Sandbox", CustomerCompanyName=[company])["OpportunitySummaries"]
    assert [row["Id"] for row in newest] == [one["Id"] for one in reversed(made)], "newest first is the default"
    after = aws.list_opportunities(
        Catalog="Sandbox",
        CustomerCompanyName=[company],
        LastModifiedDate={"AfterLastModifiedDate": made[3]["LastModifiedDate"]},
    )["OpportunitySummaries"]
    assert {row["Id"] for row in after} == {made[3]["Id"], made[4]["Id"]}
    before = aws.list_opportunities(
        Catalog="Sandbox",
        CustomerCompanyName=[company],
        LastModifiedDate={"BeforeLastModifiedDate": made[0]["LastModifiedDate"]},
    )["OpportunitySummaries"]
    assert [row["Id"] for row in before] == [made[0]["Id"]]
    one = aws.list_opportunities(Catalog="Sandbox", Identifier=[made[2]["Id"]])["OpportunitySummaries"]
    assert [row["Id"] for row in one] == [made[2]["Id"]]
    status = aws.list_opportunities(
        Catalog="Sandbox", CustomerCompanyName=[company], LifeCycleReviewStatus=["Approved"]
    )
    assert status["OpportunitySummaries"] == []
    stage = aws.list_opportunities(Catalog="Sandbox", CustomerCompanyName=[company], LifeCycleStage=["Prospect"])
    assert len(stage["OpportunitySummaries"]) == 5
    refused(aws, "ValidationException", aws.list_opportunities, Catalog="Sandbox", NextToken="nonsense")
    refused(aws, "ValidationException", aws.list_opportunities, Catalog="Sandbox", MaxResults=101)


def test_unknown_things_are_not_found(aws):
    refused(aws, "ResourceNotFoundException", aws.get_opportunity, Catalog="Sandbox", Identifier="O1")
    identifier = aws.create_opportunity(**creation())["Id"]
    refused(aws, "ResourceNotFoundException", aws.get_opportunity, Catalog="AWS", Identifier=identifier)
    found = problems(refused(aws, "ValidationException", aws.get_opportunity, Catalog="Sandbox", Identifier="006"))
    assert found == {("identifier", "INVALID_STRING_FORMAT")}


def test_an_operation_the_sandbox_lacks_says_so(aws):
    response = refused(aws, "UnknownOperationException", aws.list_resource_snapshot_jobs, Catalog="Sandbox")
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert "not implemented by the sandbox" in str(response)


def test_awss_people_edit_too(aws, sandbox):
    identifier = sandbox.control(
        "POST",
        "/opportunities",
        {"Origin": "AWS Referral", "Project": {"Title": "From AWS"}, "LifeCycle": {"ReviewStatus": "Approved"}},
    )["Id"]
    first = aws.get_opportunity(Catalog="Sandbox", Identifier=identifier)
    assert first["Project"]["Title"] == "From AWS"
    heard = len(sandbox.events("Opportunity Updated"))
    sandbox.control("PATCH", f"/opportunities/{identifier}", {"LifeCycle": {"NextSteps": "Meet"}})
    second = aws.get_opportunity(Catalog="Sandbox", Identifier=identifier)
    assert second["LifeCycle"]["NextSteps"] == "Meet"
    assert second["Project"] == first["Project"]
    assert second["LastModifiedDate"] > first["LastModifiedDate"]
    facts = {"LifeCycle": {"Stage": "Technical Validation"}, "Insights": {"EngagementScore": "High"}}
    sandbox.control("PATCH", f"/opportunities/{identifier}/summary", facts)
    summary = aws.get_aws_opportunity_summary(Catalog="Sandbox", RelatedOpportunityIdentifier=identifier)
    assert summary["LifeCycle"]["Stage"] == "Technical Validation"
    assert summary["Insights"]["EngagementScore"] == "High"
    sandbox.control("POST", f"/opportunities/{identifier}/ring")
    assert len(sandbox.events("Opportunity Updated")) == heard + 6
    ids = [event["id"] for event in sandbox.events()]
    assert len(ids) == len(set(ids))


def test_free_text_comes_back_escaped_when_switched_on(aws, sandbox):
    body = creation()
    body["Project"]["Title"] = "Phase 1: assess"
    body["Project"]["CustomerUseCase"] = "Business Applications: Mainframe Modernization"
    identifier = aws.create_opportunity(**body)["Id"]
    sandbox.control("POST", "/switches", {"escape_text": True})
    project = aws.get_opportunity(Catalog="Sandbox", Identifier=identifier)["Project"]
    assert project["Title"] == "Phase 1&amp;colon; assess"
    response = refused(aws, "ValidationException", aws.update_opportunity, **echo(aws, identifier))
    assert ("project.customerUseCase", "INVALID_ENUM_VALUE") in problems(response)


def test_quotas_throttle_when_switched_on(aws, sandbox):
    sandbox.control("POST", "/switches", {"enforce_quotas": True})
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        for _ in range(200):
            aws.list_solutions(Catalog="Sandbox")
    assert caught.value.response["Error"]["Code"] == "ThrottlingException"


def test_faults_happen_as_often_as_told(aws, sandbox):
    fault = {"face": "partner_central", "status": 500, "count": 1, "operation": "ListSolutions"}
    sandbox.control("POST", "/faults", fault)
    aws.list_opportunities(Catalog="Sandbox")
    refused(aws, "InternalServerException", aws.list_solutions, Catalog="Sandbox")
    aws.list_solutions(Catalog="Sandbox")


def test_a_lost_answer_leaves_its_effect(aws, sandbox):
    body = creation()
    fault = {"face": "partner_central", "status": 503, "count": 1, "operation": "CreateOpportunity", "after": True}
    sandbox.control("POST", "/faults", fault)
    before = sandbox.control("GET", "/state")["opportunities"]
    refused(aws, "ServiceUnavailableException", aws.create_opportunity, **body)
    assert sandbox.control("GET", "/state")["opportunities"] == before + 1
    aws.create_opportunity(**body)
    assert sandbox.control("GET", "/state")["opportunities"] == before + 1


def weather(sandbox, kind, face="partner_central", **forecast):
    sandbox.control("POST", "/calls/reset")
    forecast = {"percent": 100, "kinds": [kind], **forecast}
    sandbox.control("POST", "/weather", {"face": face, **forecast})


def struck(sandbox):
    return [(call["weather"], call["status"], call["acted"]) for call in sandbox.control("GET", "/calls")]


def opportunities(sandbox):
    return sandbox.control("GET", "/state")["opportunities"]


def test_weather_throttles_before_acting_and_spends_no_quota(aws, sandbox):
    sandbox.control("POST", "/switches", {"enforce_quotas": True})
    weather(sandbox, "throttle")
    before = opportunities(sandbox)
    for _ in range(3):
        response = refused(aws, "ThrottlingException", aws.create_opportunity, **creation())
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert struck(sandbox) == [("throttle", 400, False)] * 3
    assert {call["error"] for call in sandbox.control("GET", "/calls")} == {"throttle"}
    assert opportunities(sandbox) == before
    [seen] = sandbox.control("DELETE", "/weather")
    assert (seen["requests"], seen["struck"]) == (3, {"throttle": 3})
    assert sandbox.control("GET", "/weather") == []
    aws.create_opportunity(**creation())


def test_weather_errors_lose_the_request_or_the_answer(aws, sandbox):
    weather(sandbox, "error", seed=7)
    before = opportunities(sandbox)
    for _ in range(6):
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            aws.create_opportunity(**creation())
        answer = caught.value.response
        assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]) in {
            (500, "InternalServerException"),
            (503, "ServiceUnavailableException"),
        }
    assert [acted for _, _, acted in struck(sandbox)] == [False, True] * 3
    assert opportunities(sandbox) == before + 3


def test_weather_drops_connections(aws, sandbox):
    weather(sandbox, "drop")
    body = creation()
    before = opportunities(sandbox)
    for _ in range(2):
        with pytest.raises(botocore.exceptions.ConnectionClosedError):
            aws.create_opportunity(**body)
    assert struck(sandbox) == [("drop", None, False), ("drop", None, True)]
    assert opportunities(sandbox) == before + 1

    url = urllib.parse.urlsplit(sandbox.partner_central)
    with socket.create_connection((url.hostname, url.port), timeout=10) as line:
        line.sendall(b"POST / HTTP/1.1\r\nhost: sandbox\r\ncontent-length: 2\r\n\r\n{}")
        assert line.recv(1) == b"", "not one byte comes back"

    sandbox.control("DELETE", "/weather")
    aws.create_opportunity(**body)
    assert opportunities(sandbox) == before + 1, "the token knows what was done already"


def test_weather_slows_answers_but_not_deeds(aws, sandbox):
    weather(sandbox, "slow", slow_millis=400)
    started = time.monotonic()
    aws.list_solutions(Catalog="Sandbox")
    refused(aws, "ResourceNotFoundException", aws.get_opportunity, Catalog="Sandbox", Identifier="O1")
    assert time.monotonic() - started >= 0.8
    calls = sandbox.control("GET", "/calls")
    assert struck(sandbox) == [("slow", 200, True), ("slow", 400, True)]
    assert [call["error"] for call in calls] == ["slow", "ResourceNotFoundException"]

    hasty = selling(sandbox, read_timeout=0.1)
    before = opportunities(sandbox)
    with pytest.raises(botocore.exceptions.ReadTimeoutError):
        hasty.create_opportunity(**creation())
    assert opportunities(sandbox) == before + 1
    assert struck(sandbox)[-1] == ("slow", 200, True)


def test_weather_repeats_itself_by_its_seed(aws, sandbox):
    def fates(seed):
        kinds = ["throttle", "error", "slow"]
        weather(sandbox, None, percent=40, kinds=kinds, seed=seed, slow_millis=0)
        for _ in range(50):
            with contextlib.suppress(botocore.exceptions.ClientError):
                aws.list_solutions(Catalog="Sandbox")
        return struck(sandbox)

    first = fates(7)
    assert fates(7) == first
    assert fates(8) != first
    assert {kind for kind, _, _ in first} == {None, "throttle", "error", "slow"}
    [seen] = sandbox.control("GET", "/weather")
    assert (seen["face"], seen["percent"], seen["seed"], seen["requests"]) == ("partner_central", 40, 8, 50)
    assert sum(seen["struck"].values()) == len([kind for kind, _, _ in struck(sandbox) if kind])


def test_calls_add_up(aws, sandbox):
    identifier = aws.create_opportunity(**creation())["Id"]
    sandbox.control("POST", "/calls/reset")
    for _ in range(3):
        aws.get_opportunity(Catalog="Sandbox", Identifier=identifier)
    refused(aws, "ResourceNotFoundException", aws.get_opportunity, Catalog="Sandbox", Identifier="O1")
    aws.update_opportunity(**echo(aws, identifier))
    summary = sandbox.control("GET", "/calls/summary")
    assert summary["partner_central"]["operations"] == {
        "GetOpportunity": {"count": 5, "acted": 5, "by_status": {"200": 4, "400": 1}},
        "UpdateOpportunity": {"count": 1, "acted": 1, "by_status": {"200": 1}},
    }
    quota = summary["partner_central"]["quota"]
    assert quota["read"]["count"] == 5 and 1 <= quota["read"]["most_in_a_second"] <= 5
    assert quota["write"] == {"count": 1, "most_in_a_second": 1}
    assert summary["salesforce"]["operations"] == {}


# Salesforce


class PlainHttp(requests.adapters.HTTPAdapter):
    """simple-salesforce always says https."""

    def send(self, request, **options):
        request.url = "http" + request.url.removeprefix("https")
        return super().send(request, **options)


def log_in(sandbox, client, secret):
    answer = sandbox.http.post(
        sandbox.salesforce + "/services/oauth2/token",
        data={"grant_type": "client_credentials", "client_id": client, "client_secret": secret},
        timeout=10,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def client(sandbox, token):
    session = requests.Session()
    session.trust_env = False
    session.mount("https://", PlainHttp())
    host = urllib.parse.urlsplit(token["instance_url"]).netloc
    return simple_salesforce.Salesforce(
        instance=host, session_id=token["access_token"], session=session, version=VERSION
    )


@pytest.fixture(scope="session")
def integration(sandbox):
    return log_in(sandbox, "cosell-integration", "sandbox-secret")


@pytest.fixture(scope="session")
def crm(sandbox, integration):
    return client(sandbox, integration)


@pytest.fixture(scope="session")
def rep(sandbox):
    return client(sandbox, log_in(sandbox, "rep", "rep-secret"))


def deal(**changes):
    return {"Name": "Deal", "StageName": "Prospecting", "CloseDate": in_days(30), **changes}


def new_key():
    return "O" + str(uuid.uuid4().int)[:15]


def code_of(caught):
    return caught.value.content[0]["errorCode"]


def test_token(sandbox, integration):
    assert integration["token_type"] == "Bearer"
    assert integration["instance_url"] == sandbox.salesforce
    assert integration["id"].rsplit("/", 1)[1].startswith("005")
    assert "expires_in" not in integration and "refresh_token" not in integration
    url = sandbox.salesforce + "/services/oauth2/token"

    def chunked():
        yield b"grant_type=client_"
        yield b"credentials"

    basic = sandbox.http.post(
        url,
        data=chunked(),
        auth=("rep", "rep-secret"),
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert basic.status_code == 200, basic.text
    assert basic.json()["id"] != integration["id"]
    for form, error in (
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials", "client_id": "nobody"}, "invalid_client_id"),
        ({"grant_type": "client_credentials", "client_id": "rep", "client_secret": "x"}, "invalid_client"),
    ):
        answer = sandbox.http.post(url, data=form)
        assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_versions_need_no_login(sandbox):
    versions = sandbox.http.get(sandbox.salesforce + "/services/data/").json()
    assert {"label", "url", "version"} == set(versions[0])
    assert VERSION in {entry["version"] for entry in versions}


def test_a_wrong_session_is_401(sandbox):
    stranger = client(sandbox, {"instance_url": sandbox.salesforce, "access_token": "stale"})
    with pytest.raises(sf_errors.SalesforceExpiredSession) as caught:
        stranger.Opportunity.describe()
    assert code_of(caught) == "INVALID_SESSION_ID"


def test_describe(crm):
    described = crm.Opportunity.describe()
    fields = {field["name"]: field for field in described["fields"]}
    assert described["keyPrefix"] == "006"
    assert fields[OUR_ID]["externalId"] and fields[OUR_ID]["unique"] and fields[OUR_ID]["idLookup"]
    assert fields["Name"]["length"] == 120 and not fields["Name"]["nillable"]
    assert fields["ACE_Delivery_Models__c"]["type"] == "multipicklist"
    assert not fields["ACE_Delivery_Models__c"]["restrictedPicklist"]
    assert fields["AccountId"]["relationshipName"] == "Account"
    assert not fields["SystemModstamp"]["updateable"]
    stages = [entry["value"] for entry in fields["StageName"]["picklistValues"]]
    assert stages[0] == "Prospecting" and stages[-1] == "Closed Lost"
    names = {entry["name"] for entry in crm.describe()["sobjects"]}
    assert {"Opportunity", "Lead", "Account", "User"} <= names
    with pytest.raises(sf_errors.SalesforceResourceNotFound):
        crm.Nothing__c.describe()


def test_upsert_creates_then_updates(crm, integration):
    key = new_key()
    assert crm.Opportunity.upsert(f"{OUR_ID}/{key}", deal(Amount=12500)) == 201
    answer = crm.Opportunity.upsert(f"{OUR_ID}/{key.lower()}", {"NextStep": "Call"}, raw_response=True)
    assert answer.status_code == 200
    assert answer.json()["created"] is False and answer.json()["success"] is True
    row = crm.Opportunity.get_by_custom_id(OUR_ID, key)
    assert row["Id"] == answer.json()["id"] and len(row["Id"]) == 18
    assert (row["NextStep"], row["Amount"]) == ("Call", 12500.0)
    assert row["LastModifiedById"] == integration["id"].rsplit("/", 1)[1]
    assert row["SystemModstamp"].endswith(".000+0000")
    usage = crm.api_usage["api-usage"]
    assert 0 < usage.used <= usage.total


def test_update_only_never_creates(crm):
    path = f"{OUR_ID}/{new_key()}?updateOnly=true"
    with pytest.raises(sf_errors.SalesforceResourceNotFound) as caught:
        crm.Opportunity.upsert(path, {"NextStep": "Call"})
    assert code_of(caught) == "NOT_FOUND"


def test_single_records(crm, rep):
    account = rep.Account.create({"Name": "Example"})["id"]
    assert account.startswith("001") and len(account) == 18
    made = rep.Opportunity.create(deal(AccountId=account[:15], Description="x"))
    assert made["success"] and made["errors"] == []
    assert rep.Opportunity.update(made["id"], {"Description": None}) == 204
    row = crm.Opportunity.get(made["id"])
    assert (row["AccountId"], row["Description"]) == (account, None)
    user = crm.query("SELECT Id FROM User WHERE Username LIKE 'integration%'")["records"][0]["Id"]
    assert row["LastModifiedById"] != user
    assert rep.Opportunity.delete(made["id"]) == 204
    with pytest.raises(sf_errors.SalesforceResourceNotFound) as caught:
        crm.Opportunity.get(made["id"])
    assert code_of(caught) == "ENTITY_IS_DELETED"
    with pytest.raises(sf_errors.SalesforceResourceNotFound) as caught:
        crm.Opportunity.get("006Hs0999999999")
    assert code_of(caught) == "NOT_FOUND"


def test_errors_name_their_code(crm):
    key = new_key()
    crm.Opportunity.upsert(f"{OUR_ID}/{key}", deal())
    for body, code in (
        (deal(Nope=1), "INVALID_FIELD"),
        ({"Name": "x"}, "REQUIRED_FIELD_MISSING"),
        (deal(Name="x" * 121), "STRING_TOO_LONG"),
        (deal(ACE_Response__c="Perhaps"), "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        (deal(ACE_Contact_Email__c="nobody"), "INVALID_EMAIL_ADDRESS"),
        (deal(**{OUR_ID: key.lower()}), "DUPLICATE_VALUE"),
        (deal(CreatedDate="2026-01-01T00:00:00Z"), "INVALID_FIELD_FOR_INSERT_UPDATE"),
        (deal(CloseDate="soon"), "JSON_PARSER_ERROR"),
        (deal(AccountId="001Hs0999999999"), "INVALID_CROSS_REFERENCE_KEY"),
    ):
        with pytest.raises(sf_errors.SalesforceMalformedRequest) as caught:
            crm.Opportunity.create(body)
        assert code_of(caught) == code
    with pytest.raises(sf_errors.SalesforceMalformedRequest) as caught:
        crm.query("SELECT Id FROM Opportunity WHERE")
    assert code_of(caught) == "MALFORMED_QUERY"
    with pytest.raises(sf_errors.SalesforceMalformedRequest) as caught:
        crm.query("SELECT Nope__c FROM Opportunity")
    assert code_of(caught) == "INVALID_FIELD"


def test_queries_page_with_parents(crm, rep):
    mark = uuid.uuid4().hex[:12]
    account = rep.Account.create({"Name": f"Account {mark}"})["id"]
    for start in range(0, 450, 150):
        records = [
            {"attributes": {"type": "Opportunity"}, **deal(Name=f"{mark} {index:03}", AccountId=account)}
            for index in range(start, start + 150)
        ]
        results = rep.restful(
            "composite/sobjects", method="POST", data=json.dumps({"allOrNone": True, "records": records})
        )
        assert all(result["success"] for result in results)
    query = (
        "SELECT Id, Name, Account.Name, Account.Owner.Email, Owner.Username FROM Opportunity "
        f"WHERE Name LIKE '{mark}%' ORDER BY Name DESC"
    )
    headers = {"Sforce-Query-Options": "batchSize=200"}
    first = crm.query(query, headers=headers)
    assert (first["totalSize"], first["done"], len(first["records"])) == (450, False, 200)
    assert first["nextRecordsUrl"].startswith(f"/services/data/v{VERSION}/query/01g")
    assert first["records"][0]["Account"]["Name"] == f"Account {mark}"
    assert first["records"][0]["Account"]["Owner"]["Email"] == "rep@partner.example"
    rows = crm.query_all(query, headers=headers)["records"]
    assert [row["Name"] for row in rows] == [f"{mark} {index:03}" for index in reversed(range(450))]
    count = crm.query(f"SELECT COUNT() FROM Opportunity WHERE Name LIKE '{mark}%'")
    assert count["totalSize"] == 450


def test_windows_by_system_modstamp(crm):
    key = new_key()
    crm.Opportunity.upsert(f"{OUR_ID}/{key}", deal(Name="O'Neill \\ Söhne"))
    stamp = crm.Opportunity.get_by_custom_id(OUR_ID, key)["SystemModstamp"]
    moment = stamp.replace(".000+0000", "Z")
    found = crm.query(
        f"SELECT {OUR_ID} FROM Opportunity WHERE SystemModstamp >= {moment} AND Name = 'O\\'Neill \\\\ Söhne' "
        f"AND ({OUR_ID} = '{key}' OR Share_With_AWS__c = true)"
    )
    assert [row[OUR_ID] for row in found["records"]] == [key]
    assert crm.query(f"SELECT Id FROM Opportunity WHERE {OUR_ID} = '{key}' AND SystemModstamp < {moment}")["totalSize"] == 0


def test_collections_answer_in_order(crm):
    keys = [new_key() for _ in range(3)]
    crm.Opportunity.upsert(f"{OUR_ID}/{keys[0]}", deal())

    def upsert(records, all_or_none=False):
        body = {"allOrNone": all_or_none, "records": records}
        return crm.restful(
            f"composite/sobjects/Opportunity/{OUR_ID}", method="PATCH", data=json.dumps(body)
        )

    def record(key, **changes):
        return {"attributes": {"type": "Opportunity"}, OUR_ID: key, **deal(**changes)}

    results = upsert([record(keys[0]), record(keys[1], Name="x" * 121), record(keys[2])])
    assert [result["success"] for result in results] == [True, False, True]
    assert [results[0]["created"], results[2]["created"]] == [False, True]
    error = results[1]["errors"][0]
    assert (error["statusCode"], error["fields"]) == ("STRING_TOO_LONG", ["Name"])

    results = upsert([record(new_key()), record(keys[1], Name=None)], all_or_none=True)
    assert results[0]["errors"][0]["statusCode"] == "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    assert results[1]["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"
    with pytest.raises(sf_errors.SalesforceMalformedRequest):
        upsert([record(new_key()) for _ in range(201)])

    ids = [row["Id"] for row in crm.query(f"SELECT Id FROM Opportunity WHERE {OUR_ID} IN ('{keys[0]}','{keys[2]}')")["records"]]
    updates = [{"attributes": {"type": "Opportunity"}, "id": one, "NextStep": "Call"} for one in ids]
    results = crm.restful("composite/sobjects", method="PATCH", data=json.dumps({"records": updates}))
    assert [result["id"] for result in results] == ids
    rows = crm.restful(
        "composite/sobjects/Opportunity", method="POST", data=json.dumps({"ids": ids, "fields": ["NextStep"]})
    )
    assert [row["NextStep"] for row in rows] == ["Call", "Call"]
    results = crm.restful("composite/sobjects", method="DELETE", params={"ids": ",".join(ids)})
    assert all(result["success"] for result in results)


def test_updated_and_deleted(crm):
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    start, end = now - datetime.timedelta(minutes=1), now + datetime.timedelta(minutes=1)
    kept, gone = (crm.Lead.create({"LastName": "Doe", "Company": "Example"})["id"] for _ in range(2))
    assert crm.Lead.get(kept)["Status"] == "Open - Not Contacted"
    crm.Lead.delete(gone)
    updated = crm.Lead.updated(start, end)
    assert kept in updated["ids"] and gone not in updated["ids"]
    assert updated["latestDateCovered"].endswith("+0000")
    deleted = crm.Lead.deleted(start, end)
    assert gone in {entry["id"] for entry in deleted["deletedRecords"]}
    assert crm.query_all(f"SELECT Id FROM Lead WHERE Id = '{gone}'", include_deleted=True)["totalSize"] == 1
    assert crm.query(f"SELECT Id FROM Lead WHERE Id = '{gone}'")["totalSize"] == 0


def test_limits(crm):
    limit = crm.limits()["DailyApiRequests"]
    assert 0 < limit["Remaining"] < limit["Max"]


def test_conditional_writes(crm):
    made = crm.Lead.create({"LastName": "Doe", "Company": "Example"})["id"]
    old = {"If-Unmodified-Since": "Thu, 01 Jan 2026 00:00:00 GMT"}
    with pytest.raises(sf_errors.SalesforceError) as caught:
        crm.Lead.update(made, {"City": "Austin"}, headers=old)
    assert caught.value.status == 412
    assert crm.Lead.get(made)["City"] is None
    future = {"If-Unmodified-Since": "Fri, 01 Jan 2049 00:00:00 GMT"}
    assert crm.Lead.update(made, {"City": "Austin"}, headers=future) == 204


def test_salesforce_faults_and_calls(crm, sandbox):
    sandbox.control("POST", "/calls/reset")
    sandbox.control("POST", "/faults", {"face": "salesforce", "status": 503, "count": 1, "operation": "query"})
    with pytest.raises(sf_errors.SalesforceError) as caught:
        crm.query("SELECT Id FROM Lead")
    assert caught.value.status == 503 and code_of(caught) == "SERVER_UNAVAILABLE"
    sandbox.control("POST", "/faults", {"face": "salesforce", "status": 401, "count": 1})
    with pytest.raises(sf_errors.SalesforceExpiredSession):
        crm.query("SELECT Id FROM Lead")
    crm.query("SELECT Id FROM Lead")
    calls = sandbox.control("GET", "/calls")
    assert [(call["face"], call["operation"], call["status"]) for call in calls] == [
        ("salesforce", "query", 503),
        ("salesforce", "query", 401),
        ("salesforce", "query", 200),
    ]


def test_salesforce_has_weather_too(crm, sandbox):
    weather(sandbox, "throttle", face="salesforce")
    log_in(sandbox, "rep", "rep-secret")
    with pytest.raises(sf_errors.SalesforceRefusedRequest) as caught:
        crm.query("SELECT Id FROM Lead")
    assert code_of(caught) == "REQUEST_LIMIT_EXCEEDED"
    weather(sandbox, "drop", face="salesforce")
    keys = [new_key(), new_key()]
    for key in keys:
        with pytest.raises(requests.exceptions.ConnectionError):
            crm.Opportunity.upsert(f"{OUR_ID}/{key}", deal())
    assert [acted for _, _, acted in struck(sandbox)] == [False, True]
    sandbox.control("DELETE", "/weather")
    rows = crm.query(f"SELECT {OUR_ID} FROM Opportunity WHERE {OUR_ID} IN ('{keys[0]}','{keys[1]}')")["records"]
    assert [row[OUR_ID] for row in rows] == [keys[1]]


# The control API itself


def test_control_refuses_what_it_does_not_know(sandbox):
    assert sandbox.control("GET", "/health") == {"status": "ok"}
    assert "no such route" in sandbox.control("GET", "/nothing", expect=[404])["error"]
    assert "no such route" in sandbox.control("PUT", "/faults", expect=[404])["error"]
    assert "colour" in sandbox.control("POST", "/switches", {"colour": 1}, expect=[400])["error"]
    assert "error" in sandbox.control("POST", "/faults", {"face": "nobody", "status": 503}, expect=[400])
    for forecast in ({"percent": 101}, {"percent": 5, "kinds": []}, {"percent": 5, "kinds": ["hail"]}, {}):
        sandbox.control("POST", "/weather", {"face": "salesforce", **forecast}, expect=[400])
    answer = sandbox.control("POST", "/opportunities", {"Project": {"Colour": "blue"}}, expect=[400])
    assert answer["problems"] == [
        {"code": "INVALID_VALUE", "message": "project.colour is not a member of this request"}
    ]
    assert "problems" in sandbox.control("POST", "/opportunities/O1/review", {"status": "Approved"}, expect=[404])
    assert "no bucket" in sandbox.control(
        "POST", "/files/drop", {"folder": "lead-outbound", "name": "x.json", "body": {}}, expect=[409]
    )["error"]


def test_control_puts_any_event(sandbox):
    detail = {"mark": uuid.uuid4().hex}
    sandbox.control("POST", "/events", {"detail-type": "Something Else", "detail": detail})
    event = sandbox.events("Something Else")[-1]
    assert event["detail"] == detail
    assert event["source"] == "sandbox.partnercentral-selling"


def test_control_puts_many_events(sandbox):
    mark = uuid.uuid4().hex
    events = [{"detail-type": "Something Else", "detail": {"mark": mark, "number": number}} for number in range(25)]
    assert sandbox.control("POST", "/events/bulk", {"events": events}) == {"count": 25}
    seen = [event["detail"]["number"] for event in sandbox.events("Something Else") if event["detail"].get("mark") == mark]
    assert seen == list(range(25))
    sandbox.control("POST", "/events/bulk", {"events": [{"detail": {}}]}, expect=[400])
    deadline = time.monotonic() + 5
    while sandbox.control("GET", "/state")["events_waiting"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_control_makes_many_opportunities(aws, sandbox):
    company = f"Bulk Customer {uuid.uuid4().hex[:8]}"
    body = {
        "count": 250,
        "ring": False,
        "Customer": {"Account": {"CompanyName": company}},
        "Project": {"Title": "Move"},
        "RelatedEntityIdentifiers": {"Solutions": ["S-1234567"]},
    }
    heard = sandbox.control("GET", "/state")["events"]
    ids = sandbox.control("POST", "/opportunities/bulk", body)["Ids"]
    assert len(set(ids)) == 250
    assert sandbox.control("GET", "/state")["events"] == heard
    pages = aws.get_paginator("list_opportunities").paginate(
        Catalog="Sandbox",
        CustomerCompanyName=[company],
        Sort={"SortBy": "LastModifiedDate", "SortOrder": "ASCENDING"},
        PaginationConfig={"PageSize": 100},
    )
    assert [row["Id"] for page in pages for row in page["OpportunitySummaries"]] == ids
    stored = {row["Id"]: row for row in sandbox.control("GET", "/opportunities")}
    assert [stored[one]["body"]["Project"]["Title"] for one in ids] == [f"Move {number}" for number in range(1, 251)]
    assert stored[ids[7]] == sandbox.control("GET", f"/opportunities/{ids[7]}")
    assert stored[ids[7]]["RelatedEntityIdentifiers"] == {"Solutions": ["S-1234567"]}

    [one] = sandbox.control("POST", "/opportunities/bulk", {"count": 1})["Ids"]
    assert len(rung(sandbox, "Opportunity Created", one)) == 2
    before = opportunities(sandbox)
    too_long = {"Project": {"Title": "x" * 253}}
    for wrong in ({}, {"count": 0}, {"count": 10_001}, {"count": 10, **too_long}, {"count": 2, "Colour": "blue"}):
        sandbox.control("POST", "/opportunities/bulk", wrong, expect=[400])
    assert opportunities(sandbox) == before
    sandbox.control("POST", "/opportunities/bulk", {"count": 9, **too_long})


def test_latency_slows_a_face_down(aws, sandbox):
    sandbox.control("POST", "/latency", {"face": "partner_central", "millis": 300})
    started = time.monotonic()
    aws.list_solutions(Catalog="Sandbox")
    assert time.monotonic() - started >= 0.3


# Files


PUT = {"ACL": "bucket-owner-full-control", "ServerSideEncryption": "AES256"}


class Partner:
    """A partner with keys of an IAM user, who speaks to the bucket with boto3."""

    def __init__(self, stack):
        iam = stack.client("iam")
        iam.create_user(UserName="partner")
        rights = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [rights]})
        iam.put_user_policy(UserName="partner", PolicyName="bucket", PolicyDocument=policy)
        self.key = iam.create_access_key(UserName="partner")["AccessKey"]
        self.aws = Aws(stack.control)
        self.s3 = self.client(stack.endpoint)
        self.endpoint = stack.endpoint
        self.through_weather = f"http://127.0.0.1:{stack.sandbox_ports[3]}"
        self.selling = boto3.client(
            "partnercentral-selling",
            endpoint_url=stack.partner_central,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def client(self, endpoint, **config):
        return boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-west-2",
            aws_access_key_id=self.key["AccessKeyId"],
            aws_secret_access_key=self.key["SecretAccessKey"],
            config=botocore.config.Config(s3={"addressing_style": "path"}, proxies={}, **config),
        )

    def names(self, folder):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=ACE_BUCKET, Prefix=f"{folder}/")
        return [item["Key"].removeprefix(f"{folder}/") for page in pages for item in page.get("Contents", [])]

    def get(self, key):
        return json.loads(self.s3.get_object(Bucket=ACE_BUCKET, Key=key)["Body"].read())

    def put(self, kind, stem, body, ending="json"):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.s3.put_object(Bucket=ACE_BUCKET, Key=f"{kind}-inbound/{stem}.{ending}", Body=content, **PUT)

    def sends(self, kind, records, stem=None, version="2.0"):
        """Puts a file and waits for its result."""
        stem = stem or f"{uuid.uuid4().hex}_{datetime.datetime.now(datetime.UTC):%m%d%Y%H%M%S}"
        records_name = "leads" if kind == "lead" else "opportunities"
        self.put(kind, stem, {"version": version, "spmsId": SPMS_ID, records_name: records})
        return self.result(kind, f"{stem}_result.json")

    def result(self, kind, name):
        folder = f"{kind}-inbound-processed-results"
        eventually(f"{name} in {folder}", lambda: name in self.names(folder))
        return self.get(f"{folder}/{name}")

    def exported(self, kind, **how):
        """The records of the files that an export writes now."""
        files = [self.get(key) for key in self.aws.exports(**how) if key.startswith(f"{kind}-outbound/")]
        return [record for file in files for record in file["leads" if kind == "lead" else "opportunities"]]


@pytest.fixture(scope="module")
def partner():
    with Stack.bare("conformance-files") as stack:
        yield Partner(stack)


def deal_in_a_file(partner_id, **changes):
    return {
        "partnerCrmUniqueIdentifier": partner_id,
        "customerCompanyName": "Hafen Nord",
        "customerWebsite": "https://hafen.example",
        "industry": "Transportation & Logistics",
        "country": "Germany",
        "postalCode": "20457",
        "city": "Hamburg",
        "partnerProjectTitle": "Berths",
        "projectDescription": "Berths are planned on paper and ships wait in the river.",
        "useCase": "Containers & Serverless",
        "deliveryModel": "SaaS or PaaS",
        "salesActivities": "Initialized discussions with customer",
        "expectedMonthlyAwsRevenue": 1000,
        "targetCloseDate": in_days(90),
        "partnerPrimaryNeedFromAws": "Co-Sell - Architectural Validation;Co-Sell - Technical Consultation",
        "IsOppFromMarketingActivity": "No",
        "solutionOffered": ["S-1234567"],
        **changes,
    }


def test_a_file_of_opportunities_is_worked_off_record_by_record(partner):
    result = partner.sends("opportunity", [deal_in_a_file("006-one"), deal_in_a_file("006-two", customerCompanyName=None)])
    assert (result["success"], result["isApiError"], result["apiErrors"]) == ("PARTIAL", False, None)
    assert result["spmsId"] == SPMS_ID and result["fileName"].startswith("opportunity-inbound/")
    one, two = result["inboundApiResults"]
    assert one == {
        "warnings": None,
        "partnerCrmUniqueIdentifier": "006-one",
        "isSuccess": True,
        "errors": None,
        "apnCrmUniqueIdentifier": one["apnCrmUniqueIdentifier"],
    }
    assert (two["isSuccess"], two["errors"]) == (False, ["customerCompanyName: is required"])
    assert two["apnCrmUniqueIdentifier"] is None
    known = partner.selling.get_opportunity(Catalog="Sandbox", Identifier=one["apnCrmUniqueIdentifier"])
    assert known["LifeCycle"]["ReviewStatus"] == "Submitted"
    assert known["RelatedEntityIdentifiers"]["Solutions"] == ["S-1234567"]

    name = result["fileName"].removeprefix("opportunity-inbound/")
    eventually("the file is gone", lambda: name not in partner.names("opportunity-inbound"))
    assert name in partner.names("opportunity-inbound-archive")
    copies = partner.names("opportunity-inbound-processed-results-archive")
    stem = name.removesuffix(".json")
    assert f"{datetime.datetime.now(datetime.UTC):%Y/%m/%d}/{stem}_result.json" in copies

    again = partner.sends("opportunity", [deal_in_a_file("006-one", nextStep="Call")])
    assert "Record is not editable" in again["inboundApiResults"][0]["errors"][0]
    partner.aws.reviews(one["apnCrmUniqueIdentifier"], "Approved")
    change = {"partnerCrmUniqueIdentifier": "006-one", "nextStep": "Call", "city": None}
    assert partner.sends("opportunity", [change])["success"] == "ALL"
    assert "No new update" in partner.sends("opportunity", [change])["inboundApiResults"][0]["errors"][0]
    known = partner.selling.get_opportunity(Catalog="Sandbox", Identifier=one["apnCrmUniqueIdentifier"])
    assert known["LifeCycle"]["NextSteps"] == "Call" and "City" not in known["Customer"]["Account"]["Address"]
    met = next(met for met in partner.aws.files() if met["key"] == result["fileName"])
    assert (met["records"], met["succeeded"], met["refused"], met["odd_name"]) == (2, 1, None, False)


def test_a_file_is_refused_as_a_whole(partner):
    body = {"version": "2.0", "spmsId": SPMS_ID, "opportunities": [deal_in_a_file("006-none")]}
    for stem, content, ending, why in [
        ("csv", b"a,b", "csv", "only .json files"),
        ("broken", b"{", "json", "not of type object"),
        ("stranger", {**body, "spmsId": "7"}, "json", "spmsId"),
        ("empty", {**body, "opportunities": []}, "json", "0 records"),
        ("many", {**body, "opportunities": [{}] * 501}, "json", "501 records"),
        ("large", json.dumps(body).encode() + b" " * 2**20, "json", "1 MB"),
        ("old", {**body, "version": "1.0"}, "json", "after version 2.0"),
    ]:
        if stem == "old":
            partner.sends("opportunity", [{}])
        partner.put("opportunity", stem, content, ending)
        result = partner.result("opportunity", f"{stem}.error.json")
        assert (result["success"], result["isApiError"], result["inboundApiResults"]) == ("NONE", True, None)
        assert why in result["apiErrors"][0], stem
        assert result["fileName"] == f"opportunity-inbound/{stem}.{ending}"
    assert not any(it["body"].get("PartnerOpportunityIdentifier") == "006-none" for it in partner.aws.opportunities())


def test_a_file_of_the_same_name_is_only_archived(partner):
    partner.sends("opportunity", [deal_in_a_file("006-named")], stem="same")
    key = "opportunity-inbound-processed-results/same_result.json"
    partner.s3.delete_object(Bucket=ACE_BUCKET, Key=key)
    partner.put("opportunity", "same", {"novel": 1})
    eventually("the file is gone", lambda: "same.json" not in partner.names("opportunity-inbound"))
    assert partner.get("opportunity-inbound-archive/same.json") == {"novel": 1}
    assert "same_result.json" not in partner.names("opportunity-inbound-processed-results")


def test_a_file_needs_its_acl_and_its_encryption(partner):
    for missing in PUT:
        headers = {name: value for name, value in PUT.items() if name != missing}
        with pytest.raises(botocore.exceptions.ClientError) as denied:
            partner.s3.put_object(Bucket=ACE_BUCKET, Key="lead-inbound/denied.json", Body=b"{}", **headers)
        assert denied.value.response["Error"]["Code"] == "AccessDenied", missing


def test_leads_in_files(partner):
    partner.aws.leads(3, company="Hafen")
    first, *_ = partner.exported("lead", records_per_file=2)
    assert [first[name] for name in ("company", "email", "fullName")] == ["Accept To View"] * 3
    assert (first["currentLeadStage"], first["partnerCrmLeadId"]) == (None, None)
    assert "firstName" not in first
    assert partner.exported("lead") == [], "nothing changed since"
    answer = {
        "apnCrmUniqueIdentifier": first["apnCrmUniqueIdentifier"],
        "partnerCrmLeadId": "00Q-one",
        "currentLeadStage": "Accepted",
        "status": "Research",
    }
    result = partner.sends("lead", [answer])
    assert result["inboundApiResults"][0]["partnerCrmUniqueIdentifier"] == "00Q-one"
    assert result["success"] == "ALL", result
    (accepted,) = partner.exported("lead")
    assert (accepted["company"], accepted["fullName"]) == ("Hafen 1", "Casey Customer")
    assert (accepted["status"], accepted["partnerCrmLeadId"]) == ("Research", "00Q-one")
    partner.aws.edits_lead(first["apnCrmUniqueIdentifier"], city="Kiel")
    assert [lead["city"] for lead in partner.exported("lead")] == ["Kiel"]
    assert partner.aws.lead(first["apnCrmUniqueIdentifier"])["firstName"] == "Casey"


def test_a_referral_in_files(partner):
    partner.aws.switches(file_exports=True)
    try:
        partner.exported("opportunity")
        contact = {"FirstName": "Casey", "LastName": "Customer", "Email": "casey@customer.example"}
        referral = partner.aws.refers_by_file(Customer={"Contacts": [contact]})
        with pytest.raises(botocore.exceptions.ClientError):
            partner.selling.get_opportunity(Catalog="Sandbox", Identifier=referral)
        (masked,) = partner.exported("opportunity")
        assert [masked[name] for name in ("customerEmail", "country")] == ["Accept To View"] * 2
        assert (masked["opportunityOwnership"], masked["partnerAcceptanceStatus"]) == ("AWS Referral", None)
        assert masked["acceptBy"] > in_days(13)
        ids = {"apnCrmUniqueIdentifier": referral, "partnerCrmUniqueIdentifier": "006-referred"}
        early = partner.sends("opportunity", [{**ids, "nextStep": "Call"}])
        assert early["success"] == "NONE"
        assert partner.sends("opportunity", [{**ids, "partnerAcceptanceStatus": "Accepted"}])["success"] == "ALL"
        (shown,) = partner.exported("opportunity")
        assert (shown["customerEmail"], shown["country"]) == ("casey@customer.example", "United States")
        assert (shown["partnerAcceptanceStatus"], shown["partnerCrmUniqueIdentifier"]) == ("Accepted", "006-referred")
        assert partner.selling.get_opportunity(Catalog="Sandbox", Identifier=referral)["Id"] == referral
    finally:
        partner.aws.switches(file_exports=False)


def test_results_of_files_are_held_back_when_switched_off(partner):
    partner.aws.switches(file_results=False)
    try:
        records = [deal_in_a_file("006-held")]
        partner.put("opportunity", "held", {"version": "2.0", "spmsId": SPMS_ID, "opportunities": records})
        eventually("the file is gone", lambda: "held.json" not in partner.names("opportunity-inbound"))
        eventually("it is worked off", lambda: any(it["key"].endswith("/held.json") for it in partner.aws.files()))
        assert "held_result.json" not in partner.names("opportunity-inbound-processed-results")
    finally:
        partner.aws.switches(file_results=True)
    assert partner.result("opportunity", "held_result.json")["success"] == "ALL"


def test_files_meet_bad_weather(partner):
    s3 = partner.client(partner.through_weather, retries={"total_max_attempts": 1})
    s3.put_object(Bucket=ACE_BUCKET, Key="weather/a.txt", Body=b"x" * 100_000, **PUT)
    assert len(s3.get_object(Bucket=ACE_BUCKET, Key="weather/a.txt")["Body"].read()) == 100_000
    assert s3.head_object(Bucket=ACE_BUCKET, Key="weather/a.txt")["ContentLength"] == 100_000
    assert s3.list_objects_v2(Bucket=ACE_BUCKET, Prefix="weather/")["KeyCount"] == 1
    operations = partner.aws.call_summary()["s3"]["operations"]
    assert set(operations) == {"PutObject", "GetObject", "HeadObject", "ListObjectsV2"}
    for kinds, code in [(["throttle"], "SlowDown"), (["error"], None)]:
        partner.aws.weathers("s3", 100, kinds=kinds)
        with pytest.raises(botocore.exceptions.ClientError) as refused:
            s3.get_object(Bucket=ACE_BUCKET, Key="weather/a.txt")
        assert refused.value.response["Error"]["Code"] in ([code] if code else ["InternalError", "ServiceUnavailable"])
        partner.aws.clears()
    partner.aws.weathers("s3", 100, kinds=["drop"])
    with pytest.raises(botocore.exceptions.HTTPClientError):
        s3.get_object(Bucket=ACE_BUCKET, Key="weather/a.txt")
    partner.aws.clears()
    partner.aws.breaks("s3", status=500, count=1, operation="DeleteObject", after=True)
    with pytest.raises(botocore.exceptions.ClientError):
        s3.delete_object(Bucket=ACE_BUCKET, Key="weather/a.txt")
    assert partner.names("weather") == [], "only the answer was lost"
