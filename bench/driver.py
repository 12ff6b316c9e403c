"""The call that `bench.warm` measures: one whole response to a new attack, in a process that already runs.

The lab is the command's own child process with no latency, over a tenant of as many victims as there are responses:
each call is a first response, with revocation and ticket, never a repeat.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from respond.lab import scenario
from respond.models.case import Case
from respond.session import Session, open_session
from respond.settings import shipped_config
from respond.step import clients, process

_VICTIMS = 60
_SEED_USER = "7d1f0a52-6d0e-4c1c-9b54-0f5a1c0e7a11"


def victim(n: int) -> str:
    """Object id of one of the tenant's users."""
    return f"{_SEED_USER[:-4]}{n:04x}"


def _tenant(folder: Path) -> None:
    """The seed's story, told of many users: every row with the ids of one victim each."""
    seed = scenario.find("seed-true-positive")
    shutil.copy(seed / "scenario.json", folder)
    directory = json.loads((seed / "directory.json").read_text())
    user = directory["users"][0]
    directory["users"] = [
        user | {"id": victim(n), "userPrincipalName": f"user{n}@contoso.com", "mail": f"user{n}@contoso.com"}
        for n in range(_VICTIMS)
    ]
    (folder / "directory.json").write_text(json.dumps(directory))
    for table in seed.glob("*.jsonl"):
        text = table.read_text()
        shared = table.stem == "ThreatIntelIndicators"
        told = [text] if shared else [_told_of(text, n) for n in range(_VICTIMS)]
        (folder / table.name).write_text("".join(told))


def _told_of(text: str, n: int) -> str:
    renamed = (
        text.replace(_SEED_USER, victim(n)).replace("target.user@", f"user{n}@").replace("Target.User@", f"user{n}@")
    )
    # Every id of the story ends in a letter or digit of its own: a prefix of the right length keeps them apart.
    for start in ("a0000000", "b0000000", "c0000000", "e0000000", "f0000000", "5b6d8f00", "00c0ffee", "9f0c6c5e"):
        renamed = renamed.replace(f'"{start}', f'"{start[0]}{n:03x}{start[4:]}')
    return renamed


class _Driver:
    """The session of this process, opened by the first call and again after it was closed."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._session: Session | None = None
        self.changes: list[Callable[[Path], None]] = []

    async def open(self) -> Session:
        if self._session is None:
            folder = Path(tempfile.mkdtemp(prefix="respond-bench-"))
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            _tenant(folder)
            for change in self.changes:
                change(folder)
            os.environ["RESPOND_LAB__DATA"] = str(folder)
            # Measured is what a response costs, not how many of them Microsoft's limits allow.
            os.environ |= {"RESPOND_LAB__QUERIES_PER_30S": "100000", "RESPOND_PACE__LOGS_PER_30S": "100000"}
            os.environ["RESPOND_PACE__IDENTITY_PROTECTION_PER_S"] = "1000"
            os.environ["RESPOND_STATE__URL"] = f"sqlite:///{folder / 'state' / 'respond.db'}"
            self._session = await self._stack.enter_async_context(open_session(shipped_config()))
        return self._session

    async def close(self) -> None:
        await self._stack.aclose()
        self._session = None


_driver = _Driver()


def also(change: Callable[[Path], None]) -> None:
    """Change the tenant before the first response; given the folder of its scenario."""
    _driver.changes.append(change)


async def respond_once(n: int) -> None:
    """Answer for victim `n`, and make sure that it was a whole answer."""
    session = await _driver.open()
    report = await session.respond_to(f"user{n}@contoso.com", since=None, dry_run=False)
    if report.outcome != "contained-verified" or report.repeat or report.ticket is None:
        raise RuntimeError(f"not a first response: {report.outcome}, {report.actions}")


async def case_of(n: int) -> Case:
    """A case about victim `n`, for actions that are called without a run."""
    session = await _driver.open()
    return session.case(f"user{n}@contoso.com", since=None, dry_run=False)


async def graph_call(case: Case, n: int) -> None:
    """One request to Microsoft Graph."""
    await clients(case).graph.account(victim(n))


def lab_url() -> str:
    """Where the lab of this process answers."""
    return process().connections.lab_url or ""


async def close() -> None:
    """End the session and its lab."""
    await _driver.close()
