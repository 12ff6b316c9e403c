"""One loud ticket while a limit on people contained holds cases back: somebody has to look at all of them.

It is kept under a case of its own, one an hour. Safe to repeat: it is found by its hour, and rewritten when another
case joins. What it says: `templates/limit.md.j2`.
"""

from __future__ import annotations

from collections.abc import Sequence

from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.report import ActionStatus, Change, Outcome, Person, Report, Span, VerdictKind
from respond.models.tickets import Severity
from respond.present import present
from respond.step import process, write_action
from respond.ticketing.keep import keep_ticket, ticket_ref

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
    about = f"limit:{present():%Y-%m-%dT%H}"
    claim = store.claim(tenant=case.tenant, user_id=about, flows=[(about,)], run=case.run, exclusive=False)
    limit = case.model_copy(update={"id": claim.case})
    waiting = {one.case for one in store.approvals.waiting(tenant=case.tenant)} | {case.id}
    written = process().templates.write("limit", account=account, case=limit, reason=reason, waiting=sorted(waiting))
    found = store.ticket(limit.id)
    told = await keep_ticket(
        limit,
        NAME,
        written,
        outcome=Outcome.AWAITING_APPROVAL,
        severity=Severity.HIGH,
        stays=bool(found and found.body == written.body),
        tags=("device-code-phishing", "limit"),
    )
    if told.status in (ActionStatus.DONE, ActionStatus.FAILED):
        store.save(_report(limit, written.title, told), at=present())
    return told


def _report(case: Case, headline: str, told: Change) -> Report:
    return Report(
        case=case.id,
        mode=case.mode,
        response_mode=case.policy.response_mode,
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
