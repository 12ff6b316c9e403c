"""The schema of our own tables in a state database: which revision it has, what it lacks, and bringing it up to date.

Three kinds of database need no migration: an empty one gets the tables as they are now; one of this revision is used as
it is; one of a newer revision is used as well while that revision still allows programs of ours (`oldest`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import sqlalchemy as sa

from respond.errors import UsageError
from respond.store import migrations

VERSION_TABLE = "respond_schema"
"""Alembic's table: one row, one column `version_num`."""

PROPERTIES = sa.Table(
    "respond_schema_properties",
    sa.MetaData(),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
"""`oldest`: the oldest revision whose programs can work on this database."""

_SQLITE_COLUMNS = """
SELECT tables.name, columns.name FROM sqlite_master tables, pragma_table_info(tables.name) columns
WHERE tables.type = 'table' AND substr(tables.name, 1, 8) = 'respond_'"""
_POSTGRESQL_COLUMNS = """
SELECT tables.relname, columns.attname FROM pg_class tables JOIN pg_attribute columns ON columns.attrelid = tables.oid
WHERE tables.relnamespace = current_schema()::regnamespace AND tables.relkind IN ('r', 'p')
  AND substr(tables.relname, 1, 8) = 'respond_' AND columns.attnum > 0 AND NOT columns.attisdropped"""


class Fit(StrEnum):
    """How a database and this program fit together."""

    FITS = "fits"
    EMPTY = "empty"
    OLDER = "older"
    NEWER_AND_USABLE = "newer, and usable"
    NEWER = "newer"
    DAMAGED = "damaged"


@dataclass(frozen=True)
class Schema:
    """What a database holds of our tables.

    Attributes:
        revision: four digits; empty where there are none of our tables, or tables from before versions were kept.
        oldest: the oldest revision whose programs can work on it.
        is_empty: there is none of our tables.
        missing: tables and columns of this program that it lacks: `TABLE`, or `TABLE.COLUMN`.
    """

    revision: str
    oldest: str
    is_empty: bool
    missing: tuple[str, ...]

    @property
    def fit(self) -> Fit:
        if self.is_empty:
            return Fit.EMPTY
        if self.revision < migrations.HEAD:
            return Fit.OLDER
        if self.revision > migrations.HEAD and self.oldest > migrations.HEAD:
            return Fit.NEWER
        if self.missing:
            return Fit.DAMAGED
        return Fit.FITS if self.revision == migrations.HEAD else Fit.NEWER_AND_USABLE

    @property
    def needs_upgrade(self) -> bool:
        """Whether `respond state upgrade` has something to do."""
        return self.fit in (Fit.OLDER, Fit.DAMAGED)

    @property
    def told(self) -> str:
        """The fit in one line."""
        named, ours = self.revision or "without a version", migrations.HEAD
        match self.fit:
            case Fit.EMPTY:
                return "the state database has no tables yet"
            case Fit.OLDER:
                return f"the state database was written by an older respond (schema {named}; this one knows {ours})"
            case Fit.NEWER:
                return (
                    f"the state database was written by a newer respond (schema {named}; this one knows {ours}): "
                    "upgrade this one"
                )
            case Fit.NEWER_AND_USABLE:
                return f"the state database has the newer schema {named}; this respond ({ours}) can use it"
            case Fit.DAMAGED:
                return f"the state database lacks {', '.join(self.missing)}"
            case _:
                return f"the state database has schema {named}"


def read_schema(db: sa.Connection, tables: sa.MetaData) -> Schema:
    """What the database holds; a query or three, and no lock.

    Args:
        tables: the tables of this program.
    """
    query = _SQLITE_COLUMNS if db.dialect.name == "sqlite" else _POSTGRESQL_COLUMNS
    held: dict[str, set[str]] = {}
    for table, column in db.exec_driver_sql(query):
        held.setdefault(table, set()).add(column)
    revision = oldest = ""
    if VERSION_TABLE in held:
        revision = db.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar() or ""  # noqa: S608 - constant
    if PROPERTIES.name in held:
        oldest = db.execute(sa.select(PROPERTIES.c.value).where(PROPERTIES.c.name == "oldest")).scalar() or ""
    missing = [
        table.name if table.name not in held else f"{table.name}.{column.name}"
        for table in tables.sorted_tables
        for column in table.columns
        if column.name not in held.get(table.name, set())
    ]
    return Schema(
        revision=revision,
        oldest=oldest or revision,
        is_empty=not held.keys() & tables.tables.keys() and not revision,
        missing=tuple(dict.fromkeys(missing)),
    )


def bring_up_to_date(db: sa.Connection, tables: sa.MetaData) -> Schema:
    """Create or migrate the tables, in a transaction that is alone with the schema. Repeating it changes nothing.

    Returns:
        The schema before.

    Raises:
        UsageError: the database is newer than this program, or damaged.
    """
    found = read_schema(db, tables)
    match found.fit:
        case Fit.EMPTY:
            # Not through Alembic, whose import takes longer than the tables; a test holds the two together.
            tables.create_all(db)
            db.exec_driver_sql(f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
            db.exec_driver_sql(f"INSERT INTO {VERSION_TABLE} VALUES ('{migrations.HEAD}')")  # noqa: S608 - constants
            _set_oldest(db)
        case Fit.OLDER:
            _migrate(db)
            _set_oldest(db)
            if missing := read_schema(db, tables).missing:
                raise UsageError(f"{_lacks(missing)}: run `respond state upgrade`")
        case Fit.NEWER:
            raise UsageError(found.told)
        case Fit.DAMAGED:
            raise UsageError(f"{_lacks(found.missing)}: run `respond state upgrade`, or restore a backup")
        case _:
            pass
    return found


def repair(db: sa.Connection, tables: sa.MetaData) -> list[str]:
    """Add tables and columns that were taken away; which ones, as `TABLE` or `TABLE.COLUMN`.

    Raises:
        UsageError: a key column is missing.
    """
    from respond.store.migrations.adopting import add_missing

    return add_missing(db, tables)


def _lacks(missing: tuple[str, ...]) -> str:
    return f"state.url: the state database lacks {', '.join(missing[:5])}{' …' if len(missing) > 5 else ''}"  # noqa: PLR2004


def _migrate(db: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")  # Alembic warns where it is left out
    config.attributes["connection"] = db
    command.upgrade(config, "head")


def _set_oldest(db: sa.Connection) -> None:
    PROPERTIES.create(db, checkfirst=True)
    db.execute(sa.delete(PROPERTIES).where(PROPERTIES.c.name == "oldest"))
    db.execute(sa.insert(PROPERTIES).values(name="oldest", value=migrations.OLDEST))
