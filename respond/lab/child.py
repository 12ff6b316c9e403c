"""The lab for the length of one command: a child process that ends when its parent does, however it ends.

A process of its own, because DuckDB and its KQL parser warm up while the command loads the SDKs, and because the
lab is then reached as Azure is: over HTTP, by nobody's short cut.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Self

from respond.errors import UsageError


class ChildLab:
    """Start the lab; `url` waits until it listens.

    The child watches its standard input, whose other end dies with this process: no lab outlives its command.
    """

    def __init__(self, config: Path) -> None:
        command = [sys.executable, "-m", "respond", "lab", "serve", "--port", "0", "--config", str(config), "--child"]
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self._said: dict[str, str] | None = None

    @property
    def url(self) -> str:
        """Where it listens.

        Raises:
            UsageError: it could not start, with its own reason: a bad scenario, most likely.
        """
        return self._announced["url"]

    @property
    def loaded(self) -> str:
        """What the lab did with its data at the start."""
        return self._announced.get("loaded", "")

    @property
    def _announced(self) -> dict[str, str]:
        if self._said is None:
            out, err = self._process.stdout, self._process.stderr
            line = out.readline() if out else ""
            if not line:
                reason = (err.read() if err else "").strip().removeprefix("respond: ")
                raise UsageError(reason.splitlines()[-1] if reason else "the lab ended without a word")
            self._said = json.loads(line)
        return self._said

    def close(self) -> None:
        """End it, at once: what it keeps is in SQLite transactions, and nobody else asks it anything."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.kill()
        self._process.wait(timeout=10)
        for stream in (self._process.stdout, self._process.stderr):
            if stream:
                stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
