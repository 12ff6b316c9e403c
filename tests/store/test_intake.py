"""Deliveries and turns: nothing that was asked goes unanswered, and one at a time looks at a user."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from respond.models.intake import Ask, Delivery, Rounds, Sighting, Trigger
from respond.models.notice import Notice, Shape
from respond.store.cases import Store
from respond.store.intake import ECHO_FOR

NOW = datetime(2026, 1, 15, 9, 40, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def delivery(key: str, at: datetime = NOW, **more: Any) -> Delivery:
    known: dict[str, Any] = {"tenant": "t", "digest": "same", "path": Trigger.WEBHOOK, "by": "logic app"}
    return Delivery(**(known | more), key=key, at=at, notice=Notice(shape=Shape.INCIDENT))


def ask(user: str, key: str) -> Ask:
    return Ask(user_id=user, since=NOW - MINUTE, sighting=Sighting(path=Trigger.WEBHOOK, ref=key, at=NOW))


def asks(store: Store, key: str, *users: str, owner: str, over: bool = False) -> Rounds:
    return store.intake.ask("t", key, [ask(user, key) for user in users], owner=owner, is_over=lambda _: over)


def look(store: Store, user: str = "u", *, owner: str = "one", number: int = 1) -> str:
    """The run of the next look, or an empty text when nobody asks."""
    found = store.intake.next_round("t", user, owner=owner, number=number, now=NOW)
    return found.run if found else ""


def is_open(store: Store, key: str) -> bool:
    return key in {begun.delivery.key for begun in store.intake.open("t", before=NOW + 9 * MINUTE)}


@pytest.mark.parametrize(
    ("later", "more", "echo"),
    [
        (ECHO_FOR - MINUTE, {}, True),
        (ECHO_FOR + MINUTE, {}, False),
        (MINUTE, {"tenant": "other"}, False),
        (MINUTE, {"digest": "else"}, False),
    ],
    ids=["within an hour", "after an hour", "another tenant", "something else"],
)
def test_the_same_said_again_is_an_echo_for_an_hour_in_one_tenant(
    later: timedelta, more: dict[str, Any], echo: bool, sqlite: Store
) -> None:
    sqlite.intake.accept(delivery("first"), is_over=True)
    again = sqlite.intake.accept(delivery("second", NOW + later, **more))
    assert (again.duplicate, again.key) == ((True, "first") if echo else (False, "second"))


def test_the_same_said_again_is_an_echo_as_long_as_the_first_is_not_answered(sqlite: Store) -> None:
    sqlite.intake.accept(delivery("first"))
    sqlite.intake.put_off("t", "first", "Graph did not answer", now=NOW, pauses=[MINUTE])
    assert sqlite.intake.accept(delivery("second", NOW + 100 * ECHO_FOR)).key == "first"


def test_a_retry_is_a_duplicate_however_late_it_comes(sqlite: Store) -> None:
    assert not sqlite.intake.accept(delivery("first")).duplicate
    assert sqlite.intake.accept(delivery("first", NOW + 9 * ECHO_FOR)).duplicate


def test_what_was_given_up_answers_nobody(sqlite: Store) -> None:
    sqlite.intake.accept(delivery("first"))
    assert not sqlite.intake.broke("t", "first", number=0, most=1)
    assert not sqlite.intake.accept(delivery("second", NOW + MINUTE)).duplicate


def test_a_delivery_is_open_until_each_of_its_users_is_answered(sqlite: Store) -> None:
    sqlite.intake.accept(delivery("first"))
    assert is_open(sqlite, "first")
    asks(sqlite, "first", "u", "v", owner="one")
    runs = {user: look(sqlite, user) for user in ("u", "v")}
    for user, run in runs.items():
        assert is_open(sqlite, "first")
        sqlite.intake.answered("t", user, run=run, case=f"DC-{user}")
    assert not is_open(sqlite, "first")
    assert sqlite.intake.cases_of("t", "first") == ("DC-u", "DC-v")


def test_a_delivery_is_forgotten_when_it_is_old_and_answered(sqlite: Store) -> None:
    for key in ("open", "answered"):
        sqlite.intake.accept(delivery(key, digest=key))
        asks(sqlite, key, key, owner="one")
    sqlite.intake.answered("t", "answered", run=look(sqlite, "answered"), case="DC-1")
    assert sqlite.intake.prune(NOW) == 0
    assert sqlite.intake.prune(NOW + MINUTE) == 1
    assert sqlite.intake.delivery("t", "open") is not None
    assert sqlite.intake.delivery("t", "answered") is None


def test_forgetting_ones_deliveries_leaves_those_of_the_same_key_in_another_tenant(sqlite: Store) -> None:
    sqlite.intake.accept(delivery("schedule/7"), is_over=True)
    sqlite.intake.accept(delivery("schedule/7", NOW + MINUTE, tenant="other"))
    assert sqlite.intake.prune(NOW + MINUTE / 2) == 1
    assert sqlite.intake.delivery("t", "schedule/7") is None
    assert sqlite.intake.is_open("other", "schedule/7")


def test_what_a_fast_clock_dated_in_the_future_answers_nobody(sqlite: Store) -> None:
    sqlite.intake.accept(delivery("first", NOW + 9 * ECHO_FOR), is_over=True)
    assert not sqlite.intake.accept(delivery("second")).duplicate


def test_a_look_answers_those_who_asked_before_it_began(sqlite: Store) -> None:
    for key in ("first", "second"):
        sqlite.intake.accept(delivery(key, digest=key))
    asks(sqlite, "first", "u", owner="one")
    run = look(sqlite)
    asks(sqlite, "second", "u", owner="two")
    sqlite.intake.answered("t", "u", run=run, case="DC-1")
    assert not is_open(sqlite, "first")
    assert is_open(sqlite, "second")
    assert look(sqlite, number=2)


@pytest.mark.parametrize(
    ("owner", "over", "taken"),
    [("two", False, False), ("one", False, True), ("two", True, True)],
    ids=["somebody else's", "one's own", "of one that has ended"],
)
def test_a_turn_is_taken_from_nobody_who_still_runs(owner: str, over: bool, taken: bool, sqlite: Store) -> None:
    for key in ("first", "second"):
        sqlite.intake.accept(delivery(key, digest=key))
    assert asks(sqlite, "first", "u", owner="one") == Rounds(mine=("u",))
    expected = Rounds(mine=("u",)) if taken else Rounds(others=("u",))
    assert asks(sqlite, "second", "u", owner=owner, over=over) == expected
    assert bool(look(sqlite, owner="one")) == (owner == "one" or not taken)
    assert bool(look(sqlite, owner="two")) == (owner == "two" and taken)


def test_a_turn_is_given_back_when_nobody_asks(sqlite: Store) -> None:
    sqlite.intake.accept(delivery("first"))
    asks(sqlite, "first", "u", owner="one")
    sqlite.intake.answered("t", "u", run=look(sqlite), case="DC-1")
    assert look(sqlite, number=2) == ""
    sqlite.intake.accept(delivery("second", digest="else"))
    assert asks(sqlite, "second", "u", owner="two") == Rounds(mine=("u",))
