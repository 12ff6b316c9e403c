"""Asking on without what a workspace lacks: the query loses a table or a column, and nothing else."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from respond.clients.degrade import _INDISPENSABLE, can_do_without, without_known
from respond.clients.kql import bind, quote
from respond.clients.log_answer import Rows
from respond.clients.logs import Absent
from respond.clients.sources import ask_what_is_there, has_basic
from respond.errors import BadQuery, TableMissing
from respond.log_schema import sentinel_tables
from respond.settings import shipped_config

TABLES = sentinel_tables()
QUERIES = {path.stem: path.read_text() for path in sorted((shipped_config() / "queries").glob("*.kql"))}
INDISPENSABLE = {
    "AuthenticationProtocol",
    "CorrelationId",
    "IPAddress",
    "OriginalTransferMethod",
    "ResultType",
    "SessionId",
    "UserId",
}
"""What a sign-in is found and told by: without it a query would answer, and mean nothing."""
GONE = "the workspace has no table or column named so"
EMPTY_TABLE = re.compile(r"datatable\(([^)]*)\)\[\]")


def code(text: str) -> str:
    """A query of ours without its strings and comments, which are whole lines there."""
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("//"))
    return re.sub(r'"(?:\\.|[^"\\])*"', '""', kept)


def names(text: str) -> list[str]:
    return re.findall(r"[A-Za-z_]\w*", code(text))


def tables_of(text: str) -> list[str]:
    return sorted(set(names(text)) & TABLES.keys())


OF_A_TABLE = [(name, table) for name, text in QUERIES.items() for table in tables_of(text)]


def test_every_query_to_the_workspace_names_a_table_that_is_known() -> None:
    """But for those that are asked of Defender."""
    assert {name for name, text in QUERIES.items() if not tables_of(text)} == {
        "find_graph_calls",
        "hunt_confirmations",
        "hunt_events",
    }


@pytest.mark.parametrize(("query", "table"), OF_A_TABLE)
def test_an_absent_table_reads_as_an_empty_one_with_the_columns_that_the_query_uses(query: str, table: str) -> None:
    text = QUERIES[query]
    assert can_do_without(text, table)
    out, (gap,) = without_known(text, {table: GONE})
    assert table not in names(out)
    columns = {f"{column}: {kind}" for column, kind in TABLES[table].items() if column in names(text)}
    heads = EMPTY_TABLE.findall(code(out))
    assert len(heads) == names(text).count(table)
    assert all(set(filter(None, head.split(", "))) == columns for head in heads)
    assert EMPTY_TABLE.sub(table, out) == text
    assert (gap.source, gap.reason) == (table, GONE)


@pytest.mark.parametrize("query", sorted({query for query, _ in OF_A_TABLE}))
def test_an_absent_column_reads_as_an_empty_value(query: str) -> None:
    text = QUERIES[query]
    empty = {"string": '""', "dynamic": "dynamic(null)"}
    used = {column for table in tables_of(text) for column in TABLES[table] if column in names(text)} - _INDISPENSABLE
    assert used
    for column in sorted(used):
        having = [table for table in tables_of(text) if column in TABLES[table]]
        assert can_do_without(text, column) is (column not in INDISPENSABLE)
        out, (gap,) = without_known(text, {column: GONE})
        kinds = {TABLES[table][column] for table in having}
        added = [
            f' | extend {column} = column_ifexists("{column}", {empty.get(kind, f"{kind}(null)")})' for kind in kinds
        ]
        assert sum(out.count(one) for one in added) == sum(names(text).count(table) for table in having)
        for one in added:
            out = out.replace(one, "")
        assert out == text
        assert gap.source.split(", ") == [f"{table}.{column}" for table in having]


@pytest.mark.parametrize("query", sorted({query for query, _ in OF_A_TABLE}))
def test_everything_may_be_absent_at_once(query: str) -> None:
    text = QUERIES[query]
    columns = {column for table in tables_of(text) for column in TABLES[table] if column in names(text)}
    absent = [*tables_of(text), *columns]
    out, gaps = without_known(text, dict.fromkeys(absent, GONE))
    assert not tables_of(out)
    assert {gap.source for gap in gaps} >= set(tables_of(text))
    assert len(gaps) == len(absent)


@pytest.mark.parametrize("query", QUERIES)
def test_what_the_query_does_not_use_is_none_of_its_business(query: str) -> None:
    text = QUERIES[query]
    others = {name: GONE for name in ("NoSuchTable", "NoSuchColumn", *TABLES) if name not in names(text)}
    assert without_known(text, others) == (text, [])
    assert without_known(text, {}) == (text, [])
    assert not any(can_do_without(text, name) for name in others)


@pytest.mark.parametrize("name", ["IsDeviceCode", "p_user_ids", "rows", "project", "tostring", "NoSuchTable"])
def test_a_name_of_which_nothing_is_known_cannot_be_done_without(name: str) -> None:
    """Names that the query gives itself, words of the language, and whatever a service makes up."""
    assert not can_do_without(QUERIES["hunt_approvals"], name)


def test_names_in_strings_and_comments_are_left_alone() -> None:
    text = """// SigninLogs, by UserId
SigninLogs // as SigninLogs has it
| where UserId == "SigninLogs" and AppId == 'User\\'Id SigninLogs'
| extend Source = "UserId \\" SigninLogs", Link = "https://x/SigninLogs"
| project UserId // UserId"""
    out, _ = without_known(text, {"SigninLogs": GONE})
    table = "datatable(AppId: string, UserId: string)[]"
    assert out == text.replace("\nSigninLogs //", f"\n{table} //")
    out, _ = without_known(text, {"UserId": GONE})
    assert out == text.replace("\nSigninLogs //", '\nSigninLogs | extend UserId = column_ifexists("UserId", "") //')


@pytest.mark.parametrize(
    "text", ['SigninLogsArchive | where x == "SigninLogs"', "// SigninLogs", "union Old_SigninLogs"]
)
def test_a_name_within_another_is_another(text: str) -> None:
    assert not can_do_without(text, "SigninLogs")
    assert without_known(text, {"SigninLogs": GONE}) == (text, [])


PIECES = st.lists(
    st.sampled_from(
        [
            "SigninLogs ",
            "UserId ",
            '"SigninLogs"',
            "'UserId'",
            '"a \\" SigninLogs"',
            '"https://SigninLogs"',
            "// SigninLogs UserId's \"\n",
            "| where ",
            "(",
            ")",
            "\n",
            " == ",
        ]
    ),
    max_size=12,
)


@given(pieces=PIECES, absent=st.sampled_from(["SigninLogs", "UserId"]))
def test_only_code_changes_whatever_stands_beside_it(pieces: list[str], absent: str) -> None:
    out, gaps = without_known("".join(pieces), {absent: GONE})
    table = "datatable(UserId: string)[] " if "UserId " in pieces else "datatable()[] "
    column = 'SigninLogs | extend UserId = column_ifexists("UserId", "") '
    having = absent == "SigninLogs" or ("SigninLogs " in pieces and "UserId " in pieces)
    by = (table if absent == "SigninLogs" else column) if having else "SigninLogs "
    assert out == "".join(by if piece == "SigninLogs " else piece for piece in pieces)
    assert len(gaps) == (f"{absent} " in pieces)


@pytest.mark.parametrize("query", [name.removesuffix(".basic") for name in QUERIES if name.endswith(".basic")])
def test_a_plainer_query_takes_the_same_values_and_one_table(query: str) -> None:
    """A table on the Basic plan takes neither a join nor a second table."""
    plain = QUERIES[f"{query}.basic"]
    parameters = [re.findall(r"^let (p_\w+) = ", text, re.MULTILINE) for text in (QUERIES[query], plain)]
    assert parameters[0] == parameters[1]
    assert len(tables_of(plain)) == names(plain).count(tables_of(plain)[0]) == 1
    assert not {"join", "union"} & set(names(plain))
    assert "in (" not in plain
    assert has_basic(query)


# The questions themselves, of a service that lacks something.


class Lacking:
    """Stands in for a workspace: refuses a query that names something it lacks, or one that is not plain enough."""

    def __init__(self, *lacking: str, only: str = "") -> None:
        self.absent = Absent(timedelta(minutes=15))
        self.asked: list[str] = []
        self._lacking, self._only = lacking, only

    async def query(self, text: str, *, whole: bool) -> Rows:
        assert not whole
        self.asked.append(text)
        if self._only not in text:
            raise BadQuery("join is not supported by this table's plan")
        for name in self._lacking:
            if name in names(text) and f'column_ifexists("{name}"' not in text:
                raise TableMissing(f"the workspace has no table or column named {name}", name)
        return Rows([{"Rows": 0}])


CLICKS: dict[str, Any] = {"upns": ("user@contoso.com",), "from": 1, "to": 2}
HUNT: dict[str, Any] = {"everyone": True, "user_ids": (), "from": 1, "to": 2}


async def test_what_is_absent_is_found_out_once_and_left_out_from_then_on() -> None:
    workspace: Any = Lacking("UrlClickEvents", "ThreatIntelligenceIndicator")
    for tries in (2, 1):
        workspace.asked.clear()
        rows, gaps = await ask_what_is_there(workspace, "find_clicks", CLICKS, source="x")
        assert rows == [{"Rows": 0}]
        assert [gap.source for gap in gaps] == ["UrlClickEvents"]
        assert len(workspace.asked) == tries
    assert set(workspace.absent.known()) == {"UrlClickEvents"}


async def test_columns_that_are_absent_are_found_out_one_after_the_other() -> None:
    workspace: Any = Lacking("IsClickedThrough", "Workload")
    _, gaps = await ask_what_is_there(workspace, "find_clicks", CLICKS, source="x")
    assert [gap.source for gap in gaps] == ["UrlClickEvents.IsClickedThrough", "UrlClickEvents.Workload"]


async def test_an_unknown_name_that_is_absent_is_an_error() -> None:
    """Nothing can be put in its place: the query and the workspace disagree on something else."""
    workspace: Any = Lacking("project")
    with pytest.raises(TableMissing):
        await ask_what_is_there(workspace, "find_clicks", CLICKS, source="x")


@pytest.mark.parametrize("column", sorted(INDISPENSABLE))
async def test_without_what_a_sign_in_is_found_by_there_is_no_answer(column: str) -> None:
    """An empty marker would read as no device code at all."""
    workspace: Any = Lacking(column)
    with pytest.raises(TableMissing):
        await ask_what_is_there(workspace, "hunt_approvals", HUNT, source="SigninLogs")


async def test_a_query_that_lacks_nearly_everything_is_given_up() -> None:
    used = [column for column in TABLES["SigninLogs"] if column in names(QUERIES["hunt_approvals"])]
    workspace: Any = Lacking(*(column for column in used if column not in _INDISPENSABLE))
    with pytest.raises(BadQuery, match="lacks more than 8"):
        await ask_what_is_there(workspace, "hunt_approvals", HUNT, source="SigninLogs")


async def test_a_plan_that_takes_no_joins_is_asked_the_plainer_query() -> None:
    workspace: Any = Lacking("RiskState", only="takes one table and no subquery")
    workspace.absent.add("RiskState", GONE)
    rows, gaps = await ask_what_is_there(workspace, "hunt_approvals", HUNT, source="SigninLogs")
    assert rows
    assert "column_ifexists" in workspace.asked[-1]
    assert any("plainer" in gap.reason for gap in gaps)


async def test_a_plainer_query_does_without_what_is_absent_as_well() -> None:
    workspace: Any = Lacking("RiskState", only="takes one table and no subquery")
    rows, gaps = await ask_what_is_there(workspace, "hunt_approvals", HUNT, source="SigninLogs")
    assert rows
    assert "SigninLogs.RiskState" in {gap.source for gap in gaps}


async def test_a_refused_query_without_a_plainer_form_is_an_error() -> None:
    workspace: Any = Lacking(only="never")
    with pytest.raises(BadQuery):
        await ask_what_is_there(workspace, "find_clicks", CLICKS, source="x")


# Yes and no as values.


@pytest.mark.parametrize(
    ("value", "literal"), [(True, "bool(true)"), (False, "bool(false)"), (1, "long(1)"), (0, "long(0)")]
)
def test_yes_and_no_are_no_numbers(value: bool | int, literal: str) -> None:
    assert quote(value) == literal


@given(everyone=st.booleans())
def test_a_query_takes_yes_and_no(everyone: bool) -> None:
    text = bind(QUERIES["hunt_approvals"], HUNT | {"everyone": everyone})
    assert f"let p_everyone = bool({'true' if everyone else 'false'});" in text.splitlines()


@pytest.mark.parametrize("column", sorted(_INDISPENSABLE))
def test_a_sign_in_without_its_marks_is_not_looked_for(column: str) -> None:
    """An empty value there would read as no device code: the query fails instead."""
    assert not can_do_without(QUERIES["hunt_approvals"], column)


def test_what_was_missing_is_asked_for_again_after_a_while() -> None:
    """Tables get connected while the program runs."""
    lasting, over = Absent(timedelta(minutes=15)), Absent(timedelta(0))
    for absent in (lasting, over):
        absent.add("UrlClickEvents", GONE)
    assert (lasting.known(), over.known()) == ({"UrlClickEvents": GONE}, {})
