"""Take a case for this run, so that no other one acts on it at the same time.

Safe to repeat: a case that this run holds stays its own. `close_run` lets go of it.
"""

from __future__ import annotations

from respond.models.case import Case
from respond.step import process, read_action


@read_action()
async def hold_case(case: Case) -> str:
    """The run that is at work on the case; empty when it is this one from now on."""
    return process().store.hold(case=case.id, run=case.run)
