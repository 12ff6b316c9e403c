"""Keep the report, ask the person who has to approve, plan when to look or to try again, and let go of the case.

Safe to repeat: the report is kept under the run's id, a question and a plan once a case, and only the run that holds a
case lets go of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from respond.decision.cut import LATE_CHANGES, delays_of
from respond.models.approvals import Answer, Asked
from respond.models.base import Gap
from respond.models.case import Case
from respond.models.evidence import Fact
from respond.models.later import Later
from respond.models.report import ActionStatus, Outcome, Report
from respond.present import present
from respond.step import process, read_action, response_mode
from respond.ticketing.keep import ticket_ref


@read_action()
async def close_run(case: Case, *, report: Report, facts: Sequence[Fact] = (), late: Sequence[Gap] = ()) -> Report:
    """The report with its total time, as it was kept.

    Args:
        facts: what later cases may share with this one; kept of live runs that found something.
        late: sources whose rows may still arrive.
    """
    now = present()
    total = round((datetime.now(UTC) - case.started).total_seconds() * 1000)
    timings = report.timings_ms.model_copy(update={"total": total})
    store = process().store
    before = None if case.is_dry_run else store.live(report.case)
    report = report.model_copy(
        update={
            # What Sentinel does not show is news until it does: the next answer to the incident replaces it.
            "write_backs": report.write_backs or (before.write_backs if before else ()),
            "timings_ms": timings,
            "response_mode": response_mode(case),
            "ticket": None if case.is_dry_run else ticket_ref(case),
            "sightings": store.intake.sightings(report.case),
            "confirmed_at": _confirmed(case, report, before, now),
        }
    )
    store.save(report, at=now)
    if not case.is_dry_run:
        store.remember(report, facts, at=now)
        _ask(case, report, now)
        _plan_watch(case, report, now, late)
        _plan_again(case, report)
    store.release(case=report.case, run=case.run)
    return report


def _confirmed(case: Case, report: Report, before: Report | None, now: datetime) -> datetime | None:
    """When the last planned look found that the containment held; a repeat in between takes nothing of that back."""
    if case.is_dry_run or report.outcome is not Outcome.CONTAINED_VERIFIED:
        return None
    if case.watch:
        planned = process().store.watches.pending(case.tenant)
        return now if all(one.number == case.watch for one in planned if one.case == report.case) else None
    return before.confirmed_at if before and report.repeat else None


def _ask(case: Case, report: Report, now: datetime) -> None:
    """Put the questions of this run; those of an earlier one that it does not ask any more are overtaken."""
    asked = [(one, one.step) for one in report.actions if one.status is ActionStatus.AWAITING_APPROVAL and one.step]
    approvals, due = process().store.approvals, now + case.policy.ladder.approval.timeout
    # Asked in a try of this very run that was cut off: it may have been answered meanwhile.
    known = {(one.name, one.object) for one in approvals.of_case(report.case) if one.run == case.run}
    for change, step in (pair for pair in asked if (pair[0].name, pair[1].object) not in known):
        approvals.ask(
            Asked(
                case=report.case,
                tenant=case.tenant,
                name=change.name,
                object=step.object,
                target=change.target,
                summary=change.summary,
                step=step.model_dump_json(),
                run=case.run,
                at=now,
                due=due,
                answer=Answer.WAITING,
            )
        )
    approvals.overtake(report.case, keep={(change.name, step.object) for change, step in asked})


def _plan_watch(case: Case, report: Report, now: datetime, late: Sequence[Gap]) -> None:
    """Look again later, after something was ended in this run, or once rows that are late must have arrived.

    A case that was cleared or asked about before they came is judged again with them. A look plans no further ones, but
    where a service did not answer it; logs that may only grow are not waited for where a write is tried again anyway.
    """
    if any(one.again for one in report.actions):
        late = [gap for gap in late if gap.source != LATE_CHANGES]
    ended = any(one.contains and one.status is ActionStatus.DONE for one in report.actions)
    if ended:
        dues = [now + after for after in case.policy.ladder.watch]
    else:
        dues = [] if case.watch else [now + delay for delay in delays_of(late, case.policy)]
    dues += _once_it_answers(case, report, now)
    if dues:
        process().store.watches.plan(case.tenant, report.case, report.user.id, dues)


def _once_it_answers(case: Case, report: Report, now: datetime) -> list[datetime]:
    """When to look again where a service did not answer and that may change something; after longer pauses each time.

    Not without end: a source that is always too slow would have the case looked at for ever.
    """
    if report.outcome is Outcome.CONTAINED_VERIFIED or not any(gap.passes for gap in report.gaps):
        return []
    planned, pauses = process().store.watches.of_case(report.case), process().settings.retry.make_up
    if any(one.done_at is None and one.number != case.watch for one in planned):
        return []  # one is to come anyway
    tries = max((one.number for one in planned), default=0)
    return [now + pauses[min(tries, len(pauses) - 1)]] if tries < len(case.policy.ladder.watch) + len(pauses) else []


def _plan_again(case: Case, report: Report) -> None:
    """Try again what a service asked to wait with: all of it at the last moment that one of them named."""
    waits = [(one, one.step, one.again) for one in report.actions if one.step and one.again]
    due = max((again for _, _, again in waits), default=report.window.end)
    told = [Later(tenant=case.tenant, case=report.case, step=step, by=one.by, due=due) for one, step, _ in waits]
    process().store.later.plan(report.case, told, run=case.run)
