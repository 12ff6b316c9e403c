"""The list of changes fits the code, and a change that no test notices is told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.command import ROOT
from tools.mutation.changes import Change, load, misfits

CHANGES = load()
KNOWN = {"id": "a", "file": "product.py", "old": ">= 3", "new": "> 3", "why": "x", "tests": ("test_product.py",)}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A product of one function, with a test that does not look at its boundary."""
    (tmp_path / "product.py").write_text("def enough(count):\n    return count >= 3 and count >= 0\n")
    (tmp_path / "test_product.py").write_text(
        "from product import enough\n\n\ndef test_enough():\n    assert enough(4) and not enough(2)\n"
    )
    return tmp_path


def test_every_change_of_the_list_fits_the_code() -> None:
    assert list(misfits(CHANGES, ROOT)) == []
    assert len(CHANGES) >= 45


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ({}, []),
        ({"old": "count >= 4"}, ["a: the old text stands 0 times in product.py, not once"]),
        ({"old": ">="}, ["a: the old text stands 2 times in product.py, not once"]),
        ({"new": "> > 3"}, ["a: product.py is no Python once it is changed"]),
        ({"new": ">= 3"}, ["a: the new text is the old one"]),
        ({"file": "gone.py"}, ["a: there is no gone.py"]),
        ({"tests": ()}, ["a: names no test"]),
        ({"tests": ("test_product.py::test_enough[1]", "gone.py")}, ["a: there is no gone.py"]),
        ({"tests": ("test_product.py::test_gone",)}, ["a: there is no test_product.py::test_gone"]),
    ],
)
def test_a_change_that_does_not_fit_is_told(more: dict[str, object], wrong: list[str], tree: Path) -> None:
    assert list(misfits([Change.model_validate(KNOWN | more)], tree)) == wrong


def test_two_changes_of_one_name_are_told(tree: Path) -> None:
    change = Change.model_validate(KNOWN)
    assert list(misfits([change, change], tree)) == ["a: 2 changes have this id"]


def run(tree: Path, *changes: tuple[str, str, str], limit: float = 60) -> subprocess.CompletedProcess[str]:
    """The command, on a tree and a list of its own."""
    entries = (Change.model_validate(KNOWN | {"id": name, "old": old, "new": new}) for name, old, new in changes)
    kept = (
        f"[[change]]\n{''.join(f'{key} = {json.dumps(value)}' + chr(10) for key, value in entry)}" for entry in entries
    )
    (tree / "changes.toml").write_text("".join(kept))
    options = ["--limit", str(limit), "--tree", str(tree), "--list", str(tree / "changes.toml")]
    command = [sys.executable, "-m", "tools.mutation", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.soak
def test_a_survivor_and_a_change_that_proves_nothing_are_told_and_the_tree_stays_as_it_was(tree: Path) -> None:
    before = (tree / "product.py").read_text()
    ran = run(
        tree,
        ("survivor", ">= 3", "> 3"),
        ("noticed", ">= 3", "> 1"),
        ("broken", "def", "import nothing_of_that_name\ndef"),
    )
    told = {line.split()[0]: line.split()[1:] for line in ran.stdout.splitlines()}
    assert ran.returncode == 1
    assert told["survivor"][0] == "SURVIVED", ran
    assert (told["noticed"][0], told["noticed"][-1]) == ("killed", "test_product.py::test_enough")
    assert told["broken"][0] == "BROKEN"
    assert "nothing_of_that_name" in ran.stderr
    assert "3 changes: 1 killed (0 by timeout), 1 survived, 1 broken" in ran.stdout
    assert (tree / "product.py").read_text() == before


@pytest.mark.soak
def test_a_change_that_makes_tests_hang_is_stopped_and_counts_as_noticed(tree: Path) -> None:
    ran = run(tree, ("hanging", ">= 3", ">= 3 and __import__('time').sleep(600)"), limit=10)
    assert (ran.returncode, "hanging  timeout" in ran.stdout) == (0, True), ran


@pytest.mark.soak
def test_where_the_tests_fail_anyway_nothing_is_proven(tree: Path) -> None:
    (tree / "test_product.py").write_text("def test_enough():\n    raise ValueError\n")
    ran = run(tree, ("noticed", ">= 3", "> 1"))
    assert ran.returncode == 1
    assert "without any change the tests do not pass: test_product.py::test_enough" in ran.stderr
