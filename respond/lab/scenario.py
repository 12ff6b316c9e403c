"""Scenarios, read and checked: a directory with `scenario.json` and what else the story needs.

That is `<Table>.jsonl`, `directory.json`, `incidents.json` and `happens.json` (see `respond.lab.happenings`).
Every mistake in a file is a `UsageError` that names the file, the line and the column or key.
"""

from __future__ import annotations

import difflib
import hashlib
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from respond.errors import UsageError
from respond.lab.columns import EXPECTED, columns_of, split_timestamp
from respond.lab.directory_file import read_directory
from respond.lab.happenings import read_happenings
from respond.lab.incident_file import read_incidents
from respond.lab.json_file import parse, read_text, unreadable
from respond.lab.rows import TableFile

_SHIPPED = Path(__file__).with_name("scenarios")
_TABLE_LISTS = ("absent_tables", "defender_tables", "workspace_tables")
_KEYS = {"title", "now", "expect", *_TABLE_LISTS}
_VERDICTS = {"malicious", "suspicious", "benign", "no-activity"}


@dataclass(frozen=True)
class Scenario:
    """A story as it stands in its files: nothing is moved to the present yet.

    Attributes:
        now: the moment the story is told at, UTC.
        absent_tables: neither the workspace nor advanced hunting has them.
        defender_tables: only advanced hunting has them: they are not connected to the workspace.
        workspace_tables: only the workspace has them: they are not onboarded to Defender XDR.
        expect: UPN -> {"verdict", "why"}; for tests and people only.
        tables: table name -> its file, which yields the rows.
        directory: collection -> Graph-shaped objects.
        incidents: entries of `incidents.json`.
        happenings: entries of `happens.json`.
        digest: SHA-256 over the names and bytes of the files.
    """

    path: Path
    title: str
    now: datetime
    absent_tables: frozenset[str]
    expect: dict[str, dict[str, str]]
    tables: dict[str, TableFile]
    directory: dict[str, Any]
    incidents: list[dict[str, Any]]
    happenings: list[dict[str, Any]]
    digest: str
    defender_tables: frozenset[str] = frozenset()
    workspace_tables: frozenset[str] = frozenset()

    def lacks(self, form: str) -> frozenset[str]:
        """Tables that a form of the story (see `row_jobs.FORMS`) does not have."""
        return self.absent_tables | (self.defender_tables if form == "workspace" else self.workspace_tables)

    @property
    def size(self) -> int:
        """Bytes of all rows."""
        return sum(file.size for file in self.tables.values())


def find(data: str) -> Path:
    """The directory that `data` names: a path, or the name of a scenario that ships with the program.

    Raises:
        UsageError: there is neither.
    """
    path = Path(data).expanduser()
    if data and path.is_dir():
        return path.resolve()
    if data in _names():
        return _SHIPPED / data
    near = [name for name in _names() if data and name.startswith(data)] or difflib.get_close_matches(
        data, _names(), n=3
    )
    hint = f"did you mean {' or '.join(near[:3])}? " if near else ""
    raise UsageError(
        f"no scenario {data!r}: neither shipped nor a directory with scenario.json; {hint}"
        "`respond lab scenarios` lists those that ship"
    )


def shipped() -> list[tuple[str, str, dict[str, dict[str, str]]]]:
    """(name, title, expect) of every scenario that ships, by name."""
    found = []
    for name in _names():
        head = _read_head(_SHIPPED / name)
        found.append((name, head["title"], head["expect"]))
    return found


def outline(directory: Path) -> Scenario:
    """Read and check a scenario but for its rows.

    Raises:
        UsageError: a file is missing or broken, or is not named after a table.
    """
    head = _read_head(directory)
    absent = frozenset(head["absent_tables"])
    return Scenario(
        path=directory.resolve(),
        title=head["title"],
        now=head["now"],
        absent_tables=absent,
        expect=head["expect"],
        tables={path.stem: _table_file(path, absent) for path in sorted(directory.glob("*.jsonl"))},
        directory=read_directory(directory / "directory.json"),
        incidents=read_incidents(directory / "incidents.json"),
        happenings=read_happenings(directory / "happens.json"),
        digest=_digest(directory),
        defender_tables=frozenset(head["defender_tables"]),
        workspace_tables=frozenset(head["workspace_tables"]),
    )


def read(directory: Path) -> Scenario:
    """Read and check a whole scenario.

    Raises:
        UsageError: as `outline`, or a row does not fit its table.
    """
    story = outline(directory)
    check_rows(story)
    return story


def check_rows(story: Scenario) -> None:
    """Read every row.

    Raises:
        UsageError: the first mistake in one.
    """
    for file in story.tables.values():
        deque(file, maxlen=0)


def _names() -> list[str]:
    return sorted(path.parent.name for path in _SHIPPED.glob("*/scenario.json"))


def _digest(directory: Path) -> str:
    digest = hashlib.sha256()
    single = [directory / f"{name}.json" for name in ("directory", "happens", "incidents", "scenario")]
    for path in sorted([*directory.glob("*.jsonl"), *single]):
        if path.is_file():
            digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
            try:
                with path.open("rb") as file:
                    hashlib.file_digest(file, lambda: digest)
            except OSError as error:
                raise unreadable(path, error) from error
    return digest.hexdigest()


def _read_head(directory: Path) -> dict[str, Any]:
    path = directory / "scenario.json"
    if not path.is_file():
        raise UsageError(f"{directory} is not a scenario: it has no scenario.json; write one with title and now")
    head = parse(read_text(path), path)
    if not isinstance(head, dict):
        raise UsageError(f"{path}: must be a JSON object with title and now")
    if unknown := sorted(set(head) - _KEYS):
        raise UsageError(f"{path}: unknown key {unknown[0]!r}; known are {', '.join(sorted(_KEYS))}")
    if not isinstance(head.get("title"), str):
        raise UsageError(f"{path}: title must be a string")
    moment = split_timestamp(head["now"]) if isinstance(head.get("now"), str) else None
    if moment is None:
        raise UsageError(f"{path}: now must be {EXPECTED['datetime']}")
    return {
        "title": head["title"],
        "now": moment[0],
        **{key: _table_list(head.get(key, []), key, path) for key in _TABLE_LISTS},
        "expect": _expect(head.get("expect", {}), path),
    }


def _table_list(value: Any, key: str, path: Path) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise UsageError(f"{path}: {key} must be a list of table names")
    for name in value:
        if columns_of(name) is None:
            raise UsageError(f"{path}: {key} names {name!r}, which is not a table the lab knows")
    return value


def _expect(value: Any, path: Path) -> dict[str, dict[str, str]]:
    if not isinstance(value, dict):
        raise UsageError(f"{path}: expect must be an object, UPN to verdict and why")
    for upn, entry in value.items():
        if (
            not isinstance(entry, dict)
            or entry.get("verdict") not in _VERDICTS
            or not isinstance(entry.get("why"), str)
        ):
            raise UsageError(f"{path}: expect.{upn} needs a verdict ({', '.join(sorted(_VERDICTS))}) and a why")
    return value


def _table_file(path: Path, absent: frozenset[str]) -> TableFile:
    if columns_of(path.stem) is None:
        raise UsageError(
            f"{path}: no table is called {path.stem!r}; files are named after tables, as in SigninLogs.jsonl"
        )
    if path.stem in absent:
        raise UsageError(f"{path}: scenario.json lists {path.stem} as absent; remove the file or the entry")
    try:
        return TableFile(path, path.stat().st_size)
    except OSError as error:
        raise unreadable(path, error) from error
