"""A version beside every stored document."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
oldest = "0001"

_DOCUMENTS = ("reports", "deliveries", "asks", "approvals", "intents", "later")


def upgrade() -> None:
    """Documents from before have version 1."""
    for name in _DOCUMENTS:
        op.add_column(f"respond_{name}", sa.Column("version", sa.Integer, nullable=False, server_default="1"))
