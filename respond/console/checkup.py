"""What `respond doctor` has found, on the terminal: one line a part, and below it what to do."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from respond.console.terminal import terminal
from respond.defang import printable
from respond.models.checkup import Health

if TYPE_CHECKING:
    from respond.models.checkup import Checkup, Result

_STYLES = {Health.OK: "green", Health.WARNING: "yellow", Health.ERROR: "bold red", Health.SKIPPED: "dim"}


def print_checkup(found: Checkup) -> None:
    """A table, and a line that counts."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", max_width=34)
    table.add_column(overflow="fold")
    for group, results in groupby(found.results, key=lambda result: result.group):
        table.add_row(Text(group, style="bold"))
        for result in results:
            status = Text(f"  {result.status}", style=_STYLES[result.status])
            table.add_row(status, Text(result.name), _words(result))
    console = terminal()
    console.print(f"respond doctor · {'LAB tenant' if found.mode == 'lab' else f'tenant {found.tenant}'}", style="bold")
    console.print(table)
    console.print(Text(_count(found), style="bold"))


def _words(result: Result) -> Text:
    if not result.todo:
        return Text(printable(result.found))
    return Text.assemble(
        printable(result.found), "\n", (f"-> {printable(result.todo)}", "dim" if result.status is Health.OK else "bold")
    )


def _count(found: Checkup) -> str:
    errors, warnings = found.count(Health.ERROR), found.count(Health.WARNING)
    told = [f"{errors} error{'' if errors == 1 else 's'}", f"{warnings} warning{'' if warnings == 1 else 's'}"]
    told += [f"{found.count(status)} {status}" for status in (Health.OK, Health.SKIPPED)]
    return f"{', '.join(told)}. {'Not ready: begin with the first error.' if errors else 'Ready.'}"
