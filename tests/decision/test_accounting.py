"""The account of an attacker's changes: each ends in exactly one fate, whatever the logs and the lists hold. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from respond.decision.accounting import account_of, unlisted
from respond.decision.items import Held
from respond.decision.ladder import Called, Ground, access_steps, device_steps, session_steps
from respond.models.base import Gap
from respond.models.case import Mode
from respond.models.evidence import Foothold, FootholdKind
from respond.models.holdings import (
    CONSENTS,
    METHODS,
    RULES,
    SOURCES,
    Access,
    Added,
    Application,
    Assignment,
    Device,
    Devices,
    Grant,
    Key,
    Method,
    Rule,
)
from respond.models.ladder import May, Rung
from respond.models.outcomes import outcome_of
from respond.models.persistence import Accounted, Fate
from respond.models.report import ActionStatus, Change, Outcome
from respond.models.tasks import Recipients
from respond.tasks import tasks_for
from tests.decision.test_decision import NOON, OFFICE, POLICY, TOR
from tests.decision.test_ladder import AFTER, BEFORE, changed, device, ground, with_changes

IDS = ("d1", "D2", "app", "principal", "client", "role", "m1", "7")
NAMES = ("..", "Newsletters", "Old name")
PLACES = (TOR["IPAddress"], OFFICE["IPAddress"], "", "203.0.113.200")


def change(kind: FootholdKind, at: dict[str, Any] | None = TOR, **more: Any) -> Foothold:
    known = {"kind": kind, "table": "T", "id": "1", "at": AFTER, "what": "added", "ip": at["IPAddress"] if at else ""}
    return Foothold.model_validate(known | more)


def carried_out(called: Called) -> Change:
    """What becomes of a write that the word lets act, and that works; of another one: a question."""
    done = called.word.may is May.AUTO
    return Change(
        name=called.step.rung.value,
        status=ActionStatus.DONE if done else ActionStatus.AWAITING_APPROVAL,
        target=called.step.label,
        summary="",
        verified=True if done else None,
        contains=True,
        step=called.step,
    )


Carried = Callable[[int, Called], Change]


def answered(
    here: Ground, held: Held, carry: Carried = lambda _, called: carried_out(called), *, logs_read: bool = True
) -> tuple[tuple[Accounted, ...], Outcome, list[Change]]:
    """The account, the outcome and the writes of a response that carries out what is called for.

    Args:
        carry: what becomes of each write, by its number.
    """
    devices = Devices(devices=(*held.devices, *held.added.devices))
    after = here.verdict.last_token
    assert after
    called = (*device_steps(here, devices), *session_steps(here, after=after))
    changes = [carry(n, one) for n, one in enumerate((*called, *access_steps(here, held.access, held.added)))]
    account = account_of(here, held, changes)
    gaps = (*held.access.gaps, *held.added.gaps)
    return account, outcome_of(Mode.LIVE, here.verdict, changes, gaps, account, logs_read=logs_read), changes


def method(created: Any = None, name: str = "m1", kind: str = "microsoftAuthenticator") -> Method:
    return Method(id=name, type=f"{kind}AuthenticationMethod", label=f"{kind} {name}", created=created)


REGISTERED = change(
    FootholdKind.METHOD, what="User registered security info", reason="User registered Authenticator App"
)
PHONE = REGISTERED.model_copy(update={"reason": "User registered Mobile Phone SMS", "id": "2"})
RULE = change(FootholdKind.MAIL_RULE, what="New-InboxRule", name="..", creates=True)
MADE = change(FootholdKind.APPLICATION, what="Add service principal", objects=("principal",), creates=True)
KEYED = change(
    FootholdKind.APPLICATION, what="Update application - Certificates and secrets management", objects=("app",)
)
ARCHIVE = Application(ids=("principal", "client"), principal="principal", name="Archive", enabled=True)
SECRET = Key(id="7", label="night", holder="applications/app", is_secret=True, start=AFTER)
OLD_APP = Application(ids=("app",), principal="", name="Backup", enabled=None, keys=(SECRET,))
CERTIFICATE = SECRET.model_copy(update={"is_secret": False, "id": "8"})
GRANT = Grant(id="g", client="principal", resource="r", scope=" Mail.Read")
ROLE = change(FootholdKind.ROLE, what="Add member to role", objects=("principal", "role"))
HELD_ROLE = Assignment(id="a", principal="principal", role="role", scope="/")
CONSENT = change(FootholdKind.CONSENT, what="Consent to application", objects=("principal",))


def rule(name: str = "..", number: str = "r1", *, enabled: bool = True) -> Rule:
    return Rule(id=number, name=name, enabled=enabled)


CASES: dict[str, tuple[tuple[Foothold, ...], Held, list[tuple[str, str]], str]] = {
    "a method without a time is asked about": (
        (REGISTERED,),
        Held(access=Access(methods=(method(), method(name="p", kind="phone"), method(BEFORE, "old")))),
        [("action", "remove_method m1")],
        "awaiting-approval",
    ),
    "the row names the type": (
        (REGISTERED, PHONE),
        Held(access=Access(methods=(method(), method(name="p", kind="phone"), method(name="f", kind="fido2")))),
        [("action", "remove_method m1"), ("action", "remove_method p")],
        "awaiting-approval",
    ),
    "a second method of the type is not hidden by the first": (
        (REGISTERED, REGISTERED.model_copy(update={"id": "2"})),
        Held(access=Access(methods=(method(AFTER, "dated"), method()))),
        [("action", "remove_method dated"), ("action", "remove_method m1")],
        "awaiting-approval",
    ),
    "a method that the row names is the attacker's without a time": (
        (REGISTERED.model_copy(update={"objects": ("m1",)}),),
        Held(access=Access(methods=(method(), method(name="m2")))),
        [("action", "remove_method m1")],
        "contained-verified",
    ),
    "a method that is not listed": ((REGISTERED,), Held(), [("manual-task", "")], "contained-unverified"),
    "a rule that is listed": (
        (RULE,),
        Held(access=Access(rules=(rule(), rule("Newsletters", "r2")))),
        [("action", "disable_rule r1")],
        "contained-verified",
    ),
    "a rule that was renamed, and no log says so": (
        (RULE,),
        Held(access=Access(rules=(rule("Newsletters", "r2"), rule("Off", "r3", enabled=False)))),
        [("manual-task", "")],
        "awaiting-approval",
    ),
    "a rule that was renamed in the log": (
        (RULE, RULE.model_copy(update={"what": "Set-InboxRule", "id": "2", "aliases": ("New", "..")})),
        Held(access=Access(rules=(rule("New"),))),
        [("action", "disable_rule r1")],
        "contained-verified",
    ),
    "two rules of one name": (
        (RULE,),
        Held(access=Access(rules=(rule(), rule(number="r2")))),
        [("action", "disable_rule r1"), ("action", "disable_rule r2")],
        "awaiting-approval",
    ),
    "two rules of one name, and the row has the id": (
        (RULE.model_copy(update={"objects": ("r2",)}),),
        Held(access=Access(rules=(rule(), rule(number="r2")))),
        [("action", "disable_rule r2")],
        "contained-verified",
    ),
    "a rule without any name": (
        (RULE.model_copy(update={"name": ""}),),
        Held(access=Access(rules=(rule(),))),
        [("manual-task", "")],
        "awaiting-approval",
    ),
    "a rule that is not listed": ((RULE,), Held(), [("manual-task", "")], "contained-unverified"),
    "a rule whose removal is logged": (
        (RULE, RULE.model_copy(update={"what": "Remove-InboxRule", "id": "2", "removal": True})),
        Held(),
        [("gone-already", "")],
        "contained-verified",
    ),
    "a rule in somebody else's mailbox": (
        (RULE.model_copy(update={"whose": ("ben@contoso.com",)}),),
        Held(access=Access(rules=(rule(),))),
        [("manual-task", "")],
        "contained-unverified",
    ),
    "a rule in the user's mailbox, and the row says so": (
        (RULE.model_copy(update={"whose": ("ann",)}),),
        Held(access=Access(rules=(rule(),))),
        [("action", "disable_rule r1")],
        "contained-verified",
    ),
    "a method that was added for somebody else": (
        (REGISTERED.model_copy(update={"whose": ("b2", "ben@contoso.com")}),),
        Held(access=Access(methods=(method(),))),
        [("manual-task", "")],
        "contained-unverified",
    ),
    "somebody else who is let into the mailbox": (
        (change(FootholdKind.MAIL_RULE, what="Add-MailboxPermission", name=".."),),
        Held(access=Access(rules=(rule(),))),
        [("manual-task", "")],
        "contained-unverified",
    ),
    "forwarding of the whole mailbox": (
        (change(FootholdKind.MAIL_RULE, what="Set-Mailbox"),),
        Held(),
        [("manual-task", "")],
        "contained-unverified",
    ),
    "a device without a time that the log names": (
        (change(FootholdKind.DEVICE, objects=("d1",)),),
        Held(devices=(device(None),)),
        [("action", "disable_device d1")],
        "contained-verified",
    ),
    "a device that cannot be disabled": (
        (change(FootholdKind.DEVICE, objects=("d1",)),),
        Held(devices=(device().model_copy(update={"system": "Android"}),)),
        [("action", "delete_device d1")],
        "awaiting-approval",
    ),
    "a device that is nowhere": (
        (change(FootholdKind.DEVICE, objects=("d1",)),),
        Held(added=Added(gone=("d1",))),
        [("gone-already", "")],
        "contained-verified",
    ),
    "a device that is not listed": (
        (change(FootholdKind.DEVICE, objects=("d1",)),),
        Held(),
        [("manual-task", "")],
        "contained-unverified",
    ),
    "a device that the log does not name": (
        (change(FootholdKind.DEVICE),),
        Held(),
        [("manual-task", "")],
        "contained-unverified",
    ),
    "an older device that was given to somebody": (
        (change(FootholdKind.DEVICE, objects=("d1",)),),
        Held(devices=(device(BEFORE),)),
        [("manual-task", "")],
        "contained-unverified",
    ),
    "a consent that is given": (
        (CONSENT,),
        Held(access=Access(grants=(GRANT,))),
        [("action", "remove_grant g")],
        "contained-verified",
    ),
    "a consent for the whole tenant": (
        (CONSENT,),
        Held(added=Added(grants=(GRANT.model_copy(update={"everyone": True}),))),
        [("action", "remove_grant g")],
        "awaiting-approval",
    ),
    "a consent that the log knows by the client id alone": (
        (CONSENT.model_copy(update={"objects": ("client",)}),),
        Held(access=Access(grants=(GRANT,)), added=Added(applications=(ARCHIVE,))),
        [("action", "remove_grant g")],
        "contained-verified",
    ),
    "a consent that is extended is logged as a removal too": (
        (CONSENT.model_copy(update={"what": "Remove delegated permission grant", "removal": True, "id": "2"}), CONSENT),
        Held(access=Access(grants=(GRANT,))),
        [("action", "remove_grant g")],
        "contained-verified",
    ),
    "a consent that is not given any more": (
        (CONSENT,),
        Held(added=Added(applications=(ARCHIVE,), ungranted=("principal",))),
        [("gone-already", "")],
        "contained-verified",
    ),
    "a consent that was not found": ((CONSENT,), Held(), [("manual-task", "")], "contained-unverified"),
    "an application that was made": (
        (MADE, MADE.model_copy(update={"what": "Add service principal credentials", "creates": False, "id": "2"})),
        Held(added=Added(applications=(ARCHIVE,))),
        [("action", "disable_application principal")],
        "awaiting-approval",
    ),
    "a secret of an older application": (
        (KEYED,),
        Held(added=Added(applications=(OLD_APP,))),
        [("action", "remove_secret 7")],
        "awaiting-approval",
    ),
    "a certificate of an older application": (
        (KEYED,),
        Held(added=Added(applications=(OLD_APP.model_copy(update={"keys": (CERTIFICATE,)}),))),
        [("manual-task", "")],
        "contained-unverified",
    ),
    "an owner of an older application": (
        (KEYED.model_copy(update={"what": "Add owner to application"}),),
        Held(added=Added(applications=(OLD_APP.model_copy(update={"keys": ()}),))),
        [("manual-task", "")],
        "contained-unverified",
    ),
    "a federated credential beside a secret of an older application": (
        (KEYED, KEYED.model_copy(update={"what": "Add federated identity credential", "id": "2"})),
        Held(added=Added(applications=(OLD_APP,))),
        [("manual-task", "remove_secret 7")],
        "awaiting-approval",
    ),
    "an application that is nowhere": (
        (MADE,),
        Held(added=Added(gone=("principal",))),
        [("gone-already", "")],
        "contained-verified",
    ),
    "an application that was not found": ((MADE,), Held(), [("manual-task", "")], "contained-unverified"),
    "a role that is assigned": (
        (ROLE,),
        Held(added=Added(assignments=(HELD_ROLE,))),
        [("action", "remove_role a")],
        "awaiting-approval",
    ),
    "a role that is not listed": ((ROLE,), Held(), [("manual-task", "")], "contained-unverified"),
    "an eligible role beside an active one": (
        (ROLE, ROLE.model_copy(update={"what": "Add eligible member to role", "id": "2"})),
        Held(added=Added(assignments=(HELD_ROLE,))),
        [("manual-task", "remove_role a")],
        "awaiting-approval",
    ),
    **{
        f"a change of a {kind.value}": ((change(kind),), Held(), [("manual-task", "")], "contained-unverified")
        for kind in (FootholdKind.POLICY, FootholdKind.DOMAIN, FootholdKind.GUEST, FootholdKind.ACCOUNT)
    },
}


@pytest.mark.parametrize("case", CASES)
def test_every_change_of_the_attacker_has_one_fate(case: str) -> None:
    changes, held, fates, outcome = CASES[case]
    account, ended, _ = answered(ground(with_changes(*changes)), held)
    told = []
    for one in account:
        refs = [f"{action.name} {action.object}" for action in one.actions]
        told += [(one.fate.value, ref) for ref in refs or [""]]
    assert (sorted(told), ended.value) == (sorted(fates), outcome)


TASKS = {
    "an owner": ("Add owner to application", "remove the owner", "App registrations", "Contoso Backup > Owners"),
    "an owner of a service principal": (
        "Add owner to service principal",
        "remove the owner",
        "Enterprise applications",
    ),
    "a federated credential": ("Add federated identity credential", "delete the federated", "> Federated credentials"),
    "a permission": ("Add app role assignment to service principal", "revoke the permission", "> Permissions"),
    "something else": ("Update application", "delete what was added", "Certificates & secrets"),
}


@pytest.mark.parametrize("case", TASKS)
def test_a_task_about_an_application_says_what_to_do_and_where(case: str) -> None:
    what, *told = TASKS[case]
    app = OLD_APP.model_copy(update={"name": "Contoso\nBackup", "keys": ()})
    change = KEYED.model_copy(update={"what": what, "name": "Contoso Backup"})
    (one,), outcome, _ = answered(ground(with_changes(change)), Held(added=Added(applications=(app,))))
    assert (one.fate, outcome) == (Fate.TASK, Outcome.CONTAINED_UNVERIFIED)
    assert all(words in one.says for words in (*told, "entra.microsoft.com", "Contoso Backup", f"{what} at "))


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("Add eligible member to role in PIM completed (permanent)", "Assignments > Eligible assignments"),
        ("Add scoped member to role", "Eligible, Active and Expired assignments"),
    ],
)
def test_a_task_about_a_role_says_which_and_where(what: str, told: str) -> None:
    change = ROLE.model_copy(update={"what": what, "aliases": ("Security Administrator",)})
    (one,), _, _ = answered(ground(with_changes(change)), Held())
    assert one.fate is Fate.TASK
    for words in (told, "Security Administrator", "Privileged Identity Management", "entra.microsoft.com"):
        assert words in one.says


@pytest.mark.parametrize("row", [REGISTERED, RULE], ids=["method", "rule"])
def test_a_task_about_somebody_else_names_them_and_no_more_than_is_known(row: Foothold) -> None:
    """Exchange takes an alias or a number for a mailbox, so the name may still be the user's."""
    changes = with_changes(row.model_copy(update={"whose": ("b2", "ben@contoso.com")}))
    held = Held(access=Access(methods=(method(),), rules=(rule(),)))
    (one,), _, done = answered(ground(changes), held)
    assert "the log names ben@contoso.com, which is no name of the user's that is known here" in one.says
    assert {change.name for change in done} == {"revoke_sessions"}


def test_what_the_user_did_where_no_attacker_was_is_not_accounted_for() -> None:
    home = change(FootholdKind.POLICY, OFFICE)
    assert answered(ground(with_changes(home)), Held())[:2] == ((), Outcome.CONTAINED_VERIFIED)


@pytest.mark.parametrize("case", CASES)
def test_what_the_response_plan_never_does_is_a_persons(case: str) -> None:
    never = changed(
        malicious=POLICY.ladder.malicious.model_copy(
            update={rung.value: May.NEVER for rung in Rung if rung is not Rung.REVOKE_SESSIONS}
        )
    )
    changes, held, _, _ = CASES[case]
    account, outcome, _ = answered(ground(with_changes(*changes), policy=never), held)
    assert {one.fate for one in account} <= {Fate.TASK, Fate.GONE}
    # What the plan never takes away is not listed, so nothing shows that it is gone.
    assert not [one for one in account if one.fate is Fate.GONE and one.kind.value in ("consent", "mail-rule")]
    assert (outcome is Outcome.CONTAINED_VERIFIED) == all(one.fate is Fate.GONE for one in account)


@pytest.mark.parametrize(
    ("row", "rung", "source"),
    [
        (REGISTERED, Rung.REMOVE_METHOD, METHODS),
        (CONSENT, Rung.REMOVE_GRANT, CONSENTS),
        (RULE, Rung.DISABLE_RULE, RULES),
    ],
    ids=["method", "consent", "rule"],
)
def test_what_was_not_listed_is_not_called_missing(row: Foothold, rung: Rung, source: str) -> None:
    """An installation that only observes lists nothing, and a list can fail."""
    never = {rung.value: May.NEVER}
    plan = changed(
        malicious=POLICY.ladder.malicious.model_copy(update=never),
        suspicious=POLICY.ladder.suspicious.model_copy(update=never),
    )
    failed = Held(access=Access(gaps=(Gap(source=source, reason="503"),)))
    for here, held, why in (
        (ground(with_changes(row), policy=plan), Held(), f"never lets respond do {rung.value}"),
        (ground(with_changes(row)), failed, f"{source} could not be listed"),
    ):
        (one,), outcome, _ = answered(here, held)
        assert (one.fate, outcome) == (Fate.TASK, Outcome.CONTAINED_UNVERIFIED)
        assert why in one.says
        assert "listed:" not in one.says.replace("could not be listed:", "")


def test_what_an_earlier_run_has_ended_is_listed_no_more_and_no_question() -> None:
    here = ground(with_changes(REGISTERED))
    before, _, _ = answered(here, Held(access=Access(methods=(method(AFTER),))))
    assert unlisted(here, Held())
    assert not unlisted(here, Held(), before)
    (one,) = account_of(here, Held(), (), before)
    assert one.fate is Fate.GONE
    assert "remove_method" in one.says


def test_a_consent_inside_the_code_flow_is_tied_by_the_application_alone() -> None:
    app = ground().signins.flows[0].approvals[0].app_id
    early = CONSENT.model_copy(update={"ip": "", "at": NOON - timedelta(minutes=2), "objects": (app, "principal")})
    held = Held(access=Access(grants=(GRANT,)))
    account, outcome, _ = answered(ground(with_changes(early)), held)
    assert [(one.fate, one.actions[0].object) for one in account] == [(Fate.ACTION, "g")]
    assert outcome is Outcome.CONTAINED_VERIFIED
    other = early.model_copy(update={"objects": ("principal",)})
    assert answered(ground(with_changes(other)), held)[0] == ()


moments = st.integers(-3, 90).map(lambda minutes: NOON + timedelta(minutes=minutes))
footholds = st.builds(
    Foothold,
    kind=st.sampled_from(list(FootholdKind)),
    table=st.just("T"),
    id=st.uuids().map(str),
    at=moments,
    what=st.sampled_from(
        [
            "added",
            "New-InboxRule",
            "Set-Mailbox",
            "Add-MailboxPermission",
            "User registered security info",
            "Add owner to application",
        ]
    ),
    ip=st.sampled_from(PLACES),
    objects=st.lists(st.sampled_from(IDS).map(str.lower), max_size=3, unique=True).map(tuple),
    name=st.sampled_from(("", *NAMES)),
    reason=st.sampled_from(("", "User registered Authenticator App", "User registered Mobile Phone SMS")),
    removal=st.booleans(),
    creates=st.booleans(),
    whose=st.sampled_from([(), (), ("ann@contoso.com",), ("ben@contoso.com",)]),
)
some = st.one_of(st.none(), moments)
kinds = st.sampled_from(["phone", "microsoftAuthenticator", "fido2", "external", "qrCodePin"])
methods = st.builds(method, some, st.sampled_from(IDS), kinds)
rules = st.builds(rule, st.sampled_from(NAMES), st.sampled_from(("r1", "r2", "7")), enabled=st.booleans())
grants = st.sampled_from(IDS).map(lambda client: Grant(id=f"g{client}", client=client, resource="r", scope="s"))
keys = st.builds(
    Key,
    id=st.sampled_from(IDS),
    label=st.just(""),
    holder=st.just("applications/app"),
    is_secret=st.booleans(),
    start=some,
)
apps = st.builds(
    Application,
    ids=st.lists(st.sampled_from(IDS), min_size=1, max_size=2).map(tuple),
    principal=st.sampled_from(("", "principal")),
    name=st.just("App"),
    enabled=st.booleans(),
    keys=st.lists(keys, max_size=2).map(tuple),
)
devices = st.builds(
    Device,
    id=st.sampled_from(("d1", "d3")),
    device_id=st.sampled_from(("D1", "D2")),
    name=st.just("PC"),
    enabled=st.booleans(),
    registered=some,
    system=st.sampled_from(("", "Windows", "Android")),
)
assignments = st.builds(
    Assignment, id=st.just("a"), principal=st.sampled_from(IDS), role=st.sampled_from(IDS), scope=st.just("/")
)


def several(one: Any) -> Any:
    return st.lists(one, max_size=3).map(tuple)


def unread(*sources: str) -> Any:
    """Lists that could not be read; most can."""
    gap = st.builds(Gap, source=st.sampled_from(sources), reason=st.just("403"))
    return st.one_of(st.just(()), st.just(()), st.lists(gap, max_size=2).map(tuple))


holdings = st.builds(
    Held,
    access=st.builds(
        Access,
        methods=several(methods),
        grants=several(grants),
        rules=several(rules),
        gaps=unread(METHODS, CONSENTS, RULES),
    ),
    added=st.builds(
        Added,
        devices=several(devices),
        applications=several(apps),
        assignments=several(assignments),
        grants=several(grants),
        gone=several(st.sampled_from(IDS)).map(lambda ids: tuple(one.lower() for one in ids)),
        ungranted=several(st.sampled_from(IDS)).map(lambda ids: tuple(one.lower() for one in ids)),
        gaps=unread(*sorted(SOURCES)),
    ),
    devices=several(devices),
)
plans = st.fixed_dictionaries(
    {rung.value: st.sampled_from(list(May)) for rung in Rung if rung not in (Rung.CONFIRM_USER, Rung.CONFIRM_SIGN_INS)}
)
endings = st.lists(
    st.fixed_dictionaries(
        {
            "status": st.sampled_from(
                [status for status in ActionStatus if status is not ActionStatus.PLANNED] + [ActionStatus.DONE] * 4
            ),
            "verified": st.sampled_from([True, True, True, False, None]),
            "held": st.sampled_from(["", "service", "limit"]),
        }
    ),
    min_size=1,
    max_size=6,
)
"""What becomes of the writes: done and seen, done and not seen, refused by a service or a person, asked, failed."""
HANDLED = (ActionStatus.DONE, ActionStatus.UNNEEDED)


def listed(held: Held, kind: FootholdKind) -> set[str]:
    """Every id in lower case under which something of a kind is listed."""
    devices = [number for one in (*held.devices, *held.added.devices) for number in (one.id, one.device_id)]
    found = {
        FootholdKind.DEVICE: devices,
        FootholdKind.CONSENT: [one.client for one in (*held.access.grants, *held.added.grants)],
        FootholdKind.APPLICATION: [number for one in held.added.applications for number in one.ids],
    }
    return {one.lower() for one in found[kind]}


@given(
    changes=st.lists(footholds, max_size=6),
    held=holdings,
    plan=plans,
    ends=endings,
    logs_read=st.sampled_from([True, True, True, False]),
)
def test_any_changes_in_any_directory_are_accounted_for(
    changes: list[Foothold], held: Held, plan: dict[str, May], ends: list[dict[str, Any]], *, logs_read: bool
) -> None:
    policy = changed(malicious=POLICY.ladder.malicious.model_copy(update=plan))
    here = ground(with_changes(*changes), policy=policy)
    account, outcome, done = answered(
        here, held, lambda n, one: carried_out(one).model_copy(update=ends[n % len(ends)]), logs_read=logs_read
    )
    tied = [one.id for one in changes if not one.removal and one.at >= here.since and here.is_tied(one)]
    entries = [source.id for one in account for source in one.evidence]
    assert len(entries) == len(set(entries))
    assert set(tied) <= set(entries)
    assert {one.says for one in account if one.fate is Fate.TASK} <= set(tasks_for(account, Recipients(), ()))
    named = {(change.name, change.step.object) for change in done if change.step}
    for one in account:
        assert one.says
        assert bool(one.actions) or one.fate is not Fate.ACTION
        assert {(ref.name, ref.object) for ref in one.actions} <= named
    if outcome is Outcome.CONTAINED_VERIFIED:
        assert not [one for one in account if one.fate is Fate.TASK]
        assert all(change.status in HANDLED and change.verified for change in done)
        assert logs_read
        assert not held.access.gaps
        assert not held.added.gaps


@given(changes=st.lists(footholds, min_size=1, max_size=4), held=holdings)
def test_nothing_is_gone_that_is_listed_or_whose_list_was_not_read(changes: list[Foothold], held: Held) -> None:
    account, _, _ = answered(ground(with_changes(*changes)), held)
    known = {change.id: change for change in changes}
    unread = {gap.source for gap in (*held.access.gaps, *held.added.gaps)}
    for one in account:
        if one.fate is not Fate.GONE:
            continue
        rows = [known[source.id] for source in one.evidence]
        kind, ids = rows[0].kind, {number for row in rows for number in row.objects}
        assert kind in (FootholdKind.DEVICE, FootholdKind.APPLICATION, FootholdKind.CONSENT, FootholdKind.MAIL_RULE)
        if kind is FootholdKind.MAIL_RULE:
            assert RULES not in unread
            assert any(row.removal for row in rows)
            continue
        assert not ids & listed(held, kind)
        assert CONSENTS not in unread or kind is not FootholdKind.CONSENT
        assert ids <= set(held.added.gone) or kind is FootholdKind.CONSENT
