"""The page of `respond hunt`: every sign-in with its verdict, then the counts."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from respond.console.page import VERDICT_STYLE
from respond.console.terminal import terminal
from respond.defang import defang
from respond.models.survey import Survey, SurveyedSignIn

_MOST_COUNTED = 8


def print_survey(survey: Survey) -> None:
    """Write the page to stdout."""
    console = terminal()
    tenant = "LAB tenant" if survey.tenant == "lab" else f"tenant {survey.tenant}"
    window = f"{survey.window.start:%d %b %H:%M} to {survey.window.end:%d %b %H:%MZ}"
    console.print(Text.assemble(("respond hunt", "bold"), f" · {tenant} · {window}"))
    console.print()
    if not survey.sign_ins:
        console.print("  no device code sign-in")
    for row in survey.sign_ins:
        console.print(_entry(row))
    console.print()
    for name, counts in (
        ("verdict", survey.counts.verdict),
        ("app", survey.counts.app),
        ("country", survey.counts.country),
    ):
        if counts:
            console.print(Text.assemble(f"  {name:8}", _counted(counts)))
    for gap in survey.gaps:
        console.print(Text.assemble("  gap     ", defang(gap.source), "  ", (defang(gap.reason), "yellow")))
    console.print(
        Text(
            f"  {_many(len(survey.sign_ins), 'sign-in')} of {_many(survey.users, 'user')}, "
            f"{_many(survey.queries, 'query', 'queries')}. Nothing was changed; respond --user UPN answers one.",
            "dim",
        )
    )


def _entry(row: SurveyedSignIn) -> Table:
    """A line for what and where, one for why."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=2)
    grid.add_column(width=16, no_wrap=True)
    grid.add_column(overflow="fold")
    place = " ".join(filter(None, (row.ip, row.country, f"AS{row.asn}" if row.asn else "")))
    label = Text(
        f" {row.verdict.upper()} {row.score} " if row.score else f" {row.verdict.upper()} ", VERDICT_STYLE[row.verdict]
    )
    grid.add_row(
        "",
        label,
        Text(
            f"{row.at:%d %b %H:%MZ}  {defang(row.user.upn)}  {defang(row.app or row.app_id)}  {defang(place)}", "bold"
        ),
    )
    grid.add_row("", "", Text(defang(row.reason)))
    return grid


def _counted(counts: Mapping[str, int]) -> str:
    shown = [f"{defang(name)} {count}" for name, count in counts.items()]
    more = len(shown) - _MOST_COUNTED
    return " · ".join(shown[:_MOST_COUNTED]) + (f" · {more} more" if more > 0 else "")


def _many(count: int, word: str, words: str = "") -> str:
    return f"{count:,} {word if count == 1 else words or word + 's'}"
