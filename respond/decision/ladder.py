"""From a verdict to the writes that it calls for. Pure. What each stands on, and who may say yes: `ground`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from respond.decision.ground import WHOLE_SECOND, Called, Ground, call, ground_of, is_unread, word_on
from respond.decision.items import Held
from respond.decision.persistence import items
from respond.models.evidence import FootholdKind, Part
from respond.models.holdings import Access, Added, Device, Devices
from respond.models.ladder import May, Rung, Step
from respond.models.policy import Policy
from respond.models.report import Verdict
from respond.models.signin import SignIns

__all__ = [
    "Called",
    "Ground",
    "access_steps",
    "device_steps",
    "ground_of",
    "identity_steps",
    "is_unread",
    "needed_for",
    "session_steps",
    "word_on",
]

_WINDOWS = "windows"


def needed_for(policy: Policy, verdict: Verdict, signins: SignIns, devices: Devices) -> Iterator[tuple[Part, ...]]:
    """Parts of the evidence that have to be there before the first write, beyond what the verdict stands on.

    Only where they matter: who is protected by group or role, and whose a device is that was registered since, or of
    which Graph does not say when.
    """
    if policy.ladder.protected.needs_standing:
        yield (Part.STANDING,)
    since = min((flow.began for flow in verdict.guilty(signins).flows), default=None)
    if since and any(one.registered is None or one.registered >= since - WHOLE_SECOND for one in devices.devices):
        yield Part.FOOTHOLDS, Part.HISTORY, Part.SHARED


def device_steps(ground: Ground, devices: Devices) -> tuple[Called, ...]:
    """Devices that were added since the approval; they come before the revocation, which they outlive.

    Graph keeps no registration time for some; those count where the log names them.
    """
    named = {one for change in ground.changes(FootholdKind.DEVICE) if not change.removal for one in change.objects}
    found: list[Called] = []
    for device in devices.devices:
        fresh = device.registered is not None and device.registered >= ground.since
        if fresh or (device.registered is None and {device.id.lower(), device.device_id.lower()} & named):
            found += _device(ground, device)
    return tuple(found)


def deletion(ground: Ground, device: Device, why: str) -> tuple[Called, ...]:
    """Delete a device instead, because it cannot be disabled."""
    step = Step(rung=Rung.DELETE_DEVICE, object=device.id, label=device.name or device.device_id, why=why)
    return call(ground, step, _users_own(ground, FootholdKind.DEVICE, {device.id.lower(), device.device_id.lower()}))


def _device(ground: Ground, device: Device) -> tuple[Called, ...]:
    at = f"at {device.registered:%Y-%m-%d %H:%M:%SZ}, after the approval" if device.registered else "as the log says"
    system = device.system.strip()
    if system and not system.lower().startswith(_WINDOWS):
        why = f"registered {at}; Microsoft Graph lets an application disable Windows devices only, not {system}"
        return deletion(ground, device, why)
    step = Step(
        rung=Rung.DISABLE_DEVICE,
        object=device.id,
        label=device.name or device.device_id,
        why=f"registered {at}",
    )
    return call(ground, step, _users_own(ground, FootholdKind.DEVICE, {device.id.lower(), device.device_id.lower()}))


def session_steps(ground: Ground, *, after: datetime) -> tuple[Called, ...]:
    """The revocation.

    Args:
        after: issue time of the attacker's last token, or when the last device of theirs was registered.
    """
    account = ground.account
    why = f"the attacker's newest token is of {after:%Y-%m-%d %H:%M:%SZ}"
    step = Step(rung=Rung.REVOKE_SESSIONS, object=account.id, label=account.upn, why=why, after=after)
    return call(ground, step)


def access_steps(ground: Ground, access: Access, added: Added | None = None) -> tuple[Called, ...]:
    """Methods, consents, inbox rules, applications and roles that were added since the approval; each write once."""
    found: dict[tuple[Rung, str], Called] = {}
    for item in items(ground, Held(access=access, added=added or Added())):
        for called in item.called:
            key = called.step.rung, called.step.object
            if key not in found or called.word.may is May.AUTO:
                found[key] = called
    return tuple(found.values())


def identity_steps(ground: Ground) -> tuple[Called, ...]:
    """What Identity Protection is told, and the last rung."""
    account = ground.account
    ids = tuple(dict.fromkeys(row.id for flow in ground.signins.flows for row in flow.successes if row.id))
    why = f"{ground.verdict.kind.value} {ground.verdict.score}: {ground.verdict.headline}"
    still = "; ".join(ground.survivors) or why
    steps = (
        Step(rung=Rung.CONFIRM_USER, object=account.id, label=account.upn, why=why),
        Step(rung=Rung.CONFIRM_SIGN_INS, object=account.id, label=account.upn, why=why, ids=ids),
        Step(rung=Rung.DISABLE_ACCOUNT, object=account.id, label=account.upn, why=still),
    )
    return tuple(called for step in steps for called in call(ground, step))


def _users_own(ground: Ground, kind: FootholdKind, ids: set[str]) -> tuple[May, str]:
    about = [one for one in ground.changes(kind) if ids & set(one.objects)]
    own = about and not any(map(ground.is_the_attackers, about)) and all(map(ground.is_the_users, about))
    if not own:
        return May.AUTO, ""
    return May.ASK, f"added from {about[0].ip}, a usual place of the user: a person decides"
