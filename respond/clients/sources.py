"""Asking a log source: its rows, or a named gap. Evidence that cannot be had never reads as evidence of nothing.

A query that names a table or column which its place lacks is asked again without it; one that the plan of a table
does not take is asked in its plainer form, `NAME.basic.kql`, where there is one. Both leave a gap.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from respond.clients import degrade
from respond.clients.kql import Value, bind, load
from respond.clients.lanes import within
from respond.durations import format_duration
from respond.errors import BadQuery, RespondError, TableMissing, Transient, UsageError, passes
from respond.models.base import Gap
from respond.settings import shipped_config

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import Protocol

    from respond.clients.log_answer import Rows
    from respond.clients.logs import Absent
    from respond.clients.places import Places
    from respond.log_schema import Tables

    class Source(Protocol):
        """The workspace, or Defender XDR."""

        absent: Absent

        async def query(self, text: str, *, whole: bool) -> Rows: ...


_MOST_MISSING = 8
"""Tables and columns that one query may lack before it is given up."""


def query_text(name: str, **values: Value) -> str:
    """One query of `config/queries`, with its values bound.

    Raises:
        BadQuery: a value that no query can carry.
        UsageError: there is no such query.
    """
    return bind(read_query(name), values)


def read_query(name: str) -> str:
    """One query of `config/queries` as it lies on disk.

    Raises:
        UsageError: there is no such query.
    """
    path = shipped_config() / "queries" / f"{name}.kql"
    if not path.is_file():
        raise UsageError(f"{path} does not exist; the installation is incomplete")
    return load(path)


def has_basic(name: str) -> bool:
    """Whether a query has a plainer form for tables on a plan that takes no joins."""
    return (shipped_config() / "queries" / f"{name}.basic.kql").is_file()


class Inquiry:
    """The questions of one action, within one time limit, and the gaps that they left.

    Args:
        head_start: what the questions of others get, so that the service does not answer the last one first.
        limit: how long each question may take, waits and retries included. The questions of an action are asked at the
            same time, so this is the action's limit as well.
    """

    def __init__(self, places: Places, limit: timedelta, *, head_start: timedelta) -> None:
        self._places = places
        self._limit = limit
        self._head_start = head_start.total_seconds()
        self._gaps: list[Gap] = []

    @property
    def gaps(self) -> tuple[Gap, ...]:
        return tuple(dict.fromkeys(self._gaps))

    async def ask(self, name: str, *, source: str, **values: Value) -> Rows:
        """Run a query of ours. A source that is missing, partial, late or refused is a gap; `partial` says so as well.

        Args:
            source: the table that the gap is named after, where the answer itself does not name one.
        """
        return await self.within(source, lambda: self._rows(name, source, values))

    async def within(self, source: str, question: Callable[[], Awaitable[Rows]]) -> Rows:
        """The rows of a question that may be asked elsewhere, under the same limit and with the same gaps."""
        try:
            async with within(self._limit.total_seconds()):
                await asyncio.sleep(self._head_start)
                rows = await question()
        except TimeoutError:
            return self._nothing(source, f"no answer within {format_duration(self._limit)}", passing=True)
        except RespondError as error:
            return self._nothing(source, error.message, passing=passes(error))
        if rows.partial:
            self._gaps.append(Gap(source=source, reason=f"only part of the rows came back: {rows.partial}"))
        return rows

    def _nothing(self, source: str, reason: str, *, passing: bool) -> Rows:
        from respond.clients.log_answer import Rows

        self._gaps.append(Gap(source=source, reason=reason, passes=passing))
        rows = Rows()
        rows.partial = reason
        return rows

    async def _rows(self, name: str, source: str, values: dict[str, Value]) -> Rows:
        rows, gaps = await self._places.ask(name, values, source=source)
        self._gaps += gaps
        return rows


async def _asked(logs: Source, text: str, *, whole: bool) -> Rows:
    """The rows of a query. A table of which the query names no column is another question's answer: asked once more.

    Raises:
        RespondError: as `Logs.query` does.
    """
    foreign = ""
    for _ in range(2):
        rows = await logs.query(text, whole=whole)
        if not rows.columns or degrade.names(text) & set(rows.columns):
            return rows
        foreign = ", ".join(rows.columns)[:200]
    raise Transient(f"the answer is another query's: its columns are {foreign}")


async def ask_what_is_there(
    logs: Source,
    name: str,
    values: Mapping[str, Value],
    *,
    source: str,
    whole: bool = False,
    form: Callable[[str], str] = str,
    tables: Tables | None = None,
) -> tuple[Rows, list[Gap]]:
    """Run a query of ours on as much as a workspace, or Defender XDR, holds.

    Args:
        form: what is done to the text before it is sent.
        tables: what that text can name; the tables of a workspace unless given.

    Returns:
        The rows, and a gap for each table, column or operator that it had to do without. When no table of the query is
        there, the rows are none and each table is a gap.

    Raises:
        RespondError: as `Logs.query` does, but for what can be done without.
    """
    whole_text = form(query_text(name, **values))
    plainer: list[Gap] = []
    found: dict[str, str] = {}
    for _ in range(_MOST_MISSING):
        known = logs.absent.known() | found
        text, gaps = degrade.without_known(whole_text, known, tables)
        try:
            return await _asked(logs, text, whole=whole), [*gaps, *plainer]
        except TableMissing as error:
            # Another query may have found out the same meanwhile; what this text did without already is no help.
            if error.name in known or not degrade.can_do_without(whole_text, error.name, tables):
                raise
            found[error.name] = error.message
            logs.absent.add(error.name, error.message)
        except BadQuery as error:
            if plainer or not has_basic(name):
                raise
            whole_text = form(query_text(f"{name}.basic", **values))
            reason = f"only a plainer query is taken: {error.message}"
            plainer = [Gap(source=f"{source} (joined rows)", reason=reason)]
    raise BadQuery(f"{name}: the source lacks more than {_MOST_MISSING} of its tables and columns")
