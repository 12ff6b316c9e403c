"""`happens.json`: what goes on in the tenant while somebody responds, such as an attacker who registers a device.

A list of `{"on": "POST */revokeSignInSessions", "after": "0s", "times": 1, "add": {"devices": [{…}]}}`:

- `on`: shell pattern over `METHOD /path` of a write; case matters not. It counts as soon as the write is in the
  journal, whatever it was answered with.
- `after`: how long after that write it happens; nothing, unless it is given.
- `times`: how many such writes it happens after; one, unless it is given.
- `add`: objects in the shape of `directory.json`. One with the id of an object that is there replaces it. Times move
  as everywhere; a property whose name ends in `DateTime` may be `"now"`: the moment it happens.

What has happened stays so over a restart, until the story is loaded again.
"""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from respond.durations import parse_duration
from respond.errors import UsageError
from respond.lab.directory_file import DELETED_USERS, PER_USER, check_directory, rows
from respond.lab.json_file import parse, read_text

TABLES = ("happenings", "due")
SCHEMA = """
CREATE TABLE IF NOT EXISTS happenings (
    id INTEGER PRIMARY KEY, pattern TEXT NOT NULL, after REAL NOT NULL, times INTEGER NOT NULL, added TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS due (id INTEGER PRIMARY KEY, at REAL NOT NULL, added TEXT NOT NULL);
"""
_KEYS = ("on", "after", "times", "add")
_SOME_TIME = "2000-01-01T00:00:00Z"


def read_happenings(path: Path) -> list[dict[str, Any]]:
    """The entries of the file. A missing file is a tenant where nothing happens by itself.

    Raises:
        UsageError: not JSON, or an entry that says too little, or adds what no directory can hold.
    """
    if not path.exists():
        return []
    content = parse(read_text(path), path)
    if not isinstance(content, list):
        raise UsageError(f"{path}: must be a list of entries with 'on' and 'add'")
    for index, entry in enumerate(content):
        _check(entry, f"{path}: [{index}]")
    return content


def fill(db: sqlite3.Connection, entries: list[dict[str, Any]]) -> None:
    """Put the happenings of a story in, their times moved already."""
    for entry in entries:
        after = parse_duration(entry.get("after", "0s")).total_seconds()
        db.execute(
            "INSERT INTO happenings (pattern, after, times, added) VALUES (?, ?, ?, ?)",
            (entry["on"].lower(), after, entry.get("times", 1), json.dumps(entry["add"])),
        )


def note(db: sqlite3.Connection, method: str, path: str) -> None:
    """A write has been received: what waits for it happens, or becomes due later."""
    line, now = f"{method} {path}".lower(), datetime.now(UTC).timestamp()
    waiting = db.execute("SELECT id, pattern, after, added FROM happenings WHERE times > 0 ORDER BY id").fetchall()
    for key, pattern, after, added in waiting:
        if fnmatchcase(line, pattern):
            db.execute("UPDATE happenings SET times = times - 1 WHERE id = ?", (key,))
            db.execute("INSERT INTO due (at, added) VALUES (?, ?)", (now + after, added))
    happen(db)


def is_due(db: sqlite3.Connection) -> bool:
    """Whether anything should have happened by now."""
    now = datetime.now(UTC).timestamp()
    return db.execute("SELECT 1 FROM due WHERE at <= ? LIMIT 1", (now,)).fetchone() is not None


def happen(db: sqlite3.Connection) -> None:
    """Add the objects of all that is due, in the order of time."""
    now = datetime.now(UTC).timestamp()
    due = db.execute("SELECT id, at, added FROM due WHERE at <= ? ORDER BY at, id", (now,)).fetchall()
    for key, at, added in due:
        moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        for collection, owner, name, body in rows(_dated(json.loads(added), moment)):
            merged = _merged(db, collection, owner, body) if collection in PER_USER else body
            store(db, collection, owner, name, merged)
            if collection == DELETED_USERS:
                db.execute("DELETE FROM objects WHERE collection = 'users' AND key = ?", (owner,))
        db.execute("DELETE FROM due WHERE id = ?", (key,))


def store(db: sqlite3.Connection, collection: str, key: str, name: str, body: str) -> None:
    """Put one object in; one that is there keeps its place and its name."""
    db.execute(
        "INSERT INTO objects (collection, key, name, body) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (collection, key) DO UPDATE SET body = excluded.body",
        (collection, key, name, body),
    )


def _merged(db: sqlite3.Connection, collection: str, owner: str, body: str) -> str:
    """The list of a user with the new items at its end; what has the id of one of them goes."""
    row = db.execute("SELECT body FROM objects WHERE collection = ? AND key = ?", (collection, owner)).fetchone()
    new = json.loads(body)
    ids = {item["id"] for item in new if "id" in item}
    kept = [item for item in json.loads(row[0]) if item.get("id") not in ids] if row else []
    return json.dumps(kept + new)


def _dated(value: Any, moment: str) -> Any:
    if isinstance(value, list):
        return [_dated(item, moment) for item in value]
    if isinstance(value, dict):
        return {
            name: moment if item == "now" and name.endswith("DateTime") else _dated(item, moment)
            for name, item in value.items()
        }
    return value


def _check(entry: Any, where: str) -> None:
    if not isinstance(entry, dict):
        raise UsageError(f"{where} must be an object")
    if unknown := sorted(set(entry) - set(_KEYS)):
        raise UsageError(f"{where} has an unknown key {unknown[0]!r}; known are {', '.join(_KEYS)}")
    if not isinstance(entry.get("on"), str) or " " not in entry["on"]:
        raise UsageError(f"{where} needs 'on' as text, a method and a path such as 'POST */revokeSignInSessions'")
    times = entry.get("times", 1)
    if isinstance(times, bool) or not isinstance(times, int) or times < 1:
        raise UsageError(f"{where}.times must be a number from 1, not {times!r:.60}")
    try:
        parse_duration(str(entry.get("after", "0s")))
    except ValueError as error:
        raise UsageError(f"{where}.after: {error}") from error
    check_directory(_dated(entry.get("add"), _SOME_TIME), f"{where}.add:")
