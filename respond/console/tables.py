"""Lists on the terminal: rows of a hunt, cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from rich.table import Table
from rich.text import Text

from respond.console.terminal import terminal
from respond.defang import defang
from respond.models.report import Report

_LONGEST_VERDICT = len("no-activity")
_WHOLE = frozenset({"IPAddress", "TimeGenerated"})
"""Columns that are of no use broken over two lines."""


def print_rows(title: str, rows: Sequence[Mapping[str, object]], columns: Mapping[str, str]) -> None:
    """A table of some columns under short headings, and a line that counts the rows."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column, heading in columns.items():
        table.add_column(heading, overflow="fold", no_wrap=column in _WHOLE)
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    console = terminal()
    if rows:
        console.print(table)
    console.print(f"{len(rows)} row{'' if len(rows) == 1 else 's'}")


class Unreadable(Protocol):
    """A case whose report cannot be read."""

    @property
    def case(self) -> str: ...
    @property
    def reason(self) -> str: ...


def print_cases(held: Sequence[tuple[str, Report | Unreadable]]) -> None:
    """One line a case; beside each, what its tenant is called. Cases that cannot be read come last, with the reason."""
    console = terminal()
    if not held:
        console.print("no cases yet; `respond --user UPN` opens one")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("case", "tenant", "user", "verdict", "score", "outcome", "ticket"):
        table.add_column(column)
    unreadable: list[Unreadable] = []
    for tenant, report in held:
        if not isinstance(report, Report):
            unreadable.append(report)
            continue
        ticket = report.ticket.id if report.ticket else "-"
        cells = (report.case, tenant, report.user.upn, report.verdict, str(report.score), report.outcome, ticket)
        table.add_row(*(Text(defang(cell)) for cell in cells))
    if table.row_count:
        console.print(table)
    for case in unreadable:
        console.print(Text(defang(f"{case.case}  unreadable: {case.reason}")))


_Needed = Mapping[str, Sequence[tuple[str, str, bool]]]


def print_permissions(needed: _Needed, *, optional: _Needed) -> None:
    """Each permission with the actions that need it, what they do, and whether they write.

    Args:
        optional: listed apart.
    """
    console = terminal()
    console.print(_permissions(needed))
    console.print("* writes; a dry run does without\n")
    console.print("Optional, and far-reaching. Without them a person does by hand what these actions would do:")
    console.print(_permissions(optional))


def _permissions(needed: _Needed) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("permission", "action", "what for"):
        table.add_column(column, overflow="fold", no_wrap=column == "action")
    for permission, actions in needed.items():
        for number, (action, what, writes) in enumerate(actions):
            name = f"{action} *" if writes else action
            table.add_row(*map(Text, ("" if number else permission, name, what)))
    return table


def print_scenarios(found: Sequence[tuple[str, str, Mapping[str, Mapping[str, str]]]]) -> None:
    """Name, title, and the expected verdict of each user."""
    table = Table(box=None, pad_edge=False)
    table.add_column("scenario", no_wrap=True)
    table.add_column("verdicts", overflow="fold", min_width=_LONGEST_VERDICT)
    table.add_column("story", overflow="fold")
    for name, title, expect in found:
        verdicts = sorted({person["verdict"] for person in expect.values()})
        table.add_row(Text(name), Text("\n".join(verdicts)), Text(title))
    terminal().print(table)


def _cell(value: object) -> Text:
    if isinstance(value, datetime):
        return Text(f"{value:%Y-%m-%d %H:%M:%SZ}")
    return Text("" if value is None else defang(str(value)))
