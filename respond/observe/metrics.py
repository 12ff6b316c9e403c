"""Figures for Prometheus, in a registry of their own.

https://prometheus.io/docs/practices/naming

Every label takes its values from a finite set: what comes from outside is looked up in one, or is `other`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from enum import StrEnum
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from respond import __version__
from respond.errors import Service
from respond.log_schema import sentinel_tables, xdr_tables
from respond.models.intake import Trigger
from respond.models.notice import Shape
from respond.models.owed import OwedKind
from respond.models.report import ActionStatus, Outcome, Report, VerdictKind
from respond.observe.logs import Level, log
from respond.observe.setbacks import SETBACKS, Setbacks
from respond.plain_errors import named
from respond.ranks import Places, Rank
from respond.response_mode import ResponseMode

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
OTHER = "other"

_TO_CONTAIN = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
_ACTION = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 150)
_DELIVERY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_NO_TABLES = ("clock", "directory roles", "riskyUsers", "lures")
_MOST_NAMES = 64
_READ_WITHIN = 0.8
"""Seconds that a figure of the database may take; with two of them, the front door's patience is not used up."""

QueueDepth = Callable[[], Mapping[str, int]]


class Answer(StrEnum):
    """What became of a delivery."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    MALFORMED = "malformed"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    TOO_LARGE = "too-large"
    TOO_SLOW = "too-slow"
    NOT_JSON = "not-json"
    OVERLOADED = "overloaded"
    FAILED = "failed"


class Round(StrEnum):
    """What became of one look of the schedule."""

    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


class WriteBack(StrEnum):
    """What became of a comment or tag on an incident."""

    WRITTEN = "written"
    REFUSED = "refused"
    """Sentinel did not take it: the incident does not show the answer."""


WRITE_BACKS = ("comment_incident", "tag_incident")
"""Actions that write to an incident."""


class Metrics:
    """The figures of one process. Methods may be called from any thread."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry(auto_describe=True)

        def counter(name: str, help_text: str, *labels: str) -> Counter:
            return Counter(f"respond_{name}_total", help_text, labels, registry=registry)

        def gauge(name: str, help_text: str, *labels: str) -> Gauge:
            return Gauge(f"respond_{name}", help_text, labels, registry=registry)

        def histogram(name: str, help_text: str, buckets: Sequence[float], *labels: str) -> Histogram:
            return Histogram(f"respond_{name}_seconds", help_text, labels, buckets=buckets, registry=registry)

        ProcessCollector(registry=registry)
        registry.register(SetbackFigures(SETBACKS))
        Info("respond_build", "The version that runs.", registry=registry).info({"version": __version__})
        self._mode = gauge("mode", "1 for the response mode in force (response.mode), 0 for the others.", "mode")
        self._cases = counter("cases", "Runs that ended with a report of their own.", "verdict", "outcome")
        self._contain = histogram("time_to_contain", "From the trigger to the containment.", _TO_CONTAIN, "path")
        self._running = gauge("runs_in_progress", "Runs that this process works on.")
        self._actions = counter("actions", "Actions that ended.", "action", "status")
        self._action_seconds = histogram("action", "How long an action took, waits included.", _ACTION, "action")
        self._retries = counter("retries", "Requests that had to be sent again.", "service")
        self._throttled = counter("throttled", "Of those, the ones answered with 429.", "service")
        self._pace_wait = histogram("pace_wait", "Waits for a turn at a service's limit.", _ACTION, "service")
        self._deliveries = counter("deliveries", "Requests to the webhook.", "shape", "answer")
        self._delivery_seconds = histogram("delivery", "From a delivery's first byte to its 202.", _DELIVERY)
        self._gaps = counter("gaps", "What a run could not know.", "source")
        self._write_backs = counter("write_backs", "Comments and tags on incidents in Sentinel.", "action", "result")
        self._last_round = gauge("schedule_last_success_timestamp_seconds", "When the scheduled hunt last got through.")
        self._rounds = counter("schedule_rounds", "Scheduled hunts.", "result")
        self._skew = gauge("clock_skew_seconds", "How far the services' clock is ahead of this machine's.")
        self._takeovers = counter("takeovers", "Runs of dead processes taken over by this one.")
        self._names: set[str] = set()
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        """A rate can be told from the first event on only where a series was there before it."""
        for verdict in VerdictKind:
            for outcome in Outcome:
                self._cases.labels(verdict, outcome)
        for path in Trigger:
            self._contain.labels(path)
        for service in Service:
            self._retries.labels(service)
            self._throttled.labels(service)
            self._pace_wait.labels(service)
        for action in WRITE_BACKS:
            for written in WriteBack:
                self._write_backs.labels(action, written)
        for result in Round:
            self._rounds.labels(result)
        for answer in Answer:
            self._deliveries.labels(Shape.INCIDENT, answer)

    def text(self) -> bytes:
        """What `/metrics` answers with, as `CONTENT_TYPE`. Blocks as long as the queue's depth takes to read."""
        return generate_latest(self._registry)

    def mode_is(self, mode: ResponseMode) -> None:
        """How far this process goes without a person."""
        for one in ResponseMode:
            self._mode.labels(one).set(one is mode)

    def report_done(self, report: Report, path: Trigger) -> None:
        """A run ended with a report. One that found everything answered already is no new case."""
        for gap in report.gaps:
            self._gaps.labels(source_label(gap.source)).inc()
        if report.repeat:
            return
        self._cases.labels(report.verdict, report.outcome).inc()
        if report.timings_ms.contained is not None:
            self._contain.labels(path).observe(report.timings_ms.contained / 1000)

    def run_began(self) -> None:
        self._running.inc()

    def run_ended(self) -> None:
        self._running.dec()

    def action_done(self, action: str, status: str, seconds: float) -> None:
        """An action ended.

        Args:
            status: that of its change; `done` or `failed` for a question.
        """
        name = self._bounded(action)
        self._actions.labels(name, status if status in set(ActionStatus) else OTHER).inc()
        self._action_seconds.labels(name).observe(seconds)
        if name in WRITE_BACKS:
            lost = status in (ActionStatus.FAILED, ActionStatus.REFUSED)
            self._write_backs.labels(name, WriteBack.REFUSED if lost else WriteBack.WRITTEN).inc()

    def retried(self, service: Service | None, *, throttled: bool) -> None:
        """A request is going to be sent again."""
        self._retries.labels(service or Service.OTHER).inc()
        if throttled:
            self._throttled.labels(service or Service.OTHER).inc()

    def waited_for_turn(self, service: Service | None, seconds: float) -> None:
        """A request was held back to keep a service's limit."""
        self._pace_wait.labels(service or Service.OTHER).observe(seconds)

    def delivery(self, shape: Shape | None, answer: Answer, seconds: float) -> None:
        """A request to the webhook was answered.

        Args:
            shape: None where it did not come to be read.
        """
        self._deliveries.labels(shape or "unknown", answer).inc()
        if answer in (Answer.ACCEPTED, Answer.DUPLICATE):
            self._delivery_seconds.observe(seconds)

    def round_done(self, result: Round) -> None:
        """The scheduled hunt ended."""
        self._rounds.labels(result).inc()
        if result is Round.DONE:
            self._last_round.set_to_current_time()

    def took_over(self, runs: int = 1) -> None:
        """Runs of a dead process go on here."""
        self._takeovers.inc(runs)

    def observe_breakers(self, unasked: Callable[[], Mapping[Service, int]]) -> None:
        """Have read at each scrape how many endpoints of each service are not asked, because they do not answer."""
        self._registry.register(_Breakers(unasked))

    def observe_clock(self, ahead: Callable[[], float]) -> None:
        """Have read at each scrape by how many seconds the services are ahead of this machine."""
        self._skew.set_function(ahead)

    def observe_places(self, places: Places) -> None:
        """Have read at each scrape how many runs work and wait, by rank."""
        self._registry.register(_Runs(places))

    def observe_queue(self, depth: QueueDepth) -> None:
        """Have the queue's depth read at each scrape.

        Args:
            depth: how many wait, by state. May be slow, and may fail: then this figure is missing, the others are not.
        """
        self._registry.register(_Counted("respond_queue_depth", "Work that waits, by state.", "state", depth))

    def observe_owed(self, owed: QueueDepth) -> None:
        """Have read at each scrape how much an outage has kept from being done, by kind. May fail, as the depth may."""
        kinds = {kind.value: 0 for kind in OwedKind}
        text = "Work that an outage kept from being done, and that is tried again, by kind."
        self._registry.register(_Counted("respond_owed", text, "kind", lambda: {**kinds, **owed()}))

    def _bounded(self, action: str) -> str:
        """Actions are functions of ours, and not many; should that ever change, a scraper must not pay for it."""
        if action not in self._names and (len(self._names) >= _MOST_NAMES or not re.fullmatch(r"\w{1,60}", action)):
            return OTHER
        self._names.add(action)
        return action


class _Breakers(Collector):
    def __init__(self, unasked: Callable[[], Mapping[Service, int]]) -> None:
        self._unasked = unasked

    def collect(self) -> Iterable[GaugeMetricFamily]:
        text = "Endpoints that are not asked, because they have not answered."
        family = GaugeMetricFamily("respond_breaker_open", text, labels=["service"])
        for service, number in self._unasked().items():
            family.add_metric([service], number)
        yield family


class SetbackFigures(Collector):
    """What fails in a process and is tried again."""

    def __init__(self, setbacks: Setbacks) -> None:
        self._setbacks = setbacks

    def collect(self) -> Iterable[Metric]:
        text = "Turns of a background loop that failed; each is tried again."
        failed = CounterMetricFamily("respond_loop_setbacks", text, labels=["loop"])
        text = "Whether the last turn of a background loop failed."
        failing = GaugeMetricFamily("respond_loop_failing", text, labels=["loop"])
        for loop, (times, fails) in self._setbacks.loops().items():
            failed.add_metric([loop], times)
            failing.add_metric([loop], fails)
        text = "Rows of the state database that cannot be worked on and are passed over, by kind."
        rows = GaugeMetricFamily("respond_rows_passed_over", text, labels=["kind"])
        for kind, number in self._setbacks.passed_over().items():
            rows.add_metric([kind], number)
        yield from (failed, failing, rows)


class _Runs(Collector):
    def __init__(self, places: Places) -> None:
        self._places = places

    def collect(self) -> Iterable[GaugeMetricFamily]:
        for name, text, numbers in (
            ("working", "Runs about a user that have a place to work in, by rank.", self._places.working()),
            ("waiting", "Runs about a user that wait for a place, by rank.", self._places.waiting()),
        ):
            family = GaugeMetricFamily(f"respond_runs_{name}", text, labels=["rank"])
            for each in Rank:
                family.add_metric([each.label], numbers[each])
            yield family


class _Counted(Collector):
    """A figure that is counted in the database at each scrape."""

    def __init__(self, name: str, text: str, label: str, count: QueueDepth) -> None:
        self._name, self._text, self._label, self._count = name, text, label, count
        self._lock = threading.Lock()
        self._reading: Future[dict[str, int]] | None = None

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Without values: registering must not read the queue."""
        yield self._family()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        family = self._family()
        try:
            counts = self._read().result(timeout=_READ_WITHIN)
        except Exception as error:  # noqa: BLE001 - a database that is down or hangs must not take every figure with it
            log("queue-unread", level=Level.WARNING, error=named(error))
            return
        for value, number in sorted(counts.items())[:_MOST_NAMES]:
            family.add_metric([value], number)
        yield family

    def _read(self) -> Future[dict[str, int]]:
        """One reading at a time, however many ask."""
        with self._lock:
            if self._reading is None or self._reading.done():
                self._reading = Future()
                threading.Thread(target=self._count_into, args=(self._reading,), name=self._name, daemon=True).start()
            return self._reading

    def _count_into(self, reading: Future[dict[str, int]]) -> None:
        try:
            reading.set_result(dict(self._count()))
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            reading.set_exception(error)

    def _family(self) -> GaugeMetricFamily:
        return GaugeMetricFamily(self._name, self._text, labels=[self._label])


def source_label(source: str) -> str:
    """The table of a gap, or one of the few other sources; `SigninLogs (history)` counts as `SigninLogs`."""
    plain = source.partition(" (")[0]
    return plain if plain in _sources() else OTHER


@cache
def _sources() -> frozenset[str]:
    return frozenset((*sentinel_tables(), *xdr_tables(), *_NO_TABLES))
