"""What comes of a person's order, as a report on the case. Pure but for the recorded times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from respond.decision.accounting import how_far
from respond.models.case import Case, Mode
from respond.models.intents import Intent
from respond.models.ladder import Begun, Step
from respond.models.orders import Order
from respond.models.outcomes import outcome_of
from respond.models.persistence import Accounted, Fate
from respond.models.report import ActionStatus, Change, Outcome, Report, Timings, Verdict
from respond.step import timing


def verdict_of(report: Report) -> Verdict:
    """The verdict that a report tells of."""
    return Verdict(
        kind=report.verdict,
        score=report.score,
        headline=report.headline,
        findings=report.findings,
        gaps=report.gaps,
        legs=report.legs,
    )


def steps_of(intents: Sequence[Intent]) -> tuple[Step, ...]:
    """The steps that were begun."""
    return tuple(Begun.model_validate_json(intent.step).step for intent in intents)


def chosen(intents: Sequence[Intent], order: Order) -> tuple[Intent, ...]:
    """The writes that an undo is about: all of them, unless it names steps. What was done again since stays."""
    wanted = {(step.rung.value, step.object) for step in order.steps}
    return tuple(one for one in intents if not wanted or (one.name, one.object) in wanted)


def refused(steps: Sequence[Step], moved: Sequence[str]) -> Iterator[Change]:
    """None of the steps: a plan is carried out as a whole or not at all."""
    told = "not carried out, the world has changed since the plan: " + "; ".join(moved)
    for step in steps:
        yield Change(
            name=step.rung.value,
            status=ActionStatus.REFUSED,
            target=step.label,
            summary=told,
            contains=True,
            why=step.why,
            step=step,
        )


def carried_out(case: Case, order: Order, changes: Sequence[Change]) -> Report:
    """The case as it is when the steps are carried out: what else it has done, or still asks for, stays in it."""
    ordered = {(step.rung.value, step.object) for step in order.steps}
    others = [
        one
        for one in order.report.actions
        if one.step and (one.name, one.step.object) not in ordered and one.status is not ActionStatus.PLANNED
    ]
    actions = (*others, *changes)
    report = order.report
    outcome = outcome_of(
        Mode.LIVE, verdict_of(report), actions, report.gaps, report.persistence, logs_read=report.logs_read
    )
    account = tuple(_said_again(one, actions) for one in report.persistence)
    return _report(case, order, actions, outcome).model_copy(update={"persistence": account})


def _said_again(one: Accounted, actions: Sequence[Change]) -> Accounted:
    """An entry of the account, with how far its actions are now."""
    if one.fate is not Fate.ACTION:
        return one
    keys = {(ref.name, ref.object) for ref in one.actions}
    about = [change for change in actions if change.step and (change.name, change.step.object) in keys]
    return one.model_copy(update={"says": how_far(about)}) if about else one


def taken_back(case: Case, order: Order, changes: Sequence[Change]) -> Report:
    """The case when its writes are undone. What cannot be undone is no failure of undoing the rest."""
    statuses = {one.status for one in changes}
    if ActionStatus.PLANNED in statuses:
        outcome = Outcome.PLANNED
    elif ActionStatus.FAILED in statuses or any(one.verified is False for one in changes):
        outcome = Outcome.NOT_CONTAINED
    else:
        outcome = Outcome.NO_ACTION
    report = _report(case, order, tuple(changes), outcome)
    by = f" by {order.word.by}" if order.word.by else ""
    return report.model_copy(update={"headline": f"taken back{by}: {report.headline}"})


def _report(case: Case, order: Order, actions: Sequence[Change], outcome: Outcome) -> Report:
    ended = [entry.ended for name in {one.name for one in actions} if (entry := timing(name))]
    contained = round((max(ended) - case.started).total_seconds() * 1000) if ended else None
    proven = outcome in (Outcome.CONTAINED_VERIFIED, Outcome.CONTAINED_UNVERIFIED)
    return order.report.model_copy(
        update={
            "mode": case.mode,
            "response_mode": case.policy.response_mode,
            "actions": tuple(actions),
            "outcome": outcome,
            "run": case.run,
            "repeat": bool(actions) and all(one.status is ActionStatus.UNNEEDED for one in actions),
            "timings_ms": Timings(contained=contained if proven else None),
        }
    )
