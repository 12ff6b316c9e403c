"""The story in force, and the engines over its tables: built in the background, rebuilt when another one is loaded."""

from __future__ import annotations

import asyncio
from pathlib import Path

from respond.lab.columns import TIME_COLUMN, XDR_TIME_COLUMN, Columns, sentinel_tables, xdr_tables
from respond.lab.kql import Engine
from respond.lab.state import LabState, Loaded


class LabTenant:
    """What one server process answers from.

    Args:
        data: scenario directory, loaded as `LabState.open` says.

    Raises:
        UsageError: the scenario cannot be read.
    """

    def __init__(self, state: LabState, data: Path) -> None:
        self._state = state
        self._data = data
        self.loaded = state.open(data)
        self._mark = state.mark()
        self._engines: dict[str, asyncio.Task[Engine]] = {}

    async def workspace(self) -> Engine:
        """The engine over the Log Analytics tables."""
        return await self._engine("workspace")

    async def hunting(self) -> Engine:
        """The engine over the advanced hunting tables; built when first asked for."""
        return await self._engine("hunting")

    async def warm_up(self) -> None:
        """Get the first query ready: tables loaded, parser warm."""
        engine = await self.workspace()
        await asyncio.to_thread(engine.warm_up)

    async def _engine(self, name: str) -> Engine:
        self._follow()
        if name not in self._engines:
            build = _workspace if name == "workspace" else _hunting
            self._engines[name] = asyncio.create_task(asyncio.to_thread(build, self.loaded))
        # shielded: a client that goes away must not take the tables with it
        return await asyncio.shield(self._engines[name])

    def _follow(self) -> None:
        """Another process may have loaded a story or reset the state since."""
        mark = self._state.mark()
        if mark == self._mark:
            return
        self.loaded = self._state.open(Path(mark[0]) if mark else self._data)
        self._mark = self._state.mark()
        self._engines.clear()


def _workspace(loaded: Loaded) -> Engine:
    from respond.lab import tables

    return Engine(tables.workspace(loaded.story, loaded.shift), _present(loaded, sentinel_tables()), TIME_COLUMN)


def _hunting(loaded: Loaded) -> Engine:
    from respond.lab import tables

    return Engine(tables.advanced_hunting(loaded.story, loaded.shift), _present(loaded, xdr_tables()), XDR_TIME_COLUMN)


def _present(loaded: Loaded, tables: dict[str, Columns]) -> dict[str, Columns]:
    return {name: columns for name, columns in tables.items() if name not in loaded.story.absent_tables}
