"""Keep the report, and let go of the case.

Safe to repeat: the report is kept under the run's id, and only the run that holds a case lets go of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from actions.open_ticket import ticket_ref
from respond.models.case import Case
from respond.models.evidence import Fact
from respond.models.report import Report
from respond.step import process, read_action


@read_action()
async def close_run(case: Case, *, report: Report, facts: Sequence[Fact] = ()) -> Report:
    """The report with its total time, as it was kept.

    Args:
        facts: what later cases may share with this one; kept of live runs that found something.
    """
    now = datetime.now(UTC)
    total = round((now - case.started).total_seconds() * 1000)
    timings = report.timings_ms.model_copy(update={"total": total})
    store = process().store
    report = report.model_copy(
        update={
            "timings_ms": timings,
            "ticket": None if case.is_dry_run else ticket_ref(case),
            "sightings": store.intake.sightings(report.case),
        }
    )
    store.save(report, at=now)
    if not case.is_dry_run:
        store.remember(report, facts, at=now)
    store.release(case=report.case, run=case.run)
    return report
