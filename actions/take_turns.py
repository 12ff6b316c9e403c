"""Whose turn is it to look at these users? Ours where nobody is at it; whoever is at it looks once more for us.

Asks our own store; no permission. Safe to repeat: a delivery asks about a user once, and who has a turn keeps it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.intake import Ask, Delivery, Rounds
from respond.step import process, read_action


@read_action()
async def take_turns(case: Case, *, delivery: Delivery, people: Sequence[Account]) -> Rounds:
    """Note that a delivery asks about these users, and take the turns that are free."""
    questions = [Ask(user_id=who.id.lower(), since=case.window.start, sighting=delivery.sighting) for who in people]
    here = process()
    return await asyncio.to_thread(
        here.store.intake.ask,
        case.tenant,
        delivery.key,
        questions,
        owner=case.run,
        is_over=here.engine.is_over if here.engine else lambda _: True,
    )
