"""Retrying: what is tried again, how long it waits, when it gives up; then the same through the whole product."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from respond import progress
from respond.clients.retry import parse_retry_after, retried
from respond.errors import Forbidden, NotFound, Permanent, RespondError, Transient, Unanswered
from respond.settings import LabFault, Retry
from tests.helpers.command import VICTIM, Answer, respond, revocations
from tests.lab.running_lab import RunningLab

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
REVOKE = "POST */revokeSignInSessions"
QUERY = "POST */query"


class Service:
    """Fails as told, call by call, then answers; `latency` in seconds."""

    def __init__(self, *failures: Exception, latency: float = 0) -> None:
        self._failures = list(failures)
        self._latency = latency
        self.calls: list[float] = []

    async def __call__(self) -> str:
        self.calls.append(time.monotonic())
        await asyncio.sleep(self._latency)
        if self._failures:
            raise self._failures.pop(0)
        return "the answer"


def policy(**changes: Any) -> Retry:
    quick = {"attempts": 4, "first_wait": "1ms", "longest_wait": "5ms", "read_budget": "2s", "write_budget": "2s"}
    return Retry.model_validate(quick | changes)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("2", 2.0),
        (" 120 ", 120.0),
        ("0.5", 0.5),
        ("0", 0.0),
        ("-5", 0.0),
        ("Thu, 15 Jan 2026 12:00:30 GMT", 30.0),
        ("Thu, 15 Jan 2026 13:00:30 +0100", 30.0),
        ("Thursday, 15-Jan-26 12:00:30 GMT", 30.0),
        ("Thu, 15 Jan 2026 11:59:00 GMT", 0.0),
        (None, None),
        ("", None),
        ("  ", None),
        ("soon", None),
        ("Thu, 45 Jan 2026 12:00:30 GMT", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
    ],
)
def test_reads_both_forms_of_retry_after(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, NOW) == seconds


@given(
    moment=st.datetimes(datetime(1990, 1, 1), datetime(2900, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds the zone
    now=st.datetimes(datetime(1990, 1, 1), datetime(2900, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_a_date_is_as_many_seconds_as_it_lies_ahead(moment: datetime, now: datetime) -> None:
    moment = moment.replace(microsecond=0)
    waits = parse_retry_after(format_datetime(moment, usegmt=True), now)
    assert waits == max(0.0, (moment - now).total_seconds())


@given(header=st.text(max_size=40) | st.from_regex(r"\w{3}, \d+ \w{3} \d+ \d\d:\d\d:\d\d ?\S*"))
def test_no_header_can_break_it(header: str) -> None:
    seconds = parse_retry_after(header, NOW)
    assert seconds is None or seconds >= 0


async def test_a_transient_failure_is_tried_again() -> None:
    service = Service(Transient("throttled"), Unanswered("lost"), Transient("ill"))
    assert await retried(service, policy=policy()) == "the answer"
    assert len(service.calls) == 4


@pytest.mark.parametrize("kind", [Permanent, Forbidden, NotFound, RespondError])
async def test_a_failure_for_good_is_not_tried_again(kind: type[RespondError]) -> None:
    service = Service(kind("no"))
    with pytest.raises(kind, match="no"):
        await retried(service, policy=policy())
    assert len(service.calls) == 1


async def test_a_mistake_of_ours_is_not_tried_again() -> None:
    service = Service(KeyError("x"))
    with pytest.raises(KeyError):
        await retried(service, policy=policy())
    assert len(service.calls) == 1


async def test_a_lost_answer_to_a_write_is_not_repeated() -> None:
    service = Service(Unanswered("lost"))
    with pytest.raises(Unanswered):
        await retried(service, policy=policy(), is_write=True)
    assert len(service.calls) == 1


async def test_a_write_that_was_refused_is_tried_again() -> None:
    service = Service(Transient("throttled"))
    assert await retried(service, policy=policy(), is_write=True) == "the answer"
    assert len(service.calls) == 2


async def test_nothing_but_the_named_failure_is_tried_again() -> None:
    lost, throttled = Service(Unanswered("lost")), Service(Transient("throttled"))
    assert await retried(lost, policy=policy(), only=Unanswered) == "the answer"
    with pytest.raises(Transient):
        await retried(throttled, policy=policy(), only=Unanswered)
    assert (len(lost.calls), len(throttled.calls)) == (2, 1)


async def test_never_comes_back_sooner_than_asked() -> None:
    service = Service(Transient("throttled", retry_after=0.15), Transient("throttled", retry_after=0.1))
    await retried(service, policy=policy())
    first, second, third = service.calls
    assert second - first >= 0.15
    assert third - second >= 0.1


async def test_no_wait_is_longer_than_allowed() -> None:
    service = Service(*(Transient("ill") for _ in range(9)))
    started = time.monotonic()
    await retried(service, policy=policy(attempts=10, first_wait="200ms", longest_wait="5ms"))
    assert time.monotonic() - started < 0.5


async def test_gives_up_after_so_many_attempts_and_says_the_last_reason() -> None:
    service = Service(*(Transient(f"reason {number}") for number in range(9)))
    with pytest.raises(Transient, match="reason 3"):
        await retried(service, policy=policy(attempts=4))
    assert len(service.calls) == 4


@pytest.mark.parametrize("asked", [2.0, 3600.0, float("inf")])
async def test_a_wait_beyond_the_budget_fails_at_once(asked: float) -> None:
    service = Service(Transient("throttled", retry_after=asked))
    started = time.monotonic()
    with pytest.raises(Transient, match="throttled"):
        await retried(service, policy=policy(read_budget="2s"))
    assert time.monotonic() - started < 0.5
    assert len(service.calls) == 1


async def test_a_slow_service_uses_the_budget_up() -> None:
    service = Service(*(Transient("ill") for _ in range(20)), latency=0.05)
    with pytest.raises(Transient):
        await retried(service, policy=policy(attempts=20, read_budget="200ms"))
    assert len(service.calls) in range(2, 6)


async def test_reading_and_writing_have_budgets_of_their_own() -> None:
    short = policy(read_budget="2s", write_budget="50ms")
    reading, writing = (Service(Transient("throttled", retry_after=0.1)) for _ in range(2))
    assert await retried(reading, policy=short) == "the answer"
    with pytest.raises(Transient):
        await retried(writing, policy=short, is_write=True)


async def test_no_wait_of_ours_goes_beyond_the_budget() -> None:
    """`read_budget`: the longest that all tries and their waits may take together."""
    service = Service(*(Transient("ill") for _ in range(9)))
    with pytest.raises(Transient):
        async with asyncio.timeout(1):
            await retried(service, policy=policy(first_wait="60s", longest_wait="60s", read_budget="300ms"))


async def test_says_how_long_it_waits_and_why() -> None:
    heard: list[progress.Event] = []
    with progress.listening(heard.append), progress.action("match_threat_intel"):
        await retried(Service(Transient("Graph answered 429", retry_after=0.1)), policy=policy())
    (event,) = heard
    assert (event.kind, event.action) == (progress.Kind.WAITING, "match_threat_intel")
    assert event.text.startswith("waiting 0.1 s")
    assert "Graph answered 429" in event.text


# From here on: the command line, the SDKs and the lab over HTTP.


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESPOND_RETRY__FIRST_WAIT", "50ms")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> timedelta:
    """The budget of one read."""
    monkeypatch.setenv("RESPOND_RETRY__READ_BUDGET", "2s")
    monkeypatch.setenv("RESPOND_RETRY__ATTEMPTS", "2")
    return timedelta(seconds=2)


def fault(match: str, **more: Any) -> LabFault:
    return LabFault.model_validate({"match": match, **more})


def answer_for_victim() -> Answer:
    return respond("--user", VICTIM, "--json")


def revoked_once(tenant: RunningLab, *statuses: int) -> list[datetime]:
    """When each revocation arrived, given that they were answered like this."""
    journal = revocations(tenant)
    assert [write["status"] for write in journal] == list(statuses)
    assert len([write for write in journal if write["status"] < 300]) == 1
    return [datetime.fromisoformat(write["at"]) for write in journal]


@pytest.mark.parametrize("asked", ["2", pytest.param("+2s", marks=pytest.mark.soak)])
def test_a_throttled_write_waits_as_told_then_succeeds_once(asked: str, lab: Callable[..., RunningLab]) -> None:
    tenant = lab(faults=(fault(REVOKE, status=429, retry_after=asked),))
    answer = answer_for_victim()
    assert (answer.code, answer.json["outcome"]) == (0, "contained-verified")
    first, second = revoked_once(tenant, 429, 200)
    assert second - first >= timedelta(seconds=2)


@pytest.mark.parametrize(
    ("struck", "journal"),
    [
        pytest.param({"status": 429}, (429, 200), id="throttled without a wait named", marks=pytest.mark.soak),
        pytest.param({"status": 503, "times": 2}, (503, 503, 200), id="ill twice"),
        pytest.param({"status": 500}, (500, 200), id="failed, and it did not happen", marks=pytest.mark.soak),
        pytest.param({"kind": "drop_before"}, (444, 200), id="dropped, and it did not happen", marks=pytest.mark.soak),
        pytest.param({"kind": "drop_after"}, (200,), id="answer lost, and it did happen"),
    ],
)
def test_one_revocation_whatever_befalls_it(
    struck: dict[str, Any], journal: tuple[int, ...], lab: Callable[..., RunningLab]
) -> None:
    tenant = lab(faults=(fault(REVOKE, **struck),))
    answer = answer_for_victim()
    assert (answer.code, answer.json["outcome"]) == (0, "contained-verified"), answer
    revoked_once(tenant, *journal)


@pytest.mark.soak
def test_a_wait_beyond_the_budget_leaves_the_user_uncontained_and_the_ticket_says_so(
    lab: Callable[..., RunningLab],
) -> None:
    tenant = lab(faults=(fault(REVOKE, status=429, retry_after="86400", times=0),))
    answer = answer_for_victim()
    assert (answer.code, answer.json["outcome"]) == (1, "not-contained")
    assert "429" in answer.action("revoke_sessions")["summary"]
    assert answer.action("open_ticket")["status"] == "done"
    assert answer.json["ticket"]["id"]
    assert [write["status"] for write in revocations(tenant)] == [429]


def test_a_permission_that_was_not_granted_is_named_and_the_ticket_is_still_opened(
    lab: Callable[..., RunningLab],
) -> None:
    tenant = lab(withheld_permissions=("User.RevokeSessions.All",))
    answer = answer_for_victim()
    assert (answer.code, answer.json["outcome"]) == (1, "not-contained")
    revoke = answer.action("revoke_sessions")
    assert revoke["status"] == "failed"
    assert "User.RevokeSessions.All" in revoke["summary"]
    assert answer.action("open_ticket")["status"] == "done"
    assert answer.json["ticket"]["id"]
    assert [write["status"] for write in revocations(tenant)] == [403]


@pytest.mark.soak
def test_a_throttled_query_costs_time_and_no_evidence(lab: Callable[..., RunningLab]) -> None:
    struck = fault(QUERY, contains="ThreatIntelIndicators", status=429, retry_after="1")
    tenant = lab(faults=(struck,))
    answer = answer_for_victim()
    assert (answer.code, answer.json["gaps"]) == (0, [])
    assert "threat-intel-address" in {finding["id"] for finding in answer.json["findings"]}
    queries = [request for request in tenant.get("/_lab/requests") if request["path"].endswith("/query")]
    assert [query["status"] for query in queries].count(429) == 1


@pytest.mark.soak
def test_a_token_service_that_is_ill_for_a_moment_is_asked_again(lab: Callable[..., RunningLab]) -> None:
    lab(faults=(fault("POST */token", status=503, retry_after="0"),))
    answer = answer_for_victim()
    assert answer.code == 0, answer.err


def test_a_hunt_that_stays_partial_judges_nobody_and_hands_the_user_to_a_person(
    lab: Callable[..., RunningLab],
) -> None:
    lab(faults=(fault(QUERY, contains="AADNonInteractiveUserSignInLogs", kind="partial", times=0),))
    answer = answer_for_victim()
    assert (answer.code, answer.json["outcome"], answer.json["verdict"]) == (1, "not-contained", "suspicious")
    assert answer.json["ticket"]
    assert answer.err.count("\n") == 1
    for told in (answer.err, answer.json["headline"]):
        assert (
            "AADNonInteractiveUserSignInLogs: the hunt is not complete: Log Analytics sent only part of the rows"
            in told
        )


@pytest.mark.soak
def test_a_hunt_that_was_partial_once_is_asked_again(lab: Callable[..., RunningLab]) -> None:
    lab(faults=(fault(QUERY, contains="AADNonInteractiveUserSignInLogs", kind="partial", times=1),))
    answer = answer_for_victim()
    assert answer.code == 0, answer.err
    assert answer.json["verdict"] == "malicious"


@pytest.mark.soak
def test_clicks_that_are_not_all_there_are_a_named_gap(lab: Callable[..., RunningLab]) -> None:
    lab(faults=(fault(QUERY, contains="UrlClickEvents", kind="partial", times=0),))
    answer = answer_for_victim()
    assert (answer.code, answer.json["verdict"]) == (0, "malicious")
    assert [gap["source"] for gap in answer.json["gaps"]] == ["UrlClickEvents"]
    assert "only part of the rows" in answer.json["gaps"][0]["reason"]


def test_a_source_that_stays_ill_is_a_named_gap_and_costs_no_more_than_its_budget(
    lab: Callable[..., RunningLab], impatient: timedelta
) -> None:
    tenant = lab(faults=(fault(QUERY, contains="EmailUrlInfo", status=500, times=0),))
    answer = answer_for_victim()
    assert (answer.code, answer.json["verdict"]) == (0, "malicious")
    assert [gap["source"] for gap in answer.json["gaps"]] == ["EmailEvents"]
    assert "500" in answer.json["gaps"][0]["reason"]
    timings = answer.json["timings_ms"]
    assert timedelta(milliseconds=timings["decided"] - timings["hunt"]) < impatient + timedelta(seconds=1)
    queries = [request for request in tenant.get("/_lab/requests") if request["path"].endswith("/query")]
    assert [query["status"] for query in queries].count(500) == 2
