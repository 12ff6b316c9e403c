"""Word from outside that this process is to end: told once, in order; told again, at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from respond.serving.supervised import Loop, supervised

if TYPE_CHECKING:
    import uvicorn

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """Listens to SIGTERM and SIGINT from now on, until the process ends.

    They stay taken to the very end: Python's own answer to SIGINT would cancel the actions that are under way, and
    record them as failed.

    Attributes:
        told: to end.
        pressed: to end at once.
    """

    def __init__(self) -> None:
        self.told = asyncio.Event()
        self.pressed = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self.tell)

    def tell(self) -> None:
        """It is to end; a second time, at once."""
        (self.pressed if self.told.is_set() else self.told).set()


@asynccontextmanager
async def beside(*loops: Loop) -> AsyncIterator[None]:
    """Run these until the end of the block, each under supervision."""
    tasks = [asyncio.create_task(supervised(loop), name=loop.name) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def passing_on(stop: Stop, server: uvicorn.Server) -> Loop:
    """Have the server end when the process is told to, and at once when it is told again."""

    async def pass_on() -> None:
        await stop.told.wait()
        server.should_exit = True
        await stop.pressed.wait()
        server.force_exit = True

    return Loop("signals", pass_on, lasts=True)
