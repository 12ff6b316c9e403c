"""Purging cases and people: nothing of them is left in the file, and the audit log can still be verified."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from respond.errors import Permanent
from respond.models import wire
from respond.models.accounts import FoundAccount, FoundAccounts
from respond.models.audit import AuditKind, Flaw
from respond.models.evidence import Account
from respond.models.intake import Delivery, Trigger
from respond.models.ladder import Rung, Step
from respond.models.later import Later
from respond.models.notice import Named, Notice, Shape
from respond.models.owed import Owed, OwedKind
from respond.models.people import Identity
from respond.store import purge
from respond.store.cases import Store
from respond.store.database import audit, reports
from tests.helpers import postgres, states
from tests.helpers.command import VICTIM, respond

NOW = datetime.now(UTC)
ID = "7d1f0a52-6d0e-4c1c-9b54-0f5a1c0e7a11"
OTHER = "bystander@contoso.com"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with ExitStack() as stack:
        if request.param == "sqlite":
            (tmp_path / "state").mkdir()
            yield f"sqlite:///{tmp_path / 'state' / 'respond.db'}"
        else:
            yield stack.enter_context(postgres.database(request.getfixturevalue("pg")))


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """The case of an earlier version, its audit log unsealed, and a newer case of another person that names them."""
    states.load(states.names()[-1], url)
    with closing(Store(url)) as found:
        with_another_case(found)
        yield found


def with_another_case(store: Store) -> None:
    (report,) = store.all_reports()
    name = report.user.display_name
    claim = store.claim(tenant="lab", user_id="u-2", flows=[("key-2",)], run="run-2", exclusive=True)
    told = {
        "case": claim.case,
        "run": "run-2",
        "headline": f"as {VICTIM.upper()} ({name}, {ID}) before",
        "user": report.user.model_copy(update={"id": "u-2", "upn": OTHER, "display_name": "By Stander"}),
    }
    store.save(report.model_copy(update=told), at=NOW)
    store.release(case=claim.case, run="run-2")
    escaped = VICTIM.replace(".", "\\.").replace("@", "&#64;")
    store.open_ticket(case=claim.case, outcome="x", title="x", body=f"like {escaped} and {VICTIM.replace('.', '[.]')}")
    note(store, case=report.case, what=f"ended the sessions of {VICTIM}")
    note(store, case=claim.case, what=f"decided about {OTHER}, like {ID}")
    note(store, case=claim.case, what=f"decided about {OTHER}")


def note(store: Store, *, case: str, what: str, at: datetime = NOW) -> None:
    store.audit.append(
        tenant="lab", case=case, run="r", actor="ann", kind=AuditKind.DECISION, what=what, detail={"of": what}, at=at
    )


def names_of(store: Store) -> Identity:
    return purge.identify(store.database, "lab", VICTIM)


def everything(store: Store) -> str:
    """All values of all tables."""
    found = sa.MetaData()
    with store.database.connect() as db:
        found.reflect(db)
        rows = [list(map(str, row)) for table in found.tables.values() for row in db.execute(sa.select(table))]
    return json.dumps(rows, ensure_ascii=False)


def test_a_person_is_known_by_either_name(store: Store) -> None:
    by_name, by_id = names_of(store), purge.identify(store.database, "lab", ID.upper())
    assert by_name.user_ids == by_id.user_ids == {ID}
    assert {VICTIM, "Target User"} <= {*by_name.names, *by_id.names} or VICTIM in by_name.names


def test_nothing_of_a_purged_person_is_left_and_the_log_is_intact(store: Store, tmp_path: Path) -> None:
    who = names_of(store)
    head = store.audit.verify().head
    done = purge.purge_person(store.database, "lab", who, by="ann", at=NOW)
    assert purge.reclaim(store.database)
    assert len(done.cases) == 1
    assert not who.is_in(everything(store))
    verified = store.audit.verify(head=head)
    assert verified.problem is None
    told = list(store.audit.entries())
    assert [entry.purged for entry in told][-4:] == [True, True, False, False]
    assert (told[-1].kind, told[-1].actor) == (AuditKind.PURGE, "ann")
    (left,) = store.all_reports()
    assert left.user.upn == OTHER
    assert left.headline.startswith("as purged-")
    if store.database.dialect.name == "sqlite":
        store.close()
        for file in (tmp_path / "state").glob("respond.db*"):
            content = file.read_bytes().lower()
            for name in (*who.names, *who.user_ids):
                assert name.lower().encode() not in content, (file.name, name)


def test_the_chain_still_finds_what_is_done_to_it_after_a_purge(store: Store) -> None:
    purge.purge_person(store.database, "lab", names_of(store), by="ann", at=NOW)
    last = store.audit.verify().count
    with store.database.begin() as db:
        db.execute(sa.text("DELETE FROM respond_audit_texts WHERE number = :n"), {"n": last - 1})
    problem = store.audit.verify().problem
    assert problem
    assert (problem.number, problem.flaw) == (last - 1, Flaw.TEXT_DELETED)


@pytest.mark.parametrize("number", [1, 2])
def test_a_purged_entry_of_an_earlier_version_cannot_be_given_another_digest(store: Store, number: int) -> None:
    purge.purge_person(store.database, "lab", names_of(store), by="ann", at=NOW)
    with store.database.begin() as db:
        db.execute(sa.update(audit).where(audit.c.number == number).values(digest="0" * 64))
    problem = store.audit.verify().problem
    assert problem
    assert (problem.number, problem.flaw) in ((number, Flaw.EDITED), (number + 1, Flaw.EDITED))


def test_emptying_an_entry_without_a_purge_is_an_edit(store: Store) -> None:
    with store.database.begin() as db:
        db.execute(sa.update(audit).where(audit.c.number == 2).values(actor="", what="", detail="{}", run=""))
    problem = store.audit.verify().problem
    assert problem
    assert (problem.number, problem.flaw) == (2, Flaw.EDITED)


def test_a_person_whose_run_has_not_ended_is_not_purged(store: Store) -> None:
    case = next(report.case for report in store.all_reports() if report.user.id == ID)
    assert store.hold(case=case, run="at-work") == ""
    with pytest.raises(Permanent, match="has not ended"):
        purge.purge_person(store.database, "lab", names_of(store), by="ann", at=NOW)
    assert len(store.all_reports()) == 2


def delivery_about(store: Store, user_id: str) -> None:
    """One that names a person by their object id alone, as many rules do."""
    notice = Notice(shape=Shape.ENTITY, accounts=(Named(kind="account", object_id=user_id, label=user_id),))
    store.intake.accept(
        Delivery(tenant="lab", key="put-off", digest="", path=Trigger.WEBHOOK, at=NOW, by="rule", notice=notice)
    )
    store.intake.put_off("lab", "put-off", "Graph did not answer", now=NOW, pauses=[timedelta(hours=1)])


def owe_undo(store: Store, case: str) -> None:
    work = Owed(tenant="lab", kind=OwedKind.UNDO, key=case, case=case, due=NOW, since=NOW, body="{}", reason="x")
    store.owed.put(work, now=NOW, pauses=[timedelta(hours=1)])


def plan_again(store: Store, case: str) -> None:
    step = Step(rung=Rung.REVOKE_SESSIONS, object=ID, label=VICTIM, why="x")
    store.later.plan(case, [Later(tenant="lab", case=case, step=step, due=NOW)], run="")


@pytest.mark.parametrize("kind", ["delivery", "undo", "containment"])
def test_a_person_whom_something_is_still_to_be_done_about_is_not_purged(store: Store, kind: str) -> None:
    case = next(report.case for report in store.all_reports() if report.user.id == ID)
    if kind == "delivery":
        delivery_about(store, ID.upper())
    elif kind == "undo":
        owe_undo(store, case)
    else:
        plan_again(store, case)
    before = everything(store)
    with pytest.raises(Permanent, match=f"{kind}.* about this person"):
        purge.purge_person(store.database, "lab", names_of(store), by="ann", at=NOW)
    assert everything(store) == before
    bystander = purge.identify(store.database, "lab", OTHER)
    assert len(purge.purge_person(store.database, "lab", bystander, by="ann", at=NOW).cases) == 1


def test_a_person_without_a_case_is_known_by_what_runs_recorded(store: Store) -> None:
    account = Account(id="a-3", upn="New@contoso.com", display_name="New Person", mail="n.person@contoso.com")
    recorded = wire.dumps({"value": FoundAccounts(users=(FoundAccount(account=account, labels=("x",)),))})
    with store.database.begin() as db:
        schema = "" if db.dialect.name == "sqlite" else "dbos."
        if schema:
            db.exec_driver_sql("CREATE SCHEMA dbos")
        db.exec_driver_sql(f"CREATE TABLE {schema}workflow_status (workflow_uuid TEXT, status TEXT)")
        db.exec_driver_sql(f"CREATE TABLE {schema}operation_outputs (workflow_uuid TEXT, output TEXT)")
        for output in ("no JSON: new@contoso.com", recorded):
            db.execute(sa.text(f"INSERT INTO {schema}operation_outputs VALUES ('r', :output)"), {"output": output})  # noqa: S608
    for name in ("new@contoso.com", "A-3", "N.Person@contoso.com"):
        who = purge.identify(store.database, "lab", name)
        assert who.user_ids == {"a-3"}
        assert {"New@contoso.com", "New Person", "n.person@contoso.com"} <= who.names
    assert purge.identify(store.database, "lab", "newer@contoso.com").user_ids == frozenset()


def test_only_cases_that_are_old_and_that_nothing_waits_for_are_purged(store: Store) -> None:
    (old,) = [report.case for report in store.all_reports() if report.user.id == ID]
    store.watches.plan("lab", old, ID, [])
    with store.database.begin() as db:
        db.exec_driver_sql("UPDATE respond_watches SET done_at = due")
        db.execute(sa.update(reports).where(reports.c.case_id == old).values(at="2024-01-01T00:00:00Z"))
        db.exec_driver_sql(f"UPDATE respond_cases SET opened = '2024-01-01T00:00:00Z' WHERE id = '{old}'")  # noqa: S608
    before = NOW - timedelta(days=400)
    plan_again(store, old)
    assert purge.old_cases(store.database, "lab", before) == []
    store.later.forget(old)
    assert purge.old_cases(store.database, "other", before) == []
    assert purge.old_cases(store.database, "lab", before) == [old]
    done = purge.purge_cases(store.database, "lab", [old], by="respond", at=NOW, before=before)
    assert done.cases == (old,)
    assert [report.user.upn for report in store.all_reports()] == [OTHER]
    assert store.audit.verify().problem is None
    again = purge.purge_cases(store.database, "lab", [], by="respond", at=NOW, before=before)
    assert (again.entries, again.cases) == (0, ())


def test_old_entries_about_no_case_lose_their_text_and_newer_ones_keep_it(store: Store) -> None:
    note(store, case="", what="frozen by ann", at=NOW - timedelta(days=500))
    note(store, case="", what="thawed by ann", at=NOW)
    done = purge.purge_cases(store.database, "lab", [], by="respond", at=NOW, before=NOW - timedelta(days=400))
    assert done.entries == 1
    assert [entry.purged for entry in store.audit.entries(case="")][:2] == [True, False]
    assert store.audit.verify().problem is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("O'Brien, Pat", True),
        ("o&#39;brien, pat was here", True),
        (json.dumps({"name": 'O\'Brien, Pat "x"'}), True),
        ("O\\'Brien\\, Pat", True),
        ("O'Brien,  Pat", True),
        ("xO'Brien, Pat", False),
        ("O'Brien, Patricia", False),
        ("ZOË@CONTOSO.COM", True),
        (json.dumps("zoë@contoso.com"), True),
        ("zoë@contoso[.]com", True),
        ("zoe@contoso.com", False),
        ("", False),
    ],
)
def test_a_name_is_found_however_it_is_written(text: str, found: bool) -> None:
    who = Identity(user_ids=frozenset(), names=frozenset({"O'Brien, Pat", "zoë@contoso.com", " "}))
    assert who.is_in(text) is found
    assert who.is_in(who.replaced(text, "token")) is False


def test_nobody_is_in_no_text() -> None:
    assert not Identity(frozenset(), frozenset()).is_in("anything at all")


@pytest.fixture
def here(tmp_path: Path) -> Store:
    """The same on a SQLite file where the commands look for it."""
    (tmp_path / "state" / "tickets").mkdir(parents=True)
    place = f"sqlite:///{tmp_path / 'state' / 'respond.db'}"
    states.load(states.names()[-1], place)
    (tmp_path / "state" / "tickets" / "LAB-1.md").write_text(f"about {VICTIM}")
    (tmp_path / "state" / "tickets" / "LAB-2.md").write_text(f"like {VICTIM}")
    with closing(Store(place)) as found:
        with_another_case(found)
    return found


@pytest.mark.usefixtures("here")
def test_the_command_purges_a_person_and_their_pages(tmp_path: Path) -> None:
    planned = respond("state", "purge", "--user", VICTIM, "--dry-run")
    assert planned.code == 0
    assert "would delete 1 case; " in planned.out
    assert "nothing was changed" in planned.out
    ran = respond("state", "purge", "--user", VICTIM, "--as", "ann")
    assert (ran.code, ran.err) == (0, "")
    assert "deleted 1 case, the records of " in ran.out
    tickets = tmp_path / "state" / "tickets"
    assert [page.name for page in tickets.iterdir()] == ["LAB-2.md"]
    assert "like purged-" in (tickets / "LAB-2.md").read_text()
    assert respond("audit", "verify").code == 0
    assert VICTIM not in respond("audit", "export").out + respond("cases", "--json").out
    again = respond("state", "purge", "--user", VICTIM)
    assert (again.code, "deleted 0 cases" in again.out) == (0, True)


@pytest.mark.usefixtures("here")
def test_a_page_that_cannot_be_changed_is_named_and_keeps_no_other_one(tmp_path: Path) -> None:
    tickets = tmp_path / "state" / "tickets"
    (tickets / "LAB-1.md").unlink()
    (tickets / "LAB-1.md").mkdir()
    (tickets / "LAB-9.md").write_bytes(b"\xff " + VICTIM.encode())
    ran = respond("state", "purge", "--user", VICTIM, "--as", "ann")
    assert (ran.code, "LAB-1.md still has it" in ran.err) == (1, True)
    assert "deleted 1 case" in ran.out
    assert "like purged-" in (tickets / "LAB-2.md").read_text()
    assert (tickets / "LAB-9.md").read_bytes().startswith(b"\xff purged-")


@pytest.mark.usefixtures("here")
def test_the_command_exports_what_is_kept_about_a_person_and_nobody_elses_data() -> None:
    found = respond("state", "export", "--user", ID).json
    assert found["person"]["user_ids"] == [ID]
    assert VICTIM in found["person"]["names"]
    (case,) = found["data"]["respond_cases"]
    assert {row["case_id"] for row in found["data"]["respond_reports"]} == {case["id"]}
    assert [row["columns"] for row in found["mentioned_in"]["respond_reports"]] == [["body"]]
    assert any(VICTIM in entry["what"] for entry in found["audit"])
    assert OTHER not in json.dumps({"data": found["data"], "mentions": found["mentioned_in"]})
    nobody = respond("state", "export", "--user", "nobody@contoso.com").json
    assert (nobody["data"], nobody["mentioned_in"], nobody["audit"]) == ({}, {}, [])


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "give --before DATE|DURATION or --user"),
        (("--before", "1d", "--user", "x"), "one of them"),
        (("--before", "yesterday"), "write a date (2026-01-31) or a duration (400d)"),
    ],
)
def test_a_purge_of_nothing_in_particular_is_refused(options: tuple[str, ...], words: str) -> None:
    ran = respond("state", "purge", *options)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err


@pytest.mark.parametrize(("before", "count"), [("400d", 0), ("2020-01-31", 0), ("2099-01-31", 1)])
def test_the_command_purges_what_is_older(here: Store, before: str, count: int) -> None:
    with here.database.begin() as db:
        db.exec_driver_sql("UPDATE respond_watches SET done_at = due")
    here.close()
    whole = len(respond("cases", "--json").json)
    ran = respond("state", "purge", "--before", before)
    assert ran.code == 0
    assert len(respond("cases", "--json").json) == (0 if count else whole)
    assert respond("audit", "verify").code == 0
