"""Each ticket system beside its fake, so that one test can be about all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from respond.clients.guard import Check
from respond.clients.ticketing.github import GitHub
from respond.clients.ticketing.jira import Jira
from respond.clients.ticketing.servicenow import ServiceNow
from respond.clients.ticketing.system import TicketSystem
from respond.models.report import Outcome
from respond.models.tickets import Draft, Severity
from respond.settings import Retry, Tickets
from tests.fakes import github, jira, servicenow
from tests.fakes.served import Fake, served

CASE = "DC-7F3K2Q"
BODY = "# MALICIOUS 97\n\nWhy: **redeemed** by `python-requests`\n\n- click\n- approval\n"


@dataclass(frozen=True)
class Kind:
    """One system.

    Attributes:
        fake: makes its fake.
        client: makes its client.
        section: settings that fit the fake, but for the URL.
        secret: that must not be shown.
        created: how many tickets the fake has made.
        reads: method of the request that looks for a ticket.
        writes: method of the request that updates one.
    """

    name: str
    fake: Callable[[], Any]
    client: Callable[..., TicketSystem]
    section: dict[str, str]
    secret: str
    created: Callable[[Any], int]
    reads: str
    writes: str


KINDS = (
    Kind(
        name="servicenow",
        fake=servicenow.ServiceNow,
        client=ServiceNow.of,
        section={"user": servicenow.USER, "password": servicenow.PASSWORD},
        secret=servicenow.PASSWORD,
        created=lambda fake: len(fake.records),
        reads="GET",
        writes="PATCH",
    ),
    Kind(
        name="jira",
        fake=jira.Jira,
        client=Jira.of,
        section={"user": jira.USER, "token": jira.TOKEN, "project": jira.PROJECT},
        secret=jira.TOKEN,
        created=lambda fake: len(fake.issues),
        reads="POST",
        writes="PUT",
    ),
    Kind(
        name="github",
        fake=github.GitHub,
        client=GitHub.of,
        section={"repository": f"{github.OWNER}/{github.REPO}", "token": github.TOKEN},
        secret=github.TOKEN,
        created=lambda fake: len(fake.issues),
        reads="GET",
        writes="PATCH",
    ),
)
BY_NAME = {kind.name: kind for kind in KINDS}


def draft(body: str = BODY, **values: Any) -> Draft:
    given: dict[str, Any] = {
        "key": CASE,
        "title": "Device code phishing: target.user@contoso.com",
        "body": body,
        "severity": Severity.HIGH,
        "outcome": Outcome.CONTAINED_VERIFIED,
    }
    return Draft(**(given | values))


@asynccontextmanager
async def client(
    kind: Kind, url: str, *, check: Check = lambda *_: None, limit: str = "5s", **section: Any
) -> AsyncIterator[TicketSystem]:
    """The client for a system at an address."""
    settings = Tickets.model_validate({"system": kind.name, kind.name: kind.section | {"url": url} | section})
    system = kind.client(settings, check=check, retry=Retry.model_validate({"request_timeout": limit}))
    try:
        yield system
    finally:
        await system.close()


@asynccontextmanager
async def both(kind: str, *, check: Check = lambda *_: None, **section: Any) -> AsyncIterator[tuple[TicketSystem, Any]]:
    """The client and its fake."""
    chosen = BY_NAME[kind]
    fake: Fake = chosen.fake()
    with served(fake):
        async with client(chosen, fake.url, check=check, **section) as system:
            yield system, fake
