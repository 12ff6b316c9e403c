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
from actions.take_back import take_back
from respond.models.case import Case
from respond.models.orders import Order
from respond.models.report import Attached, Report
from respond.ordering import taken_back, verdict_of
from respond.step import playbook


@playbook("take_back_case", takes_place=True)
async def take_back_case(case: Case, order: Order) -> Report | Attached:
    """Undo every write of a case that can be undone."""
    if not case.is_dry_run and (busy := await hold_case(case)):
        return Attached(case=case.id, run=busy)
    account = await know_user(case)
    intents = await find_intents(case)
    changes = [await take_back(case, account=account, intent=intent, word=order.word) for intent in intents]
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
