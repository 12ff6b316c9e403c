"""The rows of a scenario's tables, read and checked as they are asked for: never all of them are in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from respond.errors import UsageError
from respond.lab.columns import EXPECTED, Columns, columns_of, fits
from respond.lab.json_file import decode, parse, unreadable

Row = dict[str, Any]

_PART = 32 * 1024 * 1024
"""Bytes."""


@dataclass(frozen=True)
class Part:
    """Some whole lines of a table's file.

    Attributes:
        start, end: bytes from the beginning of the file.
    """

    path: Path
    start: int
    end: int


@dataclass(frozen=True)
class TableFile:
    """The file of one table. Iterating reads it: rows with the columns that the file gives.

    Attributes:
        size: bytes.
    """

    path: Path
    size: int

    @property
    def table(self) -> str:
        return self.path.stem

    def __iter__(self) -> Iterator[Row]:
        """Every row, in the order of the file.

        Raises:
            UsageError: as `read_rows`.
        """
        for part in self.parts():
            yield from read_rows(part)

    def parts(self) -> Iterator[Part]:
        """The file in parts of about 32 MB.

        Raises:
            UsageError: it cannot be read.
        """
        start = 0
        try:
            with self.path.open("rb") as file:
                while start < self.size:
                    file.seek(start + _PART)
                    file.readline()
                    end = min(file.tell(), self.size)
                    yield Part(self.path, start, end)
                    start = end
        except OSError as error:
            raise unreadable(self.path, error) from error


def read_rows(part: Part) -> Iterator[Row]:
    """The rows of a part, each checked against the columns of its table.

    Raises:
        UsageError: names file, line and column of what cannot be read or does not fit.
    """
    path, columns = part.path, columns_of(part.path.stem) or {}
    for number, data in enumerate(_lines(part), start=1):
        try:
            row = _row(data, columns, path, number)
        except UsageError:
            if part.start:
                # lines are counted from the start of the file only now that somebody wants to know
                _row(data, columns, path, number + _lines_before(part))
            raise
        if row is not None:
            yield row


def _row(data: bytes, columns: Columns, path: Path, number: int) -> Row | None:
    line = decode(data, path, line=number)
    if not line.strip():
        return None
    row = parse(line, path, line=number)
    if not isinstance(row, dict):
        raise UsageError(f"{path}:{number}: each line is one JSON object")
    _check(row, columns, path, number)
    return row


def _lines_before(part: Part) -> int:
    return sum(1 for _ in _lines(Part(part.path, 0, part.start)))


def _lines(part: Part) -> Iterator[bytes]:
    try:
        with part.path.open("rb") as file:
            file.seek(part.start)
            left = part.end - part.start
            while left > 0 and (line := file.readline()):
                left -= len(line)
                yield line
    except OSError as error:
        raise unreadable(part.path, error) from error


def _check(row: Row, columns: Columns, path: Path, number: int) -> None:
    for name, value in row.items():
        kind = columns.get(name)
        if kind is None:
            raise UsageError(f"{path}:{number}: column {name!r} is not in table {path.stem}")
        # nearly every cell is text in a column of text: said without a call
        if (kind != "string" or type(value) is not str) and not fits(kind, value):
            raise UsageError(f"{path}:{number}: column {name} ({kind}) must be {EXPECTED[kind]}, not {value!r:.60}")
