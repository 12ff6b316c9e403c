"""A PostgreSQL server of the tests is a daemon, and ends with the process that started it nevertheless."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import postgres
from tests.helpers.command import ROOT
from tests.helpers.patience import patiently
from tests.helpers.serving import until

FIRST, *OTHERS = postgres.ways()
WAYS = [FIRST, *(pytest.param(way, marks=pytest.mark.soak) for way in OTHERS)]

STARTER = """
import sys, time
from tests.helpers import postgres
with postgres.server(sys.argv[1]) as uri, postgres.database(uri) as database:
    print(database, flush=True)
    if sys.argv[2] == "wait":
        time.sleep(600)
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """For temporary files, and open to the other user that runs the server where the tests are root's."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def started(way: str, then: str, place: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", STARTER, way, then],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(place), "PYTHONWARNINGS": "ignore"},
        stdout=subprocess.PIPE,
        text=True,
    )


def postmasters(folder: Path) -> list[int]:
    """Of the servers that have their data below a folder."""
    return [int(file.read_text().split()[0]) for file in folder.glob("**/postmaster.pid")]


def runs(pid: int) -> bool:
    """A postmaster that waits to be asked for its exit code does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("number", [pytest.param(signal.SIGTERM, marks=pytest.mark.soak), signal.SIGKILL])
@pytest.mark.parametrize("way", WAYS)
def test_a_server_and_its_folder_are_gone_when_the_process_that_started_it_is_killed(
    way: str, number: signal.Signals, place: Path
) -> None:
    with started(way, "wait", place) as starter:
        assert starter.stdout
        assert starter.stdout.readline().startswith("postgresql://")
        (postmaster,) = postmasters(place)
        assert runs(postmaster)
        starter.send_signal(number)
        assert starter.wait(patiently(10)) == -number
    until(lambda: not runs(postmaster) and not list(place.glob("respond-pg-*")), 20)


@pytest.mark.soak
@pytest.mark.parametrize("way", [FIRST, *OTHERS])
def test_a_server_and_its_folder_are_gone_when_the_process_that_started_it_has_ended(way: str, place: Path) -> None:
    with started(way, "end", place) as starter:
        assert starter.stdout
        assert starter.stdout.readline().startswith("postgresql://")
        assert starter.wait(patiently(60)) == 0
    assert list(place.glob("respond-pg-*")) == []
