"""Questions to people: asked once, answered once, asked anew after an answer."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from respond.models.approvals import Answer, Asked
from respond.models.audit import AuditKind
from respond.store.cases import Store

NOW = datetime(2026, 1, 15, 9, 40, tzinfo=UTC)
LATER = NOW + timedelta(minutes=30)


def asked(name: str = "disable_user", thing: str = "u1", **more: Any) -> Asked:
    values: dict[str, Any] = {
        "case": "DC-1",
        "tenant": "t",
        "name": name,
        "object": thing,
        "target": "ann@contoso.com",
        "summary": f"{name} ann@contoso.com",
        "step": '{"a":1}',
        "run": "run-1",
        "at": NOW,
        "due": LATER,
    }
    return Asked(**(values | more))


def say(store: Store, answer: Answer, *, names: set[str] | None = None, by: str = "ann@host", **more: Any) -> Any:
    return store.approvals.answer("DC-1", names=names, answer=answer, by=by, at=LATER, **more)


def test_a_question_waits_until_it_is_answered(store: Store) -> None:
    store.approvals.ask(asked())
    assert store.approvals.waiting() == [asked()]
    mine, others = say(store, Answer.APPROVED, because="he is on leave")
    done = asked(answer=Answer.APPROVED, by="ann@host", answered_at=LATER, because="he is on leave")
    assert (mine, others) == ([done], [])
    assert store.approvals.waiting() == []
    assert store.approvals.of_case("DC-1") == [done]


def test_the_same_question_again_keeps_its_times_and_says_what_is_new(store: Store) -> None:
    store.approvals.ask(asked())
    again = asked(at=LATER, due=LATER + timedelta(hours=1), summary="new", step="{}", run="run-2")
    stands = store.approvals.ask(again)
    assert stands == asked(summary="new", step="{}", run="run-2")
    assert store.approvals.of_case("DC-1") == [stands]


@pytest.mark.parametrize("answer", [Answer.APPROVED, Answer.DENIED, Answer.EXPIRED])
def test_a_question_after_an_answer_is_a_new_round(store: Store, answer: Answer) -> None:
    store.approvals.ask(asked())
    say(store, answer)
    fresh = store.approvals.ask(asked(at=LATER, due=None, answer=answer, by="forged"))
    assert fresh == asked(at=LATER, due=None, round=2)
    assert [(one.round, one.answer) for one in store.approvals.of_case("DC-1")] == [(1, answer), (2, Answer.WAITING)]
    assert store.approvals.waiting("DC-1") == [fresh]


def test_a_new_round_rewrites_nothing_of_what_was_answered(sqlite: Store) -> None:
    sqlite.approvals.ask(asked())
    say(sqlite, Answer.DENIED)
    sqlite.approvals.ask(asked(at=LATER))
    sqlite.approvals.ask(asked(at=LATER, summary="new", step="{}", run="run-2"))
    first, second = sqlite.approvals.of_case("DC-1")
    assert (first.answer, first.summary, first.run) == (Answer.DENIED, asked().summary, "run-1")
    assert (second.answer, second.summary, second.run) == (Answer.WAITING, "new", "run-2")


def test_the_first_answer_counts(store: Store) -> None:
    store.approvals.ask(asked())
    say(store, Answer.DENIED, by="ann@host")
    mine, others = say(store, Answer.APPROVED, by="bob@host")
    assert mine == []
    assert [(one.answer, one.by) for one in others] == [(Answer.DENIED, "ann@host")]


def test_of_two_answers_at_once_one_counts(open_store: Callable[[], Store]) -> None:
    stores = [open_store() for _ in range(2)]
    for n in range(10):
        stores[0].approvals.ask(asked(thing=f"u{n}", case=f"DC-{n}"))

        def give(answer: Answer, n: int = n) -> list[Asked]:
            store = stores[answer is Answer.DENIED]
            return store.approvals.answer(f"DC-{n}", names=None, answer=answer, by=answer.value, at=LATER)[0]

        with ThreadPoolExecutor(4) as pool:
            won = [one for mine in pool.map(give, [Answer.APPROVED, Answer.DENIED] * 2) for one in mine]
        assert len(won) == 1
        assert stores[0].approvals.of_case(f"DC-{n}") == won
    assert len(list(stores[0].audit.entries())) == 10


def test_one_of_two_questions_of_one_name_is_answered_by_its_object(sqlite: Store) -> None:
    """Two methods that nothing tells apart by name: one is the user's own."""
    for thing in ("m1", "m2"):
        sqlite.approvals.ask(asked("remove_method", thing))
    mine, others = say(sqlite, Answer.APPROVED, names={"m2"})
    assert ([one.object for one in mine], others) == (["m2"], [])
    assert [one.object for one in sqlite.approvals.waiting()] == ["m1"]


def test_only_the_actions_that_are_named_are_answered(sqlite: Store) -> None:
    for name, thing in (("disable_user", "u1"), ("remove_device", "d1"), ("remove_device", "d2")):
        sqlite.approvals.ask(asked(name, thing))
    sqlite.approvals.ask(asked(case="DC-2"))
    mine, others = say(sqlite, Answer.APPROVED, names={"remove_device"})
    assert ([one.object for one in mine], others) == (["d1", "d2"], [])
    assert [(one.case, one.name) for one in sqlite.approvals.waiting()] == [
        ("DC-1", "disable_user"),
        ("DC-2", "disable_user"),
    ]
    assert say(sqlite, Answer.APPROVED, names={"no_such"}) == ([], [])
    mine, others = say(sqlite, Answer.DENIED)
    assert [one.object for one in mine] == ["u1"]
    assert [one.object for one in others] == ["d1", "d2"]


def test_waiting_is_of_the_case_and_tenant_that_is_asked_for(sqlite: Store) -> None:
    sqlite.approvals.ask(asked())
    sqlite.approvals.ask(asked(case="DC-2", tenant="other"))
    assert [one.case for one in sqlite.approvals.waiting(tenant="other")] == ["DC-2"]
    assert [one.case for one in sqlite.approvals.waiting("DC-1")] == ["DC-1"]
    assert sqlite.approvals.waiting("DC-1", "other") == []


def test_a_question_without_an_end_never_expires(sqlite: Store) -> None:
    sqlite.approvals.ask(asked(thing="ends"))
    sqlite.approvals.ask(asked(thing="stays", due=None))
    assert sqlite.approvals.expired(LATER - timedelta(microseconds=1)) == []
    assert [one.object for one in sqlite.approvals.expired(LATER)] == ["ends"]
    assert len(sqlite.approvals.waiting()) == 2
    say(sqlite, Answer.EXPIRED, by="respond")
    assert sqlite.approvals.expired(LATER) == []


def test_a_question_that_is_not_asked_any_more_is_overtaken(sqlite: Store) -> None:
    for thing in ("u1", "u2", "u3"):
        sqlite.approvals.ask(asked(thing=thing))
        if thing == "u1":
            say(sqlite, Answer.DENIED)
    gone = sqlite.approvals.overtake("DC-1", {("disable_user", "u2")}, at=LATER)
    assert [(one.object, one.answer, one.answered_at) for one in gone] == [("u3", Answer.OVERTAKEN, LATER)]
    kept = {one.object: one.answer for one in sqlite.approvals.of_case("DC-1")}
    assert kept == {"u1": Answer.DENIED, "u2": Answer.WAITING, "u3": Answer.OVERTAKEN}
    assert sqlite.approvals.ask(asked(thing="u3")).round == 2


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer.APPROVED, AuditKind.APPROVAL),
        (Answer.DENIED, AuditKind.DENIAL),
        (Answer.EXPIRED, AuditKind.TIMEOUT),
    ],
)
def test_each_answer_is_in_the_audit_log(sqlite: Store, answer: Answer, kind: AuditKind) -> None:
    sqlite.approvals.ask(asked())
    say(sqlite, answer, by="bob@host", because="sure")
    say(sqlite, answer, by="bob@host")
    (entry,) = sqlite.audit.entries(case="DC-1")
    assert (entry.kind, entry.actor, entry.at, entry.run) == (kind, "bob@host", LATER, "run-1")
    assert entry.what == f"{answer.value}: disable_user ann@contoso.com"
    assert entry.detail["because"] == "sure"
    assert entry.detail["object"] == "u1"


@pytest.mark.parametrize("answer", [Answer.WAITING, Answer.OVERTAKEN])
def test_what_is_no_answer_is_refused(sqlite: Store, answer: Answer) -> None:
    sqlite.approvals.ask(asked())
    with pytest.raises(ValueError, match="is no answer"):
        say(sqlite, answer)
