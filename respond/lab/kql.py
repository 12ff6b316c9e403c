"""Runs KQL over the lab's tables, and answers or refuses as Kusto would.

The engine is duckdb-kql on DuckDB. It refuses rather than guesses; what it refuses is reported as the engine's limit,
never as a mistake in the query.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from respond.lab import kql_functions, kql_text
from respond.lab.kql_values import Column, column_type, converter

if TYPE_CHECKING:
    from collections.abc import Callable

    from duckdb import DuckDBPyConnection

    from respond.lab.columns import Columns
    from respond.lab.timespan import Window

_LONGEST_QUERY = 100_000
_LONGEST_RANGE = 1_000_000
_WARM_UP = """let recent = ago(1d); let ids = SigninLogs | where isnotempty(CorrelationId) | distinct CorrelationId;
SigninLogs | where TimeGenerated > recent and ResultType in ("0", "1") and UserId =~ "x" or AppId has_any ("a", "b")
| extend D = todynamic(DeviceDetail), C = tostring(LocationDetails.countryOrRegion), N = iff(isempty(IPAddress), 1, 2)
| join kind=leftouter (SigninLogs | summarize arg_max(TimeGenerated, *) by UserId, bin(TimeGenerated, 1h)) on UserId
| where not(CorrelationId in (ids)) and TimeGenerated between (ago(2d) .. now()) | union isfuzzy=true SigninLogs
| project A = UserId, B = strcat(C, "-"), T = TimeGenerated | mv-expand D = split(B, "-") to typeof(string)
| summarize make_set(A, 10), dcount(B), countif(A == "x") by C = B | sort by C desc | take 10"""


@dataclass(frozen=True)
class Result:
    """Column (name, Kusto type) and rows of JSON values; `complete` is False when the row limit cut it short."""

    columns: list[Column]
    rows: list[list[Any]]
    complete: bool


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


class Engine:
    """One database of tables. Safe to use from several threads: each query has its own cursor.

    Args:
        tables: the columns of each table in `con`.
        time_column: the column that a timespan limits.
    """

    def __init__(self, con: DuckDBPyConnection, tables: dict[str, Columns], time_column: str) -> None:
        kql_functions.register()
        self._con = con
        self._tables = tables
        self._schema = {name: list(columns) for name, columns in tables.items()}
        self._time_column = time_column
        self._columns = {column for columns in tables.values() for column in columns}
        self._by_lower = {name.lower(): name for name in tables}
        self._text_columns = _text_columns(tables)
        internal = "SELECT view_name FROM duckdb_views() WHERE schema_name != 'information_schema'"
        self._internal = {str(row[0]) for row in con.sql(internal).fetchall()}
        # the parser's caches are shared by all threads, and it never releases the interpreter anyway
        self._parser = threading.Lock()

    def warm_up(self) -> None:
        """Let the parser fill its caches: the first query of a process otherwise takes a second longer."""
        self._translate(_WARM_UP)

    def run(self, query: str, *, window: Window | None, row_limit: int, timeout: timedelta) -> Result:
        """Answer one query.

        Raises:
            QueryError: refused.
            QueryTimeout: took longer than `timeout`.
        """
        import duckdb

        _check_text(query)
        self._check_names(query)
        sql, values = self._translate(query)
        cursor = self._con.cursor()
        alarm = threading.Timer(timeout.total_seconds(), cursor.interrupt)
        alarm.daemon = True
        alarm.start()
        try:
            cursor.execute("SET TimeZone='UTC'")
            self._limit_time(cursor, query, window)
            cursor.execute(sql, values) if values else cursor.execute(sql)
            return _read(cursor, row_limit)
        except duckdb.InterruptException:
            raise QueryTimeout from None
        # RuntimeError: what the binding itself could not convert
        except (duckdb.Error, RuntimeError) as error:
            raise self._explain(error, query) from error
        finally:
            alarm.cancel()
            cursor.close()

    def _check_names(self, query: str) -> None:
        """Table names are case-sensitive in Kusto and not in DuckDB, which also has tables of its own."""
        found = kql_text.names(query)
        for name in sorted(found - kql_text.own_names(query) - self._columns):
            real = self._by_lower.get(name.lower(), name)
            if real != name or name in self._internal:
                raise _no_table(query, name)

    def _translate(self, query: str) -> tuple[str, dict[str, Any]]:
        import duckdb_kql

        text = kql_text.rewrite(query, self._text_columns)
        try:
            with self._parser:
                sql = duckdb_kql.to_sql(text, schema=self._schema, allow_write=False)
        except duckdb_kql.KqlSyntaxError as error:
            raise _syntax_error(query, error) from error
        except duckdb_kql.KqlSchemaError as error:
            raise _schema_error(query, error) from error
        except Exception as error:
            # a young translator fails in many ways on text it does not know; none of them is the lab's failure
            raise QueryError("EngineLimit", f"the lab's query engine does not support this query: {error}") from error
        return str(sql), dict(sql.parameters)

    def _limit_time(self, cursor: DuckDBPyConnection, query: str, window: Window | None) -> None:
        """Azure limits every table of the query to the timespan; views of this cursor alone stand in for the tables."""
        if window is None:
            return
        start, end = (f"TIMESTAMP '{moment.replace(tzinfo=None)}'" for moment in window)
        everything = "*" in kql_text.code(query) and "union" in query
        used = set(self._tables) if everything else kql_text.names(query) & set(self._tables)
        for name in used:
            if self._time_column in self._tables[name]:
                rows = f'SELECT * FROM memory.main."{name}"'  # noqa: S608 -- one of our own tables, not text of the query
                cursor.execute(
                    f'CREATE TEMP VIEW "{name}" AS {rows} WHERE "{self._time_column}" BETWEEN {start} AND {end}'
                )

    def _explain(self, error: Exception, query: str) -> QueryError:
        """DuckDB says what is wrong only in words; they are those of the pinned release."""
        text = str(error)
        if table := re.search(r"Table with name \"?([^\s\"]+)\"? does not exist", text):
            return _no_table(query, table[1])
        if column := re.search(r"Referenced column \"([^\"]+)\" (?:was )?not found", text):
            operator = kql_text.operator_before(query, column[1])
            if not operator:
                return _no_table(query, column[1])
            return QueryError(
                "SemanticError", f"'{operator}' operator: Failed to resolve scalar expression named '{column[1]}'"
            )
        return QueryError("EngineLimit", f"the lab's query engine cannot run this query: {text.splitlines()[0]}")


def _check_text(query: str) -> None:
    """Refuse what the engine would misread, or not survive."""
    if kql_text.code(query).lstrip().startswith("."):
        raise QueryError("SyntaxError", "Query could not be parsed at '.' [line:position=1:0]", line=1)
    if len(query) > _LONGEST_QUERY:
        raise QueryError("EngineLimit", f"the lab's query engine takes up to {_LONGEST_QUERY} characters")
    if "```" in query:
        raise QueryError("EngineLimit", "the lab's query engine does not support ``` strings")
    # the engine makes the whole range in memory before it counts a row of it
    if any(
        int(number) > _LONGEST_RANGE for number in re.findall(r"\brange\b[^|;]*?\bto\s+(\d+)", kql_text.code(query))
    ):
        raise QueryError("EngineLimit", f"the lab's query engine takes ranges up to {_LONGEST_RANGE}")
    if re.search(r"[\x00\ud800-\udfff]", query):
        raise QueryError("SyntaxError", "Query could not be parsed: it holds NUL or half a surrogate pair", line=1)


def _read(cursor: DuckDBPyConnection, row_limit: int) -> Result:
    columns = [Column(str(name), column_type(str(kind))) for name, kind, *_ in cursor.description or []]
    converters: list[Callable[[Any], Any]] = [converter(column.type) for column in columns]
    found = cursor.fetchmany(row_limit + 1)
    rows = [[convert(value) for convert, value in zip(converters, row, strict=True)] for row in found[:row_limit]]
    return Result(columns, rows, complete=len(found) <= row_limit)


def _text_columns(tables: dict[str, Columns]) -> frozenset[str]:
    text = {name for columns in tables.values() for name, kind in columns.items() if kind == "string"}
    other = {name for columns in tables.values() for name, kind in columns.items() if kind != "string"}
    return frozenset(text - other)


def _schema_error(query: str, error: Any) -> QueryError:
    """The translator reports unknown tables and columns, and its own limits, with one class: the hint tells which."""
    hint = str(error)
    if "unknown table" in hint:
        return _no_table(query, error.name)
    if "unknown column" in hint or "no column" in hint:
        operator = kql_text.operator_before(query, error.name)
        return QueryError(
            "SemanticError", f"'{operator}' operator: Failed to resolve scalar expression named '{error.name}'"
        )
    return QueryError("EngineLimit", f"the lab's query engine does not support this query: {hint}")


def _no_table(query: str, name: str) -> QueryError:
    operator = kql_text.operator_after(query, name)
    return QueryError(
        "SemanticError", f"'{operator}' operator: Failed to resolve table or column expression named '{name}'"
    )


def _syntax_error(query: str, error: Any) -> QueryError:
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
