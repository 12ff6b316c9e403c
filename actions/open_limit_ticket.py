"""One loud ticket while a limit on people contained holds cases back: somebody has to look at all of them.

The embedded ticket system keeps it under a case of its own, one an hour. Safe to repeat: it is found by its hour, and
rewritten when another case joins.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from actions.open_ticket import keep_ticket, ticket_id, ticket_ref
from respond.defang import defang
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.report import ActionStatus, Change, Outcome, Person, Report, Span, VerdictKind
from respond.step import process, write_action

NAME = "open_limit_ticket"


@write_action()
async def open_limit_ticket(case: Case, *, account: Account, changes: Sequence[Change]) -> Change:
    """Open or rewrite the ticket of this hour.

    Args:
        account: who is not contained because of the limit.
        changes: of the case; the first one that a limit holds says which.
    """
    store = process().store
    reason = next((change.summary for change in changes if change.held == "limit"), "a limit is reached")
    about = f"limit:{datetime.now(UTC):%Y-%m-%dT%H}"
    claim = store.claim(tenant=case.tenant, user_id=about, flows=[(about,)], run=case.run, exclusive=False)
    limit = case.model_copy(update={"id": claim.case})
    if case.is_dry_run:
        return _change(limit, ActionStatus.PLANNED, "open a ticket about the limit")
    waiting = {one.case for one in store.approvals.waiting(tenant=case.tenant)} | {case.id}
    title = f"LIMIT: respond has stopped containing by itself: {reason}"
    body = defang(
        "\n".join(
            [
                f"Case {limit.id}, {case.tenant} tenant",
                "",
                f"{reason}. Either many people are being phished at the moment, or the decision is wrong.",
                "",
                "## These cases wait for a person",
                *(f"- respond show {one}; respond approve {one}; respond deny {one}" for one in sorted(waiting)),
                "",
                f"The last one is about {account.upn}. `respond freeze` stops everything that writes.",
                "",
            ]
        )
    )
    found = store.ticket(limit.id)
    if found and found.body == body:
        return _change(limit, ActionStatus.UNNEEDED, f"{ticket_id(limit, found)} is open")
    ticket, opened = keep_ticket(limit, outcome=Outcome.AWAITING_APPROVAL, title=defang(title), body=body)
    told = _change(limit, ActionStatus.DONE, f"{ticket_id(limit, ticket)} {'opened' if opened else 'rewritten'}")
    store.save(_report(limit, defang(title), told), at=datetime.now(UTC))
    return told


def _report(case: Case, headline: str, told: Change) -> Report:
    return Report(
        case=case.id,
        mode=case.mode,
        tenant=case.tenant,
        user=Person(id="", upn="", display_name=""),
        window=Span(start=case.window.start, end=case.window.end),
        verdict=VerdictKind.SUSPICIOUS,
        score=0,
        headline=headline,
        actions=(told,),
        outcome=Outcome.AWAITING_APPROVAL,
        ticket=ticket_ref(case),
        run=f"limit|{case.id}",
    )


def _change(case: Case, status: ActionStatus, summary: str) -> Change:
    return Change(name=NAME, status=status, target=case.id, summary=summary)
