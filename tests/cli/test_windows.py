"""Where POSIX is missing, the commands that only read and answer work, and the others say what does.

There is no Windows here: an interpreter without the modules and functions that Windows lacks stands in for it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.command import ROOT, VICTIM, respond
from tests.helpers.patience import patiently
from tests.lab.running_lab import RunningLab

_WITHOUT = """
import os, sys

class _Missing:
    def find_spec(self, name, path=None, target=None):
        if name in ("fcntl", "grp", "pwd", "resource", "termios"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules.pop(name, None)
sys.meta_path.insert(0, _Missing())
for name in ("getuid", "geteuid", "uname", "getlogin"):
    if hasattr(os, name):
        delattr(os, name)
"""


def without_posix(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "sitecustomize.py").write_text(_WITHOUT)
    env = {key: value for key, value in os.environ.items() if key not in ("USER", "LOGNAME", "USERNAME", "LNAME")}
    env["PYTHONPATH"] = str(folder)
    command = [sys.executable, "-m", "respond", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=patiently(60)
    )


@pytest.mark.soak
def test_commands_that_read_work_and_the_others_say_in_one_line_what_does(
    lab: Callable[..., RunningLab], tmp_path: Path
) -> None:
    lab()
    case = respond("--user", VICTIM, "--json").json["case"]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return without_posix(*arguments, folder=tmp_path)

    assert json.loads(run("cases", "--json").stdout)[0]["case"] == case
    assert run("show", case).returncode == 0
    hunted = run("hunt", "--json")
    assert (hunted.returncode, hunted.stderr) == (0, "")
    assert json.loads(hunted.stdout)["sign_ins"]
    place = str(tmp_path / "made")
    tenant, workspace = "5a5a5a5a-0000-4000-8000-000000000001", "5a5a5a5a-0000-4000-8000-000000000002"
    ids = ("--tenant-id", tenant, "--workspace-id", workspace)
    made = run("init", *ids, "--cloud", "public", "--identity", "certificate", "--read-only", "--dir", place)
    assert made.returncode == 0, made.stderr
    frozen = run("freeze", "--why", "drill")
    assert frozen.returncode == 0, frozen.stderr
    assert "unknown@" in frozen.stdout
    refused = run("--user", VICTIM)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "WSL" in refused.stderr


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_service_refuses_on_windows_before_anything_else(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    told = respond(command)
    assert told.code == 2
    assert told.err == f"respond: {command}: needs Linux or macOS; on Windows run it in WSL or in the container\n"
