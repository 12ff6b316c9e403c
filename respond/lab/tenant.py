"""The story in force, and the engines over its tables: built in the background, rebuilt when another one is loaded."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path

from respond.lab import audit_rows, loading
from respond.lab.columns import TIME_COLUMN, XDR_TIME_COLUMN, Columns
from respond.lab.kql import Engine
from respond.lab.row_jobs import FORMS
from respond.lab.state import LabState, Loaded


class LabTenant:
    """What one server process answers from.

    Args:
        data: scenario directory, loaded as `LabState.open` says.
        absent_columns: `Table.Column` of the workspace, which queries then cannot name.

    Raises:
        UsageError: the scenario cannot be read.
    """

    def __init__(self, state: LabState, data: Path, absent_columns: Collection[str] = ()) -> None:
        self._state = state
        self._data = data
        self._absent = frozenset(absent_columns)
        self.loaded = state.open(data)
        self._mark = state.mark()
        self._noted = 0
        self._engines: dict[str, asyncio.Task[Engine]] = {}
        self._following = asyncio.Lock()

    async def workspace(self) -> Engine:
        """The engine over the Log Analytics tables, with what was written in the meantime."""
        engine = await self._engine("workspace")
        self._note_revocations(engine)
        return engine

    async def hunting(self) -> Engine:
        """The engine over the advanced hunting tables; built when first asked for."""
        return await self._engine("hunting")

    def tables(self) -> frozenset[str]:
        """The names of the workspace's tables."""
        return frozenset(_present(self.loaded, "workspace"))

    async def warm_up(self) -> None:
        """Get the first query ready: tables loaded, parser warm."""
        engine = await self.workspace()
        await asyncio.to_thread(engine.warm_up)

    async def _engine(self, name: str) -> Engine:
        async with self._following:
            if self._state.mark() != self._mark:
                # in a thread: a large story takes its time, and the lab goes on answering the rest
                await asyncio.to_thread(self._follow)
            if name not in self._engines:
                build = self._workspace if name == "workspace" else self._hunting
                self._engines[name] = asyncio.create_task(asyncio.to_thread(build, self.loaded, self._state.folder))
            engine = self._engines[name]
        # shielded: a client that goes away must not take the tables with it
        return await asyncio.shield(engine)

    def _follow(self) -> None:
        """Another process has loaded a story or reset the state."""
        mark = self._state.mark()
        self.loaded = self._state.open(Path(mark[0]) if mark else self._data)
        self._mark = self._state.mark()
        self._engines.clear()
        self._noted = 0

    def _note_revocations(self, engine: Engine) -> None:
        """Add the rows that revocations leave in the audit log; the tables of a large story are a file, and stay."""
        if loading.is_large(self.loaded.story):
            return
        for number, at, user in self._state.revocations(after=self._noted):
            self._noted = number
            engine.add(audit_rows.TABLE, audit_rows.whole(audit_rows.revocation(user, at)))

    def _workspace(self, loaded: Loaded, folder: Path) -> Engine:
        con = loading.connect(loaded.story, loaded.shift, folder, "workspace")
        tables = {
            table: {name: kind for name, kind in columns.items() if f"{table}.{name}" not in self._absent}
            for table, columns in _present(loaded, "workspace").items()
        }
        return Engine(con, tables, TIME_COLUMN)

    @staticmethod
    def _hunting(loaded: Loaded, folder: Path) -> Engine:
        con = loading.connect(loaded.story, loaded.shift, folder, "hunting")
        return Engine(con, _present(loaded, "hunting"), XDR_TIME_COLUMN)


def _present(loaded: Loaded, form: str) -> dict[str, Columns]:
    return {name: columns for name, columns in FORMS[form]().items() if name not in loaded.story.lacks(form)}
