"""What must hold whatever the rows: new signs never make it milder, outsiders never clear, no order changes the end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from respond.decision.cut import Collected, evidence_at
from respond.decision.verdict import decide, judge_all
from respond.models.evidence import (
    AddressDay,
    FootholdKind,
    Footholds,
    Lures,
    SentMail,
    SharedAddresses,
    TokenUses,
)
from respond.models.flows import fold, join_flows
from respond.models.signin import SignIns
from tests.decision.test_decision import (
    ADDRESSES,
    COLLECTED,
    END,
    HERE,
    KIOSK,
    NOON,
    POLICY,
    RANK,
    SESSIONS,
    SEVERAL,
    START,
    TODAY,
    foothold,
    message,
    used,
)

Edit = Callable[[Collected], Collected]


def _foothold(at: dict[str, str], session: str, outside: bool) -> Edit:
    more = foothold(FootholdKind.MAIL_RULE, at).model_copy(update={"session": session, "leads_outside": outside})

    def edit(collected: Collected) -> Collected:
        held = collected.footholds or Footholds()
        return collected.model_copy(update={"footholds": Footholds(changes=(*held.changes, more), gaps=held.gaps)})

    return edit


def _uses(**more: object) -> Edit:
    def edit(collected: Collected) -> Collected:
        held = collected.uses or TokenUses()
        merged = {name: (*getattr(held, name), item) for name, item in more.items()}
        return collected.model_copy(update={"uses": held.model_copy(update=merged)})

    return edit


def _picture(days: float) -> Edit:
    more = message(days, pattern="", first_contact=True, urls=(), picture=True)

    def edit(collected: Collected) -> Collected:
        held = collected.lures or Lures()
        return collected.model_copy(update={"lures": held.model_copy(update={"messages": (*held.messages, more)})})

    return edit


MAIL = SentMail(id="m", at=NOON + timedelta(hours=1), subject="x", outsiders=40)
SIGNS: dict[str, st.SearchStrategy[Edit]] = {
    "a rule that leads outside": st.builds(
        _foothold, st.sampled_from(HERE), st.sampled_from(["", *SESSIONS]), st.booleans()
    ),
    "a message sent with the token": st.sampled_from(HERE).map(lambda at: _uses(uses=used(at, sent=1))),
    "mail to many people outside": st.just(_uses(mass_mails=MAIL)),
    "a picture from a stranger": st.sampled_from([0.01, 1, 2.9]).map(_picture),
}


def compared(signins: SignIns, one: Collected, other: Collected) -> None:
    """The second is judged no milder than the first."""
    before, after = (evidence_at(signins, each, POLICY, START, END) for each in (one, other))
    pairs = zip(judge_all(POLICY, signins, before), judge_all(POLICY, signins, after), strict=True)
    assert all(old.score <= new.score and RANK.index(old.kind) <= RANK.index(new.kind) for old, new in pairs)


@pytest.mark.parametrize("what", SIGNS)
@given(signins=SEVERAL, collected=COLLECTED, data=st.data())
def test_one_more_new_sign_never_makes_anything_milder(
    what: str, signins: SignIns, collected: Collected, data: st.DataObject
) -> None:
    compared(signins, collected, data.draw(SIGNS[what])(collected))


CODES = st.builds(
    lambda ip, days, users: AddressDay(
        ip=ip,
        day=TODAY - timedelta(days=days),
        users=frozenset(f"other-{number}" for number in range(users)),
        by_code=True,
        app_id=KIOSK,
    ),
    st.sampled_from(ADDRESSES),
    st.integers(0, 20),
    st.integers(1, 9),
)


@given(signins=SEVERAL, collected=COLLECTED, codes=st.lists(CODES, min_size=1, max_size=6))
def test_other_peoples_codes_that_no_managed_device_approved_never_clear(
    signins: SignIns, collected: Collected, codes: list[AddressDay]
) -> None:
    held = collected.shared or SharedAddresses()
    more = held.model_copy(update={"days": (*held.days, *codes)})
    compared(signins, collected, collected.model_copy(update={"shared": more}))


@given(signins=SEVERAL, collected=COLLECTED, data=st.data())
def test_neither_the_order_of_the_rows_nor_how_often_they_come_changes_the_verdict(
    signins: SignIns, collected: Collected, data: st.DataObject
) -> None:
    rows = data.draw(st.permutations([*signins.rows, *signins.rows[:2]]))
    again = signins.model_copy(update={"flows": join_flows(fold(rows))})
    one, two = (decide(POLICY, each, evidence_at(each, collected, POLICY, START, END)) for each in (signins, again))
    assert (one.kind, one.score, one.last_token) == (two.kind, two.score, two.last_token)


@given(signins=SEVERAL, collected=COLLECTED, data=st.data())
def test_rows_that_come_late_end_in_the_verdict_of_rows_in_time(
    signins: SignIns, collected: Collected, data: st.DataObject
) -> None:
    """What is judged first on a part of the rows, and then on all, is judged as if all had been there."""
    early = data.draw(st.lists(st.sampled_from(signins.rows), unique_by=id)) if signins.rows else []
    decide(POLICY, SignIns(flows=join_flows(fold(early))), evidence_at(signins, collected, POLICY, START, END))
    late = [row for row in signins.rows if row not in early]
    whole = signins.model_copy(update={"flows": join_flows(fold([*early, *late]))})
    one, two = (decide(POLICY, each, evidence_at(each, collected, POLICY, START, END)) for each in (signins, whole))
    assert (one.kind, one.score) == (two.kind, two.score)
