"""Looking at a state database as a whole: its schema, and which of its documents cannot be read. Nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import sqlalchemy as sa

from respond.errors import Unreadable
from respond.models import wire
from respond.models.base import DOCUMENTS
from respond.models.intake import Ask, Delivery
from respond.models.ladder import Begun, Step
from respond.models.report import Report
from respond.store.approvals import asked_of
from respond.store.database import approvals, asks, deliveries, intents, later, metadata, owed, reports
from respond.store.schema import Fit, Schema, read_schema

_AT_ONCE = 200


@dataclass(frozen=True)
class Inspection:
    """What a state database holds.

    Attributes:
        schema: of our tables.
        documents: how many stored documents were read, by table.
        newer: how many of them a newer version wrote.
        unreadable: those that cannot be read, each with the reason, without its values.
        flaw: what SQLite says is wrong with the file; empty where nothing is.
    """

    schema: Schema
    documents: dict[str, int] = field(default_factory=dict)
    newer: int = 0
    unreadable: tuple[str, ...] = ()
    flaw: str = ""

    @property
    def code(self) -> int:
        """Exit code: 0 it fits, 1 it needs an upgrade or is damaged, 2 it is too new for this program."""
        if self.schema.fit is Fit.NEWER:
            return 2
        fits = self.schema.fit in (Fit.FITS, Fit.NEWER_AND_USABLE, Fit.EMPTY)
        return 0 if fits and not self.unreadable and not self.flaw else 1


def inspect(database: sa.Engine) -> Inspection:
    """Look at everything; reads each document once."""
    with database.connect() as db:
        flaw = ""
        if db.dialect.name == "sqlite":
            told = str(db.exec_driver_sql("PRAGMA quick_check(1)").scalar())
            flaw = "" if told == "ok" else told
        schema = read_schema(db, metadata)
        count: dict[str, int] = {}
        newer = 0
        unreadable: list[str] = []
        for table, read in _DOCUMENTS.items():
            if any(name.split(".")[0] == table.name for name in schema.missing) or schema.is_empty:
                continue
            count[table.name] = 0
            for row in _rows(db, table):
                count[table.name] += 1
                newer += row["version"] > DOCUMENTS
                if reason := _why_not(read, row):
                    unreadable.append(f"{_named(table, row)}: {reason}")
    return Inspection(schema, count, newer, tuple(unreadable), flaw)


def _rows(db: sa.Connection, table: sa.Table) -> Iterator[sa.RowMapping]:
    query = sa.select(table).execution_options(yield_per=_AT_ONCE)
    with db.execute(query) as found:
        yield from found.mappings()


def _why_not(read: Callable[[sa.RowMapping], object], row: sa.RowMapping) -> str:
    try:
        read(row)
    except Unreadable as error:
        return error.message.removesuffix("; `respond state check` lists such documents")
    except (TypeError, ValueError) as error:
        return type(error).__name__
    return ""


def _named(table: sa.Table, row: sa.RowMapping) -> str:
    keys = ", ".join(str(row[key.name]) for key in table.primary_key)
    case = row["case_id"] if "case_id" in table.c and table.c.case_id not in list(table.primary_key) else ""
    return f"{table.name} {keys}" + (f" of {case}" if case else "")


def _question(row: sa.RowMapping) -> object:
    return asked_of(row), _step(row)


def _step(row: sa.RowMapping) -> object:
    return Step.model_validate_json(row["step"])


def _intent(row: sa.RowMapping) -> object:
    return Begun.model_validate_json(row["step"]) if "run" in json.loads(row["step"]) else _step(row)


_DOCUMENTS: dict[sa.Table, Callable[[sa.RowMapping], object]] = {
    reports: lambda row: Report.model_validate_json(row["body"]),
    deliveries: lambda row: Delivery.model_validate_json(row["body"]),
    asks: lambda row: Ask.model_validate_json(row["body"]),
    approvals: _question,
    intents: _intent,
    later: _step,
    owed: lambda row: row["body"] and wire.loads(row["body"]),
}
