"""The command line in processes forked off one that has loaded everything: seconds less for each than a start."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from respond.cli.main import run
from tests.helpers import killed_command
from tests.helpers.command import ROOT, VICTIM, Answer
from tests.helpers.patience import patiently

_LOADED = """
import tests.helpers.forked_command, playbooks.device_code_phishing, respond.clients.graph, respond.clients.logs
from msgraph.generated.models.user import User
User().get_field_deserializers()  # which loads a thousand modules
"""


def _context() -> ForkServerContext:
    return multiprocessing.get_context("forkserver")


@pytest.fixture(scope="module", autouse=True)
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Import it where processes are forked: it says what is loaded before."""
    folder = tmp_path_factory.mktemp("forks")
    (folder / "loaded_before_the_fork.py").write_text(_LOADED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{folder}")
        _context().set_forkserver_preload(["loaded_before_the_fork"])
        yield


def kill_at(moment: str, *arguments: str) -> None:
    """Run a command, `--user VICTIM` unless told, in a process that kills itself: `started:open_ticket`."""
    process = _context().Process(target=_die, args=(dict(os.environ), moment, arguments or ("--user", VICTIM)))
    process.start()
    process.join(patiently(60))
    assert process.exitcode == -signal.SIGKILL


def _die(environment: dict[str, str], moment: str, arguments: tuple[str, ...]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = [moment, *arguments]
    sys.exit(killed_command.main())


class ForkedCommand:
    """A command at work in a process of its own.

    Args:
        folder: for what it prints; one folder a command.
    """

    def __init__(self, folder: Path, *arguments: str) -> None:
        folder.mkdir()
        self._out, self._err = folder / "out", folder / "err"
        self._process: BaseProcess = _context().Process(
            target=_print, args=(dict(os.environ), arguments, str(self._out), str(self._err))
        )
        self._process.start()

    def finish(self) -> Answer:
        """Wait for its end."""
        self._process.join(patiently(90))
        assert self._process.exitcode is not None, "it has not ended"
        return Answer(self._process.exitcode, self._out.read_text(), self._err.read_text())


def _print(environment: dict[str, str], arguments: tuple[str, ...], out: str, err: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for file, number in ((out, 1), (err, 2)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
    sys.exit(run(arguments))
