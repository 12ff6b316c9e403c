"""Where pages go: stdout, as wide as the terminal but not wider than one reads; into a file, of one width."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, TextIO, cast

from rich.console import Console

from respond.defang import printable

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderableType
    from rich.segment import Segment

WIDTH = 110
_NARROWEST = 40
_BLANKS = re.compile(r"[ \t]+$", re.MULTILINE)


class SafeConsole(Console):
    """Shows text as text: nothing that a log, a directory or a service wrote is obeyed by the terminal."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))


def terminal() -> Console:
    """A console on stdout that colours nothing by itself.

    A file or a pipe gets lines of `$COLUMNS` characters where that is set, else of `WIDTH`, without trailing blanks.
    """
    console = SafeConsole(highlight=False)
    if console.is_terminal:
        console.width = min(console.width, WIDTH)
        return console
    told = os.environ.get("COLUMNS", "")
    width = max(int(told), _NARROWEST) if told.isascii() and told.isdigit() else WIDTH
    return SafeConsole(highlight=False, width=width, file=cast("IO[str]", _Trimmed(sys.stdout)))


class _Trimmed(io.TextIOBase):
    """A stream that gets no trailing blanks."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding or "utf-8"

    def write(self, text: str) -> int:
        self._stream.write(_BLANKS.sub("", text))
        return len(text)

    def flush(self) -> None:
        self._stream.flush()
