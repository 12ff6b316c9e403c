"""A state directory and a lab for each test that wants them; and which tests belong to which command.

`make check` runs what is marked neither `process` nor `database`, `lab` or `soak`; `make test` all but `soak`;
`make soak` everything. The first three marks come from what a test and its fixtures do: see `tests/helpers/tiers.py`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from respond.lab import scenario
from tests.helpers import tiers
from tests.helpers.postgres import pg, pg_outage, pg_url  # noqa: F401 - one server for a session, in whichever folder its tests are
from tests.lab.running_lab import RunningLab, running, stop_idle

pytest_plugins = ["tests.helpers.budget"]

# How long an example takes says more about the machine than about the rule. The same examples each time, so that a
# change is judged by what it changes; `make soak` looks for new ones.
settings.register_profile("check", deadline=None, max_examples=15, derandomize=True, database=None)
settings.register_profile("test", deadline=None, max_examples=25, derandomize=True, database=None)
settings.register_profile("soak", deadline=None, max_examples=200, print_blob=True)
settings.load_profile("test")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with what it starts, and keep those together that share what one of them has to make."""
    for item in items:
        assert isinstance(item, pytest.Function)
        for tier in tiers.starts(item):
            item.add_marker(tier.value)
        if tiers.shares(item) and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """A worker cannot send half a surrogate pair, which is what some tests are about."""
    report = yield
    return _sendable(report)


def _sendable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_sendable(key): _sendable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_sendable(inner) for inner in value)
    return value


def pytest_unconfigure() -> None:
    stop_idle()


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings or the state of the machine it runs on."""
    monkeypatch.setenv("RESPOND_STATE__URL", f"sqlite:///{tmp_path / 'state' / 'respond.db'}")
    monkeypatch.delenv("RESPOND_CONFIG", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def starts_processes() -> Any:
    """For a test in which the product starts a process, which no code of the test shows; this names what does."""
    return subprocess.Popen


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., RunningLab]]:
    """Start a lab over HTTP and point the command line at it."""
    with ExitStack() as stack:

        def start(data: str | Path = "seed-true-positive", **settings: Any) -> RunningLab:
            place = scenario.find(str(data))
            running_lab = stack.enter_context(running(place, tmp_path / "lab", **settings))
            monkeypatch.setenv("RESPOND_LAB__URL", running_lab.url)
            # Who asks keeps to the limits of this lab; by its own it has none on Identity Protection.
            monkeypatch.setenv("RESPOND_PACE__LOGS_PER_30S", str(settings.get("queries_per_30s", 200)))
            monkeypatch.setenv("RESPOND_PACE__LOGS_AT_ONCE", str(settings.get("concurrent_queries", 5)))
            risk = settings.get("identity_protection_per_s") or 1_000
            monkeypatch.setenv("RESPOND_PACE__IDENTITY_PROTECTION_PER_S", str(risk))
            return running_lab

        yield start


@pytest.fixture
def seed_variant(tmp_path: Path) -> Callable[..., Path]:
    """A copy of the seed with something changed: `directory=edit`, or `SigninLogs=edit` on the list of rows."""

    def copy(**edits: Callable[[Any], None]) -> Path:
        folder = Path(shutil.copytree(scenario.find("seed-true-positive"), tmp_path / "variant"))
        for name, edit in edits.items():
            file = folder / (f"{name}.json" if name in ("directory", "scenario") else f"{name}.jsonl")
            if file.suffix == ".json":
                content = json.loads(file.read_text())
                edit(content)
                file.write_text(json.dumps(content))
            else:
                rows = [json.loads(line) for line in file.read_text().splitlines()]
                edit(rows)
                file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return folder

    return copy
