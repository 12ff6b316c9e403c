"""Which operations of AuditLogs and OfficeActivity let somebody stay, and as what. Names as Microsoft writes them.

https://learn.microsoft.com/entra/identity/monitoring-health/reference-audit-activities
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from respond.models.evidence import FootholdKind

_DASHES = re.compile(r"\s*[\u2010-\u2015\u2212-]\s*")


@dataclass(frozen=True)
class Operation:
    """What an operation is.

    Attributes:
        removal: it takes something away.
        creates: its object is new.
        needs: it counts only where one of these properties was modified; empty: always.
    """

    kind: FootholdKind
    removal: bool = False
    creates: bool = False
    needs: tuple[str, ...] = ()


_DEVICE, _METHOD, _CONSENT = FootholdKind.DEVICE, FootholdKind.METHOD, FootholdKind.CONSENT
_APPLICATION, _ROLE, _POLICY = FootholdKind.APPLICATION, FootholdKind.ROLE, FootholdKind.POLICY
_ACCOUNT = FootholdKind.ACCOUNT
KEYS = ("KeyDescription", "FederatedIdentityCredentials")
"""Properties of an application that let somebody sign in as it."""
STRONG = "StrongAuthentication"
"""What the properties of a user begin with that hold registered methods."""
REVOKED = "update stsrefreshtokenvalidfrom timestamp"
"""What a revocation of a user's refresh tokens is logged as, in lower case."""

_NAMED = {
    "register device": Operation(_DEVICE, creates=True),
    "add device": Operation(_DEVICE, creates=True),
    "add registered owner to device": Operation(_DEVICE),
    "add registered users to device": Operation(_DEVICE),
    "delete device": Operation(_DEVICE, removal=True),
    "unregister device": Operation(_DEVICE, removal=True),
    "user registered security info": Operation(_METHOD),
    "user registered all required security info": Operation(_METHOD),
    "admin registered security info": Operation(_METHOD),
    "user updated security info": Operation(_METHOD),
    "admin updated security info": Operation(_METHOD),
    "user deleted security info": Operation(_METHOD, removal=True),
    "admin deleted security info": Operation(_METHOD, removal=True),
    "add windows hello for business credential": Operation(_METHOD),
    "delete windows hello for business credential": Operation(_METHOD, removal=True),
    "add fido2 security key": Operation(_METHOD),
    "delete fido2 security key": Operation(_METHOD, removal=True),
    "delete fido2 security key(s)": Operation(_METHOD, removal=True),
    "add platform credential": Operation(_METHOD),
    "delete platform credential": Operation(_METHOD, removal=True),
    "add users strong authentication phone app detail": Operation(_METHOD),
    "remove users strong authentication phone app detail": Operation(_METHOD, removal=True),
    "add passkey (device-bound)": Operation(_METHOD),
    "add passkey (device-bound) for user": Operation(_METHOD),
    "add passwordless phone sign-in credential": Operation(_METHOD),
    "delete passwordless phone sign-in credential": Operation(_METHOD, removal=True),
    "update user": Operation(_METHOD, needs=(STRONG,)),
    "consent to application": Operation(_CONSENT),
    "add delegated permission grant": Operation(_CONSENT),
    "add app role assignment grant to user": Operation(_CONSENT),
    "remove delegated permission grant": Operation(_CONSENT, removal=True),
    "remove app role assignment from user": Operation(_CONSENT, removal=True),
    "revoke consent": Operation(_CONSENT, removal=True),
    "add application": Operation(_APPLICATION, creates=True),
    "add service principal": Operation(_APPLICATION, creates=True),
    "add service principal credentials": Operation(_APPLICATION),
    "update application - certificates and secrets management": Operation(_APPLICATION),
    "update application": Operation(_APPLICATION, needs=KEYS),
    "update service principal": Operation(_APPLICATION, needs=KEYS),
    "add federated identity credential": Operation(_APPLICATION),
    "add owner to application": Operation(_APPLICATION),
    "add owner to service principal": Operation(_APPLICATION),
    "add app role assignment to service principal": Operation(_APPLICATION),
    "delete application": Operation(_APPLICATION, removal=True),
    "hard delete application": Operation(_APPLICATION, removal=True),
    "remove service principal": Operation(_APPLICATION, removal=True),
    "remove service principal credentials": Operation(_APPLICATION, removal=True),
    "add user": Operation(_ACCOUNT),
    "restore user": Operation(_ACCOUNT),
    "enable account": Operation(_ACCOUNT),
    "disable strong authentication": Operation(_ACCOUNT),
    "create application password for user": Operation(_ACCOUNT),
    "update authorization policy": Operation(_POLICY),
    "set device registration policies": Operation(_POLICY),
    "update identityprotectionpolicy": Operation(_POLICY),
    "set domain authentication": Operation(FootholdKind.DOMAIN),
    "set federation settings on domain": Operation(FootholdKind.DOMAIN),
    "add unverified domain": Operation(FootholdKind.DOMAIN),
    "add verified domain": Operation(FootholdKind.DOMAIN),
    "verify domain": Operation(FootholdKind.DOMAIN),
    "update domain": Operation(FootholdKind.DOMAIN),
}
_BEGINNING = (
    ("add member to role", Operation(_ROLE)),
    ("add eligible member to role", Operation(_ROLE)),
    ("add scoped member to role", Operation(_ROLE)),
    ("remove member from role", Operation(_ROLE, removal=True)),
    ("remove eligible member from role", Operation(_ROLE, removal=True)),
    ("remove scoped member from role", Operation(_ROLE, removal=True)),
    ("invite external user", Operation(FootholdKind.GUEST)),
    ("invite internal user", Operation(FootholdKind.GUEST)),
    ("add passkey", Operation(_METHOD)),
    ("reset password", Operation(_ACCOUNT)),
    ("reset user password", Operation(_ACCOUNT)),
)
"""Privileged Identity Management writes how far a request has come behind the name, a reset who asked for it."""
_CAME_TO_NOTHING = (" denied", " canceled", " cancelled")
"""Requests to Privileged Identity Management that assigned nothing."""
_HOLDING = (
    "conditional access policy",
    "named location",
    "authentication methods policy",
    "authentication method policy",
    "authentication strength policy",
    "cross-tenant access",
)
"""Whatever is done to one of these: a policy that is deleted lets somebody in as well."""


KNOWN = (*_NAMED, *(start for start, _ in _BEGINNING), *_HOLDING, REVOKED)
"""Every operation that is read, in lower case: `find_footholds.kql` has to let each of them through."""


def operation(name: str) -> Operation | None:
    """What an operation of AuditLogs is; None when it lets nobody stay.

    Names come with a hyphen or a dash, in either case, and with blanks at the end.
    """
    known = _plain(name)
    if known in _NAMED:
        return _NAMED[known]
    if any(word in known for word in _CAME_TO_NOTHING):
        return None
    begun = next((what for start, what in _BEGINNING if known.startswith(start)), None)
    if begun:
        return begun
    return Operation(_POLICY) if any(part in known for part in _HOLDING) else None


def _plain(name: str) -> str:
    return " ".join(_DASHES.sub(_spaced, name).lower().split())


def _spaced(found: re.Match[str]) -> str:
    """A dash between words keeps its blanks, one within a word has none."""
    return " - " if found[0].strip() != found[0] else "-"
