"""One lab, in a process of its own as a command starts it, that tells one story after the other."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from respond.clients.connect import Connections
from respond.lab.child import ChildLab
from respond.lab.state import LabState
from respond.settings import load_settings

if TYPE_CHECKING:
    from respond.clients.logs import Logs


class Lab:
    """A running lab.

    Args:
        folder: for the state of lab and product, and for their settings.
        first: scenario directory to begin with.

    Attributes:
        config: configuration directory that points to this lab.
    """

    def __init__(self, folder: Path, first: Path) -> None:
        self._folder = folder
        self._state = LabState(folder / "state" / "lab")
        self._state.load(first)
        self._child = ChildLab(self._configured("server", ""))
        self.config = self._configured("client", self._child.url)

    def tell(self, story: Path) -> None:
        """Load a story, which ends now; the next request is answered from it."""
        self._state.load(story)

    @asynccontextmanager
    async def logs(self) -> AsyncIterator[Logs]:
        """The product's own client, which can only read."""
        settings = load_settings(self.config)
        connections = Connections(settings, settings.lab.url)
        try:
            yield connections.clients(read_only=True).logs
        finally:
            await connections.close()

    def _configured(self, name: str, url: str) -> Path:
        """A configuration directory; what it does not hold is taken from the shipped one."""
        config = self._folder / name
        config.mkdir()
        state = json.dumps(f"sqlite:///{self._folder / 'state' / 'respond.db'}")
        # The lab's limit on queries is Azure's, for one caller: here everybody asks at once.
        text = f"[state]\nurl = {state}\n[lab]\nurl = {json.dumps(url)}\nqueries_per_30s = 1_000_000\n"
        text += "[pace]\nlogs_per_30s = 1_000_000\n"
        # The next story has the tables that this one lacks.
        text += '[hunt]\nabsent_for = "0s"\n'
        (config / "respond.toml").write_text(text, encoding="utf-8")
        return config

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.close()
