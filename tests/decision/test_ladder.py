"""What a verdict calls for, and who may say yes to each write. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from respond.decision.ladder import (
    Called,
    Ground,
    access_steps,
    device_steps,
    ground_of,
    identity_steps,
    needed_for,
    session_steps,
)
from respond.decision.verdict import decide
from respond.models.base import Gap
from respond.models.evidence import (
    Account,
    AccountKind,
    Evidence,
    Foothold,
    FootholdKind,
    Footholds,
    Part,
    Standing,
    TokenUses,
)
from respond.models.holdings import Access, Device, Devices, Grant, Method, Rule
from respond.models.ladder import May, Protected, Rung, stricter
from respond.models.policy import Policy
from respond.models.report import VerdictKind
from tests.decision.test_decision import (
    HOTEL,
    NOON,
    OFFICE,
    POLICY,
    REDEMPTIONS,
    TOR,
    approved_and_redeemed,
    listed,
    place,
    sign_in,
    story,
    used,
)

USER = Account(id="7d1f0a52-6d0e-4c1c-9b54-0f5a1c0e7a11", upn="ann@contoso.com", display_name="Ann")
HOME = place(OFFICE, days=9)
AFTER, BEFORE = NOON + timedelta(minutes=10), NOON - timedelta(days=300)
GROUP, ROLE = "aa000000-0000-4000-8000-000000000001", "62e90394-69f5-4237-9190-012177145e10"


def ground(
    evidence: Evidence | None = None, *, account: Account = USER, policy: Policy = POLICY, cut_off: Any = None
) -> Ground:
    """A code that was approved at the office and redeemed by a listed Tor exit."""
    signins = approved_and_redeemed(OFFICE, TOR)
    known = evidence or Evidence()
    known = known.model_copy(
        update={
            "usual": known.usual.model_copy(update={"places": (HOME,)}),
            "intel": listed(TOR["IPAddress"]),
        }
    )
    account = account.model_copy(update={"sessions_valid_from": cut_off})
    return ground_of(policy, account, decide(policy, signins, known), signins, known)


def changed(**ladder: Any) -> Policy:
    return POLICY.model_copy(update={"ladder": POLICY.ladder.model_copy(update=ladder)})


def device(at: Any = AFTER, number: int = 1) -> Device:
    return Device(id=f"d{number}", device_id=f"D{number}", name=f"PC-{number}", enabled=True, registered=at)


def change(kind: FootholdKind, at: dict[str, Any] | None, **more: Any) -> Foothold:
    ip = at["IPAddress"] if at else ""
    known = {"kind": kind, "table": "AuditLogs", "id": "1", "at": AFTER, "what": "added", "ip": ip}
    return Foothold.model_validate(known | more)


def with_changes(*changes: Foothold) -> Evidence:
    return Evidence(footholds=Footholds(changes=changes))


def words(called: tuple[Called, ...]) -> list[tuple[str, str]]:
    return [(one.step.object, one.word.may.value) for one in called]


def test_what_was_there_before_the_approval_is_not_touched() -> None:
    held = Devices(devices=(device(BEFORE, 1), device(None, 2), device(AFTER, 3)))
    assert words(device_steps(ground(), held)) == [("d3", "auto")]
    methods = (
        Method(id="m1", type="phoneAuthenticationMethod", label="phone", created=BEFORE),
        Method(id="m2", type="phoneAuthenticationMethod", label="phone", created=None),
    )
    access = Access(methods=methods, grants=(Grant(id="g", client="c", resource="r", scope="s"),), rules=(RULE,))
    assert access_steps(ground(), access) == ()


def test_what_was_added_in_the_second_of_the_approval_may_be_the_attackers() -> None:
    """The directory keeps whole seconds, so it may read as a moment before."""
    second = timedelta(seconds=1)
    just, before = device(NOON - second, 1), device(NOON - second - timedelta(microseconds=1), 2)
    stood = ground()
    assert words(device_steps(stood, Devices(devices=(just, before)))) == [("d1", "auto")]
    whose = (Part.FOOTHOLDS, Part.HISTORY, Part.SHARED)
    for held, needed in ((just, [whose]), (before, [])):
        assert list(needed_for(POLICY, stood.verdict, stood.signins, Devices(devices=(held,)))) == needed


RULE = Rule(id="r1", name="..", enabled=True)


@pytest.mark.parametrize(
    ("at", "may"),
    [(TOR, May.AUTO), (None, May.AUTO), (OFFICE, May.ASK)],
    ids=["from the holder", "no log says from where", "from the user's own place"],
)
def test_a_device_is_disabled_unless_the_user_registered_it(at: dict[str, Any] | None, may: May) -> None:
    evidence = with_changes(change(FootholdKind.DEVICE, at, objects=("d1",))) if at else Evidence()
    (called,) = device_steps(ground(evidence), Devices(devices=(device(),)))
    assert called.word.may is may
    assert bool(called.word.why) == (may is not May.AUTO)


@pytest.mark.parametrize(
    ("one", "other", "may"),
    [
        ({"at": OFFICE}, {"at": OFFICE}, May.ASK),
        ({"at": OFFICE}, {"at": HOTEL}, May.AUTO),
        ({"at": OFFICE}, {"at": OFFICE, "session": "one"}, May.AUTO),
    ],
    ids=["all from the user's place", "one from elsewhere", "one in the attacker's session"],
)
def test_a_device_is_the_users_own_only_if_all_its_changes_are(
    one: dict[str, Any], other: dict[str, Any], may: May
) -> None:
    changes = (change(FootholdKind.DEVICE, **about, objects=("d1",)) for about in (one, other))
    (called,) = device_steps(ground(with_changes(*changes)), Devices(devices=(device(),)))
    assert called.word.may is may


@pytest.mark.parametrize(("at", "may"), [(TOR, May.AUTO), (OFFICE, May.ASK), (None, May.ASK)])
def test_what_cannot_be_brought_back_is_removed_only_where_it_is_the_attackers(
    at: dict[str, Any] | None, may: May
) -> None:
    evidence = with_changes(
        change(FootholdKind.METHOD, at),
        change(FootholdKind.CONSENT, at, objects=("client",)),
        change(FootholdKind.MAIL_RULE, at, name=".."),
    )
    access = Access(
        methods=(Method(id="m", type="phoneAuthenticationMethod", label="phone", created=AFTER),),
        grants=(Grant(id="g", client="CLIENT", resource="r", scope=" Mail.Read"),),
        rules=(RULE, Rule(id="r2", name="Newsletters", enabled=True)),
    )
    assert words(access_steps(ground(evidence), access)) == [("m", may), ("g", may), ("r1", may)]


def test_a_method_that_no_log_speaks_of_is_asked_about() -> None:
    access = Access(methods=(Method(id="m", type="phoneAuthenticationMethod", label="phone", created=AFTER),))
    assert words(access_steps(ground(), access)) == [("m", "ask")]


def test_the_sessions_of_a_malicious_sign_in_are_ended_without_asking() -> None:
    (called,) = session_steps(ground(), after=AFTER)
    assert (called.step.rung, called.step.after, called.word.may) == (Rung.REVOKE_SESSIONS, AFTER, May.AUTO)


@pytest.mark.parametrize(
    ("protected", "standing", "why"),
    [
        (Protected(accounts=(USER.id,)), Standing(), "protected account"),
        (Protected(groups=(GROUP,)), Standing(groups=(GROUP,)), "protected group"),
        (Protected(roles=(ROLE,)), Standing(role_templates=(ROLE,)), "protected directory role"),
        (Protected(accounts=(USER.id.upper(),)), Standing(), "protected account"),
        (Protected(groups=(GROUP.upper(),)), Standing(groups=(GROUP,)), "protected group"),
        (Protected(roles=(ROLE.upper(),)), Standing(role_templates=(ROLE,)), "protected directory role"),
        (
            Protected(groups=(GROUP,)),
            Standing(gaps=(Gap(source="directory roles", reason="403"),)),
            "cannot be found out",
        ),
        (
            Protected(roles=(ROLE,)),
            Standing(gaps=(Gap(source="directory roles", reason="no answer"),)),
            "cannot be found out",
        ),
    ],
)
def test_whom_the_policy_protects_nothing_happens_to_without_a_person(
    protected: Protected, standing: Standing, why: str
) -> None:
    stood = ground(Evidence(standing=standing), policy=changed(protected=protected))
    (called,) = session_steps(stood, after=AFTER)
    assert called.word.may is May.ASK
    assert why in called.word.why
    assert all(one.word.may is May.ASK for one in device_steps(stood, Devices(devices=(device(),))))


def test_an_account_is_protected_however_graph_writes_its_id() -> None:
    account = USER.model_copy(update={"id": USER.id.upper()})
    stood = ground(account=account, policy=changed(protected=Protected(accounts=(USER.id,))))
    (called,) = session_steps(stood, after=AFTER)
    assert called.word.may is May.ASK


@pytest.mark.parametrize(
    ("protected", "standing"),
    [
        (Protected(groups=(GROUP,), roles=(ROLE,)), Standing(groups=("another",))),
        (Protected(), Standing(gaps=(Gap(source="directory roles", reason="403"),))),
        (Protected(accounts=("another",)), Standing(gaps=(Gap(source="directory roles", reason="403"),))),
    ],
)
def test_whom_it_does_not_protect_is_contained(protected: Protected, standing: Standing) -> None:
    (called,) = session_steps(ground(Evidence(standing=standing), policy=changed(protected=protected)), after=AFTER)
    assert called.word.may is May.AUTO


def test_nobody_signs_out_the_last_way_in() -> None:
    account = USER.model_copy(update={"kind": AccountKind.BREAK_GLASS})
    (called,) = session_steps(ground(account=account), after=AFTER)
    assert called.word.may is May.ASK
    assert "emergency" in called.word.why


def suspected() -> Ground:
    """What may have been the user's own doing."""
    signins = approved_and_redeemed(OFFICE, {**TOR, "AutonomousSystemNumber": OFFICE["AutonomousSystemNumber"]})
    evidence = Evidence(usual=ground().evidence.usual.model_copy(update={"history_unread": True}))
    verdict = decide(POLICY, signins, evidence)
    assert verdict.kind is VerdictKind.SUSPICIOUS
    return ground_of(POLICY, USER, verdict, signins, evidence)


def test_what_is_only_suspicious_asks() -> None:
    stood = suspected()
    called = (*session_steps(stood, after=AFTER), *device_steps(stood, Devices(devices=(device(),))))
    assert [one.word.may for one in called] == [May.ASK, May.ASK]


def test_what_the_policy_never_does_is_not_even_named() -> None:
    assert identity_steps(ground()) == ()
    rungs = POLICY.ladder.malicious.model_copy(update={"disable_device": May.NEVER, "confirm_user": May.AUTO})
    stood = ground(policy=changed(malicious=rungs))
    assert device_steps(stood, Devices(devices=(device(),))) == ()
    assert [one.step.rung for one in identity_steps(stood)] == [Rung.CONFIRM_USER]


def later(minutes: float) -> Ground:
    """A token of the session that was issued so long after a revocation at a quarter past noon."""
    cut_off = NOON + timedelta(minutes=15)
    signins = story(
        *approved_and_redeemed(OFFICE, TOR).rows,
        sign_in(REDEMPTIONS, 15 + minutes, **TOR),  # type: ignore[arg-type]  # minutes may be a fraction
    )
    known = ground().evidence
    account = USER.model_copy(update={"sessions_valid_from": cut_off})
    return ground_of(POLICY, account, decide(POLICY, signins, known), signins, known)


@pytest.mark.parametrize(("minutes", "asked"), [(-1, False), (4, False), (6, True), (600, True)])
def test_a_survivor_of_a_revocation_is_asked_to_be_locked_out(minutes: float, asked: bool) -> None:
    stood = later(minutes)
    called = [one for one in identity_steps(stood) if one.step.rung is Rung.DISABLE_ACCOUNT]
    assert bool(called) == bool(stood.survivors) == asked
    assert all(one.word.may is May.ASK and "issued in the old session" in one.step.why for one in called)


@pytest.mark.parametrize(("minutes", "survived"), [(60, False), (89, False), (91, True)])
def test_a_token_is_used_after_a_revocation_until_it_expires(minutes: int, survived: bool) -> None:
    """An access token that was out lives for ninety minutes; what is used later was issued since."""
    cut_off = NOON + timedelta(minutes=15)
    uses = TokenUses(uses=(used(TOR, content=1).model_copy(update={"last": cut_off + timedelta(minutes=minutes)}),))
    assert bool(ground(Evidence(uses=uses), cut_off=cut_off).survivors) == survived


def test_a_suspicion_locks_nobody_out_whoever_survived() -> None:
    for stood, named in ((ground(), True), (suspected(), False)):
        called = identity_steps(replace(stood, survivors=("a token was used",)))
        assert (Rung.DISABLE_ACCOUNT in {one.step.rung for one in called}) == named


def test_a_sign_in_after_the_revocation_is_no_survivor() -> None:
    assert ground(cut_off=NOON - timedelta(hours=1)).survivors == ()


@pytest.mark.parametrize("first", May)
@pytest.mark.parametrize("second", May)
def test_the_stricter_answer_holds(first: May, second: May) -> None:
    order = [May.AUTO, May.ASK, May.NEVER]
    assert stricter(first, second) is max(first, second, key=order.index)
