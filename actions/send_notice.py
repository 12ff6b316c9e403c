"""Tell people at once, in Teams and in Slack, what a case has come to and what they may type about it.

Safe to repeat: each channel hears of a case and outcome once. A freeze of the tenant does not stop it: nothing in the
tenant changes.

Leaves open: neither Teams nor Slack can be asked whether a message is there; the ticket is the record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from respond.clients.ticketing.reading import as_text
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.notices import Notice
from respond.models.owed import OwedKind
from respond.models.report import ActionStatus, Change, Outcome, Verdict
from respond.settings import NoticeOn
from respond.step import Owes, process, response_mode, soon, write_action
from respond.ticketing.notify import pending, tell

NAME = "send_notice"


def _key(case: Case, told: Mapping[str, Any]) -> str:
    return f"{case.id}|{told['outcome']}"


@write_action(owes=Owes(OwedKind.NOTICE, _key, lambda case, _: case.id))
async def send_notice(
    case: Case, *, account: Account, verdict: Verdict, changes: Sequence[Change], outcome: Outcome
) -> Change:
    """Send a notice to every channel of the settings, if the case is worth one.

    Args:
        changes: what became of each write so far, the ticket included.
    """
    reasons = _reasons(verdict, changes, outcome) & set(process().settings.notices.on)
    if not reasons:
        return _change(case, ActionStatus.UNNEEDED, "nothing that a notice is sent about (notices.on)")
    missing = pending(case, outcome)
    if not missing:
        return _change(case, ActionStatus.UNNEEDED, "everybody was told")
    if case.is_dry_run:
        return _change(case, ActionStatus.PLANNED, f"tell {', '.join(missing)}")
    told, failed, passes = await tell(case, outcome, _notice(case, account, verdict, changes, outcome))
    if failed:
        change = _change(case, ActionStatus.FAILED, "; ".join((*(f"told {name}" for name in told), *failed)))
        return change.model_copy(update={"again": soon()}) if passes else change
    return _change(case, ActionStatus.DONE, f"told {', '.join(told)}" if told else "everybody was told")


def _reasons(verdict: Verdict, changes: Sequence[Change], outcome: Outcome) -> set[NoticeOn]:
    statuses = {change.status for change in changes}
    found = {NoticeOn.MALICIOUS} if verdict.is_malicious else set()
    if outcome is Outcome.AWAITING_APPROVAL or ActionStatus.AWAITING_APPROVAL in statuses:
        found.add(NoticeOn.APPROVAL)
    if outcome is Outcome.NOT_CONTAINED or ActionStatus.FAILED in statuses:
        found.add(NoticeOn.FAILED)
    return found


def _notice(case: Case, account: Account, verdict: Verdict, changes: Sequence[Change], outcome: Outcome) -> Notice:
    asked = [change for change in changes if change.status is ActionStatus.AWAITING_APPROVAL]
    written = process().templates.write(
        "notice",
        account=account,
        asked=asked,
        case=case,
        done=[change for change in changes if change.status is ActionStatus.DONE],
        failed=[change for change in changes if change.status is ActionStatus.FAILED],
        mode=response_mode(case).value,
        outcome=outcome,
        planned=[change for change in changes if change.status is ActionStatus.PLANNED and change.step],
        verdict={**verdict.model_dump(), "survived": verdict.survived},
    )
    decide = (f"respond approve {case.id}", f"respond deny {case.id}") if asked else ()
    return Notice(
        title=f"{'LAB: ' if case.tenant == 'lab' else ''}{written.title}",
        text=as_text(written.body),
        commands=(f"respond show {case.id}", *decide),
        link=process().settings.notices.case_link(case.id),
    )


def _change(case: Case, status: ActionStatus, summary: str) -> Change:
    return Change(name=NAME, status=status, target=case.id, summary=summary)
