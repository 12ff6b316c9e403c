"""One device code sign-in beside the evidence on it: the questions that findings ask. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from respond.addresses import covers, same_address
from respond.models.base import Source
from respond.models.evidence import AddressUse, Click, Evidence, Indicator, Message, Place
from respond.models.policy import Policy
from respond.models.signin import Flow, Leg, SignIn


@dataclass(frozen=True)
class View:
    flow: Flow
    evidence: Evidence
    policy: Policy

    @cached_property
    def holders(self) -> tuple[SignIn, ...]:
        """Rows that show who holds the token."""
        return self.flow.holder_rows

    @cached_property
    def exposed(self) -> tuple[SignIn, ...]:
        """Rows that may show an attacker: the holder's, and those of the same session that Entra did not mark."""
        linked = tuple(row for row in self.flow.successes if row.leg is Leg.LINKED)
        return (*self.holders, *linked)

    @property
    def redeemer_seen(self) -> bool:
        return bool(self.flow.redemptions)

    @property
    def approved_at(self) -> datetime:
        return self.flow.started

    def places_at(self, ip: str) -> tuple[Place, ...]:
        return tuple(place for place in self.evidence.usual.places if ip and same_address(place.ip, ip))

    def places_in(self, asn: str) -> tuple[Place, ...]:
        return tuple(place for place in self.evidence.usual.places if asn and place.asn == asn)

    @cached_property
    def countries(self) -> frozenset[str]:
        """Where the user is at home: by the history, or by the approval of somebody without one."""
        history = frozenset(place.country for place in self.evidence.usual.places if place.country)
        return history or frozenset(row.country for row in self.flow.approvals if row.country)

    def tenant_use(self, ip: str) -> AddressUse | None:
        return next((use for use in self.evidence.usual.tenant if ip and same_address(use.ip, ip)), None)

    def is_common(self, ip: str) -> bool:
        """Whether enough other users have signed in from the address, on enough days: an office egress."""
        use, usual = self.tenant_use(ip), self.policy.usual
        return use is not None and use.users >= usual.common_users and use.days >= usual.common_days

    def is_usual(self, ip: str) -> bool:
        """Whether the user has signed in from the address on enough days before."""
        days = {day for place in self.places_at(ip) for day in place.days}
        return len(days) >= self.policy.usual.place_days

    def is_habit(self, places: Iterable[Place]) -> bool:
        """Whether a device code was used at these places on enough days and in enough sessions.

        Sessions are counted too: an attacker's refreshes over a week are many days of one session.
        """
        kept, usual = tuple(places), self.policy.usual
        days = {day for place in kept for day in place.device_code_days}
        sessions = {session for place in kept for session in place.device_code_sessions}
        return len(days) >= usual.habit_days and len(sessions) >= usual.habit_sessions

    def indicators(self, rows: tuple[SignIn, ...]) -> tuple[tuple[SignIn, Indicator], ...]:
        return tuple(
            (row, indicator)
            for row in rows
            for indicator in self.evidence.intel.indicators
            if covers(indicator.value, row.ip)
        )

    @property
    def clicks(self) -> tuple[Click, ...]:
        """Lure links followed around an approval; one browser session can approve more than once."""
        near = self.policy.correlation
        moments = [row.at for row in self.flow.approvals] or [self.approved_at]
        return tuple(
            click
            for click in self.evidence.lures.suspect_clicks
            if any(moment - near.click_before <= click.at <= moment + near.click_after for moment in moments)
        )

    @property
    def lure_mails(self) -> tuple[Message, ...]:
        """Messages with a link of a known kit, or a device code page, before the approval."""
        start = self.approved_at - self.policy.correlation.mail_before
        return tuple(
            mail for mail in self.evidence.lures.messages if mail.pattern and start <= mail.at <= self.approved_at
        )


def sources(*rows: SignIn) -> tuple[Source, ...]:
    """The rows a finding stands on, each once."""
    return tuple(dict.fromkeys(Source(table=row.table, id=row.id, at=row.at) for row in rows))
