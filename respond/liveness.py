"""Who is alive: every process has a name of its own, and the others can tell when it has died.

On one machine (SQLite) the name is that of a file, locked for as long as the process lives. The operating system lets
go of the lock when the process dies, however it dies, so a file that can be locked by somebody else belongs to nobody.
On many machines (PostgreSQL) each process shows a *beat* in the database; one that was silent for four beats, by the
database's own clock, is taken for dead.
"""

from __future__ import annotations

import importlib
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import IO, Protocol

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from respond.errors import UsageError
from respond.store.database import processes

SILENT_BEATS = 4
NOT_HERE = (
    "this command needs Linux or macOS (on Windows: WSL, or the container); cases, show, hunt, backtest, doctor, init "
    "and audit work here"
)


class Liveness(Protocol):
    """The name of this process, and word of the others.

    Attributes:
        name: what the durable engine knows this process by.
    """

    name: str

    def begin(self, version: str) -> None:
        """Show that this process lives, and which version of the records it writes."""

    def dead(self, names: Iterable[str]) -> set[str]:
        """Those of the names whose process is dead. No name is used twice, so what is dead stays dead."""

    def versions(self) -> set[str]:
        """Versions of the processes that live."""

    @property
    def silence(self) -> timedelta:
        """How long the others have not heard of this process."""

    def close(self) -> None:
        """Say that this process ends: the others need not wait for its silence."""


class Locks:
    """Processes of one machine.

    Args:
        folder: where the lock files are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.name = f"local-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._held = self._file(self.name).open("w")
        while not _locked(self._held) or not self._file(self.name).exists():
            # Another process took the file for a dead one's before it was locked, and removed it.
            self._held.close()
            self._held = self._file(self.name).open("w")

    def begin(self, version: str) -> None:
        self._held.write(version)
        self._held.flush()
        # A name without a file is dead as well, so the files of the dead can go.
        for file in self._folder.glob("local-*.lock"):
            with suppress(FileNotFoundError), file.open() as handle:  # whose it was, or another process, was quicker
                if _locked(handle):
                    file.unlink(missing_ok=True)

    def dead(self, names: Iterable[str]) -> set[str]:
        return {name for name in names if name != self.name and name.startswith("local-") and not self._lives(name)}

    def versions(self) -> set[str]:
        found = set()
        for file in self._folder.glob("local-*.lock"):
            with suppress(FileNotFoundError):  # it ended just now
                if self._lives(file.stem):
                    found.add(file.read_text(encoding="utf-8"))
        return found

    @property
    def silence(self) -> timedelta:
        return timedelta(0)  # the operating system speaks for it

    def close(self) -> None:
        self._file(self.name).unlink(missing_ok=True)
        self._held.close()

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.lock"

    def _lives(self, name: str) -> bool:
        try:
            with self._file(name).open() as handle:
                return not _locked(handle)
        except FileNotFoundError:
            return False


def _locked(handle: IO[str]) -> bool:
    """Lock a file, if nobody else has it.

    Raises:
        UsageError: this system has no such locks.
    """
    try:
        fcntl = importlib.import_module("fcntl")
    except ImportError as error:
        raise UsageError(NOT_HERE) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Beats:
    """Processes of many machines.

    Args:
        beat: how often this one shows that it lives.
    """

    def __init__(self, database: sa.Engine, beat: timedelta) -> None:
        self._db = database
        self._beat = beat
        self._last = time.monotonic()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self.name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"

    def begin(self, version: str) -> None:
        with self._db.begin() as db:
            # What died a day ago has long been taken over.
            db.execute(sa.delete(processes).where(processes.c.beat < sa.func.now() - timedelta(days=1)))
            db.execute(sa.insert(processes).values(id=self.name, version=version, beat=sa.func.now()))
        self._last = time.monotonic()
        self._thread = threading.Thread(target=self._go_on, name="respond-beat", daemon=True)
        self._thread.start()

    def dead(self, names: Iterable[str]) -> set[str]:
        return set(names) - {self.name} - set(self._alive())

    def versions(self) -> set[str]:
        return set(self._alive().values())

    @property
    def silence(self) -> timedelta:
        return timedelta(seconds=time.monotonic() - self._last)

    def close(self) -> None:
        self._over.set()
        if self._thread:
            self._thread.join(timeout=5)
            with suppress(SQLAlchemyError), self._db.begin() as db:  # then they notice the silence
                db.execute(sa.delete(processes).where(processes.c.id == self.name))

    def _alive(self) -> dict[str, str]:
        query = sa.select(processes.c.id, processes.c.version).where(
            processes.c.beat >= sa.func.now() - self._beat * SILENT_BEATS
        )
        with self._db.connect() as db:
            return {row.id: row.version for row in db.execute(query)}

    def _go_on(self) -> None:
        shown = sa.update(processes).where(processes.c.id == self.name).values(beat=sa.func.now())
        while not self._over.wait(self._beat.total_seconds()):
            try:
                with self._db.begin() as db:
                    db.execute(shown)
            except SQLAlchemyError:
                continue  # the silence grows, and whoever writes looks at it
            self._last = time.monotonic()
