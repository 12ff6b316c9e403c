"""How a client shows who it is at the token endpoint: a secret, a certificate, or another issuer's token.

    https://learn.microsoft.com/entra/identity-platform/certificate-credentials
    https://learn.microsoft.com/entra/workload-id/workload-identity-federation

Any secret is taken as long as it is not empty. A certificate has to be known to the lab, and what it signed sound. The
keys of other issuers are elsewhere, so of their tokens only what can be read here is checked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from respond.errors import UsageError

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_FEDERATED_AUDIENCE = "api://AzureADTokenExchange"
_THUMBPRINTS = {"x5t": hashlib.sha1, "x5t#S256": hashlib.sha256}

Refusal = tuple[int, str]
"""AADSTS number and what it says."""


class ClientProofs:
    """Checks the proof in a token request.

    Args:
        certificates: PEM files of the certificates that are registered.

    Raises:
        UsageError: one of them cannot be read.
    """

    def __init__(self, certificates: Sequence[str]) -> None:
        self._keys = dict(pair for file in certificates for pair in _public_keys(file))

    def refusal(self, form: Mapping[str, str], path: str) -> Refusal | None:
        """Why the proof does not count; None when it does.

        Args:
            path: of the token endpoint; an assertion is made for one.
        """
        if form.get("client_secret"):
            return None
        if not form.get("client_assertion"):
            return 7000216, "'client_assertion', 'client_secret' or 'request' is required for client_credentials."
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            return 900144, "The request body must contain: 'client_assertion_type'."
        return self._assertion_refusal(form["client_assertion"], form["client_id"], path)

    def _assertion_refusal(self, assertion: str, client_id: str, path: str) -> Refusal | None:
        import jwt

        try:
            header = jwt.get_unverified_header(assertion)
            if not _THUMBPRINTS.keys() & header.keys():
                _check_federated(jwt.decode(assertion, options={"verify_signature": False, "verify_exp": True}))
                return None
            key = self._keys.get(
                str(header.get("x5t#S256") or header.get("x5t")).rstrip("=")
            )  # Microsoft's SDKs pad it
            if key is None:
                return 700027, "The certificate used to sign the client assertion is not registered on application."
            claims = jwt.decode(assertion, key, ["RS256", "PS256"], options={"verify_aud": False, "require": ["exp"]})
        except (jwt.PyJWTError, ValueError) as error:
            return 700027, f"Client assertion failed signature validation: {error}."
        if not claims.get("iss") == claims.get("sub") == client_id:
            return 700021, "Client assertion application identifier doesn't match 'client_id' parameter."
        if urlsplit(str(claims.get("aud"))).path.lower() != path.lower():
            return 700023, "Client assertion audience claim does not match Realm issuer."
        return None


def _check_federated(claims: Mapping[str, Any]) -> None:
    audience = claims.get("aud")
    if _FEDERATED_AUDIENCE not in (audience if isinstance(audience, list) else [audience]):
        raise ValueError(f"the audience is not {_FEDERATED_AUDIENCE}")
    if not claims.get("iss") or not claims.get("sub"):
        raise ValueError("issuer and subject are required")


def _public_keys(file: str) -> list[tuple[str, Any]]:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding
    from jwt.utils import base64url_encode

    try:
        certificate = x509.load_pem_x509_certificate(Path(file).read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"lab.client_certificates: {file} is no readable PEM certificate: {error}") from error
    der = certificate.public_bytes(Encoding.DER)
    names = (base64url_encode(digest(der).digest()).decode() for digest in _THUMBPRINTS.values())
    return [(name, certificate.public_key()) for name in names]
