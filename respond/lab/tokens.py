"""Access tokens: the client credentials grant of the Microsoft identity platform, for this lab only.

    POST /{tenant}/oauth2/v2.0/token
    https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow

Any client id and secret are taken as long as neither is empty: there is nothing here to protect (`client_proofs.py`).
Keys live as long as the process, and tokens an hour. A token for Graph, Log Analytics or Azure Resource Manager is
nobody's business but the lab's (as at Microsoft, nobody else can check one for Graph) and signed with a secret. One
for an application of the tenant, `api://…/.default` or `CLIENT-ID/.default`, is signed with a published key.
https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
"""

from __future__ import annotations

import re
import secrets
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from respond.lab.client_proofs import ClientProofs
from respond.lab.constants import ARM_AUDIENCE, GRAPH_AUDIENCE, LOGS_AUDIENCE, TENANT_ID
from respond.lab.signing_keys import ISSUER_V1, ISSUER_V2, SigningKeys, openid_configuration
from respond.lab.state import now_text
from respond.lab.web import LabRequest, Reply

LIFETIME = 3600
"""Seconds."""

_AUDIENCES = {
    "graph.microsoft.com": GRAPH_AUDIENCE,
    "graph.microsoft.us": GRAPH_AUDIENCE,
    "dod-graph.microsoft.us": GRAPH_AUDIENCE,
    "api.loganalytics.io": LOGS_AUDIENCE,
    "api.loganalytics.azure.com": LOGS_AUDIENCE,
    "api.loganalytics.us": LOGS_AUDIENCE,
    "management.azure.com": ARM_AUDIENCE,
    "management.core.windows.net": ARM_AUDIENCE,
    "management.usgovcloudapi.net": ARM_AUDIENCE,
}


_CLIENT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_APPLICATION = re.compile(rf"api://\S+|{_CLIENT_ID.pattern}", re.IGNORECASE)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class InvalidToken(Exception):
    """The request carries no token, or one that does not count here; the text says which."""


class Tokens:
    """Issues and checks tokens.

    Args:
        graph_roles: application permissions that a token for Graph carries.
        logs_roles: the same for Log Analytics.
        arm_roles: Azure roles, for Azure Resource Manager.
        tenants: tenant ids that are accepted beside the lab's own.
        app_roles: client id -> the roles that it holds in every application of the tenant.
        proofs: checks how a client shows who it is.
        held: client id -> all that it holds of the above; a client that is not named holds everything.
    """

    def __init__(
        self,
        graph_roles: list[str],
        logs_roles: list[str],
        arm_roles: list[str],
        tenants: set[str],
        app_roles: Mapping[str, Sequence[str]],
        proofs: ClientProofs,
        held: Mapping[str, Sequence[str]],
    ) -> None:
        self._proofs = proofs
        self._held = {client_id.lower(): frozenset(roles) for client_id, roles in held.items()}
        self.keys = SigningKeys()
        self._key = secrets.token_bytes(32)
        self._app_roles = {client_id.lower(): list(roles) for client_id, roles in app_roles.items()}
        self._roles = {GRAPH_AUDIENCE: graph_roles, LOGS_AUDIENCE: logs_roles, ARM_AUDIENCE: arm_roles}
        self._tenants = {TENANT_ID} | {tenant.lower() for tenant in tenants if tenant}

    def issue(self, request: LabRequest) -> Reply:
        """Answer the token endpoint."""
        tenant = request.segments[0].lower()
        if tenant not in self._tenants:
            return _no_tenant(tenant)
        form = {name: values[0] for name, values in parse_qs(request.body.decode("utf-8", errors="replace")).items()}
        if form.get("grant_type") != "client_credentials":
            return _refused(400, "unsupported_grant_type", 70003, "The lab issues tokens for client_credentials only.")
        if not form.get("client_id"):
            return _refused(400, "invalid_request", 900144, "The request body must contain: 'client_id'.")
        if refusal := self._proofs.refusal(form, request.path):
            return _refused(401, "invalid_client", *refusal)
        audience = _audience(form.get("scope", ""), request.base_url)
        if audience is None:
            return _refused(
                400,
                "invalid_scope",
                1002012,
                f"The scope {form.get('scope', '')!r} is not a resource plus '/.default'.",
            )
        sign = self._sign_for_application if _APPLICATION.fullmatch(audience) else self._sign
        token = sign(audience, tenant, form["client_id"])
        return Reply(
            200, {"token_type": "Bearer", "expires_in": LIFETIME, "ext_expires_in": LIFETIME, "access_token": token}
        )

    def published(self, request: LabRequest) -> Reply:
        """Answer what anybody may read of the tenant: its keys, and where its endpoints are."""
        tenant = request.segments[0].lower()
        if tenant not in self._tenants:
            return _no_tenant(tenant)
        if request.segments[-1].lower() == "keys":
            return Reply(200, {"keys": self.keys.published()})
        return Reply(200, openid_configuration(request))

    def roles(self, request: LabRequest, audience: str) -> frozenset[str]:
        """The permissions that a request's token carries for a service.

        Raises:
            InvalidToken: none, expired, not signed by this process, or for another service.
        """
        import jwt

        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise InvalidToken("Access token is empty.")
        try:
            claims: dict[str, Any] = jwt.decode(
                token.strip(), self._key, ["HS256"], audience=[audience, request.base_url]
            )
        except jwt.ExpiredSignatureError:
            raise InvalidToken("Lifetime validation failed, the token is expired.") from None
        except jwt.InvalidAudienceError:
            raise InvalidToken("Access token validation failure. Invalid audience.") from None
        except (jwt.InvalidTokenError, ValueError):
            raise InvalidToken("Access token is malformed or was not issued by this process.") from None
        return frozenset(claims.get("roles", ())) & frozenset(self._roles[audience])

    def _sign(self, audience: str, tenant: str, client_id: str) -> str:
        import jwt

        now = int(time.time())
        named = self._roles.get(audience)
        roles = {role for found in self._roles.values() for role in found} if named is None else set(named)
        claims = {
            "aud": audience,
            "iss": ISSUER_V1.format(tenant=tenant),
            "tid": tenant,
            "appid": client_id,
            "azp": client_id,
            "oid": object_id(client_id),
            "idtyp": "app",
            "iat": now,
            "nbf": now,
            "exp": now + LIFETIME,
        }
        if held := sorted(self._held.get(client_id.lower(), roles)):
            claims["roles"] = held  # a token without any has no such claim
        return jwt.encode(claims, self._key, "HS256")

    def _sign_for_application(self, audience: str, tenant: str, client_id: str) -> str:
        """Version 2 for a client id, else version 1: what an application asked for in its manifest, in Entra."""
        now = int(time.time())
        is_v2 = _CLIENT_ID.fullmatch(audience) is not None
        issuer, party, version = (ISSUER_V2, "azp", "2.0") if is_v2 else (ISSUER_V1, "appid", "1.0")
        claims = {
            "aud": audience,
            "iss": issuer.format(tenant=tenant),
            "iat": now,
            "nbf": now,
            "exp": now + LIFETIME,
            party: client_id,
            f"{party}acr": "1",
            "idtyp": "app",
            "oid": object_id(client_id),
            "sub": object_id(client_id),
            "tid": tenant,
            "uti": secrets.token_urlsafe(16),
            "ver": version,
        }
        if roles := self._app_roles.get(client_id.lower()):
            claims["roles"] = roles
        return self.keys.sign(claims)


def object_id(client_id: str) -> str:
    """The lab's service principal of an application."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, client_id))


def _audience(scope: str, base_url: str) -> str | None:
    """The service that a scope names; a scope that names the lab itself is good for all of them.

    Another port of this machine stands before the lab, whatever it is for.
    """
    resource, slash, rest = scope.strip().rpartition("/")
    if rest != ".default" or not slash:
        return None
    if _APPLICATION.fullmatch(resource):
        return resource
    parts = urlsplit(resource)
    if parts.netloc == urlsplit(base_url).netloc or parts.hostname in _LOOPBACK:
        return base_url
    return _AUDIENCES.get(parts.hostname or "")


def _no_tenant(tenant: str) -> Reply:
    return _refused(400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")


def _refused(status: int, error: str, code: int, description: str) -> Reply:
    trace = str(uuid.uuid4())
    body = {
        "error": error,
        "error_description": f"AADSTS{code}: {description} Trace ID: {trace} Timestamp: {now_text()}",
        "error_codes": [code],
        "timestamp": now_text(),
        "trace_id": trace,
        "correlation_id": str(uuid.uuid4()),
    }
    return Reply(status, body)
