"""Shall we wait until the incident names somebody? Sentinel often fires minutes before it lists the entities.

Puts the delivery off in our own store; the watch of the service takes it up again when it is due, whichever process
that is. No permission. Safe to repeat: one try is put off once.
"""

from __future__ import annotations

import asyncio

from respond.answering import pause_before
from respond.models.case import Case
from respond.models.intake import Delivery
from respond.present import present
from respond.step import process, read_action


@read_action()
async def wait_for_names(case: Case, *, delivery: Delivery, number: int) -> bool:
    """Whether the delivery has been put off: not when its patience is at an end, or there is nothing to read again."""
    now = present()
    if not delivery.notice.incident or now - delivery.at >= delivery.patience:
        return False
    until = min(now + pause_before(number + 1), delivery.at + delivery.patience)
    await asyncio.to_thread(process().store.intake.wait, case.tenant, delivery.key, until=until)
    return True
