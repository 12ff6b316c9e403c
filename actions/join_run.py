"""What did the other run say? Another run has the case of these sign-ins; its report is the answer.

Safe to repeat: it only waits. A run whose process dies is taken over by whoever waits for it.
"""

from __future__ import annotations

from respond.errors import RespondError
from respond.models.case import Case
from respond.models.report import Attached, Report
from respond.step import process, read_action


@read_action(waits=True)
async def join_run(case: Case, *, attached: Attached) -> Report | None:  # noqa: ARG001 - every action knows its case
    """The report of the run that has our case; None when it failed, and the case is free again."""
    here = process()
    if here.engine is None:
        return None
    try:
        answer = await here.engine.result(attached.run)
    except RespondError:
        here.store.release(case=attached.case, run=attached.run)
        return None
    return answer if isinstance(answer, Report) else None
