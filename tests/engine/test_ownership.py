"""Whose run it is: a live process keeps its own, the next takes a dead one's over, and answers are asked for once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from respond.durable import Engine, sqlite_driver
from respond.models.case import Case, Mode, Window
from respond.models.report import ActionStatus, Change
from respond.policies import load_policy
from respond.settings import load_settings, shipped_config
from respond.step import Process, install, playbook, process, read_action, write_action

RUN = "run-1"
NOW = datetime(2026, 1, 15, 9, 40, tzinfo=UTC)
asked: list[str] = []
written: list[str] = []
go_on = threading.Event()


@read_action()
async def ask_something(case: Case) -> str:
    asked.append(case.run)
    return f"answer {len(asked)}"


@write_action()
async def write_something(case: Case, *, answer: str) -> Change:
    written.append(answer)
    return Change(name="write_something", status=ActionStatus.DONE, target=case.who, summary=answer)


@playbook("ask_wait_write")
async def ask_wait_write(case: Case) -> Change:
    answer = await ask_something(case)
    while not go_on.is_set():  # noqa: ASYNC110 - set on another event loop than that of a recovered run
        await asyncio.sleep(0.01)
    return await write_something(case, answer=answer)


class Word:
    """What one process says of itself and knows of the others, as a test would have it."""

    def __init__(self, name: str, *, silence: timedelta = timedelta(0), gone: Iterable[str] = ()) -> None:
        self.name = name
        self.silence = silence
        self.gone = set(gone)

    def begin(self, version: str) -> None:
        del version

    def dead(self, names: Iterable[str]) -> set[str]:
        return set(names) & self.gone

    def versions(self) -> set[str]:
        return set()

    def close(self) -> None: ...


@pytest.fixture(autouse=True)
def _from_the_beginning() -> Iterator[None]:
    asked.clear()
    written.clear()
    go_on.clear()
    yield
    go_on.set()
    install(None)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "engine.db"


@asynccontextmanager
async def working(database: Path, word: Word) -> AsyncIterator[Engine]:
    """A process at work."""
    engine = Engine(f"sqlite:///{database}", word, realm="lab/live", finishes=("ask_wait_write",))
    nothing: Any = None
    install(Process(load_settings(shipped_config()), connections=nothing, store=nothing, engine=engine))
    await asyncio.to_thread(engine.launch)
    try:
        yield engine
    finally:
        await asyncio.to_thread(engine.close)


async def begin(engine: Engine) -> None:
    """Start the run, and wait until its question was answered."""
    case = Case(
        run=RUN,
        id="DC-TEST",
        mode=Mode.LIVE,
        tenant="lab",
        who="ann@contoso.com",
        window=Window(start=NOW - timedelta(days=1), end=NOW),
        started=NOW,
        policy=load_policy(shipped_config()),
    )
    await engine.start(ask_wait_write, RUN, case)
    await until(lambda: bool(asked))


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


def give_to(database: Path, owner: str) -> None:
    """As another process does that has taken the run over. Two SQLite libraries in one process would drop locks."""
    with closing(sqlite_driver().connect(database, timeout=20)) as db, db:
        assert db.execute("UPDATE workflow_status SET executor_id = ?", (owner,)).rowcount == 1


LONG = timedelta(seconds=11)


@pytest.mark.parametrize(
    ("silence", "taken", "ours"),
    [
        (LONG, False, True),
        (LONG, True, False),
        (timedelta(seconds=9), True, True),
    ],
    ids=["silent, and still its own", "silent, and taken over", "heard of, so nobody can have taken it"],
)
def test_a_process_that_was_silent_asks_whether_a_run_is_still_its_own(
    silence: timedelta, taken: bool, ours: bool, database: Path
) -> None:
    async def run() -> bool:
        async with working(database, Word("one", silence=silence)) as engine:
            await begin(engine)
            if taken:
                give_to(database, "two")
            return await process().owns(RUN)

    assert asyncio.run(run()) is ours


def test_a_process_whose_run_was_taken_over_writes_nothing(database: Path) -> None:
    async def run() -> Change:
        async with working(database, Word("one", silence=LONG)) as engine:
            await begin(engine)
            give_to(database, "two")
            go_on.set()
            change: Change = await engine.wait(RUN)
            return change

    change = asyncio.run(run())
    assert change.status is ActionStatus.FAILED
    assert "another process has taken this run over" in change.summary
    assert written == []


def test_a_run_is_left_to_its_process_while_that_lives_and_then_finished_by_the_next(database: Path) -> None:
    """The next one goes by the answer that was kept: the question is not asked a second time."""

    async def first() -> None:
        async with working(database, Word("one")) as engine:
            await begin(engine)

    async def second() -> Change:
        word = Word("two")
        async with working(database, word) as engine:
            assert await asyncio.to_thread(engine.take_over) == 0
            word.gone.add("one")
            assert await asyncio.to_thread(engine.take_over) == 1
            assert await asyncio.to_thread(engine.take_over) == 0
            go_on.set()
            change: Change = await engine.result(RUN)
            return change

    asyncio.run(first())
    change = asyncio.run(second())
    assert (change.status, change.summary) == (ActionStatus.DONE, "answer 1")
    assert (len(asked), written) == (1, ["answer 1"])
