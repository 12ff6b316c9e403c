"""Is the world still as a plan expects it? Each object is looked at before the first one is changed.

Read only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from respond.climbing import RUNGS
from respond.errors import NotFound
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.ladder import Step
from respond.rungs import kit_of
from respond.step import read_action


@read_action()
async def check_plan(case: Case, *, account: Account, steps: Sequence[Step]) -> tuple[str, ...]:
    """What has moved since the plan was made, each in a sentence; none when nothing has.

    What is as the plan would make it has not moved: it is simply not needed any more.
    """
    return tuple(said for said in await asyncio.gather(*(_moved(case, account, step) for step in steps)) if said)


async def _moved(case: Case, account: Account, step: Step) -> str:
    about = f"{step.rung.value} {step.label}"
    try:
        now = await kit_of(RUNGS[step.rung]).look(case, account, step, None)
    except NotFound as error:
        return f"{about}: {error.message}"
    if now.refuse:
        return f"{about}: {now.refuse}"
    expected = now.done or now.fingerprint == step.expects
    return "" if expected else f"{about}: {now.says} now, which the plan did not expect"
