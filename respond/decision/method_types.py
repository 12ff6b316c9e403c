"""Which types of authentication method the words of an audit row mean. Pure.

The names of the types are those of `@odata.type`, without `AuthenticationMethod`:
https://learn.microsoft.com/graph/api/resources/authenticationmethods-overview
"""

from __future__ import annotations

_WORDS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("app with code", "software oath", "software token", "totp"), ("microsoftAuthenticator", "softwareOath")),
    (("hardware oath", "hardware token"), ("hardwareOath",)),
    (("oath",), ("softwareOath", "hardwareOath")),
    (("external",), ("external",)),
    (("fido", "passkey", "security key"), ("fido2", "microsoftAuthenticator")),
    (("windows hello",), ("windowsHelloForBusiness",)),
    (("platform credential",), ("platformCredential",)),
    (("temporary access pass",), ("temporaryAccessPass",)),
    (("qr code",), ("qrCodePin",)),
    (("authenticator", "phone app", "phoneapp", "passwordless phone"), ("microsoftAuthenticator",)),
    (("email", "e-mail"), ("email",)),
    (("phone", "mobile", "sms", "voice", "text message"), ("phone",)),
)
"""The first line that fits is taken: "phone app" is no phone."""


def named_types(words: str) -> frozenset[str]:
    """The types that a row may mean; empty where it names none, which may be any."""
    text = words.lower()
    return frozenset(next((types for parts, types in _WORDS if any(part in text for part in parts)), ()))
