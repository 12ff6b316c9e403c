"""The commands that pull the brake and check the log; none of them asks the tenant."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from respond.models.approvals import Asked
from respond.models.audit import START, AuditKind, Entry, digest_of
from respond.models.brakes import Limits
from respond.models.intents import Intent
from respond.store.cases import Store
from tests.helpers.command import ROOT, respond

NOW = datetime(2026, 1, 15, 9, 40, tzinfo=UTC)


@pytest.fixture
def store() -> Iterator[Store]:
    """The state of the command line."""
    with closing(Store(os.environ["RESPOND_STATE__URL"])) as kept:
        yield kept


def append(store: Store, case: str) -> None:
    store.audit.append(
        tenant="lab", case=case, run="r", actor="respond", kind=AuditKind.CHANGE, what="ä", detail={"a": 1e16}, at=NOW
    )


def test_freeze_says_since_when_and_by_whom(store: Store) -> None:
    answer = respond("freeze", "--why", "the policy\nlooks wrong", "--as", "ann@contoso.com")
    assert (answer.code, answer.err) == (0, "")
    found = store.brakes.frozen("lab")
    assert found
    since = f"since {found.at:%Y-%m-%d %H:%M:%SZ} by ann@contoso.com (the policy looks wrong)"
    assert answer.out == f"tenant lab: frozen {since}; thaw: respond thaw\n"
    again = respond("freeze", "--as", "bob@contoso.com")
    assert (again.code, again.out) == (0, f"tenant lab: frozen already, {since}; thaw: respond thaw\n")


def test_thaw_says_what_it_ended() -> None:
    respond("freeze", "--as", "ann@contoso.com")
    answer = respond("thaw", "--as", "bob@contoso.com")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("tenant lab: thawed by bob@contoso.com; it was frozen since 2")
    assert answer.out.endswith(" by ann@contoso.com\n")
    again = respond("thaw")
    assert (again.code, again.out) == (0, "tenant lab: is not frozen\n")


def test_who_does_not_say_goes_by_login_and_host(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "ann")
    monkeypatch.setattr("socket.gethostname", lambda: "desk")
    respond("freeze", "--as", " ")
    found = store.brakes.frozen("lab")
    assert found
    assert found.by == "ann@desk"


def test_somebody_without_a_login_goes_by_number(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    def nobody() -> str:
        raise OSError

    monkeypatch.setattr("getpass.getuser", nobody)
    respond("freeze")
    found = store.brakes.frozen("lab")
    assert found
    assert found.by.startswith(f"uid-{os.getuid()}@")


def test_nobody_passes_for_the_program_itself(store: Store) -> None:
    answer = respond("freeze", "--as", "Respond")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("respond: --as: ")
    assert store.brakes.frozen("lab") is None


def test_a_real_tenant_is_frozen_by_its_id(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    monkeypatch.setenv("RESPOND_TENANT__MODE", "azure")
    answer = respond("freeze")
    assert (answer.code, answer.out) == (2, "")
    assert "tenant.tenant_id is empty" in answer.err
    monkeypatch.setenv("RESPOND_TENANT__TENANT_ID", "F0A1C2D3-1111-4222-8333-944445555666")
    assert respond("freeze").code == 0
    assert store.brakes.frozen("f0a1c2d3-1111-4222-8333-944445555666")
    assert store.brakes.frozen("lab") is None


def test_verify_prints_count_and_head(store: Store) -> None:
    assert respond("audit", "verify").out == f"the audit log is intact: 0 entries, head {START}\n"
    append(store, "DC-1")
    head = store.audit.verify().head
    answer = respond("audit", "verify")
    assert (answer.code, answer.out, answer.err) == (0, f"the audit log is intact: 1 entry, head {head}\n", "")
    assert respond("audit", "verify", "--head", head).code == 0
    told = respond("audit", "verify", "--json").json
    assert told == {"count": 1, "head": head, "problem": None, "intact": True, "said": ""}


def test_verify_names_the_first_bad_entry(store: Store) -> None:
    for _ in range(3):
        append(store, "DC-1")
    with store.database.begin() as db:
        db.execute(sa.text("UPDATE respond_audit SET actor = 'nobody' WHERE number = 2"))
    answer = respond("audit", "verify")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err == "respond: the audit log is not intact: entry 2 was edited\n"
    told = respond("audit", "verify", "--json")
    assert (told.code, told.json["intact"], told.json["count"]) == (1, False, 1)
    assert told.json["problem"] == {"number": 2, "flaw": "edited"}


@pytest.mark.parametrize("head", ["", "abc", "g" * 64])
def test_a_head_that_is_no_digest_is_refused(head: str) -> None:
    answer = respond("audit", "verify", "--head", head)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("respond: --head: ")


def test_a_head_that_the_log_has_not_is_exit_1(store: Store) -> None:
    append(store, "DC-1")
    answer = respond("audit", "verify", "--head", "a" * 64)
    assert (answer.code, answer.out) == (1, "")
    assert "none of the 1 entries has the digest that was kept" in answer.err


def test_export_is_json_lines_that_anybody_can_verify(store: Store) -> None:
    append(store, "DC-1")
    append(store, "DC-2")
    answer = respond("audit", "export")
    entries = [json.loads(line) for line in answer.out.splitlines()]
    assert [entry["number"] for entry in entries] == [1, 2]
    for entry in entries:
        assert digest_of(Entry.model_validate(entry).chained) == entry["digest"]
    (shown,) = re.findall(r"```python[^\n]*\n(.*?)```", (ROOT / "docs" / "audit.md").read_text(), re.DOTALL)
    subprocess.run([sys.executable, "-c", shown], input=answer.out, text=True, encoding="utf-8", check=True)
    of_one = respond("audit", "export", "--case", "dc-2")
    assert of_one.out == answer.out.splitlines(keepends=True)[1]
    nothing = respond("audit", "export", "--case", "DC-3")
    assert (nothing.code, nothing.out) == (0, "")
    assert "no entry about DC-3" in nothing.err


def test_an_audit_command_alone_shows_its_help() -> None:
    assert "verify" in respond("audit", "--help").out


def test_lab_reset_forgets_all_but_the_audit_log(store: Store) -> None:
    limits = Limits(per_run=9, per_hour=9, share=1, share_at_least=9)
    for tenant in ("lab", "real"):
        case = f"DC-{tenant}"
        store.brakes.freeze(tenant, "ann@host", "", NOW)
        store.brakes.take_slot(
            tenant=tenant, user_id="u", case=case, batch="b", now=NOW, limits=limits, tenant_users=None
        )
        what: dict[str, Any] = {"case": case, "tenant": tenant, "name": "n", "object": "o", "step": "", "at": NOW}
        store.approvals.ask(Asked(**what, target="", summary="", run="r"))
        store.intents.begin(Intent(**what, user_id="u", before=""))
        store.watches.plan(tenant, case, "u", [NOW])
    assert respond("lab", "reset").code == 0
    assert store.brakes.frozen("lab") is None
    assert store.brakes.frozen("real")
    assert [asked.tenant for asked in store.approvals.waiting()] == ["real"]
    assert [bool(store.intents.of_case(f"DC-{tenant}")) for tenant in ("lab", "real")] == [False, True]
    assert [bool(store.watches.pending(tenant)) for tenant in ("lab", "real")] == [False, True]
    with store.database.connect() as db:
        assert db.execute(sa.text("SELECT tenant FROM respond_slots")).scalars().all() == ["real"]
    assert [(entry.tenant, entry.kind.value) for entry in store.audit.entries()] == [
        ("lab", "freeze"),
        ("real", "freeze"),
        ("lab", "thaw"),
    ]
