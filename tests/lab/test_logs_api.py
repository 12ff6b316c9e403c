"""The Log Analytics face, asked by the real client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.core.exceptions import HttpResponseError

from respond.lab.constants import WORKSPACE_ID
from tests.lab.running_lab import USER, RunningLab, running, token

Start = Callable[..., RunningLab]
Story = Callable[..., Path]

HUNT = """SigninLogs
| where AuthenticationProtocol == "deviceCode"
| extend
    Country        = tostring(LocationDetails.countryOrRegion),
    OS             = tostring(DeviceDetail.operatingSystem),
    Browser        = tostring(DeviceDetail.browser),
    IsCompliant    = tostring(DeviceDetail.isCompliant),
    IsManagedDevice = tostring(DeviceDetail.isManaged)
| project
    TimeGenerated,
    UserPrincipalName,
    AuthenticationProtocol,
    ResultSignature,
    IPAddress,
    Country,
    AppDisplayName,
    ResourceDisplayName,
    IsCompliant,
    IsManagedDevice,
    RiskLevelDuringSignIn,
    RiskLevelAggregated,
    UserAgent
| order by TimeGenerated desc"""

ROWS = [{"TimeGenerated": f"2026-01-15T0{hour}:00:00Z", "Id": str(hour), "ResultType": "0"} for hour in range(1, 9)]


def inner_error(caught: pytest.ExceptionInfo[HttpResponseError]) -> Any:
    assert caught.value.response is not None
    return json.loads(caught.value.response.text())["error"]["innererror"]


async def test_the_published_hunt_runs_verbatim(seed_lab: RunningLab) -> None:
    result = await seed_lab.query(HUNT)
    (row,) = [dict(zip(result.tables[0].columns, row, strict=True)) for row in result.tables[0].rows]
    assert row["UserPrincipalName"] == "target.user@contoso.com"
    assert (row["Country"], row["IsCompliant"], row["IsManagedDevice"]) == ("NL", "false", "false")
    assert datetime.now(UTC) - timedelta(hours=24) < row["TimeGenerated"] < datetime.now(UTC)


async def test_values_have_the_types_of_log_analytics(start: Start, story: Story) -> None:
    row = {
        "TimeGenerated": "2026-01-15T09:00:00.1234567Z",
        "IsRisky": True,
        "DurationMs": 7_000_000_000,
        "DeviceDetail": {"a": [1]},
        "Id": "x",
    }
    lab = start(story(SigninLogs=[row]))
    result = await lab.query(
        "SigninLogs | project TimeGenerated, IsRisky, DurationMs, DeviceDetail, UserId, CreatedDateTime, "
        "g = guid(f0a1c2d3-1111-4222-8333-944445555666), s = 26h, r = 1.5, LocationDetails"
    )
    table = result.tables[0]
    kinds = ["datetime", "bool", "long", "dynamic", "string", "datetime", "guid", "timespan", "real", "dynamic"]
    assert table.columns_types == kinds
    values = list(table.rows[0])
    assert values[0].microsecond == 123456
    assert values[1:6] == [True, 7_000_000_000, '{"a":[1]}', "", None]
    assert values[6:] == ["f0a1c2d3-1111-4222-8333-944445555666", "1.02:00:00", 1.5, None]


@pytest.mark.parametrize(
    "query", ["SigninLogs | where Id == '1'", "signinLogs | where Id == '1'", "sqlite_master | where 1 == 1"]
)
async def test_a_table_that_is_not_there_fails_as_in_log_analytics(start: Start, story: Story, query: str) -> None:
    lab = start(story(scenario={"absent_tables": ["SigninLogs"]}))
    with pytest.raises(HttpResponseError) as caught:
        await lab.query(query)
    inner = inner_error(caught)
    assert inner["code"] == "SemanticError"
    name = query.split(maxsplit=1)[0]
    assert (
        inner["innererror"]["message"]
        == f"'where' operator: Failed to resolve table or column expression named '{name}'"
    )


async def test_an_absent_table_is_nothing_to_a_fuzzy_union(start: Start, story: Story) -> None:
    lab = start(story(scenario={"absent_tables": ["UrlClickEvents"]}, SigninLogs=ROWS))
    result = await lab.query("union isfuzzy=true UrlClickEvents, SigninLogs | count")
    assert result.tables[0].rows[0][0] == len(ROWS)


async def test_an_unknown_column_is_named_with_its_operator(seed_lab: RunningLab) -> None:
    with pytest.raises(HttpResponseError) as caught:
        await seed_lab.query("SigninLogs | take 5 | where Nonsense == 'x' | count")
    assert (
        inner_error(caught)["innererror"]["message"]
        == "'where' operator: Failed to resolve scalar expression named 'Nonsense'"
    )


@pytest.mark.parametrize(
    ("query", "line", "position"), [("SigninLogs\n| wherex Id == 1", 2, 0), ("", 1, 0), (".show tables", 1, 0)]
)
async def test_a_syntax_error_says_where(seed_lab: RunningLab, query: str, line: int, position: int) -> None:
    with pytest.raises(HttpResponseError) as caught:
        await seed_lab.query(query)
    inner = inner_error(caught)
    assert inner["code"] == "SyntaxError"
    assert (inner["innererror"]["line"], inner["innererror"]["pos"]) == (line, position)
    assert f"[line:position={line}:{position}]" in inner["innererror"]["message"]


@pytest.mark.parametrize(
    "query", ["SigninLogs | make-series count() on TimeGenerated step 1h", "print x = " + "(" * 400 + "1" + ")" * 400]
)
async def test_what_the_engine_cannot_do_is_called_its_limit(seed_lab: RunningLab, query: str) -> None:
    with pytest.raises(HttpResponseError) as caught:
        await seed_lab.query(query)
    assert inner_error(caught)["code"] == "EngineLimit"
    assert "lab's query engine" in inner_error(caught)["message"]


@pytest.mark.parametrize(
    "query", ["['/etc/passwd']", "set query_now = datetime(2020-01-01); .drop table SigninLogs", ".set T <| print 1"]
)
async def test_nothing_but_tables_can_be_read(seed_lab: RunningLab, query: str) -> None:
    with pytest.raises(HttpResponseError) as caught:
        await seed_lab.query(query)
    assert caught.value.status_code == 400


async def test_what_public_queries_use_and_the_engine_lacks(start: Start, story: Story) -> None:
    rows = [{**ROWS[0], "IPAddress": ip} for ip in ("192.0.2.7", "10.1.2.3", "a.b.c.XXX", "2001:db8::1")]
    lab = start(story(SigninLogs=[*rows, {**ROWS[0], "ResultType": "interrupted"}]))
    result = await lab.query(
        "SigninLogs | where ResultType == 0 and ingestion_time() > ago(1d) | order by IPAddress asc"
        "| project IPAddress, a = ipv4_is_in_range(IPAddress, '192.0.2.0/24'), b = ipv4_is_private(IPAddress),"
        "c = ipv4_is_in_any_range(IPAddress, dynamic(['198.51.100.0/24', '10.0.0.0/8']))"
    )
    found = {row[0]: list(row)[1:] for row in result.tables[0].rows}
    assert found["10.1.2.3"] == [False, True, True]
    assert found["192.0.2.7"] == [True, False, False]
    assert found["a.b.c.XXX"][0] is None
    assert found["2001:db8::1"][0] is None


async def test_a_timespan_limits_every_table(start: Start, story: Story) -> None:
    lab = start(story(SigninLogs=ROWS, AuditLogs=ROWS_OF_AUDIT))
    now = datetime.now(UTC)
    query = "union SigninLogs, AuditLogs | count"
    counts = [
        (await lab.query(query, timespan=timespan)).tables[0].rows[0][0]
        for timespan in (
            None,
            timedelta(hours=2),
            (now - timedelta(hours=4), now - timedelta(hours=2)),
            timedelta(seconds=1),
        )
    ]
    # told at 09:40: the last two hours hold 08:00, the two before 06:00 and 07:00
    assert counts == [16, 2, 4, 0]


ROWS_OF_AUDIT = [{"TimeGenerated": row["TimeGenerated"], "OperationName": "x"} for row in ROWS]


async def test_too_many_rows_are_a_partial_result(start: Start, story: Story) -> None:
    from azure.monitor.query import LogsQueryPartialResult  # noqa: TID251 -- the lab is tested from outside

    lab = start(story(SigninLogs=ROWS), row_limit=3)
    result = await lab.query("SigninLogs | order by Id asc")
    assert isinstance(result, LogsQueryPartialResult)
    assert result.partial_error is not None
    assert result.partial_error.code == "PartialError"
    assert len(result.partial_data[0].rows) == 3
    assert (await lab.query("SigninLogs | take 3")).status == "Success"


async def test_the_request_after_the_last_allowed_one_is_throttled(start: Start, story: Story) -> None:
    lab = start(story(), queries_per_30s=2)
    await lab.query("print 1")
    await lab.query("print 1")
    with pytest.raises(HttpResponseError) as caught:
        await lab.query("print 1")
    assert caught.value.status_code == 429
    response: Any = caught.value.response
    assert 1 <= int(response.headers["Retry-After"]) <= 31


async def test_queries_run_side_by_side_and_the_rest_wait(start: Start, story: Story) -> None:
    lab = start(story(SigninLogs=ROWS), concurrent_queries=2)
    results = await asyncio.gather(*(lab.query(f"SigninLogs | where Id != '{n}' | count") for n in range(8)))
    assert [result.tables[0].rows[0][0] for result in results] == [8, 7, 7, 7, 7, 7, 7, 7]


async def test_a_query_that_takes_too_long_is_a_504(seed_lab: RunningLab) -> None:
    other = "| join kind=inner (SigninLogs | project UserId, I = Id) on UserId | project UserId, Id"
    with pytest.raises(HttpResponseError) as caught:
        await seed_lab.query("SigninLogs | project UserId, Id" + other * 6 + "| summarize count()", server_timeout=1)
    assert caught.value.status_code == 504


PATH = f"/v1/workspaces/{WORKSPACE_ID}/query"


def test_a_range_that_would_fill_the_memory_is_refused(seed_lab: RunningLab) -> None:
    answer = seed_lab.request("POST", PATH, body={"query": "range x from 1 to 4000000000 step 1 | summarize sum(x)"})
    assert answer.json()["error"]["innererror"]["code"] == "EngineLimit"


def ask(lab: RunningLab, scope: str | None, path: str = PATH) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token(lab.url, scope)}"} if scope else {}
    return httpx.post(lab.url + path, json={"query": "print 1"}, headers=headers)


def test_the_caller_is_checked(seed_lab: RunningLab) -> None:
    assert ask(seed_lab, None).status_code == 401
    assert ask(seed_lab, "https://graph.microsoft.com/.default").status_code == 401
    assert ask(seed_lab, "https://api.loganalytics.io/.default").status_code == 200
    assert ask(seed_lab, f"{seed_lab.url}/.default").status_code == 200
    other = ask(seed_lab, "https://api.loganalytics.io/.default", PATH.replace("1ab", "2ab"))
    assert (other.status_code, other.json()["error"]["code"]) == (404, "WorkspaceNotFoundError")


def test_without_the_role_access_is_insufficient(start: Start, story: Story) -> None:
    answer = ask(start(story(), withheld_permissions=("Data.Read",)), "https://api.loganalytics.io/.default")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "InsufficientAccessError")


def test_a_request_without_a_body_gets_an_empty_200(seed_lab: RunningLab) -> None:
    answer = seed_lab.request("POST", PATH)
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"query": 1}',
        b"{}",
        b'{"query": "print 1", "timespan": "yesterday"}',
        b'{"query": "print 1", "timespan": 5}',
        b'{"query": "print \\ud800"}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"query": "print 1", "timespan": "P9999999D"}',
    ],
)
def test_a_malformed_body_is_a_400(seed_lab: RunningLab, body: bytes) -> None:
    headers = {
        "Authorization": f"Bearer {token(seed_lab.url, seed_lab.url + '/.default')}",
        "Content-Type": "application/json",
    }
    answer = httpx.post(seed_lab.url + PATH, content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadArgumentError")


REVOKED = """AuditLogs
| where OperationName == "Update StsRefreshTokenValidFrom Timestamp" and Result == "success"
| mv-expand Target = TargetResources
| project TimeGenerated, Id, Whose = tostring(Target.id), ByUser = tostring(InitiatedBy.user.id), ResultReason"""


async def test_a_revocation_is_in_the_audit_log_once_and_after_a_restart(story: Story, tmp_path: Path) -> None:
    users = [{"id": USER, "userPrincipalName": "ann@contoso.com"}]
    place = story(directory={"users": users})
    before = datetime.now(UTC) - timedelta(seconds=1)
    for _ in range(2):
        with running(place, tmp_path / "kept") as lab:
            if not lab.get("/_lab/writes"):
                assert (await lab.query(REVOKED)).tables[0].rows == []
                lab.request("POST", "/v1.0/users/ann@contoso.com/revokeSignInSessions")
            for _ in range(2):
                (row,) = (await lab.query(REVOKED)).tables[0].rows
                assert before < row[0] < datetime.now(UTC)
                assert [*row][2:] == [USER, "", ""]
