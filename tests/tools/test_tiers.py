"""The tier of a test is read from what it starts, and a tier that costs too much fails."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from respond.lab import scenario
from tests.helpers import postgres, tiers
from tests.helpers.command import ROOT, spawn
from tests.helpers.serving import Serving
from tests.helpers.tiers import Tier
from tests.lab.running_lab import running


def through_a_function() -> None:
    spawn("cases")


def through_a_class() -> None:
    Serving("serve")


def through_a_module() -> None:
    with postgres.server():
        pass


def through_an_import_within() -> None:
    from tests.lab.running_lab import running as begin

    with begin(Path(), Path()):
        pass


def within_another() -> Any:
    def inner() -> None:
        subprocess.run(["true"], check=True)  # noqa: S607

    return inner


@pytest.fixture
def has_a_lab(tmp_path: Path) -> Iterator[None]:
    with running(scenario.find("seed-true-positive"), tmp_path):
        yield


def test_nothing() -> None:
    """Stands for a test that starts nothing."""


@pytest.mark.parametrize(
    ("code", "tier"),
    [
        (through_a_function, {Tier.PROCESS}),
        (through_a_class, {Tier.PROCESS}),
        (through_a_module, {Tier.DATABASE}),
        (through_an_import_within, {Tier.LAB}),
        (within_another, {Tier.PROCESS}),
        (functools.partial(spawn, "cases"), {Tier.PROCESS}),
        (test_nothing, set()),
    ],
    ids=["function", "class", "module", "local import", "inner function", "partial", "nothing"],
)
def test_what_code_starts_is_found_however_it_names_it(code: Any, tier: set[Tier]) -> None:
    assert tiers.reached(code) == tier


def test_a_fixture_counts_as_the_test_that_uses_it(request: pytest.FixtureRequest, has_a_lab: None) -> None:  # noqa: ARG001
    assert tiers.starts(request.node) == {Tier.LAB}


SPENDS = """
import time

def test_spends():
    until = time.process_time() + 0.3
    while time.process_time() < until:
        pass
"""
HIDES = """
import importlib

def test_hides():
    name = "sub" + "process"
    importlib.import_module(name).run(["true"], check=True)
"""


def run(folder: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A test of its own, run with the plugin."""
    (folder / "test_it.py").write_text(code)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.helpers.budget", "-c", str(folder / "pytest.ini")]
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    process: x\n    database: x\n    lab: x\n")
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [*command, "--rootdir", str(folder.parent), *arguments, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=env,
    )


@pytest.mark.parametrize(
    ("limit", "total", "over"), [(0.1, 60, "spending"), (60, 60, ""), (60, 0.1, "total")], ids=["folder", "none", "all"]
)
def test_a_run_that_spends_more_than_its_budget_fails(tmp_path: Path, limit: float, total: float, over: str) -> None:
    folder = tmp_path / "spending"
    folder.mkdir()
    budget = tmp_path / "budget.toml"
    budget.write_text(f'[cpu_seconds]\n"spending" = {limit}\ntotal = {total}\n')
    ran = run(folder, SPENDS, f"--budget={budget}")
    assert ran.returncode == bool(over), ran.stdout
    told = f"over budget: {over}. Make a test cheaper, or mark it soak: spending/test_it.py::test_spends"
    assert (told in ran.stdout) == bool(over)


def test_a_start_that_no_code_shows_fails_the_test(tmp_path: Path) -> None:
    folder = tmp_path / "hiding"
    folder.mkdir()
    ran = run(folder, HIDES)
    assert ran.returncode == 1
    assert "starts a process, which its code does not show" in ran.stdout
