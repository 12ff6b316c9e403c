"""The tables as they were when versions began; a database from before is brought to them."""

import sqlalchemy as sa
from alembic import op

from respond.store.migrations.adopting import add_missing

revision = "0001"
down_revision = None
oldest = "0001"

_tables = sa.MetaData()

sa.Table(
    "respond_cases",
    _tables,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("opened", sa.Text, nullable=False),
    sa.Column("busy_run", sa.Text, nullable=False),
)
sa.Table(
    "respond_releases",
    _tables,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
)
sa.Table(
    "respond_case_keys",
    _tables,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("case_id", sa.Text, sa.ForeignKey("respond_cases.id"), nullable=False),
)
sa.Table(
    "respond_reports",
    _tables,
    sa.Column("run", sa.Text, primary_key=True),
    sa.Column("case_id", sa.Text, sa.ForeignKey("respond_cases.id"), nullable=False, index=True),
    sa.Column("mode", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)
sa.Table(
    "respond_tickets",
    _tables,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("case_id", sa.Text, sa.ForeignKey("respond_cases.id"), nullable=False, unique=True),
    sa.Column("opened", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
)
sa.Table(
    "respond_facts",
    _tables,
    sa.Column("case_id", sa.Text, sa.ForeignKey("respond_cases.id"), primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, primary_key=True, index=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("upn", sa.Text, nullable=False),
)
sa.Table(
    "respond_deliveries",
    _tables,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("sender", sa.Text, nullable=False),
    sa.Column("incident", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, index=True),
    sa.Column("repeats", sa.Text, nullable=False),
    sa.Column("times", sa.Integer, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("broken", sa.Integer, nullable=False),
    sa.Column("due", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Index("respond_deliveries_by_digest", "tenant", "digest"),
)
sa.Table(
    "respond_asks",
    _tables,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("delivery", sa.Text, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("case_id", sa.Text, nullable=False),
    sa.Column("open", sa.Boolean, nullable=False),
    sa.Index("respond_asks_by_delivery", "tenant", "delivery"),
)
sa.Table(
    "respond_turns",
    _tables,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
)
sa.Table(
    "respond_sightings",
    _tables,
    sa.Column("case_id", sa.Text, sa.ForeignKey("respond_cases.id"), primary_key=True),
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("ref", sa.Text, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("incident", sa.Text, nullable=False),
)
sa.Table(
    "respond_schedule_rounds",
    _tables,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("started", sa.Text, nullable=False),
    sa.Column("arrived_until", sa.Text, nullable=False),
    sa.Column("result", sa.Text, nullable=False),
)
sa.Table(
    "respond_processes",
    _tables,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("beat", sa.DateTime(timezone=True), nullable=False),
)
sa.Table(
    "respond_audit",
    _tables,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("case_id", sa.Text, nullable=False, index=True),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
)
sa.Table(
    "respond_audit_head",
    _tables,
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
)
sa.Table(
    "respond_freezes",
    _tables,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("frozen_by", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
)
sa.Table(
    "respond_slots",
    _tables,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, primary_key=True),
    sa.Column("case_id", sa.Text, primary_key=True),
    sa.Column("batch", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("overridden", sa.Boolean, nullable=False),
    sa.Index("respond_slots_by_time", "tenant", "at"),
    sa.Index("respond_slots_by_batch", "tenant", "batch"),
)
sa.Table(
    "respond_approvals",
    _tables,
    sa.Column("case_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("object", sa.Text, primary_key=True),
    sa.Column("round", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("due", sa.Text, nullable=False),
    sa.Column("answer", sa.Text, nullable=False, index=True),
    sa.Column("answered_by", sa.Text, nullable=False),
    sa.Column("answered_at", sa.Text, nullable=False),
    sa.Column("because", sa.Text, nullable=False),
)
sa.Table(
    "respond_intents",
    _tables,
    sa.Column("case_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("object", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("undone_at", sa.Text, nullable=False),
)
sa.Table(
    "respond_watches",
    _tables,
    sa.Column("case_id", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("plan", sa.Integer, nullable=False),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text, nullable=False),
    sa.Column("due", sa.Text, nullable=False),
    sa.Column("taken_by", sa.Text, nullable=False),
    sa.Column("done_at", sa.Text, nullable=False),
    sa.Column("said", sa.Text, nullable=False),
    sa.Index("respond_watches_by_time", "tenant", "done_at", "due"),
)
sa.Table(
    "respond_links",
    _tables,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("case_id", sa.Text, primary_key=True),
    sa.Column("system", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("handle", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
)
sa.Table(
    "respond_later",
    _tables,
    sa.Column("case_id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("object", sa.Text, primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("approved_by", sa.Text, nullable=False),
    sa.Column("due", sa.Text, nullable=False),
    sa.Column("taken_by", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Index("respond_later_by_time", "tenant", "due"),
)


def upgrade() -> None:
    """Create what is missing. Earlier versions had fewer of these tables, never other ones."""
    add_missing(op.get_bind(), _tables)
