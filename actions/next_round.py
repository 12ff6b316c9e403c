"""Who has asked about this user and is not answered yet? One look answers them all.

Asks our own store; no permission. Safe to repeat: the same round of the same run is the same look.
"""

from __future__ import annotations

from respond.models.case import Case
from respond.models.intake import Round
from respond.step import process, read_action


@read_action()
async def next_round(case: Case, *, user: str, owner: str, number: int) -> Round | None:
    """The next look at a user; None gives the turn back, because nobody asks any more.

    Args:
        owner: the run that has the turn.
        number: of the look, from 0; a failed one is not counted on.
    """
    intake = process().store.intake
    return intake.next_round(case.tenant, user, owner=owner, number=number, now=process().connections.clock.now())
