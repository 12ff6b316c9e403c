"""Tickets by mail, for a team whose queue is a mailbox.

    POST /users/{from}/sendMail
    https://learn.microsoft.com/graph/api/user-sendmail

A mail cannot be found again, taken back or rewritten: `respond.ticketing` sends each at most once, and another one only
when the outcome has changed. Its subject is that of the first with `Re:`; that is as far as a thread goes, because
Graph sets no In-Reply-To or References (custom headers have to begin with `x-`).

Leaves open: Mail.Send lets the application send as anybody. Limit it to the one mailbox, with role based access
control for applications in Exchange: https://learn.microsoft.com/exchange/permissions-exo/application-rbac
"""

from __future__ import annotations

from datetime import timedelta
from html import escape
from typing import TYPE_CHECKING

from respond.clients.ticketing.reading import as_html
from respond.errors import Forbidden, Permanent
from respond.models.tickets import Draft, Found

if TYPE_CHECKING:
    from pydantic import JsonValue

    from respond.clients.graph import Graph
    from respond.settings import Mail

PERMISSION = "Mail.Send"
_LONGEST_SUBJECT = 250


class MailTickets:
    """A mailbox that sends, and those who get its mail."""

    name = "mail"
    lags = timedelta()

    def __init__(self, graph: Graph, settings: Mail) -> None:
        self._graph = graph
        self._sender, self._to = settings.sender, settings.to

    async def find(self, key: str) -> Found | None:
        """Raise: a mail that was sent cannot be looked for without the right to read the mailbox."""
        raise Permanent(f"{key}: mail cannot be looked for; open the mailbox {self._sender}")

    async def create(self, draft: Draft) -> Found:
        """Send the first mail of a case."""
        await self._send(draft, _subject(draft.key, draft.title))
        return Found(handle=draft.title, id=draft.key)

    async def update(self, found: Found, draft: Draft) -> None:
        """Send another one, under the subject of the first."""
        await self._send(draft, f"Re: {_subject(draft.key, found.handle)}")

    async def close(self) -> None:
        """Nothing is open: the connections are those of the Graph client."""

    async def _send(self, draft: Draft, subject: str) -> None:
        content = f"<h1>{escape(draft.title)}</h1>\n{as_html(draft.body)}"
        message: dict[str, JsonValue] = {
            "subject": subject,
            "importance": "high" if draft.severity == "high" else "normal",
            "body": {"contentType": "HTML", "content": content},
            "toRecipients": [{"emailAddress": {"address": address}} for address in self._to],
            "internetMessageHeaders": [{"name": "x-respond-case", "value": draft.key}],
        }
        holdings = self._graph.holdings
        try:
            await holdings.send(holdings.send_mail(self._sender, message), about=f"mail from {self._sender}")
        except Forbidden as error:
            raise Forbidden(f"{error.message}; grant the application {PERMISSION}") from error


def _subject(key: str, title: str) -> str:
    return f"[{key}] {title}"[:_LONGEST_SUBJECT]
