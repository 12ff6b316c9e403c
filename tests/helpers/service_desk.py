"""A lab, a service before it, and what a rule of Sentinel and an analyst would do with both."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from respond.lab.constants import SECURITY_INSIGHTS, WORKSPACE_ID
from respond.models.report import Report
from respond.store.cases import Store, Ticket
from tests.helpers.incident_actions import VERSION
from tests.helpers.serving import Serving, serving, until
from tests.helpers.tenant_story import guid, upn
from tests.lab.running_lab import RunningLab, running

QUICK = {
    "RESPOND_SCHEDULE__EVERY": "0s",
    "RESPOND_SERVE__BEAT": "500ms",
    "RESPOND_RETRY__FIRST_WAIT": "50ms",
    "RESPOND_WEBHOOK__ENTITY_WAIT": "0s",
}


class Desk:
    """What there is to look at.

    Attributes:
        service: at work on the lab.
        store: the state database that it uses; `state` is its URL.
    """

    def __init__(self, lab: RunningLab, service: Serving, store: Store, state: str) -> None:
        self.lab = lab
        self.service = service
        self.store = store
        self.state = state

    def notice(self, incident: str, event: str = "Create") -> dict[str, Any]:
        """What an automation rule would forward about an incident now: each time another event."""
        return notice(self.lab, incident, event)

    def deliver(self, body: Any) -> dict[str, Any]:
        """Deliver, and what was answered."""
        answer = self.service.post(body)
        assert answer.status_code == 202, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def answer(self, incident: str, *, comments: int = 2) -> None:
        """Deliver an incident as it is, and wait until it has so many comments and is at rest."""
        self.deliver(self.notice(incident))
        self.wait(incident, comments=comments)

    def wait(self, incident: str, *, comments: int) -> None:
        """Wait until an incident has so many comments and nothing is under way."""
        until(lambda: len(self.comments(incident)) >= comments, told=lambda: f"{self.comments(incident)}")
        self.rest()

    def rest(self) -> None:
        """Wait until the service has nothing to do: every delivery answered, every run at its end."""
        until(self._is_at_rest, told=lambda: f"{self.store.intake.depth()}; {self.service.lines[-5:]}")

    def _is_at_rest(self) -> bool:
        depth = self.store.intake.depth()
        open_ones = sum(depth.get(state, 0) for state in ("accepted", "waiting", "asked"))
        return not open_ones and not self.unfinished()

    def unfinished(self) -> int:
        """Runs that have begun and not ended."""
        with self.store.database.connect() as db:
            schema = "" if db.dialect.name == "sqlite" else "dbos."
            query = f"SELECT count(*) FROM {schema}workflow_status WHERE status IN ('PENDING', 'ENQUEUED')"  # noqa: S608
            return int(db.exec_driver_sql(query).scalar_one())

    def runs(self, user: str) -> int:
        """How often a user has been looked at."""
        return sum(report.user.id == guid(user) for report in self.reports())

    def comments(self, incident: str) -> dict[str, str]:
        """Texts by id, oldest first."""
        found = self.lab.get(f"{arm_id(incident)}/comments?{VERSION}")["value"]
        return {comment["name"]: comment["properties"]["message"] for comment in found}

    def properties(self, incident: str) -> dict[str, Any]:
        """The incident as it is now."""
        found: dict[str, Any] = self.lab.get(f"{arm_id(incident)}?{VERSION}")["properties"]
        return found

    def labels(self, incident: str) -> set[str]:
        return {label["labelName"] for label in self.properties(incident)["labels"]}

    def writes(self, text: str) -> list[dict[str, Any]]:
        """Accepted writes with a text in their path."""
        found = self.lab.get("/_lab/writes")
        return [write for write in found if text.lower() in write["path"].lower() and write["status"] < 300]

    def revoked(self, user: str) -> int:
        """How often a user was signed out."""
        return len(self.writes(f"{guid(user)}/revokeSignInSessions"))

    def delivered(self, key: str) -> tuple[str, int]:
        """What has become of a delivery, and the number of the try that was the last."""
        query = "SELECT state, number FROM respond_deliveries WHERE key = ?"
        with self.store.database.connect() as db:
            state, number = db.exec_driver_sql(query, (key,)).one()
        return state, number

    def reports(self) -> list[Report]:
        """Every report that was kept, one for each look."""
        with self.store.database.connect() as db:
            bodies = db.exec_driver_sql("SELECT body FROM respond_reports ORDER BY at").scalars().all()
        return [Report.model_validate_json(body) for body in bodies]

    def report(self, user: str) -> Report:
        """The newest look at a user."""
        return next(report for report in reversed(self.reports()) if report.user.id == guid(user))

    def tickets_of(self, user: str) -> list[Ticket]:
        """Tickets about a user; others may mention them."""
        return [ticket for ticket in self.tickets() if upn(user) in ticket.title]

    def tickets(self, text: str = "") -> list[Ticket]:
        """Tickets that hold a text."""
        found = [self.store.ticket(report.case) for report in self.store.all_reports()]
        return [ticket for ticket in found if ticket and text in ticket.title + ticket.body]


def notice(lab: RunningLab, incident: str, event: str = "Create") -> dict[str, Any]:
    """What an automation rule would forward about an incident as the lab's Sentinel has it."""
    path = arm_id(incident)
    resource = lab.get(f"{path}?{VERSION}")
    said = resource["properties"]
    said["relatedEntities"] = lab.request("POST", f"{path}/entities?{VERSION}").json()["entities"]
    said["alerts"] = lab.request("POST", f"{path}/alerts?{VERSION}").json()["value"]
    said["comments"] = lab.get(f"{path}/comments?{VERSION}")["value"]
    return {
        "eventUniqueId": str(uuid.uuid4()),
        "objectSchemaType": "Incident",
        "objectEventType": event,
        "workspaceId": WORKSPACE_ID,
        "object": resource,
    }


def arm_id(incident: str) -> str:
    return f"{SECURITY_INSIGHTS}/Incidents/{guid(f'incident {incident}')}"


def beside(tenant: RunningLab, state: str, **env: str) -> dict[str, str]:
    """The environment of a process that works on a lab and a state database."""
    return QUICK | {"RESPOND_LAB__URL": tenant.url, "RESPOND_STATE__URL": state} | env


def state_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'state' / 'respond.db'}"


@contextmanager
def desk(folder: Path, story: Path, env: dict[str, str] | None = None, **lab: Any) -> Iterator[Desk]:
    """A lab that tells a story, and a service, until the end of the block."""
    with running(story, folder / "lab", **lab) as tenant, on_lab(tenant, folder, env) as found:
        yield found


@contextmanager
def on_lab(tenant: RunningLab, folder: Path, env: dict[str, str] | None = None, state: str = "") -> Iterator[Desk]:
    """A service on a lab, until the end of the block.

    Args:
        state: URL of its database, instead of a file in the folder.
    """
    state = state or state_of(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RESPOND_CONFIG", raising=False)
        with serving(**beside(tenant, state, **(env or {}))) as service, closing(Store(state)) as store:
            yield Desk(tenant, service, store, state)
