"""Every shipped scenario, judged by the product over HTTP as a good analyst would judge it."""

from __future__ import annotations

import pytest

from respond.lab import scenario
from tests.helpers.command import respond

STORIES = [
    pytest.param(name, upn, person["verdict"], id=f"{name}-{upn.partition('@')[0]}")
    for name, _, expect in scenario.shipped()
    for upn, person in expect.items()
]
EXITS = {"malicious": {0, 1}, "suspicious": {3}, "benign": {0}, "no-activity": {0}}


@pytest.mark.parametrize(("name", "upn", "verdict"), STORIES)
def test_judges_as_a_good_analyst_would(name: str, upn: str, verdict: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESPOND_LAB__DATA", name)
    answer = respond("--user", upn, "--json")
    assert answer.json["verdict"] == verdict, answer.json["findings"]
    assert answer.code in EXITS[verdict]
    contained = answer.json["outcome"] == "contained-verified"
    assert contained == (verdict == "malicious" and name != "guest")


def test_a_guest_is_not_reported_as_contained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESPOND_LAB__DATA", "guest")
    answer = respond("--user", "mara.lindqvist_fabrikam.com#EXT#@contoso.com", "--json")
    assert (answer.code, answer.json["outcome"]) == (1, "not-contained")
    assert answer.action("revoke_sessions")["status"] == "refused"
    assert "home tenant" in answer.action("revoke_sessions")["summary"]
    assert answer.json["ticket"]["id"]


def test_a_missing_table_is_a_named_gap_and_clears_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESPOND_LAB__DATA", "missing-table")
    answer = respond("--user", "lena.hoffmann@contoso.com", "--json")
    gaps = {gap["source"]: gap["reason"] for gap in answer.json["gaps"]}
    assert set(gaps) == {"AADNonInteractiveUserSignInLogs", "UrlClickEvents"}
    assert "no table or column named" in gaps["UrlClickEvents"]
    assert "redeemer-unseen" in {finding["id"] for finding in answer.json["findings"]}
