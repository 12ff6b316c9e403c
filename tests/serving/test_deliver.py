"""`respond lab deliver`: what Sentinel's automation rule would deliver, without Sentinel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from respond.lab import scenario
from respond.lab.incident_file import _check_entry
from respond.lab.sample_incident import sample_incident
from tests.helpers.command import VICTIM, respond
from tests.helpers.guarded_service import AUDIENCE, Guarded, guarded
from tests.webhook.test_gate import SECRET


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Guarded, Path]]:
    folder = tmp_path_factory.mktemp("deliver")
    with guarded(folder) as running:
        yield running, folder


@pytest.mark.parametrize(
    ("key", "value"), [("RESPOND_WEBHOOK__HMAC_SECRET", SECRET), ("RESPOND_WEBHOOK__AUDIENCE", AUDIENCE)]
)
def test_a_sample_incident_is_delivered_as_the_settings_ask_and_answered(
    key: str, value: str, there: tuple[Guarded, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    running, folder = there
    monkeypatch.setenv("RESPOND_LAB__URL", running.lab.url)
    monkeypatch.setenv("RESPOND_STATE__URL", f"sqlite:///{folder / 'state' / 'respond.db'}")
    refused = respond("lab", "deliver", "--url", running.service.url)
    assert refused.code == 1
    assert "401" in refused.err
    monkeypatch.setenv(key, value)
    told = respond("lab", "deliver", "seed-true-positive", "--url", running.service.url)
    assert told.code == 0, told
    assert "answer     202 " in told.out
    assert f"{VICTIM}  malicious 100  contained-verified" in told.out


def test_it_says_in_one_line_that_no_service_runs_or_that_the_lab_tells_another_story() -> None:
    told = respond("lab", "deliver", "--url", "http://127.0.0.1:9")
    assert (told.code, told.err.count("\n")) == (1, 1)
    assert "start `respond serve`" in told.err
    told = respond("lab", "deliver", "developer-habit")
    assert (told.code, told.err.count("\n")) == (2, 1)
    assert "respond lab load developer-habit" in told.err


@pytest.mark.parametrize("name", [name for name, _, expect in scenario.shipped() if expect])
def test_every_shipped_scenario_has_a_sample_incident_that_names_who_was_phished(name: str) -> None:
    story = scenario.outline(scenario.find(name))
    entry = sample_incident(story)
    _check_entry(entry, name)
    phished = sum(said["verdict"] in ("malicious", "suspicious") for said in story.expect.values())
    assert len(entry["entities"]) == (phished or len(story.expect))
    assert (
        entry["incident"]["properties"]["firstActivityTimeUtc"]
        <= entry["incident"]["properties"]["lastActivityTimeUtc"]
    )
