"""One query text for two places: what is said differently, and that what comes back is the same."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from respond.clients.degrade import names, replaced
from respond.clients.dialect import MOVABLE, differing, for_defender, hunting_tables, read_answer
from respond.clients.places import GRAPH_CALLS, SIGN_INS
from respond.errors import Transient
from respond.lab.columns import columns_of
from respond.lab.row_jobs import FORMS
from respond.log_schema import sentinel_tables, xdr_tables
from respond.settings import Sources, shipped_config
from tools.queries.hunting_forms import hunting_forms

QUERIES = {path.stem: path.read_text(encoding="utf-8") for path in (shipped_config() / "queries").glob("*.kql")}
MOVED = sorted(name for name, text in QUERIES.items() if names(text) & MOVABLE)
NOT_TIME = sorted(names(" ".join(QUERIES.values())) - {"TimeGenerated"} - MOVABLE)


# The query.


def test_the_tables_that_may_be_moved_are_those_of_the_settings() -> None:
    assert set(Sources.model_fields) == MOVABLE | {*SIGN_INS, GRAPH_CALLS}
    assert sentinel_tables().keys() & xdr_tables().keys() >= MOVABLE


@pytest.mark.parametrize("query", MOVED)
def test_a_moved_query_differs_in_its_time_column_alone(query: str) -> None:
    """No shipped query uses a column that is spelled or typed in another way."""
    text = QUERIES[query]
    assert for_defender(text) == replaced(text, "TimeGenerated", "Timestamp") != text
    assert "TimeGenerated" not in names(for_defender(text))


@pytest.mark.parametrize("query", MOVED)
def test_a_moved_query_keeps_its_comments(query: str) -> None:
    comments = re.compile(r"^//.*$", re.MULTILINE)
    assert comments.findall(for_defender(QUERIES[query])) == comments.findall(QUERIES[query])


@pytest.mark.parametrize("query", MOVED)
def test_no_query_joins_a_table_that_may_be_moved_with_one_that_may_not(query: str) -> None:
    """Or it could be asked in neither place: what is asked in both is a union of one branch a table."""
    text = QUERIES[query]
    apart = names(text) & sentinel_tables().keys() - MOVABLE
    if apart:
        assert not {"join", "lookup"} & names(text)
        assert "in ((" not in text
        assert len(re.findall(r"^union$", text, re.MULTILINE)) == 1
        assert len(re.findall(r"^  \(\w+$", text, re.MULTILINE)) == len(names(text) & sentinel_tables().keys())


def test_the_forms_that_are_checked_against_the_schema_are_those_that_are_sent() -> None:
    assert [name.removesuffix(".kql") for name, _ in hunting_forms()] == MOVED
    for name, text in hunting_forms():
        assert text.startswith("// tables-of: defender_xdr\n")
        known = {column for table in names(text) & MOVABLE for column in xdr_tables()[table]}
        ours = {column for table in names(text) & MOVABLE for column in hunting_tables()[table]}
        left = re.sub(r"extend \w+ = column_ifexists\(\S+, \S+\)", "", text)
        undocumented = {"IsFirstContact"} & names(left)
        assert (names(left) & ours) - undocumented <= known, name


@pytest.mark.parametrize(
    ("table", "column", "made"),
    [
        ("EmailEvents", "AdditionalFields", "parse_json(AdditionalFields)"),
        ("CloudAppEvents", "ISP", "Isp"),
    ],
)
def test_a_column_of_another_type_or_spelling_is_made(table: str, column: str, made: str) -> None:
    assert differing(table)[column] == made
    text = f'{table} // {column}\n| where {column} == "{column} TimeGenerated" and TimeGenerated > ago(1d)'
    out = for_defender(text)
    assert out.startswith(f"{table} | extend {column} = {made} // {column}\n")
    assert f'"{column} TimeGenerated"' in out
    assert out.endswith("and Timestamp > ago(1d)")


@pytest.mark.parametrize("table", sorted(MOVABLE))
def test_every_difference_between_the_two_schemas_is_known(table: str) -> None:
    """By Microsoft's table references: a column is the same, is made, or Defender does not document it."""
    ours, theirs = sentinel_tables()[table], xdr_tables()[table]
    same = {column for column, kind in ours.items() if theirs.get(column) == kind}
    undocumented = {column for column in ours if column.lower() not in {name.lower() for name in theirs}}
    assert set(ours) == same | differing(table).keys() | undocumented
    assert not same & differing(table).keys()
    assert undocumented - {"TimeGenerated"} <= hunting_tables()[table].keys()


PIECES = st.lists(
    st.sampled_from(
        [
            "EmailEvents ", "TimeGenerated ", '"TimeGenerated"', "'EmailEvents'", '"a \\" TimeGenerated"',
            "// TimeGenerated's \"\n", "AdditionalFields ", "My_TimeGenerated ", "| where ", "(", ")", "\n", " == ",
        ]
    ),
    max_size=14,
)  # fmt: skip


@given(pieces=PIECES)
def test_only_code_is_translated_whatever_stands_beside_it(pieces: list[str]) -> None:
    made = "| extend AdditionalFields = parse_json(AdditionalFields) " if "AdditionalFields " in pieces else ""
    by = {"TimeGenerated ": "Timestamp ", "EmailEvents ": f"EmailEvents {made}"}
    assert for_defender("".join(pieces)) == "".join(by.get(piece, piece) for piece in pieces)


@given(text=st.lists(st.sampled_from(NOT_TIME), max_size=20).map(" ".join))
def test_what_has_no_difference_stays_as_it_is(text: str) -> None:
    assert for_defender(text) == text


# The answer.

GUID = "11111111-AAAA-4bbb-8ccc-222222222222"


def answer(kind: str, value: object, **more: object) -> dict[str, object]:
    return {"schema": [{"name": "X", "type": kind}], "results": [{"X": value}], **more}


def read(kind: str, value: object) -> Any:
    ((row,), reason) = read_answer(answer(kind, value))
    assert not reason
    return row["X"]


@pytest.mark.parametrize(
    ("kind", "value", "read_as"),
    [
        ("String", None, ""),
        ("String", "2026-01-15T09:24:58Z", "2026-01-15T09:24:58Z"),
        ("String", GUID, GUID),
        ("DateTime", "2026-01-15T09:24:58.1234567Z", datetime(2026, 1, 15, 9, 24, 58, 123456, tzinfo=UTC)),
        ("DateTime", "2026-01-15T09:24:58", datetime(2026, 1, 15, 9, 24, 58, tzinfo=UTC)),
        ("DateTime", None, None),
        ("SByte", 1, True),
        ("SByte", 0, False),
        ("SByte", True, True),
        ("SByte", "0", False),
        ("SByte", None, None),
        ("System.SByte", 1, True),
        ("Boolean", False, False),
        ("Int32", 50199, 50199),
        ("Int64", "9007199254740993", 9007199254740993),
        ("Int32", None, None),
        ("Object", {"a": ["é"]}, '{"a": ["é"]}'),
        ("Object", '["x"]', '["x"]'),
        ("Object", None, None),
        ("Double", 0.5, 0.5),
        ("Guid", GUID, GUID),
    ],
)
def test_a_value_is_read_as_the_workspace_would_send_it(kind: str, value: object, read_as: object) -> None:
    found = read(kind, value)
    assert found == read_as
    assert type(found) is type(read_as)


def test_an_older_answer_spells_its_schema_in_capitals() -> None:
    old = {"Schema": [{"Name": "At", "Type": "DateTime"}], "Results": [{"At": "2026-01-15T09:24:58Z"}]}
    assert read_answer(old) == ([{"At": datetime(2026, 1, 15, 9, 24, 58, tzinfo=UTC)}], "")


def test_a_column_without_a_value_is_there_all_the_same() -> None:
    rows, _ = read_answer({"schema": [{"name": "X", "type": "String"}], "results": [{}]})
    assert rows == [{"X": ""}]


@pytest.mark.parametrize("empty", [None, {}, [], "", {"results": []}, {"schema": []}, {"error": {"code": "x"}}])
def test_an_answer_without_a_table_is_none(empty: object) -> None:
    """As an empty 200 and a 204 are: nothing is not the same as no rows."""
    with pytest.raises(Transient, match="without a table"):
        read_answer(empty)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"code": "PartialError", "message": "some shards did not answer"}, "some shards did not answer"),
        ({"code": "PartialError"}, "PartialError"),
        ("cut", "partial result"),
        (None, ""),
    ],
)
def test_an_error_beside_rows_says_that_they_are_not_all(error: object, reason: str) -> None:
    rows, said = read_answer(answer("String", "x", error=error))
    assert (rows, said) == ([{"X": "x"}], reason)


TEXTS = st.text(max_size=20) | st.datetimes().map(lambda at: at.isoformat() + "Z") | st.uuids().map(str)


@given(value=TEXTS)
def test_text_is_never_taken_for_something_else(value: str) -> None:
    """The SDK's own models turn a subject that looks like a date into one."""
    assert read("String", value) == value


@given(at=st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2099, 1, 1)), hours=st.integers(-12, 14))  # noqa: DTZ001
def test_a_time_is_the_same_moment_in_utc(at: datetime, hours: int) -> None:
    aware = at.replace(tzinfo=UTC)
    there = aware + timedelta(hours=hours)
    sign = "+" if hours >= 0 else "-"
    text = f"{there.replace(tzinfo=None).isoformat()}{sign}{abs(hours):02d}:00"
    assert read("DateTime", text) == aware


@given(value=st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=5))
def test_a_dynamic_value_comes_as_json_text(value: object) -> None:
    found = read("Object", value)
    if value is None or isinstance(value, str):
        assert found == value
    else:
        assert json.loads(found) == value


# The lab holds to the same schemas.


@pytest.mark.parametrize("table", sorted(MOVABLE))
def test_the_lab_has_both_forms_of_a_table(table: str) -> None:
    assert (columns_of(table) or {}).items() >= sentinel_tables()[table].items()
    assert ("Timestamp" in FORMS["hunting"]()[table], "Timestamp" in FORMS["workspace"]()[table]) == (True, False)
