"""An endless loop that fails is told once, counted, and goes on; a row that breaks keeps no other row back."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from respond.errors import StateAway
from respond.observe.setbacks import Setbacks
from respond.serving.supervised import Loop, supervised


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG, "respond"):
        yield caplog


def events(said: pytest.LogCaptureFixture, event: str) -> list[dict[str, object]]:
    return [vars(record)["fields"] for record in said.records if record.msg == event]


class Turns:
    """A loop that fails as it is told, and ends after that."""

    def __init__(self, *errors: Exception | None) -> None:
        self._errors = list(errors)

    async def turn(self) -> float | None:
        if not self._errors:
            return None
        if error := self._errors.pop(0):
            raise error
        return 0.0


def away(statement: str = "SELECT upn FROM people") -> OperationalError:
    return OperationalError(statement, {"upn": "target.user@contoso.com"}, Exception("gone"))


def run(*errors: Exception | None) -> Setbacks:
    setbacks = Setbacks()
    asyncio.run(supervised(Loop("follow", Turns(*errors).turn), setbacks, longest=0.001))
    return setbacks


def test_a_loop_goes_on_after_whatever_error(said: pytest.LogCaptureFixture) -> None:
    setbacks = run(away(), ZeroDivisionError("a defect"), StateAway("locked"), None)
    assert setbacks.loops() == {"follow": (3, False)}
    levels = {record.levelname for record in said.records if record.msg == "loop-failed"}
    assert levels == {"WARNING", "ERROR"}, "what may pass is a warning, a defect is an error"
    (recovered,) = events(said, "loop-recovered")
    assert recovered["failures"] == 3


def test_one_cause_is_told_once(said: pytest.LogCaptureFixture) -> None:
    run(*(away() for _ in range(20)))
    assert len(events(said, "loop-failed")) == 1


def test_a_cause_that_lasts_is_told_again_after_ten_minutes(said: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    setbacks = Setbacks(lambda: now[0])
    for _ in range(121):
        setbacks.failed("follow", away(), again=10)
        now[0] += 10
    assert len(events(said, "loop-failed")) == 3


def test_what_fails_just_now_is_shown_and_is_gone_when_it_works() -> None:
    setbacks = Setbacks()
    setbacks.failed("follow", StateAway("the state database is locked"), again=1)
    assert setbacks.failing() == {"follow": "the state database is locked"}
    setbacks.went("follow")
    assert setbacks.failing() == {}
    assert setbacks.loops() == {"follow": (1, False)}


def test_no_statement_and_no_value_is_told(said: pytest.LogCaptureFixture) -> None:
    run(away(), IntegrityError("INSERT INTO people", ("target.user@contoso.com",), Exception("Key (upn)=(target)")))
    text = json.dumps([vars(record)["fields"] for record in said.records])
    assert "target" not in text
    assert "people" not in text


def test_a_row_that_breaks_is_passed_over_and_told_once(said: pytest.LogCaptureFixture) -> None:
    setbacks = Setbacks()
    for _ in range(3):
        found = setbacks.readable("recheck", ["1", "two", "3"], int, str)
        assert found == [1, 3]
    (line,) = events(said, "row-passed-over")
    assert (line["kind"], line["key"]) == ("recheck", "two")
    assert setbacks.passed_over() == {"recheck": 1}
    assert setbacks.rows() == {"recheck": 3}
    assert setbacks.readable("recheck", ["two"], len, str) == [3]
    assert setbacks.passed_over() == {}


def test_a_database_that_is_away_is_no_matter_of_a_row() -> None:
    setbacks = Setbacks()
    with pytest.raises(StateAway), setbacks.alone("recheck", "1"):
        raise away()
    assert setbacks.passed_over() == {}
    with setbacks.alone("recheck", "1"):
        raise IntegrityError("INSERT", (), Exception())
    assert setbacks.passed_over() == {"recheck": 1}


def test_a_loop_that_lasts_has_recovered_when_it_goes_on_for_a_while() -> None:
    setbacks, tries = Setbacks(), []

    async def turn() -> None:
        tries.append(setbacks.failing())
        if len(tries) == 1:
            raise ZeroDivisionError
        await asyncio.sleep(0.1)
        tries.append(setbacks.failing())

    asyncio.run(supervised(Loop("tenant", turn, lasts=True), setbacks, longest=0.01))
    assert tries == [{}, {"tenant": "ZeroDivisionError: "}, {}]
