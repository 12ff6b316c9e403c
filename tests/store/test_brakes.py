"""Freeze and limits: one state for all processes, and a limit that holds however many ask at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from respond.models.audit import AuditKind
from respond.models.brakes import Freeze, Limits, Slot
from respond.store.cases import Store

NOW = datetime(2026, 1, 15, 9, 40, tzinfo=UTC)
MANY = 1000
WIDE = Limits(per_run=MANY, per_hour=MANY, share=1, share_at_least=MANY)


def take(store: Store, user: str, **more: Any) -> Slot:
    values: dict[str, Any] = {
        "tenant": "t",
        "user_id": user,
        "case": f"DC-{user}",
        "batch": f"run-{user}",
        "now": NOW,
        "limits": WIDE,
        "tenant_users": None,
    }
    return store.brakes.take_slot(**(values | more))


def wide(**limits: Any) -> Limits:
    return WIDE.model_copy(update=limits)


def test_a_freeze_is_seen_by_another_process_at_once(open_store: Callable[[], Store]) -> None:
    one, two = open_store(), open_store()
    assert two.brakes.frozen("t") is None
    assert one.brakes.freeze("t", "ann@host", "drill", NOW)
    assert two.brakes.frozen("t") == Freeze(at=NOW, by="ann@host", why="drill")
    assert two.brakes.thaw("t", "bob@host", NOW)
    assert one.brakes.frozen("t") is None


def test_the_first_freeze_stays(store: Store) -> None:
    assert store.brakes.freeze("t", "ann@host", "drill", NOW)
    assert not store.brakes.freeze("t", "bob@host", "again", NOW + timedelta(hours=1))
    assert store.brakes.frozen("t") == Freeze(at=NOW, by="ann@host", why="drill")


@pytest.mark.parametrize(("here", "there"), [("F0A1", "f0a1"), ("f0a1", "F0A1")])
def test_a_freeze_is_of_one_tenant_however_its_id_is_written(here: str, there: str, sqlite: Store) -> None:
    """It holds for another process, whose settings write the id otherwise, and that one can end it."""
    assert sqlite.brakes.freeze(here, "ann@host", "", NOW)
    assert sqlite.brakes.frozen(there) is not None
    assert not sqlite.brakes.freeze(there, "ann@host", "", NOW)
    assert sqlite.brakes.frozen("other") is None
    assert sqlite.brakes.thaw(there, "ann@host", NOW)
    assert sqlite.brakes.frozen(here) is None


@pytest.mark.parametrize(("here", "there"), [("F0A1", "f0a1"), ("f0a1", "F0A1")])
def test_a_limit_is_of_one_tenant_however_its_id_is_written(here: str, there: str, sqlite: Store) -> None:
    assert take(sqlite, "a", limits=wide(per_hour=1), tenant=here).granted
    assert not take(sqlite, "b", limits=wide(per_hour=1), tenant=there).granted


def test_each_freeze_and_thaw_that_changed_something_is_in_the_audit_log(store: Store) -> None:
    assert not store.brakes.thaw("t", "ann@host", NOW)
    store.brakes.freeze("t", "ann@host", "drill", NOW)
    store.brakes.freeze("t", "bob@host", "again", NOW)
    store.brakes.thaw("t", "bob@host", NOW)
    told = [(entry.kind, entry.actor, entry.what) for entry in store.audit.entries(tenant="t")]
    assert told == [(AuditKind.FREEZE, "ann@host", "frozen: drill"), (AuditKind.THAW, "bob@host", "thawed")]
    assert store.audit.verify().problem is None


def test_of_many_who_freeze_at_once_one_does(open_store: Callable[[], Store]) -> None:
    stores = [open_store() for _ in range(2)]
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda n: stores[n % 2].brakes.freeze("t", f"p{n}@host", "", NOW), range(8)))
    assert done.count(True) == 1
    assert len(list(stores[0].audit.entries())) == 1


@pytest.mark.parametrize("limit", ["per_hour", "share_at_least"])
def test_fifty_who_ask_at_once_get_ten_slots(open_store: Callable[[], Store], limit: str) -> None:
    stores = [open_store() for _ in range(2)]
    limits = wide(share=0, **{limit: 10})
    with ThreadPoolExecutor(50) as pool:
        slots = list(pool.map(lambda n: take(stores[n % 2], f"u{n}", limits=limits, tenant_users=50), range(50)))
    assert sum(slot.granted for slot in slots) == 10
    assert not take(stores[0], "late", limits=limits, tenant_users=50).granted


def test_a_refusal_says_which_limit(sqlite: Store) -> None:
    for n in range(10):
        assert take(sqlite, f"u{n}", limits=wide(per_hour=10)) == Slot(granted=True)
    assert take(sqlite, "u10", limits=wide(per_hour=10)) == Slot(
        granted=False,
        reason="10 users were contained within the last hour, which is the limit (ladder.limits.per_hour)",
    )
    assert take(sqlite, "u10", limits=wide(per_hour=4)).reason == (
        "10 users were contained within the last hour, which is more than the limit of 4 (ladder.limits.per_hour)"
    )


def test_a_limit_of_none_lets_nobody_through(sqlite: Store) -> None:
    reason = take(sqlite, "u", limits=wide(per_hour=0)).reason
    assert reason == "0 users were contained within the last hour, which is the limit (ladder.limits.per_hour)"


def test_the_limit_of_a_run_counts_its_own_people_only(sqlite: Store) -> None:
    assert take(sqlite, "a", batch="one", limits=wide(per_run=1)).granted
    assert take(sqlite, "b", batch="two", limits=wide(per_run=1)).granted
    refused = take(sqlite, "c", batch="one", limits=wide(per_run=1), now=NOW + timedelta(days=9))
    assert refused.reason == "1 user was contained in this run, which is the limit (ladder.limits.per_run)"


def test_an_hour_ends(sqlite: Store) -> None:
    hour = timedelta(hours=1)
    assert take(sqlite, "a", limits=wide(per_hour=1)).granted
    assert not take(sqlite, "b", limits=wide(per_hour=1), now=NOW + hour - timedelta(microseconds=1)).granted
    assert take(sqlite, "b", limits=wide(per_hour=1), now=NOW + hour).granted


@pytest.mark.parametrize(
    ("share", "at_least", "users", "allowed", "key"),
    [
        (0.01, 1, 300, 3, "share"),
        (0.29, 1, 100, 29, "share"),
        (0.01, 2, 150, 2, "share_at_least"),
        (0.0, 0, 1000, 0, "share"),
    ],
)
def test_the_limit_of_a_day_is_a_share_of_the_tenant(
    share: float, at_least: int, users: int, allowed: int, key: str, sqlite: Store
) -> None:
    limits = wide(share=share, share_at_least=at_least)
    slots = [take(sqlite, f"u{n}", limits=limits, tenant_users=users) for n in range(allowed + 1)]
    assert [slot.granted for slot in slots] == [True] * allowed + [False]
    assert f"within the last 24 hours, which is the limit (ladder.limits.{key})" in slots[-1].reason
    assert take(sqlite, "unknown size", limits=limits, tenant_users=None).granted
    assert take(sqlite, "tomorrow", limits=limits, tenant_users=users, now=NOW + timedelta(days=1)).granted == bool(
        allowed
    )


def test_the_same_person_counts_once(sqlite: Store) -> None:
    limits = wide(per_hour=2)
    assert take(sqlite, "a", limits=limits).granted
    assert take(sqlite, "a", limits=limits).granted
    assert take(sqlite, "a", limits=limits, case="another").granted
    assert take(sqlite, "b", limits=limits).granted
    assert not take(sqlite, "c", limits=limits).granted
    assert take(sqlite, "a", limits=limits, case="a third").granted


def test_who_has_a_slot_keeps_it_when_the_limit_falls(sqlite: Store) -> None:
    assert take(sqlite, "a").granted
    assert take(sqlite, "a", limits=wide(per_hour=0), now=NOW + timedelta(days=3)).granted


def test_a_person_who_approves_goes_over_the_limit_and_counts(sqlite: Store) -> None:
    limits = wide(per_hour=1)
    assert take(sqlite, "a", limits=limits, override=True) == Slot(granted=True)
    over = take(sqlite, "b", limits=limits, override=True)
    assert over.granted
    assert over.reason.startswith("a person approved it, although 1 user was contained")
    assert "2 users" in take(sqlite, "c", limits=limits).reason


def test_tenants_do_not_count_each_others_people(sqlite: Store) -> None:
    assert take(sqlite, "a", limits=wide(per_hour=1)).granted
    assert take(sqlite, "b", limits=wide(per_hour=1), tenant="other").granted
