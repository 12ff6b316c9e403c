"""A service that was away may answer again: do what was owed because of it.

1. write   The comment, the tags, the ticket or the notice, with its own look before and after.
2. keep    What became of it, with the report of the case.

What comes to nothing once more is owed still, and tried again after a longer pause.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actions.comment_incident import comment_incident
from actions.keep_made_up import keep_made_up
from actions.mirror_ticket import mirror_ticket
from actions.send_notice import send_notice
from actions.tag_incident import tag_incident
from respond.models import wire
from respond.models.case import Case
from respond.models.incident import IncidentStatus
from respond.models.incident import Severity as IncidentSeverity
from respond.models.incidents import Classification
from respond.models.owed import Owed, OwedKind
from respond.models.report import Change, Outcome
from respond.models.tickets import Severity
from respond.step import playbook


@playbook("make_up", takes_place=True)
async def make_up(case: Case, work: Owed) -> Change:
    """Try once more what is owed."""
    change = await _written(case, work.kind, wire.loads(work.body))
    await keep_made_up(case, change=change)
    return change


async def _written(case: Case, kind: OwedKind, told: Mapping[str, Any]) -> Change:
    match kind:
        case OwedKind.COMMENT:
            return await comment_incident(case, **told)
        case OwedKind.TAG:
            wanted = {
                "severity": IncidentSeverity(told["severity"]) if told.get("severity") else None,
                "status": IncidentStatus(told["status"]) if told.get("status") else None,
                "classification": Classification(told.get("classification") or Classification.UNDETERMINED),
            }
            return await tag_incident(case, **{**told, **wanted})
        case OwedKind.NOTICE:
            return await send_notice(case, **{**told, "outcome": Outcome(told["outcome"])})
        case OwedKind.TICKET:
            return await mirror_ticket(case, severity=Severity(told["severity"]), tags=told["tags"])
        case _:
            raise ValueError(f"{kind} is no write that is made up for")
