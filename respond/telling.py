"""What the incident in Sentinel is told, and when: one comment a stage, tags, severity and status.

Runs inside a playbook: every write is an action of its own, and one that fails leaves the rest of the answer as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from actions.comment_incident import comment_incident
from actions.tag_incident import tag_incident
from respond.models.accounts import FoundAccounts
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.incident import IncidentStatus, Severity
from respond.models.incidents import Classification
from respond.models.intake import Delivery, Round, Unanswered
from respond.models.persistence import Fate
from respond.models.report import LOOKS_LIKE, WAS_BLOCKED, ActionStatus, Change, Outcome, Report, VerdictKind

TAG = "respond"
_MOST_NAMES = 50
_HARMLESS = (VerdictKind.BENIGN, VerdictKind.NO_ACTIVITY)


async def tell_taken(case: Case, delivery: Delivery, found: FoundAccounts, missing: Sequence[Unanswered]) -> None:
    """Say on the incident of a delivery who is being answered for, and who cannot be."""
    incident = delivery.notice.incident
    if not incident or case.replies is None or not case.replies.comment:
        return
    # The same incident says it once, whichever of its deliveries comes first.
    about = case.model_copy(update={"id": "incident"})
    await comment_incident(about, incident=incident, stage="taken", text=_taken(found, missing))


async def tell_answer(
    case: Case, looked: Round, account: Account, report: Report | None, failure: str
) -> tuple[Change, ...]:
    """Say on every incident that asked about a user what the answer is; what became of each write."""
    replies = case.replies
    told: list[Change] = []
    if replies is None:
        return ()
    about = case.model_copy(update={"id": report.case if report else account.id.lower(), "who": account.id})
    for incident in dict.fromkeys(seen.incident for seen in looked.sightings if seen.incident):
        if replies.comment:
            text = answer_text(report) if report else f"{account.upn or account.id}: not answered: {failure}"
            # What was done stands in the first comment; that nothing was left to do is no news.
            seen = bool(report and report.repeat)
            told.append(await comment_incident(about, incident=incident, stage="answered", text=text, once=seen))
        harmful = report is None or report.verdict not in _HARMLESS or _asks_to_look(report)
        tagged = await tag_incident(
            about,
            incident=incident,
            labels=_labels(report) if replies.tag else (),
            severity=Severity.HIGH if replies.raise_severity and report and _is_malicious(report) else None,
            status=IncidentStatus.ACTIVE if replies.activate and harmful else None,
        )
        told.append(tagged)
    return tuple(told)


async def tell_end(case: Case, delivery: Delivery, reports: Sequence[Report | None]) -> None:
    """Close the incident of a delivery, where the settings say so and everybody in it is benign.

    Args:
        reports: one for each user; None for one that could not be answered for.
    """
    incident = delivery.notice.incident
    if not incident or case.replies is None or not case.replies.close_benign or not reports:
        return
    if all(report and report.verdict is VerdictKind.BENIGN and not _asks_to_look(report) for report in reports):
        about = case.model_copy(update={"id": "incident"})
        await tag_incident(
            about,
            incident=incident,
            status=IncidentStatus.CLOSED,
            classification=Classification.BENIGN_POSITIVE,
            closing="respond: every device code sign-in of every account of this incident is benign",
        )


def answer_text(report: Report) -> str:
    """A report as a comment: what, what is left to do, why, what was done, what is not known. Plain text."""
    lines = [f"{report.user.upn}: {report.verdict} {report.score}, {report.outcome} (case {report.case})", ""]
    if report.response_mode:
        lines += [f"Response mode: {report.response_mode}", ""]
    lines += [report.headline, ""]
    # First what a person has to do: Sentinel cuts a long comment at its end.
    if report.outcome is Outcome.AWAITING_APPROVAL:
        lines += [f"A person decides: respond approve {report.case}, or respond deny {report.case}", ""]
    if report.tasks:
        lines += ["To do by hand:", *report.tasks, ""]
    lines += ["Why:", *(f"{finding.weight:+d} {finding.summary}" for finding in report.findings), ""]
    if report.actions:
        done = "Would be done:" if report.outcome is Outcome.PLANNED else "Done:"
        lines += [done, *(f"{_named(report, one)}: {one.status}: {one.summary}" for one in report.actions), ""]
    gone = [one for one in report.persistence if one.fate is Fate.GONE]
    if gone:
        lines += ["Gone already:", *(f"{one.what} {one.name}".strip() + f": {one.says}" for one in gone), ""]
    if report.gaps:
        lines += ["Not known:", *(f"{gap.source}: {gap.told}" for gap in report.gaps), ""]
    if report.ticket:
        lines.append(f"Ticket: {report.ticket.id}")
    return "\n".join(lines).strip()


def _named(report: Report, change: Change) -> str:
    return f"{change.name} {change.target}" if change.step and change.target != report.user.upn else change.name


def _taken(found: FoundAccounts, missing: Sequence[Unanswered]) -> str:
    names = [one.account.upn or one.account.id for one in found.users]
    lines = [
        f"respond is looking at {_counted(len(names), 'account')}: {_listed(names)}" if names else "respond: nobody"
    ]
    lines += [f"not looked at: {one.label}: {one.reason}" for one in missing[:_MOST_NAMES]]
    return "\n".join(lines)


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _asks_to_look(report: Report) -> bool:
    return any(finding.id in (LOOKS_LIKE, WAS_BLOCKED) for finding in report.findings)


def _labels(report: Report | None) -> tuple[str, ...]:
    if report is None:
        return (TAG, f"{TAG}:not-answered")
    return (TAG, f"{TAG}:{report.verdict}", *_outcome_label(report))


def _outcome_label(report: Report) -> Iterable[str]:
    failed = any(change.status is ActionStatus.FAILED for change in report.actions)
    if report.outcome is Outcome.NOT_CONTAINED or failed:
        yield f"{TAG}:not-contained"
    elif report.outcome is Outcome.AWAITING_APPROVAL:
        yield f"{TAG}:awaits-a-person"


def _is_malicious(report: Report) -> bool:
    return report.verdict is VerdictKind.MALICIOUS
