"""The figures of the front door, and those of every tenant's process beside them under a `tenant` label.

https://prometheus.io/docs/concepts/data_model
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from respond.observe.logs import Level, log
from respond.observe.metrics import Answer, SetbackFigures
from respond.observe.setbacks import SETBACKS


class TenantFigures:
    """The figures of the process that passes deliveries on.

    Args:
        names: of the tenants.
    """

    def __init__(self, names: Iterable[str]) -> None:
        registry = self._registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=registry)
        told = "Whether the tenant's process answers."
        self._up = Gauge("respond_tenant_up", told, ("tenant",), registry=registry)
        told = "How often the tenant's process had to be started again."
        self._restarts = Counter("respond_tenant_restarts_total", told, ("tenant",), registry=registry)
        told = "Deliveries that were passed on to the tenant's process, by whether it answered."
        self._passed = Counter("respond_front_passed_on_total", told, ("tenant", "answered"), registry=registry)
        told = "Deliveries that were passed on to nobody."
        self._refused = Counter("respond_front_refused_total", told, ("answer",), registry=registry)
        registry.register(SetbackFigures(SETBACKS))
        for name in names:
            self._up.labels(name).set(0)
            self._restarts.labels(name)
            for answered in ("yes", "no"):
                self._passed.labels(name, answered)

    def up(self, tenant: str, *, is_up: bool) -> None:
        """It answers, or does not."""
        self._up.labels(tenant).set(is_up)

    def restarted(self, tenant: str) -> None:
        self._restarts.labels(tenant).inc()

    def passed_on(self, tenant: str, *, answered: bool) -> None:
        self._passed.labels(tenant, "yes" if answered else "no").inc()

    def refused(self, answer: Answer) -> None:
        self._refused.labels(answer).inc()

    def text(self, of_tenants: Mapping[str, str]) -> bytes:
        """What `/metrics` answers with.

        Args:
            of_tenants: what those processes answered with, by name; one that did not answer is missing.
        """
        both = CollectorRegistry(auto_describe=False)
        both.register(_Together(generate_latest(self._registry).decode(), of_tenants))
        return generate_latest(both)


class _Together(Collector):
    def __init__(self, front: str, of_tenants: Mapping[str, str]) -> None:
        self._front = front
        self._of_tenants = of_tenants

    def collect(self) -> Iterable[Metric]:
        """Every family once, with the samples of all."""
        families: dict[str, Metric] = {}
        self._add(families, self._front, {})
        for name, text in self._of_tenants.items():
            try:
                self._add(families, text, {"tenant": name})
            except ValueError as error:
                log("figures-unread", level=Level.WARNING, tenant=name, error=f"{type(error).__name__}: {error}")
        yield from families.values()

    def _add(self, families: dict[str, Metric], text: str, labels: Mapping[str, str]) -> None:
        for found in text_string_to_metric_families(text):
            family = families.setdefault(found.name, Metric(found.name, found.documentation, found.type))
            for sample in found.samples:
                family.samples.append(sample._replace(labels={**sample.labels, **labels}))
