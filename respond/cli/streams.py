"""Standard output and error, whatever they are: a terminal, a file, a pipe that closes early, an ASCII locale."""

from __future__ import annotations

import codecs
import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

_AS_JSON = "respond-json"


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """A codec error handler: characters that the encoding lacks, as JSON strings spell them in ASCII."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error(_AS_JSON, _escaped)


def writes_json() -> None:
    """From here on standard output carries JSON: a character that the encoding lacks is escaped, not lost."""
    stream = getattr(sys.stdout, "reconfigure", None)
    if stream:
        stream(errors=_AS_JSON)


@contextmanager
def steady_output() -> Iterator[None]:
    """Within the block no write to standard output or error fails because of its encoding or its reader.

    A character that the encoding lacks is shown as `?`, or escaped in JSON (`writes_json`). When the reader of a pipe
    has gone (`respond hunt | head -1`), the rest is dropped and the command ends with its own exit code.
    """
    before = sys.stdout, sys.stderr
    for stream in before:
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="replace")
    sys.stdout, sys.stderr = (_Pipe(stream) if isinstance(stream, io.TextIOWrapper) else stream for stream in before)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(ValueError):  # it was closed
                stream.flush()
        sys.stdout, sys.stderr = before


class _Pipe:
    """A text stream whose reader may go away."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._drop()
            return len(text)

    def writelines(self, lines: Iterator[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._drop()

    def _drop(self) -> None:
        """Have what is buffered, and what follows, go nowhere."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
