"""The keys that tokens for the tenant's own applications are signed with, and where they are published.

    GET /{tenant}/discovery/v2.0/keys
    GET /{tenant}/v2.0/.well-known/openid-configuration
    https://learn.microsoft.com/entra/identity-platform/signing-key-rollover

Both also without `v2.0`, with the issuer of version 1 tokens. As at Microsoft, a published key names no algorithm.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from respond.lab.web import LabRequest

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

ISSUER_V1 = "https://sts.windows.net/{tenant}/"
ISSUER_V2 = "https://login.microsoftonline.com/{tenant}/v2.0"


class SigningKey:
    """One RSA key, and its public half as a JSON Web Key."""

    def __init__(self) -> None:
        from cryptography.hazmat.primitives.asymmetric import rsa

        self.private: RSAPrivateKey = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @cached_property
    def public(self) -> dict[str, Any]:
        from jwt.algorithms import RSAAlgorithm

        jwk = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {"kty": "RSA", "use": "sig", "kid": self.id, "n": jwk["n"], "e": jwk["e"]}

    @cached_property
    def id(self) -> str:
        import hashlib

        from jwt.utils import base64url_encode

        modulus = self.private.public_key().public_numbers().n
        return base64url_encode(hashlib.sha256(str(modulus).encode()).digest()[:20]).decode()


class SigningKeys:
    """The keys of one lab process. The first is made when it is first asked for: that takes up to 150 ms."""

    def __init__(self) -> None:
        self._made: list[SigningKey] = []

    def sign(self, claims: dict[str, Any]) -> str:
        """A token, signed with the newest key."""
        import jwt

        key = self._keys()[-1]
        return jwt.encode(claims, key.private, "RS256", headers={"kid": key.id})

    def published(self) -> list[dict[str, Any]]:
        """The public keys; tokens of these are good."""
        return [key.public for key in self._keys()]

    def rotate(self) -> list[str]:
        """Sign with a new key from now on; the last one stays published until the next rotation.

        Returns:
            The ids of the published keys; the last one signs.
        """
        self._made = [*self._keys()[-1:], SigningKey()]
        return [key.id for key in self._made]

    def _keys(self) -> list[SigningKey]:
        self._made = self._made or [SigningKey()]
        return self._made


def openid_configuration(request: LabRequest) -> dict[str, Any]:
    """What a client needs to know of the tenant; only what the lab really answers."""
    tenant, is_v2 = request.segments[0].lower(), request.segments[1].lower() == "v2.0"
    version, issuer = ("v2.0/", ISSUER_V2) if is_v2 else ("", ISSUER_V1)
    base = f"{request.base_url}/{tenant}"
    return {
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
        "jwks_uri": f"{base}/discovery/{version}keys",
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "issuer": issuer.format(tenant=tenant),
        "tenant_region_scope": None,
        "cloud_instance_name": "microsoftonline.com",
    }
