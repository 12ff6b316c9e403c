"""Writes that wait for a throttled service: planned once, taken by one run, put off when nothing came of it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from respond.models.ladder import Rung, Step
from respond.models.later import Later
from respond.store.cases import Store

NOW = datetime(2026, 1, 15, 9, 40, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
STEP = Step(rung=Rung.REVOKE_SESSIONS, object="u1", label="target.user@contoso.com", why="malicious", after=NOW)


def wait(due: datetime = NOW, *, case: str = "DC-1", tenant: str = "t", step: Step = STEP, by: str = "") -> Later:
    return Later(tenant=tenant, case=case, step=step, by=by, due=due)


def test_what_is_planned_comes_due_as_it_was(store: Store) -> None:
    store.later.plan("DC-1", [wait(by="ann")], run="run-0")
    store.later.plan("DC-2", [wait(case="DC-2", tenant="other")], run="run-0")
    assert store.later.due("t", NOW - MINUTE) == []
    assert store.later.due("t", NOW) == [wait(by="ann")]
    assert store.later.pending("t") == [wait(by="ann")]


def test_a_later_moment_for_the_same_write_takes_the_place_of_the_first(store: Store) -> None:
    store.later.plan("DC-1", [wait()], run="run-0")
    store.later.plan("DC-1", [wait(NOW + MINUTE)], run="run-1")
    assert [one.due for one in store.later.pending("t")] == [NOW + MINUTE]


def test_one_run_takes_it_and_may_take_it_again(sqlite: Store) -> None:
    sqlite.later.plan("DC-1", [wait()], run="run-0")
    assert sqlite.later.take("DC-1", NOW, "", "run-1")
    assert sqlite.later.take("DC-1", NOW, "", "run-1")
    assert not sqlite.later.take("DC-1", NOW, "", "run-2")
    assert not sqlite.later.take("DC-1", NOW, "ann", "run-1")


def test_what_a_run_has_taken_is_settled_when_it_ends(sqlite: Store) -> None:
    other = STEP.model_copy(update={"rung": Rung.CONFIRM_USER})
    sqlite.later.plan("DC-1", [wait(), wait(step=other)], run="run-0")
    sqlite.later.take("DC-1", NOW, "", "run-1")
    sqlite.later.plan("DC-1", [wait(NOW + MINUTE, step=other)], run="run-1", now=NOW)
    assert sqlite.later.pending("t") == [wait(NOW + MINUTE, step=other).model_copy(update={"tries": 1})]


def test_what_fails_again_waits_longer_each_time(sqlite: Store) -> None:
    sqlite.later.plan("DC-1", [wait()], run="run-0")
    pauses, now = [], NOW
    for number in range(4):
        (one,) = sqlite.later.due("t", now)
        assert sqlite.later.take("DC-1", one.due, "", f"run-{number}")
        sqlite.later.plan("DC-1", [wait(now)], run=f"run-{number}", now=now)
        (one,) = sqlite.later.pending("t")
        pauses.append((one.due - now).total_seconds())
        now = one.due
    assert pauses == [30, 60, 120, 240]


def test_each_time_that_nothing_comes_of_it_the_pause_is_twice_as_long(sqlite: Store) -> None:
    sqlite.later.plan("DC-1", [wait()], run="run-0")
    pauses, now = [], NOW
    for number in range(10):
        (one,) = sqlite.later.due("t", now)
        assert sqlite.later.take("DC-1", one.due, "", f"run-{number}")
        sqlite.later.put_off("DC-1", f"run-{number}", now)
        (one,) = sqlite.later.pending("t")
        pauses.append((one.due - now).total_seconds())
        now = one.due
    assert pauses == [15, 30, 60, 120, 240, 480, 960, 1200, 1200, 1200]
    sqlite.later.put_off("DC-1", "nobody", now)
    assert len(sqlite.later.due("t", now)) == 1


def test_a_case_that_is_gone_waits_for_nothing(sqlite: Store) -> None:
    sqlite.later.plan("DC-1", [wait()], run="run-0")
    sqlite.later.forget("DC-1")
    assert sqlite.later.pending("t") == []


def test_of_many_who_take_it_at_once_one_gets_it(open_store: Callable[[], Store]) -> None:
    stores = [open_store() for _ in range(4)]
    stores[0].later.plan("DC-1", [wait()], run="run-0")
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda pair: pair[1].later.take("DC-1", NOW, "", f"run-{pair[0]}"), enumerate(stores)))
    assert sorted(got) == [False, False, False, True]
