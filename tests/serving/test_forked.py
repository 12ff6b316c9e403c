"""What the tests start as `respond serve` behaves as the command does, and ends when pytest ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.command import ROOT
from tests.helpers.forked import Forked
from tests.helpers.patience import patiently
from tests.helpers.serving import Serving, serving, until
from tests.lab.running_lab import RunningLab

Start = Callable[..., RunningLab]
QUIET = {"RESPOND_SCHEDULE__EVERY": "0s"}


def fields(pid: int) -> list[str]:
    """Those of `/proc/PID/stat` from the state on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def is_there(pid: int) -> bool:
    """A process that waits to be asked for its exit code is gone."""
    try:
        return fields(pid)[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("fresh", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_a_command_has_the_environment_group_and_exit_code_that_it_was_given(
    fresh: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESPOND_SERVE__BEAT", "no duration")
    monkeypatch.setenv("RESPOND_TICKETS__SYSTEM", "none")
    service = Serving("serve", "--port", "0", env={"RESPOND_SERVE__BEAT": "never"}, fresh=fresh)
    assert service.ended() == 2
    (line,) = service.lines
    assert line["line"].startswith("respond: ")
    assert "RESPOND_SERVE__BEAT" in line["line"]
    assert "never" in line["line"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_forked_command_ends_by_signals_as_an_executed_one(number: signal.Signals, lab: Start) -> None:
    lab()
    with serving(**QUIET) as service:
        assert os.getpgid(service.pid) == os.getpgrp()
        assert Path(f"/proc/{service.pid}/cwd").readlink() == ROOT
        service.tell(number)
        assert service.ended(30) == (-number if number == signal.SIGKILL else 0)
        assert not is_there(service.pid)
    assert ("stopped" in [line["event"] for line in service.lines]) is (number != signal.SIGKILL)


def test_a_forked_command_inherits_no_descriptor_of_another(lab: Start) -> None:
    lab()
    with serving(**QUIET) as one, serving(**QUIET) as two:
        pipes = [{str(place.readlink()) for place in Path(f"/proc/{pid}/fd").iterdir()} for pid in (one.pid, two.pid)]
        assert {place for place in pipes[0] & pipes[1] if place.startswith(("pipe:", "socket:"))} == set()


VICTIM = """
import sys, time
from tests.helpers.forked import Forked
forked = Forked(["lab", "serve", "--port", "0"], env={"RESPOND_STATE__DIR": sys.argv[1]})
print(forked.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("number", [pytest.param(signal.SIGTERM, marks=pytest.mark.soak), signal.SIGKILL])
def test_what_was_forked_ends_with_the_process_that_asked_for_it(number: signal.Signals, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", VICTIM, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as asking:
        assert asking.stdout
        forked = int(asking.stdout.readline())
        zygote = int(fields(forked)[1])
        assert is_there(forked)
        asking.send_signal(number)
        asking.wait(patiently(10))
    until(lambda: not is_there(forked) and not is_there(zygote), 10)


def test_a_forked_command_that_has_ended_is_sent_no_signal() -> None:
    ended = Forked(["no-such-command"], env={})
    assert ended.wait(patiently(20)) == 2
    ended.send_signal(signal.SIGKILL)
    assert ended.poll() == 2
    assert "no-such-command" in ended.stderr.read()
    ended.stderr.close()
