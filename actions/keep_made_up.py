"""Keep what became of a write that was made up for, with the report of its case.

Safe to repeat: the newest outcome replaces the one before. Nothing is sent.
"""

from __future__ import annotations

from respond.models.case import Case
from respond.models.owed import OwedKind
from respond.models.report import Change
from respond.step import process, read_action
from respond.ticketing.keep import ticket_ref

_WRITE_BACKS = (OwedKind.COMMENT, OwedKind.TAG)


@read_action()
async def keep_made_up(case: Case, *, change: Change) -> int:
    """How many writes were kept with the newest report of the case."""
    store = process().store
    if change.name in _WRITE_BACKS:
        return store.keep_write_backs(case.id, (change,))
    return store.keep_made_up(case.id, change, ticket_ref(case))
