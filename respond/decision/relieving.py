"""What explains a sign-in. None of it counts while the redeeming leg is unseen, or beside a hard fact.

Each must hold for every row of whoever holds the token: one strange address is enough to keep it from clearing.
"""

from __future__ import annotations

from respond.address_index import AddressIndex
from respond.decision.aftermath import is_mass_reading, token_searches
from respond.decision.strangers import redeemer_moved
from respond.decision.view import View, sources
from respond.models.report import Finding


def habit(view: View) -> Finding | None:
    """The same app, by device code, from the same address, on several days and in several sessions before."""
    known = view.evidence.usual.by_address
    if not all(
        view.is_habit(place for place in known.same(row.ip) if place.app_id == row.app_id) for row in view.telling
    ):
        return None
    row = view.telling[0]
    return Finding(
        id="habitual-device-code",
        weight=view.policy.reliefs.habit,
        summary=f"the user has signed in to {row.app_name} by device code from {row.ip} on other days before",
        evidence=sources(*view.holders),
    )


def habit_elsewhere(view: View) -> Finding | None:
    """The same app by device code as a habit, but not from here."""
    places = view.evidence.usual.places
    apps = {row.app_id for row in view.telling}
    known = all(view.is_habit(place for place in places if place.app_id == app) for app in apps)
    if not known or habit(view) or redeemer_moved(view):
        return None
    return Finding(
        id="device-code-habit-elsewhere",
        weight=view.policy.reliefs.habit_elsewhere,
        summary=f"the user signs in to {view.telling[0].app_name} by device code now and then, from other addresses",
        evidence=sources(*view.holders),
    )


def habit_moving(view: View) -> Finding | None:
    """The same app by device code as a habit, in this very network, at another address of it every time."""
    if habit(view) or not all(view.is_moving_habit(row.app_id, row.asn) for row in view.telling):
        return None
    row = view.telling[0]
    return Finding(
        id="device-code-habit-moving",
        weight=view.policy.reliefs.habit_moving,
        summary=f"the user signs in to {row.app_name} by device code in AS{row.asn}, from another address every time",
        evidence=sources(*view.holders),
    )


def usual_place(view: View) -> Finding | None:
    """An address of the user's own, on several days."""
    if not all(view.is_usual(row.ip) for row in view.telling):
        return None
    return Finding(
        id="usual-place",
        weight=view.policy.reliefs.usual_place,
        summary=f"the token went to {view.telling[0].ip}, which the user has used on other days",
        evidence=sources(*view.holders),
    )


def common_address(view: View) -> Finding | None:
    """An egress that others of the tenant share."""
    if not all(view.is_common(row.ip) for row in view.telling):
        return None
    use = view.tenant_use(view.telling[0].ip)
    users = use.users if use else 0
    return Finding(
        id="common-address",
        weight=view.policy.reliefs.common_address,
        summary=f"the token went to {view.telling[0].ip}, an address of {users} other users of the tenant",
        evidence=sources(*view.holders),
    )


def managed_device_here(view: View) -> Finding | None:
    """A managed device of the user was at the address before: a hotel, a customer's site. Not beside usual-place."""
    if usual_place(view) or not all(any(place.managed for place in view.places_at(row.ip)) for row in view.telling):
        return None
    return Finding(
        id="managed-device-here",
        weight=view.policy.reliefs.managed_device_here,
        summary=f"a managed device of the user signed in from {view.telling[0].ip} before the approval",
        evidence=sources(*view.holders),
    )


def managed_holder(view: View) -> Finding | None:
    """The redeeming side itself is a managed and compliant device, as a phone is minutes after it was enrolled.

    What it fetched before it was enrolled names no device: rows at the same address are taken for its own.
    """
    enrolled = [row for row in view.telling if row.device.managed is True and row.device.compliant is True]
    held = AddressIndex(enrolled, lambda row: row.ip)
    if not all(held.same(row.ip) for row in view.telling):
        return None
    return Finding(
        id="managed-holder",
        weight=view.policy.reliefs.managed_holder,
        summary=f"the device at {enrolled[0].ip} that holds the token is reported as managed and compliant",
        evidence=sources(*enrolled[:1]),
    )


def trusted_network(view: View) -> Finding | None:
    """A network that the policy or a trusted named location of the tenant vouches for."""
    if not all(view.is_trusted(row) for row in view.telling):
        return None
    return Finding(
        id="trusted-network",
        weight=view.policy.reliefs.trusted_network,
        summary=f"the token went to {view.telling[0].ip}, in a network that the tenant trusts",
        evidence=sources(*view.holders),
    )


def device_account(view: View) -> Finding | None:
    """A room or a service account, by object id or group, with an app that such accounts use by device code."""
    usual = {app.id for app in view.policy.device_apps}
    if not view.is_device_account or not all(row.app_id in usual for row in view.telling):
        return None
    return Finding(
        id="device-account",
        weight=view.policy.reliefs.device_account,
        summary=f"the account is listed as a device's, and {view.telling[0].app_name} is how devices sign in",
        evidence=sources(*view.holders),
    )


def beside_office(view: View) -> Finding | None:
    """Next to a common address that approved: phones and panels leave an office by an address of their own."""
    if not all(view.is_beside_office(row) for row in view.telling):
        return None
    return Finding(
        id="beside-common-address",
        weight=view.policy.reliefs.common_address,
        summary=f"the token went to {view.telling[0].ip}, next to the office address that approved it",
        evidence=sources(*view.holders),
    )


def colleagues(view: View) -> Finding | None:
    """Colleagues redeemed the same app with the same client at this address, for weeks."""
    met = [(row, use) for row in view.telling if (use := view.colleague_use(row))]
    if len(met) < len(view.telling) or view.has_lure:
        return None
    row, use = met[0]
    return Finding(
        id="colleagues-redeem-here",
        weight=view.policy.reliefs.colleagues,
        summary=f"{use.users} colleagues have redeemed {row.app_name} at {row.ip} since {use.first:%Y-%m-%d}, approved "
        "on managed devices",
        evidence=sources(*view.telling),
    )


def batch(view: View) -> Finding | None:
    """Many accounts set up here today with the same app, this one too, each approved here on a managed device."""
    approvals = [row for row in view.flow.approvals if row.device.managed is True or row.device.compliant is True]
    approved_at = AddressIndex(approvals, lambda row: row.ip)
    here = view.telling and all(approved_at.same(row.ip) for row in view.telling)
    if not here or view.has_lure:
        return None
    row = view.telling[0]
    use = view.tenant_use(row.ip)
    others = use.batches.get(row.app_id, 0) if use else 0
    if others < view.policy.usual.batch_users:
        return None
    return Finding(
        id="set-up-in-a-batch",
        weight=view.policy.reliefs.batch,
        summary=f"{others} other accounts were set up with {row.app_name} at {row.ip} today, approved on managed "
        "devices",
        evidence=sources(*approvals[:1], row),
    )


def explained_by_others(view: View) -> Finding | None:
    """Colleagues at this address, or a rollout that this is part of."""
    return colleagues(view) or batch(view)


def own_place(view: View) -> Finding | None:
    """A place of the user's own."""
    return usual_place(view) or managed_device_here(view)


def shared_place(view: View) -> Finding | None:
    """A place of the tenant's."""
    return common_address(view) or beside_office(view)


def known_habit(view: View) -> Finding | None:
    """Device codes as a habit, here, in this network or elsewhere; not beside searches and mass reads by the token."""
    if token_searches(view) or is_mass_reading(view):
        return None
    return habit(view) or habit_moving(view) or habit_elsewhere(view)
