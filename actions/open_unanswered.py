"""A ticket for whom nobody could be answered: an account that could be two, one that nobody knows, a look that failed.

Nobody is contained on a guess, and nothing that was delivered ends without a trace. It is kept under a case of its own.
Safe to repeat: the case follows from what it is about, and it has one ticket. What it says:
`templates/unanswered.md.j2`.
"""

from __future__ import annotations

from collections.abc import Sequence

from respond.defang import defang
from respond.models.case import Case
from respond.models.intake import Sighting, Unanswered
from respond.models.report import ActionStatus, Change, Outcome, Person, Report, Span, VerdictKind
from respond.models.tickets import Severity
from respond.present import present
from respond.step import process, response_mode, write_action
from respond.ticketing.keep import keep_ticket, ticket_ref

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
    written = process().templates.write(
        "unanswered", about=about, case=case, mode=response_mode(case).value, people=people
    )
    found = store.ticket(case.id)
    told = await keep_ticket(
        case,
        NAME,
        written,
        outcome=Outcome.NOT_CONTAINED,
        severity=Severity.HIGH,
        stays=bool(found and (found.title, found.body) == (written.title, written.body)),
        tags=("device-code-phishing", "not-answered"),
    )
    if told.status in (ActionStatus.DONE, ActionStatus.FAILED):
        store.save(_report(case, people, told), at=present())
    return told


def _report(case: Case, people: Sequence[Unanswered], told: Change) -> Report:
    labels = ", ".join(one.label for one in people)[:200]
    return Report(
        case=case.id,
        mode=case.mode,
        response_mode=case.policy.response_mode,
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
