"""What the documents say is what the code does."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import click

from respond.cli.main import cli
from tests.actions.test_write_actions import declared
from tests.helpers.command import ROOT


def test_the_readme_names_each_permission_with_the_actions_that_need_it() -> None:
    needed: dict[str, set[str]] = {}
    for name, action in declared().items():
        for permission in action.permissions:
            needed.setdefault(permission, set()).add(name)
    rows = re.findall(
        r"^\| ([A-Z][\w. -]+?)(?: on the workspace| \(Graph, application\)) \| (.+) \|$", readme(), re.MULTILINE
    )
    told = {permission: set(re.findall(r"`(\w+)`", actions)) for permission, actions in rows}
    assert told == needed


def test_the_readme_lists_each_command_with_options_that_it_has() -> None:
    rows = re.findall(r"^\| `respond ([^`]*)` \|", readme(), re.MULTILINE)
    told: dict[str, set[str]] = {}
    for row in rows:
        words = row.replace("[", " ").replace("]", " ").split()
        name = " ".join(itertools.takewhile(lambda word: word.islower() and word[0].isalpha(), words))
        told.setdefault(name, set()).update(word for word in words if word.startswith("--"))
    known = dict(commands(cli))
    assert told.keys() == {name for name, command in known.items() if not isinstance(command, click.Group)} | {""}
    for name, options in told.items():
        has = {option for parameter in known[name].params for option in parameter.opts}
        assert options <= has, name


def commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    yield prefix.strip(), group
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def test_every_relative_link_of_the_readme_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", readme())
    assert links
    assert [link for link in links if not link.startswith("http") and not (ROOT / link).exists()] == []


def test_the_readme_opens_with_the_two_commands() -> None:
    opening = readme().split("##")[0]
    assert "make demo" in opening
    assert "make test" in opening


def readme() -> str:
    return (ROOT / "README.md").read_text()
