"""The durable engine: DBOS Transact, behind this one module.

A playbook is a workflow, an action is a step whose result is recorded; after a crash the playbook runs again
against the recorded results and goes on where it stopped. https://docs.dbos.dev/python/reference/contexts

Who runs what: each process has a name (`respond.liveness`), and every unfinished run that of the process that has it.
The runs of a dead process are put back for anybody to take; a live process keeps its own. The engine gives each
execution of a run a token of its own and refuses the records of one that has been replaced, so a process that was only
thought dead cannot go on beside its successor.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import dbos._serialization as _dbos_serialization
import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, SetWorkflowID, WorkflowHandleAsync, WorkflowStatus
from dbos._dbos import _get_dbos_instance
from dbos._serialization import Serializer
from dbos._utils import INTERNAL_QUEUE_NAME

from respond.errors import RespondError, RunFailed, UsageError
from respond.models import wire
from respond.plain_errors import named

if TYPE_CHECKING:
    from types import ModuleType

    from respond.liveness import Liveness

P = ParamSpec("P")
T = TypeVar("T")

RECORDS_VERSION = "6"
"""Shape of what the steps record. Runs of another version are left to the processes of that version while one lives;
then they are begun anew."""

_OLDEST_SQLITE = (3, 42)
_GONE_SERVER = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""A server that says nothing any more is given up after these seconds (the last: milliseconds), and not after hours.
https://www.postgresql.org/docs/current/libpq-connect.html"""
_POLL = 0.25
_QUEUE = "respond"
_RECOVERED = "respond-recovered"
"""Runs of dead processes. Without a limit: a run waits for the runs within it, which are in here as well. How many of
them work at the same time, `respond.ranks` says."""
_QUEUE_POLL = 0.2
_ASKED_EVERY = 2.0
"""Seconds between two questions whether anybody can end the run that is waited for."""
_IDLE_FOR = 5.0
"""Seconds after which a run of this process that nobody works on is put back."""
_UNCLAIMED_FOR = 10.0
"""Seconds after which a command takes a queued run that it waits for."""
_UNFINISHED = ["PENDING", "ENQUEUED"]
_OVER = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_PRUNED_AT_ONCE = 200
_DOUBT = timedelta(seconds=10)
"""A process that the others have not heard of for so long asks whether a run is still its own before it writes."""


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
    """What SQLAlchemy needs to open the state database. Its errors hold no values; a server that is gone is noticed."""
    if url.startswith("sqlite"):
        return {"module": sqlite_driver(), "hide_parameters": True}
    given = sa.make_url(sqlalchemy_url(url)).query
    return {
        "hide_parameters": True,
        "pool_pre_ping": True,
        "connect_args": {name: value for name, value in _GONE_SERVER.items() if name not in given},
    }


def workflow(name: str) -> Callable[[Callable[P, Coroutine[Any, Any, T]]], Callable[P, Coroutine[Any, Any, T]]]:
    """Make a function a workflow of that name."""

    def wrap(chain: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        @functools.wraps(chain)
        async def counted(*args: P.args, **kwargs: P.kwargs) -> T:
            run = this_run()
            with _lock:
                _executed[run] += 1
            try:
                return await chain(*args, **kwargs)
            finally:
                with _lock:
                    _executed[run] -= 1

        return DBOS.workflow(name=name)(counted)

    return wrap


_lock = threading.Lock()
_executed: Counter[str] = Counter()
"""Runs that this process executes just now. The engine's own list lacks runs within a run."""


async def step(name: str, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run once and record what came back, or read the record. The code inside runs at least once, not exactly once."""
    return await DBOS.run_step_async({"name": name}, call)


async def part(playbook: Callable[..., Coroutine[Any, Any, T]], run: str, *arguments: object) -> T:
    """A run within a run: with its own records, and an id by which it is found again."""
    with SetWorkflowID(run):
        return await playbook(*arguments)


def this_run() -> str:
    """The id of the run that asks, or an empty text outside of one."""
    return DBOS.workflow_id or ""


def was_put_back() -> bool:
    """Whether this run is one that another execution had begun: it comes from the queue of those."""
    entries = _get_dbos_instance()._active_workflows_set._m.get(this_run(), [])  # noqa: SLF001 - no question to the database
    return any(entry is not None and entry[0] in (_RECOVERED, INTERNAL_QUEUE_NAME) for entry in entries)


async def first_of(tasks: Sequence[asyncio.Task[Any]]) -> set[asyncio.Task[Any]]:
    """Wait for the first of several; which ones it was is recorded, so a replay sees the same ones."""
    done, _ = await DBOS.asyncio_wait(list(tasks), return_when=asyncio.FIRST_COMPLETED)
    return done


Handle = WorkflowHandleAsync[Any]
"""Of a run that was started here."""


class RunState(StrEnum):
    """What has become of a run."""

    UNKNOWN = "unknown"
    UNFINISHED = "unfinished"
    OVER = "over"


class Engine:
    """The engine of this process.

    Args:
        url: state database, `sqlite:///PATH` or `postgresql://…`.
        liveness: the name of this process, and word of the others. Closed with the engine.
        realm: whose runs this process may execute: a tenant, live or dry. Runs of another realm in the same
            database are neither started nor taken over: a lab's run must not end in a real tenant, nor a live one
            in a dry run.
        finishes: names of the playbooks whose interrupted runs a command finishes.
        from_queue: how many queued runs this process works on at the same time. 0 is a command: it leaves them to
            others, and of interrupted runs takes those that it finishes.
    """

    def __init__(
        self, url: str, liveness: Liveness, *, realm: str, finishes: Sequence[str] = (), from_queue: int = 0
    ) -> None:
        self._finishes = tuple(finishes)
        self._live = liveness
        self._name = liveness.name
        self._from_queue = from_queue
        self._realm = realm
        self._version = version(realm)
        self._idle: dict[str, float] = {}
        self._unclaimed: dict[str, float] = {}
        logging.getLogger("dbos").setLevel(logging.CRITICAL)
        config: DBOSConfig = {
            "name": "respond",
            "system_database_url": sqlalchemy_url(url),
            "db_engine_kwargs": engine_kwargs(url),
            "serializer": _Json(),
            "executor_id": self._name,
            "application_version": self._version,
            # Closing waits for the listener's next look; at the default of a second, every command would end that late.
            "notification_listener_polling_interval_sec": 0.1,
            "log_level": "CRITICAL",
            "enable_otlp": False,
        }
        DBOS(config=config)
        DBOS.listen_queues([_QUEUE, _RECOVERED] if from_queue else [])

    def launch(self) -> None:
        """Open the database. The unfinished runs of dead processes are taken over."""
        self._live.begin(self._version)
        DBOS.launch()
        if self._from_queue:
            for name, limit in ((_QUEUE, self._from_queue), (_RECOVERED, None)):
                DBOS.register_queue(
                    name,
                    worker_concurrency=limit,
                    polling_interval_sec=_QUEUE_POLL,
                    on_conflict="always_update",
                )
        self.take_over()

    def close(self) -> None:
        """Stop; a run that is still going is left to the next process."""
        DBOS.destroy()
        self._live.close()

    async def drain(self, grace: timedelta, *, hurry: asyncio.Event) -> int:
        """Wait until no run is going here any more, but not longer than this; how many still are.

        Nothing new is taken from the queue meanwhile.

        Args:
            hurry: set as soon as there is no time to wait any more.
        """
        instance = _get_dbos_instance()
        for event in instance.background_thread_stop_events:
            event.set()
        loop = asyncio.get_running_loop()
        end = loop.time() + grace.total_seconds()
        while (going := len(instance._active_workflows_set.activeList())) and loop.time() < end:  # noqa: SLF001 - DBOS has no event for it
            if hurry.is_set():
                break
            await asyncio.sleep(_POLL)
        return going

    def leave(self) -> None:
        """Let the others know that this process is gone, before it is."""
        self._live.close()

    @property
    def version(self) -> str:
        """What runs this process may go on with."""
        return self._version

    @property
    def name(self) -> str:
        """What this process is known by."""
        return self._name

    async def start(self, playbook: Callable[..., Coroutine[Any, Any, Any]], run: str, *arguments: object) -> Handle:
        """Start a run here. The same run id a second time starts nothing."""
        with SetWorkflowID(run):
            return await DBOS.start_workflow_async(playbook, *arguments)

    async def enqueue(self, playbook: Callable[..., Coroutine[Any, Any, Any]], run: str, *arguments: object) -> None:
        """Leave a run to whichever process has room for it first. The same run id a second time leaves nothing."""
        with SetWorkflowID(run):
            await DBOS.enqueue_workflow_async(_QUEUE, playbook, *arguments)

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
            await asyncio.to_thread(self._see_to, status)
            await asyncio.sleep(_POLL)

    async def wait(self, run: str) -> Any:  # noqa: ANN401 - whatever the playbook returns
        """Wait for a run of this process.

        Raises:
            RespondError: what the run ended with.
        """
        handle: WorkflowHandleAsync[Any] = await DBOS.retrieve_workflow_async(run)
        ended = asyncio.ensure_future(handle.get_result(polling_interval_sec=0.02))
        try:
            while not (await asyncio.wait((ended,), timeout=_ASKED_EVERY))[0]:
                status = await DBOS.get_workflow_status_async(run)
                if status is not None and status.status in _UNFINISHED:
                    await asyncio.to_thread(self._see_to, status)
            return await ended
        except RespondError:
            raise
        except Exception as error:
            raise _reason(run, error) from error
        finally:
            ended.cancel()

    def _see_to(self, status: WorkflowStatus) -> None:
        """Make sure that somebody can end a run that is waited for."""
        if status.app_version != self._version:
            self.abandon()
        elif status.status == "ENQUEUED":
            self._claim(status)
        elif status.executor_id == self._name:
            self.put_back()
        else:
            self.take_over()

    def _claim(self, status: WorkflowStatus) -> None:
        """A command takes what waits in a service's queue for long: the service may have ended since."""
        first_seen = self._unclaimed.setdefault(status.workflow_id, time.monotonic())
        is_ours = not self._from_queue and status.name in self._finishes and status.queue_name != INTERNAL_QUEUE_NAME
        if is_ours and time.monotonic() - first_seen > _UNCLAIMED_FOR:
            del self._unclaimed[status.workflow_id]
            DBOS.resume_workflow(status.workflow_id)

    def put_back(self) -> int:
        """Put back runs of this process that nobody works on: their end could not be recorded. Returns how many.

        One that has only just begun looks the same for a moment, so it takes two looks some seconds apart.
        """
        pending = DBOS.list_workflows(
            status=["PENDING"],
            app_version=self._version,
            executor_id=self._name,
            load_input=False,
            load_output=False,
        )
        active = set(_get_dbos_instance()._active_workflows_set.activeList())  # noqa: SLF001 - DBOS has no question for it
        now = time.monotonic()
        with _lock:
            active |= {run for run, number in (+_executed).items() if number}
            for run in [run for run, number in _executed.items() if not number]:
                del _executed[run]
        idle = {run.workflow_id for run in pending} - active
        self._idle = {run: self._idle.get(run, now) for run in idle}
        queue = _RECOVERED if self._from_queue else INTERNAL_QUEUE_NAME
        database = _get_dbos_instance()._sys_db  # noqa: SLF001 - what DBOS's own recovery calls, for one run
        long = [run for run, since in self._idle.items() if now - since >= _IDLE_FOR]
        return sum(database.reenqueue_for_recovery(run, [self._name], queue) for run in long)

    def take_over(self) -> int:
        """Put the unfinished runs of dead processes back, for a live one to go on with; how many there were.

        A process that serves takes all of them. A command takes what it waits for before it ends: runs about one user.
        """
        pending = DBOS.list_workflows(
            status=["PENDING"],
            app_version=self._version,
            name=None if self._from_queue else list(self._finishes),
            load_input=False,
            load_output=False,
        )
        owners = {status.executor_id for status in pending if status.executor_id}
        queue = _RECOVERED if self._from_queue else INTERNAL_QUEUE_NAME
        database = _get_dbos_instance()._sys_db  # noqa: SLF001 - what DBOS's own recovery calls, for one run
        dead = self._live.dead(owners - {self._name})
        # Puts back only what still has the dead owner's name, so several processes may do it at once.
        return sum(
            database.reenqueue_for_recovery(run.workflow_id, [run.executor_id], queue)
            for run in pending
            if run.executor_id in dead
        )

    def state(self, run: str) -> RunState:
        """What has become of a run."""
        status = DBOS.get_workflow_status(run)
        if status is None:
            return RunState.UNKNOWN
        return RunState.UNFINISHED if status.status in _UNFINISHED else RunState.OVER

    def is_over(self, run: str) -> bool:
        """Whether a run has ended, or never was."""
        return self.state(run) is not RunState.UNFINISHED

    async def is_ours(self, run: str) -> bool:
        """Whether a run is still this process's. A process that was not heard of for a while asks before it writes."""
        if self._live.silence < _DOUBT:
            return True
        status = await DBOS.get_workflow_status_async(run)
        return status is not None and status.executor_id == self._name and status.status == "PENDING"

    def abandon(self) -> list[str]:
        """Cancel unfinished runs of this realm in a version of the records that no living process writes; which.

        They cannot be gone on with, so whoever asked for them has to ask again.
        """
        rows = DBOS.list_workflows(status=_UNFINISHED, load_input=False, load_output=False)
        ours = self._live.versions() | {self._version}
        left = [
            row
            for row in rows
            if row.app_version and row.app_version not in ours and row.app_version.partition("/")[2] == self._realm
        ]
        for row in left:
            DBOS.cancel_workflow(row.workflow_id)
        return [row.workflow_id for row in left]

    def prune(self, before: datetime) -> int:
        """Forget what runs that ended before a moment recorded of their steps; how many runs that were this time.

        Of all realms and versions: what is over, nobody goes on with.
        """
        rows = DBOS.list_workflows(
            status=_OVER, end_time=before.isoformat(), limit=_PRUNED_AT_ONCE, load_input=False, load_output=False
        )
        over = [row.workflow_id for row in rows if (row.updated_at or 0) / 1000 < before.timestamp()]
        DBOS.delete_workflows(over)
        return len(over)

    async def unfinished(self) -> list[str]:
        """Runs that a command has to see to an end: its own, and those that wait for anybody."""
        rows = await DBOS.list_workflows_async(
            status=_UNFINISHED,
            app_version=self._version,
            name=list(self._finishes),
            load_input=False,
            load_output=False,
        )
        return [row.workflow_id for row in rows if row.status == "ENQUEUED" or row.executor_id == self._name]

    async def waiting(self, realm: str) -> int:
        """How many unfinished runs of another realm are in the database, for somebody else to finish."""
        rows = await DBOS.list_workflows_async(
            status=_UNFINISHED, app_version=version(realm), load_input=False, load_output=False
        )
        return len(rows)


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
    return RunFailed(f"run {run} failed: {named(error)}")
