"""Sign-ins as the decision sees them: legs, and the flows they belong to.

A device code sign-in has two legs. The *approving* leg is a person's browser in SigninLogs
(`AuthenticationProtocol == "deviceCode"`). The *redeeming* leg is the client that polled with the code and its
later refreshes, in AADNonInteractiveUserSignInLogs (`OriginalTransferMethod == "deviceCodeFlow"`). Legs share
CorrelationId, SessionId or OriginalRequestId. Column semantics:
https://learn.microsoft.com/azure/azure-monitor/reference/tables/signinlogs
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from functools import cached_property

from respond.models.base import Gap, Model, Utc


class Leg(StrEnum):
    """Which part of a device code sign-in a row is."""

    APPROVING = "approving"
    REDEEMING = "redeeming"
    LINKED = "linked"


class Risk(StrEnum):
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
    """One row of SigninLogs or AADNonInteractiveUserSignInLogs, times in UTC.

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
    device: Device
    risk: Risk

    @property
    def succeeded(self) -> bool:
        return self.result == "0"

    @property
    def joins(self) -> tuple[str, ...]:
        """What ties this row to others of the same sign-in; empty identifiers tie nothing."""
        kinds = (("c", self.correlation_id), ("s", self.session_id), ("r", self.original_request_id))
        return tuple(f"{kind}:{value.lower()}" for kind, value in kinds if value.strip("0-"))


class Flow(Model):
    """Every row of one device code sign-in, oldest first."""

    rows: tuple[SignIn, ...]

    @cached_property
    def approvals(self) -> tuple[SignIn, ...]:
        """Successful rows of a browser: marked ones, and those that share a marked row's CorrelationId.

        After the 50199 interrupt of a device code, the success may be logged without the marker.
        """
        return tuple(row for row in self.successes if row.table == "SigninLogs" and self._is_ours(row, Leg.APPROVING))

    @cached_property
    def redemptions(self) -> tuple[SignIn, ...]:
        """Successful rows of the client that holds the token."""
        return tuple(row for row in self.successes if row not in self.approvals and self._is_ours(row, Leg.REDEEMING))

    def _is_ours(self, row: SignIn, leg: Leg) -> bool:
        if row.leg is not Leg.LINKED:
            return row.leg is leg
        return bool(row.correlation_id) and row.correlation_id in self._marked

    @cached_property
    def _marked(self) -> frozenset[str]:
        return frozenset(row.correlation_id for row in self.rows if row.leg is not Leg.LINKED)

    @property
    def completed(self) -> bool:
        """A token was issued. 50199, a Conditional Access block and an expired code issue none."""
        return bool(self.approvals or self.redemptions)

    @property
    def holder_rows(self) -> tuple[SignIn, ...]:
        """The rows of whoever *holds* the token: the redeeming leg, or the approving one where that is all we have."""
        return self.redemptions or self.approvals

    @property
    def successes(self) -> tuple[SignIn, ...]:
        return tuple(row for row in self.rows if row.succeeded)

    @property
    def started(self) -> datetime:
        return (self.approvals or self.rows)[0].at

    @property
    def keys(self) -> tuple[str, ...]:
        """Identifiers of this flow, for finding the case that it belongs to."""
        ids = {f"i:{row.id}" for row in self.rows if row.id}
        return tuple(sorted({key for row in self.rows for key in row.joins} | ids))


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
