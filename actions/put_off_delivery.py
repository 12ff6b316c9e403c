"""Answer a delivery later, because a service that has to be asked does not answer now.

Puts the delivery off in our own store; the watch of the service begins it again when it is due, whichever process that
is, and goes on until it is answered. No permission. Safe to repeat: one try is put off once.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import datetime

from respond.models.case import Case
from respond.models.intake import Delivery
from respond.models.notice import Named
from respond.present import present
from respond.step import process, read_action


@read_action()
async def put_off_delivery(
    case: Case,
    *,
    delivery: Delivery,
    because: str,
    until: datetime | None = None,
    rest: Sequence[Named] | None = None,
) -> None:
    """Begin the delivery again later, or a part of it.

    Args:
        until: a moment that the service named; it is not begun before.
        rest: the accounts that are left, where the others are being answered for; nobody: its incident is read again.
            None for the whole delivery.
    """
    here, now = process(), present()
    pauses = here.settings.retry.make_up
    if rest is None:
        await asyncio.to_thread(
            here.store.intake.put_off, case.tenant, delivery.key, because, now=now, pauses=pauses, until=until
        )
        return
    notice = delivery.notice.model_copy(update={"accounts": tuple(rest), "cut": False})
    part = delivery.model_copy(update={"key": f"{delivery.key}/{_digest(rest)}", "digest": "", "notice": notice})
    await asyncio.to_thread(here.store.intake.accept_for, part, because, now=now, pauses=pauses)


def _digest(rest: Sequence[Named]) -> str:
    return hashlib.sha256("\n".join(one.model_dump_json() for one in rest).encode()).hexdigest()[:12]
