"""What comes due after a run: looks at contained cases, unanswered questions, writes that a service asked to wait with.

All lie in the state database, so they survive whoever planned them; any process that follows takes what is due, and
each is taken once.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from respond.models.approvals import Answer
from respond.models.ladder import NOBODY, May, OnTimeout, Step, Word
from respond.models.orders import Order
from respond.observe.logs import Level, log

if TYPE_CHECKING:
    from collections.abc import Sequence

    from respond.models.approvals import Asked
    from respond.models.later import Later
    from respond.models.watches import Watch
    from respond.session import Session

_EVERY = 1.0
_PRUNE_EVERY = 3600.0


@dataclass(frozen=True)
class Started:
    """A run that was due, and the case that it is about."""

    case: str
    run: str


class Following:
    """Starts what is due in one tenant."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._store = session.store

    async def run(self) -> None:
        """Start what is due, until cancelled."""
        prune_at, is_away = time.monotonic(), False  # not 0: that clock may begin with the machine
        while True:
            await asyncio.sleep(_EVERY)
            try:
                if time.monotonic() >= prune_at:
                    prune_at = time.monotonic() + _PRUNE_EVERY
                    await asyncio.to_thread(self.prune)
                for started in await self.start_due():
                    log("followed", case=started.case, run=started.run)
            except SQLAlchemyError as error:  # it may come back; a service that ended because of it would not
                if not is_away:
                    log("following-failed", level=Level.WARNING, reason=type(error).__name__)
                is_away = True
            else:
                is_away = False

    def prune(self) -> None:
        """Forget what finished runs recorded long ago, and deliveries that were answered then."""
        before = datetime.now(UTC) - self._session.settings.state.keep_runs
        while runs := self._session.engine.prune(before):
            log("pruned", runs=runs)
        while self._store.intake.prune(before):
            pass

    async def start_due(self) -> list[Started]:
        """Start everything that is due now; it goes on by itself."""
        now = datetime.now(UTC)
        watches = await asyncio.to_thread(self._store.watches.due, self._session.tenant, now)
        expired = await asyncio.to_thread(self._store.approvals.expired, now)
        mine = [one for one in expired if one.tenant == self._session.tenant]
        looks = [await self._look(watch) for watch in watches]
        return [*(one for one in looks if one), *await self._time_out(mine, now), *await self._try_again(now)]

    async def _look(self, watch: Watch) -> Started | None:
        from playbooks.watch_case import watch_case

        report = self._store.live(watch.case)
        if report is None:
            self._store.watches.done(watch.case, watch.number, datetime.now(UTC), "the case is gone")
            return None
        # The same id whoever takes it, and however often: the engine starts it once.
        run = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{watch.case}|watch|{watch.number}|{watch.due.isoformat()}"))
        if not self._store.watches.take(watch.case, watch.number, run):
            return None
        case = self._session.case_again(report, run=run, watch=watch.number)
        await self._session.engine.start(watch_case, run, case, watch)
        return Started(watch.case, run)

    async def _try_again(self, now: datetime) -> list[Started]:
        waits = await asyncio.to_thread(self._store.later.due, self._session.tenant, now)
        orders: dict[tuple[str, datetime, str], list[Later]] = {}
        for one in waits:
            orders.setdefault((one.case, one.due, one.by), []).append(one)
        runs = [await self._order(case, due, by, some) for (case, due, by), some in orders.items()]
        return [run for run in runs if run]

    async def _order(self, case: str, due: datetime, by: str, waits: Sequence[Later]) -> Started | None:
        from playbooks.try_again import try_again

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
        await self._session.engine.start(try_again, run, self._session.case_again(report, run=run), order)
        return Started(case, run)

    async def _time_out(self, expired: Sequence[Asked], now: datetime) -> list[Started]:
        from playbooks.carry_out import carry_out

        yes = self._session.policy.ladder.approval.on_timeout is OnTimeout.APPROVE
        runs = []
        for case in dict.fromkeys(one.case for one in expired):
            report = self._store.live(case)
            answer = Answer.APPROVED if yes else Answer.EXPIRED
            names = {one.name for one in expired if one.case == case}
            mine, _ = self._store.approvals.answer(
                case, names=names, answer=answer, by=NOBODY, at=now, because="nobody answered in time"
            )
            if not mine or report is None:
                continue
            log("approval-timeout", level=Level.WARNING, case=case, answer=answer.value, actions=sorted(names))
            word = Word(
                may=May.AUTO if yes else May.NEVER,
                why="nobody answered in time, which the policy takes for a yes"
                if yes
                else f"nobody answered in time, which is a denial; respond approve {case} still can",
                by=NOBODY if yes else "",
            )
            run = str(uuid.uuid4())
            order = Order(report=report, word=word, steps=tuple(Step.model_validate_json(one.step) for one in mine))
            await self._session.engine.start(carry_out, run, self._session.case_again(report, run=run), order)
            runs.append(Started(case, run))
        return runs
