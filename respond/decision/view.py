"""One device code sign-in beside the evidence on it: the questions that findings ask. Pure."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from respond.address_index import AddressIndex, Networks
from respond.addresses import domains_of, is_hidden, may_be_same, neighbourhood
from respond.decision.colleagues import client_of
from respond.models.base import Source
from respond.models.evidence import (
    AddressUse,
    Click,
    CodeUse,
    EarlierCase,
    Evidence,
    FactKind,
    Indicator,
    Message,
    Place,
)
from respond.models.facts import lure_hosts
from respond.models.policy import HostingRange, Policy
from respond.models.report import Finding, VerdictKind
from respond.models.signin import DEFENDER_TABLE, Flow, Leg, Risk, SignIn

REGISTRATION_SERVICE = "01cb2876-7ebd-4aa4-9cc9-d28bd4d359a9"
_CLEARED = frozenset({"dismissed", "confirmedsafe"})
_STANDING_RISK = frozenset({"atrisk", "confirmedcompromised"})


@dataclass(frozen=True)
class View:
    flow: Flow
    evidence: Evidence
    policy: Policy
    attempts: tuple[datetime, ...] = ()
    """When codes of the same user were tried before that issued no token."""

    @cached_property
    def answers(self) -> dict[int, Finding | None]:
        """What each rule has found here, by the rule's identity: rules are asked more than once."""
        return {}

    @cached_property
    def holders(self) -> tuple[SignIn, ...]:
        """Rows that show who holds the token."""
        return self.flow.holder_rows

    def is_holder(self, row: SignIn) -> bool:
        """Whether a row of this sign-in is one of `holders`; known without comparing it with each."""
        return id(row) in self._holding

    @cached_property
    def _holding(self) -> frozenset[int]:
        return frozenset(map(id, self.holders))

    @cached_property
    def telling(self) -> tuple[SignIn, ...]:
        """The holder's rows that show where they were; a hidden address beside one that it may be says nothing more."""
        shown = AddressIndex((row for row in self.holders if not is_hidden(row.ip)), lambda row: row.ip)
        return tuple(row for row in self.holders if not (is_hidden(row.ip) and shown.maybe(row.ip)))

    @cached_property
    def exposed(self) -> tuple[SignIn, ...]:
        """Rows that may show an attacker: the holder's, and those of the same session that Entra did not mark."""
        apps = {row.app_id for row in (*self.flow.approvals, *self.flow.redemptions) if row.leg is not Leg.LINKED}
        linked = tuple(row for row in self.flow.successes if row.leg is Leg.LINKED and self._may_hold(row, apps))
        return (*self.holders, *(row for row in linked if not self.is_holder(row)))

    def _may_hold(self, row: SignIn, apps: set[str]) -> bool:
        """The browser that approved goes on under the same session id: what a person does there is no token's use."""
        is_own = row.in_browser or self.flow.is_the_approvers(row)
        return not is_own and (row.app_id in apps or not apps)

    @property
    def redeemer_seen(self) -> bool:
        return bool(self.flow.redeemers)

    @property
    def refreshes_unseen(self) -> bool:
        """Who redeemed the code is known from Defender alone, which does not show what the token was refreshed for."""
        return any(row.table == DEFENDER_TABLE for row in self.flow.redemptions)

    @property
    def approved_at(self) -> datetime:
        return self.flow.started

    def places_at(self, ip: str) -> tuple[Place, ...]:
        """Places of the user's own at this very address."""
        return tuple(place for place in self.evidence.usual.by_address.same(ip) if place.days)

    def may_be_known(self, ip: str) -> bool:
        """Whether what is visible of a hidden address fits an address that the user, the tenant or the approval knows.

        Such an address neither speaks against anybody nor for them.
        """
        usual = self.evidence.usual
        return is_hidden(ip) and (
            any(place.days for place in usual.by_address.maybe(ip))
            or any(self._is_shared(use) for use in usual.tenant_by_address.maybe(ip))
            or any(one.ip and may_be_same(one.ip, ip) for one in self.distinct_approvals)
        )

    @cached_property
    def distinct_approvals(self) -> tuple[SignIn, ...]:
        """The first approval at each address of each network."""
        kept: dict[tuple[str, str], SignIn] = {}
        for row in self.flow.approvals:
            kept.setdefault((row.ip, row.asn), row)
        return tuple(kept.values())

    def places_in(self, asn: str) -> tuple[Place, ...]:
        """Places of the user's own in a network; device codes that moved about in it count as well, if a habit."""
        if asn not in self._places_in:
            seen = self.evidence.usual.in_network(asn)
            self._places_in[asn] = tuple(place for place in seen if place.days) or (seen if self.is_habit(seen) else ())
        return self._places_in[asn]

    @cached_property
    def _places_in(self) -> dict[str, tuple[Place, ...]]:
        return {}

    def is_settled_in(self, asn: str) -> bool:
        """Whether the user knows the network, and by few addresses: not one that hands out another every time."""
        addresses = self.evidence.usual.addresses_in(asn)
        return bool(self.places_in(asn)) and addresses < self.policy.usual.place_days

    @property
    def own_places(self) -> tuple[Place, ...]:
        """Places that the user's history vouches for: where nothing but a lone device code was seen, it does not."""
        return self.evidence.usual.own

    @cached_property
    def countries(self) -> tuple[frozenset[str], ...]:
        """Where the user is at home: by the history; without one, by the approval and by what else was seen.

        Each of them alone says what is abroad: an attacker's own session must not make a country the user's.
        """
        history = frozenset(
            place.country for place in self.evidence.usual.places if place.country and self.places_in(place.asn)
        ) | frozenset(place.country for place in self.own_places if place.country)
        approved = frozenset(row.country for row in self.flow.approvals if row.country)
        seen = frozenset(place.country for place in self.seen_places if place.country)
        return (history,) if history else tuple(known for known in (approved, seen) if known)

    @cached_property
    def seen_places(self) -> tuple[Place, ...]:
        """Every place from before, vouching or not; but not where nothing was seen but this very device code."""
        ours = {key.lower() for row in self.flow.rows for key in (row.session_id, row.correlation_id) if key}
        usual = self.evidence.usual
        return tuple(one for one in (*usual.places, *usual.tied) if one.days or one.all_sessions - ours)

    @cached_property
    def seen_at(self) -> AddressIndex[Place]:
        return AddressIndex(self.seen_places, lambda place: place.ip)

    @cached_property
    def seen_networks(self) -> frozenset[str]:
        return frozenset(place.asn for place in self.seen_places)

    def tenant_use(self, ip: str) -> AddressUse | None:
        return next(iter(self.evidence.usual.tenant_by_address.same(ip)), None)

    def colleague_use(self, row: SignIn) -> CodeUse | None:
        """What enough colleagues redeemed on enough days, for weeks, at the row's address, with its app and client."""
        use, usual = self.tenant_use(row.ip), self.policy.usual
        for one in use.colleagues if use else ():
            same = (one.app_id, one.agent) == (row.app_id, client_of(row.user_agent))
            weeks = one.first <= self.approved_at - usual.colleague_since
            if same and weeks and one.users >= usual.colleagues and one.days >= usual.colleague_days:
                return one
        return None

    def is_common(self, ip: str) -> bool:
        """Whether enough other users have signed in from the address, on enough days: an office egress."""
        if ip not in self._common:
            use = self.tenant_use(ip)
            self._common[ip] = use is not None and self._is_shared(use)
        return self._common[ip]

    @cached_property
    def _common(self) -> dict[str, bool]:
        return {}

    def _is_shared(self, use: AddressUse) -> bool:
        usual = self.policy.usual
        return use.users >= usual.common_users and use.days >= usual.common_days

    def is_usual(self, ip: str) -> bool:
        """Whether the user has signed in from the address on enough days before."""
        if ip not in self._usual:
            days = {day for place in self.places_at(ip) for day in place.days}
            self._usual[ip] = len(days) >= self.policy.usual.place_days
        return self._usual[ip]

    @cached_property
    def _usual(self) -> dict[str, bool]:
        return {}

    def is_habit(self, places: Iterable[Place]) -> bool:
        """Whether a device code was used at these places on enough days and in enough sessions.

        Sessions are counted too: an attacker's refreshes over a week are many days of one session. Where a browser
        keeps one session for weeks, the codes that were approved in it count.
        """
        kept, usual = tuple(places), self.policy.usual
        days = {day for place in kept for day in place.device_code_days}
        sessions = {session for place in kept for session in place.device_code_sessions}
        codes = {code for place in kept for code in place.codes}
        return len(days) >= usual.habit_days and max(len(sessions), len(codes)) >= usual.habit_sessions

    def is_habit_in(self, app_id: str, asn: str) -> bool:
        """Whether codes of the app are redeemed in the network as a habit. A cloud's next region is no travel then."""
        known = self.evidence.usual.places
        return bool(asn) and self.is_habit(one for one in known if (one.asn, one.app_id) == (asn, app_id))

    def is_moving_habit(self, app_id: str, asn: str) -> bool:
        """Whether device codes of the app are a habit in this network, and their address changes all the time."""
        if (app_id, asn) not in self._moving:
            known = [one for one in self.evidence.usual.in_network(asn) if one.app_id == app_id]
            coded = [one for one in known if one.device_code_days]
            moved = len({one.ip for one in coded}) >= self.policy.usual.habit_sessions
            self._moving[app_id, asn] = moved and self.is_habit(coded)
        return self._moving[app_id, asn]

    @cached_property
    def _moving(self) -> dict[tuple[str, str], bool]:
        return {}

    def indicators(self, rows: tuple[SignIn, ...]) -> tuple[tuple[SignIn, Indicator], ...]:
        known = self.evidence.intel.by_address
        return tuple((row, indicator) for row in rows for indicator in known.of(row.ip))

    @cached_property
    def risk(self) -> Risk:
        """The worst that Entra says about the sign-in, or about the user since; nothing that was cleared since."""
        standing = self.evidence.standing
        state, at = standing.risk_state.lower(), standing.risk_at
        newest = max(row.at for row in self.flow.successes)
        if state in _CLEARED and at is not None and at >= newest:
            return Risk.NONE
        worst = max((row.risk for row in self.flow.successes), key=lambda risk: risk.rank)
        current = state in _STANDING_RISK and at is not None and at >= self.approved_at
        return max(worst, standing.risk, key=lambda risk: risk.rank) if current else worst

    @property
    def is_device_account(self) -> bool:
        """A room or a service, by its object id or a group that the policy lists."""
        accounts, standing = self.policy.accounts, self.evidence.standing
        user = self.flow.rows[0].user_id.lower()
        listed = user in accounts.rooms or user in accounts.services
        return listed or bool(set(standing.groups) & set(accounts.device_groups))

    def is_approvers_network(self, row: SignIn) -> bool:
        """Whether an approval came from the same network, as far as both are known."""
        return bool(row.asn) and row.asn in self._approving_networks

    @cached_property
    def _approving_networks(self) -> frozenset[str]:
        return frozenset(approval.asn for approval in self.flow.approvals)

    def is_beside_office(self, row: SignIn) -> bool:
        """Whether an address that is common in the tenant approved, and this one is next to it."""
        near = neighbourhood(row.ip)
        return near is not None and bool(row.asn) and (row.asn, near) in self._office_neighbourhoods

    @cached_property
    def _office_neighbourhoods(self) -> frozenset[tuple[str, object]]:
        return frozenset((one.asn, neighbourhood(one.ip)) for one in self.distinct_approvals if self.is_common(one.ip))

    def is_trusted(self, row: SignIn) -> bool:
        return row.trusted_network or bool(self._trusted.of(row.ip))

    @cached_property
    def _trusted(self) -> Networks[str]:
        return Networks(self.policy.trusted_networks, str)

    def kit_range(self, ip: str) -> str | None:
        """Whose range of the policy an address is in, if it is in one."""
        return next((one.name for one in self._kit_ranges.of(ip)), None)

    @cached_property
    def _kit_ranges(self) -> Networks[HostingRange]:
        return Networks(self.policy.hosting_ranges, lambda one: one.range)

    @cached_property
    def exposed_at(self) -> AddressIndex[SignIn]:
        """The rows that may show an attacker, by their addresses."""
        return AddressIndex(self.exposed, lambda row: row.ip)

    @cached_property
    def successes_at(self) -> AddressIndex[SignIn]:
        """The rows that issued a token, by their addresses."""
        return AddressIndex(self.flow.successes, lambda row: row.ip)

    @cached_property
    def sessions(self) -> frozenset[str]:
        """Of every row."""
        return frozenset(row.session_id for row in self.flow.rows if row.session_id)

    @cached_property
    def registrations(self) -> tuple[datetime, ...]:
        """When the holder got tokens for the registration service, oldest first."""
        return tuple(sorted(row.at for row in self.holders if row.resource_id == REGISTRATION_SERVICE))

    @cached_property
    def clicks(self) -> tuple[Click, ...]:
        """Lure links followed around an approval; one browser session can approve more than once."""
        return tuple(click for click in self.evidence.lures.suspect_clicks if self._is_near(click))

    def _is_near(self, click: Click) -> bool:
        near, moments = self.policy.correlation, self._tried_at
        # The first moment that is not too early for the click; a later one is further away.
        place = bisect_left(moments, click.at - near.click_after)
        return place < len(moments) and moments[place] - near.click_before <= click.at

    @cached_property
    def _tried_at(self) -> list[datetime]:
        """The approvals, and the attempts before: a click led to the first, the code that worked may be the third."""
        approved = sorted(row.at for row in self.flow.approvals) or [self.approved_at]
        earliest = approved[0] - self.policy.correlation.attempts_before
        return sorted([*approved, *(at for at in self.attempts if earliest <= at <= approved[-1])])

    def led_astray(self, click: Click) -> bool:
        """Whether a click went to a code page as no colleague's instructions do: by a detour, or sent by a stranger."""
        strange = self._strange
        hidden = not any(re.search(page, click.url, re.IGNORECASE) for page in self.policy.device_login_pages)
        return bool(click.pattern) or (click.reached_device_login and (hidden or click.message_id in strange))

    @cached_property
    def _strange(self) -> frozenset[str]:
        known = self.evidence.lures.messages
        return frozenset(one.id for one in known if one.first_contact or one.threats or one.pattern)

    @cached_property
    def messages(self) -> tuple[Message, ...]:
        """Suspect messages before the approval, oldest first."""
        start = self.approved_at - self.policy.correlation.mail_before
        found = (one for one in self.evidence.lures.messages if one.is_suspect and start <= one.at <= self.approved_at)
        return tuple(sorted(found, key=lambda message: (message.at, message.id)))

    @cached_property
    def lure_messages(self) -> tuple[Message, ...]:
        """Those with a link of a known kit, of a stranger to a device code page, or that Defender objects to.

        A stranger's QR code, or a picture shortly before, holds a link that the logs do not.
        """
        start = self.approved_at - self.policy.correlation.stranger_before
        return tuple(
            one
            for one in self.messages
            if one.pattern
            or one.threats
            or (one.first_contact and (one.device_login or one.qr_code or (one.picture and one.at >= start)))
        )

    @property
    def fresh_lures(self) -> tuple[Message, ...]:
        """Lures to a code page that came within the time that a person hesitates, clicked or not."""
        start = self.approved_at - self.policy.correlation.stranger_before
        shown = (one for one in self.lure_messages if one.at >= start)
        return tuple(one for one in shown if one.pattern or one.device_login or one.qr_code or one.picture)

    @property
    def has_lure(self) -> bool:
        """Whether a lure reached the user, followed or not."""
        return bool(self.clicks or self.lure_messages)

    @property
    def strangers(self) -> tuple[Message, ...]:
        """First messages of strangers within the time that a code lives and a person hesitates."""
        start = self.approved_at - self.policy.correlation.stranger_before
        return tuple(one for one in self.messages if one.first_contact and one.at >= start)

    @cached_property
    def lure_indicators(self) -> tuple[Indicator, ...]:
        """Indicators on what was clicked or delivered, be it from a sender that is known and trusted."""
        followed = (click for click in self.evidence.lures.clicks if self._is_near(click))
        links = [url for click in followed for url in (click.url, *click.chain)]
        links += [url for message in self.messages for url in message.urls]
        names = {url.lower() for url in links} | {domain for url in links for domain in domains_of(url)}
        known = (*self.evidence.lure_intel.indicators, *self.evidence.intel.indicators)
        return tuple(one for one in known if one.value in names)

    @property
    def earlier_malicious(self) -> tuple[EarlierCase, ...]:
        """Malicious cases of ours that share an address, a network or a lure with this very sign-in."""
        links = [url for click in self.clicks for url in (click.url, *click.chain)]
        links += [url for message in self.lure_messages for url in message.urls]
        ours = {(FactKind.ADDRESS, row.ip) for row in self.exposed if row.ip and not self.is_common(row.ip)}
        ours |= {(FactKind.NETWORK, row.asn) for row in self.exposed if row.asn and not self.places_in(row.asn)}
        ours |= {(FactKind.USER, row.user_id.lower()) for row in self.exposed}
        ours |= {(FactKind.LURE, host) for host in lure_hosts(links, self.policy)}
        return tuple(
            one
            for one in self.evidence.earlier.cases
            if one.verdict == VerdictKind.MALICIOUS and (one.fact.kind, one.fact.value) in ours
        )


def sources(*rows: SignIn) -> tuple[Source, ...]:
    """The rows a finding stands on, each once."""
    return tuple(dict.fromkeys(Source(table=row.table, id=row.id, at=row.at) for row in rows))
