"""One lab for all checks that only read it, as all of them do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from respond.lab import scenario
from tests.lab.running_lab import RunningLab, running

Start = Callable[..., RunningLab]


@pytest.fixture(scope="session")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a sound tenant answers."""
    with running(scenario.find("seed-true-positive"), tmp_path_factory.mktemp("sound")) as lab:
        yield lab.url


@pytest.fixture
def ill(tmp_path: Path) -> Iterator[Start]:
    """Start a tenant that lacks something."""
    with ExitStack() as stack:

        def start(data: str | Path = "seed-true-positive", **lab: Any) -> RunningLab:
            return stack.enter_context(running(scenario.find(str(data)), tmp_path / "lab", **lab))

        yield start
