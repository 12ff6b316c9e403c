"""Values in queries: what a literal holds, what it refuses, and that every shipped query takes its values and runs."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from respond.clients.connect import Connections
from respond.clients.kql import Value, bind, load, quote
from respond.clients.log_answer import Rows
from respond.clients.sources import query_text
from respond.errors import BadQuery, UsageError
from respond.lab import scenario
from respond.lab.kql import Engine
from respond.settings import load_settings, shipped_config
from tests.lab.running_lab import USER, RunningLab, running

QUERIES = sorted((shipped_config() / "queries").glob("*.kql"))
EVERY = [path for path in QUERIES if path.stem != "published_hunt"]
OURS = [path for path in EVERY if path.stem not in ("find_graph_calls", "hunt_confirmations", "hunt_events")]
PARAMETER = re.compile(r"^let p_(\w+) = (.+);$", re.MULTILINE)
NOW = datetime.now(UTC)
# The lab's story lies about the moment its tests begin, and that is long after this module is read in a whole suite.
LATER = NOW + timedelta(days=1)
VALUES: dict[str, Value] = {
    "apps": ("04b07795-8ddb-461a-bbee-02f9e1bf7b46",),
    "everyone": False,
    "user_ids": (USER,),
    "upns": ("target.user@contoso.com",),
    "recipients": (USER, "target.user@contoso.com"),
    "sessions": ("00000000-0000-4000-8000-0000000000ff",),
    "correlations": ("00000000-0000-4000-8000-0000000000fe",),
    "addresses": ("target.user@contoso.com",),
    "hosts": ("evil.example",),
    "urls": ("https://evil.example/x",),
    "history": NOW - timedelta(days=60),
    "since": NOW - timedelta(days=60),
    "from": NOW - timedelta(days=30),
    "arrived_from": NOW - timedelta(days=30),
    "arrived_to": LATER,
    "old_from": NOW - timedelta(days=365),
    "least": 20,
    "to": LATER,
    "now": LATER,
}
# What the seed's story is told by; the other queries only have to run.
TELLING = {
    "hunt_approvals",
    "hunt_redemptions",
    "hunt_approvals.basic",
    "hunt_redemptions.basic",
    "find_clicks",
    "find_lure_mails",
    "find_address_use",
    "find_token_use",
    "find_usual_places",
    "match_threat_intel",
    "count_sign_ins",
    "find_fresh_approvals",
    "find_fresh_redemptions",
}
WHOLE_TENANT = {"count_sign_ins", "read_incidents", "find_fresh_approvals", "find_fresh_redemptions"}
BY_LIST_ALONE = {path.stem for path in OURS} - WHOLE_TENANT
"""Nobody asked about, nobody found: only what is about the whole tenant answers without a list."""
HOSTILE = [
    "x' or 1==1 | union *",
    '"; union * //',
    '") or 1==1 //',
    "\\",
    '\\"',
    "x\\",
    "]) or (1==1) //",
    "\n| union *",
    '"\nlet p_from = datetime(1970-01-01);\n//',
    "\\1 \\g<1> $1 {0} %s",
    "@'x'",
    "h'x'",
    "// comment",
    "/* comment",
    "\\u0022 or 1==1 //",
    "\u2019 or 1==1",
]
# The whole repertoire of a KQL injection, in small.
PIECES = st.lists(st.sampled_from([*"\"'\\|;/*{}[]()@h\n\t\r $u0=.", "union ", "let p_x = ", "\u20ac"]), max_size=12)
TEXT = st.text(max_size=30) | PIECES.map("".join)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(duckdb.connect(), {}, "TimeGenerated")


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """One lab for all tests here: they only read."""
    with running(scenario.find("seed-true-positive"), tmp_path_factory.mktemp("kql-lab")) as lab:
        yield lab


async def ask(tenant: RunningLab, query: str) -> Rows:
    """Run a query with the product's own client."""
    clients = Connections(load_settings(shipped_config()), tenant.url).clients(read_only=True)
    try:
        return await clients.logs.query(query)
    finally:
        await clients.close()


def printed(engine: Engine, literal: str) -> Any:
    """What the engine makes of a literal."""
    ((value,),) = engine.run(f"print x = {literal}", window=None, row_limit=2, timeout=timedelta(seconds=10)).rows
    return value


def literal(value: Value) -> str | None:
    """The literal of a value, or None if there is none that could carry it."""
    try:
        return quote(value)
    except BadQuery:
        return None


def is_plain(text: str) -> bool:
    return not any(unicodedata.category(char) in ("Cc", "Cs") or char in "\u2028\u2029\ufeff" for char in text)


@given(text=TEXT)
def test_text_comes_back_as_it_was_or_is_refused(engine: Engine, text: str) -> None:
    assume("```" not in text)  # the lab's engine takes none
    quoted = literal(text)
    if quoted is None:
        assert not is_plain(text)
    else:
        assert printed(engine, quoted) == text


@given(items=st.lists(TEXT, max_size=4))
def test_lists_come_back_as_they_were_or_are_refused(engine: Engine, items: list[str]) -> None:
    assume("```" not in "".join(items))
    quoted = literal(items)
    if quoted is None:
        assert not all(is_plain(item) for item in items)
    else:
        assert json.loads(printed(engine, quoted)) == items


@pytest.mark.parametrize("char", ["\a", "\b", "\f", "\n", "\r", "\t"], ids=repr)
def test_white_space_and_bells_come_back_or_are_refused(engine: Engine, char: str) -> None:
    quoted = literal(f"a{char}b")
    assert quoted is None or printed(engine, quoted) == f"a{char}b"


@given(number=st.integers(-(2**63) + 1, 2**63 - 1), moment=st.datetimes(datetime(1601, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis adds the zone
def test_numbers_and_times_come_back_as_they_were(engine: Engine, number: int, moment: datetime) -> None:
    assert printed(engine, quote(number)) == number
    assert datetime.fromisoformat(printed(engine, quote(moment))) == moment


def test_a_time_of_another_zone_is_the_same_moment(engine: Engine) -> None:
    moment = datetime.fromisoformat("2026-01-15T10:40:00+01:00")
    assert quote(moment) == "datetime(2026-01-15T09:40:00Z)"
    assert datetime.fromisoformat(printed(engine, quote(moment))) == moment


@pytest.mark.parametrize(
    "text",
    [
        *(chr(code) for code in (*range(7), 0x0B, *range(0x0E, 0x20), *range(0x7F, 0xA0))),
        "\u2028",
        "\u2029",
        "\ufeff",
        chr(0xD800),
        chr(0xDFFF),
    ],
    ids=ascii,
)
def test_what_no_literal_carries_is_refused(text: str) -> None:
    for value in (text, f"a{text}b", ["fine", f"a{text}"]):
        with pytest.raises(BadQuery, match=r"U\+") as caught:
            quote(value)
        assert caught.value.message.isprintable()


def test_text_that_is_too_long_is_refused() -> None:
    assert len(quote("x" * 4096)) == 4098
    for value in ("x" * 4097, ["x" * 10_000]):
        with pytest.raises(BadQuery, match="4096"):
            quote(value)


@pytest.mark.parametrize("value", HOSTILE)
def test_an_injected_value_stays_a_value(engine: Engine, value: str) -> None:
    text = 'let p_x = "a";\nlet p_list = dynamic(["a"]);\nprint x = p_x, y = p_list'
    bound = bind(text, {"x": value, "list": [value, "b"]})
    assert bound.count("\n") == 2
    ((one, many),) = engine.run(bound, window=None, row_limit=2, timeout=timedelta(seconds=10)).rows
    assert one == value
    assert json.loads(many) == [value, "b"]


def test_three_backticks_never_open_a_string() -> None:
    """They do in Kusto, but not inside quotes; the lab's engine refuses any query that holds them."""
    assert quote("``` | union * ```") == '"``` | union * ```"'


@pytest.mark.parametrize("value", [*HOSTILE, "*", "%", "``` | union * ```"])
async def test_a_hostile_name_finds_nothing(tenant: RunningLab, value: str) -> None:
    times: dict[str, Value] = {"from": VALUES["from"], "to": VALUES["to"]}
    text = query_text("find_clicks", upns=[value], **times)
    if "```" in value:
        with pytest.raises(BadQuery, match="does not support ```"):
            await ask(tenant, text)
    else:
        assert await ask(tenant, text) == []


def test_a_value_that_is_missing_or_surplus_is_named() -> None:
    text = 'let p_user_id = "x";\nlet p_from = datetime(2026-01-15);\nprint p_user_id'
    wrong: list[dict[str, Value]] = [
        {},
        {"user_id": "x"},
        {"user_id": "x", "from": NOW, "until": NOW},
        {"USER_ID": "x", "from": NOW},
    ]
    for values in wrong:
        with pytest.raises(BadQuery, match="p_user_id") as caught:
            bind(text, values)
        assert all(f"p_{name}" in caught.value.message for name in values)


def test_a_query_that_does_not_exist_is_named() -> None:
    with pytest.raises(UsageError, match=r"find_nothing\.kql does not exist"):
        query_text("find_nothing")


def kind(text: str) -> str:
    """Text, datetime, long or dynamic: what a literal begins with."""
    return re.split(r"[(\"]", text)[0] or "text"


def body_and_parameters(path: Path) -> tuple[str, dict[str, str]]:
    code = "\n".join(line for line in load(path).splitlines() if not line.lstrip().startswith("//"))
    return PARAMETER.sub("", code), dict(PARAMETER.findall(code))


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)
def test_a_query_starts_with_its_parameters_and_uses_each(path: Path) -> None:
    lines = load(path).splitlines()
    code = [line for line in lines if not line.startswith("//")]
    body, parameters = body_and_parameters(path)
    assert parameters
    assert [bool(PARAMETER.fullmatch(line)) for line in code[: len(parameters)]] == [True] * len(parameters)
    assert set(re.findall(r"\bp_(\w+)", body)) == set(parameters)


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)
def test_a_query_says_where_it_looks_and_what_it_needs(path: Path) -> None:
    header = " ".join(line.removeprefix("//").strip() for line in load(path).splitlines() if line.startswith("//"))
    assert "Tables: " in header
    assert "Permission: Log Analytics Reader" in header or "Permission: ThreatHunting.Read.All" in header
    assert "Returns: " in header


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)
def test_a_query_is_bound_with_values_of_the_kind_that_stands_there(path: Path) -> None:
    _, parameters = body_and_parameters(path)
    bound = bind(load(path), {name: VALUES[name] for name in parameters})
    assert dict(PARAMETER.findall(bound)) == {name: quote(VALUES[name]) for name in parameters}
    assert {name: kind(text) for name, text in parameters.items()} == {
        name: kind(quote(VALUES[name])) for name in parameters
    }


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
async def test_a_query_runs_as_it_lies_on_disk_and_finds_the_story_when_bound(path: Path, tenant: RunningLab) -> None:
    if path.stem != "count_sign_ins":
        assert await ask(tenant, load(path)) == []
    _, parameters = body_and_parameters(path)
    found = await ask(tenant, bind(load(path), {name: VALUES[name] for name in parameters}))
    assert found or path.stem not in TELLING


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
async def test_an_empty_list_of_values_is_a_list_that_holds_nothing(path: Path, tenant: RunningLab) -> None:
    _, parameters = body_and_parameters(path)
    values: dict[str, Value] = {
        name: () if kind(text) == "dynamic" else VALUES[name] for name, text in parameters.items()
    }
    found = await ask(tenant, bind(load(path), values))
    if path.stem in BY_LIST_ALONE:
        assert found == []
    else:
        assert found or path.stem not in TELLING


async def test_the_published_hunt_is_as_published_and_runs(tenant: RunningLab) -> None:
    path = shipped_config() / "queries" / "published_hunt.kql"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest == "75d9563f63ae87f1e3224c560cb63d69d2475648430581f98fb0927f82322f9b"
    (row,) = await ask(tenant, load(path))
    assert (row["UserPrincipalName"], row["Country"]) == ("target.user@contoso.com", "NL")
