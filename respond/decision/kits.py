"""Devices as kits register them: a build and a name, several at once, or by a script. Pure.

Kits of 2026 register a Windows device that is none: one build of Windows 10 and a name that a fresh installation gets,
three in a quarter of an hour, or with the user agent of a script library in the place of Windows' own client.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

from respond.decision.aftermath import is_the_holders
from respond.decision.view import View
from respond.models.base import Source
from respond.models.evidence import Foothold, FootholdKind
from respond.models.report import Finding

_BUILD, _NAME = "10.0.19045.2006", re.compile(r"DESKTOP-[A-Z0-9]{5,}", re.IGNORECASE)
_SEVERAL, _WITHIN = 3, timedelta(minutes=15)


def kit_device(view: View) -> Finding | None:
    """The holder of the token registered a device as a kit does."""
    changes = view.evidence.footholds.changes
    devices = [one for one in changes if one.kind is FootholdKind.DEVICE and not one.removal]
    found = sorted((one for one in devices if is_the_holders(view, one)), key=lambda one: one.at)
    marks = [(one, mark) for one in found if (mark := _mark(view, one))]
    several = _several(found)
    if not marks and not several:
        return None
    told = marks[0][1] if marks else f"{len(several)} devices within {_WITHIN.seconds // 60} minutes"
    shown = several or tuple(one for one, _ in marks)
    return Finding(
        id="kit-device",
        weight=view.policy.weights.kit_device,
        summary=f"a device was registered as phishing kits do it: {told}",
        evidence=tuple(Source(table=one.table, id=one.id, at=one.at) for one in shown),
    )


def _mark(view: View, device: Foothold) -> str:
    if device.build == _BUILD and any(_NAME.fullmatch(name) for name in device.names):
        return f"Windows {_BUILD} under the name of a fresh installation"
    scripted = any(re.search(form, device.agent, re.IGNORECASE) for form in view.policy.script_clients)
    return f"by {device.agent}" if device.agent and scripted else ""


def _several(devices: Sequence[Foothold]) -> tuple[Foothold, ...]:
    """Several different devices within the time; one device is logged under several operations."""
    for place, first in enumerate(devices):
        near = [one for one in devices[place:] if one.at - first.at <= _WITHIN]
        if len({name.lower() for one in near if one.creates for name in one.names}) >= _SEVERAL:
            return tuple(near)
    return ()
