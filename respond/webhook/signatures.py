"""Signed requests, for senders that cannot get a token: HMAC-SHA256 over time and body.

    X-Respond-Timestamp: 1768470000
    X-Respond-Signature: v1=<hex>[, v1=<hex> …]

The signature is over `v1:{timestamp}:{body}`, the body byte for byte as it is sent (compressed, if it is). Several
signatures, of which one has to be right, let a sender change its secret without a gap; so do two secrets here, for a
sender that can sign with one alone.

The same signed request again, within the window, is taken: it is what a sender does whose answer got lost. It starts
nothing a second time: deliveries are told apart by what they say, and those that say nothing of their own, such as a
press of the button, by the time that was signed. Both are kept in the state, which all processes of a tenant share.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from respond.errors import UsageError
from respond.webhook.callers import Caller, How
from respond.webhook.problems import Unauthorized

if TYPE_CHECKING:
    from pydantic import SecretStr

    from respond.settings import Webhook

TIMESTAMP = "x-respond-timestamp"
SIGNATURE = "x-respond-signature"
CALLER = Caller(id="shared-secret", how=How.SIGNATURE)
CHALLENGE = 'Respond-Signature version="v1"'

_KEY = "webhook.hmac_secret"
_SHORTEST = 32
_MOST = 8
_SECONDS = re.compile(r"[0-9]{1,12}")
_VALUE = re.compile(r"v1=([0-9a-f]{64})", re.IGNORECASE)


class SignatureCheck:
    """Shared secrets: the one in use, and while it is being changed the next one as well.

    Args:
        secrets: of `webhook.hmac_secret` and `webhook.hmac_secret_next`; those that are set.
        window: how far the time of a signature may be from ours, either way.
        clock: seconds since 1970.

    Raises:
        UsageError: the secret is too short to be one.
    """

    def __init__(
        self,
        secrets: SecretStr | Mapping[str, SecretStr],
        window: timedelta,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        named = secrets if isinstance(secrets, Mapping) else {_KEY: secrets}
        for key, secret in named.items():
            if len(secret.get_secret_value()) < _SHORTEST:
                raise UsageError(f"{key}: is shorter than {_SHORTEST} characters; make one with `openssl rand -hex 32`")
        self._secrets = tuple(named.values())
        self._window = window.total_seconds()
        self._clock = clock

    @classmethod
    def of(cls, webhook: Webhook, *, clock: Callable[[], float] = time.time) -> SignatureCheck | None:
        """The check that the settings ask for; None where they have no secret.

        Args:
            clock: seconds since 1970.

        Raises:
            UsageError: names the secret that is too short.
        """
        keys = {_KEY: webhook.hmac_secret, f"{_KEY}_next": webhook.hmac_secret_next}
        held = {key: secret for key, secret in keys.items() if secret.get_secret_value()}
        return cls(held, webhook.hmac_window, clock=clock) if held else None

    def check(self, headers: Mapping[str, str], body: bytes) -> Caller:
        """Whoever holds the secret.

        Args:
            headers: names in lower case, or a mapping that does not care.

        Raises:
            Unauthorized: no signature, none that is right, or one of another time.
        """
        timestamp = headers.get(TIMESTAMP, "").strip()
        if not _SECONDS.fullmatch(timestamp):
            raise _refused("X-Respond-Timestamp is missing, or not in seconds since 1970")
        if abs(self._clock() - int(timestamp)) > self._window:
            raise _refused("the time of the signature is too far from ours")
        given = headers.get(SIGNATURE, "").split(",")[:_MOST]
        found = [match[1].lower() for value in given if (match := _VALUE.fullmatch(value.strip()))]
        if not found:
            raise _refused("X-Respond-Signature is missing, or not of the form v1=<64 hexadecimal digits>")
        right = [sign(secret, timestamp, body) for secret in self._secrets]
        # all of them, so that time does not tell which one was right
        if not any([hmac.compare_digest(value, one) for value in found for one in right]):  # noqa: C419
            raise _refused("the signature is not right for this time and body")
        return CALLER


def signed_at(headers: Mapping[str, str]) -> datetime:
    """The time that a request was signed for, once its signature has been found right."""
    return datetime.fromtimestamp(int(headers[TIMESTAMP]), UTC)


def sign(secret: SecretStr, timestamp: str, body: bytes) -> str:
    """The signature of a request, in hexadecimal digits."""
    message = b":".join((b"v1", timestamp.encode(), body))
    return hmac.new(secret.get_secret_value().encode(), message, hashlib.sha256).hexdigest()


def _refused(why: str) -> Unauthorized:
    return Unauthorized(why, CHALLENGE)
