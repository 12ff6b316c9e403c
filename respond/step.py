"""What makes a function an action, and a chain of actions a playbook.

A read action asks one question; a write action changes one thing: it looks, compares, writes once and reads back.
Both are steps of the durable engine, named after the function; their times are kept with their results.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from respond import durable, progress
from respond.clients.connect import Clients, Connections
from respond.clients.retry import retried
from respond.errors import Forbidden, RespondError, Unanswered
from respond.models.case import Case
from respond.models.report import ActionStatus, Change
from respond.settings import Settings
from respond.store.cases import Store

P = ParamSpec("P")
T = TypeVar("T")
Action = Callable[Concatenate[Case, P], Coroutine[Any, Any, T]]
Chain = Callable[[Case], Coroutine[Any, Any, T]]


@dataclass(frozen=True)
class Timing:
    """When a step ran; the same after a crash, because it is recorded with the result."""

    name: str
    started: datetime
    ended: datetime


@dataclass(frozen=True)
class Process:
    """What the actions of this process work with."""

    settings: Settings
    connections: Connections
    store: Store


_process: Process | None = None
_timings: ContextVar[list[Timing]] = ContextVar("timings")


def install(process: Process | None) -> None:
    """Give the actions their connections; once for a process, before the engine is launched."""
    global _process  # noqa: PLW0603 - recovered runs start on a thread that inherits no context
    _process = process


def process() -> Process:
    """What `install` was given."""
    if _process is None:
        raise RuntimeError("install() comes before the first action")
    return _process


def clients(case: Case) -> Clients:
    """The services, in the mode of the case: a dry run gets clients that cannot write."""
    return process().connections.clients(read_only=case.is_dry_run)


def timing(name: str) -> Timing | None:
    """When a step of this run took place, or None while it has not."""
    return next((entry for entry in _timings.get() if entry.name == name), None)


def playbook(name: str) -> Callable[[Chain[T]], Chain[T]]:
    """A chain of actions that survives the death of its process."""

    def wrap(chain: Chain[T]) -> Chain[T]:
        @functools.wraps(chain)
        async def run(case: Case) -> T:
            _timings.set([])
            return await chain(case)

        return durable.workflow(name)(run)

    return wrap


def read_action(*permissions: str) -> Callable[[Action[P, T]], Action[P, T]]:
    """A question. Least permissions: Graph application permissions or Azure roles."""

    def wrap(question: Action[P, T]) -> Action[P, T]:
        @functools.wraps(question)
        async def ask(case: Case, *args: P.args, **kwargs: P.kwargs) -> T:
            async def call() -> T:
                try:
                    return await question(case, *args, **kwargs)
                except Forbidden as error:
                    raise _naming(error, permissions) from error

            return await _recorded(question.__name__, call)

        return _declared(cast("Action[P, T]", ask), permissions, writes=False)

    return wrap


def write_action(*permissions: str) -> Callable[[Action[P, Change]], Action[P, Change]]:
    """A change. A failure is its result, not the end of the run: the ticket still has to be written.

    A lost answer is followed by the whole action again, which looks first: nothing is written twice blindly.
    """

    def wrap(change: Action[P, Change]) -> Action[P, Change]:
        @functools.wraps(change)
        async def apply(case: Case, *args: P.args, **kwargs: P.kwargs) -> Change:
            async def call() -> Change:
                try:
                    return await retried(
                        lambda: change(case, *args, **kwargs), policy=process().settings.retry, only=Unanswered
                    )
                except RespondError as error:
                    told = _naming(error, permissions) if isinstance(error, Forbidden) else error
                    progress.emit(progress.Kind.FAILED, told.message)
                    return Change(
                        name=change.__name__, status=ActionStatus.FAILED, target=case.who, summary=told.message
                    )

            return await _recorded(change.__name__, call)

        return _declared(cast("Action[P, Change]", apply), permissions, writes=True)

    return wrap


async def _recorded(name: str, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
    async def timed() -> dict[str, Any]:
        started = datetime.now(UTC)
        with progress.action(name):
            progress.emit(progress.Kind.STARTED)
            value = await call()
            progress.emit(progress.Kind.DONE)
        return {"value": value, "started": started, "ended": datetime.now(UTC)}

    record = await durable.step(name, timed)
    _timings.get().append(Timing(name, record["started"], record["ended"]))
    return cast("T", record["value"])


def _naming(error: Forbidden, permissions: tuple[str, ...]) -> Forbidden:
    return Forbidden(f"{error.message}; grant the application {' and '.join(permissions)}")


def _declared(action: Action[P, T], permissions: tuple[str, ...], *, writes: bool) -> Action[P, T]:
    """Let others read off an action what it needs and whether it writes."""
    vars(action).update(permissions=permissions, writes=writes)
    return action
