"""Taking a case: one run at a time, and none goes by what was read before another was at the user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from respond.models.case import Claim
from respond.store.cases import Store
from tests.helpers import postgres

LATER = timedelta(minutes=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        with closing(Store(f"sqlite:///{tmp_path / 'state.db'}")) as kept:
            yield kept
        return
    with postgres.database(request.getfixturevalue("pg")) as url, closing(Store(url)) as kept:
        yield kept


def claim(store: Store, run: str, flow: str = "c:1", **more: Any) -> Claim:
    given = {"tenant": "t", "user_id": "u", "flows": [(flow,)], "run": run, "exclusive": True, **more}
    return store.claim(**given)


def test_the_first_run_of_a_user_goes_by_what_was_read_a_moment_ago(store: Store) -> None:
    found = claim(store, "one", seen_at=datetime.now(UTC))
    assert (found.busy_run, found.read_again) == ("", False)
    assert claim(store, "one", seen_at=datetime.now(UTC)) == found


def test_a_case_that_another_run_has_is_not_taken(store: Store) -> None:
    case = claim(store, "one", seen_at=datetime.now(UTC)).case
    assert claim(store, "two", seen_at=datetime.now(UTC)) == Claim(case=case, busy_run="one")


def test_what_was_read_before_another_run_let_go_is_read_again(store: Store) -> None:
    seen = datetime.now(UTC)
    store.release(case=claim(store, "one", seen_at=seen).case, run="one")
    assert claim(store, "two", seen_at=seen).read_again


def test_what_was_read_after_another_run_let_go_is_good_enough(store: Store) -> None:
    store.release(case=claim(store, "one", seen_at=datetime.now(UTC)).case, run="one")
    assert not claim(store, "two", seen_at=datetime.now(UTC) + LATER).read_again


def test_a_run_at_other_sign_ins_of_the_user_counts_as_well(store: Store) -> None:
    claim(store, "one", seen_at=datetime.now(UTC))
    other = claim(store, "two", flow="c:2", seen_at=datetime.now(UTC) + LATER)
    assert (other.busy_run, other.read_again) == ("", True)


def test_only_the_run_that_has_a_case_lets_go_of_it(store: Store) -> None:
    case = claim(store, "one", seen_at=datetime.now(UTC)).case
    store.release(case=case, run="two")
    assert claim(store, "three", seen_at=datetime.now(UTC)).busy_run == "one"


def test_what_was_read_within_the_difference_of_two_clocks_is_read_again(sqlite: Store) -> None:
    sqlite.release(case=claim(sqlite, "one", seen_at=datetime.now(UTC)).case, run="one")
    assert claim(sqlite, "two", seen_at=datetime.now(UTC) + timedelta(seconds=5)).read_again


def test_a_person_takes_a_case_that_no_run_has(sqlite: Store) -> None:
    case = claim(sqlite, "one").case
    assert sqlite.hold(case=case, run="two") == "one"
    sqlite.release(case=case, run="one")
    assert sqlite.hold(case=case, run="two") == ""
    assert sqlite.hold(case=case, run="two") == ""
    assert claim(sqlite, "three").busy_run == "two"


def test_who_did_not_have_a_case_has_not_been_at_the_user(sqlite: Store) -> None:
    """So what was read before they let go of it is still good enough."""
    case = claim(sqlite, "one").case
    sqlite.release(case=case, run="two")
    assert not claim(sqlite, "one", seen_at=datetime.now(UTC)).read_again


def test_a_case_is_of_one_user_in_one_tenant(sqlite: Store) -> None:
    cases = {claim(sqlite, "one", tenant=tenant, user_id=user).case for tenant in "tx" for user in "uv"}
    assert len(cases) == 4


def test_a_sign_in_that_no_case_knows_is_a_new_need_and_of_known_ones_the_newest_counts(sqlite: Store) -> None:
    first = claim(sqlite, "one", flow="c:1").case
    both = claim(sqlite, "two", flows=[("c:1",), ("c:2",)]).case
    assert both != first
    assert claim(sqlite, "two", flows=[("c:1",), ("c:2",)]).case == both


def test_a_token_with_more_identifiers_than_a_statement_takes_is_one_case(store: Store) -> None:
    flow = tuple(f"c:{number}" for number in range(70_000))
    first = claim(store, "one", flows=[flow])
    store.release(case=first.case, run="one")
    assert claim(store, "two", flows=[flow[-3:]]).case == first.case
    assert claim(store, "two", flows=[(*flow, "c:new")]).case == first.case
    assert claim(store, "two", flows=[("c:new",)]).case == first.case
