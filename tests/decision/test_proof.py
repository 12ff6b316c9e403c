"""The audit log as a second proof of a revocation: only an event after the attacker's last token proves anything."""

from __future__ import annotations

from datetime import timedelta

import pytest

from respond.decision.proof import with_second_proof
from respond.models.base import Source
from respond.models.evidence import Evidence, Footholds
from respond.models.ladder import Rung, Step
from respond.models.report import ActionStatus, Change
from tests.decision.test_ladder import AFTER, ground

STEP = Step(rung=Rung.REVOKE_SESSIONS, object="u", label="u", why="x", after=AFTER)
READ_BACK = Change(
    name="revoke_sessions",
    status=ActionStatus.DONE,
    target="u",
    summary="cut-off moved and read back",
    verified=True,
    step=STEP,
)


def logged(minutes: float) -> Evidence:
    row = Source(table="AuditLogs", id="Directory_1", at=AFTER + timedelta(minutes=minutes))
    return Evidence(footholds=Footholds(revocations=(row,)))


@pytest.mark.parametrize(
    ("change", "minutes", "proven"),
    [
        (READ_BACK, 1, True),
        (READ_BACK.model_copy(update={"status": ActionStatus.UNNEEDED}), 1, True),
        (READ_BACK, -1, False),
        (READ_BACK.model_copy(update={"verified": False}), 1, False),
        (READ_BACK.model_copy(update={"name": "disable_device"}), 1, False),
    ],
    ids=["a later event", "ended before", "an earlier event", "not read back", "another action"],
)
def test_the_audit_log_proves_what_was_read_back(change: Change, minutes: float, proven: bool) -> None:
    found = with_second_proof(ground(logged(minutes)), change)
    assert bool(found.proof) is proven
    assert ("the audit log has it too" in found.summary) is proven
    assert with_second_proof(ground(Evidence()), change) == change
