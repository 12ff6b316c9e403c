"""Sign-ins as the decision sees them: legs, and the flows they belong to.

A device code sign-in has two legs. The *approving* leg is a person's browser in SigninLogs
(`AuthenticationProtocol == "deviceCode"`). The *redeeming* leg is the client that polled with the code and its
later refreshes, in AADNonInteractiveUserSignInLogs (`OriginalTransferMethod == "deviceCodeFlow"`). Legs share
CorrelationId, SessionId or OriginalRequestId. Column semantics:
https://learn.microsoft.com/azure/azure-monitor/reference/tables/signinlogs
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import cached_property

from pydantic import Field

from respond.address_index import AddressIndex
from respond.models.base import Gap, Model, OpenEnum, Utc

CONFIRMATION = "50199"
"""Result of the interrupt that asks whether the user means to sign in to this app."""

APPROVING_TABLES = ("SigninLogs", "EntraIdSignInEvents")

DEFENDER_TABLE = "EntraIdSignInEvents"
"""What Defender XDR has of sign-ins: neither protocol nor transfer method, so no mark of a device code."""


_BROWSER = re.compile(r"Mozilla/.*\b(Chrome|Firefox|Safari|Edg|CriOS|FxiOS)/")


class Leg(OpenEnum):
    """Which part of a device code sign-in a row is."""

    APPROVING = "approving"
    REDEEMING = "redeeming"
    LINKED = "linked"


class Risk(OpenEnum):
    """Entra's risk level. `HIDDEN` (no P2 licence) and `UNKNOWN` (empty) are not `NONE`."""

    UNKNOWN = "unknown"
    HIDDEN = "hidden"
    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def rank(self) -> int:
        return list(Risk).index(self)

    @classmethod
    def read(cls, text: str) -> Risk:
        return cls(text.lower()) if text and text.lower() in cls._value2member_map_ else cls.UNKNOWN


class Device(Model):
    """`DeviceDetail`. None means *not reported*, which is neither yes nor no."""

    id: str = ""
    os: str = ""
    browser: str = ""
    trust: str = ""
    compliant: bool | None = None
    managed: bool | None = None


class SignIn(Model):
    """One row of SigninLogs, AADNonInteractiveUserSignInLogs or Defender's EntraIdSignInEvents, times in UTC.

    `at` is CreatedDateTime (when it happened), not TimeGenerated (when it arrived).
    """

    id: str
    table: str
    leg: Leg
    at: Utc
    user_id: str
    upn: str
    display_name: str
    user_type: str
    correlation_id: str
    session_id: str
    original_request_id: str
    token_id: str
    result: str
    app_id: str
    app_name: str
    resource_id: str
    resource_name: str
    incoming_token: str
    ip: str
    asn: str
    country: str
    city: str
    user_agent: str
    client: str = Field(default="", description="ClientAppUsed; empty where the row does not say")
    device: Device
    risk: Risk
    risk_state: str = ""
    trusted_network: bool = Field(default=False, description="Entra places it in a trusted named location")
    confirmed: bool = Field(default=False, description="Defender saw the confirmation that a device code passes")
    background: bool = Field(default=False, description="Defender says that no browser was at it")

    @property
    def succeeded(self) -> bool:
        return self.result == "0"

    @property
    def in_browser(self) -> bool:
        """Whether a person was at it, rather than a client that holds a token or polls for one."""
        return self.table in APPROVING_TABLES and not self.background

    @property
    def by_browser(self) -> bool:
        """Whether a browser asked for the token: by `ClientAppUsed`, or by the user agent where that is empty."""
        return self.client.lower() == "browser" if self.client else bool(_BROWSER.match(self.user_agent))

    @property
    def is_hint(self) -> bool:
        """The confirmation "are you trying to sign in": a device code passes it, and so do some other sign-ins."""
        return self.confirmed or self.result == CONFIRMATION

    @property
    def joins(self) -> tuple[str, ...]:
        """What ties this row to others of the same sign-in; empty identifiers tie nothing."""
        kinds = (("c", self.correlation_id), ("s", self.session_id), ("r", self.original_request_id))
        return tuple(f"{kind}:{value.lower()}" for kind, value in kinds if value.strip("0-"))


class LegRow(Model):
    """One row of a sign-in as a reader compares it with the other leg. None: not reported."""

    leg: Leg
    at: Utc
    app: str
    resource: str
    ip: str
    asn: str
    country: str
    client: str
    managed: bool | None
    compliant: bool | None
    risk: Risk
    table: str
    id: str


class Flow(Model):
    """Every row of one device code sign-in, oldest first."""

    rows: tuple[SignIn, ...]

    @cached_property
    def approvals(self) -> tuple[SignIn, ...]:
        """Successful rows of a browser: marked ones, and those that share a marked row's CorrelationId.

        After the 50199 interrupt of a device code, the success may be logged without the marker.
        """
        return tuple(row for row in self.successes if row.in_browser and self._is_ours(row, Leg.APPROVING))

    @cached_property
    def redemptions(self) -> tuple[SignIn, ...]:
        """Successful rows of the token's holder: the redeemer's, its refreshes, and what else was made of them.

        Entra marks the whole session, so the approver's own browser carries the mark as well. Its rows are left out.
        https://learn.microsoft.com/entra/identity/conditional-access/concept-authentication-flows
        """
        return tuple(row for row in self._marked_successes if not self.is_the_approvers(row))

    @cached_property
    def own_rows(self) -> tuple[SignIn, ...]:
        """Successful rows of the approver's own browser or device that carry the mark of the session."""
        return tuple(row for row in self._marked_successes if self.is_the_approvers(row))

    @cached_property
    def redeemers(self) -> tuple[SignIn, ...]:
        """The redemptions that show who polled with the code, and not only who held the session later.

        They share the approval's CorrelationId, or come from a client of the approved application that is no browser.
        """
        return tuple(row for row in self.redemptions if self._is_redeemer(row))

    @cached_property
    def _marked_successes(self) -> tuple[SignIn, ...]:
        return tuple(row for row in self.successes if not self.is_approval(row) and self._is_ours(row, Leg.REDEEMING))

    def is_approval(self, row: SignIn) -> bool:
        """Whether a row of this sign-in is one of `approvals`; known without comparing it with each."""
        return id(row) in self._approving

    @cached_property
    def _approving(self) -> frozenset[int]:
        return frozenset(map(id, self.approvals))

    def _is_redeemer(self, row: SignIn) -> bool:
        if row.correlation_id and row.correlation_id in self._approved_correlations:
            return True
        return not row.by_browser and (not self._approved_apps or row.app_id in self._approved_apps)

    @cached_property
    def _approved_apps(self) -> frozenset[str]:
        return frozenset(one.app_id for one in self.approvals)

    def is_the_approvers(self, row: SignIn) -> bool:
        """Whether a marked row is the approver going on, by device, address or browser.

        An attacker with a primary refresh token gets marked browser rows too, on another device and at another address.
        """
        if self._is_redeemer(row):
            return False
        if row.device.id and row.device.id.lower() in self._approving_devices:
            return True
        return row.by_browser and (bool(self._approved_at.same(row.ip)) or self._is_approving_agent(row))

    def _is_approving_agent(self, row: SignIn) -> bool:
        """The same user agent, unless the rows name two devices."""
        others = self._approving_agents if not row.device.id else self._unregistered_agents
        return bool(row.user_agent) and row.user_agent in others

    @cached_property
    def _approving_devices(self) -> frozenset[str]:
        return frozenset(one.device.id.lower() for one in self.approvals if one.device.id)

    @cached_property
    def _approved_at(self) -> AddressIndex[SignIn]:
        return AddressIndex(self.approvals, lambda row: row.ip)

    @cached_property
    def _approving_agents(self) -> frozenset[str]:
        return frozenset(one.user_agent for one in self.approvals)

    @cached_property
    def _unregistered_agents(self) -> frozenset[str]:
        return frozenset(one.user_agent for one in self.approvals if not one.device.id)

    @cached_property
    def _approved_correlations(self) -> frozenset[str]:
        ours = (*self.approvals, *(row for row in self.rows if row.leg is Leg.APPROVING))
        return frozenset(row.correlation_id for row in ours if row.correlation_id)

    def _is_ours(self, row: SignIn, leg: Leg) -> bool:
        if row.leg is not Leg.LINKED:
            return row.leg is leg
        return bool(row.correlation_id) and row.correlation_id in self._marked

    @cached_property
    def _marked(self) -> frozenset[str]:
        """Correlations that a device code marks; where none is marked, those that an interrupt hints at."""
        marked = frozenset(row.correlation_id for row in self.rows if row.leg is not Leg.LINKED)
        return marked or frozenset(row.correlation_id for row in self.rows if row.is_hint)

    @property
    def is_marked(self) -> bool:
        """Whether Entra itself marks it. Otherwise a confirmation of the app hints at a device code, no more."""
        return any(row.leg is not Leg.LINKED for row in self.rows)

    @cached_property
    def completed(self) -> bool:
        """A token was issued. 50199, a Conditional Access block and an expired code issue none."""
        return bool(self.approvals or self._marked_successes)

    @property
    def holder_rows(self) -> tuple[SignIn, ...]:
        """The rows of whoever *holds* the token: the redeeming leg, or the approving one where that is all we have."""
        return self.redemptions or self.approvals

    @cached_property
    def successes(self) -> tuple[SignIn, ...]:
        return tuple(row for row in self.rows if row.succeeded)

    @property
    def legs(self) -> tuple[LegRow, ...]:
        """The first approval, the first redemption, and the newest one where there are more."""
        redeemed = self.redemptions[:1] + self.redemptions[-1:]
        chosen = dict.fromkeys((*self.approvals[:1], *redeemed))
        return tuple(_leg_row(row, Leg.APPROVING if self.is_approval(row) else Leg.REDEEMING) for row in chosen)

    @property
    def started(self) -> datetime:
        return (self.approvals or self.rows)[0].at

    @cached_property
    def began(self) -> datetime:
        """The first row of the correlation that was approved: a consent (65001) or a confirmation comes before it."""
        approved = {row.correlation_id for row in self.approvals} - {""}
        return min([self.started, *(row.at for row in self.rows if row.correlation_id in approved)])

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Identifiers of this flow, for finding the case that it belongs to."""
        ids = {f"i:{row.id}" for row in self.rows if row.id}
        return tuple(sorted({key for row in self.rows for key in row.joins} | ids))


def _leg_row(row: SignIn, leg: Leg) -> LegRow:
    return LegRow(
        leg=leg,
        at=row.at,
        app=row.app_name or row.app_id,
        resource=row.resource_name or row.resource_id,
        ip=row.ip,
        asn=row.asn,
        country=row.country,
        client=row.user_agent,
        managed=row.device.managed,
        compliant=row.device.compliant,
        risk=row.risk,
        table=row.table,
        id=row.id,
    )


class SignIns(Model):
    """What the hunt found for one user."""

    flows: tuple[Flow, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @property
    def completed(self) -> tuple[Flow, ...]:
        return tuple(flow for flow in self.flows if flow.completed)

    @property
    def rows(self) -> tuple[SignIn, ...]:
        return tuple(row for flow in self.flows for row in flow.rows)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address seen in a completed sign-in, in order of first appearance."""
        return tuple(dict.fromkeys(row.ip for flow in self.completed for row in flow.successes if row.ip))


def last_token_at(flows: tuple[Flow, ...]) -> datetime:
    """When the newest token of these flows was issued."""
    return max(row.at for flow in flows for row in flow.successes)
