"""Scenario files: what is taken, what is refused and how, and what is moved to the present."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from respond.errors import UsageError
from respond.lab import scenario
from respond.lab.timeshift import shift_json_text, shift_row, shift_timestamp, shift_value, whole_seconds

Story = Callable[..., Path]


def test_the_seed_is_shipped_and_complete() -> None:
    assert "seed-true-positive" in [name for name, _, _ in scenario.shipped()]
    story = scenario.read(scenario.find("seed-true-positive"))
    assert len(list(story.tables["SigninLogs"])) == 64
    assert story.now == datetime(2026, 1, 15, 9, 40, tzinfo=UTC)


@pytest.mark.parametrize("name", ["", "no-such-story", "/no/such/folder"])
def test_what_is_not_a_scenario_is_refused_with_a_way_out(name: str) -> None:
    with pytest.raises(UsageError, match=r"respond lab scenarios"):
        scenario.find(name)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ('{"Idd": "x"}', "SigninLogs.jsonl:2: column 'Idd' is not in table SigninLogs"),
        ('{"Id": 5}', "SigninLogs.jsonl:2: column Id (string)"),
        ('{"IsRisky": "true"}', "SigninLogs.jsonl:2: column IsRisky (bool)"),
        ('{"IsRisky": 1}', "SigninLogs.jsonl:2: column IsRisky (bool)"),
        ('{"DurationMs": 1.5}', "SigninLogs.jsonl:2: column DurationMs (long)"),
        ('{"DurationMs": true}', "SigninLogs.jsonl:2: column DurationMs (long)"),
        ('{"DurationMs": 9223372036854775808}', "SigninLogs.jsonl:2: column DurationMs (long)"),
        ('{"TimeGenerated": "2026-01-15"}', "SigninLogs.jsonl:2: column TimeGenerated (datetime)"),
        ('{"TimeGenerated": "2026-02-30T00:00:00Z"}', "SigninLogs.jsonl:2: column TimeGenerated (datetime)"),
        ('{"TimeGenerated": "1/15/2026 9:24 AM"}', "SigninLogs.jsonl:2: column TimeGenerated (datetime)"),
        ('{"DeviceDetail": NaN}', "SigninLogs.jsonl:2: not JSON"),
        ('{"Id": "x"', "SigninLogs.jsonl:2: not JSON"),
        ('{"Id": "\\ud800"}', "SigninLogs.jsonl:2: not JSON the lab can hold"),
        ('{"Id": "\\u0000"}', "SigninLogs.jsonl:2: not JSON the lab can hold"),
        ("[1]", "SigninLogs.jsonl:2: each line is one JSON object"),
        ("[" * 100_000, "SigninLogs.jsonl:2: not JSON"),
    ],
)
def test_a_mistake_in_a_row_is_named_with_file_line_and_column(story: Story, row: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        scenario.read(story(SigninLogs='{"Id": "fine"}\n' + row + "\n"))
    assert words in caught.value.message
    assert "\n" not in caught.value.message


def test_types_that_fit_are_taken(story: Story) -> None:
    rows = [
        {
            "TimeGenerated": "2026-01-15T09:00:00.123456789Z",
            "IsRisky": None,
            "DeviceDetail": "text",
            "DurationMs": 5,
            "Id": "é",
        }
    ]
    found = scenario.read(story(SigninLogs=rows, EntraIdSignInEvents=[{"Timestamp": "2026-01-15T09:00:00Z"}]))
    assert list(found.tables["SigninLogs"]) == rows


def test_an_unknown_table_is_refused(story: Story) -> None:
    with pytest.raises(UsageError, match=r"signinlogs"):
        scenario.read(story(signinlogs=[{}]))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"Id": "x"}\n{"Id": "\xe9"}', ":2: not UTF-8"),
        (b"\xff\xfe{\x00", "byte order mark"),
    ],
)
def test_other_encodings_are_refused(story: Story, data: bytes, words: str) -> None:
    folder = story(SigninLogs=[])
    (folder / "SigninLogs.jsonl").write_bytes(data)
    with pytest.raises(UsageError, match=words):
        scenario.read(folder)


@pytest.mark.parametrize(
    "head",
    [
        {"now": "yesterday"},
        {"now": None},
        {"title": 5},
        {"titel": "x"},
        {"absent_tables": ["Nonsense"]},
        {"absent_tables": "SigninLogs"},
        {"absent_tables": ["SigninLogs"]},
        {"defender_tables": "UrlClickEvents"},
        {"workspace_tables": ["Nonsense"]},
        {"expect": {"a@contoso.com": {"verdict": "guilty", "why": "x"}}},
        {"expect": []},
    ],
)
def test_a_broken_scenario_json_is_refused(story: Story, head: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"scenario\.json"):
        scenario.read(story(scenario=head, SigninLogs=[]))


def test_a_directory_without_scenario_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no scenario\.json"):
        scenario.read(tmp_path)


@pytest.mark.parametrize(
    ("directory", "words"),
    [
        ({"user": []}, "unknown collection 'user'"),
        ({"users": {}}, "users must be a list"),
        ({"users": [5]}, "users[0] must be an object"),
        ({"users": [{"id": "a"}]}, "users[0] needs 'userPrincipalName'"),
        ({"groups": [{"id": "a"}, {"id": "A"}]}, "groups[1] repeats a"),
        (
            {"riskyUsers": [{"id": "a", "riskLastUpdatedDateTime": "now"}]},
            "riskyUsers[0].riskLastUpdatedDateTime must be",
        ),
        ({"messageRules": []}, "messageRules must be an object"),
        ({"authenticationMethods": {"a": [1]}}, "authenticationMethods.a must be a list of objects"),
        ([], "must be a JSON object"),
    ],
)
def test_a_broken_directory_is_refused(story: Story, directory: Any, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        scenario.read(story(directory=directory))
    assert "directory.json" in caught.value.message
    assert words in caught.value.message


SHIFTS = st.integers(min_value=-250_000_000, max_value=250_000_000).map(lambda seconds: timedelta(seconds=seconds))
MOMENTS = st.integers(min_value=-2000, max_value=7000).map(
    lambda days: (
        datetime(2020, 1, 1, tzinfo=UTC).replace(tzinfo=None) + timedelta(days=days, seconds=(days * 7919) % 86_400)
    )
)
FRACTIONS = st.text("0123456789", min_size=1, max_size=9).map(lambda digits: "." + digits) | st.just("")
OTHER_TEXT = st.text().filter(
    lambda text: not re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", text) and not text.startswith(("{", "[", '"'))
)


@given(MOMENTS, FRACTIONS, SHIFTS)
def test_a_timestamp_moves_by_the_shift_and_keeps_its_fraction(
    moment: datetime, fraction: str, shift: timedelta
) -> None:
    assert shift_timestamp(f"{moment.isoformat()}{fraction}Z", shift) == f"{(moment + shift).isoformat()}{fraction}Z"


@given(MOMENTS, FRACTIONS, SHIFTS)
def test_moving_there_and_back_changes_nothing(moment: datetime, fraction: str, shift: timedelta) -> None:
    value = {"a": [f"{moment.isoformat()}{fraction}Z", json.dumps({"b": f"{moment.isoformat()}{fraction}Z"})]}
    assert shift_value(shift_value(value, shift), -shift) == value


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | OTHER_TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@given(JSON_VALUES, SHIFTS)
def test_nothing_else_moves(value: Any, shift: timedelta) -> None:
    assert shift_value(value, shift) == value
    assert shift_json_text(json.dumps(value), shift) == json.dumps(value)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-15",
        "2026-01-15T09:24Z",
        "2026-01-15T09:24:58",
        "2026-01-15T09:24:58+00:00",
        "at 2026-01-15T09:24:58Z",
        "2026-01-15T09:24:58Z.",
        "2026-02-30T09:24:58Z",
        "2026-01-15T09:24:58.1234567890Z",
        "2026-01-15t09:24:58z",
        "9999-12-31T23:59:59Z",
    ],
)
def test_what_is_not_a_complete_timestamp_stays(text: str) -> None:
    assert shift_timestamp(text, timedelta(days=1)) == text


def test_a_row_moves_as_its_columns_say() -> None:
    columns = {"T": "datetime", "D": "dynamic", "S": "string"}
    at, later = "2026-01-15T09:00:00.1234567Z", "2026-01-16T09:00:00.1234567Z"
    day = timedelta(days=1)
    moved = shift_row({"T": at, "D": {"x": at, "y": f"at {at}", "z": f'["{at}"]'}, "S": at}, columns, day)
    assert moved == {"T": later, "D": {"x": later, "y": f"at {at}", "z": f'["{later}"]'}, "S": at}
    assert shift_row({"S": f'{{"x":"{at}"}}'}, columns, day) == {"S": json.dumps({"x": later})}
    assert shift_row({"S": f'{{"x":"at {at}"}}'}, columns, day) == {"S": f'{{"x":"at {at}"}}'}


def test_the_shift_never_puts_the_story_into_the_future() -> None:
    now = datetime(2026, 3, 1, 0, 0, 0, 900_000, tzinfo=UTC)
    assert whole_seconds(now, datetime(2026, 2, 28, tzinfo=UTC)) == timedelta(days=1)
