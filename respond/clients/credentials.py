"""Tokens: azure-identity for a real tenant, the lab's own token endpoint for the lab.

Device code flow and the interactive browser are never used to sign in: a tenant that follows our advice blocks the one,
and a service has nobody in front of the other.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

from respond.clients.retry import parse_retry_after
from respond.errors import RespondError, Service, Transient, Unauthenticated, UsageError
from respond.plain_errors import file_error
from respond.settings import Identity, IdentityKind, Settings

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.exceptions import ClientAuthenticationError

ADVICE = "; sign in with a managed identity, a certificate or the Azure CLI"
"""How a message ends where nothing is known of the identity that was meant to sign in."""

_RENEW_BEFORE = 300
"""Seconds before expiry at which a cached token counts as old."""
_RENEW_EVERY = 10.0
"""Seconds. When many requests are refused at the same time, one new token is requested for all of them."""


class LabCredential:
    """Client credentials at the lab's `/{tenant}/oauth2/v2.0/token`, over HTTP as any client would.

    The lab takes any client id and secret, so none of ours is at stake.
    """

    def __init__(self, authority: str, tenant_id: str, client_id: str = "") -> None:
        self._client_id = client_id or "respond-lab"
        self._url = f"{authority.rstrip('/')}/{tenant_id}/oauth2/v2.0/token"
        self._tokens: dict[str, AccessToken] = {}

    async def renew(self) -> None:
        """Forget the tokens: the lab has refused one."""
        self._tokens.clear()

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
            "client_id": self._client_id,
            "client_secret": "lab-only",  # the lab takes any
            "scope": scopes[0],
        }
        try:
            async with httpx.AsyncClient(timeout=30) as client:
                answer = await client.post(self._url, data=form)
        except httpx.TransportError as error:
            silent = f"the lab does not answer at {self._url}: {type(error).__name__}"
            raise Transient(silent, service=Service.SIGN_IN) from error
        if answer.status_code in (408, 429) or answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise Transient(
                f"the lab issued no token: {answer.status_code}",
                retry_after=parse_retry_after(answer.headers.get("Retry-After")),
                service=Service.SIGN_IN,
                throttled=answer.status_code == httpx.codes.TOO_MANY_REQUESTS,
            )
        if answer.status_code != httpx.codes.OK:
            raise Unauthenticated(f"the lab issued no token: {answer.status_code} from {self._url}")
        try:
            body = answer.json()
            token = AccessToken(str(body["access_token"]), int(time.time()) + int(body["expires_in"]))
        except (ValueError, LookupError, TypeError) as error:
            unread = f"the lab's answer at {self._url} is no token ({type(error).__name__})"
            raise Transient(unread, service=Service.SIGN_IN) from error
        self._tokens[scopes[0]] = token
        return token

    async def close(self) -> None:
        """Nothing is held open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class Tokens:
    """An identity of azure-identity that answers with a token or with one error of our tree, whatever becomes of it.

    The SDKs call whatever it raises a failure of the service that they ask. Its log would tell the same in other words,
    on standard error, before ours.

    Args:
        make: makes an identity of azure-identity; a new one has no tokens yet.
        authority: where its tokens come from, for messages; empty where that is this machine.
    """

    def __init__(self, make: Callable[[], AsyncTokenCredential], authority: str = "") -> None:
        self._make = make
        self.identity = make()
        self._replaced: list[AsyncTokenCredential] = []
        self._renewed = float("-inf")
        self._has_worked = False
        self._where = f" at {authority}" if authority else ""
        for name in ("azure", "msal"):
            logger = logging.getLogger(name)
            if not any(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
                logger.addHandler(logging.NullHandler())

    async def renew(self) -> None:
        """Forget the tokens that the identity keeps, by taking a new one, unless that was done a moment ago."""
        if time.monotonic() - self._renewed < _RENEW_EVERY:
            return
        self._renewed = time.monotonic()
        # Not closed yet: other requests may be getting their tokens from it.
        self._replaced.append(self.identity)
        self.identity = self._make()

    async def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **how: Any,
    ) -> AccessToken:
        """A bearer token for one scope.

        Raises:
            Unauthenticated: the authority refused, or there is no identity.
            Transient: it does not answer, or with something that is no token.
        """
        from azure.core.exceptions import AzureError, ClientAuthenticationError
        from azure.identity import CredentialUnavailableError

        service = scopes[0].removesuffix("/.default") if scopes else ""
        try:
            token = await self.identity.get_token(
                *scopes, claims=claims, tenant_id=tenant_id, enable_cae=enable_cae, **how
            )
        except CredentialUnavailableError as error:
            if self._has_worked:  # the service of this machine that hands out tokens is away
                raise self._none(service, f"is not available ({type(error).__name__})") from error
            raise self._refusal(service, error) from error
        except ClientAuthenticationError as error:
            raise self._refusal(service, error) from error
        except AzureError as error:
            why = f"does not answer ({type(error).__name__}); is tenant.authority right, and can it be reached?"
            raise self._none(service, why) from error
        except RespondError:
            raise
        except Exception as error:
            raise self._none(service, f"answered with something that is no token ({type(error).__name__})") from error
        if not token.token:
            raise self._none(service, "answered without a token")
        self._has_worked = True
        return token

    def _none(self, service: str, why: str) -> Transient:
        return Transient(f"no token for {service}: the authority{self._where} {why}", service=Service.SIGN_IN)

    def _refusal(self, service: str, error: ClientAuthenticationError) -> RespondError:
        """A refusal; azure-identity says the same of an authority that is ill."""
        answer: Any = error.response
        status = int(answer.status_code or 0) if answer is not None else 0
        if status not in (408, 429) and status < 500:
            return Unauthenticated(no_token(service, error))
        ill = self._none(service, f"answered {status}")
        ill.retry_after = parse_retry_after(answer.headers.get("Retry-After"))
        ill.throttled = status == 429
        return ill

    async def close(self) -> None:
        """Close its connections."""
        for identity in (*self._replaced, self.identity):
            await identity.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def no_token(service: str, error: Exception) -> str:
    """One line for azure-identity's many: the first says what, the rest is a list of everything that was tried."""
    first = (str(error).strip().splitlines() or ["no reason given"])[0]
    return f"no token for {service}: {first[:200]}{ADVICE}"


def credential(settings: Settings, lab_url: str | None, *, writes: bool = False) -> AsyncTokenCredential:
    """The identity that requests are made with.

    Args:
        writes: the one that changes things; the one that asks unless `tenant.write` names another.

    Raises:
        UsageError: the settings do not make an identity; names the key.
    """
    if settings.is_lab:
        from respond.settings import LAB_TENANT_ID

        tenant = settings.tenant
        client_id = (tenant.write.client_id if writes else "") or tenant.read.client_id
        return LabCredential(tenant.authority or lab_url or "", tenant.tenant_id or LAB_TENANT_ID, client_id)
    key, identity = identity_of(settings, writes=writes)
    if identity.kind in _APPLICATIONS and not identity.client_id:
        named = "tenant.client_id" if key == "tenant.client_secret" else f"{key}.client_id"
        raise UsageError(f"{named} is empty: name the application; respond init prints what creates one")
    try:
        where = _where(settings)
        return Tokens(
            lambda: _MAKERS[identity.kind](settings.tenant.tenant_id, identity, where), str(where["authority"])
        )
    except (ValueError, TypeError) as error:  # TypeError: a password for a key that has none
        raise UsageError(f"{key}: {str(error).splitlines()[0][:200]}") from error
    except OSError as error:
        raise file_error(f"{key}.certificate: {identity.certificate} cannot be read", error) from error


def identity_of(settings: Settings, *, writes: bool = False) -> tuple[str, Identity]:
    """The key of the settings that holds, and what it comes to."""
    tenant = settings.tenant
    if writes and tenant.write.kind:
        return "tenant.write", tenant.write
    if tenant.read.kind:
        return "tenant.read", tenant.read
    if tenant.client_secret.get_secret_value():
        found = Identity.model_construct(
            kind=IdentityKind.SECRET, client_id=tenant.client_id, secret=tenant.client_secret
        )
        return "tenant.client_secret", found
    return "tenant.read", Identity(kind=IdentityKind.DEFAULT, client_id=tenant.read.client_id or tenant.client_id)


def weak_identities(settings: Settings) -> tuple[str, ...]:
    """The keys of identities that show a secret: a password that leaks and expires. One line each, for people."""
    if settings.is_lab:
        return ()
    held = dict(identity_of(settings, writes=writes) for writes in (False, True))
    return tuple(key for key, identity in held.items() if identity.kind is IdentityKind.SECRET)


def _where(settings: Settings) -> dict[str, Any]:
    """Authority of the tokens. One of our own is taken at its word: Microsoft's list of authorities is not asked."""
    from respond.clients.clouds import authority, cloud_of

    found = authority(settings, None)
    return {"authority": found, "disable_instance_discovery": found != cloud_of(settings).authority}


def _managed(_: str, identity: Identity, __: dict[str, Any]) -> AsyncTokenCredential:
    from azure.identity.aio import ManagedIdentityCredential

    return ManagedIdentityCredential(client_id=identity.client_id or None)


def _workload(tenant_id: str, identity: Identity, where: dict[str, Any]) -> AsyncTokenCredential:
    from azure.identity.aio import WorkloadIdentityCredential

    return WorkloadIdentityCredential(
        tenant_id=tenant_id, client_id=identity.client_id or None, token_file_path=identity.token_file or None, **where
    )


def _certificate(tenant_id: str, identity: Identity, where: dict[str, Any]) -> AsyncTokenCredential:
    from azure.identity.aio import CertificateCredential

    password = identity.certificate_password.get_secret_value() or None
    return CertificateCredential(tenant_id, identity.client_id, identity.certificate, password=password, **where)


def _cli(tenant_id: str, _: Identity, __: dict[str, Any]) -> AsyncTokenCredential:
    from azure.identity.aio import AzureCliCredential

    return AzureCliCredential(tenant_id=tenant_id)


def _secret(tenant_id: str, identity: Identity, where: dict[str, Any]) -> AsyncTokenCredential:
    from azure.identity.aio import ClientSecretCredential

    return ClientSecretCredential(tenant_id, identity.client_id, identity.secret.get_secret_value(), **where)


def _default(tenant_id: str, identity: Identity, where: dict[str, Any]) -> AsyncTokenCredential:
    """Environment, workload identity, managed identity, Azure CLI, in this order: nothing that asks a person."""
    from azure.identity.aio import DefaultAzureCredential

    named = {"managed_identity_client_id": identity.client_id} if identity.client_id else {}
    return DefaultAzureCredential(
        workload_identity_tenant_id=tenant_id,
        exclude_shared_token_cache_credential=True,
        exclude_visual_studio_code_credential=True,
        exclude_powershell_credential=True,
        exclude_developer_cli_credential=True,
        **named,
        **where,
    )


_APPLICATIONS = frozenset({IdentityKind.CERTIFICATE, IdentityKind.SECRET})
_MAKERS: Mapping[IdentityKind, Callable[[str, Identity, dict[str, Any]], AsyncTokenCredential]] = {
    IdentityKind.MANAGED: _managed,
    IdentityKind.WORKLOAD: _workload,
    IdentityKind.CERTIFICATE: _certificate,
    IdentityKind.CLI: _cli,
    IdentityKind.SECRET: _secret,
    IdentityKind.DEFAULT: _default,
}
