"""Fields that every log line of a task carries: the run, the case, the delivery, the action."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_NOTHING: Mapping[str, object] = {}
_fields: ContextVar[Mapping[str, object]] = ContextVar("fields", default=_NOTHING)


@contextmanager
def bound(**fields: object) -> Iterator[None]:
    """Lines inside carry these fields, and so do those of tasks that are started inside. An empty one is left out."""
    token = _fields.set({**_fields.get(), **{name: value for name, value in fields.items() if value not in (None, "")}})
    try:
        yield
    finally:
        _fields.reset(token)


def fields() -> Mapping[str, object]:
    """What is bound here."""
    return _fields.get()
