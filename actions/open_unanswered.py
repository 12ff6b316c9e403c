"""A ticket for whom nobody could be answered: an account that could be two, one that nobody knows, a look that failed.

Nobody is contained on a guess, and nothing that was delivered ends without a trace. The embedded ticket system keeps
it under a case of its own. Safe to repeat: the case follows from what it is about, and it has one ticket.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from actions.open_ticket import keep_ticket, ticket_id, ticket_ref
from respond.defang import defang
from respond.models.case import Case
from respond.models.intake import Sighting, Unanswered
from respond.models.report import ActionStatus, Change, Outcome, Person, Report, Span, VerdictKind
from respond.step import process, write_action

NAME = "open_unanswered"


@write_action()
async def open_unanswered(
    case: Case, *, about: str, people: Sequence[Unanswered], sightings: Sequence[Sighting]
) -> Change:
    """Open or rewrite the ticket that a person has to take from here.

    Args:
        about: what the case is about: an incident, or a user.
        people: who could not be answered for, and why.

    Returns:
        A change whose target is the case.
    """
    store = process().store
    claim = store.claim(
        tenant=case.tenant,
        user_id=f"unanswered:{about}",
        flows=[(f"unanswered:{about}",)],
        run=case.run,
        exclusive=False,
    )
    case = case.model_copy(update={"id": claim.case})
    store.intake.seen(case.id, sightings)
    title = f"Device code phishing: nobody was contained: {', '.join(one.label for one in people)}"[:250]
    body = "\n".join(map(defang, _body(case, about, people)))
    found = store.ticket(case.id)
    if found and (found.title, found.body) == (defang(title), body):
        return _change(case, ActionStatus.UNNEEDED, f"{ticket_id(case, found)} is open")
    if case.is_dry_run:
        return _change(case, ActionStatus.PLANNED, "open a ticket")
    ticket, opened = keep_ticket(case, outcome=Outcome.NOT_CONTAINED, title=defang(title), body=body)
    told = _change(case, ActionStatus.DONE, f"{ticket_id(case, ticket)} {'opened' if opened else 'rewritten'}")
    store.save(_report(case, people, told), at=datetime.now(UTC))
    return told


def _report(case: Case, people: Sequence[Unanswered], told: Change) -> Report:
    labels = ", ".join(one.label for one in people)[:200]
    return Report(
        case=case.id,
        mode=case.mode,
        tenant=case.tenant,
        user=Person(id="", upn=defang(labels), display_name=""),
        window=Span(start=case.window.start, end=case.window.end),
        verdict=VerdictKind.SUSPICIOUS,
        score=0,
        headline=defang("; ".join(f"{one.label}: {one.reason}" for one in people)[:1000]),
        actions=(told,),
        outcome=Outcome.NOT_CONTAINED,
        ticket=ticket_ref(case),
        run=f"{case.run}|{case.id}",
    )


def _body(case: Case, about: str, people: Sequence[Unanswered]) -> list[str]:
    lines = [f"Case {case.id}, {case.tenant} tenant, about {about}", "", "Nobody was contained for these:", ""]
    for one in people:
        lines += [f"- {one.label}: {one.reason}", *(f"    - could be {candidate}" for candidate in one.candidates)]
    return [*lines, "", "## To do", "- find out who is meant, and answer with `respond --user OBJECT-ID`", ""]


def _change(case: Case, status: ActionStatus, summary: str) -> Change:
    return Change(name=NAME, status=status, target=case.id, summary=summary)
