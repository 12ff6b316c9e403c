"""Devices.

https://learn.microsoft.com/graph/api/resources/device
"""

from __future__ import annotations

from typing import Any

from respond.lab.graph_call import Call
from respond.lab.odata import bad_request, entity, no_content, not_found, one_switch, pick, selected, without_relations
from respond.lab.web import Reply


async def get_device(call: Call) -> Reply:
    """GET /devices/{object id} or /devices(deviceId='…').

    https://learn.microsoft.com/graph/api/device-get
    """
    device = without_relations(_device(call))
    return entity(call.request, "devices/$entity", pick(device, selected(call.request)))


async def update_device(call: Call) -> Reply:
    """PATCH /devices/{object id} or /devices(deviceId='…') {"accountEnabled"}.

    https://learn.microsoft.com/graph/api/device-update
    """
    device = _device(call)
    is_enabled = one_switch(call.fields(), "accountEnabled")
    if not str(device.get("operatingSystem") or "Windows").lower().startswith("windows"):
        raise bad_request("Properties other than ExtendedAttribute1..15 can be modified only on windows devices.")
    call.state.change("devices", device["id"], lambda now: now | {"accountEnabled": is_enabled})
    return no_content()


async def delete_device(call: Call) -> Reply:
    """DELETE /devices/{object id}.

    https://learn.microsoft.com/graph/api/device-delete
    """
    call.state.remove("devices", _device(call)["id"])
    return no_content()


def _device(call: Call) -> dict[str, Any]:
    """The device that the path names. The two ids are not interchangeable: each has a place of its own."""
    by_object_id = call.params.get("device")
    name = by_object_id or call.params["deviceId"]
    found = call.state.get("devices", name) if by_object_id else call.state.by_name("devices", name)
    if found is None:
        raise not_found(name)
    return dict(found)
