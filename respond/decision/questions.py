"""Why a sign-in must not be called benign, whatever explains it: a person has to look. Pure."""

from __future__ import annotations

from respond.decision import aftermath, incriminating
from respond.decision.relieving import explained_by_others
from respond.decision.strangers import is_familiar
from respond.decision.view import View
from respond.models.evidence import Part
from respond.models.signin import Risk, SignIn

ASKED_OF = frozenset({Part.HISTORY, Part.SHARED, Part.STANDING, Part.FOOTHOLDS, Part.LURES, Part.USES})
"""Parts of the evidence that may still open one of the questions."""


def open_question(view: View, *, half_blind: bool) -> str | None:
    """The first question that nothing answers; None where the sign-in may be called benign."""
    never = view.evidence.standing.is_service and not any(p.saw_device_code for p in view.evidence.usual.places)
    questions = (
        (not view.redeemer_seen, "nothing shows who redeemed the code"),
        (half_blind, "the approvals cannot be read"),
        (view.refreshes_unseen, "what the token was refreshed for cannot be read"),
        (view.evidence.usual.history_unread, "the user's history cannot be read"),
        (never, "the account is a program's and has never used a device code"),
        (_is_unapproved(view), "no approval of the session is on record, and its address is not usual"),
        (bool(aftermath.acts_nearby(view)), "what was added at a familiar address may be the user's act or another's"),
        (_is_all_new(view), "the app, the first code and an unregistered client are all new, which no place explains"),
        (_is_beside_a_batch(view), "others were set up here on managed devices, and this one was not"),
        (_is_attack_in_trust(view), "a lure and what the token did speak against a network that the tenant trusts"),
    )
    for is_open, question in questions:
        if is_open:
            return f"{question}, so a person has to look"
    return "a high risk asks for a person, whatever explains the sign-in" if is_high_risk(view) else None


def is_high_risk(view: View) -> bool:
    """Whether Entra ID Protection's level is high."""
    return view.risk is Risk.HIGH


def _is_unapproved(view: View) -> bool:
    """A session that nobody is known to have approved is explained by a usual address or an enrolled device alone."""
    if view.flow.approvals or not view.flow.is_marked:
        return False
    return not all(is_familiar(view, row) or _is_enrolled(view, row.ip) for row in view.telling)


def _has_device(view: View, row: SignIn) -> bool:
    return bool(row.device.id) or _is_enrolled(view, row.ip)


def _is_enrolled(view: View, ip: str) -> bool:
    return any(row.ip == ip and row.device.managed is True and row.device.compliant is True for row in view.holders)


def _is_all_new(view: View) -> bool:
    """A first app by a first code in the hands of a client without a device, of a user who is well known otherwise."""
    places = view.evidence.usual.places
    known = {day for place in places for day in place.days}
    powerful = {app.id for app in view.policy.powerful_apps}
    if len(known) < view.policy.usual.known_days or incriminating.first_device_code(view) is None:
        return False
    used = {place.app_id for place in places}
    new = any(row.app_id in powerful and row.app_id not in used and not _has_device(view, row) for row in view.telling)
    return new and not view.is_device_account and explained_by_others(view) is None


def _is_beside_a_batch(view: View) -> bool:
    """A code that an unregistered browser approved in the middle of a rollout."""
    if not view.flow.approvals or any(row.device.id for row in view.flow.approvals):
        return False
    uses = ((row.app_id, view.tenant_use(row.ip)) for row in view.telling)
    return any(use and use.batches.get(app, 0) >= view.policy.usual.batch_users for app, use in uses)


def _is_attack_in_trust(view: View) -> bool:
    lured = any(view.led_astray(click) for click in view.clicks)
    acted = any(look(view) for look in (aftermath.token_searches, aftermath.token_sent, aftermath.token_elsewhere))
    stayed = any(aftermath.is_the_holders(view, change) for change in view.evidence.footholds.changes)
    return lured and (acted or stayed) and all(view.is_trusted(row) for row in view.holders)
