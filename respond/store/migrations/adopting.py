"""Adding the tables and columns that a database lacks: one from before versions were kept, or a damaged one."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from respond.errors import UsageError

_EMPTY = {
    sa.Boolean: sa.text("FALSE"),
    sa.Integer: sa.text("0"),
    sa.Text: sa.text("''"),
    sa.DateTime: sa.text("'1970-01-01 00:00:00'"),
}


def add_missing(db: sa.Connection, tables: sa.MetaData) -> list[str]:
    """Create missing tables, and add missing columns with the empty value of their type.

    Returns:
        What was added: `TABLE`, or `TABLE.COLUMN`.

    Raises:
        UsageError: a primary key column is missing, which cannot be added.
    """
    inspector = sa.inspect(db)
    held = set(inspector.get_table_names())
    added = [name for name in tables.tables if name not in held]
    tables.create_all(db)
    for table in tables.sorted_tables:
        if table.name not in held:
            continue
        columns = {column["name"] for column in inspector.get_columns(table.name)}
        for column in table.columns:
            if column.name not in columns:
                _add(db, table, column)
                added.append(f"{table.name}.{column.name}")
        indexes = {index["name"] for index in inspector.get_indexes(table.name)}
        for index in table.indexes:
            if index.name not in indexes:
                index.create(db)
    return added


def _add(db: sa.Connection, table: sa.Table, column: sa.Column[object]) -> None:
    if column.primary_key:
        raise UsageError(
            f"state.url: {table.name} lacks its key column {column.name}, which cannot be added; restore a backup"
        )
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    empty = next((value for kind, value in _EMPTY.items() if isinstance(column.type, kind)), None)
    default: Any = getattr(column.server_default, "arg", None) or (None if column.nullable else empty)
    added = sa.Column(column.name, column.type, nullable=column.nullable, server_default=default)
    Operations(MigrationContext.configure(db)).add_column(table.name, added)
