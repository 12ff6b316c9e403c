"""What Log Analytics refuses to do with a table on the Basic plan: such a query reads that one table, once.

https://learn.microsoft.com/azure/azure-monitor/logs/basic-logs-query
The documentation gives the rule but not the words of the refusal; these are the lab's.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from respond.lab import kql_text

CODE = "UnsupportedQueryValidationError"
"""Of the inner error; Microsoft's own is known for the wrong API only (UnsupportedApiQueryValidationError)."""

_OPERATOR = re.compile(r"(?:^|[|;(=])\s*(join|lookup|find|search|externaldata|union)\b")
_LET = re.compile(r"\s*let\s+(\w+)\s*=")
_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?!\w|\s*=[^=~])")


def refusal(query: str, basic: Collection[str], tables: Collection[str]) -> str:
    """Why the query is refused; empty when it is not.

    Args:
        basic: names of the tables on the Basic plan.
        tables: names of all tables.
    """
    used = sorted(kql_text.names(query) & set(basic)) if basic else []
    if not used:
        return ""
    code = kql_text.code(query)
    where = f"on a table on the Basic plan ({', '.join(used)})"
    if operator := _OPERATOR.search(code):
        return f"'{operator[1]}' operator is not supported in a query {where}"
    if _reads_again(code, set(tables)):
        return f"A subquery, or reading a table twice, is not supported in a query {where}"
    return ""


def _reads_again(code: str, tables: set[str]) -> bool:
    """Whether a table is read anywhere but at the beginning of the statement that answers, or of the lets it uses."""
    statements = [statement for statement in code.split(";") if statement.strip()]
    lets: dict[str, str] = {}
    for statement in statements[:-1]:
        if let := _LET.match(statement):
            body = statement[let.end() :]
            if _reads(body, tables | set(lets)):
                lets[let[1]] = body
    statement = statements[-1]
    while True:
        found = _reads(statement, tables | set(lets))
        if len(found) > 1 or (found and not _begins_with(statement, found[0])):
            return True
        if not found or found[0] not in lets:
            return False
        statement = lets.pop(found[0])


def _reads(statement: str, sources: Collection[str]) -> list[str]:
    return [name for name in _NAME.findall(statement) if name in sources]


def _begins_with(statement: str, name: str) -> bool:
    return statement.lstrip(" \t\r\n(").startswith(name)
