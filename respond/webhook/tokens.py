"""Bearer tokens of the tenant: is it one, is it for us, and may its owner deliver?

    https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-tokens

Any application of the tenant can get a token for our audience, so a valid one is not enough: the identity must be
listed in `webhook.callers`, or hold the app role `webhook.app_role`. Only applications deliver. A token that a user
signed in for has `scp`, and neither an access token nor an ID token of a user has a subject that is its object id
(`idtyp`, which would say so, is optional):
https://learn.microsoft.com/entra/identity-platform/scenario-protected-web-api-verification-scope-app-roles
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import jwt

from respond.clients.clouds import authority, cloud_of
from respond.settings import LAB_TENANT_ID, Settings
from respond.webhook.callers import Caller, How
from respond.webhook.problems import NotAllowed, Unauthorized
from respond.webhook.tenant_keys import TenantKeys

LEEWAY = 60
"""Seconds that clocks may differ."""
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

_LONGEST = 16 * 1024
_ALGORITHMS = ("RS256",)
_CLAIMS = ("exp", "nbf", "iat", "iss", "aud", "tid", "oid", "sub")
_CHALLENGE = 'Bearer realm="respond"'
_REASONS: Mapping[type[Exception], str] = {
    jwt.InvalidSignatureError: "is not signed by the tenant",
    jwt.InvalidIssuerError: "was issued by somebody else",
    jwt.InvalidAudienceError: "is for another audience",
    jwt.MissingRequiredClaimError: "lacks a claim",
}


def utc_now() -> datetime:
    """The time by this machine."""
    return datetime.now(UTC)


class TokenCheck:
    """What a token must be, for one tenant and one audience."""

    def __init__(self, settings: Settings, keys: TenantKeys, *, now: Callable[[], datetime] = utc_now) -> None:
        webhook = settings.webhook
        self._now = now
        self._keys = keys
        self._tenant = tenant_id(settings)
        self._audiences = audiences(webhook.audience)
        self._issuers = issuers(settings)
        self._callers = frozenset(caller.lower() for caller in webhook.callers)
        self._role = webhook.app_role

    @classmethod
    def of(cls, settings: Settings, lab_url: str | None, *, now: Callable[[], datetime] = utc_now) -> TokenCheck:
        """With the keys of the tenant that the settings name.

        Args:
            lab_url: where the lab answers, in lab mode.
            now: the time that tokens are checked by, UTC.
        """
        return cls(settings, TenantKeys(keys_url(settings, lab_url)), now=now)

    async def check(self, authorization: str) -> Caller:
        """The owner of a token, who may deliver.

        Args:
            authorization: value of the header.

        Raises:
            Unauthorized: not a token of an application of the tenant, for us, and valid now.
            NotAllowed: it is, but its owner is neither listed nor holds the app role.
            Problem: 503, the tenant's keys cannot be had.
        """
        claims = await self._verified(_bearer(authorization))
        if str(claims["tid"]).lower() != self._tenant:
            raise _refused("is of another tenant")
        if not GUID.fullmatch(str(claims["oid"])):
            raise _refused("names no identity of the tenant")
        if "scp" in claims or claims.get("idtyp", "app") != "app" or claims["sub"] != claims["oid"]:
            raise _refused("is a user's; only applications deliver")
        return self._allowed(claims["oid"].lower(), claims.get("roles"))

    async def _verified(self, token: str) -> dict[str, Any]:
        """The claims of a token, once it is certain that the tenant made them."""
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError):
            raise _refused("is malformed") from None
        if header.get("alg") not in _ALGORITHMS or "kid" not in header:
            raise _refused("is not signed as Entra ID signs")
        key = await self._keys.find(header["kid"])
        if key is None:
            raise _refused("is signed with a key that the tenant does not publish")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=_ALGORITHMS,
                audience=self._audiences,
                issuer=self._issuers,
                # By the services' time, below: PyJWT knows this machine's alone.
                options={"require": list(_CLAIMS), "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.InvalidAudienceError:
            # signed by the tenant, so what it says can be trusted and shown
            claims = jwt.decode(token, options={"verify_signature": False})
            raise _refused("is for another audience", f": {str(claims['aud'])[:100]!r}") from None
        except (jwt.PyJWTError, ValueError, OverflowError) as error:
            raise _refused(_REASONS.get(type(error), "is malformed")) from None
        self._check_times(claims)
        return claims

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        """Refuse what is not valid now; the tenant has signed it, so the times are its own."""
        now = self._now().timestamp()
        try:
            begins, ends = max(int(claims["nbf"]), int(claims["iat"])), int(claims["exp"])
        except (ValueError, TypeError, OverflowError):
            raise _refused("is malformed") from None
        if ends <= now - LEEWAY:
            raise _refused("has expired")
        if begins > now + LEEWAY:
            raise _refused("is not valid yet")

    def _allowed(self, oid: str, roles: object) -> Caller:
        if oid in self._callers:
            return Caller(id=oid, how=How.OBJECT_ID)
        if self._role and isinstance(roles, list) and self._role in roles:
            return Caller(id=oid, how=How.APP_ROLE)
        raise NotAllowed(
            "this identity may not deliver here: it is not listed and does not hold the app role",
            log=f"{oid} may not deliver: not in webhook.callers, and its token lacks the role of webhook.app_role",
        )


def keys_url(settings: Settings, lab_url: str | None) -> str:
    """Where the tenant publishes its keys."""
    return f"{authority(settings, lab_url if settings.is_lab else None)}/{tenant_id(settings)}/discovery/v2.0/keys"


def tenant_id(settings: Settings) -> str:
    """The tenant as tokens spell it."""
    return (settings.tenant.tenant_id or (LAB_TENANT_ID if settings.is_lab else "")).lower()


def issuers(settings: Settings) -> tuple[str, ...]:
    """The tenant's own, in tokens of version 1 and 2 of its cloud, and those that the settings add."""
    tenant = tenant_id(settings)
    own = tuple(issuer.format(tenant=tenant) for issuer in cloud_of(settings).issuers)
    named = settings.tenant.authority.rstrip("/")
    return (*own, *((f"{named}/{tenant}/v2.0",) if named else ()), *settings.webhook.issuers)


def audiences(configured: str) -> tuple[str, ...]:
    """What tokens may be issued for: version 2 names the client id where version 1 names `api://CLIENT-ID`."""
    client_id = configured.removeprefix("api://").lower()
    return (configured, client_id, f"api://{client_id}") if GUID.fullmatch(client_id) else (configured,)


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("send a bearer token", _CHALLENGE, log="no bearer token")
    if len(token) > _LONGEST:
        raise _refused("is too long")
    return token.strip()


def _refused(what: str, seen: str = "") -> Unauthorized:
    challenge = f'{_CHALLENGE}, error="invalid_token", error_description="the token {what}"'
    return Unauthorized(f"the token {what}", challenge, log=f"the token {what}{seen}")
