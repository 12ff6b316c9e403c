"""What is going on right now, for whoever watches: the terminal, a log.

Events are best effort and never decide anything. Each carries the action it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum

from respond.errors import Service


class Kind(StrEnum):
    STARTED = "started"
    WAITING = "waiting"
    QUEUED = "queued"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Event:
    """One moment of one action; `text` is one line.

    Attributes:
        seconds: how long the action took that ended, how long it is going to wait, or has waited for its turn.
        status: what became of the action that ended: that of its change, or `done`, or `failed`.
        service: who is waited for.
        throttled: it asked for the wait, with a 429.
    """

    kind: Kind
    action: str
    text: str = ""
    seconds: float = 0.0
    status: str = ""
    service: Service | None = None
    throttled: bool = False


Listener = Callable[[Event], None]

_listeners: list[Listener] = []
_action: ContextVar[str] = ContextVar("action", default="")


def emit(
    kind: Kind,
    text: str = "",
    *,
    seconds: float = 0.0,
    status: str = "",
    service: Service | None = None,
    throttled: bool = False,
) -> None:
    """Tell every listener about the current action; see `Event`."""
    if not _listeners:
        return
    event = Event(kind, _action.get(), text, seconds, status, service, throttled)
    for listener in tuple(_listeners):
        listener(event)


@contextmanager
def action(name: str) -> Iterator[None]:
    """Events inside belong to this action."""
    token = _action.set(name)
    try:
        yield
    finally:
        _action.reset(token)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Hear events until the end of the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
