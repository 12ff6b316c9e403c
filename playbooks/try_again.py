"""A service that had asked to wait may be asked again: carry out what was put off.

1. carry out   Each step, with its own look before and after; then the ticket and the report.
2. put off     When another run is at work on the case, or nothing came of it.
"""

from __future__ import annotations

from actions.put_off import put_off
from playbooks.carry_out import carry_out
from respond import durable
from respond.errors import RespondError
from respond.models.case import Case
from respond.models.orders import Order
from respond.models.report import Attached
from respond.step import playbook


@playbook("try_again")
async def try_again(case: Case, order: Order) -> None:
    """Carry out the steps of a case that a throttled service had kept back."""
    try:
        answer = await durable.part(carry_out, f"{case.run}/order", case, order)
    except RespondError as error:
        await put_off(case, because=error.message)
        return
    if isinstance(answer, Attached):
        await put_off(case, because=f"run {answer.run} is at work on the case")
