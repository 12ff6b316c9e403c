"""One tenant's process: started, watched, started again, told to stop; and its log, passed on under its name.

It is the same `respond serve` or `respond worker` as for a tenant alone. What becomes of it (a crash, a database that
hangs, a wrong policy) is its own affair: here it costs a task that waits. It is started again after a second, and after
longer and longer if it does not stay up.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from respond import tenants
from respond.observe.logs import Level, log
from respond.observe.tenants import TenantFigures

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0
_STAYED_UP = 60.0
"""Seconds after which the next wait is the first again."""
_LONGEST_LINE = 1024 * 1024
_LAST_WORDS = 15.0
"""Seconds beyond its grace that a process has to end."""


class State(StrEnum):
    STARTING = "starting"
    READY = "ready"
    NOT_READY = "not-ready"
    SILENT = "silent"
    DOWN = "down"


class Child:
    """Keeps the process of one tenant.

    Args:
        command: of `respond`, with its options.
        grace: how long it goes on with what it has begun when it is told to stop.

    Attributes:
        state: as it was last seen.
        url: where it listens; empty while it does not, and for a worker.
        secret: that it wants to be shown.
    """

    def __init__(
        self, name: str, command: tuple[str, ...], *, config: Path, grace: timedelta, figures: TenantFigures
    ) -> None:
        self.name = name
        self.state = State.STARTING
        self.url = ""
        self.secret = ""
        self._command = (*command, "--tenant", name, "--behind", "--config", str(config))
        self._grace = grace.total_seconds()
        self._figures = figures
        self._process: Process | None = None
        self._ending = asyncio.Event()

    @property
    def is_ending(self) -> bool:
        """It was told to stop."""
        return self._ending.is_set()

    @property
    def pid(self) -> int | None:
        """Of the process that runs, if one does."""
        return self._process.pid if self._process else None

    def seen(self, state: State) -> None:
        """What it was just found to be; told when it is another than before."""
        if state is self.state:
            return
        self.state = state
        self._figures.up(self.name, is_up=state is State.READY)
        level = Level.INFO if state in (State.READY, State.STARTING) else Level.WARNING
        log("tenant-state", level=level, tenant=self.name, state=state)

    async def keep(self) -> None:
        """Run it again and again, until `stop`."""
        loop, wait = asyncio.get_running_loop(), _FIRST_WAIT
        while not self.is_ending:
            began = loop.time()
            await self._run_once()
            if self.is_ending:
                return
            wait = _FIRST_WAIT if loop.time() - began > _STAYED_UP else wait
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), wait)
                return
            wait = min(wait * 2, _LONGEST_WAIT)
            self._figures.restarted(self.name)

    async def stop(self, hurry: asyncio.Event) -> None:
        """Have it wind down.

        Args:
            hurry: it is to leave at once.
        """
        self._ending.set()
        if (process := self._process) is None:
            return
        if self.state is State.SILENT:  # it would not hear; what it has begun, the next one finishes
            self.kill()
            return
        self._tell(signal.SIGTERM)
        pressed = asyncio.ensure_future(hurry.wait())
        ended = asyncio.ensure_future(process.wait())
        await asyncio.wait((pressed, ended), timeout=self._grace + _LAST_WORDS, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            self._tell(signal.SIGTERM)
            await asyncio.wait((ended,), timeout=_LAST_WORDS)
        pressed.cancel()
        if not ended.done():
            self.kill()

    def kill(self) -> None:
        """End it as the power cut would; its state survives that."""
        self._tell(signal.SIGKILL)

    def _tell(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _run_once(self) -> None:
        self.seen(State.STARTING)
        self.secret = secrets.token_hex(32)
        code: int | None = None
        try:
            process = self._process = await self._start()
            if self.is_ending:  # told so while it began
                self._tell(signal.SIGTERM)
            last = await self._listen(process)
            code = await process.wait()
        except OSError as error:  # no memory, no process to be had: that may pass
            last = f"{type(error).__name__}: {error.strerror}"
        finally:
            self.kill()  # nobody would hear of one that is left
            self._process, self.url = None, ""
        if not self.is_ending:
            log("tenant-ended", level=Level.ERROR, tenant=self.name, code=code, reason=last or None)
        self.seen(State.DOWN)

    async def _start(self) -> Process:
        """It lives as long as the pipe to it, whose first line is the secret."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "respond",
            *self._command,
            stdin=PIPE,
            stdout=DEVNULL,
            stderr=PIPE,
            env=tenants.environment_of(self.name, os.environ) | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,  # Ctrl-C is for the front, which tells them in order
            limit=_LONGEST_LINE,
        )
        assert process.stdin is not None  # noqa: S101
        process.stdin.write(f"{self.secret}\n".encode())
        return process

    async def _listen(self, process: Process) -> str:
        """Pass its log on until it ends; the last line that was none, as an error at the start is."""
        assert process.stderr is not None  # noqa: S101
        last = ""
        while True:
            try:
                line = await process.stderr.readline()
            except ValueError:  # a line without end; what comes behind it is read on
                continue
            if not line:
                return last
            text = line.decode(errors="replace").strip()
            try:
                said = json.loads(text)
            except ValueError:
                said = None
            if isinstance(said, dict):
                self._pass_on(said)
            elif text:
                last = text.removeprefix("respond: ")

    def _pass_on(self, said: dict[str, Any]) -> None:
        head = {key: said.pop(key) for key in ("ts", "level", "event") if key in said}
        said.pop("tenant", None)
        with contextlib.suppress(OSError):  # a log that nobody reads any more must not stop the service
            sys.stderr.write(json.dumps({**head, "tenant": self.name, **said}, ensure_ascii=False) + "\n")
            sys.stderr.flush()
        if head.get("event") == "listening":
            self.url = f"http://{said['address'][0]}"
        elif head.get("event") == "working":
            self.seen(State.READY)
