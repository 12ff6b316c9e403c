"""The embedded ticket of a case, which is always kept: in the database, and as a page in the state directory.

Safe to repeat: the ticket is found again by its case, which the database allows once only. The system of the settings,
if there is one, mirrors it (`mirror`); when that fails, the ticket here is kept all the same.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from respond.defang import as_markdown
from respond.errors import TicketPageFailed
from respond.models.case import Case
from respond.models.owed import OwedKind
from respond.models.report import ActionStatus, Change, Outcome, TicketRef
from respond.models.tickets import Draft, Severity
from respond.models.written import Written
from respond.settings import tickets_dir
from respond.step import owe, process, soon
from respond.store.cases import Ticket
from respond.ticketing.mirror import linked_ref, mirror, outside


async def keep_ticket(
    case: Case, name: str, written: Written, *, outcome: Outcome, severity: Severity, stays: bool, tags: tuple[str, ...]
) -> Change:
    """Keep the ticket of a case with this text, and have the system outside say the same.

    Args:
        name: of the action.
        stays: if there is one already, it is left as it is.

    Raises:
        TicketPageFailed: the state directory cannot be written; the ticket itself is safe in the database.
    """
    ticket = process().store.ticket(case.id)
    if case.is_dry_run:
        return _planned(case, name, ticket, stays=stays)
    said: list[str] = []
    if ticket is None or not stays:
        ticket, done = _kept(case, written, outcome)
        said = [f"{ticket_id(case, ticket)} {done}", *([written.trouble] if written.trouble else [])]
    draft = Draft(
        key=case.id, title=ticket.title, body=ticket.body, severity=severity, outcome=Outcome(ticket.outcome), tags=tags
    )
    mirrored = await mirror(case, draft)
    if process().settings.tickets.pages:
        _write_page(case, ticket)
    status = ActionStatus.DONE if said else ActionStatus.UNNEEDED
    summary = "; ".join(said) or f"{ticket_id(case, ticket)} is open"
    if mirrored and mirrored.said:
        status = ActionStatus.FAILED if mirrored.failed else ActionStatus.DONE
        summary = f"{summary}; {mirrored.said}"
    again = soon() if mirrored and mirrored.passes else None
    change = Change(name=name, status=status, target=case.id, summary=summary, again=again)
    if mirrored:
        body = {"severity": severity.value, "tags": tags}
        await asyncio.to_thread(owe, case, OwedKind.TICKET, case.id, body, change)
    return change


def ticket_ref(case: Case) -> TicketRef | None:
    """Where people find the ticket of a case: outside once it is there, or else here."""
    found = process().store.ticket(case.id)
    if found is None:
        return None
    here = TicketRef(system="local", id=ticket_id(case, found), url=_url(case, found))
    return linked_ref(case) or here


def ticket_id(case: Case, ticket: Ticket) -> str:
    """What people call the ticket."""
    return f"{'LAB' if case.tenant == 'lab' else 'T'}-{ticket.number}"


def _kept(case: Case, written: Written, outcome: Outcome) -> tuple[Ticket, str]:
    store, text = process().store, {"title": written.title, "body": written.body}
    ticket, opened = store.open_ticket(case=case.id, outcome=outcome, **text)
    return (ticket, "opened") if opened else (store.update_ticket(case=case.id, outcome=outcome, **text), "rewritten")


def _planned(case: Case, name: str, ticket: Ticket | None, *, stays: bool) -> Change:
    system = outside()
    missing = bool(system) and linked_ref(case) is None
    if ticket and stays and not missing:
        summary = f"{ticket_id(case, ticket)} is open"
        return Change(name=name, status=ActionStatus.UNNEEDED, target=case.id, summary=summary)
    what = "rewrite the ticket" if ticket and not missing else "open a ticket"
    summary = f"{what}, here and in {system}" if system else what
    return Change(name=name, status=ActionStatus.PLANNED, target=case.id, summary=summary)


def _page(case: Case, ticket: Ticket) -> Path:
    return tickets_dir(process().settings) / f"{ticket_id(case, ticket)}.md"


def _url(case: Case, ticket: Ticket) -> str | None:
    """Where people read it: the page, or the case in the console. A page in a container is out of their reach."""
    settings = process().settings
    if settings.tickets.pages:
        return _page(case, ticket).resolve().as_uri()
    return settings.notices.case_link(case.id) or None


def _write_page(case: Case, ticket: Ticket) -> None:
    """The page is a view of the ticket: written again whenever it is not as it should be."""
    page, text = _page(case, ticket), f"# {as_markdown(ticket.title)}\n\n{ticket.body}"
    try:
        if not page.is_file() or page.read_text(encoding="utf-8") != text:
            page.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            page.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TicketPageFailed(
            f"{ticket_id(case, ticket)} is kept, but its page {page} cannot be written: {error.strerror}"
        ) from error
