"""What tickets and notices say: `templates/*.md.j2` in the configuration, Jinja2 in a sandbox.

The first line of a file is the title, plain text; what follows is Markdown. One that the directory lacks comes from the
shipped copy. Those of a directory are read at the start, so that a mistake in one is an error before anything is done.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from respond.errors import UsageError
from respond.models.written import FACTS, Written
from respond.settings import shipped_config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from respond.rendering import Template


class Templates:
    """The templates of a configuration directory, with the shipped ones behind them.

    Args:
        given: those that the directory has, by name.
    """

    def __init__(self, given: Mapping[str, Template]) -> None:
        self._given = given

    def write(self, name: str, **facts: object) -> Written:
        """Fill a template in. One that fails loses no ticket: the shipped one says it, and what was wrong."""
        from respond.rendering import plain, render, shipped

        values = {key: plain(value) for key, value in facts.items()}
        return render(self._given.get(name), shipped(name), values)


def load_templates(directory: Path) -> Templates:
    """Read the templates of a configuration directory.

    Raises:
        UsageError: names the file and the line.
    """
    folder = directory / "templates"
    if not folder.is_dir() or folder.samefile(shipped_config() / "templates"):
        return Templates({})
    found = {path.name.removesuffix(".md.j2"): path for path in folder.glob("*.j2")}
    if unknown := sorted(found.keys() - FACTS):
        known = ", ".join(f"{name}.md.j2" for name in sorted(FACTS))
        raise UsageError(f"{found[unknown[0]]}: is not a known template; known: {known}")
    if not found:
        return Templates({})
    from respond.rendering import read  # Jinja2 takes long to load, and nobody else needs it before there is a ticket

    return Templates({name: read(path, name) for name, path in found.items()})
