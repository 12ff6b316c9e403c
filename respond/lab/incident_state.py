"""The incidents that the lab remembers, with their comments, entities and alerts: two tables of `lab.db`."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from respond.lab.incidents import loaded

TABLES = ("incidents", "comments")
SCHEMA = """
CREATE TABLE IF NOT EXISTS incidents (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE, body TEXT NOT NULL,
    entities TEXT NOT NULL, alerts TEXT NOT NULL, entities_after REAL NOT NULL, first_read REAL);
CREATE TABLE IF NOT EXISTS comments (
    id INTEGER PRIMARY KEY, incident TEXT NOT NULL COLLATE NOCASE, name TEXT NOT NULL COLLATE NOCASE,
    body TEXT NOT NULL, UNIQUE (incident, name));
"""
_NEW = "INSERT INTO incidents (number, name, body, entities, alerts, entities_after) VALUES (?, ?, ?, ?, ?, ?)"
_NEXT = "SELECT coalesce(max(number), 0) + 1 FROM incidents"

Resource = dict[str, Any]
Open = Callable[[], AbstractContextManager[sqlite3.Connection]]


def fill(db: sqlite3.Connection, entries: list[dict[str, Any]]) -> None:
    """Put the incidents of a story in; those without a number come after the others."""
    for entry in sorted(entries, key=lambda entry: not entry["incident"]["properties"].get("incidentNumber")):
        number = entry["incident"]["properties"].get("incidentNumber") or db.execute(_NEXT).fetchone()[0]
        body = loaded(entry, number)
        texts = [json.dumps(value) for value in (body, entry.get("entities", []), entry.get("alerts", []))]
        db.execute(_NEW, (number, body["name"], *texts, entry.get("entitiesAfter", 0)))


class Incidents:
    """Every incident by name, any case.

    Args:
        connect: opens the database.
        transaction: the same, and what is done in the block happens wholly or not at all.
    """

    def __init__(self, connect: Open, transaction: Open) -> None:
        self._connect = connect
        self._transaction = transaction

    def get(self, name: str) -> Resource | None:
        """One incident. The first look starts the time after which its entities are listed."""
        with self._connect() as db:
            row = db.execute(
                "SELECT body, entities_after > 0 AND first_read IS NULL FROM incidents WHERE name = ?", (name,)
            ).fetchone()
            if row and row[1]:
                db.execute(
                    "UPDATE incidents SET first_read = ? WHERE name = ? AND first_read IS NULL", (time.time(), name)
                )
        return json.loads(row[0]) if row else None

    def page(self, after: int, most: int) -> list[tuple[int, Resource]]:
        """Incidents with a number above `after`, in that order."""
        with self._connect() as db:
            rows = db.execute(
                "SELECT number, body FROM incidents WHERE number > ? ORDER BY number LIMIT ?", (after, most)
            ).fetchall()
        return [(number, json.loads(body)) for number, body in rows]

    def put(self, name: str, edit: Callable[[Resource | None, int], Resource]) -> Resource:
        """Create or replace one incident: `edit` gets it as it is, and its number."""
        with self._transaction() as db:
            row = db.execute("SELECT body, number FROM incidents WHERE name = ?", (name,)).fetchone()
            if row is None:
                number = db.execute(_NEXT).fetchone()[0]
                body = edit(None, number)
                db.execute(_NEW, (number, name, json.dumps(body), "[]", "[]", 0))
            else:
                body = edit(json.loads(row[0]), row[1])
                db.execute("UPDATE incidents SET body = ? WHERE number = ?", (json.dumps(body), row[1]))
        return body

    def entities(self, name: str) -> list[Resource]:
        """Its entities; none yet when it has not been known for long enough."""
        self.get(name)
        with self._connect() as db:
            row = db.execute(
                "SELECT entities, entities_after, first_read FROM incidents WHERE name = ?", (name,)
            ).fetchone()
        if row is None or (row[1] and time.time() < row[2] + row[1]):
            return []
        return list(json.loads(row[0]))

    def alerts(self, name: str) -> list[Resource]:
        """Its alerts."""
        with self._connect() as db:
            row = db.execute("SELECT alerts FROM incidents WHERE name = ?", (name,)).fetchone()
        return list(json.loads(row[0])) if row else []

    def comments(self, name: str) -> list[Resource]:
        """Its comments, oldest first."""
        with self._connect() as db:
            rows = db.execute("SELECT body FROM comments WHERE incident = ? ORDER BY id", (name,)).fetchall()
        return [json.loads(body) for (body,) in rows]

    def comment(self, name: str, comment: str) -> Resource | None:
        """One of its comments."""
        with self._connect() as db:
            return _comment(db, name, comment)

    def put_comment(
        self, name: str, comment: str, edit: Callable[[Resource, Resource | None], tuple[Resource, Resource]]
    ) -> Resource | None:
        """Write a comment: `edit` makes the new incident and comment of the old ones. None without such an incident."""
        with self._transaction() as db:
            row = db.execute("SELECT body FROM incidents WHERE name = ?", (name,)).fetchone()
            if row is None:
                return None
            incident, body = edit(json.loads(row[0]), _comment(db, name, comment))
            db.execute("UPDATE incidents SET body = ? WHERE name = ?", (json.dumps(incident), name))
            db.execute(
                "INSERT INTO comments (incident, name, body) VALUES (?, ?, ?) "
                "ON CONFLICT (incident, name) DO UPDATE SET body = excluded.body",
                (name, comment, json.dumps(body)),
            )
        return body

    def everything(self) -> list[dict[str, Any]]:
        """All incidents in the shape of `incidents.json`, with their comments."""
        with self._connect() as db:
            rows = db.execute("SELECT name, body, entities, alerts FROM incidents ORDER BY number").fetchall()
            said: dict[str, list[Resource]] = {}
            for name, body in db.execute("SELECT incident, body FROM comments ORDER BY id"):
                said.setdefault(name.lower(), []).append(json.loads(body))
        return [
            {
                "incident": json.loads(body),
                "entities": json.loads(entities),
                "alerts": json.loads(alerts),
                "comments": said.get(name.lower(), []),
            }
            for name, body, entities, alerts in rows
        ]


def _comment(db: sqlite3.Connection, incident: str, name: str) -> Resource | None:
    row = db.execute("SELECT body FROM comments WHERE incident = ? AND name = ?", (incident, name)).fetchone()
    return json.loads(row[0]) if row else None
