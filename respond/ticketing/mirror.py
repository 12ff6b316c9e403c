"""The ticket of a case in the system that people work in: created at most once, then updated.

The embedded ticket is the record and always kept; this one mirrors it. None of these systems has a key that makes
creating safe to repeat, so a link is written to our own database before the request leaves. Whoever finds one that was
never finished (a lost answer, a killed process) looks for the ticket first. It is created again only when it would be
found by now if it were there.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from respond import durable, progress
from respond.clients.retry import retried
from respond.errors import NotFound, RespondError, Transient, Unanswered
from respond.models.case import Case
from respond.models.links import Link, LinkState
from respond.models.report import TicketRef
from respond.models.tickets import Draft, Found
from respond.present import present
from respond.settings import LAB_WORKSPACE, TicketsIn
from respond.step import clients, process

if TYPE_CHECKING:
    from respond.clients.ticketing.system import TicketSystem

_LOOKS = (0, 1, 3)
"""How long to wait before each look for a ticket that may have been created, in units of `retry.first_wait`."""
_IN_FLIGHT = timedelta(seconds=10)
"""A request of another process may arrive that much later than it may take."""
_PATIENCE = timedelta(seconds=10)
"""A system in which a ticket may be missing from `find` for no longer than this is waited for."""
_MOST = 2
_NEVER_FOUND = frozenset({TicketsIn.MAIL.value})
"""Systems whose tickets cannot be looked for: nothing is sent twice there, whatever became of it."""


@dataclass(frozen=True)
class Mirrored:
    """What became of the ticket outside.

    Attributes:
        said: in a few words, for the change.
        passes: it failed because the system does not answer; trying again helps.
    """

    said: str
    changed: bool = False
    failed: bool = False
    passes: bool = False


async def mirror(case: Case, draft: Draft) -> Mirrored | None:
    """Make the system outside say what the draft says; None where there is none. Never raises: the case goes on."""
    try:
        system = system_of(case)
        if system is None:
            return None
        said = await _Mirror(system, case.tenant, draft).write()
    except RespondError as error:
        said = f"{process().settings.tickets.system}: {error.message}"
        return Mirrored(said, failed=True, passes=isinstance(error, Transient))
    return Mirrored(said, changed=bool(said))


def linked_ref(case: Case) -> TicketRef | None:
    """The ticket outside, once it is known to be there."""
    name = process().settings.tickets.system
    link = process().store.links.find(case.tenant, case.id, name) if name is not TicketsIn.LOCAL else None
    if link is None or not link.name:
        return None
    return TicketRef(system=link.system, id=link.name, url=link.url)


def outside() -> str:
    """What the system outside is called; empty where there is none."""
    name = process().settings.tickets.system
    return "" if name is TicketsIn.LOCAL else name.value


def system_of(case: Case) -> TicketSystem | None:
    """The system of the settings, in the mode of the case."""
    tickets = process().settings.tickets
    if tickets.system is TicketsIn.SENTINEL:
        from respond.clients.ticketing.sentinel import SentinelTickets

        incident = next((seen.incident for seen in process().store.intake.sightings(case.id) if seen.incident), "")
        workspace = process().settings.tenant.workspace_resource_id or LAB_WORKSPACE
        return SentinelTickets(clients(case).sentinel, workspace, incident=incident)
    if tickets.system is TicketsIn.MAIL:
        from respond.clients.ticketing.mail import MailTickets

        return MailTickets(clients(case).graph, tickets.mail)
    return clients(case).tickets


class _Mirror:
    """One ticket in one system, and the link to it as this run knows it."""

    def __init__(self, system: TicketSystem, tenant: str, draft: Draft) -> None:
        self._system, self._draft = system, draft
        self._links = process().store.links
        self._policy = process().settings.retry
        self._is_findable = system.name not in _NEVER_FOUND
        self._link = Link(
            tenant=tenant,
            case=draft.key,
            system=system.name,
            state=LinkState.SENDING,
            run=durable.this_run() or process().name,
            at=present(),
        )
        self._run = self._link.run
        said = (draft.title, draft.body, draft.outcome) if self._is_findable else (draft.outcome,)
        self._digest = hashlib.sha256("\n".join(said).encode()).hexdigest()

    async def write(self) -> str:
        """What was done, in words; empty when there was nothing to do."""
        if self._links.begin(self._link):
            return await self._create()
        self._link = self._known()
        if self._link.state is LinkState.SENDING and not await self._was_created():
            return await self._create()
        return await self._update()

    async def _was_created(self) -> bool:
        """Whether a ticket that another run, or this one before it died, has sent is there; else it is ours to send."""
        if not self._is_findable:
            raise self._once_only("an earlier run was sending it")
        sent, by = self._link.at, self._link.run
        if await self._is_there(digest=""):
            return True
        # The run that we go on with is dead; another one may still wait for its answer.
        busy = timedelta() if by == self._run else self._policy.request_timeout + _IN_FLIGHT
        if present() - sent < max(self._system.lags, busy):
            raise self._unsure("an earlier run was sending it")
        self._take()
        return False

    async def _is_there(self, *, digest: str) -> bool:
        """Look for the ticket, for some seconds. Another run may be quicker.

        Args:
            digest: of what it says, as far as that is known.
        """
        pauses = [pause * self._policy.first_wait for pause in _LOOKS]
        if timedelta() < self._system.lags <= _PATIENCE:
            pauses.append(self._system.lags)
        for pause in pauses:
            await asyncio.sleep(pause.total_seconds())
            now = self._known()
            if now.state is LinkState.LINKED:
                self._link = now
                return True
            if found := await self._find():
                self._keep(found, digest)
                return True
        return False

    async def _find(self) -> Found | None:
        try:
            return await retried(lambda: self._system.find(self._draft.key), policy=self._policy)
        except RespondError as error:
            raise self._unsure(f"it could not be looked for: {error.message}") from error

    async def _create(self) -> str:
        """Send it, and again only when it is certain that it did not arrive."""
        for _ in range(self._policy.attempts):
            try:
                self._keep(await retried(self._send, policy=self._policy, is_write=True), self._digest)
            except Unanswered as error:
                await self._after_lost_answer(error)
            except RespondError:
                self._links.drop(self._link)
                raise
            if self._link.state is LinkState.LINKED:
                return f"{self._link.name} opened in {self._system.name}"
        raise self._unsure("its answers were lost")

    async def _send(self) -> Found:
        self._take()
        return await self._system.create(self._draft)

    async def _after_lost_answer(self, error: Unanswered) -> None:
        progress.emit(progress.Kind.WAITING, f"the ticket may have been created: {error.message}")
        if not self._is_findable:
            raise self._once_only(error.message) from error
        if not await self._is_there(digest=self._digest) and self._system.lags > _PATIENCE:
            raise self._unsure(error.message) from error

    async def _update(self) -> str:
        link = self._link
        if link.digest == self._digest:
            return ""
        if not self._is_findable:
            self._keep(link.found, self._digest)  # before it is sent: it is not sent twice
        try:
            await retried(
                lambda: self._system.update(link.found, self._draft),
                policy=self._policy,
                is_write=not self._is_findable,
            )
        except NotFound as error:
            return await self._again(error)
        except Unanswered as error:
            raise error if self._is_findable else self._once_only(error.message) from error
        except RespondError:
            self._keep(link.found, link.digest)
            raise
        self._keep(link.found, self._digest)
        return f"{link.name} rewritten in {self._system.name}"

    async def _again(self, error: NotFound) -> str:
        """Create another one for a ticket that somebody has deleted, once."""
        if self._link.number >= _MOST:
            what = f"{self._link.name} was deleted, and so was the one before it: no further one is created"
            raise NotFound(f"{what} ({error.message})") from error
        self._take(number=self._link.number + 1)
        return await self._create()

    def _take(self, *, number: int | None = None) -> None:
        taken = self._links.take(self._link, run=self._run, at=present(), number=number)
        if taken is None:
            raise self._unsure("another run is sending it")
        self._link = taken

    def _keep(self, found: Found, digest: str) -> None:
        self._link = self._links.linked(self._link, found, digest=digest, at=present())

    def _known(self) -> Link:
        found = self._links.find(self._link.tenant, self._link.case, self._link.system)
        if found is None:
            raise Transient("another run could not create the ticket; the next run about the case tries again")
        return found

    def _unsure(self, why: str) -> Unanswered:
        told = "the ticket may have been created; it is looked for again at the next run about the case"
        return Unanswered(f"{told} ({why})")

    def _once_only(self, why: str) -> Unanswered:
        """Said once: from then on it counts as sent."""
        self._keep(Found(handle=self._draft.title, id=self._draft.key), self._digest)
        return Unanswered(f"the mail may have been sent; look into the mailbox, it is not sent again ({why})")
