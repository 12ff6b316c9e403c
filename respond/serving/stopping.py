"""Word from outside that this process is to end: told once, in order; told again, at once."""

from __future__ import annotations

import asyncio
import signal

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
            loop.add_signal_handler(number, self._tell)

    def give_up(self) -> None:
        """End because something broke that the service is not one without."""
        self.broken = True
        self._tell()

    def _tell(self) -> None:
        (self.pressed if self.told.is_set() else self.told).set()
