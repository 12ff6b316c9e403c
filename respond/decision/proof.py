"""What else shows that a containment took, beside what was read back. Pure."""

from __future__ import annotations

from respond.decision.ground import WHOLE_SECOND, Ground
from respond.models.ladder import Rung
from respond.models.report import Change


def with_second_proof(ground: Ground, change: Change) -> Change:
    """The revocation, and the audit log's own word on it, where it is there: it comes minutes later, for a later look.

    Only an event after the attacker's last token says anything about that token.
    """
    after = change.step.after if change.step else None
    if change.name != Rung.REVOKE_SESSIONS or not change.verified or after is None:
        return change
    told = [one for one in ground.evidence.footholds.revocations if one.at + WHOLE_SECOND > after]
    if not told:
        return change
    last = told[-1]
    words = f"the audit log has it too, at {last.at:%Y-%m-%d %H:%M:%SZ} ({last.id})"
    return change.model_copy(update={"summary": f"{change.summary}; {words}", "proof": (last,)})
