"""What time it is for whatever is kept and compared later: by the services, as far as they have told.

Then no clock of this machine that is wrong, or is set, lets a question time out or a case be deleted too early, or
delays what is due.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def _nothing_known() -> timedelta:
    return timedelta(0)


_skew: Callable[[], timedelta] = _nothing_known


def go_by(skew: Callable[[], timedelta] | None) -> None:
    """Go by a clock from now on.

    Args:
        skew: how far it is ahead of this machine's; None for this machine's alone.
    """
    global _skew  # noqa: PLW0603 - one of this process; whatever is kept is dated by it, on any thread
    _skew = skew or _nothing_known


def present() -> datetime:
    """Now, UTC."""
    return datetime.now(UTC) + _skew()
