"""Word from outside that this process is to end: told once, in order; told again, at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from respond.observe.logs import Level, log

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
        broken: it is we who cannot go on.
    """

    def __init__(self) -> None:
        self.told = asyncio.Event()
        self.pressed = asyncio.Event()
        self.broken = False
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self.tell)

    def give_up(self) -> None:
        """End because something broke that the service is not one without."""
        self.broken = True
        self.tell()

    def tell(self) -> None:
        """It is to end; a second time, at once."""
        (self.pressed if self.told.is_set() else self.told).set()


@asynccontextmanager
async def beside(stop: Stop, *endless: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run these until the end of the block; one that breaks is told, and ends the process."""
    tasks = [asyncio.create_task(one) for one in endless]
    for task in tasks:
        task.add_done_callback(_broken(stop))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _broken(stop: Stop) -> Callable[[asyncio.Task[None]], None]:
    def broken(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            log("defect", level=Level.ERROR, reason=f"{type(error).__name__}: {error}", during=task.get_name())
            stop.give_up()  # a service without its watch would look alive and be none

    return broken


async def pass_on(stop: Stop, server: uvicorn.Server) -> None:
    """Have the server end when the process is told to, and at once when it is told again."""
    await stop.told.wait()
    server.should_exit = True
    await stop.pressed.wait()
    server.force_exit = True
