"""One ticket for one case, also when containment failed.

The embedded ticket system keeps it beside the case, and as a page in the state directory. Safe to repeat: the ticket
is found again by its case, which the database allows once only. It is rewritten when the case takes another turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from respond.defang import defang
from respond.errors import TicketPageFailed
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.report import ActionStatus, Change, Moment, Outcome, TicketRef, Verdict
from respond.settings import state_dir
from respond.step import process, write_action
from respond.store.cases import Ticket

NAME = "open_ticket"
_SETTLED = (ActionStatus.DONE, ActionStatus.UNNEEDED)


@write_action()
async def open_ticket(
    case: Case,
    *,
    account: Account,
    verdict: Verdict,
    changes: Sequence[Change],
    timeline: Sequence[Moment],
    outcome: Outcome,
    tasks: Sequence[str] = (),
) -> Change:
    """Open, find or rewrite the ticket of the case.

    Args:
        tasks: what a person has to do, each in a sentence.
    """
    store = process().store
    found = store.ticket(case.id)
    news = any(change.status is ActionStatus.DONE for change in changes)
    title, body = _title(account, verdict, outcome), _body(case, account, verdict, changes, timeline, tasks)
    late = bool(found and case.watch and found.body != body)  # evidence that came late joins the ticket
    if found and found.outcome == outcome and not news and not late:
        _write_page(case, found)
        return _change(case, ActionStatus.UNNEEDED, f"{ticket_id(case, found)} is open")
    if case.is_dry_run:
        return _change(case, ActionStatus.PLANNED, "open a ticket" if found is None else "rewrite the ticket")
    ticket, opened = keep_ticket(case, outcome=outcome, title=title, body=body)
    return _change(case, ActionStatus.DONE, f"{ticket_id(case, ticket)} {'opened' if opened else 'rewritten'}")


def keep_ticket(case: Case, *, outcome: Outcome, title: str, body: str) -> tuple[Ticket, bool]:
    """The ticket of a case with this text, and whether it is new.

    Raises:
        TicketPageFailed: the state directory cannot be written; the ticket itself is safe in the database.
    """
    store = process().store
    ticket, opened = store.open_ticket(case=case.id, outcome=outcome, title=title, body=body)
    if not opened:
        ticket = store.update_ticket(case=case.id, outcome=outcome, title=title, body=body)
    _write_page(case, ticket)
    return ticket, opened


def ticket_ref(case: Case) -> TicketRef | None:
    """Where the ticket of a case is, if there is one."""
    found = process().store.ticket(case.id)
    if found is None:
        return None
    return TicketRef(system="local", id=ticket_id(case, found), url=_page(case, found).resolve().as_uri())


def ticket_id(case: Case, ticket: Ticket) -> str:
    """What people call the ticket."""
    return f"{'LAB' if case.tenant == 'lab' else 'T'}-{ticket.number}"


def _page(case: Case, ticket: Ticket) -> Path:
    return state_dir(process().settings) / "tickets" / f"{ticket_id(case, ticket)}.md"


def _write_page(case: Case, ticket: Ticket) -> None:
    """The page is a view of the ticket: written again whenever it is not as it should be.

    Raises:
        TicketPageFailed: the state directory cannot be written; the ticket itself is safe in the database.
    """
    page, text = _page(case, ticket), f"# {ticket.title}\n\n{ticket.body}"
    try:
        if not page.is_file() or page.read_text(encoding="utf-8") != text:
            page.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            page.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TicketPageFailed(
            f"{ticket_id(case, ticket)} is kept, but its page {page} cannot be written: {error.strerror}"
        ) from error


def _title(account: Account, verdict: Verdict, outcome: Outcome) -> str:
    loud = "STILL THERE: " if verdict.survived else ""
    return f"{loud}Device code phishing: {account.upn}: {verdict.kind} {verdict.score}: {outcome}"


def _body(
    case: Case,
    account: Account,
    verdict: Verdict,
    changes: Sequence[Change],
    timeline: Sequence[Moment],
    tasks: Sequence[str],
) -> str:
    lines = [f"Case {case.id}, {case.tenant} tenant, user {account.upn} ({account.id})", "", verdict.headline, ""]
    lines += ["## Why", *(f"- {finding.weight:+d} {finding.summary}" for finding in verdict.findings), ""]
    lines += ["## Not known", *([f"- {gap.source}: {gap.reason}" for gap in verdict.gaps] or ["- nothing"]), ""]
    lines += ["## When (UTC)", *(f"- {moment.at:%Y-%m-%d %H:%M:%S} {moment.what}" for moment in timeline), ""]
    lines += ["## Done", *(_done(case, changes) or ["- nothing"]), ""]
    asked = [change for change in changes if change.status is ActionStatus.AWAITING_APPROVAL]
    if asked:
        lines += ["## To be decided", f"`respond approve {case.id}` or `respond deny {case.id}`:"]
        lines += [f"- {one.name} {one.target}: {one.summary}" for one in asked] + [""]
    if tasks:
        lines += ["## To do by hand", *(f"- {task}" for task in tasks), ""]
    left = dict.fromkeys(change.leaves for change in changes if change.leaves and change.status in _SETTLED)
    lines += ["## Left open", *([f"- {one}" for one in left] or ["- nothing was ended"]), ""]
    return "\n".join(defang(line) for line in lines)


def _done(case: Case, changes: Sequence[Change]) -> list[str]:
    """What earlier runs of the case did, and this one; what needed no repeating is not said again."""
    earlier = [one for one in process().store.done_so_far(case.id) if one.name != NAME and one not in changes]
    known = {(one.name, one.target) for one in earlier}
    now = [one for one in changes if one.status is not ActionStatus.UNNEEDED or (one.name, one.target) not in known]
    return [f"- {one.name} {one.target}: {one.status}: {one.summary}" for one in (*earlier, *now)]


def _change(case: Case, status: ActionStatus, summary: str) -> Change:
    return Change(name=NAME, status=status, target=case.id, summary=summary)
