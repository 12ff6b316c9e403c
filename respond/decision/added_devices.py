"""Devices that the logs name, matched with those that are listed. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from respond.decision.ground import Ground
from respond.decision.items import Held, Item, additions, grouped, ids_of, said, shortened
from respond.models.evidence import FootholdKind
from respond.models.ladder import Rung


def devices(ground: Ground, held: Held) -> Iterable[Item]:
    """Devices are disabled before the revocation, so nothing is called for here."""
    known = {one.id: one for one in (*held.devices, *held.added.devices)}.values()
    near = ground.policy.correlation.registration_within
    groups = [group for group in grouped(ground.changes(FootholdKind.DEVICE), ids_of) if additions(group)]
    claimed: set[str] = {one for group in groups for change in group for one in change.objects}
    for group in groups:
        ids = {one for change in group for one in change.objects}
        found = [one for one in known if {one.id.lower(), one.device_id.lower()} & ids]
        if not ids:
            since = (one for one in known if one.registered and one.registered >= ground.since)
            free = [one for one in since if not {one.id.lower(), one.device_id.lower()} & claimed]
            found = [one for one in free if one.registered and abs(one.registered - group[0].at) <= near]
        fresh = [one for one in found if one.registered is None or one.registered >= ground.since]
        if fresh:
            matched = tuple((rung, one.id) for one in fresh for rung in (Rung.DISABLE_DEVICE, Rung.DELETE_DEVICE))
            yield Item(group, matched=matched)
        elif found:
            names = ", ".join(shortened(one.name or one.device_id) for one in found)
            old = f"{said(group)}: {names} was registered before the approval: look at the device and its owners"
            yield Item(group, task=old, lists=False)
        elif ids and ids <= set(held.added.gone):
            yield Item(group, gone="Microsoft Graph knows no such device")
        else:
            yield Item(group, task=f"{said(group)}: the device is not listed: find it in Entra and disable it")
