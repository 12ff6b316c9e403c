"""What an outage kept from being done is kept until it is done, and tried after pauses that grow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from respond.models.intake import Ask, Delivery, Sighting, Trigger
from respond.models.notice import Notice, Shape
from respond.models.owed import Owed, OwedKind
from respond.store.cases import Store

NOW = datetime(2026, 1, 15, 9, 40, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PAUSES = (MINUTE, 5 * MINUTE)


def work(key: str = "one", **more: object) -> Owed:
    known = {"tenant": "t", "kind": OwedKind.COMMENT, "case": "DC-1", "body": "{}", "due": NOW, "since": NOW}
    return Owed.model_validate({**known, "key": key, **more})


def test_each_try_that_comes_to_nothing_lengthens_the_pause_and_the_last_one_repeats(store: Store) -> None:
    pauses, now = [], NOW
    for _ in range(4):
        kept = store.owed.put(work(reason="away"), now=now, pauses=PAUSES)
        pauses.append(kept.due - now)
        now = kept.due
    assert MINUTE * 0.8 <= pauses[0] <= MINUTE
    assert all(5 * MINUTE * 0.8 <= pause <= 5 * MINUTE for pause in pauses[1:])
    (found,) = store.owed.pending("t")
    assert (found.tries, found.since, found.reason) == (4, NOW, "away")
    assert store.owed.of_case("DC-1") == [found]


def test_a_moment_that_the_service_named_is_waited_for(store: Store) -> None:
    until = NOW + 60 * MINUTE
    assert store.owed.put(work(), now=NOW, pauses=PAUSES, until=until).due == until


def test_work_is_taken_by_one_run_and_is_free_again_when_nothing_came_of_it(store: Store) -> None:
    kept = store.owed.put(work(), now=NOW, pauses=PAUSES)
    assert store.owed.due("t", NOW) == []
    assert store.owed.due("other", NOW + MINUTE) == []
    (due,) = store.owed.due("t", NOW + MINUTE)
    assert [store.owed.take(due, run) for run in ("a", "a", "b")] == [True, True, False]
    store.owed.put_off(kept, "again", now=NOW + MINUTE, pauses=PAUSES)
    assert store.owed.take(kept, "b")


def test_what_was_done_makes_the_rest_of_its_kind_due_and_nothing_else(store: Store) -> None:
    for key in ("one", "two"):
        store.owed.put(work(key), now=NOW, pauses=PAUSES)
    store.owed.put(work("three", kind=OwedKind.NOTICE), now=NOW, pauses=PAUSES)
    assert store.owed.settle("t", OwedKind.COMMENT, "one", now=NOW)
    assert not store.owed.settle("t", OwedKind.COMMENT, "one", now=NOW)
    assert [one.key for one in store.owed.due("t", NOW)] == ["two"]
    assert store.owed.counts("t") == {"comment_incident": 1, "send_notice": 1}
    store.owed.put_off(work("one"), "too late", now=NOW, pauses=PAUSES)
    assert store.owed.find("t", OwedKind.COMMENT, "one") is None, "what is done does not come back"


def delivery(store: Store, key: str) -> None:
    notice = Notice(shape=Shape.INCIDENT)
    store.intake.accept(
        Delivery(tenant="t", key=key, digest="", path=Trigger.WEBHOOK, at=NOW, by="logic app", notice=notice)
    )


def test_a_delivery_that_is_answered_makes_those_that_wait_due(store: Store) -> None:
    for key in ("first", "second"):
        delivery(store, key)
        store.intake.put_off("t", key, "Graph did not answer", now=NOW, pauses=PAUSES)
        store.intake.put_off("t", key, "the same try", now=NOW, pauses=PAUSES)
    assert [one.tries for one in store.owed.pending("t")] == [1, 1]
    assert not store.intake.due("t", NOW)
    both = store.intake.due("t", NOW + MINUTE)
    assert [one.number for one in both] == [1, 1]
    store.intake.put_off("t", "second", "still not", now=NOW + MINUTE, pauses=PAUSES)
    asked = Ask(user_id="u", since=NOW, sighting=Sighting(path=Trigger.WEBHOOK, ref="first", at=NOW))
    store.intake.ask("t", "first", [asked], owner="one", is_over=lambda _: False)
    found = store.intake.next_round("t", "u", owner="one", number=0, now=NOW)
    assert found
    store.intake.answered("t", "u", run=found.run, case="DC-1")
    assert [one.key for one in store.owed.pending("t")] == ["second"]
    assert [one.delivery.key for one in store.intake.due("t", datetime.now(UTC))] == ["second"]


def test_a_user_is_put_off_for_everybody_who_asks_and_the_turn_is_given_back(store: Store) -> None:
    for key in ("first", "second"):
        delivery(store, key)
        asked = Ask(user_id="u", since=NOW, sighting=Sighting(path=Trigger.WEBHOOK, ref=key, at=NOW))
        store.intake.ask("t", key, [asked], owner=key, is_over=lambda _: False)
    assert store.intake.put_off_user("t", "u", "Graph did not answer", owner="first", now=NOW, pauses=PAUSES)
    assert store.intake.depth() == {"waiting": 2}
    assert [one.number for one in store.intake.due("t", NOW + MINUTE)] == [1, 1]
    third = Ask(user_id="u", since=NOW, sighting=Sighting(path=Trigger.WEBHOOK, ref="first", at=NOW))
    assert store.intake.ask("t", "first", [third], owner="another", is_over=lambda _: False).mine == ("u",)


def test_what_may_not_pass_is_put_off_a_few_times_only(store: Store) -> None:
    delivery(store, "first")
    asked = Ask(user_id="u", since=NOW, sighting=Sighting(path=Trigger.WEBHOOK, ref="first", at=NOW))
    for number in range(4):
        now = NOW + number * 10 * MINUTE
        store.intake.due("t", now)
        store.intake.ask("t", "first", [asked], owner="one", is_over=lambda _: False)
        put_off = store.intake.put_off_user("t", "u", "broke", owner="one", now=now, pauses=PAUSES, most=3)
        assert put_off == (number < 3)
