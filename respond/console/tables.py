"""Lists on the terminal: rows of a hunt, cases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from respond.defang import defang

if TYPE_CHECKING:
    from collections.abc import Mapping

    from respond.models.report import Report


def print_rows(title: str, rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> None:
    """A table of some columns, and a line that counts the rows."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    console = Console(highlight=False)
    if rows:
        console.print(table)
    console.print(f"{len(rows)} row{'' if len(rows) == 1 else 's'}")


def print_cases(reports: Sequence[Report]) -> None:
    """One line a case."""
    console = Console(highlight=False)
    if not reports:
        console.print("no cases yet; `respond --user UPN` opens one")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("case", "tenant", "user", "verdict", "score", "outcome", "ticket"):
        table.add_column(column)
    for report in reports:
        ticket = report.ticket.id if report.ticket else "-"
        cells = (report.case, report.tenant, report.user.upn, report.verdict, str(report.score), report.outcome, ticket)
        table.add_row(*(Text(defang(cell)) for cell in cells))
    console.print(table)


def print_scenarios(found: Sequence[tuple[str, str, Mapping[str, Mapping[str, str]]]]) -> None:
    """Name, title, and the expected verdict of each user."""
    table = Table(box=None, pad_edge=False)
    for column in ("scenario", "story", "verdicts"):
        table.add_column(column, overflow="fold")
    for name, title, expect in found:
        verdicts = ", ".join(sorted({person["verdict"] for person in expect.values()}))
        table.add_row(Text(name), Text(title), Text(verdicts))
    Console(highlight=False).print(table)


def _cell(value: object) -> Text:
    if isinstance(value, datetime):
        return Text(f"{value:%Y-%m-%d %H:%M:%SZ}")
    return Text("" if value is None else defang(str(value)))
