"""A token that a service refuses is asked for again, once: it may have been revoked before it expired.

What refuses the fresh one as well is permanent. A challenge for claims (continuous access evaluation) is answered by
the SDKs themselves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar, runtime_checkable

from respond.errors import TokenRefused

T = TypeVar("T")


@runtime_checkable
class Renewable(Protocol):
    """An identity that can forget the tokens that it keeps."""

    async def renew(self) -> None:
        """Forget them, unless they are as good as new."""


async def with_fresh_token(call: Callable[[], Awaitable[T]], *identities: object) -> T:
    """Call, and once more with a fresh token where the service refused the one that was kept.

    A refused token had nothing done, so a write is safe to send again.

    Raises:
        TokenRefused: the fresh one too, or there is none.
    """
    try:
        return await call()
    except TokenRefused:
        known = [one for one in dict.fromkeys(identities) if isinstance(one, Renewable)]
        if not known:
            raise
        for one in known:
            await one.renew()
    return await call()
