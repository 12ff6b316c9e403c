"""What the documents say is what the code does."""

from __future__ import annotations

import re

from tests.helpers.command import ROOT
from tests.test_write_actions import declared


def test_the_readme_names_each_permission_with_the_actions_that_need_it() -> None:
    needed: dict[str, set[str]] = {}
    for name, action in declared().items():
        for permission in action.permissions:
            needed.setdefault(permission, set()).add(name)
    rows = re.findall(
        r"^\| ([A-Z][\w. ]+?)(?: on the workspace| \(Graph, application\)) \| (.+) \|$", readme(), re.MULTILINE
    )
    told = {permission: set(re.findall(r"`(\w+)`", actions)) for permission, actions in rows}
    assert told == needed


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
