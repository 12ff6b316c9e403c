"""What a check works with, and how a check is declared. Every client here can only read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

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
    """

    settings: Settings
    policy: Policy
    config: Path
    clients: Clients
    lab_url: str | None
    tickets: TicketSystem | None = None
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_QUERIES_AT_ONCE))


Look = Callable[[Patient], Awaitable[Sequence[Result]]]


@dataclass(frozen=True)
class Check:
    """One look at the patient.

    Attributes:
        name: the line of the table when the look itself breaks.
        limit: how long it may take.
    """

    group: str
    name: str
    look: Look
    limit: timedelta = timedelta(seconds=30)
