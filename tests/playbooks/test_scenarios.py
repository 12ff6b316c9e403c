"""Every shipped scenario, judged by the product over HTTP as a good analyst would judge it."""

from __future__ import annotations

from typing import Any

import pytest

from respond.lab import scenario
from tests.helpers.command import respond

STORIES = [
    pytest.param(name, upn, person, id=f"{name}-{upn.partition('@')[0]}")
    for name, _, expect in scenario.shipped()
    for upn, person in expect.items()
]
LEFT_OPEN = {
    "guest": "the home tenant issues a guest's tokens",
    "consent-and-app": "the application that the session registered is disabled when a person says so",
}
"""Stories in which something is left to a person, and why."""
EXITS = {"malicious": {0, 1}, "suspicious": {3}, "benign": {0}, "no-activity": {0}}


@pytest.mark.parametrize(("name", "upn", "label"), STORIES)
def test_answers_as_a_good_analyst_would(
    name: str, upn: str, label: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = label["verdict"]
    monkeypatch.setenv("RESPOND_LAB__DATA", name)
    answer = respond("--user", upn, "--json")
    assert answer.json["verdict"] == verdict, answer.json["findings"]
    assert answer.code in EXITS[verdict] | ({3} if name in LEFT_OPEN else set())
    contained = answer.json["outcome"] == "contained-verified"
    assert contained == (verdict == "malicious" and name not in LEFT_OPEN)
    done = {change["name"] for change in answer.json["actions"] if change["status"] == "done" and change["contains"]}
    assert set(label.get("rungs", ())) <= done


def test_what_the_user_does_in_other_sessions_is_no_part_of_the_story(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESPOND_LAB__DATA", "dug-in")
    answer = respond("--user", "ebba.sandqvist@contoso.com", "--json", "--dry-run")
    told = [moment["what"] for moment in answer.json["timeline"] if "with the token" in moment["what"]]
    assert told == [
        "3 Graph calls with the token from 198.51.100.211",
        "1 use of mail and files with the token from 198.51.100.211",
    ]


def test_a_consent_is_removed_under_the_name_that_the_application_goes_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESPOND_LAB__DATA", "dug-in")
    answer = respond("--user", "ebba.sandqvist@contoso.com", "--json", "--dry-run")
    removed = answer.action("remove_grant")
    assert removed["target"].startswith("Inbox Tidy (")


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
