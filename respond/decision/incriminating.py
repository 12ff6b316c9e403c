"""What speaks for an attack. Each function looks at one thing and says so in one sentence, or says nothing.

Only the rows of whoever holds the token count; where the approval came from proves nothing either way.
"""

from __future__ import annotations

import re
from collections import defaultdict

from respond.addresses import may_be_same, neighbourhood
from respond.decision.strangers import redeemer_moved
from respond.decision.view import View, sources
from respond.decision.words import where
from respond.models.base import Source
from respond.models.evidence import FactKind, Message
from respond.models.report import Finding
from respond.models.signin import Risk, SignIn

_ENOUGH = 2
_HOURS_NEAR, _HOURS_ENOUGH = 2, 20
"""Hours on either side of a sign-in, and visits in the history before their times say anything."""


def threat_intel(view: View) -> Finding | None:
    """A listed address in any leg: an anonymiser approves as little as it redeems for the user."""
    hits = view.indicators(view.flow.successes)
    if not hits:
        return None
    row, best = max(hits, key=lambda hit: (hit[1].confidence, view.is_holder(hit[0])))
    strong = best.confidence >= view.policy.correlation.strong_confidence
    weights = view.policy.weights
    what = best.description or best.tags or "no description"
    leg = "redeeming" if view.is_holder(row) and view.redeemer_seen else "sign-in"
    return Finding(
        id="threat-intel-address" if strong else "weak-threat-intel-address",
        weight=weights.threat_intel if strong else weights.weak_threat_intel,
        summary=f"the {leg} address {row.ip} is on threat intelligence ({what}, confidence {best.confidence})",
        evidence=(*sources(row), Source(table=best.table, id=best.id, at=best.at)),
    )


def legs_apart(view: View) -> Finding | None:
    """Another network redeemed the code than the one it was approved from."""
    approvals = [row for row in view.distinct_approvals if row.ip]
    elsewhere = _strange_rows(view) if approvals else ()
    apart = (
        (approval, row)
        for approval in approvals
        for row in elsewhere
        if not may_be_same(row.ip, approval.ip) and _other_network(row, approval)
    )
    approval, row = next(apart, (None, None))
    if approval is None or row is None:
        return None
    return Finding(
        id="legs-apart",
        weight=view.policy.weights.legs_apart,
        summary=f"approved from {where(approval)}, but redeemed from {where(row)}",
        evidence=sources(approval, row),
    )


def _strange_rows(view: View) -> tuple[SignIn, ...]:
    """What did not approve, at addresses that nobody knows: of each network the first two addresses, which is enough.

    An approval has one address in one network, so one of these differs from it if any row does.
    """
    kept: dict[str, dict[str, SignIn]] = defaultdict(dict)
    for row in view.exposed:
        known = view.is_usual(row.ip) or view.is_common(row.ip) or view.may_be_known(row.ip)
        new = row.ip not in kept[row.asn] and len(kept[row.asn]) < _ENOUGH
        if row.ip and new and not known and not view.flow.is_approval(row):
            kept[row.asn][row.ip] = row
    rows = {id(row) for network in kept.values() for row in network.values()}
    return tuple(row for row in view.exposed if id(row) in rows)


def _other_network(one: SignIn, other: SignIn) -> bool:
    """Two addresses are of one network only if both networks are known and the same."""
    return not (one.asn and other.asn) or one.asn != other.asn


def other_address(view: View) -> Finding | None:
    """Redeemed at a strange address of a familiar network: the approver's, or one that the user has known so far.

    A proxy at the victim's own provider looks like that; so does an attacker's machine in the cloud of the victim's.
    """
    approvals = [row for row in view.distinct_approvals if row.ip]
    around = {neighbourhood(one.ip) for one in approvals} - {None}
    for row in view.exposed:
        near = neighbourhood(row.ip) in around or view.may_be_known(row.ip)
        known = view.places_at(row.ip) or view.is_common(row.ip) or view.is_trusted(row)
        same = view.is_approvers_network(row)
        if approvals and row.ip and (same or view.is_settled_in(row.asn)) and not near and not known:
            network = "the same network" if same else f"AS{row.asn}"
            return Finding(
                id="other-address",
                weight=view.policy.weights.other_address,
                summary=f"approved from {where(approvals[0])}, but redeemed from {row.ip} of {network}, which "
                "the user has not used before",
                evidence=sources(approvals[0], row),
            )
    return None


def new_country(view: View) -> Finding | None:
    """A country that the user's history does not hold."""
    abroad = (
        (row, homes)
        for row in view.exposed
        for homes in view.countries
        if row.country and row.country not in homes and not view.is_habit_in(row.app_id, row.asn)
    )
    row, homes = next(((row, homes) for row, homes in abroad if not view.is_common(row.ip)), (None, frozenset()))
    if row is None:
        return None
    usual, known = view.evidence.usual, ", ".join(sorted(homes))
    return Finding(
        id="new-country",
        weight=view.policy.weights.new_country,
        summary=f"{row.country} is not among the user's countries of the last {usual.days} days ({known})"
        if view.seen_places
        else f"redeemed in {row.country}, approved in {known}; the user has no history",
        evidence=sources(row),
    )


def new_network(view: View) -> Finding | None:
    """An address and a network that the user's history does not hold."""
    if not view.evidence.usual.places and not view.seen_places:
        return None
    row = next((row for row in view.exposed if _is_new(view, row)), None)
    if row is None:
        return None
    network = f"AS{row.asn}" if row.asn else "the network"
    return Finding(
        id="new-network",
        weight=view.policy.weights.new_network,
        summary=f"neither {row.ip} nor {network} was used by the user in the last {view.evidence.usual.days} days, "
        "nor is the address common in the tenant",
        evidence=sources(row),
    )


def _is_new(view: View, row: SignIn) -> bool:
    if not row.ip or view.places_at(row.ip) or view.places_in(row.asn) or view.is_common(row.ip):
        return False
    if view.may_be_known(row.ip):
        return False
    # A session that was there on several days vouches for nothing, but the address is not new either.
    usual = view.evidence.usual
    days = {day for one in usual.by_address.same(row.ip) for day in one.device_code_days}
    if len(days) >= view.policy.usual.place_days:
        return False
    # Of somebody without a history of their own, a session in question says at least where it was before.
    return bool(usual.places) or not (view.seen_at.maybe(row.ip) or (row.asn and row.asn in view.seen_networks))


def lure_clicked(view: View) -> Finding | None:
    """A lure was followed around the approval."""
    if not view.clicks:
        return None
    click = max(view.clicks, key=lambda click: (click.reached_device_login, bool(click.pattern), click.at))
    minutes = (view.approved_at - click.at).total_seconds() / 60
    when = f"{minutes:.0f} min before approving" if minutes >= 0 else f"{-minutes:.0f} min after approving"
    led = ", which led to Microsoft's device code page," if click.reached_device_login else ""
    return Finding(
        id="lure-clicked",
        weight=view.policy.weights.lure_clicked,
        summary=f"clicked {click.url}{led} {when}",
        evidence=(Source(table="UrlClickEvents", id=click.id, at=click.at),),
    )


def lure_redeemed_elsewhere(view: View) -> Finding | None:
    """The whole chain: a link that hid the code page, or a stranger's, and a code that somebody elsewhere redeemed."""
    click = next((click for click in view.clicks if view.led_astray(click)), None)
    apart = legs_apart(view) or other_address(view) or redeemer_moved(view)
    if apart is None or not (click or view.fresh_lures):
        return None
    if click:
        lure = Source(table="UrlClickEvents", id=click.id, at=click.at)
    else:
        message = view.fresh_lures[-1]
        lure = Source(table=message.table, id=message.id, at=message.at)
    return Finding(
        id="lure-redeemed-elsewhere",
        weight=view.policy.weights.lure_redeemed_elsewhere,
        summary="the code that the lure asked for was redeemed elsewhere than it was approved",
        evidence=(lure, *apart.evidence),
    )


def lure_delivered(view: View) -> Finding | None:
    """A lure was delivered and no click is on record: a kit's, a stranger's to the code page, or one taken away."""
    if not view.lure_messages or view.clicks:
        return None
    message = view.lure_messages[-1]
    taken = ", and was taken away later," if message.removed_at else ""
    return Finding(
        id="lure-delivered",
        weight=view.policy.weights.lure_delivered,
        summary=f"a {_kind(message)} from {message.sender} with {_what(message)}{taken} was delivered before",
        evidence=(Source(table=message.table, id=message.id, at=message.at),),
    )


def stranger_wrote(view: View) -> Finding | None:
    """A first message from a stranger, with a link, shortly before the approval; no click and no known lure."""
    if view.clicks or view.lure_messages or not view.strangers:
        return None
    message = view.strangers[-1]
    minutes = (view.approved_at - message.at).total_seconds() / 60
    linked = " with a link" if message.urls else ""
    return Finding(
        id="stranger-wrote",
        weight=view.policy.weights.stranger_wrote,
        summary=f"a first {_kind(message)} from {message.sender}{linked} came {minutes:.0f} min before approving",
        evidence=(Source(table=message.table, id=message.id, at=message.at),),
    )


def lure_listed(view: View) -> Finding | None:
    """A link that was followed or delivered is on threat intelligence, by its host, its domain or as a whole."""
    hit = max(view.lure_indicators, key=lambda one: one.confidence, default=None)
    if hit is None or hit.confidence < view.policy.correlation.strong_confidence:
        return None
    return Finding(
        id="lure-on-threat-intel",
        weight=view.policy.weights.lure_listed,
        summary=f"the lure's {hit.value} is on threat intelligence ({hit.description or hit.tags or 'no description'}, "
        f"confidence {hit.confidence})",
        evidence=(Source(table=hit.table, id=hit.id, at=hit.at),),
    )


def _kind(message: Message) -> str:
    return "Teams message" if message.table == "MessageEvents" else "message"


def _what(message: Message) -> str:
    """What in a lure speaks against it."""
    if message.pattern:
        return f"a link of the kind {message.pattern}"
    if message.threats:
        return f"a link that Defender calls {message.threats}"
    if message.device_login:
        return "a link to Microsoft's device code page"
    return "a QR code" if message.qr_code else "nothing but a picture in it"


def known_bad(view: View) -> Finding | None:
    """An earlier malicious case shares the address or the lure; the network or the user is less."""
    earlier = view.earlier_malicious
    near = [one for one in earlier if one.fact.kind in (FactKind.ADDRESS, FactKind.LURE)]
    found = (near or list(earlier))[:1]
    if not found:
        return None
    one, weights = found[0], view.policy.weights
    word = {
        FactKind.ADDRESS: "address ",
        FactKind.LURE: "lure host ",
        FactKind.NETWORK: "network AS",
        FactKind.USER: "user ",
    }
    return Finding(
        id="seen-in-earlier-case" if near else "user-or-network-in-earlier-case",
        weight=weights.known_bad if near else weights.known_network,
        summary=f"the {word[one.fact.kind]}{one.fact.value} was in {one.case} ({one.upn}), which was malicious",
        evidence=(Source(table="respond", id=one.case, at=one.at),),
    )


def unusual_hour(view: View) -> Finding | None:
    """Approved at a time of day at which the user is never seen."""
    seen = view.evidence.usual.hours
    hour = view.approved_at.hour
    near = {(hour + shift) % 24 for shift in range(-_HOURS_NEAR, _HOURS_NEAR + 1)}
    if sum(seen) < _HOURS_ENOUGH or any(seen[hour] for hour in near):
        return None
    return Finding(
        id="unusual-hour",
        weight=view.policy.weights.unusual_hour,
        summary=f"approved at {view.approved_at:%H:%M} UTC, a time of day at which the user is never seen",
        evidence=sources(*view.flow.approvals[:1]),
    )


def script_client(view: View) -> Finding | None:
    """The token went to a script library."""
    for row in view.exposed:
        if any(re.search(form, row.user_agent, re.IGNORECASE) for form in view.policy.script_clients):
            return Finding(
                id="script-client",
                weight=view.policy.weights.script_client,
                summary=f"the token went to a script ({row.user_agent})",
                evidence=sources(row),
            )
    return None


def unmanaged_device(view: View) -> Finding | None:
    """The device is reported as unmanaged; not reported is not that."""
    row = next((row for row in view.holders if row.device.managed is False and row.device.compliant is not True), None)
    if row is None:
        return None
    return Finding(
        id="unmanaged-device",
        weight=view.policy.weights.unmanaged_device,
        summary="the device that holds the token is reported as not managed and not compliant",
        evidence=sources(row),
    )


def risk(view: View) -> Finding | None:
    """What Entra ID Protection makes of the sign-in or its user, unless an administrator has cleared it since."""
    weights = view.policy.weights
    points = {Risk.HIGH: weights.high_risk, Risk.MEDIUM: weights.medium_risk, Risk.LOW: weights.low_risk}
    if view.risk not in points:
        return None
    row = max(view.flow.successes, key=lambda row: row.risk.rank)
    rated_at = view.evidence.standing.risk_at if row.risk is not view.risk else None
    whom = "the user now" if rated_at else "the sign-in or its user"
    return Finding(
        id=f"{view.risk}-risk",
        weight=points[view.risk],
        summary=f"Entra ID Protection rates {whom} as {view.risk} risk",
        evidence=(Source(table="riskyUsers", id=row.user_id, at=rated_at),) if rated_at else sources(row),
    )


def privileged_user(view: View) -> Finding | None:
    """A directory role makes the token worth more, to whoever holds it."""
    roles = view.evidence.standing.roles
    if not roles:
        return None
    return Finding(
        id="privileged-user",
        weight=view.policy.weights.privileged_user,
        summary=f"the user holds a directory role: {', '.join(roles)}",
    )


def hosting_network(view: View) -> Finding | None:
    """A network that anybody can rent a machine in, of a user whose codes never went to one before."""
    rented = {network.asn: network for network in view.policy.hosting_networks}
    if any(place.asn in rented and place.device_code_days for place in view.evidence.usual.places):
        return None
    for row in view.exposed:
        name = rented[row.asn].name if row.asn in rented else view.kit_range(row.ip)
        if name is not None and not view.places_in(row.asn):
            return Finding(
                id="hosting-network",
                weight=view.policy.weights.hosting_network,
                summary=f"{row.ip} belongs to {name or 'a listed network'}, where anybody can rent a machine",
                evidence=sources(row),
            )
    return None


def shared_redeemer(view: View) -> Finding | None:
    """Other people's codes went to the same address, where hardly anybody signs in the plain way.

    Colleagues who have redeemed there for weeks, as the user did now, are no sign of it, whenever they were there last.
    """
    for row in view.exposed:
        use = view.tenant_use(row.ip)
        at_home = view.is_common(row.ip) or view.is_usual(row.ip) or view.is_approvers_network(row)
        known = view.colleague_use(row)
        count = use.code_users - len(use.coded & known.who if known else ()) if use else 0
        if count and not at_home:
            others = "another user" if count == 1 else f"{count} other users"
            return Finding(
                id="shared-redeemer",
                weight=view.policy.weights.shared_redeemer,
                summary=f"device codes of {others} were used at {row.ip} as well, which is no common address",
                evidence=sources(row),
            )
    return None


def powerful_app(view: View) -> Finding | None:
    """An app whose tokens reach far, by application id."""
    apps = {app.id: app for app in view.policy.powerful_apps}
    row = next((row for row in view.exposed if row.app_id in apps), None)
    if row is None:
        return None
    app = apps[row.app_id]
    return Finding(
        id="powerful-app",
        weight=view.policy.weights.powerful_app,
        summary=f"{app.name} was signed in to: {app.why}",
        evidence=sources(row),
    )


def first_device_code(view: View) -> Finding | None:
    """No device code in the whole history, as far as the history is known."""
    usual = view.evidence.usual
    if not view.flow.is_marked or any(place.saw_device_code for place in usual.places):
        return None
    return Finding(
        id="first-device-code",
        weight=view.policy.weights.first_device_code,
        summary=f"no other device code sign-in of the user is on record in the last {usual.days} days",
        evidence=sources(view.flow.rows[0]),
    )


def redeemer_unseen(view: View) -> Finding | None:
    """Nobody knows yet who redeemed the code."""
    if view.redeemer_seen or not view.flow.is_marked:
        return None
    return Finding(
        id="redeemer-unseen",
        weight=view.policy.weights.redeemer_unseen,
        summary="no row shows who redeemed the code, so nothing about the approving device can clear it",
        evidence=sources(*view.flow.approvals[:1]),
    )
