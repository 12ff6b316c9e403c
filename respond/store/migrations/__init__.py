"""Migrations of our own tables, run by Alembic. The durable engine migrates its tables itself.

A new table, column or index takes four steps:

1. Change the tables in `respond/store/database.py`.
2. Add `versions/vNNNN_words.py` with the next number: `revision`, `down_revision`, `oldest`, `upgrade()`.
   Copy the newest file. Write columns out in it, and import no tables: they will look different one day.
3. Set `HEAD` below to the number, and `OLDEST` to the same value as `oldest` in the file.
4. Run `pytest tests/store/test_migrations.py`. It compares the migrated tables with those of `database.py`, on SQLite
   and PostgreSQL.

`oldest` is the oldest revision whose programs can still work on the database after the migration. It stays the same as
long as an older program does not notice the change: a new table, an index, or a column that is nullable or has a server
default. The service is then upgraded one machine at a time. A column that is dropped, renamed or retyped, or a new rule
on existing columns, sets `oldest` to the new number: older programs stop with one line.

SQLite changes few things in place: use `op.batch_alter_table`, which copies the table. Each upgrade is one transaction
on both databases, so a failed one leaves the old state.
"""

HEAD = "0004"
"""Revision of the tables in `respond/store/database.py`."""

OLDEST = "0001"
"""Oldest revision whose programs can work on a database of `HEAD`."""
