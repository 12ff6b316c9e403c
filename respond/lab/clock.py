"""The lab's clock: this machine's, or one that is ahead of it or behind, as if this machine's were wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_ahead = timedelta(0)


def set_ahead(length: timedelta) -> None:
    """How far the lab's clock is ahead of this machine's, for every lab of the process."""
    global _ahead  # noqa: PLW0603 - one clock for all that the lab writes a time on
    _ahead = length


def now() -> datetime:
    """The lab's time, UTC."""
    return datetime.now(UTC) + _ahead
