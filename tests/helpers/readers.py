"""What a person can read of a report, wherever they read it."""

from __future__ import annotations

import html
import io
import re
from pathlib import Path

from respond.console.page import page, write_html
from respond.console.terminal import WIDTH, SafeConsole
from respond.models.report import Report
from respond.telling import answer_text


def readers(report: Report, ticket: str, folder: Path) -> dict[str, str]:
    """The words of the terminal's page, the HTML page, the ticket and the comment on an incident; see `words`."""
    console = SafeConsole(width=WIDTH, highlight=False, file=io.StringIO())
    with console.capture() as drawn:
        console.print(page(report))
    write_html(report, folder / "page.html")
    shown = html.unescape(re.sub(r"<[^>]*>", "", (folder / "page.html").read_text()))
    told = {"terminal": drawn.get(), "HTML": shown, "ticket": ticket, "comment": answer_text(report)}
    return {name: words(text) for name, text in told.items()}


def words(text: str) -> str:
    """Letters and digits alone: lines are wrapped, and each format has its own marks."""
    return re.sub(r"[\W_]+", "", text.casefold())
