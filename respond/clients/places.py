"""Where a table is: in the workspace, or in Defender XDR advanced hunting. A query is asked there.

The settings say it table by table (`[sources]`), or leave it to what is found: a table that the workspace lacks is
asked of Defender, and what neither has is a gap that names both. What was found holds for a while, because tables get
connected.

A query that joins tables is asked in one place. One that puts the rows of several tables under each other, of which
only some can be had from Defender, is asked in both; each place answers for what it has.

Sign-ins are not asked of Defender here (see `dialect.py`): the hunt does that, knowing what it cannot know.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from respond.clients.defender import REACH
from respond.clients.degrade import names, without_known
from respond.clients.dialect import MOVABLE, for_defender, hunting_tables
from respond.clients.kql import Value
from respond.clients.log_answer import Rows
from respond.clients.logs import Absent
from respond.clients.sources import ask_what_is_there, read_query
from respond.errors import BadQuery, Permanent, RespondError
from respond.log_schema import sentinel_tables
from respond.models.base import Gap
from respond.settings import Place, Sources

if TYPE_CHECKING:
    from datetime import timedelta

    from respond.clients.defender import Defender
    from respond.clients.logs import Logs

SIGN_INS = ("SigninLogs", "AADNonInteractiveUserSignInLogs")
GRAPH_CALLS, GRAPH_CALLS_THERE = "MicrosoftGraphActivityLogs", "GraphAPIAuditEvents"
"""Calls to Graph: in Defender they are in a table of its own, which has its own query."""
_DEFENDER = "Defender XDR"

Answer = tuple[Rows, list[Gap]]


@dataclass(frozen=True)
class _Question:
    name: str
    values: Mapping[str, Value]
    source: str
    whole: bool

    @property
    def tables(self) -> frozenset[str]:
        return frozenset(names(read_query(self.name)) & sentinel_tables().keys())


class Places:
    """Both places of one tenant.

    Args:
        sources: what the settings say.
        auto: whether Defender may be asked for what the settings leave open.
        absent_for: how long it holds that Defender refuses.
    """

    def __init__(self, logs: Logs, defender: Defender, sources: Sources, *, auto: bool, absent_for: timedelta) -> None:
        self.logs = logs
        self.defender = defender
        self.sources = sources
        self._auto = auto
        self._refused = Absent(absent_for)

    async def ask(self, name: str, values: Mapping[str, Value], *, source: str, whole: bool = False) -> Answer:
        """Run a query of ours where its tables are, on as much as there is.

        Returns:
            The rows, and a gap for each table, column or operator that it had to do without.

        Raises:
            RespondError: as `ask_what_is_there`.
        """
        question = _Question(name, values, source, whole)
        moved = question.tables & MOVABLE
        if not moved:
            return await self._here(question)
        if moved == question.tables:
            return await self._in_one_place(question)
        return await self._in_both(question, moved)

    def may_ask_defender(self, table: str) -> bool:
        """Whether Defender is to be asked for a table that the workspace lacks, or must not be asked for."""
        place = self.sources.of(table)
        return place is Place.DEFENDER or (place is Place.AUTO and self._auto)

    async def _in_one_place(self, question: _Question) -> Answer:
        """The workspace, unless it lacks a table that Defender has."""
        tables = question.tables
        if any(self.sources.of(table) is Place.DEFENDER for table in tables):
            return await self._there(question)
        may_move = not any(self.sources.of(table) is Place.WORKSPACE for table in tables)
        here, lost = None, self._open(tables) & self.logs.absent.known().keys() if may_move else set()
        if not lost:
            here = await self._here(question)
            lost = self._open(tables) & _lacking(here).keys() if may_move else set()
        if lost:
            there, refusal = await self._try_there(question, lost)
            if there and not _lacking(there).keys() & tables:
                return there
            here = here or await self._here(question)
            if there and len(_lacking(there).keys() & tables) < len(_lacking(here).keys() & tables):
                return there[0], _naming(there[1], _lacking(here))
            return here[0], _naming(here[1], _lacking(there) if there else dict.fromkeys(lost, refusal))
        here = here or await self._here(question)
        return here[0], _naming(here[1], self._refusals())

    async def _in_both(self, question: _Question, moved: frozenset[str]) -> Answer:
        """Each place for what it has; the rows are put together."""
        away = {table for table in moved if self.sources.of(table) is Place.DEFENDER}
        away |= self._open(moved) & self.logs.absent.known().keys()
        here = await self._here(question, without=away)
        lost = self._open(moved) & _lacking(here).keys()
        if not away | lost:
            return here[0], _naming(here[1], self._refusals())
        there, refusal = await self._try_there(question, away | lost, without=question.tables - away - lost)
        if not there:
            unread = [Gap(source=table, reason=refusal) for table in sorted(away)]
            return here[0], [*_naming(here[1], dict.fromkeys(lost, refusal)), *unread]
        rows = Rows([*here[0], *there[0]])
        rows.partial = "; ".join(filter(None, (here[0].partial, there[0].partial)))
        rows.full = here[0].full or there[0].full
        kept = [gap for gap in here[1] if gap.source not in lost]
        return rows, [*kept, *_naming(there[1], _lacking(here) | self.logs.absent.known())]

    async def _here(self, question: _Question, *, without: Collection[str] = ()) -> Answer:
        """The workspace's answer.

        Args:
            without: tables that are asked of Defender.
        """
        unread = {
            table: f"sources.{table} is {Place.DEFENDER}: not read in the workspace"
            for table in (*SIGN_INS, GRAPH_CALLS)
            if self.sources.of(table) is Place.DEFENDER
        }
        _, known = without_known(read_query(question.name), unread)
        rows, gaps = await ask_what_is_there(
            self.logs,
            question.name,
            question.values,
            source=question.source,
            whole=question.whole,
            form=lambda text: _leaving_out(text, [*unread, *without]),
        )
        return rows, [*known, *gaps]

    async def _there(self, question: _Question, *, without: Collection[str] = ()) -> Answer:
        rows, gaps = await ask_what_is_there(
            self.defender,
            question.name,
            question.values,
            source=question.source,
            whole=question.whole,
            form=lambda text: for_defender(_leaving_out(text, without)),
            tables=hunting_tables(),
        )
        answer = rows, gaps
        seen = question.tables & MOVABLE - _lacking(answer).keys() - set(without)
        return rows, [*gaps, *(_beyond_reach(question) if seen else ())]

    async def _try_there(
        self, question: _Question, wanted: Collection[str], *, without: Collection[str] = ()
    ) -> tuple[Answer | None, str]:
        """Defender's answer, or why there is none; what trying again cannot help is remembered."""
        try:
            return await self._there(question, without=without), ""
        except RespondError as error:
            lasts = isinstance(error, Permanent) and not isinstance(error, BadQuery)
            for table in wanted if lasts else ():
                self._refused.add(table, error.message)
            return None, error.message

    def _open(self, tables: Collection[str]) -> set[str]:
        """Tables that Defender may be asked for if the workspace lacks them, as far as is known."""
        left = {table for table in tables if self._auto and self.sources.of(table) is Place.AUTO}
        return left - self._refusals().keys()

    def _refusals(self) -> dict[str, str]:
        return self.defender.absent.known() | self._refused.known()


def _leaving_out(text: str, tables: Collection[str]) -> str:
    return without_known(text, dict.fromkeys(tables, ""))[0]


def _lacking(answer: Answer) -> dict[str, str]:
    """Source of each gap -> its reason."""
    return {gap.source: gap.reason for gap in answer[1]}


def _naming(gaps: list[Gap], elsewhere: Mapping[str, str]) -> list[Gap]:
    """The gaps, with what the other place said about the same table."""
    said = {gap.source: elsewhere[gap.source] for gap in gaps if elsewhere.get(gap.source, gap.reason) != gap.reason}
    return [
        Gap(source=gap.source, reason=f"{gap.reason}; {said[gap.source]}") if gap.source in said else gap
        for gap in gaps
    ]


def _beyond_reach(question: _Question) -> list[Gap]:
    """One gap for all queries that reach back further than Defender does."""
    first = min((value for value in question.values.values() if isinstance(value, datetime)), default=None)
    kept = datetime.now(UTC) - REACH
    if first is None or first >= kept:
        return []
    reason = f"it reaches back {REACH.days} days: of the tables that are read there, nothing before {kept:%Y-%m-%d}"
    return [Gap(source=_DEFENDER, reason=reason)]
