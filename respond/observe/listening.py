"""What a service tells about its work: a log line and the figures of every action, every wait and every run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from respond import progress
from respond.models.report import Attached, Report
from respond.observe.logs import Level, log
from respond.observe.metrics import Metrics
from respond.observe.runs import Run, watching
from respond.plain_errors import named
from respond.progress import Event, Kind


@contextmanager
def observing(metrics: Metrics) -> Iterator[None]:
    """Until the end of the block, tell of everything that this process does."""
    observer = _Observer(metrics)
    with progress.listening(observer.hear), watching(observer):
        yield


class _Observer:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def hear(self, event: Event) -> None:
        """One moment of an action."""
        match event.kind:
            case Kind.WAITING:
                self._metrics.retried(event.service, throttled=event.throttled)
                log(
                    "action-waiting",
                    level=Level.WARNING,
                    action=event.action or None,
                    service=event.service,
                    throttled=event.throttled,
                    seconds=round(event.seconds, 3),
                    reason=event.text,
                )
            case Kind.QUEUED:
                self._metrics.waited_for_turn(event.service, event.seconds)
            case Kind.DONE | Kind.FAILED:
                self._metrics.action_done(event.action, event.status, event.seconds)
                failed = event.kind is Kind.FAILED
                log(
                    f"action-{event.kind}",
                    level=Level.WARNING if failed else Level.INFO,
                    action=event.action,
                    status=event.status,
                    seconds=round(event.seconds, 3),
                    reason=event.text or None,
                )

    def began(self, run: Run) -> None:
        """Not told: its end is."""
        if run.case.who:
            self._metrics.run_began()

    def ended(self, run: Run) -> None:
        """One line, whatever became of it. Of runs about nobody, which answer a delivery by others, if they broke."""
        if not run.case.who and run.error is None:
            return
        if run.case.who:
            self._metrics.run_ended()
        match run:
            case Run(answer=Report() as report):
                self._metrics.report_done(report, run.case.trigger)
                _tell(run, "run-done", Level.INFO, _summary(report))
            case Run(answer=Attached() as attached):
                _tell(run, "run-attached", Level.INFO, {"case": attached.case, "to": attached.run})
            case Run(error=Exception() as error):
                _tell(run, "run-failed", Level.ERROR, {"error": named(error)})
            case Run(is_over=False):
                _tell(run, "run-interrupted", Level.WARNING, {})


def _tell(run: Run, event: str, level: Level, more: Mapping[str, object]) -> None:
    log(event, level=level, path=run.case.trigger, mode=run.case.mode, seconds=round(run.seconds, 3), **more)


def _summary(report: Report) -> dict[str, object]:
    """Who it was is said by object id: enough to find the case, and no name in the logs."""
    return {
        "case": report.case,
        "user": report.user.id,
        "verdict": report.verdict,
        "score": report.score,
        "outcome": report.outcome,
        "actions": {change.name: change.status for change in report.actions},
        "gaps": sorted({gap.source for gap in report.gaps}),
        "ticket": report.ticket.id if report.ticket else None,
        "repeat": report.repeat,
        "contained_ms": report.timings_ms.contained,
    }
