"""A person has said yes: to a question of a case, or to the plan of a dry run.

1. hold    Nobody else acts on the case meanwhile.
2. check   A plan is carried out exactly. Has the world moved? Then nothing is done, and it is said what moved.
3. climb   Each step, with its own look before and after.
4. record  The ticket, a notice, and the report.
"""

from __future__ import annotations

from actions.check_plan import check_plan
from actions.close_run import close_run
from actions.hold_case import hold_case
from actions.know_user import know_user
from actions.open_ticket import open_ticket
from actions.put_off_order import put_off_order
from actions.send_notice import send_notice
from respond.climbing import climb
from respond.errors import Transient, made_up_later
from respond.models.case import Case
from respond.models.orders import Order
from respond.models.report import Attached, Report
from respond.ordering import carried_out, refused, verdict_of
from respond.step import playbook
from respond.tasks import gone_already


@playbook("carry_out", takes_place=True)
async def carry_out(case: Case, order: Order) -> Report | Attached:
    """Carry out the steps of an order."""
    if busy := await hold_case(case):
        return Attached(case=case.id, run=busy)
    try:
        account = await know_user(case)
        moved = await check_plan(case, account=account, steps=order.steps) if order.exactly else ()
    except Transient as error:
        if await put_off_order(case, order=order, because=error.message, until=error.until):
            raise made_up_later(error) from error
        raise
    if moved:
        changes = list(refused(order.steps, moved))
    else:
        changes = [await climb(case, account, step, order.word) for step in order.steps]
    report = carried_out(case, order, changes)
    ticket = await open_ticket(
        case,
        account=account,
        verdict=verdict_of(order.report),
        changes=report.actions,
        timeline=report.timeline,
        outcome=report.outcome,
        tasks=report.tasks,
        gone=gone_already(report.persistence),
    )
    report = report.model_copy(update={"actions": (*report.actions, ticket)})
    if case.notifies:
        told = await send_notice(
            case,
            account=account,
            verdict=verdict_of(order.report),
            changes=report.actions,
            outcome=report.outcome,
        )
        report = report.model_copy(update={"actions": (*report.actions, told)})
    return await close_run(case, report=report)
