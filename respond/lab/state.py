"""What the lab remembers between runs: the story, its directory and incidents as they now are, the writes received.

One SQLite file, `lab.db`; several processes may use it at once. Loading is one transaction: a scenario that cannot
be read leaves everything as it was.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from respond.errors import UsageError
from respond.lab import clock, directory_file, happenings, incident_state, loading, scenario, timeshift
from respond.lab.directory_file import DELETED_USERS, LISTS, PER_USER

FRESH_FOR = timedelta(hours=12)
"""After this, "the last 24 hours" would no longer mean the story: it is loaded again."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS objects (
    collection TEXT NOT NULL, key TEXT NOT NULL COLLATE NOCASE,
    name TEXT NOT NULL COLLATE NOCASE, body TEXT NOT NULL,
    PRIMARY KEY (collection, key));
CREATE INDEX IF NOT EXISTS objects_by_name ON objects (collection, name);
CREATE INDEX IF NOT EXISTS users_by_mail ON objects (json_extract(body, '$.mail') COLLATE NOCASE)
    WHERE collection = 'users';
CREATE INDEX IF NOT EXISTS users_by_sid ON objects (json_extract(body, '$.onPremisesSecurityIdentifier') COLLATE NOCASE)
    WHERE collection = 'users';
CREATE TABLE IF NOT EXISTS writes (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL, status INTEGER NOT NULL,
    body TEXT);
"""
_TABLES = ("meta", "objects", "writes", *incident_state.TABLES, *happenings.TABLES)


class Loading(StrEnum):
    """What opening the state did."""

    KEPT = "kept: this story was already loaded"
    FIRST = "loaded: nothing was loaded before"
    OTHER = "loaded: another story was loaded before"
    CHANGED = "loaded again: its files have changed"
    EXPIRED = "loaded again: it was loaded more than 12 hours ago"
    FORCED = "loaded, as asked"


@dataclass(frozen=True)
class Loaded:
    """The story in force.

    Attributes:
        shift: add this to every time in the story; whole seconds.
    """

    how: Loading
    story: scenario.Scenario
    loaded_at: datetime
    shift: timedelta


class LabState:
    """The lab's memory in one directory.

    Args:
        state_dir: made if missing; holds `lab.db`, and the tables of a large story.

    Raises:
        UsageError: the directory or the file in it cannot be used.
    """

    def __init__(self, state_dir: Path) -> None:
        self.folder = state_dir
        self._path = state_dir / "lab.db"
        try:
            state_dir.mkdir(parents=True, exist_ok=True)
            with self._connect() as db:
                db.execute("PRAGMA journal_mode=WAL")
                db.executescript(_SCHEMA + incident_state.SCHEMA + happenings.SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise UsageError(
                f"{self._path}: the lab cannot keep its state there ({error}); choose another state.dir"
            ) from error
        self.incidents = incident_state.Incidents(self._connect, self._transaction)

    def open(self, data_dir: Path) -> Loaded:
        """Load the story unless it is loaded already, unchanged and fresh.

        Raises:
            UsageError: the scenario is not one; the previous state is untouched.
        """
        return self._load(data_dir, force=False)

    def load(self, data_dir: Path) -> Loaded:
        """Load the story afresh, whatever is loaded.

        Raises:
            UsageError: as `open`.
        """
        return self._load(data_dir, force=True)

    def reset(self) -> None:
        """Forget the story, every change made to it, and the journal."""
        with self._transaction() as db:
            _clear(db)
        loading.tidy(self.folder)

    def mark(self) -> tuple[str, str, str] | None:
        """Directory, digest and load time of the story in force: changes when another is loaded; None without one."""
        with self._connect() as db:
            meta = _meta(db)
        return (meta["path"], meta["digest"], meta["loaded_at"]) if meta else None

    def get(self, collection: str, key: str) -> Any:
        """One object by id, any case; None when there is none."""
        return self._one("SELECT body FROM objects WHERE collection = ? AND key = ?", collection, key)

    def by_name(self, collection: str, name: str) -> Any:
        """One object by UPN, deviceId or appId (service principals), any case; None when there is none."""
        return self._one("SELECT body FROM objects WHERE collection = ? AND name = ? AND name != ''", collection, name)

    def all(self, collection: str) -> list[Any]:
        """Every object of a collection, in the order of the file."""
        with self._connect() as db:
            rows = db.execute("SELECT body FROM objects WHERE collection = ? ORDER BY rowid", (collection,))
            return [json.loads(body) for (body,) in rows]

    def select(self, collection: str, condition: str, values: Sequence[str]) -> list[Any]:
        """The objects of a collection that fit, in the order of the file.

        Args:
            condition: SQL over `key`, `name` and `body`, with `?` for each of the values.
        """
        query = f"SELECT body FROM objects WHERE collection = '{collection}' AND ({condition}) ORDER BY rowid"  # noqa: S608 - ours
        with self._connect() as db:
            return [json.loads(body) for (body,) in db.execute(query, tuple(values))]

    def change(self, collection: str, key: str, edit: Callable[[Any], Any]) -> Any:
        """Replace one object by what `edit` makes of it, as one transaction; None when there is none."""
        with self._transaction() as db:
            row = db.execute("SELECT body FROM objects WHERE collection = ? AND key = ?", (collection, key)).fetchone()
            if row is None:
                return None
            after = edit(json.loads(row[0]))
            db.execute(
                "UPDATE objects SET body = ? WHERE collection = ? AND key = ?", (json.dumps(after), collection, key)
            )
            return after

    def put(self, collection: str, key: str, edit: Callable[[Any], Any]) -> Any:
        """Create or replace one object: `edit` gets it as it is, or None; if it raises, nothing changes."""
        with self._transaction() as db:
            row = db.execute("SELECT body FROM objects WHERE collection = ? AND key = ?", (collection, key)).fetchone()
            after = edit(json.loads(row[0]) if row else None)
            happenings.store(db, collection, key, "", json.dumps(after))
            return after

    def remove(self, collection: str, key: str) -> bool:
        """Remove one object; False when there is none."""
        with self._transaction() as db:
            gone = db.execute("DELETE FROM objects WHERE collection = ? AND key = ?", (collection, key))
            return gone.rowcount > 0

    def catch_up(self) -> None:
        """Let happen what is due by now."""
        with self._connect() as db:
            is_due = happenings.is_due(db)
        if is_due:
            with self._transaction() as db:
                happenings.happen(db)

    def directory(self) -> dict[str, Any]:
        """The directory as it now is, in the shape of `directory.json`."""
        self.catch_up()
        with self._connect() as db:
            rows = db.execute("SELECT collection, key, body FROM objects ORDER BY rowid").fetchall()
        found: dict[str, Any] = {**{name: [] for name in LISTS}, **{name: {} for name in PER_USER}}
        for collection, key, body in rows:
            if collection in PER_USER:
                found[collection][key] = json.loads(body)
            else:
                found["users" if collection == DELETED_USERS else collection].append(json.loads(body))
        return found

    def record_write(self, method: str, path: str, status: int, body: str | None) -> None:
        """Add to the journal of writes received. Status 444: the connection was dropped before anything was done.

        What the story has waiting for this write happens, or becomes due.
        """
        with self._transaction() as db:
            db.execute(
                "INSERT INTO writes (at, method, path, status, body) VALUES (?, ?, ?, ?, ?)",
                (now_text(), method, path, status, body),
            )
            happenings.note(db, method, path)

    def revocations(self, *, after: int) -> list[tuple[int, str, dict[str, Any]]]:
        """Revocations that took effect: number in the journal, when, whose.

        Args:
            after: only those with a higher number.
        """
        done = "id > ? AND method = 'POST' AND path LIKE '%revokeSignInSessions' AND status < 300"
        with self._connect() as db:
            rows = db.execute(f"SELECT id, at, path FROM writes WHERE {done} ORDER BY id", (after,)).fetchall()  # noqa: S608 -- a constant
        named = ((number, at, path.rpartition("/")[0].rpartition("/")[2]) for number, at, path in rows)
        found = ((number, at, self.get("users", name) or self.by_name("users", name)) for number, at, name in named)
        return [(number, at, user) for number, at, user in found if user]

    def writes(self) -> list[dict[str, Any]]:
        """The journal, oldest first: at, method, path, status, body."""
        with self._connect() as db:
            rows = db.execute("SELECT at, method, path, status, body FROM writes ORDER BY id").fetchall()
        return [dict(zip(("at", "method", "path", "status", "body"), row, strict=True)) for row in rows]

    def _load(self, data_dir: Path, *, force: bool) -> Loaded:
        story = scenario.outline(data_dir)
        now = clock.now().replace(microsecond=0)
        with self._connect() as db:
            expected = _decide(_meta(db), story, now, force=force).shift
        # before the transaction, as it takes long when the story is large
        loading.prepare(story, expected, self.folder)
        loaded = self._commit(story, now, force=force)
        if loaded.shift != expected:
            # another process has loaded the same story in the meantime
            loading.prepare(story, loaded.shift, self.folder)
        loading.tidy(self.folder, story, loaded.shift)
        return loaded

    def _commit(self, story: scenario.Scenario, now: datetime, *, force: bool) -> Loaded:
        with self._transaction() as db:
            loaded = _decide(_meta(db), story, now, force=force)
            if loaded.how is Loading.KEPT:
                return loaded
            _clear(db)
            db.executemany(
                "INSERT INTO objects (collection, key, name, body) VALUES (?, ?, ?, ?)", _objects(story, loaded.shift)
            )
            happenings.fill(db, timeshift.shift_value(story.happenings, loaded.shift))
            incident_state.fill(db, timeshift.shift_value(story.incidents, loaded.shift))
            values = {"path": str(story.path), "digest": story.digest, "loaded_at": now.isoformat()}
            db.executemany("INSERT INTO meta (key, value) VALUES (?, ?)", values.items())
        return loaded

    def _one(self, query: str, *values: str) -> Any:
        with self._connect() as db:
            row = db.execute(query, values).fetchone()
        return json.loads(row[0]) if row else None

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=10, isolation_level=None)) as db:
            # A write survives the death of the process; that of the machine it need not.
            db.execute("PRAGMA synchronous=NORMAL")
            yield db

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._connect() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")


def now_text() -> str:
    """The present, ISO 8601 with milliseconds and `Z`."""
    return clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _decide(meta: dict[str, str], story: scenario.Scenario, now: datetime, *, force: bool) -> Loaded:
    how = Loading.FORCED if force else _how(meta, story)
    loaded_at = datetime.fromisoformat(meta["loaded_at"]) if how is Loading.KEPT else now
    return Loaded(how, story, loaded_at, timeshift.whole_seconds(loaded_at, story.now))


def _how(meta: dict[str, str], story: scenario.Scenario) -> Loading:
    if not meta:
        return Loading.FIRST
    if meta["path"] != str(story.path):
        return Loading.OTHER
    if meta["digest"] != story.digest:
        return Loading.CHANGED
    age = clock.now() - datetime.fromisoformat(meta["loaded_at"])
    return Loading.KEPT if timedelta(0) <= age <= FRESH_FOR else Loading.EXPIRED


def _meta(db: sqlite3.Connection) -> dict[str, str]:
    return dict(db.execute("SELECT key, value FROM meta").fetchall())


def _clear(db: sqlite3.Connection) -> None:
    for table in _TABLES:
        db.execute(f"DELETE FROM {table}")  # noqa: S608 -- our own names


def _objects(story: scenario.Scenario, shift: timedelta) -> Iterator[tuple[str, str, str, str]]:
    # one by one: a directory of many thousands need not be in the memory twice
    for collection, content in story.directory.items():
        yield from directory_file.rows({collection: timeshift.shift_value(content, shift)})
