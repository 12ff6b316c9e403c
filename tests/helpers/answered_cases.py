"""Cases of the dug-in story that were answered before: made once a process, copied for each test that begins with one.

A copy is the state directory of `respond` and that of the lab, where `_apart` and `lab` of `tests/conftest.py` look for
them. The story itself stays where it was: the lab knows it by its path, and would load another one afresh.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.command import VICTIM, respond
from tests.helpers.dug_in_story import policy, write_story
from tests.lab.running_lab import RunningLab, running

ASKING = dict.fromkeys(("disable_device", "revoke_sessions", "remove_method", "remove_grant", "disable_rule"), "ask")


class Way(Enum):
    """How the case was answered."""

    CONTAINED = "by the shipped settings"
    ASKED = "by a policy that asks before every write"
    PLANNED = "in a dry run"


@dataclass(frozen=True)
class AnsweredCase:
    """A case, and the lab it was answered in.

    Attributes:
        report: as `respond --user UPN --json` printed it; its ticket has the address of the original.
    """

    report: dict[str, Any]
    tenant: RunningLab

    @property
    def id(self) -> str:
        return str(self.report["case"])


Answered = Callable[..., AnsweredCase]
_made: dict[Way, tuple[Path, dict[str, Any]]] = {}


@pytest.fixture
def answered(lab: Callable[..., RunningLab], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Answered:
    """Start a lab in which the case was answered; keywords are settings of the lab."""

    def start(way: Way, **settings: Any) -> AnsweredCase:
        if way not in _made:
            folder = tmp_path_factory.mktemp("answered")
            _made[way] = (folder, _make(way, folder))
        folder, report = _made[way]
        for name in ("state", "lab"):
            shutil.copytree(folder / name, tmp_path / name)
        return AnsweredCase(report, lab(folder / "story", **settings))

    return start


def _make(way: Way, folder: Path) -> dict[str, Any]:
    """Answer the case once; the report."""
    more = ["--dry-run"] if way is Way.PLANNED else []
    if way is Way.ASKED:
        more = ["--config", str(policy(folder, malicious=ASKING))]
    state = folder / "state" / "respond.db"
    with running(write_story(folder), folder / "lab") as tenant, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESPOND_LAB__URL", tenant.url)
        patch.setenv("RESPOND_STATE__URL", f"sqlite:///{state}")
        report: dict[str, Any] = respond("--user", VICTIM, "--json", *more).json
    for file in (state, folder / "lab" / "lab.db"):
        with closing(sqlite3.connect(file)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # a copy of the file alone is whole
    return report
