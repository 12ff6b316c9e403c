"""The tenant-wide hunt beside the webhook: so that a rule that never fired is no gap.

Every few minutes one process of all that serve looks at the users whose device code rows have arrived since the last
look, judges their sign-ins as `respond hunt` does, and delivers those that are not harmless like any other delivery. A
round that dies is made up for by the next: what was looked at is noted at the end of a round only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from respond.answering import named_by
from respond.errors import RespondError
from respond.models.intake import Delivery, FreshUsers, Sighting, Trigger
from respond.models.notice import Named, Notice, Shape
from respond.models.report import ActionStatus, Outcome
from respond.models.survey import Survey
from respond.plain_errors import plain
from respond.ranks import Rank, ranked
from respond.session import Session

_SETTLED = (Outcome.CONTAINED_VERIFIED, Outcome.NO_ACTION, Outcome.AWAITING_APPROVAL)


@dataclass(frozen=True)
class RoundResult:
    """What one round came to.

    Attributes:
        looked_at: users with fresh rows.
        delivered: users that are being answered for because of it.
    """

    looked_at: int = 0
    delivered: int = 0
    error: str = ""


class Schedule:
    """Looks every few minutes.

    Args:
        deliver: takes what a round has found.
        tell: hears what a round came to.
    """

    def __init__(
        self, session: Session, deliver: Callable[[Delivery], Awaitable[object]], tell: Callable[[RoundResult], None]
    ) -> None:
        self._session = session
        self._deliver = deliver
        self._tell = tell

    async def turn(self) -> float | None:
        """Look now; the seconds until the next round is due, None when the settings want none."""
        every = self._session.settings.schedule.every.total_seconds()
        if not every:
            return None
        # Not by the wall clock, which may be set; a round that takes long delays no more than the next one.
        clock = asyncio.get_running_loop().time
        began = clock()
        await self.round()
        return max(began + every - clock(), 0.0)

    async def round(self) -> RoundResult | None:
        """The next round; None while another process has begun one a short while ago."""
        intake, tenant, now = self._session.store.intake, self._session.tenant, self._session.now()
        every, owner = self._session.settings.schedule.every, self._session.engine.name
        try:
            number = await asyncio.to_thread(intake.take_round, tenant, owner=owner, now=now, every=every)
            if number is None:
                return None
            result = await self._look(number, now)
        except RespondError as error:
            result = RoundResult(error=error.message)
        except Exception as error:
            self._tell(RoundResult(error=plain(error)))
            raise
        self._tell(result)
        return result

    async def _look(self, number: int, now: datetime) -> RoundResult:
        from actions.find_fresh_users import find_fresh_users
        from playbooks.tenant_hunt import tenant_hunt

        settings, intake = self._session.settings.schedule, self._session.store.intake
        case = self._session.case_about_nobody(since=settings.look_back)
        last = await asyncio.to_thread(intake.last_arrival, self._session.tenant)
        # One that looked beyond the present, by a clock that was wrong, has not seen what arrives until then.
        begin = max(min(last, now) - settings.overlap, case.window.start) if last else case.window.start
        with ranked(Rank.BACKGROUND):  # what it finds is delivered, and fresh from then on
            fresh = await find_fresh_users(case, arrived_from=begin, arrived_to=now)
            survey = await tenant_hunt(case, people=fresh.people) if fresh.people else None
        people = await asyncio.to_thread(self._unsettled, fresh, survey, now) if survey else ()
        if people:
            await self._deliver(self._delivery(number, now, people))
        if fresh.whole:
            await asyncio.to_thread(
                intake.end_round, self._session.tenant, number, arrived_until=now, result=f"{len(people)} delivered"
            )
        missing = "" if fresh.whole else "; ".join(f"{gap.source}: {gap.reason}" for gap in fresh.gaps)
        return RoundResult(looked_at=len(fresh.people), delivered=len(people), error=missing)

    def _unsettled(self, fresh: FreshUsers, survey: Survey, now: datetime) -> tuple[Named, ...]:
        """Of the users whose sign-ins are not harmless, those with a row that no case knows, or whom a case failed."""
        return tuple(who for who in named_by(survey) if self._has_news(fresh.rows.get(who.object_id, ()), now))

    def _has_news(self, rows: Iterable[str], now: datetime) -> bool:
        store = self._session.store
        wanted = set(rows)
        known = store.intake.known_keys(self._session.tenant, wanted)
        cases = set(known.values())
        for case in cases:
            store.intake.seen(case, (Sighting(path=Trigger.SCHEDULE, ref="", at=now),))
        return bool(wanted - known.keys()) or not all(map(self._is_settled, cases))

    def _is_settled(self, case: str) -> bool:
        report = self._session.store.report(case)
        if report is None:
            return False
        # What was refused will be refused again; what failed may have been mended.
        failed = any(change.status is ActionStatus.FAILED for change in report.actions)
        return report.outcome in _SETTLED or (report.outcome is Outcome.NOT_CONTAINED and not failed)

    def _delivery(self, number: int, now: datetime, people: tuple[Named, ...]) -> Delivery:
        window = self._session.settings.schedule.look_back
        notice = Notice(shape=Shape.ENTITY, title="the schedule's hunt", accounts=people, window_start=now - window)
        return Delivery(
            tenant=self._session.tenant,
            key=f"schedule/{number}",
            digest="",
            path=Trigger.SCHEDULE,
            at=now,
            by="schedule",
            notice=notice,
        )
