"""What speaks for an attack. Each function looks at one thing and says so in one sentence, or says nothing.

Only the rows of whoever holds the token count; where the approval came from proves nothing either way.
"""

from __future__ import annotations

import re

from respond.addresses import same_address
from respond.decision.aftermath import token_elsewhere, token_reads
from respond.decision.view import View, sources
from respond.models.base import Source
from respond.models.report import Finding
from respond.models.signin import Risk, SignIn


def threat_intel(view: View) -> Finding | None:
    """A listed address in any leg: an anonymiser approves as little as it redeems for the user."""
    hits = view.indicators(view.flow.successes)
    if not hits:
        return None
    row, best = max(hits, key=lambda hit: (hit[1].confidence, hit[0] in view.holders))
    strong = best.confidence >= view.policy.correlation.strong_confidence
    weights = view.policy.weights
    what = best.description or best.tags or "no description"
    leg = "redeeming" if row in view.holders and view.redeemer_seen else "sign-in"
    return Finding(
        id="threat-intel-address" if strong else "weak-threat-intel-address",
        weight=weights.threat_intel if strong else weights.weak_threat_intel,
        summary=f"the {leg} address {row.ip} is on threat intelligence ({what}, confidence {best.confidence})",
        evidence=(*sources(row), Source(table="ThreatIntelIndicators", id=best.id, at=best.at)),
    )


def legs_apart(view: View) -> Finding | None:
    """Another network redeemed the code than the one it was approved from."""
    approvals = [row for row in view.flow.approvals if row.ip]
    apart = [
        (approval, row)
        for approval in approvals
        for row in view.exposed
        if row not in approvals and row.ip and not same_address(row.ip, approval.ip) and _other_network(row, approval)
        if not view.is_usual(row.ip) and not view.is_common(row.ip)
    ]
    if not apart:
        return None
    approval, row = apart[0]
    return Finding(
        id="legs-apart",
        weight=view.policy.weights.legs_apart,
        summary=f"approved from {where(approval)}, but redeemed from {where(row)}",
        evidence=sources(approval, row),
    )


def _other_network(one: SignIn, other: SignIn) -> bool:
    """Two addresses are of one network only if both networks are known and the same."""
    return not (one.asn and other.asn) or one.asn != other.asn


def new_country(view: View) -> Finding | None:
    """A country that the user's history does not hold."""
    if not view.countries:
        return None
    abroad = (row for row in view.exposed if row.country and row.country not in view.countries)
    row = next((row for row in abroad if not view.is_common(row.ip)), None)
    if row is None:
        return None
    usual = view.evidence.usual
    return Finding(
        id="new-country",
        weight=view.policy.weights.new_country,
        summary=f"{row.country} is not among the user's countries of the last {usual.days} days "
        f"({', '.join(sorted(view.countries))})"
        if usual.places
        else f"redeemed in {row.country}, approved in {', '.join(sorted(view.countries))}; the user has no history",
        evidence=sources(row),
    )


def new_network(view: View) -> Finding | None:
    """An address and a network that the user's history does not hold."""
    if not view.evidence.usual.places:
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
    return bool(row.ip) and not view.places_at(row.ip) and not view.places_in(row.asn) and not view.is_common(row.ip)


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


def lure_delivered(view: View) -> Finding | None:
    """A lure of a known kit was delivered, and no click is on record."""
    if not view.lure_mails or view.clicks:
        return None
    mail = view.lure_mails[-1]
    return Finding(
        id="lure-delivered",
        weight=view.policy.weights.lure_delivered,
        summary=f"a message from {mail.sender} with a link of the kind {mail.pattern} was delivered before",
        evidence=(Source(table="EmailEvents", id=mail.id, at=mail.at),),
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
    """What Entra ID Protection makes of the sign-in or its user."""
    weights = view.policy.weights
    points = {Risk.HIGH: weights.high_risk, Risk.MEDIUM: weights.medium_risk, Risk.LOW: weights.low_risk}
    row = max(view.flow.successes, key=lambda row: row.risk.rank)
    if row.risk not in points:
        return None
    return Finding(
        id=f"{row.risk}-risk",
        weight=points[row.risk],
        summary=f"Entra ID Protection rates the sign-in or its user as {row.risk} risk",
        evidence=sources(row),
    )


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
    if any(place.device_code_days for place in usual.places):
        return None
    return Finding(
        id="first-device-code",
        weight=view.policy.weights.first_device_code,
        summary=f"no other device code sign-in of the user is on record in the last {usual.days} days",
        evidence=sources(view.flow.rows[0]),
    )


def redeemer_unseen(view: View) -> Finding | None:
    """Nobody knows yet who redeemed the code."""
    if view.redeemer_seen:
        return None
    return Finding(
        id="redeemer-unseen",
        weight=view.policy.weights.redeemer_unseen,
        summary="no row shows who redeemed the code, so nothing about the approving device can clear it",
        evidence=sources(*view.flow.approvals[:1]),
    )


def where(row: SignIn) -> str:
    """`203.0.113.24 (US, AS64500)`."""
    known = [row.country, f"AS{row.asn}" if row.asn else ""]
    return f"{row.ip} ({', '.join(filter(None, known))})" if any(known) else row.ip


INCRIMINATING = (
    threat_intel,
    legs_apart,
    new_country,
    new_network,
    lure_clicked,
    lure_delivered,
    script_client,
    unmanaged_device,
    risk,
    powerful_app,
    first_device_code,
    redeemer_unseen,
    token_reads,
    token_elsewhere,
)
