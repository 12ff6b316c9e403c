"""Around a run: its span, the fields of its log lines, and word of its beginning and end to whoever watches.

Every run passes here however it was started: by a delivery, the schedule, a command, or taken over from a dead process.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from respond.models.case import Case
from respond.models.report import Attached, Report
from respond.observe.bound import bound
from respond.observe.traces import span


@dataclass
class Run:
    """One run in this process.

    Attributes:
        answer: what it came to; None while it goes on, when it failed, and of one that has no answer.
        error: what it failed with; None as well when this process stopped in the middle of it.
        is_over: it came to its end.
        seconds: how long it took here.
    """

    case: Case
    answer: object = None
    error: Exception | None = None
    seconds: float = 0.0
    is_over: bool = False

    def end(self, answer: object) -> None:
        """It came to its end, with this."""
        self.answer, self.is_over = answer, True


class Watcher(Protocol):
    """Told on the run's own thread; must not raise."""

    def began(self, run: Run) -> None: ...
    def ended(self, run: Run) -> None: ...


_watchers: list[Watcher] = []


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Hear of runs until the end of the block."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


@contextmanager
def running(name: str, case: Case) -> Iterator[Run]:
    """The block is one run; it leaves its answer in what it is given."""
    run, began = Run(case), time.monotonic()
    watchers = tuple(_watchers)
    with bound(run=case.run), span(name) as mark:
        for watcher in watchers:
            watcher.began(run)
        try:
            yield run
        except Exception as error:
            run.error = error
            raise
        finally:
            run.seconds = time.monotonic() - began
            if isinstance(run.answer, Report):
                mark.note(case=run.answer.case, verdict=run.answer.verdict, outcome=run.answer.outcome)
            elif isinstance(run.answer, Attached):
                mark.note(case=run.answer.case)
            for watcher in watchers:
                watcher.ended(run)
