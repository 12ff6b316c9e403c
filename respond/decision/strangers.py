"""Who and what is new: a redeemer that never moved, an account without a past, a token that does not fit its client."""

from __future__ import annotations

import re

from respond.addresses import may_be_same, neighbours
from respond.decision.view import View, sources
from respond.decision.words import where
from respond.models.report import Finding
from respond.models.signin import SignIn


def is_familiar(view: View, row: SignIn) -> bool:
    """Whether the row's address is usual for the user, common in the tenant, or trusted."""
    return view.is_usual(row.ip) or view.is_common(row.ip) or view.is_trusted(row)


def redeemer_moved(view: View) -> Finding | None:
    """Every code of the user was redeemed at one address so far, and this one at another.

    Only the redeeming leg counts: a home line that changes its address every night says nothing of a fixed server.
    """
    coded = [one for one in view.evidence.usual.places if one.device_code_days and one.ip]
    if not view.is_habit(coded) or any(not _is_near(one.ip, coded[0].ip) for one in coded):
        return None
    away = (row for row in view.exposed if row.ip and not _is_near(row.ip, coded[0].ip))
    row = next((row for row in away if not is_familiar(view, row) and not _is_with_approver(view, row)), None)
    if row is None:
        return None
    return Finding(
        id="redeemer-moved",
        weight=view.policy.weights.redeemer_moved,
        summary=f"redeemed from {where(row)}; all codes of the user before were redeemed at {coded[0].ip}",
        evidence=sources(row),
    )


def _is_near(one: str, other: str) -> bool:
    """A line that gets another address of the same range has not moved."""
    return may_be_same(one, other) or neighbours(one, other)


def _is_with_approver(view: View, row: SignIn) -> bool:
    """Whether an enrolled device approved at the very address: the user has moved, and the redeemer with them."""
    return any(one.ip and one.device.id and may_be_same(row.ip, one.ip) for one in view.distinct_approvals)


def nothing_known(view: View) -> Finding | None:
    """An account that never signed in before, as far as is known, got a token where nothing speaks for it either."""
    usual = view.evidence.usual
    if usual.places or view.seen_places or not view.flow.is_marked:
        return None
    enrolled = (row.device.managed is True and row.device.compliant is True for row in view.holders)
    if any(enrolled) or all(is_familiar(view, row) or view.is_beside_office(row) for row in view.holders):
        return None
    return Finding(
        id="nothing-known",
        weight=view.policy.weights.nothing_known,
        summary=f"no other sign-in of the account is on record in the last {usual.days} days",
        evidence=sources(view.holders[0]),
    )


def token_purpose(view: View) -> Finding | None:
    """A script or a command-line tool got a first token for mail or files, away from every familiar place."""
    tools = {app.id for app in view.policy.powerful_apps if app.command_line}
    content = {app.id: app for app in view.policy.content_resources}
    for row in view.exposed:
        scripted = any(re.search(form, row.user_agent, re.IGNORECASE) for form in view.policy.script_clients)
        if row.resource_id not in content or not (scripted or row.app_id in tools) or is_familiar(view, row):
            continue
        if view.is_habit(one for one in view.evidence.usual.places if one.app_id == row.app_id):
            continue
        client = row.user_agent if scripted else row.app_name
        resource = content[row.resource_id]
        return Finding(
            id="token-for-content",
            weight=view.policy.weights.token_purpose,
            summary=f"{client} got a token for {resource.name} ({resource.why}) at {row.ip}, its first for the user",
            evidence=sources(row),
        )
    return None
