"""Somebody wants undone what was done about a case: what can be, is; what cannot be, is said.

1. hold     Nobody else acts on the case meanwhile.
2. find     What the case has changed, and how it was before.
3. restore  Newest first, each read back.
4. record   The ticket, and the report.
"""

from __future__ import annotations

from actions.close_run import close_run
from actions.find_intents import find_intents
from actions.hold_case import hold_case
from actions.know_user import know_user
from actions.open_ticket import open_ticket
from actions.put_off_order import put_off_order
from actions.settle_undo import settle_undo
from actions.take_back import take_back
from respond.errors import Transient, made_up_later
from respond.models.case import Case
from respond.models.orders import Order
from respond.models.report import Attached, Report
from respond.ordering import chosen, steps_of, taken_back, verdict_of
from respond.step import playbook


@playbook("take_back_case", takes_place=True)
async def take_back_case(case: Case, order: Order) -> Report | Attached:
    """Undo every write of a case that can be undone; only the steps of the order, where it names some."""
    if not case.is_dry_run and (busy := await hold_case(case)):
        return Attached(case=case.id, run=busy)
    intents = chosen(await find_intents(case), order)
    try:
        account = await know_user(case)
    except Transient as error:
        rest = order.model_copy(update={"steps": steps_of(intents)})
        if await put_off_order(case, order=rest, because=error.message, until=error.until, undo=True):
            raise made_up_later(error) from error
        raise
    changes = [await take_back(case, account=account, intent=intent, word=order.word) for intent in intents]
    left = [(intent, change) for intent, change in zip(intents, changes, strict=True) if change.again]
    if left:
        rest = order.model_copy(update={"steps": steps_of([intent for intent, _ in left])})
        await put_off_order(case, order=rest, because=left[0][1].summary, undo=True)
    elif not case.is_dry_run:
        await settle_undo(case)
    report = taken_back(case, order, changes)
    ticket = await open_ticket(
        case,
        account=account,
        verdict=verdict_of(order.report),
        changes=changes,
        timeline=report.timeline,
        outcome=report.outcome,
    )
    report = report.model_copy(update={"actions": (*changes, ticket)})
    return await close_run(case, report=report)
