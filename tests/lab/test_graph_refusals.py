"""What Graph refuses, and the lab with it: devices of other systems, and permissions that are wide and not the one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from respond.lab.constants import CLIENT_ID
from respond.lab.graph_routes import least_permissions
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


OTHERS = tuple(sorted(least_permissions() - {"User.RevokeSessions.All"}))
WIDER = (*OTHERS, "User.ReadWrite.All", "Directory.ReadWrite.All")


@pytest.mark.parametrize(("held", "status"), [(WIDER, 403), (("User.RevokeSessions.All",), 200)])
@pytest.mark.parametrize("name", ["revokeSignInSessions", "microsoft.graph.revokeSignInSessions"])
def test_sessions_are_ended_with_the_one_permission_and_with_nothing_wider(
    name: str, held: tuple[str, ...], status: int, start: Start, story: Story
) -> None:
    users = [{"id": USER, "userPrincipalName": "user@contoso.com", "accountEnabled": True}]
    lab = start(story(directory={"users": users}), client_permissions={CLIENT_ID: held})
    answer = lab.request("POST", f"/v1.0/users/{USER}/{name}")
    assert answer.status_code == status, answer.text
    if status == 403:
        assert answer.json()["error"]["code"] == "Authorization_RequestDenied"
