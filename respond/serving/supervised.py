"""The endless loops of a process, under one supervisor: one that fails is told, pauses, and goes on.

A database that is away, a row that nobody foresaw, a defect of ours: none of them ends the process, and none stops the
other loops. `respond.observe.setbacks` has what fails just now.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from respond.observe.setbacks import SETBACKS, Setbacks

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds before the next turn of a loop that failed once, and of one that keeps failing."""


@dataclass(frozen=True)
class Loop:
    """Work without an end.

    Attributes:
        name: in the log and in the figures.
        turn: one turn of it; returns the seconds until the next, or None when there is none.
        lasts: a turn goes on as long as the process does, so one that goes on for a while has gone well.
    """

    name: str
    turn: Callable[[], Awaitable[float | None]]
    lasts: bool = False


async def supervised(loop: Loop, setbacks: Setbacks = SETBACKS, *, longest: float = LONGEST_PAUSE) -> None:
    """Run a loop until it says that it is over, or is cancelled.

    Args:
        longest: pause after a failure, in seconds.
    """
    setbacks.watch(loop.name)
    pause = FIRST_PAUSE
    while True:
        try:
            until_next = await _turn(loop, setbacks, settled=longest)
        except Exception as error:  # noqa: BLE001 - the edge of a loop; a process without it would look alive and be none
            until_next = min(pause, longest) * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, guards nothing
            pause = min(pause * 2, longest)
            setbacks.failed(loop.name, error, again=until_next)
        else:
            if until_next is None:
                return
            setbacks.went(loop.name)
            pause = FIRST_PAUSE
        await asyncio.sleep(until_next)


async def _turn(loop: Loop, setbacks: Setbacks, *, settled: float) -> float | None:
    if not loop.lasts:
        return await loop.turn()
    turn = asyncio.ensure_future(loop.turn())
    try:
        await asyncio.wait({turn}, timeout=settled)
        if not turn.done():
            setbacks.went(loop.name)
        return await turn
    finally:
        turn.cancel()
