"""The time by the services: learned from their answers, and from nothing that says little."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from respond.clients.clock import ServiceClock, said
from respond.clients.retry import parse_retry_after
from respond.present import go_by, present

MINUTE = timedelta(minutes=1)


def answer(ahead: timedelta, **more: str) -> dict[str, str]:
    now = datetime.now(UTC) + ahead
    return {"Date": format_datetime(now.replace(microsecond=0), usegmt=True), **more}


def heard(*answers: dict[str, str], took: timedelta = timedelta(0)) -> float:
    clock = ServiceClock()
    for one in answers:
        clock.hear(one, datetime.now(UTC) - took)
    return clock.ahead()


@pytest.mark.parametrize("ahead", [30 * MINUTE, -20 * MINUTE, timedelta(days=400)])
def test_the_time_is_that_of_the_services(ahead: timedelta) -> None:
    clock = ServiceClock()
    clock.hear(answer(ahead), datetime.now(UTC))
    assert abs(clock.now() - datetime.now(UTC) - ahead) < timedelta(seconds=2)


@pytest.mark.parametrize(
    "headers",
    [{}, {"Date": "yesterday"}, {"Date": ""}, {"Date": "Thu, 99 Jan 2026 00:00:00 GMT"}, answer(30 * MINUTE, Age="90")],
    ids=["none", "no date", "empty", "no such day", "kept by a cache"],
)
def test_an_answer_that_says_nothing_of_the_time_changes_nothing(headers: dict[str, str]) -> None:
    assert heard(headers) == 0


def test_what_was_long_under_way_or_is_within_the_noise_says_nothing() -> None:
    assert heard(answer(30 * MINUTE), took=MINUTE) == 0
    assert heard(answer(timedelta(seconds=3))) == 0


def test_one_service_that_is_wrong_is_outvoted() -> None:
    assert heard(answer(timedelta(0)), answer(timedelta(hours=5)), answer(timedelta(0))) == 0


def test_the_newest_answers_count() -> None:
    assert abs(heard(*[answer(30 * MINUTE)] * 20, *[answer(timedelta(0))] * 5)) < 2


@pytest.mark.parametrize("ahead", [timedelta(0), 30 * MINUTE, -20 * MINUTE])
@pytest.mark.parametrize("set_by", [timedelta(hours=1), -30 * MINUTE])
def test_a_clock_that_is_set_changes_the_difference_and_not_the_time(ahead: timedelta, set_by: timedelta) -> None:
    wrong = timedelta(0)
    clock = ServiceClock(lambda: datetime.now(UTC) + wrong)
    for _ in range(9):
        clock.hear(answer(ahead), datetime.now(UTC))
    wrong = set_by
    assert abs(clock.now() - datetime.now(UTC) - ahead) < timedelta(seconds=6)
    assert abs(clock.ahead() - (ahead - set_by).total_seconds()) < 2


def test_whatever_is_kept_goes_by_the_same_time() -> None:
    go_by(lambda: 30 * MINUTE)
    assert abs(present() - datetime.now(UTC) - 30 * MINUTE) < timedelta(seconds=2)
    in_a_minute = format_datetime((present() + MINUTE).replace(microsecond=0), usegmt=True)
    asked = parse_retry_after(in_a_minute)
    go_by(None)
    assert asked is not None
    assert abs(asked - 60) < 3, "a date that a service names is one by its own clock"
    assert abs(present() - datetime.now(UTC)) < timedelta(seconds=1)


def test_the_difference_is_said_in_words() -> None:
    assert said(30 * MINUTE).startswith("this machine's clock is 30 min slow")
    assert said(-timedelta(seconds=90)).startswith("this machine's clock is 90 s fast")
