"""Retrying, in one place: tenacity, with jitter, what the service asked for, and a total time budget.

The SDKs' own retries are turned off (3 x 5 attempts otherwise, and Retry-After honoured twice or never).
Only `Transient` is retried, unless a caller names something else. A service that asks for a wait longer than what is
left of the budget ends the try at once: sleeping past the budget would only delay the bad news.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception
from tenacity.wait import wait_random_exponential

from respond import progress
from respond.errors import RespondError, Transient, Unanswered
from respond.settings import Retry

T = TypeVar("T")


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
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


async def retried(
    call: Callable[[], Awaitable[T]], *, policy: Retry, is_write: bool = False, only: type[RespondError] = Transient
) -> T:
    """Call until it succeeds, fails for good, or the budget is used up.

    Args:
        only: retry nothing but this.
        is_write: a lost answer is not repeated here but raised at once: the action looks first whether it happened.

    Raises:
        Permanent: at once, from the call.
        Transient: the last one, when attempts or budget are used up.
    """
    budget = (policy.write_budget if is_write else policy.read_budget).total_seconds()
    jitter = wait_random_exponential(
        multiplier=policy.first_wait.total_seconds(), max=policy.longest_wait.total_seconds()
    )

    def wait(state: RetryCallState) -> float:
        asked = _asked(state)
        # Never sooner than asked; the jitter on top keeps several callers from coming back together.
        return jitter(state) if asked is None else asked + min(jitter(state), 1.0)

    def stop(state: RetryCallState) -> bool:
        spent = state.seconds_since_start or 0.0
        return state.attempt_number >= policy.attempts or spent + state.upcoming_sleep >= budget

    def worth_it(failure: BaseException) -> bool:
        return isinstance(failure, only) and not (is_write and isinstance(failure, Unanswered))

    async def attempt() -> T:
        return await call()

    attempts = AsyncRetrying(retry=retry_if_exception(worth_it), wait=wait, stop=stop, before_sleep=_tell, reraise=True)
    return await attempts(attempt)


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
