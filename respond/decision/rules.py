"""Every question that the decision asks, what it stands on, and how much it can weigh. Explicit, in one place."""

from __future__ import annotations

from functools import partial

from respond.decision import aftermath, incriminating, kits, relieving, strangers
from respond.decision.bounds import Look, Rule, needs
from respond.decision.view import View
from respond.models.evidence import FootholdKind, Part
from respond.models.policy import Policy
from respond.models.report import Finding
from respond.models.signin import Risk

_PLACE = needs(Part.HISTORY, Part.SHARED)
_NOTHING = needs()


def _foothold(kind: FootholdKind, weight: str, *, hard: bool = False) -> Rule:
    look = partial(aftermath.foothold, kind=kind)
    return Rule(look, needs(Part.FOOTHOLDS) | _PLACE, lambda policy: int(getattr(policy.weights, weight)), hard=hard)


def _strong(view: View) -> Finding | None:
    found = incriminating.threat_intel(view)
    return found if found and found.id == "threat-intel-address" else None


def _weak(view: View) -> Finding | None:
    found = incriminating.threat_intel(view)
    if found is None or found.id == "threat-intel-address":
        return None
    # Every egress that many share is on some doubtful list.
    shared = all(view.is_common(row.ip) or view.is_usual(row.ip) or view.is_trusted(row) for row in view.holders)
    return None if shared else found


def _high_risk(view: View) -> Finding | None:
    return incriminating.risk(view) if view.risk is Risk.HIGH else None


def _lower_risk(view: View) -> Finding | None:
    return None if view.risk is Risk.HIGH else incriminating.risk(view)


def _lower_risks(policy: Policy) -> int:
    return max(policy.weights.medium_risk, policy.weights.low_risk)


def _known_bad(view: View) -> Finding | None:
    found = incriminating.known_bad(view)
    return found if found and found.id == "seen-in-earlier-case" else None


def _known_network(view: View) -> Finding | None:
    found = incriminating.known_bad(view)
    return None if found and found.id == "seen-in-earlier-case" else found


def _circumstance(look: Look, parts: frozenset[Part], weight: str) -> Rule:
    return Rule(look, parts, lambda policy: int(getattr(policy.weights, weight)), circumstance=True)


AGAINST: tuple[Rule, ...] = (
    # A hard fact: no habit outvotes it.
    Rule(_strong, needs(Part.INTEL), lambda policy: policy.weights.threat_intel, hard=True),
    Rule(_weak, needs(Part.INTEL) | _PLACE, lambda policy: policy.weights.weak_threat_intel),
    _circumstance(incriminating.legs_apart, _PLACE, "legs_apart"),
    _circumstance(incriminating.other_address, _PLACE, "other_address"),
    _circumstance(incriminating.new_country, _PLACE, "new_country"),
    _circumstance(incriminating.new_network, _PLACE, "new_network"),
    _circumstance(incriminating.hosting_network, _PLACE, "hosting_network"),
    Rule(incriminating.shared_redeemer, _PLACE, lambda policy: policy.weights.shared_redeemer),
    Rule(incriminating.lure_clicked, needs(Part.LURES), lambda policy: policy.weights.lure_clicked),
    Rule(
        incriminating.lure_redeemed_elsewhere,
        needs(Part.LURES) | _PLACE,
        lambda policy: policy.weights.lure_redeemed_elsewhere,
    ),
    Rule(incriminating.lure_delivered, needs(Part.LURES), lambda policy: policy.weights.lure_delivered),
    _circumstance(incriminating.stranger_wrote, needs(Part.LURES), "stranger_wrote"),
    Rule(
        incriminating.lure_listed,
        needs(Part.LURES, Part.LURE_INTEL, Part.INTEL),
        lambda policy: policy.weights.lure_listed,
    ),
    Rule(_known_bad, needs(Part.EARLIER, Part.LURES) | _PLACE, lambda policy: policy.weights.known_bad),
    _circumstance(_known_network, needs(Part.EARLIER, Part.LURES) | _PLACE, "known_network"),
    _circumstance(incriminating.script_client, _NOTHING, "script_client"),
    _circumstance(incriminating.unmanaged_device, _NOTHING, "unmanaged_device"),
    Rule(_high_risk, needs(Part.STANDING), lambda policy: policy.weights.high_risk),
    # A lower one is given for places and clients that Entra has not seen, which the circumstances say already.
    Rule(_lower_risk, needs(Part.STANDING), _lower_risks, circumstance=True),
    _circumstance(incriminating.privileged_user, needs(Part.STANDING), "privileged_user"),
    _circumstance(incriminating.powerful_app, _NOTHING, "powerful_app"),
    _circumstance(incriminating.first_device_code, needs(Part.HISTORY), "first_device_code"),
    _circumstance(incriminating.unusual_hour, needs(Part.HISTORY), "unusual_hour"),
    # What is not known carries nothing over the cap: the row may be late, and a traveller's place is then all there is.
    _circumstance(incriminating.redeemer_unseen, _NOTHING, "redeemer_unseen"),
    Rule(aftermath.token_reads, needs(Part.USES), lambda policy: policy.weights.token_reads),
    Rule(aftermath.token_searches, needs(Part.USES), lambda policy: policy.weights.token_searches),
    Rule(aftermath.token_elsewhere, needs(Part.USES) | _PLACE, lambda policy: policy.weights.token_elsewhere),
    Rule(aftermath.token_sent, needs(Part.USES), lambda policy: policy.weights.token_sent),
    Rule(aftermath.mass_mail, needs(Part.USES), lambda policy: policy.weights.mass_mail, hard=True),
    Rule(
        aftermath.lure_then_sent, needs(Part.USES, Part.LURES), lambda policy: policy.weights.lure_then_sent, hard=True
    ),
    Rule(
        aftermath.forwarding_outside,
        needs(Part.FOOTHOLDS) | _PLACE,
        lambda policy: policy.weights.forwarding_outside,
        hard=True,
    ),
    Rule(aftermath.act_nearby, needs(Part.FOOTHOLDS) | _PLACE, lambda policy: policy.weights.act_nearby),
    Rule(aftermath.device_nearby, needs(Part.FOOTHOLDS) | _PLACE, lambda _: 0),
    _circumstance(strangers.redeemer_moved, _PLACE, "redeemer_moved"),
    _circumstance(strangers.nothing_known, _PLACE, "nothing_known"),
    Rule(strangers.token_purpose, _PLACE, lambda policy: policy.weights.token_purpose),
    _foothold(FootholdKind.DEVICE, "device_added"),
    Rule(kits.kit_device, needs(Part.FOOTHOLDS) | _PLACE, lambda policy: policy.weights.kit_device),
    _foothold(FootholdKind.CONSENT, "consent_added"),
    _foothold(FootholdKind.METHOD, "method_added", hard=True),
    _foothold(FootholdKind.MAIL_RULE, "mail_rule_added", hard=True),
    _foothold(FootholdKind.APPLICATION, "application_added"),
    _foothold(FootholdKind.ROLE, "tenant_changed", hard=True),
    _foothold(FootholdKind.POLICY, "tenant_changed", hard=True),
    _foothold(FootholdKind.DOMAIN, "tenant_changed", hard=True),
    _foothold(FootholdKind.GUEST, "tenant_changed"),
    _foothold(FootholdKind.ACCOUNT, "tenant_changed"),
)

RELIEVING: tuple[Rule, ...] = (
    Rule(
        relieving.known_habit,
        # Who else uses the address decides whether the redeemer has moved, and a moved one is no habit.
        _PLACE,
        lambda policy: min(policy.reliefs.habit, policy.reliefs.habit_moving, policy.reliefs.habit_elsewhere),
        voided_by=needs(Part.USES),
    ),
    Rule(
        relieving.explained_by_others,
        needs(Part.SHARED),
        lambda policy: min(policy.reliefs.colleagues, policy.reliefs.batch),
        voided_by=needs(Part.LURES),
    ),
    Rule(
        relieving.own_place,
        needs(Part.HISTORY),
        lambda policy: min(policy.reliefs.usual_place, policy.reliefs.managed_device_here),
    ),
    Rule(relieving.shared_place, needs(Part.SHARED), lambda policy: policy.reliefs.common_address),
    Rule(relieving.managed_holder, _NOTHING, lambda policy: policy.reliefs.managed_holder),
    Rule(relieving.trusted_network, _NOTHING, lambda policy: policy.reliefs.trusted_network),
    Rule(relieving.device_account, needs(Part.STANDING), lambda policy: policy.reliefs.device_account),
)

CORROBORATING = frozenset(
    {
        "threat-intel-address",
        "legs-apart",
        "lure-clicked",
        "method-added",
        "mail-rule-added",
        "role-added",
        "policy-changed",
        "domain-changed",
        "token-elsewhere",
        "shared-redeemer",
        "seen-in-earlier-case",
    }
)
"""What makes a device code of a sign-in that only the confirmation of an app hints at."""
