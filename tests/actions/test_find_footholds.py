"""A log of changes that was not read: what was added there is not known, and that is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actions.find_footholds import find_footholds
from respond.clients.operations import KNOWN, REVOKED, STRONG
from respond.models.evidence import Account, Footholds
from respond.settings import LabFault
from tests.helpers.command import VICTIM
from tests.helpers.dug_in_story import DUG_IN, USER_ID, write_story
from tests.helpers.incident_actions import act
from tests.lab.running_lab import RunningLab

Lab = Callable[..., RunningLab]


def found(lab: Lab, folder: Path, *, absent: str = "", **faults: Any) -> Footholds:
    place = write_story(folder)
    told = json.loads((place / "scenario.json").read_text())
    (place / "scenario.json").write_text(json.dumps(told | {"absent_tables": [absent] if absent else []}))
    if absent:
        (place / f"{absent}.jsonl").unlink()
    lab(place, faults=(LabFault(match="POST *", **faults),) if faults else ())
    user = Account(id=USER_ID, upn=VICTIM, display_name="Target User")
    return act(find_footholds, people=[user])[USER_ID]


@pytest.mark.parametrize("table", ["AuditLogs", pytest.param("OfficeActivity", marks=pytest.mark.soak)])
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "slow", "delay": "2s", "times": 0},
        {"status": 403},
        {"kind": "partial"},
    ],
    ids=["too late", "refused", "in part"],
)
def test_a_log_that_is_not_read_to_the_end_is_unread(
    fault: dict[str, Any], table: str, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault.get("kind") == "slow":
        monkeypatch.setenv("RESPOND_EVIDENCE__LIMIT", "1s")
    footholds = found(lab, tmp_path, contains=table, **fault)
    assert footholds.unread
    (reason,) = (gap.reason for gap in footholds.gaps if gap.source == table)
    assert "could not be looked for" in reason


@pytest.mark.parametrize(("table", "unread"), [("AuditLogs", True), ("OfficeActivity", False)])
def test_a_tenant_may_have_no_mailboxes_and_has_an_audit_log(
    table: str, unread: bool, lab: Lab, tmp_path: Path
) -> None:
    footholds = found(lab, tmp_path, absent=table)
    assert footholds.unread is unread
    (gap,) = footholds.gaps
    assert gap.source == table
    assert "could not be looked for" in gap.reason


def test_what_is_read_to_the_end_leaves_nothing_unread(lab: Lab, tmp_path: Path) -> None:
    footholds = found(lab, tmp_path)
    assert (footholds.unread, footholds.gaps) == (False, ())
    assert len(footholds.changes) == 4


def test_the_query_lets_through_every_operation_that_is_read(lab: Lab, tmp_path: Path) -> None:
    """One row of each, as long as a name is a whole one; what is added to a user is a property of the user."""
    place = write_story(tmp_path)
    properties = [
        {"displayName": name, "oldValue": "[]", "newValue": '[{"Id": "7", "KeyIdentifier": "7"}]'}
        for name in (f"{STRONG}PhoneAppDetail", "KeyDescription")
    ]
    rows = [
        {
            "TimeGenerated": DUG_IN,
            "ActivityDateTime": DUG_IN,
            "Id": f"known_{name}",
            "OperationName": name,
            "Result": "success",
            "InitiatedBy": {"user": {"id": USER_ID}},
            "TargetResources": [{"id": USER_ID, "type": "User", "modifiedProperties": properties}],
        }
        for name in KNOWN
    ]
    (place / "AuditLogs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lab(place)
    read = act(find_footholds, people=[Account(id=USER_ID, upn=VICTIM, display_name="Target User")])[USER_ID]
    found = {one.id for one in read.changes} | {one.id for one in read.revocations}
    assert REVOKED in KNOWN
    assert {row["Id"] for row in rows} - found == set()
