"""Keep what a look after the containment has shown.

Safe to repeat: a look ends once.
"""

from __future__ import annotations

from respond.models.case import Case
from respond.models.report import Attached, Report
from respond.models.watches import Watch
from respond.present import present
from respond.step import process, read_action


@read_action()
async def end_watch(case: Case, *, watch: Watch, answer: Report | Attached) -> str:  # noqa: ARG001 - of an action
    """What was seen, in a line."""
    said = f"{answer.outcome.value}: {answer.headline}" if isinstance(answer, Report) else "another run was at it"
    process().store.watches.done(watch.case, watch.number, present(), said)
    return said
