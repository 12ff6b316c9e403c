"""The list of actions while they work, on stderr. On a terminal it moves; into a file it is one line an action."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from respond import progress
from respond.console.terminal import SafeConsole
from respond.progress import Event, Kind

_MARKS = {Kind.DONE: Text("✓", style="green"), Kind.FAILED: Text("✗", style="red")}


class _Board:
    """What each action is at; rich asks for it several times a second."""

    def __init__(self) -> None:
        self._order: list[str] = []
        self._now: dict[str, Event] = {}
        self._began: dict[str, float] = {}
        self._took: dict[str, float] = {}
        self._spinner = Spinner("dots")

    def hear(self, event: Event) -> None:
        if event.kind is Kind.QUEUED:
            return
        if event.action not in self._now:
            self._order.append(event.action)
            self._began[event.action] = time.monotonic()
        failed_before = self._now.get(event.action, event).kind is Kind.FAILED
        if not (failed_before and event.kind is Kind.DONE):
            self._now[event.action] = event
        if event.kind in (Kind.DONE, Kind.FAILED):
            self._took[event.action] = time.monotonic() - self._began[event.action]

    def __rich__(self) -> Table:
        grid = Table.grid(padding=(0, 1))
        if not self._order:
            grid.add_row(self._spinner, Text("starting", style="dim"))
        for name in self._order:
            event = self._now[name]
            took = f"{self._took[name] * 1000:.0f} ms" if name in self._took else ""
            mark = _MARKS.get(event.kind, self._spinner)
            grid.add_row(mark, Text(name), Text(took, style="dim"), Text(event.text, style="yellow"))
        return grid


@contextmanager
def counting(stream: TextIO) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for work that is counted: what is done, how much of it, and of how much; a line at a time into a file."""
    console = SafeConsole(file=stream)
    bar = Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    with bar:
        job = bar.add_task("starting", total=None)
        said = ""

        def tell(what: str, done: int, of: int) -> None:
            nonlocal said
            bar.update(job, description=what, completed=done, total=of or None)
            if not console.is_terminal and (what != said or done == of):
                said = what
                stream.write(f"respond: {what}{f' {done:,} of {of:,} users' if of else ''}\n")
                stream.flush()

        yield tell


@contextmanager
def live_progress(stream: TextIO) -> Iterator[None]:
    """Show what goes on until the end of the block, then make way for the page."""
    console = SafeConsole(file=stream)
    if not console.is_terminal:
        yield
        return
    board = _Board()
    with Live(board, console=console, refresh_per_second=12, transient=True), progress.listening(board.hear):
        yield
