"""Look at a user later, because a service that has to be asked does not answer now.

Puts off every delivery that asks about the user in our own store, and gives the turn back; the watch of the service
begins them again when they are due. No permission. Safe to repeat: one try is put off once.
"""

from __future__ import annotations

import asyncio
from datetime import datetime

from respond.models.case import Case
from respond.models.intake import Round
from respond.present import present
from respond.step import process, read_action

_MOST_BROKEN = 3


@read_action()
async def put_off_look(case: Case, *, looked: Round, because: str, passes: bool, until: datetime | None = None) -> bool:
    """Whether the look was put off.

    Args:
        because: what went wrong.
        passes: a service did not answer; such a look is put off without end. Another failure is tried three times more.
        until: a moment that the service named; there is no look before.
    """
    here = process()
    return await asyncio.to_thread(
        here.store.intake.put_off_user,
        case.tenant,
        looked.user_id,
        because,
        owner=case.run,
        now=present(),
        pauses=here.settings.retry.make_up,
        until=until,
        most=None if passes else _MOST_BROKEN,
    )
