"""What makes a function an action, and a chain of actions a playbook.

A read action asks one question; a write action changes one thing: it looks, compares, writes once and reads back.
Both are steps of the durable engine, named after the function; their times are kept with their results.
"""

from __future__ import annotations

import asyncio
import functools
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from respond import durable, progress
from respond.clients.connect import Clients, Connections
from respond.clients.lanes import Lane, ahead
from respond.clients.retry import retried
from respond.clients.sources import Inquiry
from respond.errors import Forbidden, RespondError, RunFailed, Transient, Unanswered, until_of
from respond.models import wire
from respond.models.case import Case
from respond.models.owed import Owed, OwedKind
from respond.models.report import ActionStatus, Change
from respond.observe.bound import bound
from respond.observe.runs import running
from respond.observe.traces import span
from respond.plain_errors import is_database_error, named, state_error
from respond.present import present
from respond.ranks import Places, Rank, rank, ranked
from respond.response_mode import ResponseMode, stricter_mode
from respond.settings import Settings
from respond.store.cases import Store
from respond.templates import Templates

P = ParamSpec("P")
T = TypeVar("T")
Action = Callable[Concatenate[Case, P], Coroutine[Any, Any, T]]
Chain = Callable[Concatenate[Case, P], Coroutine[Any, Any, T]]


@dataclass(frozen=True)
class Timing:
    """When a step ran; the same after a crash, because it is recorded with the result."""

    name: str
    started: datetime
    ended: datetime


@dataclass(frozen=True)
class Owes:
    """How a write is kept that an outage keeps from being done, so that it is made up for.

    Attributes:
        key: of the same write by any run, from its case and arguments.
        target: what the write is about, for its report.
    """

    kind: OwedKind
    key: Callable[[Case, Mapping[str, Any]], str]
    target: Callable[[Case, Mapping[str, Any]], str]


@dataclass(frozen=True)
class Process:
    """What the actions of this process work with."""

    settings: Settings
    connections: Connections
    store: Store
    engine: durable.Engine | None = None
    templates: Templates = field(default_factory=lambda: Templates({}))
    name: str = field(default_factory=lambda: str(uuid.uuid4()))

    async def owns(self, run: str) -> bool:
        """Whether this process is the one that may write for a run: another may have taken it over meanwhile."""
        return self.engine is None or not run or await self.engine.is_ours(run)


_TURNS = ("match_threat_intel", "find_usual_places", "find_address_use", "find_lures")
"""Log Analytics answers five queries at a time, first come, first served. The hunt goes first, then what decides most
cases; whoever is not named comes last."""
_HEAD_START = timedelta(milliseconds=15)

_LONGEST_PAUSE = 15.0
"""Seconds that a step of the background makes way for fresh work."""

_process: Process | None = None
_places: Places | None = None
_timings: ContextVar[list[Timing]] = ContextVar("timings")


async def aside(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Work out something pure beside the event loop: an attacker decides how long it takes, others must not wait."""
    return await asyncio.to_thread(work, *args, **kwargs)


def install(process: Process | None) -> None:
    """Give the actions their connections; once for a process, before the engine is launched."""
    global _process, _places  # noqa: PLW0603 - recovered runs start on a thread that inherits no context
    _process = process
    _places = Places(process.settings.serve.runs_at_once) if process else None


def process() -> Process:
    """What `install` was given."""
    if _process is None:
        raise RuntimeError("install() comes before the first action")
    return _process


def places() -> Places:
    """Places for responses: an incident may name hundreds of users, and services answer only so many at once."""
    if _places is None:
        raise RuntimeError("install() comes before the first run")
    return _places


def clients(case: Case) -> Clients:
    """The services, in the mode of the case: a dry run gets clients that cannot write."""
    return process().connections.clients(read_only=case.is_dry_run)


def response_mode(case: Case) -> ResponseMode:
    """The mode that a write of the case is held to: that of its trigger, or of this process where that is stricter."""
    return stricter_mode(case.policy.response_mode, process().settings.response_mode)


def limit_of(action: str) -> timedelta:
    """How long an evidence action may take."""
    evidence = process().settings.evidence
    return evidence.limits.get(action, evidence.limit)


def inquiry(case: Case, action: str) -> Inquiry:
    """The questions of one evidence action to the log tables, under its own time limit and in its turn."""
    turn = _TURNS.index(action) + 1 if action in _TURNS else len(_TURNS) + 1
    return Inquiry(clients(case).places, limit_of(action), head_start=_HEAD_START * turn)


def timing(name: str) -> Timing | None:
    """When a step of this run took place, or None while it has not."""
    return next((entry for entry in _timings.get() if entry.name == name), None)


def last_timing(name: str) -> Timing | None:
    """The same of the last step of that name."""
    return next((entry for entry in reversed(_timings.get()) if entry.name == name), None)


def playbook(name: str, *, takes_place: bool = False) -> Callable[[Chain[P, T]], Chain[P, T]]:
    """A chain of actions that survives the death of its process.

    Args:
        takes_place: it works on one user, and waits for a place first. One that waits for such runs takes none, or
            after a crash all places could be taken by runs that wait for a place.
    """

    def wrap(chain: Chain[P, T]) -> Chain[P, T]:
        @functools.wraps(chain)
        async def run(case: Case, /, *args: P.args, **kwargs: P.kwargs) -> T:
            token = _timings.set([])
            try:
                with ranked(_rank_of(case)):
                    async with _place() if takes_place else nullcontext():
                        with running(name, case) as this:
                            answer = await chain(case, *args, **kwargs)
                            this.end(answer)
                return answer
            finally:
                _timings.reset(token)  # a chain within a chain: the outer one goes on with its own

        return durable.workflow(name)(run)

    return wrap


def _rank_of(case: Case) -> Rank:
    """A recheck, and a run that was put back, wait behind what is new."""
    return Rank.BACKGROUND if case.watch or durable.was_put_back() else rank()


@asynccontextmanager
async def _place() -> AsyncIterator[None]:
    with _work():
        async with places().place(rank()):
            yield


def _work(*, waits: bool = False) -> AbstractContextManager[None]:
    """What background work makes way for, if it is fresh.

    Args:
        waits: it waits for another run, which may be of the background.
    """
    return places().fresh_work() if rank() is Rank.FRESH and not waits else nullcontext()


def read_action(*permissions: str, first: bool = False, waits: bool = False) -> Callable[[Action[P, T]], Action[P, T]]:
    """A question. Least permissions: Graph application permissions or Azure roles.

    Args:
        first: containing waits for the answer, so it is asked before other evidence.
        waits: it asks no service, and waits for another run.
    """
    lane = Lane.FIRST if first else Lane.REST

    def wrap(question: Action[P, T]) -> Action[P, T]:
        @functools.wraps(question)
        async def ask(case: Case, *args: P.args, **kwargs: P.kwargs) -> T:
            async def call() -> T:
                try:
                    with ahead(lane):
                        return await question(case, *args, **kwargs)
                except Forbidden as error:
                    raise naming(error, permissions) from error
                except (RespondError, TimeoutError):
                    raise
                except Exception as error:
                    known = is_database_error(error)
                    raise (state_error(error) if known else _defect(question.__name__, case, error)) from error

            if rank() is Rank.BACKGROUND and durable.this_run():
                await places().make_way(_LONGEST_PAUSE)  # before the limit of the action begins to count
            return await _recorded(case, question.__name__, call, waits=waits)

        return _declared(cast("Action[P, T]", ask), permissions, writes=False)

    return wrap


def write_action(*permissions: str, owes: Owes | None = None) -> Callable[[Action[P, Change]], Action[P, Change]]:
    """A change. A failure is its result, not the end of the run: the ticket still has to be written.

    A lost answer is followed by the whole action again, which looks first: nothing is written twice blindly.

    Args:
        owes: how the write is kept where a service does not answer; it is made up for by whatever process follows.
    """

    def wrap(change: Action[P, Change]) -> Action[P, Change]:
        @functools.wraps(change)
        async def apply(case: Case, *args: P.args, **kwargs: P.kwargs) -> Change:
            run = durable.this_run()

            async def once() -> Change:
                if not await process().owns(run):
                    raise RunFailed(f"{case.who}: another process has taken this run over; nothing was written here")
                return await change(case, *args, **kwargs)

            async def call() -> Change:
                done = await _tried(change.__name__, case, once, permissions)
                return done if owes is None or case.is_dry_run else await _owed(case, owes, kwargs, done)

            return await _recorded(case, change.__name__, call)

        return _declared(cast("Action[P, Change]", apply), permissions, writes=True)

    return wrap


async def _tried(
    name: str, case: Case, once: Callable[[], Coroutine[Any, Any, Change]], permissions: tuple[str, ...]
) -> Change:
    """A write, and again where its answer was lost; what went wrong is its result."""
    try:
        with ahead(Lane.CONTAIN):
            return await retried(once, policy=process().settings.retry, only=Unanswered)
    except RespondError as error:
        told = naming(error, permissions) if isinstance(error, Forbidden) else error
        return _failed(name, case, told)
    except Exception as error:  # noqa: BLE001 - one broken write ends neither the others nor their ticket
        return _failed(name, case, _defect(name, case, error))


async def _owed(case: Case, owes: Owes, told: Mapping[str, Any], change: Change) -> Change:
    """Keep a write that a service did not answer, or that it is done."""
    if change.status is ActionStatus.FAILED:
        change = change.model_copy(update={"target": owes.target(case, told)})
    await asyncio.to_thread(owe, case, owes.kind, owes.key(case, told), told, change)
    return change


def _defect(name: str, case: Case, error: Exception) -> RunFailed:
    """A mistake of ours, or an answer that nobody thought of, as an error of the tree: one part broke, not the run."""
    return RunFailed(f"{case.who or case.run}: {name} broke ({named(error)})"[:400])


def _failed(name: str, case: Case, error: RespondError) -> Change:
    """What a write that ended with an error is reported as; with when it is tried again, where a service was away."""
    again = until_of(error) or (soon() if isinstance(error, Transient) else None)
    return Change(name=name, status=ActionStatus.FAILED, target=case.who, summary=error.message, again=again)


def soon() -> datetime:
    """When something is tried again that a service did not answer."""
    return present() + process().settings.retry.make_up[0]


def owe(case: Case, kind: OwedKind, key: str, body: Mapping[str, Any], change: Change) -> None:
    """Keep a write that is tried again, or note that it is done, or that trying again cannot help.

    Args:
        body: what the write needs, of kinds that the state file may hold.
    """
    here, now = process(), present()
    if change.status is not ActionStatus.FAILED:
        here.store.owed.settle(case.tenant, kind, key, now=now)
    elif change.again is None:
        here.store.owed.forget(case.tenant, kind, key)
    else:
        work = Owed(
            tenant=case.tenant,
            kind=kind,
            key=key,
            case=case.id,
            body=wire.dumps(dict(body)),
            due=now,
            since=now,
            reason=change.summary,
        )
        here.store.owed.put(work, now=now, pauses=here.settings.retry.make_up, until=change.again)


async def _recorded(case: Case, name: str, call: Callable[[], Coroutine[Any, Any, T]], *, waits: bool = False) -> T:
    async def timed() -> dict[str, Any]:
        started = datetime.now(UTC)
        with bound(case=case.id, action=name), progress.action(name), _work(waits=waits):
            value = await _told(case, name, call)
        return {"value": value, "started": started, "ended": datetime.now(UTC)}

    if (timings := _timings.get(None)) is None:  # not in a run: a question asked for its answer alone
        return await call()
    record = await durable.step(name, timed)
    timings.append(Timing(name, record["started"], record["ended"]))
    return cast("T", record["value"])


async def _told(case: Case, name: str, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Tell who watches that the action begins, and what becomes of it."""
    progress.emit(progress.Kind.STARTED)
    began = time.monotonic()
    with span(name, action=name, case=case.id) as mark:
        try:
            value = await call()
        except Exception as error:
            reason = error.message if isinstance(error, RespondError) else type(error).__name__
            _emit_failed(reason, time.monotonic() - began)
            raise
        status = value.status if isinstance(value, Change) else ActionStatus.DONE
        mark.note(status=status)
        if isinstance(value, Change) and status is ActionStatus.FAILED:
            mark.fail(status)
            _emit_failed(value.summary, time.monotonic() - began)
        else:
            progress.emit(progress.Kind.DONE, seconds=time.monotonic() - began, status=status)
    return value


def _emit_failed(reason: str, seconds: float) -> None:
    progress.emit(progress.Kind.FAILED, reason, seconds=seconds, status=ActionStatus.FAILED)


def naming(error: Forbidden, permissions: tuple[str, ...]) -> Forbidden:
    """The refusal, with what would have to be granted."""
    return Forbidden(f"{error.message}; grant the application {' and '.join(permissions)}")


def _declared(action: Action[P, T], permissions: tuple[str, ...], *, writes: bool) -> Action[P, T]:
    """Let others read off an action what it needs and whether it writes."""
    vars(action).update(permissions=permissions, writes=writes)
    return action
