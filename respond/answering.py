"""What the answer to a delivery is put together from. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from respond.defang import defang
from respond.errors import RespondError, passes
from respond.models.accounts import FoundAccounts
from respond.models.base import Gap
from respond.models.case import Case, Window
from respond.models.evidence import Account
from respond.models.intake import Delivery, Round, Trigger, Unanswered
from respond.models.notice import Named
from respond.models.report import THIS_RUN, Change, Outcome, Person, Report, Span, VerdictKind
from respond.models.survey import Survey

_AROUND = timedelta(hours=1)
"""Rows arrive up to an hour late, and a code is redeemed some minutes after it was approved."""
_CONTRADICTION = "could be more than one account: its names and ids are not all of the same one"
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=10), timedelta(minutes=2)


def named_by(survey: Survey) -> tuple[Named, ...]:
    """The users whose sign-ins are not harmless, worst first."""
    harmless = (VerdictKind.BENIGN, VerdictKind.NO_ACTIVITY)
    ids = dict.fromkeys(row.user.id.lower() for row in survey.sign_ins if row.verdict not in harmless)
    upns = {row.user.id.lower(): row.user.upn for row in survey.sign_ins}
    return tuple(Named(kind="account", object_id=user, label=upns[user] or user) for user in ids)


def pause_before(number: int) -> timedelta:
    """How long to wait before a further look at an incident that names nobody.

    Args:
        number: of the look, from 1.
    """
    return min(_FIRST_PAUSE * (1 << min(number - 1, 10)), _LONGEST_PAUSE)


def unanswered_of(found: FoundAccounts) -> Iterator[Unanswered]:
    """Whom a delivery names and nobody can be answered for, and why; without those who are looked up again later."""
    for twice in found.ambiguous:
        candidates = tuple(f"{one.upn} ({one.id})" for one in twice.candidates)
        yield Unanswered(label=twice.named.label, reason=_CONTRADICTION, candidates=candidates)
    for failed in (one for one in found.failed if not one.passes):
        yield Unanswered(label=failed.named.label, reason=failed.reason)
    for unknown in found.unknown:
        yield Unanswered(label=unknown.label, reason="no account of this tenant is called that")


def not_found(found: FoundAccounts) -> tuple[Named, ...]:
    """The names that nobody was found for, for a later look: also those that a person is told of already."""
    return (
        *(one.named for one in found.failed),
        *found.unknown,
        *(one.named for one in found.ambiguous),
    )


def in_its_time(case: Case, delivery: Delivery) -> Case:
    """The case over the time that the alerts of a delivery looked at, and a little around it; else over all of it.

    Whoever signed in at another time is not whom an incident without names is about.
    """
    start, end = delivery.notice.window_start, delivery.notice.window_end
    if start is None:
        return case
    window = Window(
        start=max(case.window.start, start - _AROUND),
        end=max(case.window.start, min(case.window.end, (end or case.window.end) + _AROUND)),
    )
    return case.model_copy(update={"window": window})


def left_out(delivery: Delivery) -> tuple[Unanswered, ...]:
    """An incident may name more accounts than are looked at; that the others were not has to be said."""
    if not delivery.notice.cut:
        return ()
    count = len(delivery.notice.accounts)
    return (Unanswered(label="further accounts", reason=f"more than {count} are named; only these are looked at"),)


def tickets_for(delivery: Delivery, missing: Sequence[Unanswered]) -> Iterator[tuple[str, Sequence[Unanswered]]]:
    """Which tickets the unanswered get: one for an incident; the schedule finds the same people again every round."""
    if delivery.path is Trigger.SCHEDULE:
        yield from ((f"schedule/{one.label.lower()}", (one,)) for one in missing)
    elif missing:
        yield delivery.notice.incident_key or delivery.key, missing


def nobody_named(delivery: Delivery, trouble: str) -> tuple[Unanswered, ...]:
    """Nobody is named, and the hunt found nobody: a person has to look at the incident.

    A round of the schedule and a press of the button do not claim that there is somebody.

    Args:
        trouble: what kept us from reading the incident or from hunting; empty when nothing did.
    """
    notice = delivery.notice
    if delivery.path is Trigger.SCHEDULE or not (notice.incident or notice.alerts):
        return ()
    label = f"incident {notice.number}" if notice.number else notice.title[:80] or "an alert"
    reason = "it names no account, and no harmful device code sign-in was found in its time"
    if trouble:
        reason = f"who it is about could not be found out: {trouble}"
    return (Unanswered(label=label, reason=reason),)


def case_of(case: Case, account: Account, looked: Round) -> Case:
    """The case of one look at one user."""
    return case.model_copy(
        update={
            "run": looked.run,
            "batch": case.run,
            "who": account.id,
            "account": account,
            "window": Window(start=looked.since, end=looked.now),
            "started": looked.first,
            "sightings": looked.sightings,
        }
    )


def report_on_nobody(case: Case, account: Account | None, told: Change, error: RespondError) -> Report:
    """The report of a run that could not judge its user.

    Args:
        told: the ticket that says so; its target is the case.
    """
    user = Person(id=account.id, upn=account.upn, display_name=account.display_name) if account else None
    reason = error.message
    return Report(
        case=told.target,
        mode=case.mode,
        response_mode=case.policy.response_mode,
        tenant=case.tenant,
        user=user or Person(id="", upn=defang(case.who), display_name=""),
        window=Span(start=case.window.start, end=case.window.end),
        # Nothing speaks for the user either: what is unknown is never harmless.
        verdict=VerdictKind.SUSPICIOUS,
        score=0,
        headline=defang(f"could not be judged: {reason}"),
        gaps=(Gap(source=THIS_RUN, reason=reason, passes=passes(error)),),
        actions=(told,),
        outcome=Outcome.NOT_CONTAINED,
        run=case.run,
    )
