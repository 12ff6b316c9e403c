"""What a wrong clock of this machine means for a case. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from respond.clients.clock import WRONG, said
from respond.models.base import Gap
from respond.models.case import Case, Window

CLOCK = "clock"


def by_their_time(case: Case, now: datetime, ahead: float) -> Case:
    """The case with a window that ends at the services' present.

    Args:
        ahead: seconds that the services are ahead of this machine; where they agree, the case stays as it is.
    """
    if not ahead:
        return case
    return case.model_copy(update={"window": Window(start=min(case.window.start, now), end=now)})


def skew_of(ahead: float) -> Sequence[Gap]:
    """A gap, where this machine's clock is wrong: what was worked out by it may be as well."""
    skew = timedelta(seconds=ahead)
    if abs(skew) <= WRONG:
        return ()
    return (Gap(source=CLOCK, reason=f"{said(skew)}. Time windows went by theirs"),)
