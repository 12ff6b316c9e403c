"""What a query finds, as JSON values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from respond.lab.kql_values import Column, column_type, converter

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_BATCH = 10_000


@dataclass(frozen=True)
class Result:
    """Column (name, Kusto type) and rows of JSON values; `complete` is False when the row limit cut it short."""

    columns: list[Column]
    rows: list[list[Any]]
    complete: bool


class Answer:
    """What a query finds. Iterating yields its rows as JSON values, some thousands at a time, and once only.

    Attributes:
        columns: name and Kusto type.
        complete: after the last row: False when the row limit cut it short.
    """

    def __init__(self, cursor: DuckDBPyConnection, row_limit: int) -> None:
        self.columns = [Column(str(name), column_type(str(kind))) for name, kind, *_ in cursor.description or []]
        self.complete = True
        self._cursor = cursor
        self._left = row_limit

    def __iter__(self) -> Iterator[list[list[Any]]]:
        converters: list[Callable[[Any], Any]] = [converter(column.type) for column in self.columns]
        while self.complete and (found := self._cursor.fetchmany(min(_BATCH, self._left + 1))):
            self.complete = len(found) <= self._left
            yield [
                [convert(value) for convert, value in zip(converters, row, strict=True)] for row in found[: self._left]
            ]
            self._left -= len(found)
