"""Single rules of single commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from respond.settings import load_settings, tickets_dir
from tests.helpers.command import VICTIM, respond
from tests.lab.running_lab import RunningLab

Lab = Callable[..., RunningLab]


def test_a_tenant_that_a_single_tenant_configuration_cannot_have_is_said_of_the_option() -> None:
    told = respond("--tenant", "foo", "cases")
    assert told.code == 2
    assert told.err.startswith("respond: --tenant foo: this configuration has one tenant; ")
    assert "RESPOND_" not in told.err


def test_the_variable_of_the_same_kind_is_still_taken_for_a_misspelt_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESPOND_TENANT", "azure")
    assert "two underscores" in respond("cases").err


@pytest.mark.parametrize("name", ["ladder.toml", "templates/notice.md.j2"])
def test_a_directory_with_any_part_of_the_configuration_is_one(name: str, tmp_path: Path) -> None:
    file = tmp_path / "mine" / name
    file.parent.mkdir(parents=True)
    source = Path("config") / name
    file.write_text(source.read_text())
    assert respond("--config", str(tmp_path / "mine"), "cases").code == 0
    (tmp_path / "empty").mkdir()
    refused = respond("--config", str(tmp_path / "empty"), "cases")
    assert refused.code == 2
    assert "ladder.toml" in refused.err
    assert "templates" in refused.err


def test_an_unknown_scenario_is_answered_with_those_that_are_called_alike() -> None:
    told = respond("lab", "load", "seed")
    assert (told.code, told.err.count("\n")) == (2, 1)
    assert "did you mean seed-true-positive" in told.err
    assert len(respond("lab", "load", "nosuch").err) < 200


def test_verdicts_of_scenarios_are_not_broken() -> None:
    lines = respond("lab", "scenarios").out.splitlines()
    assert sum("malicious" in line for line in lines) > 10
    assert not [line for line in lines if line.rstrip().endswith(("malic", "suspi", "no-"))]


def test_two_databases_in_one_directory_share_no_ticket_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = set()
    for name in ("respond", "other", "third"):
        monkeypatch.setenv("RESPOND_STATE__URL", f"sqlite:///{tmp_path / f'{name}.db'}")
        found.add(tickets_dir(load_settings(Path("config"))))
    assert len(found) == 3
    assert tmp_path / "tickets" in found


@pytest.mark.parametrize(
    ("link", "url"), [("", None), ("https://respond.contoso.com/", "https://respond.contoso.com/cases/")]
)
def test_a_ticket_without_pages_names_no_file(
    link: str, url: str | None, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab()
    monkeypatch.setenv("RESPOND_TICKETS__PAGES", "false")
    monkeypatch.setenv("RESPOND_NOTICES__LINK", link)
    report = respond("--user", VICTIM, "--json").json
    assert report["ticket"]["url"] == (url + report["case"] if url else None)
    assert not (tmp_path / "state" / "tickets").exists()
    assert "LAB-1" in respond("show", report["case"]).out
