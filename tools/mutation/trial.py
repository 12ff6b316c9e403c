"""The tests on a copy of the tree, in a process that can be stopped.

The processes are forked off one that has imported the packages of other people, which is most of what a start of pytest
costs. It must not import the product: a child would find it there, without the change.

No file of a copy is ever served from an older `.pyc`: those are made with the hash of their source, not its time, and
no run writes any.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import py_compile
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import entry_points
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path

import pytest

_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "__pycache__", "node_modules", "site", "dist", ".demo", ".hypothesis", "*.egg-info", ".*_cache"
)
_WARM = ("dbos", "duckdb", "duckdb_kql", "fastapi", "msgraph", "respx", "sqlalchemy", "uvicorn")
# A database server for every change would cost more than all the rest, and SQLite runs the same code.
_NOT_SOAK = ("-x", "-q", "-m", "not soak", "-k", "not postgresql", "-p", "no:cacheprovider", "--hypothesis-seed=0")
_LOOK = 1.0
"""Seconds."""
_UNUSED = ("schemathesis",)
# The packages of pytest's plugins are there before pytest is.
_WARMED_UP = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
_fork = get_context("fork")


class Result(StrEnum):
    """What became of a run of tests."""

    PASSED = "passed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    BROKEN = "broken"


@dataclass(frozen=True)
class Ran:
    """A run of tests.

    Attributes:
        by: the first test that failed.
        said: the end of what pytest printed.
    """

    result: Result
    by: str
    said: str
    seconds: float


class _First:
    """Remembers the first test that fails."""

    def __init__(self) -> None:
        self.name = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.name = self.name or report.nodeid


class Trial:
    """A run of tests that has begun.

    Args:
        tree: the copy; it must not change before the run has ended.
        mine: files that the tests have to take from the copy, relative to it.
        limit: seconds after which it is stopped.

    Attributes:
        left: seconds that it may still take.
    """

    def __init__(self, tree: Path, tests: Sequence[str], mine: Sequence[str], limit: float) -> None:
        self._log = tree.with_suffix(".log")
        self.answer, end = _fork.Pipe(duplex=False)
        self._process = _fork.Process(target=_child, args=(tree, tuple(tests), tuple(mine), self._log, end))
        self._process.start()
        end.close()
        self._began = time.monotonic()
        self.left = limit

    def end(self) -> Ran:
        """What became of it; stops it if it still runs."""
        seconds = time.monotonic() - self._began
        is_late = not self.answer.poll()
        told = None if is_late else self._told()
        self.stop()
        said = self._log.read_text(errors="replace")[-2000:] if self._log.exists() else ""
        if told is None:
            return Ran(Result.TIMEOUT if is_late else Result.BROKEN, "", said, seconds)
        code, by, stray = told
        if stray:
            return Ran(Result.BROKEN, "", f"the tests ran {stray}, which is not in the copy", seconds)
        known = {pytest.ExitCode.OK: Result.PASSED, pytest.ExitCode.TESTS_FAILED: Result.FAILED}
        return Ran(known.get(pytest.ExitCode(code), Result.BROKEN), by, said, seconds)

    def _told(self) -> tuple[int, str, str] | None:
        try:
            code, by, stray = self.answer.recv()
        except EOFError:  # the process died
            return None
        return int(code), str(by), str(stray)

    def stop(self) -> None:
        """Stop it, with the processes that it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid or 0, signal.SIGKILL)
        self._process.kill()
        self._process.join()
        self.answer.close()


def first_to_end(trials: Sequence[Trial]) -> Trial:
    """Wait until one of them ends, or has to be.

    Time in which this process was stopped does not count: the tests were probably stopped as well, and one that is late
    for that has noticed nothing.
    """
    while True:
        began = time.monotonic()
        ended = wait([trial.answer for trial in trials], timeout=_LOOK)
        for trial in trials:
            trial.left -= min(time.monotonic() - began, 2 * _LOOK)
        over = [trial for trial in trials if trial.answer in ended] or [trial for trial in trials if trial.left <= 0]
        if over:
            return over[0]


def warm_up() -> None:
    """Import what the tests import from other people's packages."""
    plugins = (entry.module for entry in entry_points(group="pytest11") if entry.name not in _UNUSED)
    for name in (*_WARM, *plugins):
        if importlib.util.find_spec(name.partition(".")[0]):
            importlib.import_module(name)


def copies(root: Path, folder: Path, count: int) -> list[Path]:
    """Copy a tree so often, compiled."""
    first = folder.resolve() / "tree-0"
    shutil.copytree(root, first, ignore=_LEFT_OUT, symlinks=True)
    for file in first.rglob("*.py"):
        py_compile.compile(
            str(file),
            dfile=str(file.relative_to(first)),
            quiet=2,
            invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH,
        )
    others = [folder.resolve() / f"tree-{number}" for number in range(1, count)]
    return [first, *(Path(shutil.copytree(first, other, symlinks=True)) for other in others)]


def _child(tree: Path, tests: tuple[str, ...], mine: tuple[str, ...], log: Path, answer: Connection) -> None:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(tree)
    sys.path.insert(0, str(tree))
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
    first = _First()
    code = pytest.main(
        [*_NOT_SOAK, *(f"-pno:{name}" for name in _UNUSED), *_WARMED_UP, f"--rootdir={tree}", *tests], plugins=[first]
    )
    sys.stdout.flush()
    answer.send((int(code), first.name, _stray(tree, mine)))
    answer.close()
    os._exit(0)  # a thread that a test left behind must not hold this up


def _stray(tree: Path, mine: tuple[str, ...]) -> str:
    """A module that should have come from the copy, and came from elsewhere."""
    files = (getattr(module, "__file__", None) or "" for module in list(sys.modules.values()))
    ends = tuple(f"/{file}" for file in mine)
    return next((file for file in files if file.endswith(ends) and not Path(file).is_relative_to(tree)), "")
