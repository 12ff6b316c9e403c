"""A made-up tenant in the public cloud whose keys we hold, and tokens of it in every shape."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from respond.settings import Settings, Tenant, TenantMode, Webhook

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

TENANT = "5a5a5a5a-0000-4000-8000-000000000001"
APPLICATION = "5a5a5a5a-0000-4000-8000-00000000aaaa"
AUDIENCE = f"api://{APPLICATION}"
CALLER = "5a5a5a5a-0000-4000-8000-00000000ca11"
ROLE = "Incidents.Deliver"
KEYS_URL = f"https://login.microsoftonline.com/{TENANT}/discovery/v2.0/keys"
V1 = f"https://sts.windows.net/{TENANT}/"
V2 = f"https://login.microsoftonline.com/{TENANT}/v2.0"


_made: dict[str, RSAPrivateKey] = {}


def private_key(kid: str = "k1", bits: int = 2048) -> RSAPrivateKey:
    """One for each name."""
    if kid not in _made:
        _made[kid] = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    return _made[kid]


def public_pem(kid: str = "k1") -> bytes:
    return private_key(kid).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def jwk(kid: str = "k1", bits: int = 2048) -> dict[str, Any]:
    public = json.loads(RSAAlgorithm.to_jwk(private_key(kid, bits).public_key()))
    return {"kty": "RSA", "use": "sig", "kid": kid, "n": public["n"], "e": public["e"]}


def claims(**changes: Any) -> dict[str, Any]:
    """What Entra puts into a token for the Logic App's identity.

    A claim changed to None is left out, and a `timedelta` counts from now.
    """
    now = int(time.time())
    whole = {
        "aud": AUDIENCE,
        "iss": V1,
        "iat": now,
        "nbf": now,
        "exp": now + 3600,
        "appid": "5a5a5a5a-0000-4000-8000-0000000000cc",
        "idtyp": "app",
        "oid": CALLER,
        "sub": changes.get("oid", CALLER),
        "tid": TENANT,
        "ver": "1.0",
        **changes,
    }
    return {
        name: now + int(value.total_seconds()) if isinstance(value, timedelta) else value
        for name, value in whole.items()
        if value is not None
    }


def token(*, kid: str = "k1", signed_by: str = "", **changes: Any) -> str:
    return jwt.encode(claims(**changes), private_key(signed_by or kid), "RS256", headers={"kid": kid})


def settings(mode: TenantMode = TenantMode.AZURE, **webhook: Any) -> Settings:
    return Settings(
        tenant=Tenant(mode=mode, tenant_id=TENANT),
        webhook=Webhook(**{"audience": AUDIENCE, "callers": (CALLER,), **webhook}),
    )
