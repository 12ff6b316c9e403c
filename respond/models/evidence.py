"""What the evidence actions bring back. A source that could not be asked is a `Gap`, never an empty answer."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, PlainSerializer

from respond.models.base import Gap, Model, Utc

Names = Annotated[frozenset[str], PlainSerializer(sorted, return_type=list[str])]
"""A set of texts, always written in the same order."""


class AccountKind(StrEnum):
    MEMBER = "member"
    GUEST = "guest"


class Account(Model):
    """The user as Microsoft Graph describes it now."""

    id: str
    upn: str
    display_name: str
    mail: str = ""
    kind: AccountKind = AccountKind.MEMBER
    enabled: bool | None = None
    synced: bool = False
    sessions_valid_from: Utc | None = None
    gaps: tuple[Gap, ...] = ()


class Message(Model):
    """One delivered message with a link; from EmailEvents and EmailUrlInfo."""

    id: str
    at: Utc
    sender: str
    sender_domain: str
    subject: str
    delivered_to: str
    first_contact: bool | None
    urls: tuple[str, ...]
    pattern: str = Field(default="", description="name of the kit pattern of lures.toml that a link matches")


class Click(Model):
    """One Safe Links click; from UrlClickEvents."""

    id: str
    at: Utc
    url: str
    chain: tuple[str, ...]
    action: str
    message_id: str
    ip: str
    pattern: str = ""
    reached_device_login: bool = False


class Lures(Model):
    messages: tuple[Message, ...] = ()
    clicks: tuple[Click, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @property
    def suspect_clicks(self) -> tuple[Click, ...]:
        """Clicks that look like a lure's: on to a device code page, by a kit's link, or from a suspect message."""
        suspect = {mail.id for mail in self.messages if mail.pattern or mail.first_contact}
        return tuple(
            click for click in self.clicks if click.reached_device_login or click.pattern or click.message_id in suspect
        )


class Place(Model):
    """One address and app the user signed in with before the sign-ins in question."""

    ip: str
    asn: str
    country: str
    app_id: str
    sign_ins: int
    days: Names = Field(description="dates, 2026-01-15")
    device_code_days: Names = frozenset()
    device_code_sessions: Names = frozenset()
    managed: int = 0
    last: Utc


class AddressUse(Model):
    """How common an address is in the tenant: other users who signed in from it before the window."""

    ip: str
    users: int
    days: int


class UsualPlaces(Model):
    """Where the user signs in from, over the days before the window."""

    places: tuple[Place, ...] = ()
    tenant: tuple[AddressUse, ...] = ()
    days: int = 30
    gaps: tuple[Gap, ...] = ()


class Indicator(Model):
    """One live threat intelligence indicator that names an address of the sign-in."""

    id: str
    at: Utc
    value: str
    confidence: int
    description: str
    tags: str = ""


class ThreatIntel(Model):
    indicators: tuple[Indicator, ...] = ()
    gaps: tuple[Gap, ...] = ()


class TokenUse(Model):
    """Calls to Microsoft Graph with one token from one address, summed."""

    token: str
    session: str
    ip: str
    user_agent: str
    calls: int
    writes: int
    directory: int
    content: int
    first: Utc
    last: Utc


class TokenUses(Model):
    uses: tuple[TokenUse, ...] = ()
    gaps: tuple[Gap, ...] = ()


class FootholdKind(StrEnum):
    """What an attacker adds to stay when the tokens are gone."""

    DEVICE = "device"
    METHOD = "method"
    CONSENT = "consent"
    MAIL_RULE = "mail-rule"


class Foothold(Model):
    """One change that was made in the user's name after a sign-in."""

    kind: FootholdKind
    table: str
    id: str
    at: Utc
    what: str
    ip: str
    session: str = ""


class Footholds(Model):
    changes: tuple[Foothold, ...] = ()
    gaps: tuple[Gap, ...] = ()


class Evidence(Model):
    """Everything collected about one case, beside the sign-ins themselves."""

    lures: Lures = Lures()
    usual: UsualPlaces = UsualPlaces()
    intel: ThreatIntel = ThreatIntel()
    uses: TokenUses = TokenUses()
    footholds: Footholds = Footholds()

    @property
    def all_gaps(self) -> tuple[Gap, ...]:
        """What could not be known, from every source."""
        return (*self.lures.gaps, *self.usual.gaps, *self.intel.gaps, *self.uses.gaps, *self.footholds.gaps)
