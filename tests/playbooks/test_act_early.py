"""Acting before all evidence is there: the tokens end while slow questions are still open, and nothing else changes."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.helpers.command import VICTIM, Answer, respond, revocations
from tests.lab.running_lab import RunningLab

Start = Callable[..., RunningLab]
SLOW = {"logs_latency": "300ms", "concurrent_queries": 2}
"""Two questions at a time: the last ones wait for a second and more."""

FINDINGS = {"threat-intel-address", "lure-clicked", "token-reads", "first-device-code", "new-country", "high-risk"}


def respond_watched(tenant: RunningLab) -> tuple[Answer, list[dict[str, Any]]]:
    """The answer, and the requests as the lab knew them when the revocation had arrived; status 0: no answer yet."""

    def seen() -> list[dict[str, Any]]:
        for _ in range(600):
            calls: list[dict[str, Any]] = tenant.get("/_lab/requests")
            if any("revokeSignInSessions" in call["path"] for call in calls):
                return calls
            time.sleep(0.02)
        pytest.fail("no revocation within 12 seconds")

    with ThreadPoolExecutor(1) as pool:
        calls = pool.submit(seen)
        answer = respond("--user", VICTIM, "--json")
        return answer, calls.result()


def unanswered(calls: list[dict[str, Any]]) -> int:
    return sum(call["path"].endswith("/query") and call["status"] == 0 for call in calls)


def queries(calls: list[dict[str, Any]]) -> int:
    return sum(call["path"].endswith("/query") for call in calls)


def told(answer: Answer) -> dict[str, Any]:
    """What does not depend on when it was found out."""
    keys = ("case", "verdict", "score", "headline", "findings", "gaps", "legs", "timeline", "outcome")
    return {key: answer.json[key] for key in keys}


def whole(answer: Answer) -> bool:
    return {finding["id"] for finding in answer.json["findings"]} >= FINDINGS and answer.json["gaps"] == []


def test_it_acts_before_the_last_evidence_and_reports_all_of_it(lab: Start) -> None:
    tenant = lab(**SLOW)
    answer, calls = respond_watched(tenant)
    assert answer.json["outcome"] == "contained-verified"
    assert unanswered(calls) > 0
    assert whole(answer)
    times = answer.json["timings_ms"]
    assert times["decided"] < times["contained"]
    assert times["decided"] < times["evidence"] <= times["total"]
    assert len(revocations(tenant)) == 1


def test_told_not_to_it_acts_after_the_last_evidence(lab: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESPOND_HUNT__ACT_EARLY", "false")
    tenant = lab(**SLOW)
    answer, calls = respond_watched(tenant)
    assert answer.json["outcome"] == "contained-verified"
    assert unanswered(calls) == 0
    # Who else got the lure is for the ticket, and asked when everything is done.
    assert queries(calls) == queries(tenant.get("/_lab/requests")) - 1
    assert whole(answer)
    times = answer.json["timings_ms"]
    assert times["evidence"] <= times["decided"] < times["contained"]


@pytest.mark.soak
def test_early_or_late_a_dry_run_plans_the_same_and_a_live_run_does_it(
    lab: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = lab()
    early = respond("--user", VICTIM, "--dry-run", "--json")
    monkeypatch.setenv("RESPOND_HUNT__ACT_EARLY", "false")
    late = respond("--user", VICTIM, "--dry-run", "--json")
    assert told(early) == told(late)
    assert early.json["actions"] == late.json["actions"]
    assert [action["status"] for action in early.json["actions"]] == ["planned", "planned"]
    assert tenant.get("/_lab/writes") == []
    monkeypatch.delenv("RESPOND_HUNT__ACT_EARLY")
    live = respond("--user", VICTIM, "--json")
    assert told(live) | {"outcome": ""} == told(early) | {"outcome": ""}
    assert [action["name"] for action in live.json["actions"]] == [action["name"] for action in early.json["actions"]]


def test_what_is_not_malicious_waits_for_all_of_the_evidence(lab: Start) -> None:
    tenant = lab("suspicious-first-time", **SLOW)
    answer = respond("--user", "helen.castro@contoso.com", "--json")
    assert (answer.code, answer.json["outcome"]) == (3, "awaiting-approval")
    times = answer.json["timings_ms"]
    assert times["evidence"] <= times["decided"]
    assert revocations(tenant) == []
