"""Have the system outside say what the ticket of a case says here: it did not answer when the ticket was written.

Safe to repeat: the ticket outside is found again by its case. Its text is what the embedded ticket says by now.
"""

from __future__ import annotations

from collections.abc import Sequence

from respond.models.case import Case
from respond.models.report import ActionStatus, Change, Outcome
from respond.models.tickets import Severity
from respond.models.written import Written
from respond.step import process, write_action
from respond.ticketing.keep import keep_ticket

NAME = "open_ticket"


@write_action()
async def mirror_ticket(case: Case, *, severity: Severity, tags: Sequence[str]) -> Change:
    """Open or rewrite the ticket outside.

    Args:
        severity, tags: as the ticket was written with.
    """
    found = process().store.ticket(case.id)
    if found is None:
        return Change(name=NAME, status=ActionStatus.UNNEEDED, target=case.id, summary="the ticket is gone")
    written = Written(title=found.title, body=found.body)
    outcome = Outcome(found.outcome)
    return await keep_ticket(case, NAME, written, outcome=outcome, severity=severity, stays=True, tags=tuple(tags))
