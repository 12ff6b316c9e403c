"""Rounds of the schedule are counted: a clock that is set makes it neither silent nor skip anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from respond.store.cases import Store

NOW = datetime(2026, 1, 15, 9, 40, tzinfo=UTC)
EVERY = timedelta(minutes=5)


def take(store: Store, now: datetime, owner: str = "one") -> int | None:
    return store.intake.take_round("t", owner=owner, now=now, every=EVERY)


def test_one_of_two_processes_takes_a_round(store: Store) -> None:
    assert [take(store, NOW), take(store, NOW, "two"), take(store, NOW + EVERY / 2, "two")] == [1, None, None]
    assert take(store, NOW + EVERY, "two") == 2
    assert store.intake.take_round("other", owner="one", now=NOW, every=EVERY) == 1


def test_a_clock_that_is_set_back_an_hour_keeps_nobody_from_looking(store: Store) -> None:
    back = NOW - timedelta(hours=1)
    assert [take(store, NOW), take(store, back), take(store, back), take(store, back + EVERY)] == [1, 2, None, 3]


def test_what_a_round_saw_under_a_clock_that_was_fast_does_not_stand(store: Store) -> None:
    for at in (NOW + timedelta(hours=1), NOW):
        number = take(store, at)
        assert number
        store.intake.end_round("t", number, arrived_until=at, result="0 delivered")
    assert store.intake.last_arrival("t") == NOW
