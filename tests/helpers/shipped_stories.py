"""The stories that ship, told one after the other by one lab in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from respond.lab import scenario
from respond.lab.state import LabState
from tests.helpers.command import Answer, respond
from tests.lab.running_lab import RunningLab, running

_UNLIMITED = 1_000_000
_ANSWERS: dict[tuple[str, str], tuple[Answer, Path]] = {}
"""What was answered in this process, and the state directory of `respond`: every module of tests asks the same."""


class ShippedStories:
    """Answers about their people; each person is answered for once, in a live run with a state of its own.

    Args:
        tenant: a running lab.
        folder: its state directory.
        states: directory for the states of `respond`.
    """

    def __init__(self, tenant: RunningLab, folder: Path, states: Path) -> None:
        self._tenant = tenant
        self._lab = LabState(folder)
        self._states = states

    def answer(self, story: str, upn: str) -> Answer:
        """What `respond --user UPN --json` answers, with the story as it ships."""
        return self._told(story, upn)[0]

    def ticket(self, story: str, upn: str) -> str:
        """The ticket that the answer opened; empty where it opened none."""
        pages = sorted((self._told(story, upn)[1] / "tickets").glob("*.md"))
        return "\n".join(page.read_text() for page in pages)

    def _told(self, story: str, upn: str) -> tuple[Answer, Path]:
        if (story, upn) not in _ANSWERS:
            self._lab.load(scenario.find(story))
            state = self._states / str(len(_ANSWERS))
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("RESPOND_LAB__URL", self._tenant.url)
                patch.setenv("RESPOND_STATE__URL", f"sqlite:///{state / 'respond.db'}")
                patch.setenv("RESPOND_PACE__LOGS_PER_30S", str(_UNLIMITED))
                _ANSWERS[story, upn] = respond("--user", upn, "--json"), state
        return _ANSWERS[story, upn]


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShippedStories]:
    """One lab for all of them, which has no limit on queries: each answer is another caller's."""
    folder = tmp_path_factory.mktemp("shipped")
    with running(scenario.find("seed-true-positive"), folder / "lab", queries_per_30s=_UNLIMITED) as tenant:
        yield ShippedStories(tenant, folder / "lab", folder / "states")
