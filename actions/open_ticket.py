"""One ticket for one case, also when containment failed.

Safe to repeat: it is found again by its case, here and in the ticket system of the settings. It is rewritten when the
case takes another turn. What it says: `templates/ticket.md.j2`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from respond.models.case import Case
from respond.models.evidence import Account, Evidence
from respond.models.report import ActionStatus, Change, Moment, Outcome, Verdict
from respond.models.tickets import Severity
from respond.step import process, response_mode, write_action
from respond.ticketing.keep import keep_ticket

NAME = "open_ticket"
_SETTLED = (ActionStatus.DONE, ActionStatus.UNNEEDED)
_NONE = Evidence()


@write_action()
async def open_ticket(  # noqa: PLR0913 - all that a ticket says
    case: Case,
    *,
    account: Account,
    verdict: Verdict,
    changes: Sequence[Change],
    timeline: Sequence[Moment],
    outcome: Outcome,
    tasks: Sequence[str] = (),
    gone: Sequence[str] = (),
    evidence: Evidence = _NONE,
) -> Change:
    """Open, find or rewrite the ticket of the case.

    Args:
        tasks: what a person has to do, each in a sentence.
        gone: what the attacker had added and is not there any more, each in a sentence.
        evidence: for a template that says more than the findings do.
    """
    found = process().store.ticket(case.id)
    news = any(change.status is ActionStatus.DONE for change in changes)
    told = {**_told(case, changes), **_seen(verdict, evidence)}
    written = process().templates.write(
        "ticket", case=case, account=account, outcome=outcome, timeline=timeline, tasks=tasks, gone=gone, **told
    )
    late = bool(found and case.watch and found.body != written.body)  # evidence that came late joins the ticket
    return await keep_ticket(
        case,
        NAME,
        written,
        outcome=outcome,
        severity=Severity.HIGH if verdict.is_malicious else Severity.MEDIUM,
        stays=bool(found and found.outcome == outcome and not news and not late),
        tags=("device-code-phishing", verdict.kind.value),
    )


def _told(case: Case, changes: Sequence[Change]) -> dict[str, Any]:
    """What was done, what is asked, and what is left, as the template names it."""
    return {
        "done": _done(case, changes),
        "asked": [change for change in changes if change.status is ActionStatus.AWAITING_APPROVAL],
        "planned": [one for one in changes if one.status is ActionStatus.PLANNED and one.step],
        "mode": response_mode(case).value,
        "failed": [change for change in changes if change.status is ActionStatus.FAILED],
        "left": list(dict.fromkeys(one.leaves for one in changes if one.leaves and one.status in _SETTLED)),
        "sightings": process().store.intake.sightings(case.id),
    }


def _seen(verdict: Verdict, evidence: Evidence) -> dict[str, Any]:
    return {
        "verdict": {**verdict.model_dump(), "survived": verdict.survived},
        "legs": verdict.legs,
        "mails": evidence.lures.messages,
        "clicks": evidence.lures.suspect_clicks,
        "footholds": evidence.footholds.changes,
    }


def _done(case: Case, changes: Sequence[Change]) -> list[Change]:
    """What earlier runs of the case did, and this one; what needed no repeating is not said again."""
    told = (NAME, "send_notice")
    earlier = [one for one in process().store.done_so_far(case.id) if one.name not in told and one not in changes]
    known = {(one.name, one.target) for one in earlier}
    ended = [one for one in changes if not (one.status is ActionStatus.PLANNED and one.step)]
    now = [one for one in ended if one.status is not ActionStatus.UNNEEDED or (one.name, one.target) not in known]
    return [*earlier, *now]
