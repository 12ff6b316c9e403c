"""An incident about a pasted authorization code is not answered with "nothing there"."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.helpers.command import respond

if TYPE_CHECKING:
    from tests.lab.running_lab import RunningLab


def _plain(rows: list[dict[str, Any]]) -> None:
    """The same sign-in without any mark of a device code: the code was pasted."""
    rows[:] = [row for row in rows if row.get("ResultType") == "0"]
    for row in rows:
        if row.get("AuthenticationProtocol") == "deviceCode":
            row |= {"IPAddress": "203.0.113.10", "AutonomousSystemNumber": "64496", "Location": "US"}
        row |= {"AuthenticationProtocol": "none", "OriginalTransferMethod": "none"}
        if row.get("AppDisplayName") == "Microsoft Azure CLI":
            row |= {"SessionId": "00c0ffee-7a11-4d0e-9a54-0f5a1c0e0001"}


def test_a_pasted_code_is_no_device_code_and_a_person_has_to_look(
    lab: Callable[..., RunningLab], seed_variant: Callable[..., Path]
) -> None:
    lab(seed_variant(SigninLogs=_plain, AADNonInteractiveUserSignInLogs=_plain))
    answer = respond("--user", "target.user@contoso.com", "--json")
    # A person must act: nothing about it is an all-clear.
    assert (answer.code, answer.json["verdict"], answer.json["outcome"]) == (3, "no-activity", "no-action")
    assert "looks-like-stolen-code" in {finding["id"] for finding in answer.json["findings"]}, answer.json["gaps"]
    assert answer.json["headline"].startswith(
        "no device code sign-in, but a token for Microsoft Azure CLI was taken at"
    )
    assert answer.json["ticket"]["id"]
    assert not [change for change in answer.json["actions"] if change["contains"]]
