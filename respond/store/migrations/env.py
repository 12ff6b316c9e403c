"""Alembic's environment: migrate over the connection that `respond.store.schema` holds, in its transaction."""

from alembic import context

from respond.store.schema import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
