"""`respond watch`: what comes due after a run, where no service is there for it."""

from __future__ import annotations

import asyncio
import sys

from respond.defang import printable
from respond.present import present
from respond.settings import config_dir


def watch_cases(*, once: bool, config: str | None) -> int:
    """Take what comes due, until none is left; 3 when one of them leaves a person something to do."""
    from respond.cli.interrupt import leaving_at_once

    with leaving_at_once():
        return asyncio.run(_watch(once=once, config=config))


async def _watch(*, once: bool, config: str | None) -> int:
    from respond.following import Following
    from respond.models.owed import OwedKind
    from respond.models.report import Outcome, Report
    from respond.session import open_session

    worst = 0
    async with open_session(config_dir(config), watches=True) as session:
        await session.connections.learn_time()
        await session.finish_interrupted()
        following, store = Following(session), session.store
        while True:
            for started in (due := await following.start_due()):
                ended = await session.engine.wait(started.run)
                # A look that failed leaves the case as it was, and a report of its own.
                case = ended.case if isinstance(ended, Report) else ended if isinstance(ended, str) else ""
                other = store.live(case) if case and case != started.case else None
                for report in filter(None, (store.live(started.case), other)):
                    said = f"{report.case} {report.user.upn}: {report.outcome.value}: {report.headline}"
                    sys.stdout.write(f"{printable(' '.join(said.split()))}\n")
                    worst = max(worst, 0 if report.outcome is Outcome.CONTAINED_VERIFIED else 3)
            if due:
                continue  # a few are taken at a time
            dues = [one.due for one in store.watches.pending(session.tenant)]
            dues += [one.due for one in store.later.pending(session.tenant)]
            dues += [one.due for one in store.owed.pending(session.tenant) if one.kind is not OwedKind.DELIVERY]
            if once or not dues:
                return worst
            next_due = min(dues)
            await asyncio.sleep(max(0.2, min((next_due - present()).total_seconds(), 5)))
