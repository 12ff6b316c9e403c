"""Look at a contained case again later, because a service that has to be asked does not answer now.

In our own store, no permission. Safe to repeat: what this run had taken is put off once.
"""

from __future__ import annotations

from datetime import datetime

from respond.models.case import Case
from respond.models.watches import Watch
from respond.present import present
from respond.step import process, read_action


@read_action()
async def put_off_watch(case: Case, *, watch: Watch, because: str, until: datetime | None = None) -> str:
    """Why, for the records of the run.

    Args:
        until: a moment that the service named; there is no look before.
    """
    store = process().store
    due = max(present() + process().settings.retry.make_up[-1], until or watch.due)
    store.watches.put_off(watch.case, watch.number, run=case.run, due=due)
    return because
