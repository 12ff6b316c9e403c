"""SQL without the branches that no value can take answers as the SQL with them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import duckdb_kql
import pytest

from respond.clients.kql import bind, load
from respond.lab import kql_plain, kql_text, scenario
from respond.lab.kql import Engine
from respond.lab.state import LabState
from respond.lab.tenant import LabTenant
from tests.config.test_kql import OURS, VALUES, body_and_parameters

STORIES = ("seed-true-positive", "teams-external-link")
OWN = [
    "SigninLogs | extend UserId = 7 | where UserId == 7 | summarize count()",
    "SigninLogs | extend UserId = todynamic(DeviceDetail) | project Kind = gettype(UserId), Text = tostring(UserId)",
    "SigninLogs | extend Copy = UserId, UserId = strlen(UserId) | project tostring(UserId), isempty(Copy)",
    "SigninLogs | project AppId = TimeGenerated | project tostring(AppId) | sort by AppId asc",
    "SigninLogs | mv-expand ConditionalAccessPolicies | project tostring(ConditionalAccessPolicies)",
    "SigninLogs | mv-expand AppId = split(AppId, '-') to typeof(string) | summarize dcount(tostring(AppId))",
    "datatable(UserId:long, IPAddress:dynamic)[1, dynamic({'a': 1})] | project tostring(UserId), tostring(IPAddress)",
    "let f = (UserId: long) { tostring(UserId) }; print f(8)",
]
KNOWN = [
    "SigninLogs | where isnotempty(UserId) and IPAddress !in~ ('x') and tostring(DeviceDetail) != '' | count",
    "SigninLogs | summarize take_any(UserId), make_set(IPAddress) by E = isempty(SessionId) | sort by E asc",
    (
        "union isfuzzy=true SigninLogs, AADNonInteractiveUserSignInLogs | summarize count() by tostring(DeviceDetail)"
        " | sort by count_ desc, DeviceDetail asc"
    ),
    "SigninLogs | project X = iff(UserId == '', 'CASE typeof(\"UserId\") WHEN', tostring(Status)) | sort by X asc",
    "SigninLogs | where TimeGenerated > datetime(2026-99-99T00:00:00Z) | count",
    "SigninLogs | where TimeGenerated > datetime(2020-01-01T00:00:00.5Z) | count",
]


@pytest.fixture(scope="module", params=STORIES)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    state = LabState(tmp_path_factory.mktemp("memory"))
    return asyncio.run(LabTenant(state, scenario.find(request.param)).workspace())


def answers(engine: Engine, query: str) -> tuple[str, str, list[Any], list[Any]]:
    """The SQL as translated and as run, and what each finds."""
    text = kql_text.rewrite(kql_text.with_columns(query, engine._tables), engine._text_columns)
    sql = duckdb_kql.to_sql(text, schema=engine._schema, allow_write=False)
    plain = kql_plain.plain(str(sql), text, engine._tables)
    cursor = engine._con.cursor()
    cursor.execute("SET TimeZone='UTC'")
    first, second = (cursor.execute(one, dict(sql.parameters) or None).fetchall() for one in (str(sql), plain))
    return str(sql), plain, first, second


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_a_shipped_query_finds_the_same_and_is_shorter(engine: Engine, path: Path) -> None:
    _, parameters = body_and_parameters(path)
    sql, plain, first, second = answers(engine, bind(load(path), {name: VALUES[name] for name in parameters}))
    assert sorted(map(repr, second)) == sorted(map(repr, first))
    assert len(plain) < len(sql)


@pytest.mark.parametrize("query", [*OWN, *KNOWN])
def test_a_query_finds_the_same(engine: Engine, query: str) -> None:
    _, _, first, second = answers(engine, query)
    assert second == first


@pytest.mark.parametrize("query", KNOWN[:2])
def test_no_choice_is_left_where_the_type_is_known(engine: Engine, query: str) -> None:
    sql, plain, _, _ = answers(engine, query)
    assert "typeof" in sql
    assert "typeof" not in plain
