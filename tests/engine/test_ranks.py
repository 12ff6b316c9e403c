"""Fresh work is always next; background work takes what is left, and never all of it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from respond.clients.allowance import FOR_EVER, Allowance, Limit
from respond.clients.lanes import Lane
from respond.clients.turns import Turns
from respond.ranks import Places, Rank, rank, ranked
from tests.helpers.patience import patiently

FRESH, BACKGROUND = Rank.FRESH, Rank.BACKGROUND


class Runs:
    """Runs that keep their place until they are told to end."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._ends: list[tuple[Rank, asyncio.Event, asyncio.Task[None]]] = []
        self.began: list[Rank] = []

    async def start(self, *ranks: Rank) -> None:
        for each in ranks:
            end = asyncio.Event()
            self._ends.append((each, end, asyncio.create_task(self._run(each, end))))
        await self.settle()

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    async def end(self, which: Rank) -> None:
        index = next(index for index, (each, _, _) in enumerate(self._ends) if each is which)
        _, end, task = self._ends.pop(index)
        end.set()
        await task
        await self.settle()

    async def _run(self, each: Rank, end: asyncio.Event) -> None:
        async with self._places.place(each):
            self.began.append(each)
            await end.wait()


async def test_background_runs_never_take_all_places() -> None:
    places = Places(4)
    runs = Runs(places)
    await runs.start(*[BACKGROUND] * 10)
    assert places.working() == {FRESH: 0, BACKGROUND: 2}
    assert places.waiting() == {FRESH: 0, BACKGROUND: 8}
    await runs.start(FRESH, FRESH)
    assert places.working() == {FRESH: 2, BACKGROUND: 2}


async def test_a_fresh_run_goes_before_all_that_wait() -> None:
    places = Places(2)
    runs = Runs(places)
    await runs.start(FRESH, FRESH, BACKGROUND, BACKGROUND, FRESH)
    await runs.end(FRESH)
    assert runs.began == [FRESH, FRESH, FRESH]
    await runs.end(FRESH)
    assert runs.began == [FRESH, FRESH, FRESH, BACKGROUND]


async def test_with_one_place_a_fresh_run_does_not_wait_for_the_background() -> None:
    places = Places(1)
    runs = Runs(places)
    await runs.start(BACKGROUND, FRESH, FRESH, BACKGROUND)
    assert places.working() == {FRESH: 1, BACKGROUND: 1}
    await runs.end(BACKGROUND)
    assert places.working() == {FRESH: 1, BACKGROUND: 0}, "the background waits until nobody fresh does"


async def test_a_run_that_is_cancelled_while_it_waits_takes_no_place() -> None:
    places = Places(1)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(places.place(FRESH))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), places.place(FRESH):
                raise AssertionError
    assert places.working() == places.waiting() == {FRESH: 0, BACKGROUND: 0}


async def test_runs_of_another_thread_share_the_places() -> None:
    places = Places(1)

    async def work() -> None:
        async with places.place(FRESH):
            await asyncio.sleep(0.05)

    await asyncio.gather(*(asyncio.to_thread(asyncio.run, work()) for _ in range(3)), work())
    assert places.working() == {FRESH: 0, BACKGROUND: 0}


async def test_background_work_makes_way_for_fresh_work_and_not_for_ever() -> None:
    places = Places(4)
    await places.make_way(60)
    with places.fresh_work():
        await places.make_way(0.01)
        waits = asyncio.create_task(places.make_way(60))
        with places.fresh_work():
            await asyncio.sleep(0.01)
        assert not waits.done()
    await asyncio.wait_for(waits, patiently(5))


async def test_only_so_many_background_runs_are_worth_starting() -> None:
    places = Places(4)
    assert places.to_start() == 4
    await Runs(places).start(*[BACKGROUND] * 3)
    assert places.to_start() == 1


def test_what_background_work_starts_is_background_work() -> None:
    assert rank() is FRESH
    with ranked(BACKGROUND), ranked(FRESH):
        assert rank() is BACKGROUND
    assert rank() is FRESH


def test_background_requests_have_half_of_a_limit() -> None:
    allowance = Allowance(Limit(10, 30, at_once=4))
    for _ in range(2):
        assert allowance.wait(1, Lane.REST, 0.0, BACKGROUND) == 0
        allowance.begin(1, Lane.REST, BACKGROUND)
    assert allowance.wait(1, Lane.REST, 0.0, BACKGROUND) == FOR_EVER
    assert allowance.wait(1, Lane.REST, 0.0) == 0
    for _ in range(2):
        allowance.end(1, Lane.REST, 0.0, cost=2, rank=BACKGROUND)
    assert allowance.wait(1, Lane.REST, 1.0, BACKGROUND) == 0
    allowance.begin(1, Lane.REST, BACKGROUND)
    allowance.end(1, Lane.REST, 1.0, cost=1, rank=BACKGROUND)
    assert allowance.wait(1, Lane.REST, 1.0, BACKGROUND) == 29.0, "half of the period's is used"
    assert allowance.wait(5, Lane.REST, 1.0) == 0
    assert allowance.wait(1, Lane.CONTAIN, 1.0, BACKGROUND) == 0, "a containment has no rank"


async def test_a_fresh_request_goes_before_those_of_the_background() -> None:
    turns = Turns(Limit(at_once=1))
    order: list[str] = []

    async def ask(name: str, lane: Lane, of: Rank) -> None:
        await turns.enter(1, lane, FOR_EVER, rank=of)
        order.append(name)
        turns.leave(1, lane, cost=1, rank=of)

    await turns.enter(1, Lane.REST, FOR_EVER)
    asked = [("recheck", Lane.FIRST, BACKGROUND), ("evidence", Lane.REST, FRESH), ("hunt", Lane.FIRST, FRESH)]
    tasks = [asyncio.create_task(ask(*one)) for one in asked]
    await asyncio.sleep(0.01)
    turns.leave(1, Lane.REST, cost=1)
    await asyncio.gather(*tasks)
    assert order == ["hunt", "evidence", "recheck"]
