"""The state file: what goes in comes out, nothing else can, and an old SQLite does not stop it."""

from __future__ import annotations

import base64
import errno
import json
import os
import pickle
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from dbos._serialization import DefaultSerializer, deserialize_args, deserialize_value
from hypothesis import given
from hypothesis import strategies as st

from respond import durable, errors
from respond.errors import RespondError, RunFailed, StateUnusable, UsageError
from respond.models import wire
from respond.models.accounts import AmbiguousAccount, FailedAccount, FoundAccount, FoundAccounts
from respond.models.base import Gap, Model, Source
from respond.models.case import Case, Claim, Mode, Window
from respond.models.evidence import (
    Account,
    AccountKind,
    AddressDay,
    Click,
    EarlierCase,
    EarlierCases,
    Fact,
    FactKind,
    Foothold,
    FootholdKind,
    Footholds,
    History,
    Indicator,
    Lures,
    Message,
    SharedAddresses,
    Standing,
    ThreatIntel,
    TokenUse,
    TokenUses,
    Visit,
)
from respond.models.flows import join_flows
from respond.models.holdings import Access, Added, Application, Assignment, Devices, Grant, Key, Method, Rule
from respond.models.holdings import Device as HeldDevice
from respond.models.incident import Incident, IncidentRecord
from respond.models.intake import Delivery, FreshUsers, Round, Rounds, Sighting, Trigger, Unanswered
from respond.models.intents import Intent
from respond.models.ladder import May, Rung, Step, Word
from respond.models.lookalikes import Lookalike, LookalikeKind, Lookalikes
from respond.models.notice import Named, Notice, Shape, Workspace
from respond.models.orders import Order
from respond.models.owed import Owed, OwedKind
from respond.models.persistence import Accounted, ActionRef, Fate
from respond.models.report import (
    ActionStatus,
    Attached,
    Change,
    Finding,
    Moment,
    Outcome,
    Person,
    Report,
    Request,
    Span,
    TicketRef,
    Timings,
    Verdict,
    VerdictKind,
)
from respond.models.signin import Risk, SignIns
from respond.models.tasks import Recipient, Recipients
from respond.models.watches import Watch
from respond.plain_errors import file_error
from respond.policies import load_policy
from respond.settings import shipped_config
from respond.store import database
from respond.store.cases import Store
from tests.decision.test_flows import row
from tests.helpers.command import ROOT, VICTIM, respond
from tests.lab.running_lab import RunningLab

NOW = datetime(2026, 1, 15, 9, 40, 0, 123456, tzinfo=UTC)
GAPS = (Gap(source="UrlClickEvents", reason="the workspace has no such table"),)
SOURCE = Source(table="SigninLogs", id="row-1", at=NOW)
CHANGE = Change(
    name="revoke_sessions",
    status=ActionStatus.DONE,
    target="o'brien@contoso.com",
    summary="cut-off moved \u2028 \U0001f512 'x' \"y\" \\",
    request=Request(method="POST", url="https://graph.microsoft.com/v1.0/users/x/revokeSignInSessions"),
    verified=True,
    contains=True,
)
VERDICT = Verdict(
    kind=VerdictKind.MALICIOUS,
    score=90,
    headline="x",
    findings=(Finding(id="high-risk", weight=25, summary="x", evidence=(SOURCE,)),),
    gaps=GAPS,
)
ACCOUNT = Account(id="x", upn="x@contoso.com", display_name="X", seen_at=NOW)
NAMED = Named(kind="mailbox", object_id="x", mail="o'brien@contoso.com", label="山田 太郎")
INCIDENT = Incident.read(
    {
        "id": "/subscriptions/…/Incidents/x",
        "name": "x",
        "properties": {"title": "t", "createdTimeUtc": "2026-01-15T09:30:00.1234567Z", "labels": [{"labelName": "a"}]},
    }
)
SEEN = Sighting(path=Trigger.WEBHOOK, ref="key", at=NOW, incident="/subscriptions/…")
DELIVERY = Delivery(
    tenant="lab",
    key="key",
    digest="digest",
    path=Trigger.WEBHOOK,
    at=NOW,
    by="caller",
    notice=Notice(shape=Shape.EMPTY),
    patience=timedelta(minutes=10),
)
REPORT = Report(
    case="DC-AAAAAA",
    mode=Mode.LIVE,
    tenant="lab",
    user=Person(id="x", upn="x@contoso.com", display_name="X"),
    window=Span(start=NOW, end=NOW),
    verdict=VerdictKind.MALICIOUS,
    score=90,
    headline="x",
    findings=VERDICT.findings,
    gaps=GAPS,
    actions=(CHANGE,),
    outcome=Outcome.CONTAINED_VERIFIED,
    ticket=TicketRef(system="local", id="LAB-1", url="file:///x"),
    timeline=(Moment(at=NOW, what="x", source="SigninLogs"),),
    timings_ms=Timings(hunt=1, decided=2, contained=None, total=3),
    run="r",
)
STEP = Step(
    rung=Rung.REVOKE_SESSIONS,
    object="x",
    label="x@contoso.com",
    why="'",
    after=NOW,
    ids=("a",),
    expects='{"done":false}',
)
WORD = Word(may=May.ASK, why="a person decides", by="ann@host")
MODELS: tuple[Model, ...] = (
    STEP,
    WORD,
    Order(report=REPORT, word=WORD, steps=(STEP,), exactly=True),
    Intent(
        tenant="lab", case="DC-AAAAAA", user_id="x", name="disable_device", object="d", step="{}", before="{}", at=NOW
    ),
    Watch(tenant="lab", case="DC-AAAAAA", user_id="x", number=1, due=NOW),
    Recipients(
        people=(Recipient(at=NOW, address="a", sender="s", subject="ü", location="Inbox/folder", message="m"),),
        gaps=GAPS,
    ),
    Devices(devices=(HeldDevice(id="d", device_id="D", name="PC", enabled=None, registered=NOW),), gaps=GAPS),
    Access(
        methods=(Method(id="m", type="phoneAuthenticationMethod", label="phone", created=None),),
        grants=(Grant(id="g", client="c", resource="r", scope=" Mail.Read"),),
        rules=(Rule(id="r", name="..", enabled=True),),
        gaps=GAPS,
    ),
    Added(
        applications=(
            Application(
                ids=("a", "b"),
                principal="p",
                name="Contoso Archive",
                enabled=True,
                keys=(Key(id="k", label="key", holder="applications/a", is_secret=True, start=NOW),),
            ),
        ),
        assignments=(Assignment(id="r", principal="p", role="role", scope="/"),),
        gone=("device",),
        ungranted=("q",),
        gaps=GAPS,
    ),
    Accounted(
        kind=FootholdKind.DEVICE,
        what="Add device",
        name="DESKTOP-X",
        at=NOW,
        ip="203.0.113.1",
        fate=Fate.ACTION,
        says="it is disabled",
        actions=(ActionRef(name="disable_device", object="d"),),
        evidence=(Source(table="AuditLogs", id="x", at=NOW),),
    ),
    Lookalikes(
        found=(
            Lookalike(
                kind=LookalikeKind.BLOCKED,
                id="x",
                at=NOW,
                app="Azure CLI",
                resource="",
                ip="203.0.113.1",
                asn="64500",
                country="NL",
                client="x",
                result="53003",
                signed_at=NOW,
            ),
        ),
        gaps=GAPS,
    ),
    DELIVERY,
    FreshUsers(people=(ACCOUNT,), rows={"x": ("i:1",)}, gaps=(Gap(source="s", reason="r"),)),
    NAMED,
    Round(run="r", user_id="x", since=NOW, first=NOW, now=NOW, sightings=(SEEN,)),
    Rounds(mine=("x",), others=("y",)),
    Unanswered(label="x", reason="r", candidates=("a", "b")),
    FoundAccounts(
        users=(FoundAccount(account=ACCOUNT, labels=("x", "y")),),
        ambiguous=(AmbiguousAccount(named=NAMED, candidates=(ACCOUNT, ACCOUNT)),),
        unknown=(NAMED,),
        failed=(FailedAccount(named=NAMED, reason="x"),),
    ),
    Notice(
        shape=Shape.INCIDENT,
        workspace=Workspace(subscription_id="x", resource_group="y", name="z"),
        number=1,
        labels=("x",),
        alerts=("a", "b"),
        modified=NOW,
        window_start=NOW,
        accounts=(NAMED,),
        entities_listed=True,
    ),
    INCIDENT,
    IncidentRecord(incident=INCIDENT, entities=({"kind": "Ip", "properties": {"address": None}},), alerts=({},)),
    Case(
        run="r",
        id="DC-AAAAAA",
        mode=Mode.DRY_RUN,
        tenant="lab",
        who="x@contoso.com",
        window=Window(start=NOW - timedelta(days=1), end=NOW),
        started=NOW,
        policy=load_policy(shipped_config()),
    ),
    Claim(case="DC-AAAAAA", busy_run="r"),
    Account(
        id="x",
        upn="x@contoso.com",
        display_name="X",
        kind=AccountKind.GUEST,
        enabled=None,
        synced=True,
        sessions_valid_from=NOW,
        gaps=GAPS,
    ),
    Lures(
        messages=(
            Message(
                id="m",
                at=NOW,
                sender="a@example.com",
                sender_domain="example.com",
                subject="Invoice",
                delivered_to="Inbox",
                first_contact=None,
                urls=("https://evil.example/x",),
                pattern="workers-dev",
            ),
        ),
        clicks=(
            Click(id="c", at=NOW, url="https://evil.example", chain=("a", "b"), action="x", message_id="m", ip="x"),
        ),
        gaps=GAPS,
    ),
    ThreatIntel(
        indicators=(Indicator(id="i", at=NOW, value="203.0.113.1", confidence=90, description="Tor"),), gaps=GAPS
    ),
    History(
        visits=(
            Visit(
                first=NOW,
                last=NOW,
                ip="192.0.2.1",
                asn="64496",
                country="US",
                app_id="x",
                session="s",
                is_device_code=True,
                sign_ins=9,
                first_managed=NOW,
            ),
        ),
        unread=True,
        gaps=GAPS,
    ),
    SharedAddresses(days=(AddressDay(ip="192.0.2.1", day=NOW, users=frozenset({"a", "b"}), by_code=False),), gaps=GAPS),
    Standing(roles=("Global Administrator",), groups=("g",), risk=Risk.HIGH, risk_state="atRisk", risk_at=NOW),
    Fact(kind=FactKind.LURE, value="evil.example"),
    EarlierCases(
        cases=(
            EarlierCase(
                case="DC-AAAAAB",
                verdict="malicious",
                at=NOW,
                upn="x@contoso.com",
                fact=Fact(kind=FactKind.ADDRESS, value="203.0.113.1"),
            ),
        )
    ),
    TokenUses(
        uses=(
            TokenUse(
                token="t",
                session="s",
                ip="203.0.113.1",
                user_agent="x",
                calls=9,
                writes=1,
                directory=4,
                content=4,
                first=NOW,
                last=NOW,
            ),
        ),
        gaps=GAPS,
    ),
    Footholds(
        changes=(Foothold(kind=FootholdKind.MAIL_RULE, table="OfficeActivity", id="x", at=NOW, what="x", ip=""),),
        gaps=GAPS,
    ),
    Attached(case="DC-AAAAAA", run="r"),
    CHANGE,
    Owed(tenant="t", kind=OwedKind.COMMENT, key="x", due=NOW, since=NOW),
    REPORT,
    TicketRef(system="local", id="LAB-1", url="file:///x"),
    VERDICT,
    SignIns(flows=join_flows([row(1, CorrelationId="c", DeviceDetail={"isManaged": False})]), gaps=GAPS),
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.datetimes(timezones=st.just(UTC))
    | st.sampled_from(MODELS)
)
KEYS = st.text(max_size=5).filter(lambda key: not key.startswith("$"))
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.lists(inner, max_size=4).map(tuple) | st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=12,
)


@given(value=VALUES)
def test_what_is_written_is_read_back(value: object) -> None:
    assert wire.loads(wire.dumps(value)) == value


@given(value=VALUES)
def test_it_is_text_that_any_database_can_hold(value: object) -> None:
    assert json.loads(wire.dumps(value).encode("utf-8")) is not ...


def test_every_class_that_it_may_hold_is_tried_above() -> None:
    assert {type(model).__name__ for model in MODELS} == set(wire._MODELS)


def test_a_model_is_read_back_as_itself() -> None:
    for model in MODELS:
        again = wire.loads(wire.dumps(model))
        assert type(again) is type(model)
        assert again == model


def every_error() -> list[type[RespondError]]:
    found, todo = [], [RespondError]
    while todo:
        found.append(todo.pop())
        todo += [kind for kind in found[-1].__subclasses__() if kind.__module__.startswith("respond.")]
    return found


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_an_error_is_read_back_with_its_class_and_message(kind: type[RespondError]) -> None:
    again = wire.loads(wire.dumps(kind("user x: Graph answered 403")))
    assert type(again) is kind
    assert again.message == "user x: Graph answered 403"


def test_an_error_of_others_is_read_back_as_one_of_ours() -> None:
    again = wire.loads(wire.dumps(OSError("disk\nI/O error")))
    assert type(again) is RunFailed
    assert again.message == "OSError: disk I/O error"


def test_a_database_error_is_kept_without_its_statement_and_values() -> None:
    error = sa.exc.OperationalError("INSERT INTO people", ("ann@contoso.com",), sqlite3.OperationalError("ann is here"))
    again = wire.loads(wire.dumps(error))
    assert again.message == "OperationalError: the state database refused a statement (OperationalError, code None)"


@pytest.mark.parametrize(
    "value",
    [
        {1, 2},
        b"bytes",
        object(),
        timedelta(1),
        Path("x"),
        {1: "x"},
        {"$time": "2026-01-15T09:40:00Z"},
        [{"$": 1}],
        {"inner": ({"x"},)},
        GAPS[0],
        errors.Transient,
    ],
    ids=lambda value: "object()" if type(value) is object else repr(value),
)
def test_what_could_not_be_read_back_is_not_written(value: object) -> None:
    with pytest.raises(TypeError):
        wire.dumps(value)


@pytest.mark.parametrize(
    "text",
    [
        '{"$model":"Path","is":{}}',
        '{"$model":"Gap","is":{"source":"x","reason":"x"}}',
        '{"$model":"Claim"}',
        '{"$model":"Claim","is":null}',
        '{"$model":["Claim"],"is":{"case":"x"}}',
        '{"$error":"SystemExit","is":"x"}',
        '{"$error":"RespondError","is":{"$model":"Claim"}}',
        '{"$pickle":"gASVAAAA"}',
        '{"py/object":1,"$type":"builtins.eval"}',
        '{"$time":"yesterday"}',
        '{"$time":5}',
        '{"$tuple":{"a":1}}',
        '[[{"a":{"$unknown":1}}]]',
        "{",
        "",
        "gASVAAAA",
    ],
)
def test_what_it_did_not_write_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        wire.loads(text)


def test_every_step_of_a_run_reads_back_as_it_was_kept(lab: Callable[..., RunningLab], tmp_path: Path) -> None:
    lab()
    assert respond("--user", VICTIM).code == 0
    columns = [("operation_outputs", "output"), ("workflow_input", "inputs"), ("workflow_output", "output")]
    with closing(sqlite3.connect(tmp_path / "state" / "respond.db")) as db:
        kept = [
            text
            for table, column in columns
            for (text,) in db.execute(f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL")  # noqa: S608 - ours
        ]
        forms = {form for (form,) in db.execute("SELECT serialization FROM workflow_status")}
    assert len(kept) >= len(["input", "output"]) + 8
    assert forms == {"respond_json"}
    for text in kept:
        assert wire.dumps(wire.loads(text)) == text


class Bomb:
    """Unpickled, it makes a file."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._marker,)


READERS: dict[str, Callable[[str], object]] = {
    "value": lambda text: deserialize_value(text, "py_pickle", durable._Json()),
    "arguments": lambda text: deserialize_args(text, "py_pickle", durable._Json()),
    "the reader itself": lambda text: DefaultSerializer().deserialize(text),
    "a value of ours": lambda text: deserialize_value(text, "respond_json", durable._Json()),
    "a value of nobody's": lambda text: deserialize_value(text, None, durable._Json()),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_pickle_that_runs_code_is_refused_unread(reader: str, tmp_path: Path) -> None:
    marker = tmp_path / "code-ran"
    text = base64.b64encode(pickle.dumps(Bomb(marker))).decode()
    with pytest.raises(ValueError, match=r"pickled value|Expecting value"):
        READERS[reader](text)
    assert not marker.exists()
    pickle.loads(base64.b64decode(text))  # noqa: S301 - it is live: read by anything else, it does run
    assert marker.exists()


@pytest.mark.parametrize("version", [(3, 42, 0), (3, 42), (3, 45, 1), (4, 0, 0)])
def test_a_new_sqlite_is_used_as_it_is(version: tuple[int, ...]) -> None:
    assert durable.sqlite_driver(version) is sqlite3


@pytest.mark.parametrize("version", [(3, 40, 1), (3, 41, 2), (3, 9, 0)])
def test_an_old_sqlite_is_replaced_by_one_that_is_new_enough(version: tuple[int, ...]) -> None:
    driver = durable.sqlite_driver(version)
    assert driver.__name__ == "pysqlite3"
    assert driver.sqlite_version_info >= (3, 42)
    with closing(driver.connect(":memory:")) as db:
        db.execute("CREATE TABLE t (a, at DEFAULT (unixepoch('subsec')))")
        db.execute("INSERT INTO t (a) VALUES (1)")
        assert db.execute("SELECT at FROM t").fetchone()[0] > 1_700_000_000


def test_an_old_sqlite_without_the_replacement_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pysqlite3", None)
    with pytest.raises(UsageError, match=r"SQLite 3\.40\.1 .*pysqlite3.*state\.url"):
        durable.sqlite_driver((3, 40, 1))


def test_postgresql_needs_no_sqlite() -> None:
    assert "module" not in durable.engine_kwargs("postgresql://respond@localhost/respond")


def test_a_limit_of_the_url_goes_before_ours() -> None:
    ours = durable.engine_kwargs("postgresql://respond@localhost/respond?connect_timeout=3")["connect_args"]
    assert "connect_timeout" not in ours
    assert ours["tcp_user_timeout"] == 20_000


def test_a_file_that_was_cut_to_nothing_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    file = tmp_path / "respond.db"
    Store(f"sqlite:///{file}").close()
    file.write_bytes(b"")
    with pytest.raises(StateUnusable, match="is empty: it was cut off; restore it from a backup"):
        Store(f"sqlite:///{file}")
    assert file.read_bytes() == b""
    file.unlink()
    Store(f"sqlite:///{file}").close()


def test_a_new_state_leaves_nothing_beside_its_file(tmp_path: Path) -> None:
    Store(f"sqlite:///{tmp_path / 'respond.db'}").close()
    assert [file.name for file in tmp_path.iterdir()] == ["respond.db"]
    assert (tmp_path / "respond.db").stat().st_mode & 0o777 == 0o600


# A process of its own: the engine is one for a process. Its Python says that its SQLite is Debian 12's.
PROGRAM = """
import asyncio, sqlite3, sys
from pathlib import Path
sqlite3.sqlite_version_info = (3, 40, 1)
from respond import durable
from respond.liveness import Locks
from respond.models.case import Claim
from respond.store.cases import Store

async def ask():
    return {"claim": Claim(case="DC-AAAAAA")}

@durable.workflow("ask_once")
async def ask_once(case):
    return await durable.step("ask", ask)

async def main(url, locks):
    print(durable.engine_kwargs(url)["module"].__name__)
    store = Store(url)
    print(store.claim(tenant="lab", user_id="u", flows=[("c:1",)], run="run-1", exclusive=True).busy_run == "")
    engine = durable.Engine(url, Locks(Path(locks)), realm="lab/live")
    await asyncio.to_thread(engine.launch)
    await engine.start(ask_once, "run-1", ("case", 1))
    print((await engine.wait("run-1"))["claim"].case)
    await asyncio.to_thread(engine.close)
    store.close()

asyncio.run(main(*sys.argv[1:]))
"""


def test_engine_and_store_work_on_a_python_with_an_old_sqlite(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, f"sqlite:///{tmp_path / 'respond.db'}", str(tmp_path / "locks")]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == ["pysqlite3", "True", "DC-AAAAAA"]
    with closing(sqlite3.connect(tmp_path / "respond.db")) as db:
        (step,) = db.execute("SELECT function_name, output FROM operation_outputs").fetchall()
    assert step == ("ask", '{"claim":{"$model":"Claim","is":{"case":"DC-AAAAAA","busy_run":"","read_again":false}}}')


def test_a_new_state_file_is_switched_to_its_write_ahead_log_when_others_let_go(tmp_path: Path) -> None:
    """Of two processes that open a new file at once, SQLite refuses one at once, whatever the busy timeout says."""
    file = tmp_path / "respond.db"
    with closing(sqlite3.connect(file, check_same_thread=False)) as other, closing(sqlite3.connect(file)) as ours:
        ours.execute("PRAGMA busy_timeout=0")
        other.execute("BEGIN IMMEDIATE")
        done = threading.Timer(0.3, other.rollback)
        done.start()
        database._keep_a_write_ahead_log(ours)
        done.join()
        assert ours.execute("PRAGMA journal_mode").fetchone() == ("wal",)


_ON_A_FULL_DISK = """
import resource, signal, sys
from respond.errors import StateAway
from respond.store.cases import Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
try:
    Store(sys.argv[1])
except StateAway as error:
    print(error.message)
"""


def test_a_disk_that_is_full_when_the_file_is_to_be_made_is_no_wrong_setting(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'respond.db'}"
    tried = subprocess.run(
        [sys.executable, "-c", _ON_A_FULL_DISK, url], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert "the state database" in tried.stdout, tried.stderr
    with closing(Store(url)) as store:
        assert store.all_reports() == []


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, errors.StateAway),
        (errno.EMFILE, errors.StateAway),
        (errno.EIO, errors.StateAway),
        (errno.EACCES, UsageError),
        (errno.ENOENT, UsageError),
    ],
)
def test_what_may_pass_about_a_file_is_no_wrong_setting(number: int, kind: type[RespondError]) -> None:
    told = file_error("state.dir: /x cannot be written", OSError(number, os.strerror(number)), passing=errors.StateAway)
    assert type(told) is kind
    assert told.message == f"state.dir: /x cannot be written: {os.strerror(number)}"
