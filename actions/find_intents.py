"""What has this case changed so far, and how was it before?

From the state database; read only.
"""

from __future__ import annotations

from respond.models.case import Case
from respond.models.intents import Intent
from respond.step import process, read_action


@read_action()
async def find_intents(case: Case) -> tuple[Intent, ...]:
    """Every write of the case that was begun and not taken back, newest first."""
    return tuple(one for one in reversed(process().store.intents.of_case(case.id)) if one.undone_at is None)
