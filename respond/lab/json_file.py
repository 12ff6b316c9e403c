"""Strict reading of JSON that people write: UTF-8, no BOM, no NaN; errors say file and line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

from respond.errors import UsageError


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        UsageError: unreadable, not UTF-8, or it starts with a byte order mark.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error
    return decode(data, path)


def decode(data: bytes, path: Path, *, line: int = 1) -> str:
    """The text of a file, or of some lines of it.

    Args:
        line: number of the first of them.

    Raises:
        UsageError: not UTF-8, or the file starts with a byte order mark.
    """
    if line == 1 and data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise UsageError(f"{path}:1: starts with a byte order mark; save it as UTF-8 without BOM")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line += data.count(b"\n", 0, error.start)
        raise UsageError(f"{path}:{line}: not UTF-8 (byte 0x{data[error.start]:02x}); save it as UTF-8") from error


def unreadable(path: Path, error: OSError) -> UsageError:
    """The file cannot be opened or read."""
    return UsageError(f"{path}: cannot be read ({error.strerror})")


def parse(text: str, path: Path, *, line: int | None = None) -> Any:
    """Parse one JSON document.

    Args:
        line: where the text stands in the file, when it is one line of it.

    Raises:
        UsageError: not JSON, or it holds text that no service could have sent.
    """
    try:
        value = json.loads(text, parse_constant=_no_constant)
        if "\\u" in text:
            _check_text(value)
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}:{line or error.lineno}: not JSON: {error.msg} at column {error.colno}") from error
    except (ValueError, RecursionError) as error:
        where = f"{path}:{line}" if line else str(path)
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UsageError(f"{where}: not JSON the lab can hold: {reason}") from error
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _check_text(value: Any) -> None:
    """JSON can escape half a surrogate pair and NUL; neither can be stored as text."""
    text = json.dumps(value, ensure_ascii=False)
    if "\\u0000" in text:
        raise ValueError("a string holds the character NUL")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("a string holds half a surrogate pair") from None
