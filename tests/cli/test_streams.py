"""What comes out where the terminal is none: a pipe that closes, an ASCII locale, a file of a given width."""

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

Lab = Callable[..., RunningLab]


def shell(line: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line in a shell in which `respond` is this one."""
    known = {**os.environ, **env, "R": f"{sys.executable} -m respond"}
    command = ["bash", "-c", f"set -o pipefail; {line}"]
    return subprocess.run(command, cwd=ROOT, env=known, capture_output=True, check=False, timeout=patiently(60))


def test_a_reader_that_leaves_early_changes_no_exit_code(lab: Lab) -> None:
    lab()
    case = respond("--user", VICTIM, "--json").json["case"]
    told = shell(f"$R show {case} | head -n 1; exit ${{PIPESTATUS[0]}}")
    assert (told.returncode, told.stderr, told.stdout.count(b"\n")) == (0, b"", 1)
    told = shell("$R permissions --json | true; exit ${PIPESTATUS[0]}")
    assert (told.returncode, told.stderr) == (0, b"")
    wrong = shell("$R show DC-NONE 2>&1 | true; exit ${PIPESTATUS[0]}")
    assert wrong.returncode == 2


def test_an_ascii_locale_gets_a_page_and_whole_json(lab: Lab) -> None:
    lab()
    case = respond("--user", VICTIM, "--json").json["case"]
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    page = shell(f"$R show {case}", **ascii_only)
    assert (page.returncode, page.stderr) == (0, b"")
    assert page.stdout.decode("ascii").startswith("respond ? LAB tenant ? DC-")
    scenarios = shell("$R lab scenarios --json", **ascii_only)
    assert json.loads(scenarios.stdout.decode("ascii")) == respond("lab", "scenarios", "--json").json


@pytest.mark.parametrize(("columns", "widest"), [("70", 70), ("", 110), ("200", 200), ("wide", 110)])
def test_a_page_in_a_pipe_is_as_wide_as_columns_says_and_has_no_trailing_blanks(
    columns: str, widest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    lines = respond("permissions").out.splitlines()
    assert [line for line in lines if line != line.rstrip()] == []
    assert max(map(len, lines)) <= widest


def test_html_goes_to_standard_output_on_a_dash(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab()
    monkeypatch.chdir(tmp_path)
    case = respond("--user", VICTIM, "--json").json["case"]
    told = respond("show", case, "--html", "-")
    assert told.code == 0
    assert told.out.startswith("<!DOCTYPE html>")
    assert not (tmp_path / "-").exists()


def test_the_list_of_commands_is_by_job_and_whole() -> None:
    told = respond("--help").out
    jobs = ("Triage:", "Decide and contain:", "Service:", "Set-up and tuning:")
    assert [line for line in told.splitlines() if line in jobs] == list(jobs)
    assert not [line for line in told.splitlines() if line.endswith("...") and not line.startswith("Usage")]


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_completion_as_the_page_says(name: str) -> None:
    told = shell("$R", _RESPOND_COMPLETE=f"{name}_source")
    assert told.returncode == 0
    assert b"_RESPOND_COMPLETE" in told.stdout
