"""What looks like the theft of a sign-in and is no device code."""

from __future__ import annotations

from respond.models.base import Gap, Model, OpenEnum, Utc


class LookalikeKind(OpenEnum):
    PASTED = "pasted"
    BLOCKED = "blocked"


class Lookalike(Model):
    """A token that was taken elsewhere than its user signed in, or a sign-in that Conditional Access blocked.

    Attributes:
        at, ip, asn, country, client: of the client that took the token; of the attempt that was blocked.
        signed_at, signed_ip, signed_asn, signed_country, signed_id: of the browser's sign-in that it belongs to.
    """

    kind: LookalikeKind
    id: str
    at: Utc
    app: str
    resource: str
    ip: str
    asn: str
    country: str
    client: str
    result: str
    signed_at: Utc
    signed_ip: str = ""
    signed_asn: str = ""
    signed_country: str = ""
    signed_id: str = ""


class Lookalikes(Model):
    found: tuple[Lookalike, ...] = ()
    gaps: tuple[Gap, ...] = ()
