"""Microsoft's limits: kept by all runs of a process together, without holding up what contains."""

from __future__ import annotations

import asyncio
import heapq
import threading
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from respond import progress
from respond.clients.allowance import FOR_EVER, Allowance, Limit
from respond.clients.breaker import BLIP, Breakers
from respond.clients.graph import Graph
from respond.clients.lanes import Lane, ahead, by
from respond.clients.logs import Logs
from respond.clients.pace import Pace
from respond.clients.routes import Route, Scope
from respond.clients.turns import TooLong, Turns
from respond.errors import NotAsked, Service, Transient
from respond.settings import LAB_WORKSPACE_ID, Retry
from respond.settings import Pace as PaceSettings
from tests.clients.test_graph_client import Credential
from tests.helpers.throttling import Throttling, throttling

QUICK = Retry.model_validate({"attempts": 3, "first_wait": "1ms", "longest_wait": "2ms"})
USER = "7d1f0a52-6d0e-4c1c-9b54-0f5a1c0e7a11"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def graph(service: Throttling, pace: Pace, retry: Retry = QUICK) -> AsyncIterator[Graph]:
    identity: Any = Credential()
    client = Graph(identity, service.url, check=lambda *_: None, retry=retry, pace=pace)
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def logs(service: Throttling, pace: Pace, retry: Retry = QUICK) -> AsyncIterator[Logs]:
    identity: Any = Credential()
    client = Logs(identity, service.url, LAB_WORKSPACE_ID, check=lambda *_: None, retry=retry, pace=pace)
    try:
        yield client
    finally:
        await client.close()


# How much


@given(
    most=st.integers(1, 12),
    at_once=st.integers(1, 6),
    ways=st.lists(st.tuples(st.floats(0, 20), st.floats(0, 20)), min_size=1, max_size=120),
)
def test_a_service_that_counts_a_sliding_window_is_never_asked_too_often(
    most: int, at_once: int, ways: list[tuple[float, float]]
) -> None:
    """`ways`: of each request, how long it takes to arrive, and its answer to come back; in a time that is made up."""
    period = 10.0
    allowance = Allowance(Limit(most, period, at_once))
    arrivals: list[tuple[float, float]] = []
    under_way: list[float] = []
    now = 0.0
    for there, back in ways:
        while (pause := allowance.wait(1, Lane.REST, now)) > 0:
            now = min([now + pause, *under_way[:1]])
            while under_way and under_way[0] <= now:
                allowance.end(1, Lane.REST, heapq.heappop(under_way), cost=1)
        allowance.begin(1, Lane.REST)
        arrivals.append((now + there, now + there + back))
        heapq.heappush(under_way, now + there + back)
    seen = sorted(arrived for arrived, _ in arrivals)
    for index, arrived in enumerate(seen[most:]):
        assert arrived - seen[index] >= period - 1e-6


def test_a_quarter_of_an_hour_of_queries_fits_the_documented_limit() -> None:
    """1,000 queries of half a second, five at a time: as the service counts them, never more than 200 in 30 s."""
    allowance, now, ends, sent = Allowance(Limit(200, 30, 5)), 0.0, deque[float](), deque[float]()
    worst = 0
    for _ in range(1000):
        while (pause := allowance.wait(1, Lane.REST, now)) > 0:
            now = min([now + pause, *list(ends)[:1]])
            while ends and ends[0] <= now:
                allowance.end(1, Lane.REST, ends.popleft(), cost=1)
        allowance.begin(1, Lane.REST)
        ends.append(now + 0.5)
        sent.append(now)
        while sent[0] <= now - 30:
            sent.popleft()
        worst = max(worst, len(sent))
    assert worst == 200
    assert now < 155


def test_what_an_answer_cost_counts_instead_of_what_was_thought() -> None:
    allowance = Allowance(Limit(10, 10))
    allowance.begin(1, Lane.REST)
    allowance.end(1, Lane.REST, 0.0, cost=9)
    assert allowance.wait(2, Lane.REST, 5.0) == 5.0
    assert allowance.wait(1, Lane.REST, 5.0) == 0.0


def test_containment_has_a_share_that_nothing_else_may_use() -> None:
    allowance = Allowance(Limit(10, 10, kept=0.2))
    for _ in range(8):
        assert allowance.wait(1, Lane.FIRST, 0.0) == 0.0
        allowance.begin(1, Lane.FIRST)
    assert allowance.wait(1, Lane.FIRST, 0.0) == FOR_EVER
    assert allowance.wait(1, Lane.CONTAIN, 0.0) == 0.0


def test_what_evidence_is_told_does_not_hold_containment_but_the_other_way_round() -> None:
    allowance = Allowance(Limit())
    allowance.hold(Lane.REST, 30.0)
    assert allowance.wait(1, Lane.FIRST, 10.0) == 20.0
    assert allowance.wait(1, Lane.CONTAIN, 10.0) == 0.0
    allowance.hold(Lane.CONTAIN, 60.0)
    assert allowance.wait(1, Lane.CONTAIN, 10.0) == allowance.wait(1, Lane.REST, 10.0) == 50.0


# Whose turn


async def test_turns_come_by_lane_then_by_arrival() -> None:
    turns, order = Turns(Limit(at_once=1)), list[str]()
    await turns.enter(1, Lane.REST, FOR_EVER)

    async def one(name: str, lane: Lane) -> None:
        await turns.enter(1, lane, FOR_EVER)
        order.append(name)
        turns.leave(1, lane, cost=1)

    names = (("r1", Lane.REST), ("r2", Lane.REST), ("f1", Lane.FIRST), ("c1", Lane.CONTAIN), ("r3", Lane.REST))
    waiting = [asyncio.create_task(one(*pair)) for pair in names]
    await asyncio.sleep(0)
    turns.leave(1, Lane.REST, cost=1)
    await asyncio.gather(*waiting)
    assert order == ["c1", "f1", "r1", "r2", "r3"]


async def test_who_gives_up_leaves_the_turn_to_the_next() -> None:
    turns = Turns(Limit(at_once=1))
    await turns.enter(1, Lane.REST, FOR_EVER)
    first, second = (asyncio.create_task(turns.enter(1, Lane.REST, FOR_EVER)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    turns.leave(1, Lane.REST, cost=1)
    async with asyncio.timeout(1):
        assert await second >= 0


async def test_a_turn_that_would_come_too_late_is_not_waited_for() -> None:
    turns = Turns(Limit(1, 1.0))
    await turns.enter(1, Lane.REST, FOR_EVER)
    turns.leave(1, Lane.REST, cost=1)
    began = time.monotonic()
    patient = asyncio.create_task(turns.enter(1, Lane.REST, FOR_EVER))
    also = asyncio.create_task(turns.enter(1, Lane.REST, FOR_EVER))
    await asyncio.sleep(0)
    with pytest.raises(TooLong) as late:
        await turns.enter(1, Lane.REST, began + 1.5)
    assert (late.value.held, late.value.ahead) == (0.0, 2)
    turns.hold(Lane.REST, 600)
    with pytest.raises(TooLong) as held:
        await turns.enter(1, Lane.REST, began + 60)
    assert 500 < held.value.held <= 600
    assert time.monotonic() - began < 0.5
    patient.cancel()
    also.cancel()


def test_two_event_loops_share_one_limit() -> None:
    turns, gone = Turns(Limit(at_once=1)), list[float]()

    async def some() -> None:
        for _ in range(20):
            await turns.enter(1, Lane.REST, FOR_EVER)
            gone.append(1)
            assert len(gone) == 1
            await asyncio.sleep(0.001)
            gone.clear()
            turns.leave(1, Lane.REST, cost=1)

    ended: list[int] = []

    def work() -> None:
        asyncio.run(asyncio.wait_for(some(), 20))
        ended.append(1)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(ended) == 3


# Which limit


@pytest.mark.parametrize(
    ("method", "path", "scope", "kind", "cost"),
    [
        ("GET", f"/v1.0/users/{USER}?$select=id", Scope.DIRECTORY, "GET users", 1),
        ("GET", "/v1.0/users?$filter=x", Scope.DIRECTORY, "GET users", 2),
        ("GET", "/v1.0/users?%24select=id&%24filter=x", Scope.DIRECTORY, "GET users", 1),
        ("GET", f"/v1.0/users/{USER}/transitiveMemberOf", Scope.DIRECTORY, "GET transitiveMemberOf", 2),
        ("GET", "/v1.0/users/$count", Scope.DIRECTORY, "GET users", 1),
        ("POST", f"/v1.0/users/{USER}/revokeSignInSessions", Scope.DIRECTORY, "POST revokeSignInSessions", 1),
        ("GET", f"/v1.0/identityProtection/riskyUsers/{USER}", Scope.RISK, "GET riskyUsers", 1),
        ("POST", "/v1.0/auditLogs/signIns/confirmCompromised", Scope.REPORTS, "POST confirmCompromised", 1),
        ("POST", "/v1.0/security/microsoft.graph.security.runHuntingQuery", Scope.HUNTING, "POST ", 1),
        ("GET", f"/v1.0/users/{USER}/mailFolders/inbox/messageRules/AQ%3D%3D", Scope.MAIL, "GET messageRules", 1),
    ],
)
def test_each_request_counts_for_the_limit_that_it_falls_under(
    method: str, path: str, scope: Scope, kind: str, cost: float
) -> None:
    route = Route.of(Service.GRAPH, method, f"https://graph.microsoft.com{path}")
    assert (route.scope, route.cost) == (scope, cost)
    assert route.kind.startswith(kind)


# On the wire


async def test_a_thousand_queries_get_no_429() -> None:
    """At Microsoft's proportions, in a fiftieth of the time: 200 in 0.6 s, five at once."""
    most, period = 200, 0.6
    pace = Pace(limits={Scope.QUERIES: Limit(most, period, 5)})
    async with throttling(most=most, period=period, at_once=5) as service, logs(service, pace) as client:
        await asyncio.gather(*(client.query("T") for _ in range(1000)))
    assert (service.refused, len(service.asked)) == (0, 1000)


async def test_all_clients_of_a_process_share_the_limits() -> None:
    pace = Pace(limits={Scope.QUERIES: Limit(20, 0.3, 3)})
    async with throttling(most=20, period=0.3, at_once=3) as service:
        both = logs(service, pace), logs(service, pace)
        async with both[0] as one, both[1] as two:
            await asyncio.gather(*(client.query("T") for client in (one, two) for _ in range(30)))
    assert (service.refused, len(service.asked)) == (0, 60)


async def test_identity_protection_is_asked_as_often_as_it_takes_and_who_would_wait_long_is_told() -> None:
    pace = Pace(limits={Scope.RISK: Limit(1, 0.2, patience=0.5)})
    async with throttling(most=1, period=0.2) as service, graph(service, pace) as client:
        answers = await asyncio.gather(*(client.risk(USER) for _ in range(6)), return_exceptions=True)
        assert service.refused == 0
        refusals = [answer for answer in answers if isinstance(answer, NotAsked)]
        assert 2 <= len(refusals) <= 4
        assert "Identity Protection): " in str(refusals[0])
        assert len(service.asked) == 6 - len(refusals)


async def test_a_revocation_does_not_wait_behind_two_hundred_reads() -> None:
    """Every unit, connection and turn of evidence is taken, and 120 reads more wait for one."""
    pace = Pace(limits={Scope.DIRECTORY: Limit(100, 10, 80, kept=0.2)})
    async with throttling(latency=0.5) as service, graph(service, pace) as client:
        await client.account(USER)
        reads = [asyncio.create_task(client.account(USER)) for _ in range(200)]
        while len(service.asked) < 79:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.005)
        began = time.monotonic()
        with ahead(Lane.CONTAIN):
            await client.holdings.send(client.holdings.revoke(USER), about="the user")
        took = time.monotonic() - began
        revoked = next(at for at, _, path in service.asked if path.endswith("/revokeSignInSessions"))
        for read in reads:
            read.cancel()
        await asyncio.gather(*reads, return_exceptions=True)
    assert revoked - began < 0.2
    assert took < 0.4


async def test_while_a_service_asks_to_wait_nobody_else_asks_it() -> None:
    async with throttling(headers={"Retry-After": "120"}) as service, graph(service, Pace()) as client:
        service.statuses = [429]
        with pytest.raises(Transient, match="it asks to wait until ") as first:
            await client.account(USER)
        assert first.value.until is not None
        with pytest.raises(NotAsked, match="not to be asked yet; it asks to wait until ") as second:
            await client.membership(USER)
        assert second.value.until is not None
        assert len(service.asked) == 1
        with ahead(Lane.CONTAIN):
            await client.holdings.send(client.holdings.revoke(USER), about="the user")
        await client.risk(USER)
        assert len(service.asked) == 3


async def test_a_limit_that_is_nearly_used_up_by_others_holds_evidence_back() -> None:
    used = {"x-ms-throttle-limit-percentage": "1.0", "x-ms-resource-unit": "3"}
    pace = Pace(limits={Scope.DIRECTORY: Limit(1000, 1.0)})
    async with throttling(headers=used) as service, graph(service, pace) as client:
        await client.account(USER)
        await client.account(USER)
        with ahead(Lane.CONTAIN):
            await client.account(USER)
    first, second, third = (at for at, *_ in service.asked)
    assert second - first >= 0.19
    assert third - second < 0.19


async def test_headers_that_nobody_can_read_change_nothing() -> None:
    odd = {"x-ms-throttle-limit-percentage": "nan", "x-ms-resource-unit": "many", "Retry-After": "1e400"}
    async with throttling(headers=odd) as service, graph(service, Pace()) as client:
        await client.account(USER)
        await client.account(USER)
    assert len(service.asked) == 2


async def test_a_wait_for_a_turn_is_told() -> None:
    pace, heard = Pace(limits={Scope.QUERIES: Limit(1, 0.1)}), list[progress.Event]()
    async with throttling() as service, logs(service, pace) as client:
        with progress.listening(heard.append):
            await client.query("T")
            await client.query("T")
    assert [(event.kind, event.service) for event in heard] == [(progress.Kind.QUEUED, Service.LOGS)]
    assert 0.05 < heard[0].seconds < 2


# Who does not answer

KEY = ("graph", "GET users")


def test_a_breaker_opens_after_failures_in_a_row_that_are_no_blip() -> None:
    clock = Clock()
    breakers = Breakers(3, 30, clock)
    for _ in range(5):
        breakers.failed(KEY)
    assert breakers.rests(KEY) is None
    clock.now += BLIP
    breakers.failed(KEY)
    assert breakers.rests(KEY) == (6, 30)
    assert breakers.rests(("graph", "GET devices")) is None
    breakers.answered(KEY)
    assert breakers.rests(KEY) is None
    assert breakers.open() == []


def test_after_the_rest_one_request_asks_and_the_others_wait_for_what_becomes_of_it() -> None:
    clock = Clock()
    breakers = Breakers(1, 30, clock)
    breakers.failed(KEY)
    clock.now += BLIP
    breakers.failed(KEY)
    clock.now += 30
    assert breakers.rests(KEY) is None
    assert breakers.rests(KEY) is not None
    breakers.abandoned(KEY)
    assert breakers.rests(KEY) is None
    breakers.failed(KEY)
    assert breakers.rests(KEY) == (3, 30)
    assert breakers.open() == [KEY]


async def test_what_does_not_answer_is_not_asked_for_evidence_but_always_for_containment() -> None:
    clock = Clock()
    pace = Pace(PaceSettings.model_validate({"breaker_after": 2}), clock=clock)
    once = Retry.model_validate({"attempts": 1})
    async with throttling() as service, graph(service, pace, once) as client:
        service.statuses = [500, 503]
        for _ in range(2):
            with pytest.raises(Transient):
                await client.membership(USER)
            clock.now += BLIP
        with pytest.raises(NotAsked, match=r"has not answered GET transitiveMemberOf 2 times; not asked again before"):
            await client.membership(USER)
        assert pace.unasked()[Service.GRAPH] == 1
        await client.risk(USER)
        assert len(service.asked) == 3
        service.statuses = [500]
        with ahead(Lane.CONTAIN), pytest.raises(Transient):
            await client.membership(USER)
        clock.now += 31
        service.statuses = []
        await client.membership(USER)
        assert pace.unasked()[Service.GRAPH] == 0


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (Limit(200, 30.0, 5), r"5 at the same time, and 5 are not answered yet; not sent"),
        (Limit(5, 30.0), r"takes 5 in 30 s; not sent"),
    ],
    ids=["slow answers", "many requests"],
)
async def test_what_waits_too_long_is_told_which_limit_it_is(limit: Limit, said: str) -> None:
    pace, url = Pace(limits={Scope.QUERIES: limit}), "https://api.loganalytics.azure.com/v1/workspaces/w/query"
    async with AsyncExitStack() as stack:
        for _ in range(5):
            await stack.enter_async_context(pace.turn(Service.LOGS, "POST", url))
        with by(time.monotonic() + 0.05), pytest.raises(NotAsked, match=said) as late:
            await stack.enter_async_context(pace.turn(Service.LOGS, "POST", url))
    assert "0 other requests" not in str(late.value)


async def test_being_refused_is_an_answer() -> None:
    clock = Clock()
    pace = Pace(PaceSettings.model_validate({"breaker_after": 1}), clock=clock)
    once = Retry.model_validate({"attempts": 1})
    async with throttling() as service, graph(service, pace, once) as client:
        service.statuses = [400, 403, 429]
        for _ in range(3):
            with pytest.raises(Exception, match="Graph answered"):
                await client.membership(USER)
            clock.now += BLIP
        assert pace.unasked()[Service.GRAPH] == 0


async def test_a_token_that_cannot_be_had_says_nothing_about_the_service() -> None:
    pace = Pace(PaceSettings.model_validate({"breaker_after": 1}))

    class Nobody(Credential):
        async def get_token(self, *scopes: str, **_: Any) -> Any:
            raise Transient(f"no token for {scopes}")

    identity: Any = Nobody()
    client = Graph(identity, "https://graph.microsoft.com", check=lambda *_: None, retry=QUICK, pace=pace)
    with pytest.raises(Transient):
        await client.account(USER)
    await client.close()
    assert sum(pace.unasked().values()) == 0
