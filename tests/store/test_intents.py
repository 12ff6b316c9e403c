"""What was there before a change is kept until it was put back."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from respond.models.intents import Intent
from respond.store.cases import Store

NOW = datetime(2026, 1, 15, 9, 40, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def intent(thing: str = "u1", **more: Any) -> Intent:
    values: dict[str, Any] = {
        "tenant": "t",
        "case": "DC-1",
        "user_id": "u1",
        "name": "disable_user",
        "object": thing,
        "step": "{}",
        "before": '{"accountEnabled":true}',
        "at": NOW,
    }
    return Intent(**(values | more))


def test_a_second_try_gets_what_was_there_before_the_first(store: Store) -> None:
    assert store.intents.begin(intent()) == intent()
    assert store.intents.begin(intent(before='{"accountEnabled":false}', at=LATER)) == intent()
    assert store.intents.find("DC-1", "disable_user", "u1") == intent()


def test_after_an_undo_a_new_intent_takes_its_place(sqlite: Store) -> None:
    sqlite.intents.begin(intent())
    assert sqlite.intents.undone("DC-1", "disable_user", "u1", LATER)
    assert sqlite.intents.find("DC-1", "disable_user", "u1") == intent(undone_at=LATER)
    assert not sqlite.intents.undone("DC-1", "disable_user", "u1", LATER + timedelta(hours=1))
    new = intent(before='{"accountEnabled":null}', at=LATER)
    assert sqlite.intents.begin(new) == new
    assert sqlite.intents.of_case("DC-1") == [new]


def test_what_was_never_begun_is_not_there(sqlite: Store) -> None:
    assert sqlite.intents.find("DC-1", "disable_user", "u1") is None
    assert not sqlite.intents.undone("DC-1", "disable_user", "u1", LATER)
    assert sqlite.intents.of_case("DC-1") == []


def test_a_case_lists_its_intents_in_the_order_they_were_begun(sqlite: Store) -> None:
    for thing in ("z", "a", "m"):
        sqlite.intents.begin(intent(thing))
    sqlite.intents.begin(intent("b", case="DC-2"))
    assert [one.object for one in sqlite.intents.of_case("DC-1")] == ["z", "a", "m"]
    sqlite.intents.undone("DC-1", "disable_user", "z", LATER)
    sqlite.intents.begin(intent("z"))
    assert [one.object for one in sqlite.intents.of_case("DC-1")] == ["a", "m", "z"]


def test_of_many_who_begin_at_once_all_get_the_same(open_store: Callable[[], Store]) -> None:
    stores = [open_store() for _ in range(2)]
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda n: stores[n % 2].intents.begin(intent(before=f"{n}")), range(16)))
    assert len({one.before for one in got}) == 1
    assert stores[0].intents.of_case("DC-1") == got[:1]
