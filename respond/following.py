"""What comes due after a run: looks at contained cases, unanswered questions, what a service that was away is owed.

All lie in the state database, so they survive whoever planned them; any process that follows takes what is due, and
each is taken once.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from respond.durable import RunState
from respond.models import wire
from respond.models.approvals import Answer
from respond.models.base import stamp
from respond.models.ladder import NOBODY, May, OnTimeout, Step, Word
from respond.models.orders import Order
from respond.models.owed import OwedKind
from respond.observe.logs import Level, log
from respond.observe.setbacks import SETBACKS
from respond.present import present
from respond.ranks import Rank, ranked
from respond.response_mode import ResponseMode
from respond.settings import tickets_dir
from respond.step import places
from respond.store.engine_records import compact
from respond.store.purge import delete_pages, old_cases, purge_cases, shrink, tickets_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from respond.models.approvals import Asked
    from respond.models.later import Later
    from respond.models.owed import Owed
    from respond.models.watches import Watch
    from respond.session import Session

_MOST_TRIES = 3
_EVERY = 1.0
_PRUNE_EVERY = 60.0
_CASES_AT_ONCE = 50
_REMEMBERED = timedelta(days=1)
"""For so long an answer of nobody is looked at again: the process that noted it may have died before the run began."""


@dataclass(frozen=True)
class Started:
    """A run that was due, and the case that it is about."""

    case: str
    run: str


class Following:
    """Starts what is due in one tenant: no more at once than there are places for soon, whatever else is due."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._store = session.store
        self._carried_out: set[str] = set()

    async def turn(self) -> float:
        """Start what is due; the seconds until the next look."""
        for started in await self.start_due():
            log("followed", case=started.case, run=started.run)
        return _EVERY

    async def prune_turn(self) -> float:
        """Delete what is not needed any more; the seconds until the next time."""
        await asyncio.to_thread(self.prune)
        return _PRUNE_EVERY

    def prune(self) -> None:
        """Delete what has been kept long enough: records of finished runs, answered deliveries, cases."""
        now, settings = present(), self._session.settings.state
        before = now - settings.keep_runs
        with SETBACKS.alone("pruning", "steps"):
            while compact(self._store.database, now - settings.keep_steps):
                pass
        with SETBACKS.alone("pruning", "cases"):
            # A clock that was set years ahead would have every case deleted.
            if self._session.connections.clock.is_known:
                self._purge(now - settings.keep, now)
        with SETBACKS.alone("pruning", "runs"):
            while runs := self._session.engine.prune(before):
                log("pruned", runs=runs)
        with SETBACKS.alone("pruning", "deliveries"):
            while self._store.intake.prune(before):
                pass
        shrink(self._store.database)

    def _purge(self, before: datetime, now: datetime) -> None:
        """Delete cases that have been kept long enough, some at a time: other writers wait meanwhile."""
        database, tenant = self._store.database, self._session.tenant
        while which := old_cases(database, tenant, before, most=_CASES_AT_ONCE):
            for page in delete_pages(tickets_dir(self._session.settings), tickets_of(database, which)):
                log("page-left", level=Level.WARNING, page=page.name, reason="it could not be deleted")
            purged = purge_cases(database, tenant, which, by="respond", at=now)
            log("purged", cases=len(purged.cases))
        purge_cases(database, tenant, (), by="respond", at=now, before=before)

    async def start_due(self) -> list[Started]:
        """Start everything that is due now; it goes on by itself. A row that breaks is passed over."""
        now = present()
        watches = await asyncio.to_thread(self._store.watches.due, self._session.tenant, now)
        expired = await asyncio.to_thread(self._store.approvals.expired, now)
        mine = [one for one in expired if one.tenant == self._session.tenant]
        started = await self._time_out(mine, now)
        for watch in watches:
            with SETBACKS.alone("recheck", f"{watch.case}/{watch.number}"):
                started += filter(None, [await self._look(watch)])
        again = [*await self._try_again(now), *await self._make_up(now)]
        return [*started, *again]

    async def _look(self, watch: Watch) -> Started | None:
        from playbooks.watch_case import watch_case

        store, engine = self._store, self._session.engine
        run = _run_of_look(watch, 0)
        if watch.taken_by:
            state = await asyncio.to_thread(engine.state, watch.taken_by)
            if state is RunState.UNFINISHED:
                return None
            run = watch.taken_by if state is RunState.UNKNOWN else self._next_try(watch)
        if not run or not places().to_start():
            return None
        report = store.live(watch.case)
        if report is None:
            store.watches.done(watch.case, watch.number, present(), "the case is gone")
            return None
        if not store.watches.take(watch.case, watch.number, run, instead_of=watch.taken_by):
            return None
        case = self._session.case_again(report, run=run, watch=watch.number)
        with ranked(Rank.BACKGROUND):
            await engine.start(watch_case, run, case, watch)
        return Started(watch.case, run)

    def _next_try(self, watch: Watch) -> str:
        """The run of the next try of a recheck whose run ended without an answer; empty when that was the last."""
        tries = [_run_of_look(watch, number) for number in range(_MOST_TRIES)]
        number = tries.index(watch.taken_by) + 1 if watch.taken_by in tries else 1
        if number < _MOST_TRIES:
            return tries[number]
        reason = f"its run broke {_MOST_TRIES} times; the log says why"
        log("recheck-given-up", level=Level.ERROR, case=watch.case, run=watch.taken_by, reason=reason)
        self._store.watches.done(watch.case, watch.number, present(), reason)
        return ""

    async def _try_again(self, now: datetime) -> list[Started]:
        waits = await asyncio.to_thread(self._store.later.due, self._session.tenant, now)
        orders: dict[tuple[str, datetime, str], list[Later]] = {}
        for one in waits:
            orders.setdefault((one.case, one.due, one.by), []).append(one)
        runs: list[Started] = []
        for (case, due, by), some in orders.items():
            with SETBACKS.alone("later", case):
                runs += filter(None, [await self._order(case, due, by, some)])
        return runs

    async def _make_up(self, now: datetime) -> list[Started]:
        """Start what is owed and due. What a run has taken and did not end is put off: its process is gone."""
        started: list[Started] = []
        for work in await asyncio.to_thread(self._store.owed.due, self._session.tenant, now):
            with SETBACKS.alone("owed", f"{work.kind}/{work.key}"):
                started += filter(None, [await self._owed(work, now)])
        return started

    async def _owed(self, work: Owed, now: datetime) -> Started | None:
        from playbooks.make_up import make_up
        from playbooks.take_back_case import take_back_case

        if work.taken_by:
            if await asyncio.to_thread(self._session.engine.is_over, work.taken_by):
                pauses = self._session.settings.retry.make_up
                await asyncio.to_thread(self._store.owed.put_off, work, work.reason, now=now, pauses=pauses)
            return None
        if not places().to_start():
            return None
        # The same id whoever takes it, and however often: the engine starts it once.
        about = f"{work.tenant}|{work.kind}|{work.key}|{work.since.isoformat()}|{work.tries}|{work.due.isoformat()}"
        run = str(uuid.uuid5(uuid.NAMESPACE_OID, about))
        if not await asyncio.to_thread(self._store.owed.take, work, run):
            return None
        with ranked(Rank.BACKGROUND):
            if work.kind is not OwedKind.UNDO:
                await self._session.engine.start(make_up, run, self._session.case_owed(work, run=run), work)
                return Started(work.case, run)
            report = self._store.live(work.case)
            if report is None:
                await asyncio.to_thread(self._store.owed.forget, work.tenant, work.kind, work.key)
                return None
            order = Order(report=report, **wire.loads(work.body))
            await self._session.engine.start(take_back_case, run, self._session.case_again(report, run=run), order)
        return Started(work.case, run)

    async def _order(self, case: str, due: datetime, by: str, waits: Sequence[Later]) -> Started | None:
        from playbooks.try_again import try_again

        taken = next((one.taken_by for one in waits if one.taken_by), "")
        if taken:
            state = await asyncio.to_thread(self._session.engine.state, taken)
            if state is RunState.OVER:  # it ended without an answer
                self._store.later.put_off(case, taken, present())
            if state is not RunState.UNKNOWN:
                return None
        if not places().to_start():
            return None
        report = self._store.live(case)
        if report is None:
            self._store.later.forget(case)
            return None
        # The same id whoever takes it, and however often: the engine starts it once.
        run = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{case}|again|{due.isoformat()}|{by}"))
        if not self._store.later.take(case, due, by, run):
            return None
        word = Word(may=May.AUTO, why="a service had asked to wait", by=by)
        order = Order(report=report, word=word, steps=tuple(one.step for one in waits))
        with ranked(Rank.BACKGROUND):
            await self._session.engine.start(try_again, run, self._session.case_again(report, run=run), order)
        return Started(case, run)

    async def _time_out(self, expired: Sequence[Asked], now: datetime) -> list[Started]:
        policy = self._session.policy
        # Without a person nothing is carried out in the other modes.
        yes = policy.ladder.approval.on_timeout is OnTimeout.APPROVE and policy.response_mode is ResponseMode.AUTO
        runs: list[Started] = []
        for case in dict.fromkeys(one.case for one in expired):
            with SETBACKS.alone("approval", case):
                mine = [one for one in expired if one.case == case]
                runs += filter(None, [await self._expire(case, mine, now, yes=yes)])
        answered = await asyncio.to_thread(self._store.approvals.timed_out, self._session.tenant, now - _REMEMBERED)
        for case, at in dict.fromkeys((one.case, one.answered_at) for one in answered):
            with SETBACKS.alone("approval", case):
                mine = [one for one in answered if (one.case, one.answered_at) == (case, at)]
                runs += filter(None, [await self._carry_out(mine)])
        return runs

    async def _expire(self, case: str, expired: Sequence[Asked], now: datetime, *, yes: bool) -> Started | None:
        """Take the questions of one case as answered by nobody, and carry out what that means.

        Where another run is at work on the case, they wait for its end: what comes of them would be lost.
        """
        run, is_known = _run_of_timeout(case, now), await asyncio.to_thread(self._store.has, case)
        if is_known and (busy := await asyncio.to_thread(self._store.hold, case=case, run=run)):
            if await asyncio.to_thread(self._session.engine.is_over, busy):
                await asyncio.to_thread(self._store.release, case=case, run=busy)
            return None
        answer = Answer.APPROVED if yes else Answer.EXPIRED
        names = {one.name for one in expired}
        mine, _ = await asyncio.to_thread(
            self._store.approvals.answer,
            case,
            names=names,
            answer=answer,
            by=NOBODY,
            at=now,
            because="nobody answered in time",
        )
        started = None
        if mine:
            log("approval-timeout", level=Level.WARNING, case=case, answer=answer.value, actions=sorted(names))
            started = await self._carry_out(mine)
        if started is None:
            await asyncio.to_thread(self._store.release, case=case, run=run)
        return started

    async def _carry_out(self, answered: Sequence[Asked]) -> Started | None:
        """Start what nobody's answer to a case means, if that has not begun: a process may die between the two."""
        from playbooks.carry_out import carry_out

        case, at = answered[0].case, answered[0].answered_at
        if at is None or (run := _run_of_timeout(case, at)) in self._carried_out:
            return None
        state, report = await asyncio.to_thread(self._session.engine.state, run), self._store.live(case)
        if state is not RunState.UNKNOWN or report is None or self._store.was_closed(case, since=at):
            self._carried_out.add(run)
            return None
        yes = answered[0].answer is Answer.APPROVED
        word = Word(
            may=May.AUTO if yes else May.NEVER,
            why="nobody answered in time, which the policy takes for a yes"
            if yes
            else f"nobody answered in time, which is a denial; respond approve {case} still can",
            by=NOBODY if yes else "",
        )
        steps = tuple(Step.model_validate_json(one.step) for one in answered)
        order = Order(report=report, word=word, steps=steps)
        await self._session.engine.start(carry_out, run, self._session.case_again(report, run=run), order)
        self._carried_out.add(run)
        return Started(case, run)


def _run_of_timeout(case: str, at: datetime) -> str:
    """The same id whoever starts it, and however often: the engine starts it once."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{case}|timeout|{stamp(at)}"))


def _run_of_look(watch: Watch, number: int) -> str:
    """The same id whoever takes it, and however often: the engine starts it once.

    Args:
        number: of the try, from 0.
    """
    again = f"|{number}" if number else ""
    about = f"{watch.case}|watch|{watch.number}|{watch.due.isoformat()}{again}"
    return str(uuid.uuid5(uuid.NAMESPACE_OID, about))
