"""Looks after containment: planned once, taken by one run, planned anew after a new containment."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from respond.models.watches import Watch
from respond.store.cases import Store

NOW = datetime(2026, 1, 15, 9, 40, tzinfo=UTC)
HOUR = timedelta(hours=1)
DUES = [NOW + HOUR, NOW + 4 * HOUR, NOW + 24 * HOUR]


def plan(store: Store, dues: list[datetime] | None = None, *, case: str = "DC-1", tenant: str = "t") -> None:
    store.watches.plan(tenant, case, "u1", DUES if dues is None else dues)


def planned(store: Store, tenant: str = "t") -> list[tuple[int, datetime]]:
    return [(watch.number, watch.due) for watch in store.watches.pending(tenant)]


def test_the_same_plan_again_changes_nothing(store: Store) -> None:
    plan(store)
    assert store.watches.take("DC-1", 1, "run-1")
    store.watches.done("DC-1", 1, NOW + HOUR, "quiet")
    plan(store, DUES[::-1])
    assert planned(store) == [(2, DUES[1]), (3, DUES[2])]


def test_another_plan_replaces_what_nobody_has_taken(store: Store) -> None:
    plan(store)
    store.watches.take("DC-1", 1, "run-1")
    later = [due + HOUR / 2 for due in DUES]
    plan(store, later)
    assert planned(store) == [(1, DUES[0]), (4, later[0]), (5, later[1]), (6, later[2])]
    assert not store.watches.take("DC-1", 2, "run-2")
    plan(store, later)
    assert [number for number, _ in planned(store)] == [1, 4, 5, 6]


def test_an_empty_plan_takes_back_what_was_planned(sqlite: Store) -> None:
    plan(sqlite)
    plan(sqlite, [])
    assert planned(sqlite) == []


def test_a_watch_is_due_when_its_time_has_come_and_until_it_is_done(sqlite: Store) -> None:
    plan(sqlite)
    plan(sqlite, case="DC-2", tenant="other")
    assert sqlite.watches.due("t", NOW + HOUR - timedelta(microseconds=1)) == []
    assert [watch.number for watch in sqlite.watches.due("t", NOW + HOUR)] == [1]
    sqlite.watches.take("DC-1", 1, "run-1")
    (taken,) = sqlite.watches.due("t", NOW + HOUR)
    assert taken == Watch(tenant="t", case="DC-1", user_id="u1", number=1, due=DUES[0], taken_by="run-1")
    sqlite.watches.done("DC-1", 1, NOW + HOUR, "quiet")
    assert sqlite.watches.due("t", NOW + HOUR) == []


def test_a_watch_is_taken_by_one_run_which_may_take_it_again(sqlite: Store) -> None:
    plan(sqlite)
    assert sqlite.watches.take("DC-1", 1, "run-1")
    assert sqlite.watches.take("DC-1", 1, "run-1")
    assert not sqlite.watches.take("DC-1", 1, "run-2")
    assert not sqlite.watches.take("DC-1", 9, "run-2")
    sqlite.watches.done("DC-1", 1, NOW + HOUR, "quiet")
    assert not sqlite.watches.take("DC-1", 1, "run-1")


def test_what_a_watch_saw_first_stays(sqlite: Store) -> None:
    plan(sqlite, [NOW])
    sqlite.watches.done("DC-1", 1, NOW, "a device appeared")
    sqlite.watches.done("DC-1", 1, NOW + HOUR, "quiet")
    with sqlite.database.connect() as db:
        assert db.exec_driver_sql("SELECT said FROM respond_watches").scalars().all() == ["a device appeared"]


def test_of_many_who_take_a_watch_at_once_one_gets_it(open_store: Callable[[], Store]) -> None:
    stores = [open_store() for _ in range(2)]
    plan(stores[0])
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda n: stores[n % 2].watches.take("DC-1", 1, f"run-{n}"), range(8)))
    assert got.count(True) == 1


def test_of_many_who_plan_at_once_there_is_one_plan(open_store: Callable[[], Store]) -> None:
    stores = [open_store() for _ in range(2)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: plan(stores[n % 2]), range(8)))
    assert [number for number, _ in planned(stores[0])] == [1, 2, 3]
