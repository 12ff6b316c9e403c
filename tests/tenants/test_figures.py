"""Figures of all tenants under one roof: every series once, each under its tenant's name."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from respond.models.intake import Trigger
from respond.observe.metrics import Answer, Metrics, Round
from respond.observe.tenants import TenantFigures


def figures(of_tenants: dict[str, str]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    front = TenantFigures(("alpha", "beta"))
    front.refused(Answer.UNAUTHORIZED)
    text = front.text(of_tenants).decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    found = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
    assert len(found) == len(samples)
    lines = [line for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(lines) == len(set(lines))
    return found


def test_each_tenants_figures_are_there_as_they_were_under_its_name() -> None:
    texts = {}
    for number, name in enumerate(("alpha", "beta"), 1):
        metrics = Metrics()
        metrics.took_over(number)
        metrics.round_done(Round.DONE)
        metrics.action_done("revoke_sessions", "done", 0.3)
        texts[name] = metrics.text().decode()
    found = figures(texts)
    for name, text in texts.items():
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = frozenset({**sample.labels, "tenant": name}.items())
                assert found[sample.name, labels] == sample.value
    assert found["respond_takeovers_total", frozenset({("tenant", "beta")})] == 2
    assert found["respond_front_refused_total", frozenset({("answer", "unauthorized")})] == 1
    assert set(Trigger) <= {value for _, labels in found for key, value in labels if key == "path"}


def test_figures_that_are_none_cost_nobody_else_theirs() -> None:
    metrics = Metrics()
    found = figures({"alpha": "{{{ no figures", "beta": metrics.text().decode()})
    assert found["respond_runs_in_progress", frozenset({("tenant", "beta")})] == 0
    assert found["respond_tenant_up", frozenset({("tenant", "alpha")})] == 0
