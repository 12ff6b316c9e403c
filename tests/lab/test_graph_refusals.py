"""What Graph refuses, and the lab with it: devices of other systems, and permissions that are wide and not the one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from respond.lab.graph_routes import ROUTES, least_permissions
from tests.lab.running_lab import USER, RunningLab

Start = Callable[..., RunningLab]
Story = Callable[..., Path]

SYSTEMS = {
    "Windows": True,
    "windows10": True,
    "": True,
    "Android": False,
    "IPhone": False,
    "MacMDM": False,
    "Linux": False,
}


def device(number: int, system: str) -> dict[str, Any]:
    key = f"de000000-0000-4000-8000-00000000000{number}"
    return {"id": key, "deviceId": key.replace("de", "ef", 1), "operatingSystem": system, "accountEnabled": True}


def test_only_a_windows_device_is_disabled_and_any_is_deleted(start: Start, story: Story) -> None:
    devices = [device(number, system) for number, system in enumerate(SYSTEMS)]
    lab = start(story(directory={"devices": devices}))
    for entry, can in zip(devices, SYSTEMS.values(), strict=True):
        places = (f"/v1.0/devices/{entry['id']}", f"/v1.0/devices(deviceId='{entry['deviceId']}')")
        answers = [lab.request("PATCH", place, body={"accountEnabled": False}) for place in places]
        assert [answer.status_code for answer in answers] == [204 if can else 400] * 2, entry
        if not can:
            error = answers[0].json()["error"]
            assert error["code"] == "Request_BadRequest"
            assert "can be modified only on windows devices" in error["message"]
        assert lab.get(places[0])["accountEnabled"] is not can
        assert lab.request("DELETE", places[0]).status_code == 204


ENDS_SESSIONS = "User.RevokeSessions.All"
WIDER = ("User.ReadWrite.All", "Directory.ReadWrite.All", "User.EnableDisableAccount.All", "User.ManageIdentities.All")


def test_nothing_wider_ends_sessions() -> None:
    """The lab grants its own application the least permissions, so what a wider one may do is asked of the route."""
    routes = [route for route in ROUTES if route.template.lower().endswith("revokesigninsessions")]
    assert len(routes) == 2
    others = (least_permissions() | frozenset(WIDER)) - {ENDS_SESSIONS}
    assert [route.allows(others) for route in routes] == [False, False]
    assert [route.allows(frozenset({ENDS_SESSIONS})) for route in routes] == [True, True]


@pytest.mark.parametrize("name", ["revokeSignInSessions", "microsoft.graph.revokeSignInSessions"])
def test_sessions_are_not_ended_without_the_permission_over_the_wire(name: str, start: Start, story: Story) -> None:
    users = [{"id": USER, "userPrincipalName": "user@contoso.com", "accountEnabled": True}]
    lab = start(story(directory={"users": users}), withheld_permissions=(ENDS_SESSIONS,))
    answer = lab.request("POST", f"/v1.0/users/{USER}/{name}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "Authorization_RequestDenied")
