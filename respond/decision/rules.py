"""Every question that the decision asks, what it stands on, and how much it can weigh. Explicit, in one place."""

from __future__ import annotations

from functools import partial

from respond.decision import aftermath, incriminating, relieving
from respond.decision.bounds import Rule, needs
from respond.decision.view import View
from respond.models.evidence import FootholdKind, Part
from respond.models.policy import Policy
from respond.models.report import Finding

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


def _worst_risk(policy: Policy) -> int:
    weights = policy.weights
    return max(weights.high_risk, weights.medium_risk, weights.low_risk)


AGAINST: tuple[Rule, ...] = (
    # A hard fact: no habit outvotes it.
    Rule(_strong, needs(Part.INTEL), lambda policy: policy.weights.threat_intel, hard=True),
    Rule(_weak, needs(Part.INTEL) | _PLACE, lambda policy: policy.weights.weak_threat_intel),
    Rule(incriminating.legs_apart, _PLACE, lambda policy: policy.weights.legs_apart),
    Rule(incriminating.other_address, _PLACE, lambda policy: policy.weights.other_address),
    Rule(incriminating.new_country, _PLACE, lambda policy: policy.weights.new_country),
    Rule(incriminating.new_network, _PLACE, lambda policy: policy.weights.new_network),
    Rule(incriminating.hosting_network, _PLACE, lambda policy: policy.weights.hosting_network),
    Rule(incriminating.shared_redeemer, _PLACE, lambda policy: policy.weights.shared_redeemer),
    Rule(incriminating.lure_clicked, needs(Part.LURES), lambda policy: policy.weights.lure_clicked),
    Rule(
        incriminating.lure_redeemed_elsewhere,
        needs(Part.LURES) | _PLACE,
        lambda policy: policy.weights.lure_redeemed_elsewhere,
    ),
    Rule(incriminating.lure_delivered, needs(Part.LURES), lambda policy: policy.weights.lure_delivered),
    Rule(incriminating.stranger_wrote, needs(Part.LURES), lambda policy: policy.weights.stranger_wrote),
    Rule(
        incriminating.lure_listed,
        needs(Part.LURES, Part.LURE_INTEL, Part.INTEL),
        lambda policy: policy.weights.lure_listed,
    ),
    Rule(
        incriminating.known_bad,
        needs(Part.EARLIER, Part.LURES) | _PLACE,
        lambda policy: max(policy.weights.known_bad, policy.weights.known_network),
    ),
    Rule(incriminating.script_client, _NOTHING, lambda policy: policy.weights.script_client),
    Rule(incriminating.unmanaged_device, _NOTHING, lambda policy: policy.weights.unmanaged_device),
    Rule(incriminating.risk, needs(Part.STANDING), _worst_risk),
    Rule(incriminating.privileged_user, needs(Part.STANDING), lambda policy: policy.weights.privileged_user),
    Rule(incriminating.powerful_app, _NOTHING, lambda policy: policy.weights.powerful_app),
    Rule(incriminating.first_device_code, needs(Part.HISTORY), lambda policy: policy.weights.first_device_code),
    Rule(incriminating.unusual_hour, needs(Part.HISTORY), lambda policy: policy.weights.unusual_hour),
    Rule(incriminating.redeemer_unseen, _NOTHING, lambda policy: policy.weights.redeemer_unseen),
    Rule(aftermath.token_reads, needs(Part.USES), lambda policy: policy.weights.token_reads),
    Rule(aftermath.token_searches, needs(Part.USES), lambda policy: policy.weights.token_searches),
    Rule(aftermath.token_elsewhere, needs(Part.USES) | _PLACE, lambda policy: policy.weights.token_elsewhere),
    _foothold(FootholdKind.DEVICE, "device_added"),
    _foothold(FootholdKind.CONSENT, "consent_added"),
    _foothold(FootholdKind.METHOD, "method_added", hard=True),
    _foothold(FootholdKind.MAIL_RULE, "mail_rule_added", hard=True),
    _foothold(FootholdKind.APPLICATION, "application_added"),
    _foothold(FootholdKind.ROLE, "tenant_changed", hard=True),
    _foothold(FootholdKind.POLICY, "tenant_changed", hard=True),
    _foothold(FootholdKind.DOMAIN, "tenant_changed", hard=True),
    _foothold(FootholdKind.GUEST, "tenant_changed"),
)

RELIEVING: tuple[Rule, ...] = (
    Rule(
        relieving.known_habit,
        needs(Part.HISTORY),
        lambda policy: min(policy.reliefs.habit, policy.reliefs.habit_moving, policy.reliefs.habit_elsewhere),
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
