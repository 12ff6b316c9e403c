"""What time is it? By the services that are asked, as far as their answers have told.

No request of its own: each answer of Graph, Log Analytics and Azure says when it was written.
"""

from __future__ import annotations

from datetime import datetime

from respond.models.case import Case
from respond.step import process, read_action


@read_action(first=True)
async def know_time(case: Case) -> tuple[datetime, float]:  # noqa: ARG001 - every action knows its case
    """The services' time, UTC, and by how many seconds it is ahead of this machine's; 0 where they agree."""
    clock = process().connections.clock
    return clock.now(), clock.ahead()
