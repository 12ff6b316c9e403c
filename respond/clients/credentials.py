"""Tokens: azure-identity for a real tenant, the lab's own token endpoint for the lab.

Device code flow is never used to sign in: a tenant that follows our advice blocks it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

from respond.clients.retry import parse_retry_after
from respond.errors import Service, Transient, Unauthenticated, UsageError
from respond.settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken
    from azure.core.credentials_async import AsyncTokenCredential

_RENEW_BEFORE = 300
"""Seconds before expiry at which a cached token counts as old."""


class LabCredential:
    """Client credentials at the lab's `/{tenant}/oauth2/v2.0/token`, over HTTP as any client would.

    The lab takes any client id and secret, so none of ours is at stake.
    """

    def __init__(self, authority: str, tenant_id: str) -> None:
        self._url = f"{authority.rstrip('/')}/{tenant_id}/oauth2/v2.0/token"
        self._tokens: dict[str, AccessToken] = {}

    async def get_token(
        self,
        *scopes: str,
        claims: str | None = None,  # noqa: ARG002 - the protocol's signature
        tenant_id: str | None = None,  # noqa: ARG002
        enable_cae: bool = False,  # noqa: ARG002
        **_: Any,
    ) -> AccessToken:
        """A bearer token for one scope; kept until five minutes before it expires.

        Raises:
            Unauthenticated: the lab refused.
            Transient: the lab does not answer.
        """
        import httpx
        from azure.core.credentials import AccessToken

        held = self._tokens.get(scopes[0])
        if held and held.expires_on - time.time() > _RENEW_BEFORE:
            return held
        form = {
            "grant_type": "client_credentials",
            "client_id": "respond-lab",
            "client_secret": "lab-only",  # the lab takes any
            "scope": scopes[0],
        }
        try:
            async with httpx.AsyncClient(timeout=30) as client:
                answer = await client.post(self._url, data=form)
        except httpx.TransportError as error:
            silent = f"the lab does not answer at {self._url}: {type(error).__name__}"
            raise Transient(silent, service=Service.SIGN_IN) from error
        if answer.status_code in (429, 503):
            raise Transient(
                f"the lab issued no token: {answer.status_code}",
                retry_after=parse_retry_after(answer.headers.get("Retry-After")),
                service=Service.SIGN_IN,
                throttled=answer.status_code == httpx.codes.TOO_MANY_REQUESTS,
            )
        if answer.status_code != httpx.codes.OK:
            raise Unauthenticated(f"the lab issued no token: {answer.status_code} from {self._url}")
        body = answer.json()
        token = AccessToken(body["access_token"], int(time.time()) + int(body["expires_in"]))
        self._tokens[scopes[0]] = token
        return token

    async def close(self) -> None:
        """Nothing is held open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def no_token(service: str, error: Exception) -> str:
    """One line for azure-identity's many: the first says what, the rest is a list of everything that was tried."""
    first = (str(error).strip().splitlines() or ["no reason given"])[0]
    return f"no token for {service}: {first[:200]}; sign in with a managed identity, a certificate or the Azure CLI"


def credential(settings: Settings, lab_url: str | None) -> AsyncTokenCredential:
    """The identity that every request is made with.

    Raises:
        UsageError: the settings name an authority that azure-identity does not take.
    """
    if settings.is_lab:
        from respond.settings import LAB_TENANT_ID

        return LabCredential(settings.tenant.authority or lab_url or "", settings.tenant.tenant_id or LAB_TENANT_ID)
    from azure.identity.aio import ClientSecretCredential, DefaultAzureCredential

    tenant = settings.tenant
    extra = {"authority": tenant.authority} if tenant.authority else {}
    try:
        if tenant.client_secret.get_secret_value():
            return ClientSecretCredential(
                tenant.tenant_id, tenant.client_id, tenant.client_secret.get_secret_value(), **extra
            )
        return DefaultAzureCredential(**extra)
    except ValueError as error:
        raise UsageError(f"tenant credentials: {error}") from error
