"""One change of the list, and whether it still fits the code."""

from __future__ import annotations

import ast
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

LIST = Path(__file__).with_name("changes.toml")


class Change(BaseModel):
    """A mistake that somebody could make.

    Attributes:
        file: what is changed, relative to the tree.
        old: stands there exactly once.
        new: replaces it.
        why: what would go wrong.
        tests: files, folders or `file::test` that must notice, the likeliest first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    file: str
    old: str
    new: str
    why: str
    tests: tuple[str, ...]

    def apply(self, tree: Path) -> str:
        """Change a tree; returns the text that was there."""
        file = tree / self.file
        before = file.read_text()
        file.write_text(before.replace(self.old, self.new))
        return before

    def undo(self, tree: Path, before: str) -> None:
        (tree / self.file).write_text(before)


def load(path: Path = LIST) -> tuple[Change, ...]:
    """The list.

    Raises:
        ValueError: a key is missing, unknown or of the wrong type.
    """
    return tuple(Change.model_validate(entry) for entry in tomllib.loads(path.read_text())["change"])


def misfits(changes: Iterable[Change], tree: Path) -> Iterator[str]:
    """What is wrong with the list, each in a line that names the change; nothing when it fits the tree."""
    changes = tuple(changes)
    for name, count in Counter(change.id for change in changes).items():
        if count > 1:
            yield f"{name}: {count} changes have this id"
    for change in changes:
        yield from (f"{change.id}: {wrong}" for wrong in _misfit(change, tree))


def _misfit(change: Change, tree: Path) -> Iterator[str]:
    file = tree / change.file
    if not file.is_file():
        yield f"there is no {change.file}"
        return
    text = file.read_text()
    if (count := text.count(change.old)) != 1:
        yield f"the old text stands {count} times in {change.file}, not once"
    elif not _is_python(text.replace(change.old, change.new)):
        yield f"{change.file} is no Python once it is changed"
    if change.old == change.new:
        yield "the new text is the old one"
    if not change.tests:
        yield "names no test"
    yield from (f"there is no {test}" for test in change.tests if not _is_there(test, tree))


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def _is_there(test: str, tree: Path) -> bool:
    path, _, name = test.partition("::")
    if not name:
        return (tree / path).exists()
    file = tree / path
    return file.is_file() and f"def {name.partition('[')[0]}(" in file.read_text()
