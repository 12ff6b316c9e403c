"""The work behind the webhook and the schedule: what is delivered is written down, then answered, whatever dies.

A delivery is in the database before its sender is told so. It is started at once where there is room, and otherwise
left to whichever process has room first. A watch goes round every few seconds: it takes over the runs of dead
processes and starts what was accepted and never begun.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from respond.durable import RECORDS_VERSION, Handle, RunState
from respond.errors import Overloaded, StateAway, Transient
from respond.models.intake import Accepted, Begun, Delivery, Trigger, Unanswered
from respond.models.notice import Notice
from respond.observe.logs import Level, log
from respond.observe.metrics import Metrics
from respond.observe.setbacks import SETBACKS
from respond.plain_errors import named, plain
from respond.present import present
from respond.session import Session
from respond.store.readiness import prove_writable

_BEFORE = timedelta(hours=1)
"""The hunt begins this long before what the alerts looked at."""
_STALLED_AFTER = timedelta(seconds=15)
_MOST_BROKEN = 3
_COUNT_FOR = 1.0
_ANSWERS_WITHIN = 5.0
_TAKEN_WITHIN = 15.0
"""Seconds; the front door, and most senders, give up after 30."""
_GONE = "the file of the state database is gone"


class Service:
    """Takes deliveries and sees to their answers.

    Args:
        session: one that serves.
    """

    def __init__(self, session: Session, metrics: Metrics) -> None:
        self._session = session
        self._metrics = metrics
        self._at_work = 0
        self._counted, self._count = 0.0, 0
        self._ends: set[asyncio.Future[None]] = set()
        self._proving: asyncio.Future[None] | None = None

    async def take(self, notice: Notice, *, key: str, by: str) -> Accepted:
        """Accept what the webhook received: once this returns, it will be answered.

        An incident that somebody has closed is noted and left alone, unless the settings say otherwise.

        Raises:
            Overloaded: too many wait; nothing was accepted.
            Transient: the state database does not answer.
        """
        settings = self._session.settings
        try:
            async with asyncio.timeout(_TAKEN_WITHIN):
                if await self._waiting() >= settings.serve.most_waiting:
                    raise Overloaded(f"{settings.serve.most_waiting} deliveries wait already")
                if not self._session.store.is_there:
                    raise Transient(_GONE)
                return await self._take(notice, key=key, by=by)
        except SQLAlchemyError as error:
            raise StateAway(plain(error)) from error
        except TimeoutError:
            # What was written down all the same is begun by the next turn; the sender's retry is its duplicate.
            raise StateAway(f"the state database took no write within {_TAKEN_WITHIN:g} s") from None

    async def _take(self, notice: Notice, *, key: str, by: str) -> Accepted:
        return await self.deliver(
            Delivery(
                tenant=self._session.tenant,
                key=key,
                digest="" if notice.is_by_hand else notice.digest,
                path=Trigger.WEBHOOK,
                at=present(),
                by=by,
                notice=notice,
                patience=self._session.settings.webhook.entity_wait,
            )
        )

    async def deliver(self, delivery: Delivery) -> Accepted:
        """Write a delivery down and begin to answer it, unless it says nothing new."""
        closed = delivery.notice.status.lower() == "closed" and not self._session.settings.webhook.answer_closed
        accepted = await asyncio.to_thread(self._session.store.intake.accept, delivery, is_over=closed)
        if not accepted.duplicate and not closed:
            self._count += 1
            await self._begin(delivery, number=0)
        return accepted

    async def turn(self) -> float:
        """Look after what was accepted; the seconds until the next time."""
        await self.look_after()
        return self._session.settings.serve.beat.total_seconds()

    async def look_after(self) -> None:
        """Take over from dead processes, and begin what was accepted and never begun, or ended without an answer."""
        engine = self._session.engine
        # The engine waits in silence for a database that is away, up to a minute longer than it is; this asks once.
        await asyncio.to_thread(self._session.store.intake.depth)
        for run in await asyncio.to_thread(engine.abandon):
            log("run-abandoned", run=run, reason="its records are of a version that no process writes any more")
        if taken := await asyncio.to_thread(engine.take_over):
            self._metrics.took_over(taken)
            log("runs-taken-over", runs=taken)
        if idle := await asyncio.to_thread(engine.put_back):
            log("runs-put-back", level=Level.WARNING, runs=idle, reason="their end could not be recorded")
        now, intake, tenant = present(), self._session.store.intake, self._session.tenant
        for begun in await asyncio.to_thread(intake.due, tenant, now):
            with SETBACKS.alone("delivery", begun.delivery.key):
                await self._begin(begun.delivery, number=begun.number)
        for begun in await asyncio.to_thread(intake.open, tenant, before=now - _STALLED_AFTER):
            with SETBACKS.alone("delivery", begun.delivery.key):
                await self._see_to(begun)

    async def ready(self) -> str:
        """Why it cannot work just now; empty when it can. The state database has to take a write, in bounded time."""
        if not self._session.store.is_there:
            return _GONE
        try:
            async with asyncio.timeout(_ANSWERS_WITHIN):
                await asyncio.shield(self._proof())
        except SQLAlchemyError as error:
            return plain(error)
        except TimeoutError:
            return f"the state database took no write within {_ANSWERS_WITHIN:g} s: it is locked or does not answer"
        return ""

    def _proof(self) -> asyncio.Future[None]:
        """One proof at a time, however many ask: a database that hangs must not take every thread."""
        if self._proving is None or self._proving.done():
            store, name = self._session.store, self._session.engine.name
            self._proving = asyncio.ensure_future(asyncio.to_thread(prove_writable, store.database, name))
            self._proving.add_done_callback(lambda proof: proof.cancelled() or proof.exception())
        return self._proving

    def depth(self) -> Mapping[str, int]:
        """How many deliveries there are by state, for the metrics."""
        return self._session.store.intake.depth()

    def owed(self) -> Mapping[str, int]:
        """How much an outage has kept from being done, by kind, for the metrics; containment is `contain`."""
        store, tenant = self._session.store, self._session.tenant
        return {**store.owed.counts(tenant), "contain": len(store.later.pending(tenant))}

    async def _begin(self, delivery: Delivery, *, number: int) -> None:
        from playbooks.answer_delivery import answer_delivery

        engine, run = self._session.engine, _run_of(delivery, number)
        case = self._session.case_of(delivery, run=run, before=_BEFORE)
        if self._at_work >= self._session.settings.serve.runs_at_once:
            await engine.enqueue(answer_delivery, run, case, delivery, number)
            return
        self._at_work += 1
        try:
            handle = await engine.start(answer_delivery, run, case, delivery, number)
        except BaseException:
            self._at_work -= 1
            raise
        self._ends.add(end := asyncio.ensure_future(self._until_over(handle, run)))
        end.add_done_callback(self._ends.discard)

    async def _until_over(self, handle: Handle, run: str) -> None:
        try:
            await handle.get_result()
        except Exception as error:  # noqa: BLE001 - a run's own edge: it is recorded there, and the watch sees to it
            log("run-broke", level=Level.ERROR, run=run, reason=named(error))
        finally:
            self._at_work -= 1

    async def _see_to(self, begun: Begun) -> None:
        """Begin what nobody is at work on. A run that broke is tried anew, a few times."""
        engine, store = self._session.engine, self._session.store
        delivery, run = begun.delivery, _run_of(begun.delivery, begun.number)
        state = await asyncio.to_thread(engine.state, run)
        if state is RunState.UNKNOWN:
            log("delivery-begun-late", delivery=delivery.key)
            await self._begin(delivery, number=begun.number)
        if state is not RunState.OVER:
            return
        if begun.asked:
            owners = await asyncio.to_thread(store.intake.owners, delivery.tenant, delivery.key)
            if owners and not any([await asyncio.to_thread(engine.is_over, owner) for owner in owners]):
                return  # others are at it, and will answer for this one as well
        if await asyncio.to_thread(
            store.intake.broke, delivery.tenant, delivery.key, number=begun.number, most=_MOST_BROKEN
        ):
            return
        await self._give_up(delivery)

    async def _give_up(self, delivery: Delivery) -> None:
        """A run that breaks is a defect of ours: a person has to answer in its place."""
        from actions.open_unanswered import open_unanswered

        reason = f"the run that answers it broke {_MOST_BROKEN} times; the log says why"
        log("delivery-given-up", level=Level.ERROR, delivery=delivery.key, reason=reason)
        label = delivery.notice.title or delivery.notice.incident or delivery.key
        case = self._session.case_of(delivery, run=f"{_run_of(delivery, 0)}/given-up", before=_BEFORE)
        people = (Unanswered(label=label, reason=reason),)
        about = delivery.notice.incident_key or delivery.key
        await open_unanswered(case, about=about, people=people, sightings=(delivery.sighting,))

    async def _waiting(self) -> int:
        """How many deliveries wait; counted anew every second."""
        clock = asyncio.get_running_loop().time()
        if clock - self._counted > _COUNT_FOR:
            depth = await asyncio.to_thread(self._session.store.intake.depth)
            self._counted, self._count = clock, depth.get("accepted", 0) + depth.get("asked", 0)
        return self._count


def _run_of(delivery: Delivery, number: int) -> str:
    return f"delivery/{delivery.tenant}/{delivery.key}/{RECORDS_VERSION}/{number}"
