"""Starts the product the way a person does, each time with a state directory of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.memory import Peak, watch

ROOT = Path(__file__).resolve().parent.parent
INSTALLED = Path(sys.executable).parent / "respond"
USER = "target.user@contoso.com"
PATIENCE = 120.0  # seconds until a run counts as hung


class RunFailedError(Exception):
    """The measured command did not end with exit 0: its time means nothing."""


@dataclass(frozen=True)
class Product:
    """The command to measure.

    Attributes:
        command: the program and its fixed arguments.
    """

    command: tuple[str, ...] = (str(INSTALLED),)

    def seconds(self, *arguments: str) -> float:
        """Wall-clock seconds from start to exit, in a fresh state directory.

        Raises:
            RunFailedError: it cannot be started, hangs, or ends with another exit code than 0.
        """
        with _fresh_state() as environment:
            start = time.perf_counter()
            with self._started(arguments, environment) as process:
                _finish(process)
            return time.perf_counter() - start

    def peak(self, *arguments: str) -> Peak:
        """Most memory held at once by the command and everything it started.

        Raises:
            RunFailedError: as for `seconds`.
        """
        with (
            _fresh_state() as environment,
            self._started(arguments, environment) as process,
            watch(process.pid) as peak,
        ):
            _finish(process)
        return peak

    @contextmanager
    def _started(self, arguments: tuple[str, ...], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
        try:
            process = subprocess.Popen(
                [*self.command, *arguments],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        except OSError as error:
            raise RunFailedError(f"{self.command[0]}: {error.strerror}") from error
        with process:
            try:
                yield process
            finally:
                with suppress(ProcessLookupError):  # a lab it left behind would spoil the next run
                    os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def _fresh_state() -> Iterator[dict[str, str]]:
    """The environment of a first run: default settings, a state directory that is empty."""
    with TemporaryDirectory(prefix="respond-bench-", ignore_cleanup_errors=True) as state:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RESPOND_")}
        yield inherited | {
            "RESPOND_CONFIG": str(ROOT / "config"),
            "RESPOND_STATE__URL": f"sqlite:///{state}/respond.db",
            "RESPOND_STATE__DIR": state,
        }


def _finish(process: subprocess.Popen[str]) -> None:
    try:
        _, complaint = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired as error:
        raise RunFailedError(f"still running after {PATIENCE:.0f} s") from error
    if process.returncode != 0:
        raise RunFailedError(f"exit {process.returncode}: {last_line(complaint)}")


def last_line(complaint: str) -> str:
    """What a failed command said last."""
    return (complaint.strip().splitlines() or ["nothing on stderr"])[-1]
