"""Nothing came of trying again: try once more later. In our own store, no permission.

Safe to repeat: what this run had taken is put off once.
"""

from __future__ import annotations

from respond.models.case import Case
from respond.present import present
from respond.step import process, read_action


@read_action()
async def put_off(case: Case, *, because: str) -> str:
    """Why, for the records of the run."""
    store = process().store
    store.later.put_off(case.id, case.run, present())
    store.release(case=case.id, run=case.run)
    return because
