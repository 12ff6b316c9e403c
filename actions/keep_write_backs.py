"""Keep what became of the comments and tags on the incidents that asked, with the report of the case.

Safe to repeat: the newest outcome for an incident and kind of write replaces the one before. Nothing is sent.
"""

from __future__ import annotations

from collections.abc import Sequence

from respond.models.case import Case
from respond.models.report import Change
from respond.step import process, read_action


@read_action()
async def keep_write_backs(case: Case, *, changes: Sequence[Change]) -> int:
    """How many writes were kept with the newest report of the case."""
    return process().store.keep_write_backs(case.id, changes)
