"""The pages: their commands are carried out in the lab, what they show is what is printed, and the site builds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
import yaml

from respond.cli.main import cli
from respond.lab import scenario
from respond.observe.metrics import Metrics
from respond.ranks import Places
from tests.helpers.command import ROOT
from tests.helpers.pages import PAGES, Command, blocks, carry_out, commands, matches, pieces
from tests.lab.running_lab import RunningLab
from tools.pages.write import pages

ELSEWHERE = {
    "deploy": {"az", "docker", "openssl", "sudo"},
    "install": {"docker"},
    "rotation": {"az", "openssl"},
    "sentinel": {"az", "curl", "docker", "openssl"},
}
"""Not carried out: blocks marked ```sh, by page, and the programs in them that no machine for tests has."""

DOCS = sorted((ROOT / "docs").glob("*.md"))


def page_name(page: Path) -> str:
    return page.stem


WITH_COMMANDS = [page for page in PAGES if any(isinstance(piece, Command) for piece in pieces(page.read_text()))]


SPEAKING = {"README"}
"""What a newcomer reads; the commands of the other pages are carried out in `make soak`."""


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page_name(page), marks=() if page_name(page) in SPEAKING else pytest.mark.soak)
        for page in WITH_COMMANDS
    ],
)
def test_the_commands_of_a_page_do_what_it_shows(
    page: Path, tmp_path: Path, lab: Callable[..., RunningLab], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("RESPOND_STATE__URL")
    ran = carry_out(page, tmp_path, RESPOND_LAB__URL=lab().url)
    wrong = [f"$ {one.command.line}\n{one.out}{one.err}exit {one.code}" for one in ran if one.code != one.command.code]
    wrong += [
        "\n".join([f"$ {one.command.line}", one.out + one.err, "--- the page shows", *one.command.shown])
        for one in ran
        if one.command.shown and not matches(one.command.shown, one.out + one.err)
    ]
    assert not wrong, "\n\n".join(wrong)


def unknown(line: str) -> list[str]:
    """What of a command line `respond` does not know: each call of it that names no command, each such option."""
    wrong = []
    for call in re.findall(r"(?:^|\s|\()respond\s+([^|>)]*)", re.sub(r"\\\n", " ", line)):
        command: click.Command = cli
        for word in call.partition(" # ")[0].split():
            if isinstance(command, click.Group) and word in command.commands:
                command = command.commands[word]
            elif word.startswith("--"):
                options = (name for option in command.params for name in (*option.opts, *option.secondary_opts))
                wrong += [word] if word not in {*options, "--help"} else []
        wrong += [call] if isinstance(command, click.Group) and "--user" not in call else []
    return wrong


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=page_name)
def test_a_page_names_commands_and_options_that_there_are(page: Path) -> None:
    lines = [piece.line for piece in pieces(page.read_text()) if isinstance(piece, Command)]
    assert [wrong for line in lines for wrong in unknown(line)] == []


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("respond cases --tenant contoso | grep DC", []),
        ("A=$(respond audit verify --head x) # exit 1", []),
        ("respond --user ann@contoso.com --dry-run", []),
        ("respond audit verify --quickly", ["--quickly"]),
        ("respond audits verify", ["audits verify"]),
        ("respond --dry-run", ["--dry-run"]),
    ],
)
def test_a_command_or_an_option_that_is_not_there_is_found(line: str, wrong: list[str]) -> None:
    assert unknown(line) == wrong


def programs(body: str) -> set[str]:
    """What stands where a shell looks for a program."""
    text = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*$", "", body, flags=re.MULTILINE))
    return set(re.findall(r"(?:^|\||&&|;|\$\(|\bdo\b)\s*(?:\w+=(?!\$\()\S*\s+)*([\w./-]+)(?!\S*=)", text, re.MULTILINE))


def test_what_is_not_carried_out_needs_a_program_that_is_not_here() -> None:
    found: dict[str, set[str]] = {}
    for page in PAGES:
        for kind, _, body in blocks(page.read_text()):
            if kind == "sh":
                found.setdefault(page.stem, set()).update(programs(body))
    everything = set().union(*ELSEWHERE.values())
    assert {name: used & everything for name, used in found.items()} == ELSEWHERE
    assert not [name for name, used in found.items() if "respond" in used], "a command that could run is ```console"


def test_no_command_hides_in_another_block() -> None:
    for page in PAGES:
        text = page.read_text()
        others = "".join(body for kind, _, body in blocks(text) if kind not in ("console", "sh"))
        outside = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
        assert not re.findall(r"^(?:    |\$ )(?:\w+=\S+ )*respond .*$", others + outside, re.MULTILINE), page.name


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("respond cases", {"respond"}),
        ("A=b respond cases", {"respond"}),
        ("cat x | respond audit verify", {"cat", "respond"}),
        ("A=$(respond cases)\n", {"respond"}),
        ("docker compose exec respond respond cases", {"docker"}),
        ("# respond cases\naz login", {"az"}),
        ("az x \\\n  respond", {"az"}),
    ],
)
def test_a_program_is_told_from_an_argument(line: str, found: set[str]) -> None:
    assert programs(line) == found


def test_a_block_is_read_as_commands_with_what_they_print() -> None:
    first, second, third = commands("$ one \\\n    more # exit 3\nsays …\n$ two\n$ three\n…\n")
    assert (first.line, first.code, first.shown) == ("one \\\n    more # exit 3", 3, ["says …"])
    assert (second.code, second.shown, third.shown) == (0, [], ["…"])


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        (["a … c"], "a b c\n", True),
        (["a   c"], "a c\n", True),
        (["a", "…", "c"], "a\nb\nb\nc\n", True),
        (["a", "…", "c"], "a\nc\n", True),
        (["a"], "a\nb\n", False),
        (["a", "c"], "a\nb\nc\n", False),
        (["a.c"], "abc\n", False),
        (["…"], "", True),
    ],
)
def test_dots_stand_for_anything_and_nothing_else_does(shown: list[str], printed: str, same: bool) -> None:
    assert matches(shown, printed) is same


@pytest.mark.parametrize("name", pages())
def test_a_page_that_a_program_writes_is_as_it_would_write_it(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == pages()[name], "run: make docs"


@pytest.mark.parametrize("page", DOCS, ids=page_name)
def test_every_relative_link_of_a_page_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    assert [link for link in links if not link.startswith("http") and not (page.parent / link).exists()] == []


def test_every_page_has_its_place_in_the_site() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    assert sorted(re.findall(r"[\w-]+\.md", str(site["nav"]))) == sorted(page.name for page in DOCS)


@pytest.mark.soak
def test_the_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (built.returncode, built.stdout + built.stderr) == (0, "")
    html = "".join(page.read_text() for page in tmp_path.glob("*.html"))
    assert "device code phishing" in html
    assert re.findall(r'<(?:script|link|img|iframe)[^>]+(?:src|href)="((?:https?:)?//[^"]+)"', html) == []


def test_the_figures_that_a_page_names_are_there() -> None:
    text = (ROOT / "docs" / "operating.md").read_text()
    named = set(re.findall(r"`(respond_\w+)`", text)) - {"respond_queue_depth", "respond_owed"}
    metrics = Metrics()
    metrics.observe_places(Places(1))
    known = set(re.findall(r"^# TYPE (\S+)", metrics.text().decode(), re.MULTILINE))
    assert named <= known, named - known


@pytest.mark.parametrize("page", ["README.md", "docs/first-response.md"])
def test_the_number_of_scenarios_that_a_page_names_is_the_number_that_ships(page: str) -> None:
    named = re.findall(r"(\w+) scenarios ship", (ROOT / page).read_text())
    assert set(named) <= {str(len(scenario.shipped()))}
