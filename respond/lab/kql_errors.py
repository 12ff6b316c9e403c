"""Why a query is not answered, in the words of Kusto where they are known."""

from __future__ import annotations

import re
from typing import Any

from respond.lab import kql_text


class QueryError(Exception):
    """The query is not answered.

    Attributes:
        code: SyntaxError, SemanticError, or EngineLimit when Kusto might well have taken it.
        line, position, token: where, for a SyntaxError; line from 1, position from 0.
    """

    def __init__(self, code: str, message: str, *, line: int = 0, position: int = 0, token: str = "") -> None:
        super().__init__(" ".join(message.split()))
        self.code = code
        self.line = line
        self.position = position
        self.token = token


class QueryTimeout(Exception):
    """The query ran longer than it was allowed to."""


def explained(query: str, error: Exception) -> QueryError:
    """DuckDB says what is wrong only in words; they are those of the pinned release."""
    text = str(error)
    if table := re.search(r"Table with name \"?([^\s\"]+)\"? does not exist", text):
        return no_table(query, table[1])
    if column := re.search(
        r"(?:Referenced column \"([^\"]+)\" (?:was )?not found"
        r"|Column \"([^\"]+)\" referenced that exists in the SELECT)",
        text,
    ):
        name = column[1] or column[2]
        operator = kql_text.operator_before(query, name)
        if not operator:
            return no_table(query, name)
        return QueryError("SemanticError", f"'{operator}' operator: Failed to resolve scalar expression named '{name}'")
    return QueryError("EngineLimit", f"the lab's query engine cannot run this query: {text.splitlines()[0]}")


def schema_error(query: str, error: Any) -> QueryError:
    """The translator reports unknown tables and columns, and its own limits, with one class: the hint tells which."""
    hint = str(error)
    if "unknown table" in hint:
        return no_table(query, error.name)
    if "unknown column" in hint or "no column" in hint:
        operator = kql_text.operator_before(query, error.name)
        return QueryError(
            "SemanticError", f"'{operator}' operator: Failed to resolve scalar expression named '{error.name}'"
        )
    return QueryError("EngineLimit", f"the lab's query engine does not support this query: {hint}")


def no_table(query: str, name: str) -> QueryError:
    """There is no such table."""
    operator = kql_text.operator_after(query, name)
    return QueryError(
        "SemanticError", f"'{operator}' operator: Failed to resolve table or column expression named '{name}'"
    )


def syntax_error(query: str, error: Any) -> QueryError:
    """The translator cannot read the query; says where."""
    import duckdb_kql

    # positions count in the text as it was sent, not as it was rewritten
    found = duckdb_kql.validate(query) or error.diagnostics
    if not found:
        return QueryError("SyntaxError", f"Query could not be parsed: {error}")
    line, position = found[0].span.line, found[0].span.column
    lines = query.split("\n")
    rest = lines[line - 1][position:] if line <= len(lines) else ""
    match = re.match(r"\w+|\S", rest)
    token = match[0] if match else "<EOF>"
    message = f"Query could not be parsed at '{token}' [line:position={line}:{position}]"
    return QueryError("SyntaxError", message, line=line, position=position, token=token)
