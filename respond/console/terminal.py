"""Where pages go: stdout, as wide as the terminal but not wider than one reads; into a file, of one width."""

from __future__ import annotations

from rich.console import Console

WIDTH = 110


def terminal() -> Console:
    """A console on stdout that colours nothing by itself."""
    console = Console(highlight=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    return console
