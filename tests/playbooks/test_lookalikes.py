"""An incident about a pasted authorization code is not answered with "nothing there"."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.helpers.command import respond

if TYPE_CHECKING:
    import pytest


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
    monkeypatch: pytest.MonkeyPatch, seed_variant: Callable[..., Path]
) -> None:
    data = seed_variant(SigninLogs=_plain, AADNonInteractiveUserSignInLogs=_plain)
    monkeypatch.setenv("RESPOND_LAB__DATA", str(data))
    answer = respond("--user", "target.user@contoso.com", "--json")
    assert answer.json["verdict"] == "no-activity"
    assert "looks-like-stolen-code" in {finding["id"] for finding in answer.json["findings"]}, answer.json["gaps"]
    assert answer.json["headline"].startswith(
        "no device code sign-in, but a token for Microsoft Azure CLI was taken at"
    )
    assert answer.json["ticket"]["id"]
    assert not [change for change in answer.json["actions"] if change["contains"]]
