"""A command of the product, forked from a process that has already imported it: see `tests.helpers.zygote`."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from typing import TextIO

from tests.helpers.command import ROOT
from tests.helpers.zygote import LENGTH


class Forked:
    """One process, with those methods of `subprocess.Popen` that the tests use.

    Attributes:
        pid: of the process; it is no child of this one.
        stderr: what it writes there. It reads nothing, and its standard output is discarded.
        returncode: None until `poll` or `wait` has seen its end.
    """

    def __init__(self, arguments: list[str], *, env: dict[str, str], module: str = "respond") -> None:
        errors, write_errors = os.pipe()
        self._report, write_report = os.pipe()
        request = {"arguments": arguments, "env": env, "cwd": str(ROOT), "module": module}
        try:
            _zygote().ask(json.dumps(request).encode(), write_errors, write_report)
        finally:
            os.close(write_errors)
            os.close(write_report)
        self.stderr: TextIO = os.fdopen(errors)
        self.returncode: int | None = None
        self.pid = int(self._line())

    def poll(self) -> int | None:
        """Its exit code, or the negative number of the signal that ended it; None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float) -> int:
        """Its exit code.

        Raises:
            TimeoutExpired: it still runs after so many seconds.
        """
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"respond ({self.pid})", timeout)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def _ended(self, timeout: float) -> int | None:
        if self.returncode is None and select.select([self._report], [], [], timeout)[0]:
            self.returncode = int(self._line())
            os.close(self._report)
        return self.returncode

    def _line(self) -> str:
        line = ""
        while not line.endswith("\n"):
            piece = os.read(self._report, 1)
            assert piece, "the process that forks has ended; its last words are on standard error"
            line += piece.decode()
        return line


class _Zygote:
    """The connection to the process that forks; it ends when the connection closes."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair()
        self._lock = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.helpers.zygote", str(theirs.fileno())],
                cwd=ROOT,
                env={name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "RESPOND_"))},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        atexit.register(self._end)

    def ask(self, request: bytes, *descriptors: int) -> None:
        with self._lock:
            socket.send_fds(self._ours, [LENGTH.pack(len(request))], descriptors)
            self._ours.sendall(request)

    def _end(self) -> None:
        self._ours.close()
        self._process.wait(10)


_started: list[_Zygote] = []
_starting = threading.Lock()


def _zygote() -> _Zygote:
    """That of this pytest process, started with the first command."""
    with _starting:
        if not _started:
            _started.append(_Zygote())
        return _started[0]
