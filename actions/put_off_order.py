"""Carry out later what a person has ordered, because a service that has to be asked does not answer now.

In our own store, no permission. Safe to repeat: an order is kept once a case. A plan that is carried out only in the
world that it expects is not kept.
"""

from __future__ import annotations

from datetime import datetime

from respond.models import wire
from respond.models.case import Case
from respond.models.ladder import May
from respond.models.later import Later
from respond.models.orders import Order
from respond.models.owed import Owed, OwedKind
from respond.present import present
from respond.step import process, read_action, soon


@read_action()
async def put_off_order(
    case: Case, *, order: Order, because: str, until: datetime | None = None, undo: bool = False
) -> bool:
    """Whether it is kept. The case is free again either way.

    Args:
        until: a moment that the service named; nothing is tried before.
        undo: the order takes its steps back.
    """
    store, now = process().store, present()
    kept = not case.is_dry_run and bool(order.steps) and not order.exactly and order.word.may is May.AUTO
    if kept and undo:
        body = wire.dumps({"word": order.word, "steps": order.steps})
        work = Owed(
            tenant=case.tenant,
            kind=OwedKind.UNDO,
            key=case.id,
            case=case.id,
            body=body,
            due=now,
            since=now,
            reason=because,
        )
        store.owed.put(work, now=now, pauses=process().settings.retry.make_up, until=until)
    elif kept:
        due = until or soon()
        waits = [Later(tenant=case.tenant, case=case.id, step=step, by=order.word.by, due=due) for step in order.steps]
        store.later.plan(case.id, waits, run=case.run)
    store.release(case=case.id, run=case.run)
    return kept
