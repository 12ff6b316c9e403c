"""The audit log: gapless under concurrency, and whatever is done to it behind our back is found and named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from respond.errors import Permanent
from respond.models.audit import START, AuditKind, Entry, Flaw, digest_of
from respond.store.cases import Store

NOW = datetime(2026, 1, 15, 9, 40, 0, 123456, tzinfo=UTC)
COLUMNS = ["at", "tenant", "case_id", "run", "actor", "kind", "what", "detail", "before", "digest"]


def append(store: Store, n: int = 1, **more: Any) -> Entry:
    given_values: dict[str, Any] = {
        "tenant": "t",
        "case": f"DC-{n % 2}",
        "run": f"run-{n}",
        "actor": "respond",
        "kind": AuditKind.CHANGE,
        "what": f"change {n}",
        "detail": {"n": n, "share": 0.5, "nested": {"z": [1, None], "a": "ä"}},
        "at": NOW + timedelta(seconds=n),
    }
    return store.audit.append(**(given_values | more))


def log_of(store: Store, count: int) -> list[Entry]:
    return [append(store, n) for n in range(1, count + 1)]


def behind_our_back(store: Store, *statements: str, **values: object) -> None:
    with store.database.begin() as db:
        for statement in statements:
            db.execute(sa.text(statement), values)


def found(store: Store, **more: Any) -> tuple[int, Flaw] | None:
    problem = store.audit.verify(**more).problem
    return (problem.number, problem.flaw) if problem else None


def test_an_empty_log_is_intact(store: Store) -> None:
    verified = store.audit.verify()
    assert (verified.count, verified.head, verified.problem) == (0, START, None)
    assert list(store.audit.entries()) == []


def test_what_is_appended_is_read_in_order_and_chained(store: Store) -> None:
    written = log_of(store, 5)
    assert list(store.audit.entries()) == written
    assert [entry.number for entry in written] == [1, 2, 3, 4, 5]
    assert [entry.before for entry in written] == [START, *(entry.digest for entry in written[:-1])]
    verified = store.audit.verify()
    assert (verified.count, verified.head, verified.problem) == (5, written[-1].digest, None)


def test_a_digest_can_be_computed_by_anybody(sqlite: Store) -> None:
    entry = append(sqlite, 1)
    values = entry.chained
    digest = values.pop("digest")
    assert sha256(values) == digest
    assert values["detail"] == {
        "seal": sha256({**entry.model_dump(include={"actor", "what", "detail"}), "salt": entry.salt})
    }


def sha256(values: Any) -> str:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def test_the_chained_record_names_nobody(sqlite: Store) -> None:
    append(sqlite, what="ended the sessions of ann@contoso.com", actor="bob@host", detail={"who": "ann@contoso.com"})
    with sqlite.database.connect() as db:
        row = db.execute(sa.text("SELECT * FROM respond_audit")).mappings().one()
    assert (row["actor"], row["what"], list(json.loads(row["detail"]))) == ("", "", ["seal"])


@pytest.mark.parametrize("column", ["salt", "actor", "what", "detail"])
def test_an_edited_text_is_found(sqlite: Store, column: str) -> None:
    log_of(sqlite, 5)
    behind_our_back(sqlite, f"UPDATE respond_audit_texts SET {column} = 'x' WHERE number = 3")  # noqa: S608
    assert found(sqlite) == (3, Flaw.EDITED)


def test_a_deleted_text_is_found(store: Store) -> None:
    log_of(store, 5)
    behind_our_back(store, "DELETE FROM respond_audit_texts WHERE number = 3")
    assert found(store) == (3, Flaw.TEXT_DELETED)
    assert [entry.purged for entry in store.audit.entries()] == [False, False, True, False, False]


def test_a_text_that_reads_alike_is_an_edit_as_well(sqlite: Store) -> None:
    log_of(sqlite, 3)
    behind_our_back(sqlite, "UPDATE respond_audit_texts SET detail = replace(detail, ',', ', ') WHERE number = 2")
    assert found(sqlite) == (2, Flaw.EDITED)


def test_an_entry_of_a_kind_of_the_future_is_read_where_the_chain_vouches_for_it(sqlite: Store) -> None:
    entry = append(sqlite, 1)
    values = entry.chained | {"kind": "forecast"}
    behind_our_back(
        sqlite,
        "UPDATE respond_audit SET kind = 'forecast', digest = :digest",
        "UPDATE respond_audit_head SET digest = :digest",
        digest=digest_of(values),
    )
    assert [read.kind for read in sqlite.audit.entries()] == ["forecast"]
    assert found(sqlite) is None


def test_entries_are_of_the_tenant_and_the_case_that_is_asked_for(sqlite: Store) -> None:
    log_of(sqlite, 4)
    append(sqlite, 5, tenant="other")
    assert [entry.number for entry in sqlite.audit.entries(case="DC-1")] == [1, 3, 5]
    assert [entry.number for entry in sqlite.audit.entries(tenant="t", case="DC-1")] == [1, 3]
    assert [entry.number for entry in sqlite.audit.entries(tenant="other")] == [5]


def test_text_of_any_kind_is_kept_as_a_line(store: Store) -> None:
    entry = append(store, what="two\nlines \x00\u2028\udc80", actor="ann\t@host", detail={"why": "\x00\udc80\n"})
    assert (entry.what, entry.actor, entry.detail) == ("two lines", "ann @host", {"why": "\x00?\n"})
    assert list(store.audit.entries()) == [entry]
    assert found(store) is None


def test_a_number_that_json_has_not_is_refused_and_nothing_is_written(sqlite: Store) -> None:
    with pytest.raises(ValueError, match="JSON"):
        append(sqlite, detail={"n": float("nan")})
    assert sqlite.audit.verify().count == 0


@given(
    what=st.text(),
    detail=st.dictionaries(
        st.text(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
            max_leaves=5,
        ),
        max_size=3,
    ),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_appended_verifies(sqlite: Store, what: str, detail: dict[str, Any]) -> None:
    append(sqlite, what=what, detail=detail)
    assert found(sqlite) is None


def test_eight_threads_make_one_chain(open_store: Callable[[], Store]) -> None:
    stores = [open_store() for _ in range(2)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: append(stores[n % 2], n), range(1, 81)))
    entries = list(stores[0].audit.entries())
    assert [entry.number for entry in entries] == list(range(1, 81))
    assert {entry.what for entry in entries} == {f"change {n}" for n in range(1, 81)}
    assert found(stores[0]) is None


def test_a_check_while_others_write_finds_nothing(open_store: Callable[[], Store]) -> None:
    store, other = open_store(), open_store()
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(log_of, other, 60)
        while not writing.done():
            assert found(store) is None
    assert store.audit.verify().count == 60


@pytest.mark.parametrize("number", [1, 3, 5])
@pytest.mark.parametrize("column", COLUMNS)
def test_an_edited_field_is_found(sqlite: Store, column: str, number: int) -> None:
    log_of(sqlite, 5)
    behind_our_back(sqlite, f"UPDATE respond_audit SET {column} = 'x' WHERE number = :n", n=number)  # noqa: S608
    assert found(sqlite) == (number, Flaw.EDITED)


@pytest.mark.parametrize("spell", [lambda text: text.replace(":", ": "), lambda text: '{"seal":"",' + text[1:]])
def test_detail_that_reads_alike_is_an_edit_as_well(sqlite: Store, spell: Callable[[str], str]) -> None:
    log_of(sqlite, 5)
    with sqlite.database.connect() as db:
        text = db.execute(sa.text("SELECT detail FROM respond_audit WHERE number = 3")).scalar_one()
    behind_our_back(sqlite, "UPDATE respond_audit SET detail = :text WHERE number = 3", text=spell(text))
    assert found(sqlite) == (3, Flaw.EDITED)


def test_bytes_that_read_like_the_text_are_an_edit(sqlite: Store) -> None:
    log_of(sqlite, 3)
    behind_our_back(sqlite, "UPDATE respond_audit SET what = CAST(what AS BLOB) WHERE number = 2")
    assert found(sqlite) == (2, Flaw.EDITED)


@pytest.mark.parametrize("number", [1, 3, 5])
def test_an_edit_with_a_new_digest_is_found_by_what_follows(store: Store, number: int) -> None:
    entry = log_of(store, 5)[number - 1]
    new = sha256({key: value for key, value in entry.chained.items() if key != "digest"} | {"run": "another"})
    behind_our_back(
        store, "UPDATE respond_audit SET run = 'another', digest = :digest WHERE number = :n", digest=new, n=number
    )
    assert found(store) == (number, Flaw.EDITED)
    assert store.audit.verify().count == number - 1


@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_deleted_entry_is_found(store: Store, number: int) -> None:
    written = log_of(store, 5)
    behind_our_back(store, "DELETE FROM respond_audit WHERE number = :n", n=number)
    assert found(store) == (number, Flaw.DELETED)
    verified = store.audit.verify()
    assert (verified.count, verified.head) == (number - 1, written[number - 2].digest if number > 1 else START)


@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_deleted_entry_is_found_when_the_others_close_up(sqlite: Store, number: int) -> None:
    log_of(sqlite, 5)
    behind_our_back(
        sqlite,
        "DELETE FROM respond_audit WHERE number = :n",
        "UPDATE respond_audit SET number = -number WHERE number > :n",
        "UPDATE respond_audit SET number = -number - 1 WHERE number < 0",
        "UPDATE respond_audit_head SET number = 4",
        n=number,
    )
    assert found(sqlite) == (number, Flaw.DELETED)


@pytest.mark.parametrize("kept", [0, 1, 4])
def test_a_missing_end_is_found(store: Store, kept: int) -> None:
    log_of(store, 5)
    behind_our_back(store, "DELETE FROM respond_audit WHERE number > :n", n=kept)
    assert found(store) == (kept + 1, Flaw.CUT)


def test_a_missing_record_of_the_end_is_found(sqlite: Store) -> None:
    log_of(sqlite, 5)
    behind_our_back(sqlite, "DELETE FROM respond_audit WHERE number > 3", "DELETE FROM respond_audit_head")
    assert found(sqlite) == (4, Flaw.NO_END)


@given(pair=st.lists(st.integers(1, 6), min_size=2, max_size=2, unique=True))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_two_entries_that_changed_places_are_found(sqlite: Store, pair: list[int]) -> None:
    if sqlite.audit.verify().count == 0:
        log_of(sqlite, 6)
    one, two = sorted(pair)
    swap = (
        "UPDATE respond_audit SET number = -1 WHERE number = :one",
        "UPDATE respond_audit SET number = :one WHERE number = :two",
        "UPDATE respond_audit SET number = :two WHERE number = -1",
    )
    behind_our_back(sqlite, *swap, one=one, two=two)
    assert found(sqlite) == (one, Flaw.REORDERED)
    behind_our_back(sqlite, *swap, one=one, two=two)
    assert found(sqlite) is None


def test_an_entry_that_somebody_else_added_is_found(sqlite: Store) -> None:
    entry = log_of(sqlite, 3)[-1]
    values = entry.model_dump(mode="json") | {"number": 4, "before": entry.digest}
    row = {**values, "digest": digest_of(values), "detail": "{}", "case_id": "c"}
    row["digest"] = digest_of({**values, "detail": {}, "case": "c"})
    names = [name for name in row if name != "case"]
    behind_our_back(
        sqlite,
        f"INSERT INTO respond_audit ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})",  # noqa: S608
        **row,
    )
    assert found(sqlite) == (4, Flaw.ADDED)


def test_a_head_that_was_kept_elsewhere_is_still_in_a_log_that_grew(sqlite: Store) -> None:
    kept = log_of(sqlite, 3)[-1].digest
    append(sqlite, 4)
    assert found(sqlite, head=kept) is None
    assert found(sqlite, head=kept.upper()) is None
    assert found(sqlite, head=START) is None


def test_a_log_written_anew_has_not_the_head_that_was_kept_elsewhere(sqlite: Store) -> None:
    kept = log_of(sqlite, 3)[-1].digest
    behind_our_back(sqlite, "DELETE FROM respond_audit", "DELETE FROM respond_audit_head")
    assert found(sqlite, head=kept) == (0, Flaw.REWRITTEN)
    append(sqlite, 1)
    assert found(sqlite) is None
    assert found(sqlite, head=kept) == (1, Flaw.REWRITTEN)


def test_an_unreadable_entry_is_named(sqlite: Store) -> None:
    log_of(sqlite, 3)
    behind_our_back(sqlite, "UPDATE respond_audit SET kind = 'party' WHERE number = 2")
    with pytest.raises(Permanent, match="entry 2 "):
        list(sqlite.audit.entries())
