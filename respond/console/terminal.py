"""Where pages go: stdout, as wide as the terminal but not wider than one reads; into a file, of one width."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console

from respond.defang import printable

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderableType
    from rich.segment import Segment

WIDTH = 110


class SafeConsole(Console):
    """Shows text as text: nothing that a log, a directory or a service wrote is obeyed by the terminal."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))


def terminal() -> Console:
    """A console on stdout that colours nothing by itself."""
    console = SafeConsole(highlight=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    return console
