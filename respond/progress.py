"""What is going on right now, for whoever watches: the terminal, a log.

Events are best effort and never decide anything. Each carries the action it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    STARTED = "started"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Event:
    """One moment of one action; `text` is one line."""

    kind: Kind
    action: str
    text: str = ""


Listener = Callable[[Event], None]

_listeners: list[Listener] = []
_action: ContextVar[str] = ContextVar("action", default="")


def emit(kind: Kind, text: str = "") -> None:
    """Tell every listener about the current action."""
    for listener in tuple(_listeners):
        listener(Event(kind, _action.get(), text))


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
