"""A lab tenant per test, and stories to tell in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from respond.lab import scenario
from tests.lab.running_lab import RunningLab, running

NOW = "2026-01-15T09:40:00Z"


@pytest.fixture(scope="session")
def seed() -> Path:
    return scenario.find("seed-true-positive")


@pytest.fixture(scope="session")
def seed_lab(seed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """One lab for all tests that only read."""
    with running(seed, tmp_path_factory.mktemp("seed-state")) as lab:
        yield lab


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., RunningLab]]:
    """Start a lab of the test's own; it stops with the test."""
    with ExitStack() as stack:

        def begin(data: Path, **lab: Any) -> RunningLab:
            return stack.enter_context(running(data, tmp_path / "state", **lab))

        yield begin


@pytest.fixture
def story(tmp_path: Path) -> Callable[..., Path]:
    """Write a scenario: `SigninLogs=[{…}]`, `directory={…}`, `incidents=[…]`, `happens=[…]`, `scenario={…}`.

    The rows of a table may be text, which is written as it is.
    """

    def write(**files: Any) -> Path:
        folder = tmp_path / "story"
        folder.mkdir(exist_ok=True)
        head = {"title": "a story", "now": NOW} | files.pop("scenario", {})
        (folder / "scenario.json").write_text(json.dumps(head))
        for name in ("directory", "incidents", "happens"):
            if name in files:
                (folder / f"{name}.json").write_text(json.dumps(files.pop(name)))
        for table, rows in files.items():
            text = rows if isinstance(rows, str) else "".join(json.dumps(row) + "\n" for row in rows)
            (folder / f"{table}.jsonl").write_text(text)
        return folder

    return write
