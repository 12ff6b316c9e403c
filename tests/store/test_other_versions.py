"""States that other versions wrote: every earlier one opens, and one of the future is read and kept whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from respond.errors import Unreadable
from respond.models import wire
from respond.models.approvals import Answer, Asked
from respond.models.base import Model, OpenEnum
from respond.models.evidence import FootholdKind
from respond.models.intake import Delivery, Trigger
from respond.models.ladder import May, Rung, Step, stricter
from respond.models.notice import Notice, Shape
from respond.models.persistence import Accounted, Fate
from respond.models.report import ActionStatus, Change, Report
from respond.store.cases import Store, UnreadableCase
from respond.store.database import approvals, deliveries, reports
from tests.helpers import postgres, states
from tests.helpers.command import ROOT, VICTIM, respond
from tests.helpers.patience import patiently

NOW = datetime(2026, 1, 15, 9, 40, tzinfo=UTC)
NEW = "something-new"
STEP = Step(rung=Rung.REVOKE_SESSIONS, object="u", label=VICTIM, why="x")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with ExitStack() as stack:
        if request.param == "sqlite":
            (tmp_path / "state").mkdir()
            yield f"sqlite:///{tmp_path / 'state' / 'respond.db'}"
        else:
            yield stack.enter_context(postgres.database(request.getfixturevalue("pg")))


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Store]:
    """The newest of the earlier states, where the commands look for it."""
    (tmp_path / "state").mkdir()
    place = f"sqlite:///{tmp_path / 'state' / 'respond.db'}"
    states.load(states.names()[-1], place)
    with closing(Store(place)) as store:
        yield store


def rewrite(store: Store, table: sa.Table, edit: Any) -> None:
    """Change the JSON of every row."""
    column = table.c.body if "body" in table.c else table.c.step
    with store.database.begin() as db:
        for row in db.execute(sa.select(table)).mappings().all():
            document = json.loads(row[column.name])
            edit(document)
            same = [table.c[key.name] == row[key.name] for key in table.primary_key]
            db.execute(sa.update(table).where(*same).values({column: json.dumps(document)}))


def with_more(document: Any) -> None:
    """A field of the future in every object."""
    if isinstance(document, dict):
        for value in document.values():
            with_more(value)
        document["forecast"] = {"mood": [1, None, "calm"]}
    elif isinstance(document, list):
        for value in document:
            with_more(value)


def choices(model: Model, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where in a document a value of an enumeration stands."""
    for name, value in model:
        items = enumerate(value) if isinstance(value, tuple) else [(None, value)]
        for index, item in items:
            here = (*path, name) if index is None else (*path, name, index)
            if isinstance(item, OpenEnum):
                yield here
            elif isinstance(item, Model):
                yield from choices(item, here)


@pytest.mark.parametrize("name", states.parameters())
def test_a_state_of_every_earlier_version_opens_with_its_case(url: str, name: str) -> None:
    states.load(name, url)
    with closing(Store(url)) as store:
        (report,) = store.listed()
        assert isinstance(report, Report)
        assert (report.user.upn, report.verdict, report.outcome) == (VICTIM, "malicious", "contained-verified")
        assert store.plan(report.case)
        assert store.done_so_far(report.case)
        assert store.ticket(report.case)
        assert store.audit.verify().problem is None


@pytest.mark.parametrize("name", states.parameters())
def test_the_commands_read_a_state_of_every_earlier_version(tmp_path: Path, name: str) -> None:
    (tmp_path / "state").mkdir()
    states.load(name, f"sqlite:///{tmp_path / 'state' / 'respond.db'}")
    listed = respond("cases", "--json")
    assert (listed.code, listed.err) == (0, "")
    (case,) = listed.json
    for command in (("show", case["case"]), ("show", case["case"], "--json"), ("audit", "verify"), ("cases",)):
        ran = respond(*command)
        assert (ran.code, ran.err) == (0, ""), command
        assert "NOT" not in ran.out


def test_a_field_of_the_future_is_kept_when_the_document_is_written_again(state: Store) -> None:
    (before,) = state.all_reports()
    rewrite(state, reports, with_more)
    change = Change(name="comment_incident", status=ActionStatus.DONE, target="x", summary="x")
    assert state.keep_write_backs(before.case, [change]) == 1
    with state.database.connect() as db:
        body = db.execute(sa.select(reports.c.body).where(reports.c.mode == "live")).scalar_one()
    written = json.loads(body)
    assert written["forecast"] == written["user"]["forecast"] == {"mood": [1, None, "calm"]}
    assert all(finding["forecast"] for finding in written["findings"])
    assert [one["name"] for one in written["write_backs"]] == ["comment_incident"]
    assert respond("show", before.case, "--json").json["forecast"]


def test_whatever_choice_of_the_future_a_report_holds_it_is_shown(state: Store, tmp_path: Path) -> None:
    (found,) = state.all_reports()
    left = Accounted(kind=FootholdKind.DEVICE, what="x", name="x", at=NOW, ip="x", fate=Fate.TASK, says="x")
    before = found.model_copy(update={"persistence": (left,)})
    paths = list({tuple(part for part in path if isinstance(part, str)): path for path in choices(before)}.values())
    assert {path[0] for path in paths} >= {"mode", "verdict", "outcome", "actions", "persistence"}
    for path in paths:
        document = json.loads(before.model_dump_json(by_alias=True))
        inner = document
        for part in path[:-1]:
            inner = inner[part]
        inner[path[-1]] = NEW
        with state.database.begin() as db:
            db.execute(sa.update(reports).values(body=json.dumps(document)))
        for command in (("cases",), ("show", before.case), ("show", before.case, "--html", str(tmp_path / "x.html"))):
            ran = respond(*command)
            assert (ran.code, ran.err) == (0, ""), (path, command)
        if path[0] != "sightings":  # which have a table of their own
            assert NEW in respond("show", before.case, "--json").out


def test_one_case_that_cannot_be_read_hides_no_other(state: Store) -> None:
    with state.database.begin() as db:
        db.exec_driver_sql("INSERT INTO respond_cases VALUES ('DC-BROKEN', 'lab', 'u', '2099-12-01T00:00:00Z', '')")
        db.exec_driver_sql(
            "INSERT INTO respond_reports (run, case_id, mode, at, body) "
            "VALUES ('r', 'DC-BROKEN', 'live', '2099-12-01T00:00:00Z', '{\"case\": \"secret\"}')"
        )
    broken, whole = state.listed()
    assert isinstance(broken, UnreadableCase)
    assert isinstance(whole, Report)
    ran = respond("cases")
    assert ran.code == 0
    assert whole.case in ran.out
    assert "DC-BROKEN  unreadable: a stored Report cannot be read: mode: Field required" in ran.out
    assert [case.get("unreadable", "")[:15] for case in respond("cases", "--json").json] == ["a stored Report", ""]
    shown = respond("show", "DC-BROKEN")
    assert (shown.code, shown.out) == (1, "")
    assert "a stored Report cannot be read" in shown.err
    assert "secret" not in shown.err + ran.out


def test_one_question_or_delivery_that_cannot_be_read_stops_no_other(state: Store) -> None:
    for name in ("a", "b"):
        asked = Asked(
            case="DC-A", tenant="lab", name="x", object=name, target="t", summary="s", step="{}", run="r", at=NOW
        )
        state.approvals.ask(asked)
        notice = Notice(shape=next(iter(Shape)))
        state.intake.accept(
            Delivery(tenant="lab", key=name, digest="", path=Trigger.WEBHOOK, at=NOW, by="x", notice=notice)
        )
    with state.database.begin() as db:
        db.execute(sa.update(approvals).where(approvals.c.object == "a").values(at="yesterday"))
        db.execute(sa.update(deliveries).where(deliveries.c.key == "a").values(body="{"))
    assert [one.object for one in state.approvals.waiting()] == ["b"]
    assert [one.delivery.key for one in state.intake.open("lab", before=datetime.now(UTC))] == ["b"]


def test_an_answer_or_action_of_the_future_is_read_and_taken_for_none_of_ours(state: Store) -> None:
    asked = Asked(case="DC-A", tenant="lab", name="x", object="o", target="t", summary="s", step="{}", run="r", at=NOW)
    state.approvals.ask(asked)
    with state.database.begin() as db:
        db.execute(sa.update(approvals).values(answer=NEW))
    (read,) = state.approvals.of_case("DC-A")
    assert (read.answer, read.answer is Answer.APPROVED) == (NEW, False)
    step = Step.model_validate_json(STEP.model_dump_json().replace("revoke_sessions", NEW))
    assert (step.rung, json.loads(step.model_dump_json())["rung"]) == (NEW, NEW)


def test_what_the_engine_recorded_is_read_with_fields_and_choices_of_the_future() -> None:
    text = wire.dumps(STEP).replace('"rung":"revoke_sessions"', f'"rung":"{NEW}","forecast":1')
    assert wire.dumps(wire.loads(text)) == wire.dumps(wire.loads(text))
    assert '"forecast":1' in wire.dumps(wire.loads(text))


def test_a_choice_of_the_future_is_the_strictest() -> None:
    read = Step.model_validate_json(STEP.model_dump_json().replace("revoke_sessions", NEW))
    assert read.rung not in Rung.__members__.values()
    with pytest.raises(ValueError, match="sometimes"):
        May("sometimes")
    from respond.models.base import tolerant

    with tolerant():
        assert stricter(May.NEVER, May("sometimes")) == "sometimes"


def test_a_document_that_no_version_writes_is_refused_without_its_values() -> None:
    with pytest.raises(Unreadable, match=r"a stored Step cannot be read: rung: Field required") as caught:
        Step.model_validate_json('{"object": "secret"}')
    assert "secret" not in caught.value.message


PROGRAM = """
import sys
from respond.store.cases import Store
from respond.store.database import metadata
from respond.store import migrations
migrations.HEAD = "0002"
store = Store(sys.argv[1])
print([report.verdict.value for report in store.all_reports()], store.audit.verify().count)
store.claim(tenant="lab", user_id="u2", flows=[("key",)], run="r", exclusive=True)
store.close()
"""


def test_an_older_process_goes_on_beside_a_newer_one(url: str) -> None:
    """During a rolling upgrade: the newer version has migrated the tables and written documents of its own."""
    states.load(states.names()[-1], url)
    with closing(Store(url)) as newer:
        rewrite(newer, reports, with_more)
        with newer.database.begin() as db:
            db.exec_driver_sql("ALTER TABLE respond_cases ADD COLUMN mood TEXT DEFAULT 'calm'")
            db.exec_driver_sql("CREATE TABLE respond_forecasts (id TEXT PRIMARY KEY)")
            db.exec_driver_sql("UPDATE respond_schema SET version_num = '9999'")
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM, url],
            cwd=ROOT,
            env=dict(os.environ),
            capture_output=True,
            text=True,
            timeout=patiently(60),
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        assert ran.stdout.startswith("['malicious']")
        assert len(newer.listed()) == 1
