"""What services have left behind: in the state database, and in the lab."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from respond.models.report import Report
from respond.store.cases import Store
from tests.helpers.incident_actions import VERSION
from tests.lab.running_lab import RunningLab


@dataclass(frozen=True)
class Left:
    """What is there when all is answered.

    Attributes:
        reports: the newest of each case.
        tickets: cases that have one.
        revoked: object ids in the paths of revocations that took effect, and how often.
    """

    reports: list[Report]
    tickets: list[str]
    revoked: Counter[str]


def left(url: str, tenant: RunningLab) -> Left:
    """Look at the state and at the lab."""
    with closing(Store(url)) as store:
        reports = store.all_reports()
        tickets = [report.case for report in reports if store.ticket(report.case)]
    revoked = Counter(
        write["path"].split("/")[3]
        for write in tenant.get("/_lab/writes")
        if write["path"].endswith("revokeSignInSessions") and write["status"] < 300
    )
    return Left(reports, tickets, revoked)


def comments(tenant: RunningLab, incident: str) -> list[dict[str, Any]]:
    """The comments of an incident, by its resource id."""
    answer = tenant.request("GET", f"{incident}/comments?{VERSION}")
    return list(answer.raise_for_status().json()["value"])


def incident(tenant: RunningLab, path: str) -> dict[str, Any]:
    """An incident as the lab's Sentinel has it now."""
    return dict(tenant.request("GET", f"{path}?{VERSION}").raise_for_status().json())
