"""Who may deliver: a token of the tenant, or a signature. Anybody, only in the lab and only from this machine."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from datetime import datetime

from respond.errors import UsageError
from respond.settings import Settings
from respond.webhook.body import Held
from respond.webhook.callers import Caller, How
from respond.webhook.problems import Unauthorized
from respond.webhook.signatures import CHALLENGE, SIGNATURE, SignatureCheck
from respond.webhook.tokens import GUID, TokenCheck, tenant_id, utc_now

_ANYBODY = Caller(id="anonymous", how=How.LAB)


class Gate:
    """The checks that are configured. With none at all, everybody is admitted: `of` allows that to the lab alone."""

    def __init__(self, tokens: TokenCheck | None, signatures: SignatureCheck | None) -> None:
        self._tokens = tokens
        self._signatures = signatures
        self.unknown = Held()

    @classmethod
    def of(
        cls, settings: Settings, *, host: str, lab_url: str | None = None, now: Callable[[], datetime] = utc_now
    ) -> Gate:
        """The gate that the settings ask for.

        Args:
            host: address that the service listens on.
            lab_url: where the lab answers, in lab mode.
            now: the time that tokens and signatures are checked by, UTC; nothing that a sender says may influence it.

        Raises:
            UsageError: as `check_startup`.
        """
        check_startup(settings, host)
        webhook = settings.webhook
        return cls(
            TokenCheck.of(settings, lab_url, now=now) if webhook.audience else None,
            SignatureCheck.of(webhook, clock=lambda: now().timestamp()),
        )

    async def admit(self, headers: Mapping[str, str], body: bytes) -> Caller:
        """Who sends this request.

        Args:
            headers: names in lower case, or a mapping that does not care.
            body: as it came over the wire.

        Raises:
            Unauthorized, NotAllowed: it is refused.
            Problem: 503, the tenant's keys cannot be had.
        """
        return await self.admit_unread(headers) or self.admit_signed(headers, body)

    async def admit_unread(self, headers: Mapping[str, str]) -> Caller | None:
        """Who sends this request, before its body is read; None when the body has to show it.

        A token that is refused is not made good by a signature.

        Raises:
            As `admit`.
        """
        if self._tokens is None and self._signatures is None:
            return _ANYBODY
        if self._tokens is not None and (authorization := headers.get("authorization")):
            return await self._tokens.check(authorization)
        if self._signatures is not None and headers.get(SIGNATURE):
            return None
        raise Unauthorized("the request shows neither a token nor a signature that is taken here", self._challenge())

    def admit_signed(self, headers: Mapping[str, str], body: bytes) -> Caller:
        """Who signed this request.

        Raises:
            Unauthorized: nobody we know.
        """
        if self._signatures is None:
            raise Unauthorized("signatures are not taken here", self._challenge())
        return self._signatures.check(headers, body)

    def _challenge(self) -> str:
        taken = {'Bearer realm="respond"': self._tokens, CHALLENGE: self._signatures}
        return ", ".join(name for name, check in taken.items() if check is not None)


def check_startup(settings: Settings, host: str) -> None:
    """Refuse to serve the world without knowing who may deliver.

    Raises:
        UsageError: names the key that is missing or wrong.
    """
    webhook = settings.webhook
    secret = webhook.hmac_secret.get_secret_value() or webhook.hmac_secret_next.get_secret_value()
    if not webhook.audience and not secret:
        if not settings.is_lab:
            raise UsageError(
                "webhook.audience: nobody may deliver without authentication; set it for Entra ID tokens, or "
                "webhook.hmac_secret for signatures"
            )
        if not is_loopback(host):
            raise UsageError(
                f"--host {host}: the webhook does not listen beyond this machine without authentication; set "
                "webhook.audience or webhook.hmac_secret, or listen on 127.0.0.1"
            )
    if webhook.audience and not webhook.callers and not webhook.app_role:
        raise UsageError("webhook.callers: no identity may deliver; list object ids here, or set webhook.app_role")
    if webhook.audience and not GUID.fullmatch(tenant_id(settings)):
        raise UsageError("tenant.tenant_id: tokens are checked against it; write the tenant's object id")
    for caller in webhook.callers if webhook.audience else ():
        if not GUID.fullmatch(caller):
            raise UsageError(f"webhook.callers: {caller!r} is no object id; a client id or a name does not do either")
    SignatureCheck.of(webhook)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False
