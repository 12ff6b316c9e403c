"""A pytest plugin: what the tests of each folder cost, and what they may.

`--budget FILE` compares the processor seconds of every folder, and of all, with those in the file, and fails the run
where more was spent. Processor time, because it depends less on what else a machine does than time on the clock does.
That of child processes counts, also while they run. A core whose other half, or whose memory, is used by somebody else
still needs more of it for the same work: a small fixed piece of work is timed between the tests, and where it takes
longer than where the file was measured, everything may.

It also fails a test that starts more than `tests/helpers/tiers.py` reads from its code: it would run in the wrong tier.
"""

from __future__ import annotations

import gc
import importlib
import json
import math
import os
import platform
import resource
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from tests.helpers.tiers import LAB_STARTS, Tier

_GAUGE_EVERY = 50
_GAUGE_SECONDS = 0.0105
"""What `_gauge` takes on a machine of the kind that `tests/budget.toml` was measured on, while it does nothing else."""

_DEAREST = 60

_STARTS = {"subprocess.Popen": Tier.PROCESS, "os.fork": Tier.PROCESS, "os.posix_spawn": Tier.PROCESS}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--budget", metavar="FILE", help="fail where a folder's tests take more than it says")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Budget(config), "respond-budget")


class Budget:
    """What this process has measured; the controller of several workers adds up theirs."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._spent: dict[str, float] = {}
        self._tests: Counter[str] = Counter()
        self._started: Counter[str] = Counter()
        self._running: Counter[str] | None = None
        self._gauged: list[float] = []
        self._seen = 0
        # Both ask a process of their own (`uname`, `file`), once; the first test that needs them would start it.
        platform.platform()
        importlib.import_module("croniter")
        sys.addaudithook(self._hear)

    def _hear(self, event: str, _: Any) -> None:
        tier = _STARTS.get(event) or (Tier.LAB if event == LAB_STARTS else None)
        if tier is None:
            return
        self._started[tier] += 1
        if self._running is not None:
            self._running[tier] += 1

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        if self._seen % _GAUGE_EVERY == 0:
            self._gauged.append(_gauge())
        self._seen += 1
        has_children = item.get_closest_marker(Tier.PROCESS) or item.get_closest_marker(Tier.DATABASE)
        before = _cpu_seconds(live_children=bool(has_children))
        result = yield
        spent = _cpu_seconds(live_children=bool(has_children)) - before
        self._add({_folder(item): max(spent, 0.0)})
        self._tests[item.nodeid.partition("@")[0]] = round(spent * 1000)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        with self._listening() as started:
            result = yield
        too_much = [tier for tier in started if not item.get_closest_marker(tier)]
        # a database server is a process, and a lab of many rows reads them with some
        if too_much and not (item.get_closest_marker(Tier.PROCESS) or item.get_closest_marker(Tier.DATABASE)):
            raise AssertionError(
                f"this test starts a {' and a '.join(too_much)}, which its code does not show: it would run in the "
                "wrong tier; start it through a function of tests/helpers that its code or a fixture names"
            )
        return result

    @contextmanager
    def _listening(self) -> Iterator[Counter[str]]:
        self._running = Counter()
        try:
            yield self._running
        finally:
            self._running = None

    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker has measured."""
        output = getattr(node, "workeroutput", None) or {}
        self._add(output.get("spent", {}))
        self._tests.update(output.get("tests", {}))
        self._started.update(output.get("started", {}))
        self._gauged += output.get("gauged", [])

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output["spent"] = self._spent
            output["tests"] = dict(self._tests.most_common(100))
            output["gauged"] = self._gauged
            output["started"] = {str(tier): count for tier, count in self._started.items()}
        elif self._over() and session.exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._config.getoption("--budget"):
            return
        limits = self._limits()
        terminalreporter.section("processor seconds by folder, and what they may be")
        for folder, seconds in sorted(self._spent.items(), key=lambda spent: -spent[1]):
            terminalreporter.line(f"{folder:24} {seconds:7.1f}  of {limits.get(folder, 0):5.0f}")
        started = ", ".join(f"{count} of kind {tier}" for tier, count in sorted(self._started.items()))
        terminalreporter.line(f"in all {sum(self._spent.values()):.0f} s; started {started or 'nothing'}")
        if self._slowness() > 1:
            terminalreporter.line(f"the same work takes {self._slowness():.2f} times as long here; so may the tests")
        if self._over():
            dearest = [f"{thousandths / 1000:.1f} {name}" for name, thousandths in self._tests.most_common(_DEAREST)]
            terminalreporter.line("\n".join(["the dearest tests, in processor seconds:", *dearest]))
        for folder in self._over():
            place = "" if folder == "total" else f"{folder}/"
            dearest = [name for name, _ in self._tests.most_common() if name.startswith(place)][:3]
            terminalreporter.line(f"over budget: {folder}. Make a test cheaper, or mark it soak: {'; '.join(dearest)}")

    def _add(self, spent: Mapping[str, float]) -> None:
        for folder, seconds in spent.items():
            self._spent[folder] = self._spent.get(folder, 0.0) + seconds

    def _over(self) -> list[str]:
        if not self._config.getoption("--budget"):
            return []
        limits = self._limits()
        over = [folder for folder, seconds in self._spent.items() if seconds > limits.get(folder, 0)]
        return [*over, *(["total"] if sum(self._spent.values()) > limits.get("total", math.inf) else [])]

    def _limits(self) -> dict[str, float]:
        limits = tomllib.loads(Path(self._config.getoption("--budget")).read_text())["cpu_seconds"]
        return {folder: seconds * self._slowness() for folder, seconds in limits.items()}

    def _slowness(self) -> float:
        """How many times as long the same work takes here, 1.0 to 3.0: a faster machine has the same budget."""
        return min(max(fmean(self._gauged) / _GAUGE_SECONDS, 1.0), 3.0) if self._gauged else 1.0


def _gauge() -> float:
    """Processor seconds of a fixed piece of work, like that of the tests: objects, text, a sort."""
    gc.disable()  # or it would measure how much the tests have left behind
    began = time.process_time()
    rows = [{"id": f"{number:08d}", "at": number * 1.5, "tags": ["a", "b", str(number)]} for number in range(4000)]
    back = json.loads(json.dumps(rows))
    back.sort(key=lambda row: row["tags"][2])
    seconds = time.process_time() - began
    gc.enable()
    return seconds


def _folder(item: pytest.Item) -> str:
    return str(item.path.parent.relative_to(item.config.rootpath))


def _cpu_seconds(*, live_children: bool) -> float:
    """Of this process and of its children; of those that still run only where asked, as that takes milliseconds."""
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        used = resource.getrusage(who)
        total += used.ru_utime + used.ru_stime
    return total + (_of_descendants() if live_children else 0.0)


def _of_descendants() -> float:
    """Processor seconds of what descends from this process and runs, and of what that has outlived; Linux only."""
    parents: dict[int, int] = {}
    seconds: dict[int, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        pid = int(stat.parent.name)
        parents[pid] = int(fields[1])
        seconds[pid] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return sum(seconds[pid] for pid in parents if _descends(pid, parents))


def _descends(pid: int, parents: dict[int, int]) -> bool:
    me = os.getpid()
    while pid in parents:
        pid = parents[pid]
        if pid == me:
            return True
    return False
