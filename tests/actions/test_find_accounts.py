"""Finding whom a delivery names, asked of a lab over HTTP: every kind of name, what is not certain, what goes wrong."""

from __future__ import annotations

import json
import struct
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.find_accounts import find_accounts, object_id_of
from respond.clients.guard import is_read
from respond.models import wire
from respond.models.accounts import FoundAccounts
from respond.models.notice import Named
from respond.session import open_survey
from respond.settings import LAB_TENANT_ID, LabFault, config_dir
from tests.lab.running_lab import RunningLab, running

ANN, BRIAN, GUEST, OFF, DOLLAR, TWIN = (f"0000aaaa-0000-4000-8000-00000000000{number}" for number in range(1, 7))
NOBODY = "0000aaaa-0000-4000-8000-00000000ffff"
ELSEWHERE = "99999999-0000-4000-8000-000000000009"
FABRIKAM = "mara@fabrikam.com"
SID = "S-1-5-21-1004336348-1177238915-682003330-1104"
SHARED_SID = "S-1-5-21-1004336348-1177238915-682003330-9999"
USERS: list[dict[str, Any]] = [
    {
        "id": ANN,
        "userPrincipalName": "Ann@contoso.com",
        "displayName": "Ann",
        "mail": "Ann.Example@contoso.com",
        "proxyAddresses": ["SMTP:Ann.Example@contoso.com", "smtp:a.example@contoso.com"],
        "accountEnabled": True,
    },
    {"id": BRIAN, "userPrincipalName": "o'brien@contoso.com", "mail": "b.o'brien@contoso.com"},
    {
        "id": GUEST,
        "userPrincipalName": "mara_fabrikam.com#EXT#@contoso.com",
        "mail": FABRIKAM,
        "userType": "Guest",
        "proxyAddresses": [f"SMTP:{FABRIKAM}"],
    },
    {
        "id": OFF,
        "userPrincipalName": "off@contoso.com",
        "accountEnabled": False,
        "onPremisesSyncEnabled": True,
        "onPremisesSecurityIdentifier": SID,
        "proxyAddresses": ["SMTP:team@contoso.com"],
    },
    {
        "id": DOLLAR,
        "userPrincipalName": "$dollar@contoso.com",
        "mail": "team@contoso.com",
        "onPremisesSecurityIdentifier": SHARED_SID,
    },
    {"id": TWIN, "userPrincipalName": "twin@contoso.com", "onPremisesSecurityIdentifier": SHARED_SID},
]

CONFLICTS = {
    "id and user principal name": {"object_id": ANN, "upn": "twin@contoso.com"},
    "id and name@suffix": {"object_id": ANN, "name": "twin", "suffix": "contoso.com"},
    "id and mail": {"object_id": ANN, "mail": "b.o'brien@contoso.com"},
    "id and SID": {"object_id": ANN, "sid": SID},
    "user principal name and name@suffix": {"upn": "ann@contoso.com", "name": "twin", "suffix": "contoso.com"},
    "user principal name and mail": {"upn": "ann@contoso.com", "mail": "b.o'brien@contoso.com"},
    "name@suffix and SID": {"name": "ann", "suffix": "contoso.com", "sid": SID},
}
Find = Callable[..., Awaitable[FoundAccounts]]


def write(folder: Path, crowd: int = 0) -> Path:
    """A scenario with the people above in it, and as many more as are wanted."""
    many = ({"id": str(uuid.UUID(int=number)), "userPrincipalName": f"u{number}@x.com"} for number in range(crowd))
    (folder / "scenario.json").write_text(json.dumps({"title": "people", "now": "2026-01-15T09:40:00Z"}))
    (folder / "directory.json").write_text(json.dumps({"users": [*USERS, *many]}))
    return folder


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """One lab for all tests that ask for nothing special: they only read."""
    with running(write(tmp_path_factory.mktemp("people")), tmp_path_factory.mktemp("lab")) as there:
        yield there


@pytest.fixture
def tenant(
    people: RunningLab,
    tmp_path_factory: pytest.TempPathFactory,
    lab: Callable[..., RunningLab],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., RunningLab]:
    """The lab of all, or one with a crowd or settings of its own."""

    def start(*, crowd: int = 0, **settings: Any) -> RunningLab:
        if crowd or settings:
            return lab(write(tmp_path_factory.mktemp("others"), crowd), **settings)
        monkeypatch.setenv("RESPOND_LAB__URL", people.url)
        return people

    return start


@pytest.fixture
def find(monkeypatch: pytest.MonkeyPatch) -> Find:
    monkeypatch.setenv("RESPOND_RETRY__ATTEMPTS", "2")
    monkeypatch.setenv("RESPOND_RETRY__FIRST_WAIT", "1ms")

    async def ask(*named: Named) -> FoundAccounts:
        async with open_survey(config_dir(None)) as survey:
            return await find_accounts(survey.case(survey.settings.hunt.since), named=named)

    return ask


def account(label: str = "somebody", **said: str) -> Named:
    return Named(kind="account", label=label, **said)


def ids(found: FoundAccounts) -> list[str]:
    return [user.account.id for user in found.users]


def cloud_sid(object_id: str) -> str:
    numbers = struct.unpack("<4I", uuid.UUID(object_id).bytes_le)
    return "S-1-12-1-" + "-".join(map(str, numbers))


@pytest.mark.parametrize(
    ("named", "found"),
    [
        (account(object_id=ANN), ANN),
        (account(object_id=ANN, tenant_id=LAB_TENANT_ID), ANN),
        (account(upn="ann@CONTOSO.com"), ANN),
        (account(upn="o'brien@contoso.com"), BRIAN),
        (account(upn="mara_fabrikam.com#EXT#@contoso.com"), GUEST),
        (account(upn="$dollar@contoso.com"), DOLLAR),
        (account(name="ann", suffix="contoso.com"), ANN),
        (account(name="mara_fabrikam.com#EXT#", suffix="contoso.com"), GUEST),
        (account(mail="ann.example@contoso.com"), ANN),
        (account(mail="a.example@contoso.com"), ANN),
        (account(mail="b.o'brien@contoso.com"), BRIAN),
        (account(name="a.example", suffix="contoso.com"), ANN),
        (account(sid=SID), OFF),
        (account(sid=cloud_sid(BRIAN)), BRIAN),
        # a name that leads nowhere is followed by the next
        (account(object_id=NOBODY, upn="gone@contoso.com", name="off", suffix="contoso.com"), OFF),
        (account(object_id=NOBODY, sid=SID), OFF),
        # what looks like a UPN is none, and the real one is elsewhere in the entity
        (account(name="山田 太郎", suffix="ad.contoso.com", upn="ann@contoso.com"), ANN),
        # an id of another tenant is somebody else's; the guest is found by its address
        (account(object_id=ANN, tenant_id=ELSEWHERE, upn=FABRIKAM), GUEST),
        # a name that was changed since
        (account(object_id=ANN, upn="ann.maiden@contoso.com"), ANN),
        (account(object_id=ANN, upn="ann.example@contoso.com"), ANN),
        (account(object_id=GUEST, upn=FABRIKAM), GUEST),
    ],
)
async def test_every_kind_of_name_leads_to_its_account(
    named: Named, found: str, tenant: Callable[..., RunningLab], find: Find
) -> None:
    tenant()
    answer = await find(named)
    assert (ids(answer), answer.ambiguous, answer.unknown, answer.failed) == ([found], (), (), ())


async def test_a_disabled_account_is_an_account(tenant: Callable[..., RunningLab], find: Find) -> None:
    tenant()
    (user,) = (await find(account(object_id=OFF))).users
    assert (user.account.enabled, user.account.synced) == (False, True)


@pytest.mark.parametrize(
    "named",
    [
        account(object_id=NOBODY, upn="gone@contoso.com", name="gone", suffix="contoso.com", mail="gone@contoso.com"),
        account(object_id=ANN, tenant_id=ELSEWHERE),
        account(sid=cloud_sid(NOBODY)),
        account(sid="S-1-12-1-4294967296-1-1-1"),
        account(sid="S-1-12-1-1-1"),
        account(sid="S-1-5-18"),
        account(name="山田 太郎", suffix="contoso.com"),
        account(name="ann"),
        account(),
    ],
)
async def test_who_is_not_in_the_directory_is_unknown(
    named: Named, tenant: Callable[..., RunningLab], find: Find
) -> None:
    tenant()
    assert await find(named) == FoundAccounts(unknown=(named,))


@pytest.mark.parametrize(
    ("named", "candidates"),
    [
        (account(object_id=ANN, upn="o'brien@contoso.com"), [ANN, BRIAN]),
        (account(mail="team@contoso.com"), [OFF, DOLLAR]),
        (account(sid=SHARED_SID), [DOLLAR, TWIN]),
    ],
)
async def test_an_entity_that_fits_two_accounts_chooses_neither(
    named: Named, candidates: list[str], tenant: Callable[..., RunningLab], find: Find
) -> None:
    tenant()
    answer = await find(named, account("Twin", object_id=TWIN))
    (unclear,) = answer.ambiguous
    assert [one.id for one in unclear.candidates] == candidates
    assert all(candidate in unclear.summary for candidate in candidates)
    assert ids(answer) == [TWIN]


async def test_several_entities_that_are_one_user_are_one(tenant: Callable[..., RunningLab], find: Find) -> None:
    tenant()
    answer = await find(
        account("Ann", object_id=ANN),
        account("Brian", upn="o'brien@contoso.com"),
        account("ann@contoso.com", name="ann", suffix="contoso.com"),
        Named(kind="mailbox", label="a.example@contoso.com", mail="a.example@contoso.com"),
        account("Ann", object_id=ANN, upn="ann@contoso.com"),
    )
    assert ids(answer) == [ANN, BRIAN]
    assert answer.users[0].labels == ("Ann", "ann@contoso.com", "a.example@contoso.com")
    assert wire.loads(wire.dumps(answer)) == answer


async def test_a_missing_permission_is_named_for_every_entity(tenant: Callable[..., RunningLab], find: Find) -> None:
    tenant(withheld_permissions=("User.Read.All", "Directory.Read.All"))
    answer = await find(account(object_id=ANN), account(mail="team@contoso.com"))
    assert (answer.users, answer.unknown, len(answer.failed)) == ((), (), 2)
    assert all("grant the application User.Read.All" in failure.reason for failure in answer.failed)


@pytest.mark.parametrize("kind", ["status", "drop_before"])
async def test_one_that_cannot_be_looked_up_hides_no_other(
    kind: Any, tenant: Callable[..., RunningLab], find: Find
) -> None:
    tenant(faults=(LabFault(match=f"GET */users/{BRIAN}", kind=kind, times=0),))
    bad = account("Brian", object_id=BRIAN, upn="o'brien@contoso.com")
    answer = await find(account(object_id=ANN), bad, account(object_id=NOBODY), account(object_id=TWIN))
    assert ids(answer) == [ANN, TWIN]
    assert [failure.named for failure in answer.failed] == [bad]
    assert len(answer.unknown) == 1


async def test_a_proxy_that_answers_in_the_place_of_graph_is_asked_past_later(
    tenant: Callable[..., RunningLab], find: Find
) -> None:
    tenant(faults=(LabFault(match="GET */users*", kind="answer", status=404, body="<html>not here</html>", times=0),))
    answer = await find(account(object_id=ANN), account(mail="team@contoso.com"))
    assert (answer.users, answer.unknown) == ((), ())
    assert [failure.passes for failure in answer.failed] == [True, True]


async def test_throttled_it_asks_again(tenant: Callable[..., RunningLab], find: Find) -> None:
    tenant(faults=(LabFault(match="GET */users", status=429, retry_after="0"),))
    assert ids(await find(account(mail="a.example@contoso.com"))) == [ANN]


async def test_many_names_among_a_thousand_people_are_found(tenant: Callable[..., RunningLab], find: Find) -> None:
    tenant(crowd=1000)
    known = [account(f"known {number}", name=f"u{number}", suffix="x.com") for number in range(50)]
    gone = [account(f"gone {number}", name=f"v{number}", suffix="x.com") for number in range(50)]
    answer = await find(*known, *gone)
    assert [user.labels for user in answer.users] == [(named.label,) for named in known]
    assert answer.unknown == tuple(gone)


async def test_nothing_is_asked_for_nobody(tenant: Callable[..., RunningLab], find: Find) -> None:
    tenant()
    assert await find() == FoundAccounts()


@given(st.uuids())
def test_a_cloud_sid_holds_the_object_id(object_id: uuid.UUID) -> None:
    assert object_id_of(cloud_sid(str(object_id))) == str(object_id)


def test_a_published_cloud_sid_is_read() -> None:
    assert (
        object_id_of("S-1-12-1-1943430372-1249052806-2496021943-3034400218") == "73d664e4-0886-4a73-b745-c694da45ddb4"
    )


@pytest.mark.parametrize("sid", ["", SID, "S-1-12-1-1-2-3", "S-1-12-1-4294967296-1-1-1", "s-1-12-1-1-2-3-4"])
def test_another_sid_holds_none(sid: str) -> None:
    assert object_id_of(sid) == ""


def test_a_filter_on_users_may_leave_in_a_dry_run() -> None:
    assert is_read("GET", "https://graph.microsoft.com/v1.0/users?$filter=mail eq 'a'&$select=id")
    assert not is_read("POST", "https://graph.microsoft.com/v1.0/users?$filter=mail eq 'a'")


@pytest.mark.parametrize("said", CONFLICTS.values(), ids=CONFLICTS)
async def test_an_entity_that_names_two_people_is_both_and_nobody_is_chosen(
    said: dict[str, str], tenant: Callable[..., RunningLab], find: Find
) -> None:
    tenant()
    found = await find(account(**said))
    assert not found.users
    (twice,) = found.ambiguous
    assert len(twice.candidates) == 2
    assert twice.candidates[0].id == ANN


async def test_an_entity_that_gives_one_person_several_names_is_that_person(
    tenant: Callable[..., RunningLab], find: Find
) -> None:
    tenant()
    everything = {"upn": "ann.maiden@contoso.com", "name": "a.example", "suffix": "contoso.com", "sid": cloud_sid(ANN)}
    assert ids(await find(account(object_id=ANN, mail="ann.example@contoso.com", **everything))) == [ANN]
