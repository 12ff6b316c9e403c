"""Log lines that are written into memory, and read back as a collector would."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from respond.observe.logs import configure


class Lines:
    """What was logged so far."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def all(self) -> list[dict[str, Any]]:
        return [json.loads(line, parse_constant=_refuse) for line in self.text.splitlines()]

    @property
    def last(self) -> dict[str, Any]:
        return self.all[-1]

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.all if line["event"] == event]


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


@pytest.fixture
def lines() -> Iterator[Lines]:
    written = Lines()
    undo = configure(written.stream)
    yield written
    undo()
