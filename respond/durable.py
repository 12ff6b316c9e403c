"""The durable engine: DBOS Transact, behind this one module.

A playbook is a workflow, an action is a step whose result is recorded; after a crash the playbook runs again
against the recorded results and goes on where it stopped. https://docs.dbos.dev/python/reference/contexts

Who runs what, on one machine: each process holds one *slot*, a file locked for as long as it lives. The operating
system lets go of the lock when the process dies, however it dies, so a slot that can be locked by somebody else
belongs to nobody, and its unfinished runs are taken over. A live process keeps its own.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import sqlite3
from collections.abc import Callable, Coroutine, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ParamSpec, TypeVar

import dbos._serialization as _dbos_serialization
import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, SetWorkflowID, WorkflowHandleAsync
from dbos._serialization import Serializer

from respond.errors import RespondError, RunFailed, UsageError
from respond.models import wire

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

P = ParamSpec("P")
T = TypeVar("T")

RECORDS_VERSION = "2"
"""Shape of what the steps record. Runs of another version are left for a program of that version."""

_OLDEST_SQLITE = (3, 42)
_POLL = 0.25
_UNFINISHED = ["PENDING", "ENQUEUED"]


class _Json(Serializer):
    def name(self) -> str:
        return "respond_json"

    def serialize(self, data: Any) -> str:  # noqa: ANN401 - DBOS's signature
        return wire.dumps(data)

    def deserialize(self, serialized_data: str) -> Any:  # noqa: ANN401 - DBOS's signature
        return wire.loads(serialized_data)


def _refuse_pickle(_self: object, serialized_data: str) -> Any:  # noqa: ANN401, ARG001 - DBOS's signature
    raise ValueError("the state file holds a pickled value, which is never read")


# DBOS reads a row by the serializer that the row itself names, pickle among them, whatever we configure. A state
# file must not be able to run code, so the pickle reader is put out of use.
_dbos_serialization.DefaultSerializer.deserialize = _refuse_pickle  # type: ignore[method-assign, assignment]


def sqlite_driver(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> ModuleType:
    """The standard driver, or the `pysqlite3` wheel where the standard one's SQLite is too old.

    DBOS writes `unixepoch('subsec')` into its table defaults, which SQLite knows since 3.42; Debian 12 has 3.40.

    Raises:
        UsageError: too old, and no wheel for this platform.
    """
    if version[:2] >= _OLDEST_SQLITE:
        return sqlite3
    try:
        import pysqlite3
    except ImportError as error:
        found = ".".join(map(str, version))
        raise UsageError(
            f"SQLite {found} is older than 3.42: install pysqlite3, use a newer Python, or set state.url to PostgreSQL"
        ) from error
    return pysqlite3  # type: ignore[no-any-return]


def engine_kwargs(url: str) -> dict[str, Any]:
    """What SQLAlchemy needs to open the state database."""
    return {"module": sqlite_driver()} if url.startswith("sqlite") else {}


def workflow(name: str) -> Callable[[Callable[P, Coroutine[Any, Any, T]]], Callable[P, Coroutine[Any, Any, T]]]:
    """Make a function a workflow of that name."""
    return DBOS.workflow(name=name)


async def step(name: str, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run once and record what came back, or read the record. The code inside runs at least once, not exactly once."""
    return await DBOS.run_step_async({"name": name}, call)


async def first_of(tasks: Sequence[asyncio.Task[Any]]) -> set[asyncio.Task[Any]]:
    """Wait for the first of several; which ones it was is recorded, so a replay sees the same ones."""
    done, _ = await DBOS.asyncio_wait(list(tasks), return_when=asyncio.FIRST_COMPLETED)
    return done


class Engine:
    """The engine of this process.

    Args:
        url: state database, `sqlite:///PATH` or `postgresql://…`.
        locks: directory of the slot files.
        realm: whose runs this process may execute: a tenant, live or dry. Runs of another realm in the same
            database are neither started nor taken over: a lab's run must not end in a real tenant, nor a live one
            in a dry run.
    """

    def __init__(self, url: str, locks: Path, *, realm: str) -> None:
        self._locks = locks
        self._prefix = "local-" if url.startswith("sqlite") else f"{os.uname().nodename}-"
        self._version = version(realm)
        locks.mkdir(parents=True, exist_ok=True)
        self._slot, self._held = self._take_free_slot()
        logging.getLogger("dbos").setLevel(logging.CRITICAL)
        config: DBOSConfig = {
            "name": "respond",
            "system_database_url": sqlalchemy_url(url),
            "db_engine_kwargs": engine_kwargs(url),
            "serializer": _Json(),
            "executor_id": self._slot,
            "application_version": self._version,
            # Closing waits for the listener's next look; at the default of a second, every command would end that late.
            "notification_listener_polling_interval_sec": 0.1,
            "log_level": "CRITICAL",
            "enable_otlp": False,
        }
        DBOS(config=config)

    def launch(self) -> None:
        """Open the database. Unfinished runs of this slot start again; those of dead slots are taken over."""
        DBOS.launch()
        self.take_over()

    def close(self) -> None:
        """Stop; a run that is still going is left to the next process."""
        DBOS.destroy()
        self._held.close()

    async def start(self, playbook: Callable[..., Coroutine[Any, Any, Any]], run: str, case: object) -> None:
        """Start a run. The same run id a second time starts nothing."""
        with SetWorkflowID(run):
            await DBOS.start_workflow_async(playbook, case)

    async def result(self, run: str) -> Any:  # noqa: ANN401 - whatever the playbook returns
        """Wait for a run, wherever it runs; if its process dies, take it over.

        Raises:
            RespondError: what the run ended with.
        """
        while True:
            status = await DBOS.get_workflow_status_async(run)
            if status is None:
                raise RunFailed(f"run {run} is not in the state database")
            if status.status == "SUCCESS":
                return status.output
            if status.status not in _UNFINISHED:
                raise _reason(run, status.error)
            if status.executor_id != self._slot:
                await asyncio.to_thread(self.take_over)
            await asyncio.sleep(_POLL)

    async def wait(self, run: str) -> Any:  # noqa: ANN401 - whatever the playbook returns
        """Wait for a run of this process.

        Raises:
            RespondError: what the run ended with.
        """
        handle: WorkflowHandleAsync[Any] = await DBOS.retrieve_workflow_async(run)
        try:
            return await handle.get_result(polling_interval_sec=0.02)
        except RespondError:
            raise
        except Exception as error:
            raise _reason(run, error) from error

    def take_over(self) -> None:
        """Hand the unfinished runs of dead processes to this one."""
        pending = DBOS.list_workflows(
            status=["PENDING"], app_version=self._version, load_input=False, load_output=False
        )
        for status in pending:
            owner = status.executor_id
            # On PostgreSQL another machine may own it, whose locks are not visible here.
            if owner and owner != self._slot and owner.startswith(self._prefix):
                with self._locked(owner) as free:
                    if free:
                        DBOS.resume_workflow(status.workflow_id)

    async def unfinished(self) -> list[str]:
        """Runs that this process has to see to an end: its own, and those that wait for anybody."""
        rows = await DBOS.list_workflows_async(
            status=_UNFINISHED, app_version=self._version, load_input=False, load_output=False
        )
        return [row.workflow_id for row in rows if row.status == "ENQUEUED" or row.executor_id == self._slot]

    async def waiting(self, realm: str) -> int:
        """How many unfinished runs of another realm are in the database, for somebody else to finish."""
        rows = await DBOS.list_workflows_async(
            status=_UNFINISHED, app_version=version(realm), load_input=False, load_output=False
        )
        return len(rows)

    def _take_free_slot(self) -> tuple[str, IO[str]]:
        for number in range(1000):
            name = f"{self._prefix}{number}"
            handle = (self._locks / f"{name}.lock").open("w")
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                handle.close()
                continue
            return name, handle
        raise UsageError("1,000 respond processes run on this machine; stop some")

    @contextmanager
    def _locked(self, slot: str) -> Iterator[bool]:
        with (self._locks / f"{slot}.lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True


def version(realm: str) -> str:
    """What DBOS keeps runs apart by: the shape of their records, and whose they are."""
    return f"{RECORDS_VERSION}/{realm}"


def forget(database: sa.Engine, realm: str) -> None:
    """Cancel the unfinished runs of a realm, so that no process takes them up again."""
    if not sa.inspect(database).has_table("workflow_status"):
        return
    client = DBOSClient(system_database_engine=database, serializer=_Json())
    for row in client.list_workflows(
        status=_UNFINISHED, app_version=version(realm), load_input=False, load_output=False
    ):
        client.cancel_workflow(row.workflow_id)


def sqlalchemy_url(url: str) -> str:
    """The URL with the driver that is installed."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def _reason(run: str, error: object) -> RespondError:
    if isinstance(error, RespondError):
        return error
    if not isinstance(error, BaseException):
        return RunFailed(f"run {run} failed, and why cannot be read from the state database")
    return RunFailed(f"run {run} failed: {type(error).__name__}: {error}")
