"""Calls to Graph that the workspace does not collect are read from Defender, joined by the token."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.helpers.command import VICTIM, respond

if TYPE_CHECKING:
    from tests.lab.running_lab import RunningLab

OURS, THEIRS = "MicrosoftGraphActivityLogs", "GraphAPIAuditEvents"


def _as_defender_has_it(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "Timestamp": row["TimeGenerated"],
        "AccountObjectId": row["UserId"],
        "ApplicationId": row["AppId"],
        "UniqueTokenIdentifier": row["SignInActivityId"],
        "IpAddress": row["IPAddress"],
        "RequestMethod": row["RequestMethod"],
        "RequestUri": row["RequestUri"],
    }


def _moved(story: Path) -> Path:
    """The same calls in Defender's table, and no such table in the workspace."""
    file, scenario = story / f"{OURS}.jsonl", story / "scenario.json"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    file.unlink()
    (story / f"{THEIRS}.jsonl").write_text("".join(json.dumps(_as_defender_has_it(row)) + "\n" for row in rows))
    scenario.write_text(json.dumps(json.loads(scenario.read_text()) | {"absent_tables": [OURS]}))
    return story


@pytest.mark.soak
def test_calls_that_the_workspace_does_not_collect_are_read_from_defender_and_by_token_alone(
    lab: Callable[..., RunningLab], seed_variant: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = lab(_moved(seed_variant()))
    answer = respond("--user", VICTIM, "--dry-run", "--json").json
    reads = {finding["id"]: finding for finding in answer["findings"]}["token-reads"]
    assert {row["table"] for row in reads["evidence"]} == {THEIRS}
    assert OURS in {gap["source"] for gap in answer["gaps"]}
    monkeypatch.setenv(f"RESPOND_SOURCES__{OURS.upper()}", "workspace")
    before = len([call for call in tenant.get("/_lab/requests") if "unHuntingQuery" in call["path"]])
    answer = respond("--user", VICTIM, "--dry-run", "--json").json
    assert "token-reads" not in {finding["id"] for finding in answer["findings"]}
    after = len([call for call in tenant.get("/_lab/requests") if "unHuntingQuery" in call["path"]])
    assert after - before < before
