"""What a run has come to, and the exit code that says so. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from respond.models.base import Gap
from respond.models.case import Mode
from respond.models.holdings import SOURCES
from respond.models.ladder import Rung
from respond.models.persistence import Accounted
from respond.models.report import LOOKS_LIKE, ActionStatus, Change, Outcome, Report, Verdict

_EXIT = {
    Outcome.CONTAINED_VERIFIED: 0,
    Outcome.NO_ACTION: 0,
    Outcome.NOT_CONTAINED: 1,
    Outcome.PLANNED: 3,
    Outcome.AWAITING_APPROVAL: 3,
    Outcome.CONTAINED_UNVERIFIED: 4,
}


def outcome_of(
    mode: Mode,
    verdict: Verdict,
    changes: Sequence[Change],
    gaps: Sequence[Gap] = (),
    account: Sequence[Accounted] = (),
    *,
    logs_read: bool = True,
) -> Outcome:
    """Nothing is contained because a step was skipped or refused, nor proven where something could not be looked for.

    Args:
        gaps: what could not be known; those of what an attacker may have added count.
        account: what has become of everything that the logs tie to the attacker; nothing is proven while a person
            still has to look at some of it.
        logs_read: the audit log, and the log of mailboxes where there is one, were read to the end.
    """
    if verdict.is_benign:
        return Outcome.NO_ACTION
    statuses = {change.status for change in changes}
    # In observe mode a live run plans containment too, and nothing else.
    if any(one.status is ActionStatus.PLANNED and (one.step or mode is Mode.DRY_RUN) for one in changes):
        return Outcome.PLANNED
    # Where the sessions live on, whatever else waits for a yes must not read as all that is left.
    lives_on = any(one.name == Rung.REVOKE_SESSIONS and one.status is ActionStatus.FAILED for one in changes)
    if ActionStatus.AWAITING_APPROVAL in statuses and not lives_on:
        return Outcome.AWAITING_APPROVAL
    ending = [change for change in changes if change.contains]
    if not ending or any(change.status not in (ActionStatus.DONE, ActionStatus.UNNEEDED) for change in ending):
        return Outcome.NOT_CONTAINED
    if verdict.survived and not any(change.name == Rung.DISABLE_ACCOUNT and change.verified for change in ending):
        return Outcome.NOT_CONTAINED
    proven = all(change.verified for change in ending) and not any(gap.source in SOURCES for gap in gaps)
    proven = proven and logs_read and not any(one.is_open for one in account)
    return Outcome.CONTAINED_VERIFIED if proven else Outcome.CONTAINED_UNVERIFIED


def exit_code(report: Report) -> int:
    """0 nothing left to do, 1 failed or not contained, 3 a person must act, 4 contained but not verified."""
    asks = any(finding.id == LOOKS_LIKE for finding in report.findings)
    code = 3 if asks and report.outcome is Outcome.NO_ACTION else _EXIT.get(report.outcome, 3)
    failed = any(change.status is ActionStatus.FAILED for change in report.actions)
    return 1 if failed and _EXIT.get(report.outcome, 3) == 0 else code
