"""Note that nothing is left of an undo that an outage had kept from being done.

In our own store, no permission. Safe to repeat.
"""

from __future__ import annotations

from respond.models.case import Case
from respond.models.owed import OwedKind
from respond.present import present
from respond.step import process, read_action


@read_action()
async def settle_undo(case: Case) -> bool:
    """Whether it was owed."""
    return process().store.owed.settle(case.tenant, OwedKind.UNDO, case.id, now=present())
