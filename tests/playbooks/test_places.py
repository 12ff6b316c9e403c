"""The same evidence wherever the tables are, and a named gap where they are nowhere. On the lab, over HTTP."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from actions.find_fresh_users import find_fresh_users
from actions.find_lures import find_lures
from actions.find_recipients import find_recipients
from actions.find_token_use import find_token_use
from respond.clients.connect import Clients, Connections
from respond.clients.dialect import MOVABLE
from respond.clients.places import SIGN_INS
from respond.clients.whereabouts import Where, whereabouts
from respond.errors import TableMissing
from respond.lab import scenario
from respond.models.base import Gap
from respond.models.case import Case, Mode, Window
from respond.models.evidence import Account, Lures, Message
from respond.models.tasks import Recipients
from respond.policies import load_policy
from respond.settings import Place, Settings, Sources, load_settings, shipped_config
from respond.step import Process, install
from tests.helpers.command import VICTIM, respond
from tests.lab.running_lab import RunningLab, running

POLICY = load_policy(shipped_config())
FOLDERS = {name: scenario.find(name) for name, _, _ in scenario.shipped()}
T = TypeVar("T")
MAIL = ("EmailEvents", "EmailUrlInfo", "EmailPostDeliveryEvents")
NO_COLUMN = Gap(source="EmailEvents.IsFirstContact", reason="Defender XDR has no table or column named IsFirstContact")
Story = Callable[..., Path]


def stories(tables: Collection[str]) -> list[str]:
    """Scenarios that have rows of one of these."""
    return sorted(name for name, at in FOLDERS.items() if any((at / f"{table}.jsonl").exists() for table in tables))


SPEAKING = {
    "campaign",
    "container-and-cluster",
    "developer-habit",
    "first-week",
    "foreign-vpn",
    "missing-table",
    "partner-mailbox-lure",
    "quishing-zapped",
    "seed-true-positive",
    "small-tenant-old-feed",
    "teams-external-link",
    "unmarked-cmsi",
}
"""Scenarios that have together all that the others have; see the test of that."""


def speaking(tables: Collection[str]) -> list[Any]:
    """Those scenarios, of which most are left to `make soak`."""
    return [pytest.param(name, marks=() if name in SPEAKING else pytest.mark.soak) for name in stories(tables)]


def columns(names: Collection[str]) -> set[tuple[str, str]]:
    """The tables that can be in Defender too, with the columns that rows of these scenarios have."""
    return {
        (table, name)
        for story in names
        for table in MOVABLE
        if (file := FOLDERS[story] / f"{table}.jsonl").exists()
        for line in file.read_text().splitlines()
        for name, value in json.loads(line).items()
        if value not in (None, "", [], {})
    }


def test_the_speaking_stories_have_every_table_and_column_that_any_story_has() -> None:
    assert columns(SPEAKING) == columns(FOLDERS)


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """A copy of a scenario whose tables are elsewhere."""

    def copy(name: str = "seed-true-positive", **lists: tuple[str, ...]) -> Path:
        folder = Path(shutil.copytree(FOLDERS[name], tmp_path / "story"))
        head = json.loads((folder / "scenario.json").read_text())
        (folder / "scenario.json").write_text(json.dumps(head | {key: list(value) for key, value in lists.items()}))
        for table in lists.get("absent_tables", ()):
            (folder / f"{table}.jsonl").unlink(missing_ok=True)
        return folder

    return copy


@pytest.fixture
def at_work() -> Iterator[None]:
    yield
    install(None)


def placed(*tables: str, at: Place, **hunt: Any) -> Settings:
    """Settings with some tables at a place."""
    settings = load_settings(shipped_config())
    sources = Sources.model_validate(dict.fromkeys(tables, at))
    return settings.model_copy(update={"sources": sources, "hunt": settings.hunt.model_copy(update=hunt)})


@asynccontextmanager
async def services(tenant: RunningLab, settings: Settings) -> AsyncIterator[Clients]:
    """The services of a process at work on this lab."""
    connections = Connections(settings, tenant.url)
    nothing: Any = None
    install(Process(settings=settings, connections=connections, store=nothing))
    yield connections.clients(read_only=False)
    await connections.close()


def case_of(who: str) -> Case:
    now = datetime.now(UTC)
    window = Window(start=now - timedelta(hours=24), end=now)
    return Case(run="r", mode=Mode.LIVE, tenant="lab", who=who, window=window, started=now, policy=POLICY)


async def both_ways(name: str, tmp_path: Path, look: Callable[[Case, list[Account]], Awaitable[T]]) -> tuple[T, T]:
    """What an action finds in the workspace, and in Defender XDR."""
    who = json.loads((FOLDERS[name] / "scenario.json").read_text())["expect"]
    found = []
    with running(FOLDERS[name], tmp_path / "lab") as tenant:
        for place in (Place.WORKSPACE, Place.DEFENDER):
            async with services(tenant, placed(*MOVABLE, at=place)) as clients:
                people = [await clients.graph.account(upn) for upn in who]
                found.append(await look(case_of(people[0].id), people))
    here, there = found
    return here, there


def without_first_contact(lures: Lures) -> Lures:
    """What the lures are where Defender does not say whether a mail was the first of its sender."""
    messages = (
        one.model_copy(update={"first_contact": None}) if one.table == "EmailEvents" else one for one in lures.messages
    )
    followed = {click.message_id for click in lures.clicks}
    kept = tuple(one for one in messages if one.is_suspect or one.id in followed)
    return lures.model_copy(update={"messages": kept, "gaps": ()})


def asked(tenant: RunningLab) -> Counter[str]:
    """How often each place was asked."""
    calls = Counter(call["path"].rpartition("/")[2].rpartition(".")[2] for call in tenant.get("/_lab/requests"))
    return Counter({name: calls[name] for name in ("query", "runHuntingQuery")})


# The same from both.


@pytest.mark.usefixtures("at_work")
@pytest.mark.parametrize("name", speaking(MOVABLE - {"CloudAppEvents"}))
async def test_defender_shows_the_lures_that_the_workspace_shows(name: str, tmp_path: Path) -> None:
    """But for the one column that Defender's table reference does not have, which is a gap."""
    here, there = await both_ways(name, tmp_path, lambda case, people: find_lures(case, people=people))
    assert {user: without_first_contact(one) for user, one in there.items()} == {
        user: without_first_contact(one) for user, one in here.items()
    }
    for user, lures in there.items():
        new = set(lures.gaps) - set(here[user].gaps)
        lost = {gap.source for gap in new} - {NO_COLUMN.source, "Defender XDR"}
        assert lost <= MOVABLE
        assert "EmailEvents" in lost or NO_COLUMN in new


@pytest.mark.usefixtures("at_work")
async def test_defender_shows_the_recipients_that_the_workspace_shows(tmp_path: Path) -> None:
    async def look(case: Case, people: list[Account]) -> Recipients:
        lures = await find_lures(case, people=people)
        return await find_recipients(case, lures=lures[people[0].id.lower()])

    here, there = await both_ways("campaign", tmp_path, look)
    assert here.people == there.people
    assert len(here.people) > 1


@pytest.mark.usefixtures("at_work")
@pytest.mark.parametrize("name", speaking({"CloudAppEvents"}))
async def test_defender_shows_the_use_of_a_token_that_the_workspace_shows(name: str, tmp_path: Path) -> None:
    here, there = await both_ways(name, tmp_path, lambda case, people: find_token_use(case, people=people))
    assert any(use.table == "CloudAppEvents" for one in here.values() for use in one.uses)
    assert {user: Counter(one.uses) for user, one in there.items()} == {
        user: Counter(one.uses) for user, one in here.items()
    }


@pytest.mark.parametrize(
    "name",
    [
        "seed-true-positive",
        *(
            pytest.param(name, marks=pytest.mark.soak)
            for name in ("teams-external-link", "quishing-zapped", "foreign-vpn")
        ),
    ],
)
def test_the_verdict_is_the_same_with_the_tables_in_defender_alone(
    name: str, story: Story, lab: Callable[..., RunningLab]
) -> None:
    """Nothing is set: that the workspace lacks them is found out."""
    upn = next(iter(json.loads((FOLDERS[name] / "scenario.json").read_text())["expect"]))
    answers = []
    lab(story(name, defender_tables=tuple(MOVABLE)))
    answers.append(respond("--user", upn, "--dry-run", "--json").json)
    lab(FOLDERS[name])
    answers.append(respond("--user", upn, "--dry-run", "--json").json)
    there, here = answers
    assert there["verdict"] == here["verdict"]
    assert [finding["id"] for finding in there["findings"]] == [finding["id"] for finding in here["findings"]]
    assert {gap["source"] for gap in there["gaps"]} - {gap["source"] for gap in here["gaps"]} == {
        NO_COLUMN.source,
        "Defender XDR",
    }


# Left open: found out, and remembered.


@pytest.mark.usefixtures("at_work")
async def test_a_table_that_the_workspace_lacks_is_asked_of_defender_and_that_is_remembered(
    story: Story, tmp_path: Path
) -> None:
    with running(story(defender_tables=("UrlClickEvents",)), tmp_path / "lab") as tenant:
        async with services(tenant, load_settings(shipped_config())) as clients:
            tries = []
            for _ in range(2):
                before = asked(tenant)
                rows, gaps = await clients.places.ask("find_clicks", CLICKS, source="UrlClickEvents")
                tries.append(asked(tenant) - before)
                assert [row["Workload"] for row in rows] == ["Email"]
                assert gaps == []
    # The workspace twice: with the table, and with an empty one in its place.
    assert tries == [{"query": 2, "runHuntingQuery": 1}, {"runHuntingQuery": 1}]


@pytest.mark.usefixtures("at_work")
async def test_what_neither_has_is_a_gap_that_names_both_and_is_not_asked_for_again(
    story: Story, tmp_path: Path
) -> None:
    with running(story(absent_tables=("UrlClickEvents",)), tmp_path / "lab") as tenant:
        async with services(tenant, load_settings(shipped_config())) as clients:
            for _ in range(2):
                rows, (gap,) = await clients.places.ask("find_clicks", CLICKS, source="UrlClickEvents")
                assert rows == []
                assert gap == Gap(
                    source="UrlClickEvents",
                    reason="the workspace has no table or column named UrlClickEvents; "
                    "Defender XDR has no table or column named UrlClickEvents",
                )
        assert asked(tenant)["runHuntingQuery"] == 2  # with the table, and with an empty one in its place


@pytest.mark.usefixtures("at_work")
async def test_without_leave_to_ask_defender_the_gap_says_so(story: Story, tmp_path: Path) -> None:
    data = story(defender_tables=("UrlClickEvents",))
    with running(data, tmp_path / "lab", withheld_permissions=("ThreatHunting.Read.All",)) as tenant:
        async with services(tenant, load_settings(shipped_config())) as clients:
            for _ in range(2):
                rows, (gap,) = await clients.places.ask("find_clicks", CLICKS, source="UrlClickEvents")
                assert rows == []
                assert gap.source == "UrlClickEvents"
                assert gap.reason.startswith("the workspace has no table or column named UrlClickEvents; ")
                assert "advanced hunting: Graph answered 403" in gap.reason
        assert asked(tenant)["runHuntingQuery"] == 1


@pytest.mark.usefixtures("at_work")
async def test_a_failure_that_passes_is_told_and_not_remembered(story: Story, tmp_path: Path) -> None:
    ill = {"match": "POST */security/*", "status": 503, "times": 6}
    data = story(defender_tables=("UrlClickEvents",))
    quick = load_settings(shipped_config())
    quick = quick.model_copy(update={"retry": quick.retry.model_copy(update={"first_wait": timedelta(milliseconds=1)})})
    with running(data, tmp_path / "lab", faults=(ill,)) as tenant:
        async with services(tenant, quick) as clients:
            _, (gap,) = await clients.places.ask("find_clicks", CLICKS, source="UrlClickEvents")
            assert "503" in gap.reason
            rows, gaps = await clients.places.ask("find_clicks", CLICKS, source="UrlClickEvents")
    assert (len(rows), gaps) == (1, [])


@pytest.mark.usefixtures("at_work")
@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(placed(at=Place.AUTO, defender=False), id="hunt.defender"),
        pytest.param(placed("UrlClickEvents", at=Place.WORKSPACE), id="sources"),
    ],
)
async def test_defender_is_not_asked_where_the_settings_say_so(
    settings: Settings, story: Story, tmp_path: Path
) -> None:
    with running(story(defender_tables=("UrlClickEvents",)), tmp_path / "lab") as tenant:
        async with services(tenant, settings) as clients:
            _, (gap,) = await clients.places.ask("find_clicks", CLICKS, source="UrlClickEvents")
        assert asked(tenant)["runHuntingQuery"] == 0
    assert gap.reason == "the workspace has no table or column named UrlClickEvents"


@pytest.mark.usefixtures("at_work")
async def test_a_table_that_is_set_to_defender_is_not_read_in_the_workspace(tmp_path: Path) -> None:
    with running(FOLDERS["seed-true-positive"], tmp_path / "lab") as tenant:
        async with services(tenant, placed("UrlClickEvents", at=Place.DEFENDER)) as clients:
            rows, gaps = await clients.places.ask("find_clicks", CLICKS, source="UrlClickEvents")
        assert asked(tenant) == {"runHuntingQuery": 1, "query": 0}
    assert (len(rows), gaps) == (1, [])


# Several tables in a query.


@pytest.mark.usefixtures("at_work")
async def test_a_table_that_is_set_to_the_workspace_keeps_those_that_it_is_joined_with(
    story: Story, tmp_path: Path
) -> None:
    with running(story(defender_tables=("EmailUrlInfo",)), tmp_path / "lab") as tenant:
        async with services(tenant, placed("EmailEvents", at=Place.WORKSPACE)) as clients:
            _, (gap,) = await clients.places.ask("find_lure_mails", MAILS, source="EmailEvents")
        assert asked(tenant)["runHuntingQuery"] == 0
    assert gap.source == "EmailUrlInfo"


@pytest.mark.usefixtures("at_work")
@pytest.mark.parametrize("missing", [("EmailUrlInfo",), ("EmailPostDeliveryEvents",), MAIL])
async def test_a_query_that_joins_is_asked_where_all_its_tables_are(
    missing: tuple[str, ...], story: Story, tmp_path: Path
) -> None:
    with running(story(defender_tables=missing), tmp_path / "lab") as tenant:
        async with services(tenant, load_settings(shipped_config())) as clients:
            rows, gaps = await clients.places.ask("find_lure_mails", MAILS, source="EmailEvents")
    assert rows
    assert gaps == [NO_COLUMN]


@pytest.mark.usefixtures("at_work")
async def test_where_neither_has_everything_the_place_that_has_more_is_asked(story: Story, tmp_path: Path) -> None:
    data = story(absent_tables=("EmailPostDeliveryEvents",), workspace_tables=("EmailUrlInfo",))
    with running(data, tmp_path / "lab") as tenant:
        async with services(tenant, load_settings(shipped_config())) as clients:
            rows, (gap,) = await clients.places.ask("find_lure_mails", MAILS, source="EmailEvents")
    assert rows[0]["IsFirstContact"] is not None
    assert gap.source == "EmailPostDeliveryEvents"
    assert "the workspace has no table" in gap.reason
    assert "Defender XDR has no table" in gap.reason


@pytest.mark.usefixtures("at_work")
@pytest.mark.parametrize("refused", [False, True])
async def test_the_branches_of_a_union_are_asked_where_they_are_and_put_together(
    *, refused: bool, story: Story, tmp_path: Path
) -> None:
    data = story("unmarked-cmsi", defender_tables=("CloudAppEvents",), absent_tables=("AADGraphActivityLogs",))
    withheld = ("ThreatHunting.Read.All",) if refused else ()
    with running(data, tmp_path / "lab", withheld_permissions=withheld) as tenant:
        async with services(tenant, load_settings(shipped_config())) as clients:
            account = await clients.graph.account("chloe.tremblay@contoso.com")
            whose = {"user_ids": (account.id,), "upns": (account.upn,), "least": 20, "history": SPAN["from"], **SPAN}
            rows, gaps = await clients.places.ask("find_token_use", whose, source="MicrosoftGraphActivityLogs")
    lost = {"CloudAppEvents"} if refused else set()
    assert {gap.source for gap in gaps} == {"AADGraphActivityLogs"} | lost
    assert {row["Source"] for row in rows} >= {"CloudAppEvents"} - lost
    assert ("CloudAppEvents" in {row["Source"] for row in rows}) is not refused


# Limits of advanced hunting.


@pytest.mark.usefixtures("at_work")
async def test_what_lies_beyond_thirty_days_is_a_gap(tmp_path: Path) -> None:
    with running(FOLDERS["seed-true-positive"], tmp_path / "lab") as tenant:
        async with services(tenant, placed("UrlClickEvents", at=Place.DEFENDER)) as clients:
            far = CLICKS | {"from": datetime.now(UTC) - timedelta(days=31)}
            rows, (gap,) = await clients.places.ask("find_clicks", far, source="UrlClickEvents")
    assert len(rows) == 1
    assert (gap.source, "reaches back 30 days" in gap.reason) == ("Defender XDR", True)


@pytest.mark.usefixtures("at_work")
async def test_an_answer_that_ends_at_the_row_limit_is_partial(tmp_path: Path) -> None:
    with running(FOLDERS["no-activity"], tmp_path / "lab") as tenant:
        async with services(tenant, load_settings(shipped_config())) as clients:
            most = await clients.defender.query("range N from 1 to 100005 step 1")
            fewer = await clients.defender.query("range N from 1 to 99999 step 1")
    assert (len(most), most.partial) == (100_000, "it ends at 100,000 rows")
    assert (len(fewer), fewer.partial) == (99_999, "")


@pytest.mark.usefixtures("at_work")
async def test_who_else_got_a_lure_is_cut_off_with_a_gap(story: Story, tmp_path: Path) -> None:
    folder = story()
    file = folder / "EmailEvents.jsonl"
    (lured,) = [json.loads(line) for line in file.read_text().splitlines() if "RecipientObjectId" in line][:1]
    many = (lured | {"RecipientEmailAddress": f"user{number}@contoso.com"} for number in range(1001))
    with file.open("a") as out:
        out.writelines(json.dumps(row) + "\n" for row in many)
    url = next(
        row["Url"]
        for row in map(json.loads, (folder / "EmailUrlInfo.jsonl").read_text().splitlines())
        if row["NetworkMessageId"] == lured["NetworkMessageId"]
    )
    message = Message.model_validate(MESSAGE | {"urls": (url,)})
    with running(folder, tmp_path / "lab") as tenant:
        async with services(tenant, load_settings(shipped_config())):
            found = await find_recipients(case_of(VICTIM), lures=Lures(messages=(message,)))
    assert len(found.people) == 1000
    assert [gap.source for gap in found.gaps] == ["EmailEvents"]


@pytest.mark.usefixtures("at_work")
async def test_the_schedule_does_not_take_missing_tables_for_no_sign_ins(story: Story, tmp_path: Path) -> None:
    with running(story(absent_tables=SIGN_INS), tmp_path / "lab") as tenant:
        async with services(tenant, load_settings(shipped_config())):
            with pytest.raises(TableMissing, match="connect the sign-in logs"):
                await find_fresh_users(case_of(""), arrived_from=NOW, arrived_to=NOW)


# For those who look at the tenant.


@pytest.mark.usefixtures("at_work")
async def test_it_can_be_told_where_each_table_is(story: Story, tmp_path: Path) -> None:
    data = story(defender_tables=("UrlClickEvents",), absent_tables=("MessageEvents",))
    with running(data, tmp_path / "lab") as tenant:
        async with services(tenant, placed("EmailEvents", at=Place.DEFENDER)) as clients:
            found = {one.table: one for one in await whereabouts(clients.places)}
    assert found.keys() == set(Sources.model_fields)
    assert {table: one.where for table, one in found.items() if one.where is not Where.WORKSPACE} == {
        "UrlClickEvents": Where.DEFENDER,
        "EmailEvents": Where.DEFENDER,
        "MessageEvents": Where.NEITHER,
    }
    assert found["SigninLogs"].reason == ""
    assert found["EmailEvents"].reason == "sources.EmailEvents is defender"
    assert "Defender XDR has no table" in found["MessageEvents"].reason


NOW = datetime.now(UTC)
SPAN: dict[str, Any] = {"from": NOW - timedelta(days=2), "to": NOW + timedelta(days=1)}
CLICKS: dict[str, Any] = {"upns": (VICTIM,), **SPAN}
MESSAGE: dict[str, Any] = {
    "id": "m-1",
    "at": NOW,
    "sender": "a@example.com",
    "sender_domain": "example.com",
    "subject": "Voicemail",
    "delivered_to": "Inbox",
    "first_contact": True,
    "pattern": "workers-account",
    "table": "EmailEvents",
    "device_login": False,
    "threats": "",
}
MAILS: dict[str, Any] = {"user_ids": (), "addresses": (VICTIM,), **SPAN}
