"""The lab's advanced hunting has Defender's columns and types, of the same rows as the workspace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from respond.log_schema import xdr_tables
from tests.lab.running_lab import RunningLab

Start = Callable[..., RunningLab]
Story = Callable[..., Path]
AT = "2026-01-15T09:21:00Z"
MAIL = {"TimeGenerated": AT, "NetworkMessageId": "m", "To": ["a"], "AdditionalFields": {"x": 1}, "IsFirstContact": True}
CLICK = {"TimeGenerated": AT, "Url": "https://example.com", "IsClickedThrough": True, "UrlChain": '["https://a"]'}
APP = {"TimeGenerated": AT, "ISP": "Example", "RawEventData": {"a": 1}}


def hunt(lab: RunningLab, query: str) -> Any:
    return lab.request("POST", "/v1.0/security/runHuntingQuery", body={"Query": query}).json()


@pytest.fixture
def tables(story: Story) -> Path:
    return story(EmailEvents=[MAIL], UrlClickEvents=[CLICK], CloudAppEvents=[APP])


@pytest.mark.parametrize(
    ("query", "row", "types"),
    [
        ("UrlClickEvents | project IsClickedThrough", {"IsClickedThrough": 1}, ["SByte"]),
        ("EmailEvents | project AdditionalFields", {"AdditionalFields": '{"x": 1}'}, ["String"]),
        ("CloudAppEvents | project Isp", {"Isp": "Example"}, ["String"]),
        ("CloudAppEvents | project RawEventData", {"RawEventData": '{"a":1}'}, ["Object"]),
    ],
)
def test_a_row_has_the_names_and_types_of_defender(
    query: str, row: dict[str, Any], types: list[str], tables: Path, start: Start
) -> None:
    answer = hunt(start(tables), query)
    assert answer["results"] == [row]
    assert [column["type"] for column in answer["schema"]] == types


@pytest.mark.parametrize("column", ["TimeGenerated", "IsFirstContact", "To"])
def test_a_column_that_defender_lacks_is_named(column: str, tables: Path, start: Start) -> None:
    assert column not in xdr_tables()["EmailEvents"]
    error = hunt(start(tables), f"EmailEvents | where isnotempty({column})")["error"]
    assert error["message"] == f"'where' operator: Failed to resolve scalar expression named '{column}'"


async def test_a_table_can_be_in_one_place_alone(story: Story, start: Start) -> None:
    lists = {"defender_tables": ["UrlClickEvents"], "workspace_tables": ["EmailEvents"]}
    lab = start(story(UrlClickEvents=[CLICK], EmailEvents=[MAIL], scenario=lists))
    there = hunt(lab, "UrlClickEvents | count")
    assert there["results"] == [{"Count": 1}]
    assert "named 'EmailEvents'" in hunt(lab, "EmailEvents | count")["error"]["message"]
    here = await lab.query("EmailEvents | count")
    assert here.tables[0].rows[0][0] == 1
    with pytest.raises(HttpResponseError):
        await lab.query("UrlClickEvents | count")
