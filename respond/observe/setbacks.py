"""What does not work in this process just now and is tried again: endless loops, and single rows of the database.

A loop that fails says so once per cause, is counted, and says when it works again; `respond.serving.supervised` runs
them. A row that cannot be worked on (JSON that nobody can read, a case that breaks) is passed over, so that the rows
behind it get their turn. `/readyz` and `/metrics` show both.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from respond.errors import StateAway, Transient
from respond.plain_errors import is_database_error, is_of_one_row, plain, state_error

Row = TypeVar("Row")
Read = TypeVar("Read")
Key = TypeVar("Key")

_TOLD_AGAIN_AFTER = 600.0
"""Seconds after which the same cause is logged once more."""
_MOST_ROWS = 1000
_FRAMES = 3


@dataclass
class _Setback:
    reason: str
    since: float
    told: float
    times: int = 0


class Setbacks:
    """Of one process. Methods may be called from any thread.

    Args:
        clock: seconds, of a time that never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._loops: dict[str, _Setback] = {}
        self._rows: dict[tuple[str, str], _Setback] = {}
        self._known: set[str] = set()
        self._times: Counter[str] = Counter()
        self._passed: Counter[str] = Counter()

    def watch(self, *loops: str) -> None:
        """Show these loops in the figures from now on, also while nothing is wrong with them."""
        with self._lock:
            self._known.update(loops)

    def failed(self, loop: str, error: Exception, *, again: float) -> None:
        """A turn of a loop ended with an error.

        Args:
            again: seconds until its next turn.
        """
        reason = plain(error)
        with self._lock:
            self._known.add(loop)
            self._times[loop] += 1
            tell = self._note(self._loops, loop, reason)
        if tell:
            _tell("loop-failed", error, loop=loop, reason=reason, again_in=round(again, 1))

    def went(self, loop: str) -> None:
        """A turn of a loop went well."""
        with self._lock:
            over = self._loops.pop(loop, None)
        if over:
            from respond.observe.logs import log

            log("loop-recovered", loop=loop, failures=over.times, seconds=round(self._clock() - over.since, 1))

    @contextmanager
    def alone(self, kind: str, key: str) -> Iterator[None]:
        """What fails in the block is a matter of this row: logged once, counted and passed over.

        A database that is away as a whole is no matter of a row.

        Args:
            kind: of the row: one of a few.
            key: names the row within its kind; no personal data.

        Raises:
            StateAway: the state database cannot be used.
        """
        try:
            yield
        except StateAway:
            raise
        except Exception as error:
            # The edge of one row: others wait behind it.
            if is_database_error(error) and not is_of_one_row(error):
                raise state_error(error) from error
            self._pass_over(kind, key, error)
        else:
            with self._lock:
                self._rows.pop((kind, key), None)

    def _pass_over(self, kind: str, key: str, error: Exception) -> None:
        reason = plain(error)
        with self._lock:
            self._passed[kind] += 1
            if len(self._rows) >= _MOST_ROWS and (kind, key) not in self._rows:
                self._rows.pop(next(iter(self._rows)))
            tell = self._note(self._rows, (kind, key), reason)
        if tell:
            _tell("row-passed-over", error, kind=kind, key=key, reason=reason)

    def readable(
        self, kind: str, rows: Iterable[Row], read: Callable[[Row], Read], key: Callable[[Row], str]
    ) -> list[Read]:
        """The rows that can be read; each other one is passed over.

        Args:
            read: makes a model of a row.
            key: names a row.
        """
        found = []
        for row in rows:
            with self.alone(kind, key(row)):
                found.append(read(row))
        return found

    def failing(self) -> Mapping[str, str]:
        """Loops whose last turn failed, and why."""
        with self._lock:
            return {loop: setback.reason for loop, setback in sorted(self._loops.items())}

    def passed_over(self) -> Mapping[str, int]:
        """How many rows of each kind are passed over just now."""
        with self._lock:
            return dict(Counter(kind for kind, _ in self._rows))

    def loops(self) -> Mapping[str, tuple[int, bool]]:
        """How often a turn of each loop has failed, and whether its last one did."""
        with self._lock:
            return {loop: (self._times[loop], loop in self._loops) for loop in sorted(self._known)}

    def rows(self) -> Mapping[str, int]:
        """How often a row of each kind was passed over."""
        with self._lock:
            return dict(self._passed)

    def _note(self, where: dict[Key, _Setback], key: Key, reason: str) -> bool:
        """Keep it; whether it is to be told."""
        now = self._clock()
        setback = where.setdefault(key, _Setback(reason, since=now, told=now))
        setback.times += 1
        if setback.times > 1 and setback.reason == reason and now - setback.told < _TOLD_AGAIN_AFTER:
            return False
        setback.reason, setback.told = reason, now
        return True


SETBACKS = Setbacks()
"""Of this process."""


def _tell(event: str, error: Exception, **fields: object) -> None:
    """A line in the log; at the command line, which has none, on stderr."""
    if not logging.getLogger("respond").hasHandlers():
        told = " ".join(str(value) for value in fields.values())
        sys.stderr.write(f"respond: {event}: {told}\n")
        return
    from respond.observe.logs import Level, log  # commands do without its libraries

    if _may_pass(error):
        log(event, level=Level.WARNING, **fields)
    else:
        log(event, level=Level.ERROR, **fields, where=_where(error))


def _may_pass(error: Exception) -> bool:
    """Whether it is no defect, and asks for nobody."""
    return isinstance(error, Transient) or (is_database_error(error) and isinstance(state_error(error), Transient))


def _where(error: Exception) -> str:
    """The innermost frames, innermost first."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return " < ".join(f"{one.filename.rpartition('/')[2]}:{one.lineno} {one.name}" for one in frames[::-1])
