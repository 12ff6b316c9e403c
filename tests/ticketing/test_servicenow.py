"""ServiceNow: records that are found by correlation id, and what an instance does without saying so."""

from __future__ import annotations

from typing import Any

import pytest

from respond.clients.guard import is_read
from respond.errors import Forbidden, NotFound, Permanent, Unanswered, Unauthenticated
from respond.models.tickets import Severity
from tests.fakes.served import LOST, Answer, Fault
from tests.ticketing.systems import BODY, CASE, both, draft

PLAIN = "MALICIOUS 97\n\nWhy: redeemed by python-requests\n\n- click\n- approval"


async def test_a_record_says_what_the_draft_says() -> None:
    async with both("servicenow") as (system, fake):
        made = await system.create(draft())
        record = fake.records[0]
        assert (made.handle, made.id) == (record["sys_id"], "INC0000001")
        assert made.url == f"{fake.url}/incident.do?sys_id={record['sys_id']}"
        assert record["correlation_id"] == CASE
        assert record["correlation_display"] == "respond"
        assert record["short_description"] == "Device code phishing: target.user@contoso.com"
        assert record["description"] == PLAIN
        assert (record["urgency"], record["impact"]) == ("1", "1")
        await system.update(made, draft("less", severity=Severity.LOW))
        assert (record["description"], record["urgency"], record["correlation_id"]) == ("less", "3", CASE)


async def test_of_several_records_of_a_case_the_first_is_found() -> None:
    async with both("servicenow") as (system, fake):
        first = await system.create(draft())
        await system.create(draft())
        assert await system.find(CASE) == first
        assert len(fake.records) == 2


async def test_a_record_of_somebody_else_is_not_taken_when_the_condition_was_dropped() -> None:
    async with both("servicenow") as (system, fake):
        await system.create(draft(key="DC-OTHER"))
        fake.columns.remove("correlation_id")
        with pytest.raises(Permanent, match="table incident has no column correlation_id"):
            await system.find(CASE)


async def test_a_long_text_is_cut_by_us_with_a_note_and_not_by_the_instance() -> None:
    long = "\n\n".join(f"paragraph {number}" for number in range(1000))
    async with both("servicenow") as (system, fake):
        await system.create(draft(long, title="x" * 300))
        assert fake.records[0]["description"].endswith(f"Cut here; the whole text: respond show {CASE}")
        assert len(fake.records[0]["short_description"]) == 160
        assert fake.records[0]["short_description"].endswith("…")
    async with both("servicenow", description_length=500) as (system, fake):
        await system.create(draft(long))
        assert len(fake.records[0]["description"]) <= 500


async def test_an_import_set_creates_once_however_often_it_is_sent() -> None:
    async with both("servicenow", import_set="u_respond") as (system, fake):
        fake.faults.append(Fault("POST", Answer(500), worked=True))
        with pytest.raises(Unanswered):
            await system.create(draft())
        made = await system.create(draft("second"))
        assert await system.create(draft("third")) == made == await system.find(CASE)
        assert [record["description"] for record in fake.records] == ["third"]
        assert {request.path for request in fake.requests if request.method == "POST"} == {"/api/now/import/u_respond"}


async def test_an_import_set_rewrites_a_record_and_brings_none_back() -> None:
    async with both("servicenow", import_set="u_respond") as (system, fake):
        made = await system.create(draft())
        await system.update(made, draft("new text"))
        assert fake.records[0]["description"] == "new text"
        fake.records.clear()
        with pytest.raises(NotFound, match="INC0000001 of case DC-7F3K2Q is gone from table incident"):
            await system.update(made, draft())
        assert fake.records == []


@pytest.mark.parametrize(
    "result",
    [
        [{"table": "incident", "status": "error", "error_message": "no transform"}],
        [{"table": "sn_other", "status": "inserted", "sys_id": "1"}],
        [],
        None,
    ],
)
async def test_an_import_that_wrote_nothing_names_the_setting(result: object) -> None:
    async with both("servicenow", import_set="u_respond") as (system, fake):
        fake.faults.append(Fault("POST", Answer(201, {"import_set": "ISET1", "result": result})))
        with pytest.raises(Permanent, match=r"import set u_respond wrote nothing .*tickets\.servicenow\.import_set"):
            await system.create(draft())


@pytest.mark.parametrize(
    ("section", "expected", "key"),
    [
        ({"user": "nobody"}, Unauthenticated, r"tickets\.servicenow\.user or \.password"),
        ({"table": "incidents"}, Permanent, r"Invalid table incidents\); tickets\.servicenow\.table"),
        ({"import_set": "u_none"}, Permanent, r"Invalid import u_none\); tickets\.servicenow\.table or \.import_set"),
    ],
)
async def test_a_wrong_setting_is_named(section: dict[str, Any], expected: type[Permanent], key: str) -> None:
    async with both("servicenow", **section) as (system, fake):
        with pytest.raises(expected, match=key):
            await system.create(draft())
        assert fake.records == []


async def test_a_user_without_the_role_is_told_which_table() -> None:
    async with both("servicenow") as (system, fake):
        fake.can_write = False
        with pytest.raises(Forbidden, match=r"ACL Exception.* role that may read, create and write table incident"):
            await system.create(draft())


async def test_a_lost_update_may_simply_be_sent_again() -> None:
    async with both("servicenow") as (system, fake):
        made = await system.create(draft())
        fake.faults.append(Fault("PATCH", LOST, worked=True))
        with pytest.raises(Unanswered):
            await system.update(made, draft("new"))
        await system.update(made, draft("new"))
        assert [record["description"] for record in fake.records] == ["new"]


def test_only_the_list_of_a_table_is_a_read() -> None:
    base = "https://example.service-now.com/api/now"
    assert is_read("GET", f"{base}/table/incident?sysparm_query=correlation_id=DC-1")
    for method, path in (("POST", "table/incident"), ("PATCH", "table/incident/1"), ("GET", "import/u_respond")):
        assert not is_read(method, f"{base}/{path}")


async def test_the_text_of_the_draft_is_plain() -> None:
    async with both("servicenow") as (system, fake):
        await system.create(draft(BODY + "\n\\[code\\]<img src=x>\\[/code\\]\n"))
        assert fake.records[0]["description"].endswith("(code)< img src=x>(/code)")
