"""Retrying, in one place: tenacity, with jitter, what the service asked for, and a total time budget.

The SDKs' own retries are turned off (3 x 5 attempts otherwise, and Retry-After honoured twice or never).
Only `Transient` is retried, unless a caller names something else. A service that asks for a wait longer than what is
left of the budget ends the try at once: sleeping past the budget would only delay the bad news.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception
from tenacity.wait import wait_random_exponential

from respond import progress
from respond.clients import lanes
from respond.errors import NotAsked, RespondError, Transient, Unanswered
from respond.present import present
from respond.settings import Retry

T = TypeVar("T")

LONGEST_ASKED = 86_400.0
"""Seconds. A service that asks for more is asked again after a day all the same."""


def parse_retry_after(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds to wait, from either form of Retry-After (RFC 9110 10.2.3); None when absent or unreadable.

    A date is rounded up to nothing less than zero; a date in the past means now.
    """
    if header is None or not header.strip():
        return None
    text = header.strip()
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or present())).total_seconds())


async def retried(
    call: Callable[[], Awaitable[T]], *, policy: Retry, is_write: bool = False, only: type[RespondError] = Transient
) -> T:
    """Call until it succeeds, fails for good, or the budget is used up.

    Args:
        only: retry nothing but this.
        is_write: a lost answer is not repeated here but raised at once: the action looks first whether it happened.

    Raises:
        Permanent: at once, from the call.
        Transient: the last one, when attempts or budget are used up, or the limit around all of this; when it asks for
            a longer wait, with the moment.
    """
    budget = (policy.write_budget if is_write else policy.read_budget).total_seconds()
    began = time.monotonic()
    end = min(began + budget, lanes.deadline())
    # A turn that is slow to come is no failure: it has the time of one request at least.
    patience = began + max(budget, policy.request_timeout.total_seconds())
    jitter = wait_random_exponential(
        multiplier=policy.first_wait.total_seconds(), max=policy.longest_wait.total_seconds()
    )

    def wait(state: RetryCallState) -> float:
        asked = _asked(state)
        # Never sooner than asked; the jitter on top keeps several callers from coming back together.
        return jitter(state) if asked is None else asked + min(jitter(state), 1.0)

    def stop(state: RetryCallState) -> bool:
        return state.attempt_number >= policy.attempts or time.monotonic() + state.upcoming_sleep >= end

    def worth_it(failure: BaseException) -> bool:
        never = (NotAsked, Unanswered) if is_write else NotAsked
        return isinstance(failure, only) and not isinstance(failure, never)

    async def attempt() -> T:
        return await call()

    attempts = AsyncRetrying(retry=retry_if_exception(worth_it), wait=wait, stop=stop, before_sleep=_tell, reraise=True)
    try:
        # Whoever tries a whole composition again leaves it to its requests how long they may wait.
        with lanes.by(patience) if only is Transient else nullcontext():
            return await attempts(attempt)
    except Transient as error:
        _name_the_moment(error, end)
        raise


def _name_the_moment(error: Transient, end: float) -> None:
    """Say when to ask again, where the wait that was asked for ends after ours."""
    if error.until is None and error.retry_after and time.monotonic() + error.retry_after >= end:
        error.until = present() + timedelta(seconds=min(error.retry_after, LONGEST_ASKED))
        error.args = (f"{error.message}; it asks to wait until {error.until:%Y-%m-%d %H:%M:%SZ}",)


def _tell(state: RetryCallState) -> None:
    failure = state.outcome.exception() if state.outcome else None
    pause = state.next_action.sleep if state.next_action else 0.0
    told = failure if isinstance(failure, Transient) else Transient("")
    progress.emit(
        progress.Kind.WAITING,
        f"waiting {pause:.1f} s: {failure}",
        seconds=pause,
        service=told.service,
        throttled=told.throttled,
    )


def _asked(state: RetryCallState) -> float | None:
    failure = state.outcome.exception() if state.outcome else None
    return failure.retry_after if isinstance(failure, Transient) else None
