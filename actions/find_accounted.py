"""What have earlier runs of the case ended? A method that was removed is not listed any longer: nothing is open.

Read only, from our own state.
"""

from __future__ import annotations

from respond.models.case import Case
from respond.models.persistence import Accounted
from respond.step import process, read_action


@read_action()
async def find_accounted(case: Case) -> tuple[Accounted, ...]:
    """Everything of the case that a live run has ended, and read back."""
    return tuple(process().store.settled(case.id))
