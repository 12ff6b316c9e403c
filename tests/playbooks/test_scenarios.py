"""Every shipped scenario, judged by the product over HTTP as a good analyst would judge it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from respond.lab import scenario
from tests.helpers.command import Answer
from tests.helpers.shipped_stories import ShippedStories
from tests.helpers.shipped_stories import shipped as _shipped

shipped = _shipped
DUG_IN = ("dug-in", "ebba.sandqvist@contoso.com")
SPEAKING = {
    "admin-through-group-yuki.tanaka",
    "campaign-colin.frost",
    "commercial-vpn-aino.lehtonen",
    "container-and-cluster-meilin.ong",
    "contractor-coworking-bruno.salas.ext",
    "dug-in-ebba.sandqvist",
    "first-week-luca.brunner",
    "guest-mara.lindqvist_fabrikam.com#EXT#",
    "missing-table-lena.hoffmann",
    "moving-workspace-pilar.ortega",
    "new-machine-same-cloud-joost.hendriks",
    "partner-mailbox-lure-sanne.devries",
    "phones-new-office-panel.baltyk",
    "second-wave-lucie.hajkova",
    "seed-true-positive-target.user",
    "service-account-night-svc-reporting",
    "small-tenant-old-feed-liga.ozola",
}
"""Between them they have every finding, outcome, action and gap that any story has; `make soak` tells the others."""


def told(name: str, upn: str, person: Any) -> Any:
    """One person's story; the people of one story are answered for on one worker."""
    identifier = f"{name}-{upn.partition('@')[0]}"
    marks = [pytest.mark.xdist_group(name), *([] if identifier in SPEAKING else [pytest.mark.soak])]
    return pytest.param(name, upn, person, id=identifier, marks=marks)


STORIES = [told(name, upn, person) for name, _, expect in scenario.shipped() for upn, person in expect.items()]
LEFT_OPEN = {
    "guest": "the home tenant issues a guest's tokens",
    "consent-and-app": "the application that the session registered is disabled when a person says so",
}
"""Stories in which something is left to a person, and why."""
EXITS = {"malicious": {0, 1}, "suspicious": {3}, "benign": {0}, "no-activity": {0}}


@pytest.mark.parametrize(("name", "upn", "label"), STORIES)
def test_answers_as_a_good_analyst_would(name: str, upn: str, label: dict[str, Any], shipped: ShippedStories) -> None:
    verdict = label["verdict"]
    answer = shipped.answer(name, upn)
    assert answer.json["verdict"] == verdict, answer.json["findings"]
    assert answer.code in EXITS[verdict] | ({3} if name in LEFT_OPEN else set())
    contained = answer.json["outcome"] == "contained-verified"
    assert contained == (verdict == "malicious" and name not in LEFT_OPEN)
    done = {change["name"] for change in answer.json["actions"] if change["status"] == "done" and change["contains"]}
    assert set(label.get("rungs", ())) <= done


@pytest.mark.xdist_group("dug-in")
def test_what_the_user_does_in_other_sessions_is_no_part_of_the_story(shipped: ShippedStories) -> None:
    told = [moment["what"] for moment in shipped.answer(*DUG_IN).json["timeline"] if "with the token" in moment["what"]]
    assert told == [
        "3 Graph calls with the token from 198.51.100.211",
        "1 use of mail and files with the token from 198.51.100.211",
    ]


@pytest.mark.xdist_group("dug-in")
def test_a_consent_is_removed_under_the_name_that_the_application_goes_by(shipped: ShippedStories) -> None:
    removed = shipped.answer(*DUG_IN).action("remove_grant")
    assert removed["target"].startswith("Inbox Tidy (")


@pytest.mark.xdist_group("guest")
def test_a_guest_is_not_reported_as_contained(shipped: ShippedStories) -> None:
    answer = shipped.answer("guest", "mara.lindqvist_fabrikam.com#EXT#@contoso.com")
    assert (answer.code, answer.json["outcome"]) == (1, "not-contained")
    assert answer.action("revoke_sessions")["status"] == "refused"
    assert "home tenant" in answer.action("revoke_sessions")["summary"]
    assert answer.json["ticket"]["id"]


@pytest.mark.xdist_group("missing-table")
def test_a_missing_table_is_a_named_gap_and_clears_nobody(shipped: ShippedStories) -> None:
    answer = shipped.answer("missing-table", "lena.hoffmann@contoso.com")
    gaps = {gap["source"]: gap["reason"] for gap in answer.json["gaps"]}
    assert set(gaps) == {"AADNonInteractiveUserSignInLogs", "UrlClickEvents"}
    assert "no table or column named" in gaps["UrlClickEvents"]
    assert "redeemer-unseen" in {finding["id"] for finding in answer.json["findings"]}


@pytest.mark.xdist_group("admin-through-group")
def test_a_role_that_a_group_carries_counts(shipped: ShippedStories) -> None:
    privileged = found(shipped.answer("admin-through-group", "kenji.mori@contoso.com"), "privileged-user")
    assert "Global Administrator" in privileged["summary"]


def found(answer: Answer, finding: str) -> dict[str, Any]:
    return next(one for one in answer.json["findings"] if one["id"] == finding)


@pytest.mark.parametrize(
    ("story", "upn", "finding", "table", "words"),
    [
        pytest.param(
            "small-tenant-old-feed",
            "liga.ozola@contoso.com",
            "threat-intel-address",
            "ThreatIntelligenceIndicator",
            "on threat intelligence",
            id="an address in the old table",
            marks=pytest.mark.xdist_group("small-tenant-old-feed"),
        ),
        pytest.param(
            "partner-mailbox-lure",
            "sanne.devries@contoso.com",
            "lure-on-threat-intel",
            "ThreatIntelIndicators",
            "on threat intelligence",
            id="a lure's domain",
            marks=pytest.mark.xdist_group("partner-mailbox-lure"),
        ),
        pytest.param(
            "quishing-zapped",
            "rafael.quintero@contoso.com",
            "lure-delivered",
            "EmailEvents",
            "taken away later",
            id="a mail that was purged",
            marks=pytest.mark.xdist_group("quishing-zapped"),
        ),
    ],
)
def test_a_finding_names_its_rows(
    story: str, upn: str, finding: str, table: str, words: str, shipped: ShippedStories
) -> None:
    answer = shipped.answer(story, upn)
    assert answer.json["verdict"] == "malicious"
    one = found(answer, finding)
    assert words in one["summary"]
    (row,) = [row for row in one["evidence"] if row["table"] == table]
    assert re.search(rf'"{re.escape(row["id"])}"', (scenario.find(story) / f"{table}.jsonl").read_text())
