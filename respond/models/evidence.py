"""What the evidence actions bring back. A source that could not be asked is a `Gap`, never an empty answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Annotated

from pydantic import Field, PlainSerializer

from respond.address_index import AddressIndex, Networks
from respond.models.base import Gap, Model, OpenEnum, Source, Utc
from respond.models.signin import Leg, Risk

_FRESH = timedelta(seconds=10)
_HARMLESS_SCOPES = frozenset({"openid", "profile", "email", "user.read"})

Names = Annotated[frozenset[str], PlainSerializer(sorted, return_type=list[str])]
"""A set of texts, always written in the same order."""


class Part(OpenEnum):
    """What is collected on a case, each part by one action; the order is that of asking."""

    HISTORY = "history"
    INTEL = "intel"
    LURES = "lures"
    SHARED = "shared"
    STANDING = "standing"
    FOOTHOLDS = "footholds"
    USES = "uses"
    EARLIER = "earlier"
    LURE_INTEL = "lure-intel"


class AccountKind(OpenEnum):
    """What sort of account it is; all but member and guest by the object ids of the policy."""

    MEMBER = "member"
    GUEST = "guest"
    ROOM = "room"
    SERVICE = "service"
    BREAK_GLASS = "break-glass"


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
    seen_at: Utc | None = Field(default=None, description="when Graph said so")
    seen_by: str = Field(default="", description="the process that asked")
    other_upns: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @property
    def is_fresh(self) -> bool:
        """Whether Graph was asked a moment ago, so that asking again would only cost time. Not for use in playbooks."""
        return self.seen_at is not None and datetime.now(UTC) - self.seen_at < _FRESH

    @property
    def upns(self) -> tuple[str, ...]:
        """Every name that logs may know the user by: a guest also as the home tenant does."""
        names = (self.upn, self.mail, _home_upn(self.upn), *self.other_upns)
        return tuple(dict.fromkeys(name for name in names if "@" in name))


def _home_upn(upn: str) -> str:
    """`ann_fabrikam.com#EXT#@contoso.com` signs in at home as `ann@fabrikam.com`."""
    end = upn.lower().find("#ext#")
    name, _, domain = upn[: max(end, 0)].rpartition("_")
    return f"{name}@{domain}" if name else ""


class Message(Model):
    """One delivered message with a link: a mail, or a chat message in Teams."""

    id: str
    at: Utc
    sender: str
    sender_domain: str
    subject: str
    delivered_to: str
    first_contact: bool | None
    urls: tuple[str, ...]
    pattern: str = Field(default="", description="name of the kit pattern of lures.toml that a link matches")
    table: str = "EmailEvents"
    device_login: bool = Field(default=False, description="a link goes straight to Microsoft's device code page")
    picture: bool = Field(default=False, description="no link, and nothing attached but pictures")
    qr_code: bool = Field(default=False, description="Defender read a link out of a QR code")
    threats: str = Field(default="", description="what Defender called it, at delivery or when it was taken away")
    removed_at: Utc | None = None

    @property
    def is_suspect(self) -> bool:
        """Whether a link in it is worth a second look: a kit's, a stranger's, or one that Defender objects to."""
        return bool(self.pattern or self.first_contact or self.device_login or self.threats)


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
        suspect = {mail.id for mail in self.messages if mail.is_suspect}
        return tuple(
            click for click in self.clicks if click.reached_device_login or click.pattern or click.message_id in suspect
        )

    @property
    def links(self) -> tuple[str, ...]:
        """Links that may be a lure's, those of the redirects included; what was clicked first, then the newest."""
        newest = sorted(self.messages, key=lambda message: message.at, reverse=True)
        # A link that nothing else speaks against may still be listed: whatever was followed is looked up.
        clicked = (url for click in reversed(self.clicks) for url in (click.url, *click.chain))
        sent = (url for message in newest if message.is_suspect for url in message.urls)
        return tuple(dict.fromkeys((*clicked, *sent)))


class Visit(Model):
    """The sign-ins of one user on one day, in one session, from one address, to one app.

    Attributes:
        is_approving: of a device code, the browser that approved it and not the client that redeemed it.
        codes: the CorrelationIds of device codes that were approved or redeemed there; refreshing one adds none.
    """

    first: Utc
    last: Utc
    ip: str
    asn: str
    country: str
    app_id: str
    session: str
    is_device_code: bool
    is_approving: bool = False
    sign_ins: int
    first_managed: Utc | None = Field(default=None, description="first of them on a managed or compliant device")
    codes: Names = frozenset()


class History(Model):
    """Where one user signed in from, as far back as the policy looks, up to now."""

    visits: tuple[Visit, ...] = ()
    unread: bool = False
    gaps: tuple[Gap, ...] = ()


class AddressDay(Model):
    """Who used an address on one day: up to twenty of them, and up to 500 where their codes were there.

    Attributes:
        users: object ids. Guests are among them only where `by_code` is set and `leg` is not.
        by_code: their device codes were redeemed or approved there; otherwise they signed in there the plain way.
        leg: of members whose code was approved on a managed device, which leg was there; None for everybody's codes.
        app_id, agent: of that leg.
        names: sign-in names of the same users, where a leg is given.
    """

    ip: str
    day: Utc
    users: Names
    by_code: bool
    leg: Leg | None = None
    app_id: str = ""
    agent: str = ""
    names: Names = frozenset()


class SharedAddresses(Model):
    """Who else uses the addresses that device codes touched."""

    days: tuple[AddressDay, ...] = ()
    lured: Names = Field(default=frozenset(), description="sign-in names of those who followed a lure in the history")
    lures_unread: bool = False
    unread: bool = False
    gaps: tuple[Gap, ...] = ()

    def at(self, address: str) -> tuple[AddressDay, ...]:
        """The days of one address, however it is spelled."""
        return self._by_address.same(address)

    @cached_property
    def _by_address(self) -> AddressIndex[AddressDay]:
        return AddressIndex(self.days, lambda day: day.ip)


class Place(Model):
    """One address and app the user signed in with before the sign-ins in question.

    Attributes:
        device_code_days, device_code_sessions, codes: of the redeeming leg alone. Where codes are approved says nothing
            about where they are redeemed.
        approving_sessions: of the browsers that approved device codes there.
    """

    ip: str
    asn: str
    country: str
    app_id: str
    sign_ins: int
    days: Names = Field(description="dates, 2026-01-15")
    device_code_days: Names = frozenset()
    device_code_sessions: Names = frozenset()
    codes: Names = frozenset()
    approving_sessions: Names = frozenset()
    managed: int = 0
    last: Utc

    @property
    def all_sessions(self) -> frozenset[str]:
        """Sessions of either leg."""
        return self.device_code_sessions | self.approving_sessions

    @property
    def saw_device_code(self) -> bool:
        """Whether either leg of a device code was there."""
        return bool(self.device_code_days or self.approving_sessions)


class CodeUse(Model):
    """Codes of one app and client that others redeemed at an address, each approved on a managed device.

    Attributes:
        users: how many others, none of whom followed a lure.
        days: on how many days.
        first: the first of them.
        who: object ids of the users.
    """

    app_id: str
    agent: str
    users: int
    days: int
    first: Utc
    who: Names = frozenset()


class AddressUse(Model):
    """How common an address is in the tenant: other users who signed in from it before the window, and how.

    Attributes:
        code_users: other users whose device codes the address touched in the window or after it.
        coded: object ids of up to 500 of these.
        colleagues: what others redeemed there on earlier days.
        batches: apps, and how many others both approved and redeemed a code for them there today.
    """

    ip: str
    users: int
    days: int
    code_users: int = 0
    coded: Names = frozenset()
    colleagues: tuple[CodeUse, ...] = ()
    batches: dict[str, int] = Field(default_factory=dict)


class UsualPlaces(Model):
    """Where the user signs in from, over the days before the window.

    Attributes:
        tied: places of sessions that are in question, from before. They vouch for nothing; what lies apart from them
            as well is new all the more.
        hours: visits by hour of the day, UTC.
        history_unread, tenant_unread: the answer is missing or not whole: what is not in it may still be so.
    """

    places: tuple[Place, ...] = ()
    tied: tuple[Place, ...] = ()
    tenant: tuple[AddressUse, ...] = ()
    days: int = 30
    hours: tuple[int, ...] = (0,) * 24
    history_unread: bool = False
    tenant_unread: bool = False
    gaps: tuple[Gap, ...] = ()

    @cached_property
    def own(self) -> tuple[Place, ...]:
        """Places that the user's history vouches for: where nothing but a lone device code was seen, it does not."""
        return tuple(place for place in self.places if place.days)

    @cached_property
    def by_address(self) -> AddressIndex[Place]:
        """Every place, vouching or not."""
        return AddressIndex(self.places, lambda place: place.ip)

    @cached_property
    def tenant_by_address(self) -> AddressIndex[AddressUse]:
        return AddressIndex(self.tenant, lambda use: use.ip)

    @cached_property
    def _by_network(self) -> dict[str, tuple[Place, ...]]:
        found: dict[str, list[Place]] = defaultdict(list)
        for place in self.places:
            found[place.asn].append(place)
        return {asn: tuple(places) for asn, places in found.items()}

    @cached_property
    def _addresses_in(self) -> dict[str, int]:
        return {asn: len({place.ip for place in places}) for asn, places in self._by_network.items()}

    def addresses_in(self, asn: str) -> int:
        """How many addresses of a network the user was seen at."""
        return self._addresses_in.get(asn, 0) if asn else 0

    def in_network(self, asn: str) -> tuple[Place, ...]:
        """Every place in a network that is known by its number."""
        return self._by_network.get(asn, ()) if asn else ()


class Stretch(Model):
    """What was usual before some of the sign-ins, where one look shows sign-ins of different weeks.

    Attributes:
        keys: identifiers of the sign-ins.
    """

    keys: Names
    usual: UsualPlaces


class Indicator(Model):
    """One live threat intelligence indicator: an address, a range, a domain or a link."""

    id: str
    at: Utc
    value: str
    confidence: int
    description: str
    tags: str = ""
    table: str = "ThreatIntelIndicators"


class ThreatIntel(Model):
    indicators: tuple[Indicator, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @cached_property
    def by_address(self) -> Networks[Indicator]:
        """Indicators that name an address or a range."""
        return Networks(self.indicators, lambda one: one.value)


class TokenUse(Model):
    """What one token was used for from one address, summed: Graph calls, mail and files."""

    token: str
    session: str
    ip: str
    user_agent: str
    calls: int
    writes: int
    directory: int
    content: int
    sensitive: int = 0
    sent: int = 0
    first: Utc
    last: Utc
    table: str = "MicrosoftGraphActivityLogs"


class SentMail(Model):
    """One message of the user to many people outside, by mail trace: it has no session.

    Attributes:
        outsiders: recipients outside the tenant.
    """

    id: str
    at: Utc
    subject: str
    outsiders: int


class TokenUses(Model):
    """What the tokens did.

    Attributes:
        mass_mails: of the whole history, so that who writes to many is known.
    """

    uses: tuple[TokenUse, ...] = ()
    mass_mails: tuple[SentMail, ...] = ()
    gaps: tuple[Gap, ...] = ()


class FootholdKind(OpenEnum):
    """What an attacker adds to stay when the tokens are gone."""

    DEVICE = "device"
    METHOD = "method"
    CONSENT = "consent"
    MAIL_RULE = "mail-rule"
    APPLICATION = "application"
    ROLE = "role"
    POLICY = "policy"
    DOMAIN = "domain"
    GUEST = "guest"
    ACCOUNT = "account"


_FORWARDING = ("set-mailbox", "new-transportrule", "set-transportrule")
_ACCESS = (
    "add-mailboxpermission",
    "add-recipientpermission",
    "add-mailboxfolderpermission",
    "new-journalrule",
    "new-inboundconnector",
    "new-outboundconnector",
)


class Foothold(Model):
    """One change that was made in the user's name after a sign-in.

    Attributes:
        ip: empty where the log names none, or only that of the service that carried the change out.
        objects: ids of what was added or changed, in lower case: the device, the application that was let in.
        name: of the object, such as an inbox rule or an application; an attacker may have chosen it.
        aliases: every name that the row gives the object, `name` included; read `names`.
        secrets: ids of keys that were added to an application, in lower case.
        reason: the log's own words about the change; they name the type of an authentication method.
        removal: something was taken away. It proves no addition, and may be part of one: a consent that is extended
            is logged as a removal and an addition.
        creates: the object itself is new, rather than something in it.
        leads_outside: mail is sent on to an address outside the user's own domains.
        scopes: of a consent, in lower case; empty where the row does not say.
        whose: of a method or a rule, whom the row says it is for, in lower case: an object id or names. Whoever holds
            an administrator's token changes other people's accounts and mailboxes too. Empty where it does not say.
        agent: user agent of the client that made the change, where the row names it.
        build: of a device, the version of Windows that it said it has.
    """

    kind: FootholdKind
    table: str
    id: str
    at: Utc
    what: str
    ip: str
    session: str = ""
    objects: tuple[str, ...] = ()
    name: str = ""
    aliases: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    reason: str = ""
    removal: bool = False
    creates: bool = False
    leads_outside: bool = False
    scopes: tuple[str, ...] = ()
    whose: tuple[str, ...] = ()
    agent: str = ""
    build: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that the row gives the object."""
        return self.aliases or ((self.name,) if self.name else ())

    @property
    def is_forwarding(self) -> bool:
        """Whether it forwards the mail of a mailbox, or of the tenant: Microsoft Graph neither shows nor ends that."""
        return self.kind is FootholdKind.MAIL_RULE and self.what.lower() in _FORWARDING

    @property
    def is_mail_access(self) -> bool:
        """Whether it lets somebody else read or send the mail of a mailbox or the tenant, which only Exchange ends."""
        return self.kind is FootholdKind.MAIL_RULE and self.what.lower() in _ACCESS

    @property
    def is_harmless(self) -> bool:
        """A consent to know who the user is, as every company portal asks for."""
        return bool(self.scopes) and set(self.scopes) <= _HARMLESS_SCOPES


class Footholds(Model):
    """What was added to stay, as far as the logs say.

    Attributes:
        unread: the audit log, or the log of mailboxes where the tenant collects it, was not read to the end.
        revocations: when the audit log says that the user's refresh tokens were revoked, by anybody.
    """

    changes: tuple[Foothold, ...] = ()
    revocations: tuple[Source, ...] = ()
    unread: bool = False
    gaps: tuple[Gap, ...] = ()


UNREAD_STANDING = "directory roles"
"""What a gap is named after where the directory did not say which groups and roles a user has."""


class Standing(Model):
    """Who the user is: roles, also through groups, and what Identity Protection makes of them now.

    Attributes:
        roles: names of directory roles.
        role_templates: template ids of the same roles.
        groups: object ids of the groups, also through groups.
        risk: `UNKNOWN` where it could not be read, `HIDDEN` without a licence.
        risk_state: as Entra writes it: none, atRisk, confirmedCompromised, dismissed, confirmedSafe, remediated.
    """

    roles: tuple[str, ...] = ()
    role_templates: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    is_service: bool = False
    risk: Risk = Risk.UNKNOWN
    risk_state: str = ""
    risk_at: Utc | None = None
    gaps: tuple[Gap, ...] = ()


class FactKind(OpenEnum):
    """What two cases can share."""

    USER = "user"
    ADDRESS = "address"
    NETWORK = "network"
    LURE = "lure"


class Fact(Model):
    """One thing about a case that another case may share.

    Attributes:
        value: the user id, the address, the AS number, or the host of a lure's link, in lower case.
    """

    kind: FactKind
    value: str


class EarlierCase(Model):
    """A case of ours, not a benign one, that shares a fact with this one."""

    case: str
    verdict: str
    at: Utc
    upn: str
    fact: Fact


class EarlierCases(Model):
    cases: tuple[EarlierCase, ...] = ()
    gaps: tuple[Gap, ...] = ()


class Evidence(Model):
    """Everything known about one user's sign-ins, beside the sign-ins themselves.

    Attributes:
        pending: parts that have not arrived yet; the decision counts with whatever they may still say.
        stretches: of sign-ins that began weeks apart, what was usual before each; otherwise `usual` holds for all.
        late: sources that have no row yet and whose rows are known to arrive late; each is a gap of the report.
        incomplete: sources that may get more rows on sign-ins this young. No gap: the case is judged again with them.
    """

    lures: Lures = Lures()
    usual: UsualPlaces = UsualPlaces()
    stretches: tuple[Stretch, ...] = ()
    intel: ThreatIntel = ThreatIntel()
    lure_intel: ThreatIntel = ThreatIntel()
    uses: TokenUses = TokenUses()
    footholds: Footholds = Footholds()
    standing: Standing = Standing()
    earlier: EarlierCases = EarlierCases()
    late: tuple[Gap, ...] = ()
    incomplete: tuple[Gap, ...] = ()
    pending: frozenset[Part] = frozenset()

    def before(self, keys: Iterable[str]) -> Evidence:
        """The same evidence, cut off before the sign-in that has these identifiers."""
        mine = frozenset(keys)
        usual = next((one.usual for one in self.stretches if mine & one.keys), self.usual)
        return self if usual is self.usual else self.model_copy(update={"usual": usual})

    @property
    def all_gaps(self) -> tuple[Gap, ...]:
        """What could not be known, from every source."""
        parts = (
            self.lures,
            self.usual,
            self.intel,
            self.lure_intel,
            self.uses,
            self.footholds,
            self.standing,
            self.earlier,
        )
        return (*(gap for part in parts for gap in part.gaps), *self.late)

    @property
    def unread(self) -> frozenset[Part]:
        """Parts that may still speak for the user: pending, or asked in vain."""
        usual = {Part.HISTORY: self.usual.history_unread, Part.SHARED: self.usual.tenant_unread}
        return self.pending | {part for part, unread in usual.items() if unread}
