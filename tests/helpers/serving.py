"""`respond serve` in a process of its own, and short ways to deliver to it."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.helpers.command import ROOT
from tests.helpers.forked import Forked
from tests.helpers.patience import patiently

_LONG = 60.0


class Serving:
    """One service that runs.

    Args:
        fresh: start a new interpreter, as a team does, instead of a fork of one that has imported everything.
        module: what to run instead of `respond`; needs `fresh`.

    Attributes:
        lines: its log, as it came.
    """

    def __init__(
        self, *arguments: str, env: dict[str, str] | None = None, fresh: bool = False, module: str = "respond"
    ) -> None:
        assert fresh or module == "respond", "what was imported before the fork is the product as it is"
        self.lines: list[dict[str, Any]] = []
        self._unread: queue.Queue[dict[str, Any] | None] = queue.Queue()
        whole = {**os.environ, **(env or {})}
        self._process = _executed(module, arguments, whole) if fresh else Forked(list(arguments), env=whole)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = ""

    @property
    def pid(self) -> int:
        return self._process.pid

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            try:
                said = json.loads(line)
            except ValueError:
                said = {"event": "no-json", "line": line}
            self.lines.append(said)
            self._unread.put(said)
        self._unread.put(None)

    def wait_for(self, event: str, seconds: float = _LONG) -> dict[str, Any]:
        """The next line about an event that has not been waited for."""
        seconds = patiently(seconds)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                said = self._unread.get(timeout=left)
            except queue.Empty:
                break
            if said is None:
                break
            if said["event"] == event:
                return said
        raise AssertionError(f"no {event} within {seconds:.0f} s; it said {self.lines[-5:]}")

    def listens(self) -> None:
        """Wait until it takes deliveries."""
        self.url = f"http://{self.wait_for('listening')['address'][0]}"

    def post(self, body: Any, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx.post(
            f"{self.url}/webhooks/sentinel",
            content=content,
            headers={"Content-Type": "application/json", **headers},
            timeout=patiently(30),
        )

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=patiently(30))

    def depth(self) -> dict[str, int]:
        """Deliveries by state, from its metrics."""
        text = self.get("/metrics").text
        lines = (line for line in text.splitlines() if line.startswith("respond_queue_depth{"))
        return {line.split('"')[1]: int(float(line.rsplit(" ", 1)[1])) for line in lines}

    def answers(self, count: int, seconds: float = _LONG) -> None:
        """Wait until so many deliveries have been answered."""
        until(lambda: self.depth().get("answered", 0) >= count, seconds, lambda: f"{self.depth()}; {self.lines[-5:]}")

    def kill(self) -> None:
        """As by the power cut."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(timeout=patiently(10))
        self._close()

    def stop(self, seconds: float = 40) -> int:
        """Tell it to stop; its exit code."""
        self.tell(signal.SIGTERM)
        return self.ended(seconds)

    def tell(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    @property
    def code(self) -> int | None:
        return self._process.poll()

    def ended(self, seconds: float = 20) -> int:
        code = self._process.wait(timeout=patiently(seconds))
        self._close()
        return code

    def _close(self) -> None:
        self._reader.join(timeout=patiently(10))
        if self._process.stderr:
            self._process.stderr.close()


def _executed(module: str, arguments: Sequence[str], env: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def serving(**env: str) -> Iterator[Serving]:
    """A service that listens, until the end of the block."""
    with _listening(Serving("serve", "--port", "0", env=env)) as service:
        yield service


@contextmanager
def serving_fresh(**env: str) -> Iterator[Serving]:
    """The same in a new interpreter, as a team starts it."""
    with _listening(Serving("serve", "--port", "0", env=env, fresh=True)) as service:
        yield service


@contextmanager
def _listening(service: Serving) -> Iterator[Serving]:
    try:
        service.listens()
        yield service
    finally:
        if service.code is None:
            service.kill()


def until(true: Callable[[], bool], seconds: float = _LONG, told: Callable[[], str] = lambda: "") -> None:
    """Wait for something to become true."""
    seconds = patiently(seconds)
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:.0f} s: {told()}")
        time.sleep(0.05)


def state_file(tmp_path: Path) -> Path:
    """Where the tests' state database is, unless it is PostgreSQL."""
    return tmp_path / "state" / "respond.db"
