"""Running the command line, in this process or in one that can be killed."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from respond.cli.main import run
from tests.helpers.patience import patiently
from tests.lab.running_lab import RunningLab

ROOT = Path(__file__).parents[2]
VICTIM = "target.user@contoso.com"


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def action(self, name: str) -> Any:
        return next(action for action in self.json["actions"] if action["name"] == name)


def respond(*arguments: str) -> Answer:
    """Run a command here; the environment decides on state and lab."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(arguments)
    return Answer(code, out.getvalue(), err.getvalue())


def spawn(*arguments: str, die_at: str = "") -> subprocess.Popen[str]:
    """Run a command in a process of its own.

    Args:
        die_at: `started:open_ticket`; the process kills itself at that event of that action.
    """
    module = ["tests.helpers.killed_command", die_at] if die_at else ["respond"]
    return subprocess.Popen(
        [sys.executable, "-m", *module, *arguments],
        cwd=ROOT,
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> Answer:
    out, err = process.communicate(timeout=patiently(90))
    return Answer(process.returncode, out, err)


def revocations(tenant: RunningLab) -> list[dict[str, Any]]:
    """What the lab's journal holds of revoked sessions, over all its restarts."""
    return [write for write in tenant.get("/_lab/writes") if "revokeSignInSessions" in write["path"]]
