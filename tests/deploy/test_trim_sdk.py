"""What the image leaves out of the Graph SDK is what nothing here imports."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgraph
import pytest

from deploy.trim_sdk import KEPT, trim
from tests.helpers.command import ROOT, VICTIM
from tests.helpers.patience import patiently
from tests.lab.running_lab import RunningLab

SDK = Path(msgraph.__path__[0])
EVERY_MODULE = """
import importlib, pkgutil, sys
import actions, playbooks, respond.clients, respond.doctor
for package in (actions, playbooks, respond.clients, respond.doctor):
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(found.name)
import msgraph
from msgraph.generated.base_graph_service_client import BaseGraphServiceClient
for name in sys.argv[2:]:
    builder = getattr(BaseGraphServiceClient, name)
assert msgraph.__path__[0].startswith(sys.argv[1]), msgraph.__path__
"""


def used() -> set[str]:
    """Roots of the API that the code names, and packages of the SDK that it imports."""
    files = [path for folder in ("respond", "actions", "playbooks") for path in (ROOT / folder).rglob("*.py")]
    text = "\n".join(path.read_text() for path in files)
    named = set(re.findall(r"\bsdk\.(\w+)", text)) | set(re.findall(r"msgraph\.generated\.(\w+)", text))
    return {name for name in named if (SDK / "generated" / name).is_dir()}


@pytest.fixture
def trimmed(tmp_path: Path) -> Path:
    """A directory with an SDK as the image has it."""
    place = tmp_path / "trimmed"
    (place / "msgraph" / "generated").mkdir(parents=True)
    for source in SDK.iterdir():
        if source.name not in ("generated", "__pycache__"):
            (place / "msgraph" / source.name).symlink_to(source)
    for source in (SDK / "generated").iterdir():
        (place / "msgraph" / "generated" / source.name).symlink_to(source)
    trim(place)
    return place


def test_what_is_kept_is_what_is_used() -> None:
    assert used() == KEPT


def run(trimmed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": f"{trimmed}{os.pathsep}{ROOT}"}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=trimmed, env=env, capture_output=True, text=True, check=False, timeout=patiently(90)
    )


@pytest.mark.soak
def test_every_module_loads_and_a_case_and_a_check_up_run_on_a_trimmed_sdk(
    trimmed: Path, lab: Callable[..., RunningLab]
) -> None:
    lab()
    assert not (trimmed / "msgraph" / "generated" / "drives").exists()
    loaded = run(trimmed, "-c", EVERY_MODULE, str(trimmed), *sorted(KEPT - {"models"}))
    assert loaded.returncode == 0, loaded.stderr
    answered = run(trimmed, "-m", "respond", "--user", VICTIM, "--json")
    assert answered.returncode == 0, answered.stdout + answered.stderr
    looked = run(trimmed, "-m", "respond", "doctor")
    assert "0 errors" in looked.stdout, looked.stdout + looked.stderr


def test_an_sdk_that_lacks_a_root_in_use_is_refused(trimmed: Path) -> None:
    (trimmed / "msgraph" / "generated" / "users").unlink()
    with pytest.raises(SystemExit, match="lacks users"):
        trim(trimmed)


def test_the_image_is_trimmed() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert "deploy/trim_sdk.py" in text
    importlib.import_module("deploy.trim_sdk")
