"""A run that cannot come to its end: what it has done is recorded and ticketed all the same.

1. Something was done, or asked: one ticket says what, and what broke; the containment is not proven.
2. Nothing was: a ticket says that the user could not be judged, and why.
"""

from __future__ import annotations

from actions.close_run import close_run
from actions.open_ticket import open_ticket
from actions.open_unanswered import open_unanswered
from actions.send_notice import send_notice
from respond.answering import report_on_nobody
from respond.containing import Containing
from respond.errors import RespondError, passes
from respond.models.base import Gap
from respond.models.case import Case
from respond.models.evidence import Account, Evidence
from respond.models.intake import Unanswered
from respond.models.report import THIS_RUN, Report, Verdict
from respond.models.signin import SignIns
from respond.models.tasks import Recipients
from respond.plain_errors import plain
from respond.reporting import report_on
from respond.tasks import gone_already, tasks_for


async def record_what_was_done(account: Account, containing: Containing, verdict: Verdict, error: Exception) -> Report:
    """Ticket, notice and report of a run that broke after its first write."""
    case, changes = containing.case, containing.changes
    reason = f"it broke before its end, so there may be more to do: {plain(error)}"
    gap = Gap(source=THIS_RUN, reason=reason, passes=passes(error))
    containing.broken = True
    containing.gaps.append(gap)
    outcome = containing.outcome(verdict)
    tasks = tasks_for(containing.account, Recipients(), containing.gaps)
    changes.append(
        await open_ticket(
            case,
            account=account,
            verdict=verdict.model_copy(update={"gaps": (*verdict.gaps, gap)}),
            changes=changes,
            timeline=(),
            outcome=outcome,
            tasks=tasks,
            gone=gone_already(containing.account),
        )
    )
    if case.notifies:
        told = tuple(changes)
        changes.append(await send_notice(case, account=account, verdict=verdict, changes=told, outcome=outcome))
    # The rest of the evidence may be what broke the run.
    return await close_run(case, report=report_on(case, account, SignIns(), Evidence(), verdict, containing, tasks))


async def could_not_judge(case: Case, account: Account | None, error: RespondError) -> Report:
    """Ticket and report of a run that ended before it could say anything."""
    user, label = (account.id.lower(), account.upn) if account else (case.who.lower(), case.who)
    people = (Unanswered(label=label or user, reason=f"could not be judged: {error.message}"),)
    told = await open_unanswered(case, about=user, people=people, sightings=case.sightings)
    if told.target == case.who:  # not even the ticket could be kept
        raise error
    case = case.model_copy(update={"id": told.target})
    return await close_run(case, report=report_on_nobody(case, account, told, error))
