"""The Sentinel incident as the ticket: that which brought the case, or one of our own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from respond.clients.connect import Connections
from respond.clients.sentinel import Sentinel
from respond.clients.ticketing.sentinel import SentinelTickets
from respond.errors import NotFound, Permanent
from respond.models.report import Outcome
from respond.models.tickets import Draft, Severity
from respond.settings import LAB_WORKSPACE, Settings
from tests.helpers.incident_actions import INCIDENT, NAME, VERSION, entry, seed_with_incident
from tests.helpers.service_desk import desk
from tests.helpers.serving import until
from tests.lab.running_lab import RunningLab, running

DRAFT = Draft(
    key="DC-AAAAAA",
    title="Device code phishing",
    body="# <b>Why</b>\n\n- `code` *loud* hxxps://evil\\[.\\]example\n",
    severity=Severity.HIGH,
    outcome=Outcome.CONTAINED_VERIFIED,
    tags=("malicious",),
)


@pytest.fixture
def there(tmp_path: Path) -> Iterator[RunningLab]:
    with running(seed_with_incident(tmp_path, entry(severity="Low")), tmp_path / "lab") as lab:
        yield lab


@pytest.fixture
async def sentinel(there: RunningLab) -> AsyncIterator[Sentinel]:
    connections = Connections(Settings(), there.url)
    yield connections.clients(read_only=False).sentinel
    await connections.close()


async def test_the_incident_that_brought_the_case_gets_a_comment_and_stays_as_it_is(sentinel: Sentinel) -> None:
    tickets = SentinelTickets(sentinel, LAB_WORKSPACE, incident=INCIDENT)
    assert await tickets.find(DRAFT.key) is None
    before = await sentinel.incident(INCIDENT)
    made = await tickets.create(DRAFT)
    await tickets.update(made, DRAFT.model_copy(update={"title": "Other"}))
    after = await sentinel.incident(INCIDENT)
    assert (after.title, after.severity, after.owner, after.comments_count) == (before.title, "Low", before.owner, 1)
    assert await tickets.find(DRAFT.key) == made
    assert made.handle.endswith(NAME)


async def test_without_one_an_incident_is_created_and_says_what_the_ticket_says(
    sentinel: Sentinel, there: RunningLab
) -> None:
    tickets = SentinelTickets(sentinel, LAB_WORKSPACE)
    made = await tickets.create(DRAFT)
    assert await tickets.create(DRAFT) == made
    await tickets.update(made, DRAFT.model_copy(update={"title": "Other", "severity": Severity.MEDIUM}))
    own = await sentinel.incident(made.handle)
    assert (own.title, own.severity, own.status, set(own.labels)) == (
        "Other",
        "Medium",
        "New",
        {"respond", "malicious"},
    )
    assert (made.id, made.url) == (str(own.number), own.url)
    (comment,) = there.get(f"{made.handle}/comments?{VERSION}")["value"]
    assert "<b>" not in comment["properties"]["message"]
    assert "code loud hxxps" in comment["properties"]["message"]
    assert len(there.get(f"{INCIDENT.rpartition('/')[0]}?{VERSION}")["value"]) == 2


async def test_an_incident_that_is_gone_since_is_replaced_by_one_of_ours(sentinel: Sentinel) -> None:
    gone = INCIDENT.replace(NAME, "00000000-0000-4000-8000-000000000000")
    tickets = SentinelTickets(sentinel, LAB_WORKSPACE, incident=gone)
    with pytest.raises(NotFound):
        await sentinel.incident(gone)
    made = await tickets.create(DRAFT)
    assert made.handle != gone
    assert await tickets.find(DRAFT.key) == made


async def test_what_is_no_incident_is_not_asked_for(sentinel: Sentinel) -> None:
    assert await SentinelTickets(sentinel, LAB_WORKSPACE, incident="https://evil.example/x").find(DRAFT.key) is None
    with pytest.raises(Permanent):
        await SentinelTickets(sentinel, "/subscriptions/../x").find(DRAFT.key)


async def test_a_very_long_ticket_is_cut_where_sentinel_would_refuse_it(sentinel: Sentinel, there: RunningLab) -> None:
    long = DRAFT.model_copy(update={"body": "- <&> line\n" * 10_000})
    made = await SentinelTickets(sentinel, LAB_WORKSPACE).create(long)
    (comment,) = there.get(f"{made.handle}/comments?{VERSION}")["value"]
    assert len(comment["properties"]["message"]) <= 30_000
    assert "cut here" in comment["properties"]["message"]


def test_an_incident_that_is_delivered_becomes_the_ticket_of_its_case(tmp_path: Path) -> None:
    with desk(tmp_path, seed_with_incident(tmp_path), {"RESPOND_TICKETS__SYSTEM": "sentinel"}) as there:
        for _ in range(2):
            there.deliver({"IncidentArmID": INCIDENT, "Entity": None})
            until(lambda: len(there.lab.get("/_lab/incidents")[0]["comments"]) >= 3)
            there.rest()
        (incident,) = there.lab.get("/_lab/incidents")
        assert len(incident["comments"]) == 3
        assert sum("Done" in comment["properties"]["message"] for comment in incident["comments"]) == 2
        ticket = there.reports()[-1].ticket
        assert ticket
        assert (ticket.system, ticket.id) == ("sentinel", str(incident["incident"]["properties"]["incidentNumber"]))
