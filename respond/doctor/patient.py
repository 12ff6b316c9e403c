"""What a check works with, and how a check is declared. Every client here can only read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from respond.errors import RespondError
from respond.models.checkup import Result
from respond.models.policy import Policy
from respond.settings import Settings

if TYPE_CHECKING:
    from respond.clients.connect import Clients
    from respond.clients.ticketing.system import TicketSystem

_QUERIES_AT_ONCE = 4
"""Log Analytics answers five at a time; one is left to whoever is responding meanwhile."""


@dataclass(frozen=True)
class Patient:
    """One installation.

    Attributes:
        config: directory of the configuration.
        tickets: the system outside the tenant that tickets are kept in.
        room: for queries to the workspace.
        tokens: (service, whether it is the writing identity's) -> why there is none, None where there is one.
    """

    settings: Settings
    policy: Policy
    config: Path
    clients: Clients
    lab_url: str | None
    tickets: TicketSystem | None = None
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_QUERIES_AT_ONCE))
    tokens: dict[tuple[Asks, bool], RespondError | None] = field(default_factory=dict)


class Asks(StrEnum):
    """A service that a check sends a token to."""

    GRAPH = "Graph"
    LOGS = "Log Analytics"
    AZURE = "Azure"


Look = Callable[[Patient], Awaitable[Sequence[Result]]]


@dataclass(frozen=True)
class Check:
    """One look at the patient.

    Attributes:
        name: the line of the table when the look itself breaks.
        limit: how long it may take.
        asks: the service that it needs a token for; without one it is skipped.
        writes: whether the token is that of the writing identity.
        after: the check that has to find no error before this one says anything of its own.
    """

    group: str
    name: str
    look: Look
    limit: timedelta = timedelta(seconds=30)
    asks: Asks | None = None
    writes: bool = False
    after: str = ""
