"""The people around the stack: AWS's, through the sandbox's control port, and a sales rep, through Salesforce's REST."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import requests

API = "/services/data/v66.0"
REP = {"grant_type": "client_credentials", "client_id": "rep", "client_secret": "rep-secret"}

T = TypeVar("T")


# What AWS wants of a deal before it can be shared.
DEAL = {
    "StageName": "Qualification",
    "CloseDate": "2029-03-31",
    "ACE_Customer_Name__c": "Hafen Nord",
    "ACE_Customer_Website__c": "https://hafen.example",
    "ACE_Customer_Country__c": "DE",
    "ACE_Customer_City__c": "Hamburg",
    "ACE_Customer_Postal_Code__c": "20457",
    "ACE_Industry__c": "Transportation and Logistics",
    "ACE_Business_Problem__c": "Berths are planned on paper and ships wait in the river.",
    "ACE_Use_Case__c": "Containers & Serverless",
    "ACE_Delivery_Models__c": "SaaS or PaaS",
    "ACE_Sales_Activities__c": "Initialized discussions with customer",
    "ACE_Primary_Needs__c": "Co-Sell - Architectural Validation",
    "ACE_Monthly_Revenue__c": 1000.0,
    "ACE_Solutions__c": "S-1234567",
}


class NeverHappened(AssertionError):
    """What was waited for did not come."""


def eventually(what: str, look: Callable[[], T | None], patience: float = 20.0, every: float = 0.1) -> T:
    """Looks until there is something to see. Waits for a state, never for a signal."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        seen = look()
        if seen:
            return seen
        time.sleep(every)
    raise NeverHappened(f"{what}: not within {patience:.0f} s")


class Aws:
    """AWS's side: Partner Central's people, its files, and the weather."""

    def __init__(self, control: str) -> None:
        self.control = control

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(method, self.control + path, json=body, timeout=60)
        if not answer.ok:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()

    def creates(self, **opportunity: Any) -> str:
        return self._call("POST", "/opportunities", opportunity)["Id"]

    def creates_many(self, count: int, **opportunity: Any) -> list[str]:
        """Their titles end in 1 to `count`; `ring=False` loses the events."""
        return self._call("POST", "/opportunities/bulk", {"count": count, **opportunity})["Ids"]

    def edits(self, opportunity: str, **changes: Any) -> None:
        self._call("PATCH", f"/opportunities/{opportunity}", changes)

    def reviews(self, opportunity: str, status: str, comments: str | None = None) -> None:
        self._call("POST", f"/opportunities/{opportunity}/review", {"status": status, "comments": comments})

    def rings(self, opportunity: str) -> None:
        self._call("POST", f"/opportunities/{opportunity}/ring")

    def invites(self, **invitation: Any) -> dict[str, Any]:
        return self._call("POST", "/invitations", invitation)

    def decides(self, invitation: str, status: str, **more: Any) -> dict[str, Any]:
        """Somebody decides outside of the API: `ACCEPTED`, `REJECTED` or `EXPIRED`; `ring=False` loses the events."""
        return self._call("POST", f"/invitations/{invitation}/decide", {"status": status, **more})

    def engagement(self, engagement: str) -> dict[str, Any]:
        return self._call("GET", f"/engagements/{engagement}")

    def edits_engagement(self, engagement: str, **changes: Any) -> None:
        """`Lead`, `CustomerProject`: parts of the context; `Title`, `Description`, `ring`."""
        self._call("PATCH", f"/engagements/{engagement}", changes)

    def sends(self, detail_type: str, detail: Any) -> None:
        self._call("POST", "/events", {"detail-type": detail_type, "detail": detail})

    def sends_many(self, events: list[tuple[str, Any]]) -> None:
        told = [{"detail-type": detail_type, "detail": detail} for detail_type, detail in events]
        self._call("POST", "/events/bulk", {"events": told})

    def waiting(self) -> int:
        """How many events are not on the bus yet."""
        return self.state()["events_waiting"]

    def state(self) -> dict[str, Any]:
        """How many there are of everything."""
        return self._call("GET", "/state")

    def leads(self, count: int, **members: Any) -> list[str]:
        """New leads, in the files' words; their companies end in 1 to `count`."""
        return self._call("POST", "/leads", {"count": count, **members})["Ids"]

    def makes_lead(self, **members: Any) -> str:
        return self._call("POST", "/leads", members)["Ids"][0]

    def lead(self, lead: str) -> dict[str, Any]:
        """A lead as AWS has it, unmasked, in the files' words."""
        return self._call("GET", f"/leads/{lead}")

    def all_leads(self) -> list[dict[str, Any]]:
        return self._call("GET", "/leads")

    def edits_lead(self, lead: str, **members: Any) -> None:
        self._call("PATCH", f"/leads/{lead}", members)

    def refers_by_file(self, expires_in_seconds: int = 14 * 24 * 3600, **opportunity: Any) -> str:
        """A referral that waits for its answer in a file."""
        return self.creates(Referral={"expires_in_seconds": expires_in_seconds}, **opportunity)

    def exports(self, **how: Any) -> list[str]:
        """Writes what changed into files, `records_per_file` each: their keys."""
        return self._call("POST", "/files/export", how)["keys"]

    def files(self) -> list[dict[str, Any]]:
        """What became of each file that AWS found."""
        return self._call("GET", "/files")

    def drops(self, folder: str, name: str, **content: Any) -> None:
        self._call("POST", "/files/drop", {"folder": folder, "name": name, **content})

    def breaks(self, face: str, **fault: Any) -> None:
        self._call("POST", "/faults", {"face": face, **fault})

    def mends(self) -> None:
        self._call("DELETE", "/faults")

    def weathers(self, face: str, percent: float, **forecast: Any) -> None:
        """Random failures: `seed`, `kinds` of throttle, error, drop and slow, `slow_millis`."""
        self._call("POST", "/weather", {"face": face, "percent": percent, **forecast})

    def clears(self) -> list[dict[str, Any]]:
        """Ends the weather; what struck, by face and kind."""
        return self._call("DELETE", "/weather")

    def call_summary(self) -> dict[str, Any]:
        return self._call("GET", "/calls/summary")

    def opportunity(self, opportunity: str) -> dict[str, Any]:
        return self._call("GET", f"/opportunities/{opportunity}")

    def opportunities(self) -> list[dict[str, Any]]:
        return self._call("GET", "/opportunities")

    def switches(self, **switches: bool) -> None:
        self._call("POST", "/switches", switches)

    def reset_calls(self) -> None:
        self._call("POST", "/calls/reset")

    def calls(self, operation: str | None = None) -> list[dict[str, Any]]:
        calls = self._call("GET", "/calls")
        return [call for call in calls if operation in (None, call["operation"])]

    def crm_rows(self, sobject: str) -> list[dict[str, Any]]:
        """Every row of the sandbox's org, seen from behind."""
        return self._call("GET", f"/salesforce/{sobject}")

    def crm_count(self, sobject: str) -> int:
        """How many rows there are, without looking at them: the sandbox does one thing at a time."""
        return self._call("GET", "/state")["rows"][sobject]

    def crm_row(self, sobject: str, **fields: Any) -> dict[str, Any] | None:
        rows = [row for row in self.crm_rows(sobject) if all(row.get(name) == value for name, value in fields.items())]
        assert len(rows) < 2, f"{len(rows)} rows of {sobject} with {fields}"
        return rows[0] if rows else None


class Rep:
    """A sales rep: works in the CRM and nowhere else."""

    def __init__(self, salesforce: str) -> None:
        answer = requests.post(f"{salesforce}/services/oauth2/token", data=REP, timeout=10)
        answer.raise_for_status()
        self.base = f"{salesforce}{API}/sobjects"
        self.headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def _call(self, method: str, path: str, body: Any) -> requests.Response:
        answer = requests.request(method, self.base + path, json=body, headers=self.headers, timeout=10)
        if not answer.ok:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer

    def creates(self, sobject: str, **fields: Any) -> str:
        return self._call("POST", f"/{sobject}", fields).json()["id"]

    def edits(self, sobject: str, record: str, **fields: Any) -> None:
        self._call("PATCH", f"/{sobject}/{record}", fields)

    def deletes(self, sobject: str, record: str) -> None:
        self._call("DELETE", f"/{sobject}/{record}", None)
