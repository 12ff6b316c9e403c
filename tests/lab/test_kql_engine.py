"""What the queries of the product, and public ones like them, ask of the lab's engine."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from respond.lab import kql_lists
from tests.lab.running_lab import RunningLab, running

PATH = "/v1/workspaces/1ab00000-0000-4000-8000-000000000001/query"
RANDOM = Random(1)  # noqa: S311 -- made-up ids
GUIDS = [str(uuid.UUID(int=RANDOM.getrandbits(128), version=4)) for _ in range(1000)]
ANN, BOB = GUIDS[17], str(uuid.UUID(int=7))
EMPTY = "datatable(A:string, B:datetime, C:bool, D:long, E:dynamic)[]"
SIGN_INS: list[dict[str, Any]] = [
    {"TimeGenerated": "2026-01-13T09:00:00Z", "Id": "1", "UserId": ANN, "AppId": "a", "ResultType": "0"},
    {"TimeGenerated": "2026-01-14T09:00:00Z", "Id": "2", "UserId": ANN, "AppId": "a", "ResultType": "1"},
    {"TimeGenerated": "2026-01-15T09:00:00Z", "Id": "3", "UserId": ANN.upper(), "AppId": "b", "ResultType": "0"},
    {"TimeGenerated": "2026-01-15T09:30:00Z", "Id": "4", "UserId": BOB, "AppId": "b", "ResultType": "0"},
]
CLICK = {"Url": "https://x.example.com:444/p?q=1", "UrlChain": '["https://a", "https://b"]', "ReportId": "6"}
TABLES: dict[str, list[dict[str, Any]]] = {
    "SigninLogs": [row | {"DurationMs": ms} for row, ms in zip(SIGN_INS, (5, 9, None, 1), strict=True)],
    "AADNonInteractiveUserSignInLogs": [{"Id": "5", "DeviceDetail": '{"a": {"b": "c"}}', "UserId": BOB}],
    "UrlClickEvents": [CLICK],
    "EmailEvents": [{"ReportId": "7"}],
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    folder = tmp_path_factory.mktemp("story")
    (folder / "scenario.json").write_text(json.dumps({"title": "t", "now": "2026-01-15T09:40:00Z"}))
    for table, rows in TABLES.items():
        (folder / f"{table}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with running(folder, tmp_path_factory.mktemp("state")) as found:
        yield found


def ask(lab: RunningLab, query: str) -> list[list[Any]]:
    answer = lab.request("POST", PATH, body={"query": query})
    assert answer.status_code == 200, answer.text
    rows: list[list[Any]] = answer.json()["tables"][0]["rows"]
    return rows


def literal(values: list[str]) -> str:
    return f"dynamic({json.dumps(values)})"


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        (f"union ({EMPTY}), (SigninLogs | project A = Id, D = DurationMs) | summarize sum(D)", [[15]]),
        (f"union (SigninLogs | project A = Id, E = DeviceDetail), ({EMPTY} | where C and D > 5) | count", [[4]]),
        (f"let none = {EMPTY}; none | union (SigninLogs | project A = Id) | count", [[4]]),
        (f"SigninLogs | project A = Id | join kind=inner ({EMPTY}) on A | count", [[0]]),
        (f"SigninLogs | project A = Id | join kind=leftouter ({EMPTY}) on A | where isnull(D) | count", [[4]]),
        (f"{EMPTY} | join kind=inner (SigninLogs | project A = Id) on A | project A, B, C, D, E", []),
        (f"SigninLogs | where Id in (({EMPTY} | project A)) | count", [[0]]),
    ],
)  # fmt: skip
def test_an_empty_datatable_stands_in_for_a_table(lab: RunningLab, query: str, rows: Any) -> None:
    assert ask(lab, query) == rows


@pytest.mark.parametrize("count", [2, 4])
def test_a_union_of_subqueries(lab: RunningLab, count: int) -> None:
    parts = [
        "(SigninLogs | where Id != '1' | project Id, Kind = 1)",
        "(AADNonInteractiveUserSignInLogs | project Id, Kind = 2)",
        "(UrlClickEvents | project Id = ReportId, Kind = 3)",
        "(EmailEvents | project Id = ReportId)",
    ]
    found = ask(lab, f"union {', '.join(parts[:count])} | order by Id asc | project Id")
    assert [row[0] for row in found] == ["2", "3", "4", "5", "6", "7"][: count + 2]


def test_a_switch_beside_a_thousand_ids(lab: RunningLab) -> None:
    inline = "SigninLogs | where everyone or UserId in~ ({}) | order by Id asc | project Id"
    of_ann, all_rows = [["1"], ["2"], ["3"]], [["1"], ["2"], ["3"], ["4"]]
    assert ask(lab, "let everyone = bool(false); " + inline.format(literal(GUIDS))) == of_ann
    assert ask(lab, "let everyone = bool(true); " + inline.format(literal(GUIDS))) == all_rows
    named = f"let everyone = bool(false); let ids = {literal(GUIDS)}; {inline.format('ids')}"
    assert ask(lab, named) == of_ann


PREFIX = "2001:db8::/32"
LATEST = "SigninLogs | where Id < '3' | summarize arg_max(TimeGenerated, Id, ResultType) by UserId, AppId"
IF = "SigninLogs | summarize maxif(DurationMs, ResultType == '0'), minif(Id, ResultType == '1') by AppId"
DAYS = (
    "datatable(At: datetime)[datetime(2026-01-13T23:59:00Z), datetime(2026-01-14T00:01:00Z), "
    "datetime(2026-01-15T09:00:00Z), datetime(2026-01-15T09:40:00Z)]"
)


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SigninLogs | summarize s = make_set(AppId, 50) | project array_length(s)", [[2]]),
        (f"{DAYS} | summarize n = count() by d = bin(At, 1d) | summarize count(), max(n)", [[3, 2]]),
        (f"{DAYS} | summarize d = dcount(format_datetime(At, 'yyyy-MM-dd'))", [[3]]),
        ("print format_datetime(datetime(2026-01-15T09:05:06Z), 'yyyy-MM-dd HH:mm:ss')", [["2026-01-15 09:05:06"]]),
        (f"print ipv6_is_match('2001:DB8:0::1', '{PREFIX}')", [[True]]),
        (f"print ipv6_is_match('2001:db9::1', '{PREFIX}')", [[False]]),
        ("let w = dynamic(['x.example.com', 'other']); UrlClickEvents | where Url has_any (w) | count", [[1]]),
        ("let w = dynamic(['xample', 'other']); UrlClickEvents | where Url has_any (w) | count", [[0]]),
        ("UrlClickEvents | project tostring(parse_url(Url).Host), h = parse_url(Url).Host", [["x.example.com"] * 2]),
        ("AADNonInteractiveUserSignInLogs | project tostring(todynamic(DeviceDetail).a.b)", [["c"]]),
        (
            "UrlClickEvents | mv-expand x = parse_json(UrlChain) to typeof(string) | project x",
            [["https://a"], ["https://b"]],
        ),
        (f"{LATEST} | project Id, ResultType", [["2", "1"]]),
        (
            "SigninLogs | summarize arg_max(TimeGenerated, *) by UserId, AppId | order by Id asc | project Id",
            [["2"], ["3"], ["4"]],
        ),
        (f"{IF} | order by AppId asc", [["a", 5, "2"], ["b", 1, ""]]),
    ],
)
def test_what_queries_are_made_of(lab: RunningLab, query: str, rows: Any) -> None:
    assert ask(lab, query) == rows


HOSTILE = [
    "it's",
    "a)|(b",
    "x.y",
    "semi;colon",
    "https://e.example/?a=b&c=[d]",
    "über",
    "100%",
    "}{",
    "--",
    "$1",
    "^_^",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_long_list_holds_whatever_a_string_may_hold(lab: RunningLab, value: str) -> None:
    ids = literal([*GUIDS[:120], *HOSTILE]).encode().decode("unicode-escape")
    held = f'let ids = {ids}; print v = "{value}" | where v in (ids) and v in~ (ids) | project n = array_length(ids)'
    assert ask(lab, held) == [[131]]
    text = f'let ids = {ids}; print v = "<{value}>" | where v has_any (ids) | count'
    assert ask(lab, text) == [[1]]
    assert ask(lab, text.replace(f"<{value}>", "n" + value[1:])) == [[0]]


def test_a_long_list_that_is_used_in_another_way_is_parsed(lab: RunningLab) -> None:
    words = literal(GUIDS[:60])
    text = " ".join(GUIDS[:60])
    assert ask(lab, f'print v = "{text}" | where v has_all ({words}) | count') == [[1]]
    assert ask(lab, f'print v = "{text[:-3]}" | where v has_all ({words}) | count') == [[0]]
    assert ask(lab, f"print v = 'dynamic({json.dumps(GUIDS[:60])})' | project strlen(v) > 2000") == [[True]]
    assert ask(lab, f"print x = 1 // dynamic({json.dumps(GUIDS[:60])})") == [[1]]


def test_the_parser_never_sees_a_long_list() -> None:
    query = f"SigninLogs | where UserId in ({literal(GUIDS)})"
    short, lists = kql_lists.shorten(query)
    assert len(short) < 600
    assert lists[0].values == GUIDS
    assert kql_lists.restore(f"'{json.dumps(lists[0].tokens)}'", lists) is None


def test_a_query_may_have_a_million_characters(lab: RunningLab) -> None:
    ids = [str(uuid.UUID(int=number)) for number in range(24_000)]
    query = f"SigninLogs | where UserId in~ ({literal(ids)}) | count"
    assert 900_000 < len(query) < 1_000_000
    began = time.monotonic()
    assert ask(lab, query) == [[1]]
    assert time.monotonic() - began < 10
    answer = lab.request("POST", PATH, body={"query": query + " " * 100_000})
    assert answer.json()["error"]["innererror"]["code"] == "EngineLimit"
