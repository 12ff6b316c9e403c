"""Note what a look at a user came to, for everybody who had asked.

Writes to our own store. Safe to repeat: a look is ended once.
"""

from __future__ import annotations

from respond.models.case import Case
from respond.models.intake import Round
from respond.step import process, read_action


@read_action()
async def end_round(case: Case, *, looked: Round, answer: str) -> None:
    """Those who asked before the look began are answered.

    Args:
        answer: the case that answers them.
    """
    process().store.intake.answered(case.tenant, looked.user_id, run=looked.run, case=answer)
