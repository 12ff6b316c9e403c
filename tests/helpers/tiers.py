"""What a test can start, read from its own code and from the code of its fixtures.

    process   starts a process
    database  starts a database server, or uses the one that this worker has started
    lab       has a lab of its own, or the worker's lab with a tenant of its own

`make check` runs what is none of these. Nobody writes these marks. A lab that a session's tests share for reading
counts for none of them. `tests/helpers/budget.py` fails a test that starts more than it is marked for.
"""

from __future__ import annotations

import asyncio
import inspect
import multiprocessing
import os
import subprocess
import sys
import types
from collections.abc import Iterator
from enum import StrEnum
from functools import cache, partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

LAB_STARTS = "tests.lab.starts"
"""The audit event that `tests.lab.running_lab` raises when a test gets a lab of its own."""

_OURS = ("tests.", "bench.", "tools.")


class Tier(StrEnum):
    PROCESS = "process"
    DATABASE = "database"
    LAB = "lab"


_PROCESS: tuple[Any, ...] = (
    asyncio.create_subprocess_exec,
    asyncio.create_subprocess_shell,
    multiprocessing.get_context,
    multiprocessing.Process,
    os.fork,
    os.posix_spawn,
    subprocess.Popen,
    subprocess.call,
    subprocess.check_call,
    subprocess.check_output,
    subprocess.run,
)


def starts(item: pytest.Function) -> frozenset[Tier]:
    """What a test and its fixtures can start."""
    found = set(reached(item.function))
    for definition in _fixtures(item):
        started = reached(inspect.unwrap(definition.func))
        # a lab that all tests of a worker only read is nobody's own; one that whole commands are run against is
        is_shared = definition.scope == "session" and not _runs_commands(definition.func)
        found |= started - {Tier.LAB} if is_shared else started
    if "sqlite" in _parameters(item):
        found -= {Tier.DATABASE}
    return frozenset(found)


def shares(item: pytest.Function) -> bool:
    """Whether it uses something that is made once for the tests of its file."""
    return any(definition.scope in ("module", "package") for definition in _fixtures(item))


def _fixtures(item: pytest.Function) -> Iterator[pytest.FixtureDef[Any]]:
    for definitions in item._fixtureinfo.name2fixturedefs.values():
        yield definitions[-1]


def _parameters(item: pytest.Function) -> list[Any]:
    callspec = getattr(item, "callspec", None)
    return [value for value in callspec.params.values() if isinstance(value, str)] if callspec else []


def reached(function: Any) -> frozenset[Tier]:
    """What a function can start, itself or through code of the tests."""
    starters = _starters()
    return frozenset(starters[identity] for identity in _all_named(function) if identity in starters)


def _runs_commands(function: Any) -> bool:
    from tests.helpers.command import respond

    return id(respond) in _all_named(inspect.unwrap(function))


@cache
def _all_named(function: Any) -> frozenset[int]:
    """Everything that a function, and whatever of the tests it names, leads to; by `id`."""
    seen: set[int] = set()
    waiting = [function]
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if id(thing) not in _starters() and _is_ours(thing):
            waiting.extend(_named_by(thing))
    return frozenset(seen)


@cache
def _starters() -> dict[int, Tier]:
    from respond.lab.server import LabServer
    from tests.helpers import postgres

    by_id = {id(starter): Tier.PROCESS for starter in _PROCESS}
    databases = {id(starter): Tier.DATABASE for starter in (postgres.server, postgres.database)}
    return by_id | databases | {id(LabServer): Tier.LAB}


def _is_ours(thing: Any) -> bool:
    if isinstance(thing, partial):
        return True
    module = getattr(thing, "__module__", None) or ""
    return isinstance(thing, types.FunctionType | type | types.MethodType) and module.startswith(_OURS)


def _named_by(thing: Any) -> Iterator[Any]:
    """Everything that the code of a function, or of a class's methods, names."""
    if isinstance(thing, partial):
        yield thing.func
        return
    if isinstance(thing, type):
        yield from (base for base in thing.__mro__[1:] if _is_ours(base))
        for member in vars(thing).values():
            inner = (
                getattr(member, "fget", None) or getattr(member, "func", None) or getattr(member, "__func__", member)
            )
            if isinstance(inner, types.FunctionType):
                yield inner
        return
    function = inspect.unwrap(getattr(thing, "__func__", thing))
    yield function
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not filled yet
            continue
    names = set(_names(function.__code__))
    # an import within a function names its module
    values = [sys.modules[name] for name in names & sys.modules.keys() if name.startswith(_OURS)]
    for value in (*values, *(function.__globals__[name] for name in names & function.__globals__.keys())):
        if isinstance(value, types.ModuleType):
            yield from (vars(value)[attribute] for attribute in names & vars(value).keys())
        else:
            yield value


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)
