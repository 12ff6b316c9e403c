"""Runs KQL over the lab's tables, and answers or refuses as Kusto would.

The engine is duckdb-kql on DuckDB. It refuses rather than guesses; what it refuses is reported as the engine's limit,
never as a mistake in the query.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from respond.lab import kql_errors, kql_functions, kql_lists, kql_plain, kql_text
from respond.lab.columns import columns_of
from respond.lab.kql_answer import Answer, Result
from respond.lab.kql_cache import Translations
from respond.lab.kql_errors import QueryError, QueryTimeout

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from respond.lab.columns import Columns
    from respond.lab.timespan import Window

_LONGEST_QUERY = 1_000_000
_LONGEST_RANGE = 1_000_000
_WARM_UP = """let recent = ago(1d); let ids = SigninLogs | where isnotempty(CorrelationId) | distinct CorrelationId;
SigninLogs | where TimeGenerated > recent and ResultType in ("0", "1") and UserId =~ "x" or AppId has_any ("a", "b")
| extend D = todynamic(DeviceDetail), C = tostring(LocationDetails.countryOrRegion), N = iff(isempty(IPAddress), 1, 2)
| join kind=leftouter (SigninLogs | summarize arg_max(TimeGenerated, *) by UserId, bin(TimeGenerated, 1h)) on UserId
| where not(CorrelationId in (ids)) and TimeGenerated between (ago(2d) .. now()) | union isfuzzy=true SigninLogs
| project A = UserId, B = strcat(C, "-"), T = TimeGenerated | mv-expand D = split(B, "-") to typeof(string)
| summarize make_set(A, 10), dcount(B), countif(A == "x") by C = B | sort by C desc | take 10"""

_translations = Translations()
_warm = threading.Event()
_internal_views: set[str] = set()


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
        self._form = frozenset(f"{name}.{column}" for name, columns in tables.items() for column in columns)
        self._time_column = time_column
        self._columns = {column for columns in tables.values() for column in columns}
        self._by_lower = {name.lower(): name for name in tables}
        self._text_columns = _text_columns(tables)
        self._catalog = str(con.sql("SELECT current_database()").fetchall()[0][0])
        self._hidden = _hidden(con, tables)
        self._internal = _internal(con)
        # the parser's caches are shared by all threads, and it never releases the interpreter anyway
        self._parser = threading.Lock()

    def warm_up(self) -> None:
        """Let the parser fill its caches: the first query of a process otherwise takes a second longer."""
        if _warm.is_set():
            return
        with suppress(QueryError):  # a story may say that SigninLogs is absent
            self._translate(_WARM_UP)
            _warm.set()

    def add(self, table: str, row: Mapping[str, Any]) -> None:
        """Add a row to a table in memory; to one that is absent nothing can be added.

        Args:
            row: every column; times as ISO 8601, dynamic values as they are.
        """
        if table not in self._tables:
            return
        values = [json.dumps(value) if isinstance(value, dict | list) else value for value in row.values()]
        names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
        with self._con.cursor() as cursor:
            cursor.execute("SET TimeZone='UTC'")
            cursor.execute(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', values)  # noqa: S608 -- names of our own tables

    def run(self, query: str, *, window: Window | None, row_limit: int, timeout: timedelta) -> Result:
        """Answer one query, with all rows at once.

        Raises:
            QueryError: refused.
            QueryTimeout: took longer than `timeout`.
        """
        with self.ask(query, window=window, row_limit=row_limit, timeout=timeout) as answer:
            rows = [row for batch in answer for row in batch]
            return Result(answer.columns, rows, complete=answer.complete)

    @contextmanager
    def ask(self, query: str, *, window: Window | None, row_limit: int, timeout: timedelta) -> Iterator[Answer]:
        """Answer one query. The block has to read the rows: only at its end is it known that there was no mistake.

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
            self._stand_ins(cursor, query, window)
            cursor.execute(sql, values) if values else cursor.execute(sql)
            yield Answer(cursor, row_limit)
        except duckdb.InterruptException:
            raise QueryTimeout from None
        # RuntimeError: what the binding itself could not convert
        except (duckdb.Error, RuntimeError) as error:
            raise kql_errors.explained(query, error) from error
        finally:
            alarm.cancel()
            cursor.close()

    def _check_names(self, query: str) -> None:
        """Table names are case-sensitive in Kusto and not in DuckDB, which also has tables of its own."""
        found = kql_text.names(query)
        # Kusto names the table itself, however many `let` lines stand between; a fuzzy union does without.
        missing = [name for name in sorted(found) if name not in self._tables and columns_of(name)]
        if missing and "isfuzzy" not in found:
            raise kql_errors.no_table(query, missing[0])
        for name in sorted(found - kql_text.own_names(query) - self._columns):
            real = self._by_lower.get(name.lower(), name)
            if real != name or name in self._internal:
                raise kql_errors.no_table(query, name)

    def _translate(self, query: str) -> tuple[str, dict[str, Any]]:
        import duckdb_kql

        text = kql_text.rewrite(kql_text.with_columns(query, self._tables), self._text_columns)
        short, lists = kql_lists.shorten(text)
        try:
            sql, values = self._to_sql(short)
            restored = kql_lists.restore(sql, lists)
            return self._to_sql(text) if restored is None else (restored, values)
        except duckdb_kql.KqlSyntaxError as error:
            raise kql_errors.syntax_error(query, error) from error
        except duckdb_kql.KqlSchemaError as error:
            raise kql_errors.schema_error(query, error) from error
        except Exception as error:
            # a young translator fails in many ways on text it does not know; none of them is the lab's failure
            raise QueryError("EngineLimit", f"the lab's query engine does not support this query: {error}") from error

    def _to_sql(self, text: str) -> tuple[str, dict[str, Any]]:
        return _translations.sql(text, self._form, self._parsed)

    def _parsed(self, text: str) -> tuple[str, dict[str, Any]]:
        import duckdb_kql

        with self._parser:
            sql = duckdb_kql.to_sql(text, schema=self._schema, allow_write=False)
        return kql_plain.plain(str(sql), text, self._tables), dict(sql.parameters)

    def _stand_ins(self, cursor: DuckDBPyConnection, query: str, window: Window | None) -> None:
        """Views of this cursor alone, in the place of tables that the query must not see whole.

        Azure limits every table of the query to the timespan; and a workspace may lack a column.
        """
        everything = "*" in kql_text.code(query) and "union" in query
        for name in set(self._tables) if everything else kql_text.names(query) & set(self._tables):
            without = ", ".join(f'"{column}"' for column in self._hidden.get(name, ()))
            limited = window is not None and self._time_column in self._tables[name]
            if not without and not limited:
                continue
            columns = f"* EXCLUDE ({without})" if without else "*"
            rows = f'SELECT {columns} FROM "{self._catalog}".main."{name}"'  # noqa: S608 -- names of our own tables
            if window is not None and limited:
                start, end = (f"TIMESTAMP '{moment.replace(tzinfo=None)}'" for moment in window)
                rows += f' WHERE "{self._time_column}" BETWEEN {start} AND {end}'
            cursor.execute(f'CREATE TEMP VIEW "{name}" AS {rows}')


def _hidden(con: DuckDBPyConnection, tables: dict[str, Columns]) -> dict[str, list[str]]:
    """Columns that a table of the database has and the workspace lacks."""
    count = con.sql("SELECT sum(column_count) FROM duckdb_tables() WHERE NOT internal").fetchall()[0][0]
    if count == sum(map(len, tables.values())):
        return {}  # asking for each column takes as long as loading a small story
    found: dict[str, list[str]] = {}
    for table, column in con.sql("SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal").fetchall():
        if table in tables and column not in tables[table]:
            found.setdefault(table, []).append(column)
    return found


def _internal(con: DuckDBPyConnection) -> set[str]:
    """The views that every DuckDB database has; asked for once, as that takes milliseconds."""
    if not _internal_views:
        internal = "SELECT view_name FROM duckdb_views() WHERE schema_name != 'information_schema'"
        _internal_views.update(str(row[0]) for row in con.sql(internal).fetchall())
    return _internal_views


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


def _text_columns(tables: dict[str, Columns]) -> frozenset[str]:
    text = {name for columns in tables.values() for name, kind in columns.items() if kind == "string"}
    other = {name for columns in tables.values() for name, kind in columns.items() if kind != "string"}
    return frozenset(text - other)
