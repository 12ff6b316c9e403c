"""A row that this version cannot read keeps no other row back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from respond.models.approvals import Answer, Asked
from respond.models.intake import Delivery, Trigger
from respond.models.ladder import Rung, Step
from respond.models.later import Later
from respond.models.notice import Notice, Shape
from respond.observe.setbacks import SETBACKS
from respond.store.cases import Store
from respond.store.database import approvals, deliveries, later, watches

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def spoil(store: Store, table: sa.Table, name: str, *, column: str = "case_id", **values: str) -> None:
    with store.database.begin() as db:
        changed = db.execute(sa.update(table).where(table.c[column] == name).values(values))
        assert changed.rowcount == 1


def test_a_recheck(sqlite: Store) -> None:
    for case in ("DC-A", "DC-B"):
        sqlite.watches.plan("t", case, "u", [NOW])
    spoil(sqlite, watches, "DC-A", due="0 no time")
    assert [watch.case for watch in sqlite.watches.due("t", NOW)] == ["DC-B"]
    assert SETBACKS.passed_over()["recheck"] == 1
    spoil(sqlite, watches, "DC-A", due=NOW.isoformat())
    sqlite.watches.due("t", NOW)
    assert "recheck" not in SETBACKS.passed_over()


def test_what_is_tried_again(sqlite: Store) -> None:
    for case in ("DC-A", "DC-B"):
        step = Step(rung=Rung.REVOKE_SESSIONS, object="u", label="u", why="w")
        sqlite.later.plan(case, [Later(tenant="t", case=case, step=step, due=NOW)], run="r")
    spoil(sqlite, later, "DC-A", step='{"rung": "unheard-of"}')
    assert [one.case for one in sqlite.later.due("t", NOW + timedelta(hours=1))] == ["DC-B"]


def test_a_question(sqlite: Store) -> None:
    for case in ("DC-A", "DC-B"):
        values: dict[str, Any] = dict.fromkeys(("name", "object", "target", "summary", "run"), "x")
        sqlite.approvals.ask(Asked(case=case, tenant="t", step="{}", at=NOW, due=NOW, answer=Answer.WAITING, **values))
    spoil(sqlite, approvals, "DC-A", due="0 no time")
    assert [one.case for one in sqlite.approvals.expired(NOW)] == ["DC-B"]


def test_a_delivery(sqlite: Store) -> None:
    for key in ("a", "b"):
        known: dict[str, Any] = {"tenant": "t", "digest": key, "path": Trigger.WEBHOOK, "by": "logic app"}
        sqlite.intake.accept(Delivery(**known, key=key, at=NOW, notice=Notice(shape=Shape.INCIDENT)))
    spoil(sqlite, deliveries, "a", column="key", body='{"of": "another version"}')
    assert [one.delivery.key for one in sqlite.intake.open("t", before=NOW + timedelta(hours=1))] == ["b"]
    assert SETBACKS.passed_over()["delivery"] == 1
