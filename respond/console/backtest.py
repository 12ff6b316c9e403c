"""The page of `respond backtest`: how many cases, what would have been done, by app, network and analyst."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from respond.console.page import VERDICT_STYLE
from respond.console.terminal import terminal
from respond.defang import defang
from respond.models.backtest import Backtest, Difference, Replayed, Tally

_MOST_ROWS = 12
_MOST_CASES = 20


def print_backtest(result: Backtest) -> None:
    """Write the page to stdout."""
    console = terminal()
    tenant = "LAB tenant" if result.tenant == "lab" else f"tenant {result.tenant}"
    window = f"{result.window.start:%d %b %Y} to {result.window.end:%d %b %Y}"
    console.print(Text.assemble(("respond backtest", "bold"), f" · {tenant} · {window} · {defang(result.policy)}"))
    console.print()
    rate = f", {result.log_rows / result.seconds:,.0f} rows a second" if result.seconds else ""
    console.print(
        f"  {result.log_rows:,} sign-in rows, {result.sign_ins:,} device code sign-ins of {result.users_done:,} users "
        f"in {result.answers.total:,} cases ({result.seconds:.1f} s{rate}, {result.queries} queries)"
    )
    console.print(
        Text.assemble(
            "  ",
            (f"{result.answers.contained:,} contained", "bold red"),
            " · ",
            (f"{result.answers.asked:,} asked", "bold yellow"),
            " · ",
            (f"{result.answers.ignored:,} ignored", "bold green"),
        )
    )
    console.print()
    for title, rows in (
        ("by app", result.by_app),
        ("by network", result.by_network),
        ("by analyst", result.by_analyst),
    ):
        console.print(_tallies(title, rows))
        console.print()
    acted = [case for case in result.cases if case.answer != "ignored"]
    _print_cases("what would have been done", acted)
    if result.differences is not None:
        _print_differences(result.other_policy, result.differences)
    for gap in result.gaps:
        console.print(Text.assemble("  gap  ", defang(gap.source), "  ", (defang(gap.reason), "yellow")))
    console.print(Text("  Nothing was changed.", "dim"))


def _tallies(title: str, rows: Mapping[str, Tally]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(f"  {title}", min_width=34, overflow="fold")
    for heading in ("contained", "asked", "ignored"):
        table.add_column(heading, justify="right")
    for name, tally in list(rows.items())[:_MOST_ROWS]:
        table.add_row(Text(f"  {defang(name)}"), *(f"{n:,}" for n in (tally.contained, tally.asked, tally.ignored)))
    if len(rows) > _MOST_ROWS:
        table.add_row(Text(f"  {len(rows) - _MOST_ROWS} more, see --json", "dim"), "", "", "")
    return table


def _print_cases(title: str, cases: Sequence[Replayed]) -> None:
    console = terminal()
    if not cases:
        return
    console.print(Text(f"  {title}", "bold"))
    for case in cases[:_MOST_CASES]:
        label = (f" {case.verdict.upper()} {case.score} ", VERDICT_STYLE[case.verdict])
        analyst = f"  analyst: {case.analyst}" if case.analyst else ""
        place = defang(f"{case.ip} {case.country}{analyst}")
        line = f"  {case.at:%d %b %H:%MZ}  {defang(case.user.upn)}  {defang(case.app)}  {place}"
        console.print(Text.assemble("  ", label, line))
    if len(cases) > _MOST_CASES:
        console.print(Text(f"  {len(cases) - _MOST_CASES} more, see --json", "dim"))
    console.print()


def _print_differences(other: str, differences: Sequence[Difference]) -> None:
    console = terminal()
    console.print(Text(f"  {len(differences)} of these are answered otherwise by {other}", "bold"))
    for one in differences[:_MOST_CASES]:
        case = one.case
        what = f"{case.answer} ({case.score}) -> {one.other_answer} ({one.other_score})"
        console.print(Text(f"  {what:34}  {case.at:%d %b %H:%MZ}  {defang(case.user.upn)}  {defang(case.app)}"))
    console.print()
