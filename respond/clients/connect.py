"""The clients of this process: one set for live runs, one for dry runs, each made when first asked for.

Connections belong to an event loop, and recovered runs live on the engine's own, so sets are kept per loop.
"""

from __future__ import annotations

import asyncio
import importlib
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from respond.clients.clock import ask_time
from respond.clients.clouds import arm_endpoint, authority, graph_endpoint, logs_endpoint, unless_absent
from respond.clients.credentials import credential
from respond.clients.guard import Check, observing, reading_from, unless_frozen
from respond.clients.pace import Pace
from respond.errors import Service
from respond.present import go_by
from respond.response_mode import ResponseMode
from respond.settings import LAB_TENANT_ID, LAB_WORKSPACE_ID, Settings, TicketsIn

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.core.credentials_async import AsyncTokenCredential

    from respond.clients.defender import Defender
    from respond.clients.graph import Graph
    from respond.clients.logs import Logs
    from respond.clients.notices import Channel
    from respond.clients.places import Places
    from respond.clients.sentinel import Sentinel
    from respond.clients.ticketing.system import TicketSystem
    from respond.models.brakes import Freeze

    Frozen = Callable[[], Freeze | None]

_TICKETS = {
    TicketsIn.SERVICENOW: ("respond.clients.ticketing.servicenow", "ServiceNow"),
    TicketsIn.JIRA: ("respond.clients.ticketing.jira", "Jira"),
    TicketsIn.GITHUB: ("respond.clients.ticketing.github", "GitHub"),
}
"""Loaded when one of them is used: their packages take long."""


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2].lower()


class Clients:
    """The services of one tenant, in one mode, on one event loop.

    Args:
        read_only: a dry run: what is not on the read list cannot leave.
        lab_url: where the lab answers, in lab mode.
        frozen: the freeze that is in force now, if any: writes do not leave then either.
        pace: the tenant's limits, which all sets of a process keep to together.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        read_only: bool,
        lab_url: str | None,
        frozen: Frozen,
        pace: Pace | None = None,
    ) -> None:
        self._settings = settings
        self._read_only = read_only
        self._pace = pace or Pace(settings.pace)
        check = reading_from(self._hosts) if read_only else unless_frozen(frozen)
        if settings.response_mode is ResponseMode.OBSERVE:
            check = observing(self._hosts, check)
        self._check = unless_absent(settings, check)
        self._lab_url = lab_url

    @cached_property
    def graph(self) -> Graph:
        from respond.clients.graph import Graph

        return Graph(
            self._credential,
            graph_endpoint(self._settings, self._lab_url),
            check=self._check,
            retry=self._settings.retry,
            pace=self._pace,
            writer=self._write_credential,
        )

    @cached_property
    def logs(self) -> Logs:
        from respond.clients.logs import Logs

        tenant = self._settings.tenant
        return Logs(
            self._credential,
            logs_endpoint(self._settings, self._lab_url),
            tenant.workspace_id or LAB_WORKSPACE_ID,
            check=self._check,
            retry=self._settings.retry,
            pace=self._pace,
            absent_for=self._settings.hunt.absent_for,
        )

    @cached_property
    def defender(self) -> Defender:
        from respond.clients.defender import Defender

        return Defender(self.graph, absent_for=self._settings.hunt.absent_for)

    @cached_property
    def places(self) -> Places:
        """The workspace and Defender XDR as one, for queries on tables that either may have."""
        from respond.clients.places import Places

        hunt = self._settings.hunt
        return Places(self.logs, self.defender, self._settings.sources, auto=hunt.defender, absent_for=hunt.absent_for)

    @cached_property
    def sentinel(self) -> Sentinel:
        from respond.clients.sentinel import Sentinel

        return Sentinel(
            self._credential,
            arm_endpoint(self._settings, self._lab_url),
            check=self._check,
            retry=self._settings.retry,
            pace=self._pace,
            writer=self._write_credential,
        )

    @cached_property
    def tickets(self) -> TicketSystem | None:
        """The system outside the tenant that tickets are kept in; a freeze of the tenant does not stop it."""
        module, name = _TICKETS.get(self._settings.tickets.system, ("", ""))
        if not module:
            return None
        made: TicketSystem = getattr(importlib.import_module(module), name).of(
            self._settings.tickets, check=self.outside, retry=self._settings.retry
        )
        return made

    @cached_property
    def channels(self) -> list[Channel]:
        """Where notices go."""
        from respond.clients.notices import channels

        return channels(self._settings.notices, check=self.outside, retry=self._settings.retry)

    @property
    def outside(self) -> Check:
        """Lets what goes elsewhere than to the tenant pass, but for a dry run."""
        return reading_from(self._hosts) if self._read_only else lambda _method, _url: None

    def _hosts(self) -> dict[Service, frozenset[str]]:
        """Where each service answers; tickets are looked for in the system of the settings."""
        settings, lab = self._settings, self._lab_url
        tickets = settings.tickets
        return {
            Service.GRAPH: frozenset({_host(graph_endpoint(settings, lab))}),
            Service.LOGS: frozenset({_host(logs_endpoint(settings, lab))}),
            Service.SENTINEL: frozenset({_host(arm_endpoint(settings, lab))}),
            Service.OTHER: frozenset(map(_host, (tickets.servicenow.url, tickets.jira.url, tickets.github.url))) - {""},
        }

    @cached_property
    def _credential(self) -> AsyncTokenCredential:
        return credential(self._settings, self._lab_url)

    @cached_property
    def _write_credential(self) -> AsyncTokenCredential:
        """Another one only where the settings name one: two would ask for the same tokens twice."""
        write = self._settings.tenant.write
        if not (write.client_id if self._settings.is_lab else write.kind):
            return self._credential
        return credential(self._settings, self._lab_url, writes=True)

    async def token(self, scope: str, *, writes: bool = False) -> str:
        """An access token, as the requests of this process carry it.

        Raises:
            RespondError: there is none to be had.
        """
        identity = self._write_credential if writes else self._credential
        return (await identity.get_token(scope)).token

    async def warm_up(self) -> None:
        """Load what the first requests need and get their tokens: seconds that the first victim should not pay.

        Raises:
            RespondError: there is no token to be had.
        """
        for client in (self.graph, self.logs, self.sentinel):
            await self.token(client.scope)
        if self._write_credential is not self._credential:
            for client in (self.graph, self.sentinel):
                await self.token(client.scope, writes=True)

    async def close(self) -> None:
        """Close what was opened."""
        for name in ("graph", "logs", "sentinel", "tickets", "_write_credential", "_credential"):
            if self.__dict__.get(name):
                await self.__dict__[name].close()


class Connections:
    """Every `Clients` of this process."""

    def __init__(self, settings: Settings, lab_url: str | None, frozen: Frozen = lambda: None) -> None:
        self._settings = settings
        self._frozen = frozen
        self.lab_url = lab_url
        self.pace = Pace(settings.pace)
        self.clock = self.pace.service_clock
        go_by(self._skew)
        self._sets: dict[tuple[int, bool], tuple[asyncio.AbstractEventLoop, Clients]] = {}

    def clients(self, *, read_only: bool) -> Clients:
        """The set for the running loop and this mode."""
        loop = asyncio.get_running_loop()
        key = (id(loop), read_only)
        if key not in self._sets:
            self._sets[key] = (
                loop,
                Clients(self._settings, read_only=read_only, lab_url=self.lab_url, frozen=self._frozen, pace=self.pace),
            )
        return self._sets[key][1]

    async def learn_time(self) -> None:
        """Ask the tenant's authority what time it is, before anything goes by it; no token is sent."""
        settings = self._settings
        tenant = settings.tenant.tenant_id or (LAB_TENANT_ID if settings.is_lab else "")
        where = f"{authority(settings, self.lab_url)}/{tenant}"
        await ask_time(self.clock, f"{where}/v2.0/.well-known/openid-configuration")

    def _skew(self) -> timedelta:
        return self.clock.skew

    async def close(self) -> None:
        """Close every set, each on its own loop."""
        go_by(None)
        here = asyncio.get_running_loop()
        for loop, clients in tuple(self._sets.values()):
            if loop is here:
                await clients.close()
            elif loop.is_running():
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(clients.close(), loop))
        self._sets.clear()
