"""Advanced hunting on the wire: what is sent, and which error each answer becomes. And where the row limits are."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from respond.clients.defender import Defender
from respond.clients.degrade import unresolved
from respond.clients.graph import Graph
from respond.clients.logs import Logs
from respond.errors import BadQuery, Forbidden, RespondError, TableMissing, Transient
from respond.settings import Retry
from tests.clients.test_graph_client import Credential
from tests.helpers.canned_service import Canned, Service, canned

QUICK = Retry.model_validate({"attempts": 3, "first_wait": "1ms", "longest_wait": "2ms", "read_budget": "9s"})
TABLE = {"schema": [{"name": "At", "type": "DateTime"}, {"name": "Id", "type": "String"}]}
ROWS = TABLE | {"results": [{"At": "2026-01-15T09:24:58.5Z", "Id": "11111111-aaaa-4bbb-8ccc-222222222222"}]}


def said(status: int, message: str, **headers: str) -> Canned:
    body = json.dumps({"error": {"code": "BadRequest", "message": message}}).encode()
    return Canned(status, body, {"Content-Type": "application/json", **headers})


def sent(value: object) -> Canned:
    return Canned(200, json.dumps(value).encode(), {"Content-Type": "application/json"})


@asynccontextmanager
async def defender(service: Service) -> AsyncIterator[Defender]:
    identity: Any = Credential()
    graph = Graph(identity, service.url, check=lambda *_: None, retry=QUICK)
    yield Defender(graph)
    await graph.close()


async def test_asks_as_the_contract_says() -> None:
    text = 'EmailEvents | where Subject == "Zürich \U0001f512" | take 1'
    with canned(sent(ROWS)) as service:
        async with defender(service) as client:
            rows = await client.query(text)
    ((method, path, body),) = service.seen
    assert (method, path) == ("POST", "/v1.0/security/microsoft.graph.security.runHuntingQuery")
    assert {name.lower(): value for name, value in json.loads(body).items()} == {"query": text, "timespan": "P30D"}
    at = datetime(2026, 1, 15, 9, 24, 58, 500000, tzinfo=UTC)
    assert rows == [{"At": at, "Id": "11111111-aaaa-4bbb-8ccc-222222222222"}]
    assert rows.partial == ""


UNKNOWN = [
    ("'where' operator: Failed to resolve column or scalar expression named 'IsFirstContact'", "IsFirstContact"),
    ("'project' operator: Failed to resolve scalar expression named 'Isp'. Fix semantic errors.", "Isp"),
    ("'take' operator: Failed to resolve table or column expression named 'EmailEvents'", "EmailEvents"),
    ("Failed to resolve table expression named 'UrlClickEvents'", "UrlClickEvents"),
    ("Failed to resolve entity 'EmailEvents'", ""),
    ("Query could not be parsed at '|' on line [3,1]", ""),
]


@pytest.mark.parametrize(("words", "name"), UNKNOWN)
async def test_what_defender_does_not_know_is_told_from_what_it_does_not_take(words: str, name: str) -> None:
    assert unresolved(words) == name
    with canned(said(400, words)) as service:
        async with defender(service) as client:
            with pytest.raises(TableMissing if name else BadQuery) as caught:
                await client.query("EmailEvents | take 1")
    assert len(service.seen) == 1
    assert getattr(caught.value, "name", "") == name


WRONG_TYPES = sent({"schema": [{"name": "NetworkMessageId", "type": "String"}], "results": [{"NetworkMessageId": 5}]})


@pytest.mark.parametrize(
    ("answer", "error", "words", "tries"),
    [
        pytest.param(said(403, "no"), Forbidden, "403", 1, id="not granted"),
        pytest.param(said(429, "the CPU quota is used up"), Transient, "CPU quota", 3, id="a quota"),
        pytest.param(said(504, "three minutes"), Transient, "504", 3, id="too slow"),
        pytest.param(Canned(200, b""), Transient, "without a table", 3, id="an empty 200"),
        pytest.param(Canned(204, b""), Transient, "without a table", 3, id="204"),
        pytest.param(Canned(200, b"<html>"), Transient, "cannot be read", 3, id="something else"),
        pytest.param(sent(TABLE | {"results": [1]}), Transient, "cannot be read", 3, id="rows that are none"),
        pytest.param(sent(ROWS | {"schema": []}), Transient, "without a table", 3, id="no columns"),
        pytest.param(sent(ROWS | {"schema": [{}]}), Transient, "no name or type", 3, id="columns without a name"),
        pytest.param(sent(TABLE | {"results": {}}), Transient, "without a table", 3, id="rows in an object"),
        pytest.param(sent([]), Transient, "without a table", 3, id="a list"),
        pytest.param(WRONG_TYPES, Transient, "cannot be read", 3, id="wrong types"),
    ],
)
async def test_an_answer_that_is_none_is_one_line(
    answer: Canned, error: type[RespondError], words: str, tries: int
) -> None:
    with canned(answer) as service:
        async with defender(service) as client:
            with pytest.raises(error, match=words):
                await client.query("EmailEvents | take 1")
    assert len(service.seen) == tries


async def test_a_quota_that_is_free_again_costs_time_and_no_evidence() -> None:
    with canned(said(429, "45 calls a minute", **{"Retry-After": "0"}), sent(ROWS)) as service:
        async with defender(service) as client:
            assert len(await client.query("EmailEvents | take 1")) == 1


async def test_rows_beside_an_error_are_kept_and_never_passed_off_as_all() -> None:
    error = {"code": "PartialError", "message": "some shards did not answer"}
    with canned(sent(ROWS | {"error": error})) as service:
        async with defender(service) as client:
            rows = await client.query("EmailEvents | take 1")
            assert (len(rows), rows.partial) == (1, "some shards did not answer")
            with pytest.raises(Transient, match="only part of the rows"):
                await client.query("EmailEvents | take 1", whole=True)


async def test_a_workspace_that_stops_at_its_row_limit_without_saying_so_is_partial() -> None:
    columns = [{"name": "N", "type": "int"}]
    answers = [
        sent({"tables": [{"name": "PrimaryResult", "columns": columns, "rows": [[1]] * count}]})
        for count in (1000, 999)
    ]
    identity: Any = Credential()
    with canned(*answers) as service:
        logs = Logs(identity, service.url, "w", check=lambda *_: None, retry=QUICK, row_limit=1000)
        full, fewer = [(await logs.query("T")).partial for _ in answers]
        await logs.close()
    assert (full, fewer) == ("it ends at 1,000 rows", "")
