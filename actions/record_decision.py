"""Keep in the audit log what was decided, and on what, before anything is done about it.

Safe to repeat: the log then says twice that the same was decided.
"""

from __future__ import annotations

from datetime import UTC, datetime

from respond.models.audit import AuditKind
from respond.models.case import Case
from respond.models.report import Verdict
from respond.step import process, read_action


@read_action()
async def record_decision(case: Case, *, verdict: Verdict) -> None:
    """Write one entry about a verdict that calls for something."""
    process().store.audit.append(
        tenant=case.tenant,
        case=case.id,
        run=case.run,
        actor="respond",
        kind=AuditKind.DECISION,
        what=f"{verdict.kind.value} {verdict.score}: {verdict.headline}",
        detail={
            "findings": {finding.id: finding.weight for finding in verdict.findings},
            "gaps": [gap.source for gap in verdict.gaps],
            "rows": list(verdict.guilty_rows),
        },
        at=datetime.now(UTC),
    )
