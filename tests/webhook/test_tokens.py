"""Whose token is taken: of an application of the tenant, for us, valid now, and allowed."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import respx
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from respond.lab import scenario
from respond.lab.constants import CLIENT_ID, TENANT_ID
from respond.settings import Settings, Tenant, Webhook
from respond.webhook.callers import Caller, How
from respond.webhook.problems import NotAllowed, Problem, Unauthorized
from respond.webhook.tenant_keys import TenantKeys
from respond.webhook.tokens import TokenCheck, audiences, issuers, keys_url
from tests.lab.running_lab import HTTP, RunningLab, starting
from tests.lab.running_lab import token as lab_token
from tests.webhook.refusals import check_silence, refused
from tests.webhook.signing import (
    APPLICATION,
    AUDIENCE,
    CALLER,
    KEYS_URL,
    ROLE,
    TENANT,
    V1,
    V2,
    claims,
    jwk,
    private_key,
    public_pem,
    settings,
    token,
)

LAB_CALLER = str(uuid.uuid5(uuid.NAMESPACE_OID, CLIENT_ID))

StartLab = Callable[..., RunningLab]


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def entra() -> Iterator[respx.Route]:
    """The key set of the made-up tenant, answered; the route counts and can be changed."""
    with respx.mock(assert_all_called=False) as router:
        yield router.get(KEYS_URL).respond(json={"keys": [jwk()]})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def check(entra: respx.Route, clock: Clock) -> TokenCheck:
    del entra
    return TokenCheck(settings(), TenantKeys(KEYS_URL, clock=clock))


async def refusal(check: TokenCheck, bearer: str) -> Problem:
    return await refused(check.check(f"Bearer {bearer}"), bearer)


def in_lab(**webhook: Any) -> Settings:
    return Settings(webhook=Webhook(**{"audience": AUDIENCE, "app_role": "", "callers": (LAB_CALLER,), **webhook}))


# with the lab's tokens and its real keys


@pytest.mark.parametrize("audience", [AUDIENCE, APPLICATION])
@pytest.mark.parametrize("scope", [AUDIENCE, APPLICATION])
async def test_a_listed_identity_is_admitted_with_a_token_of_either_version(
    lab: StartLab, audience: str, scope: str
) -> None:
    url = lab().url
    check = TokenCheck.of(in_lab(audience=audience, callers=(LAB_CALLER.upper(),)), url)
    caller = await check.check(f"bearer {lab_token(url, f'{scope}/.default')}")
    assert caller == Caller(id=LAB_CALLER, how=How.OBJECT_ID)


async def test_an_identity_with_the_app_role_is_admitted_and_one_with_another_is_not(lab: StartLab) -> None:
    url = lab(app_roles={CLIENT_ID: [ROLE]}).url
    bearer = lab_token(url, f"{AUDIENCE}/.default")
    check = TokenCheck.of(in_lab(callers=(), app_role=ROLE), url)
    assert await check.check(f"Bearer {bearer}") == Caller(id=LAB_CALLER, how=How.APP_ROLE)
    problem = await refusal(TokenCheck.of(in_lab(callers=(), app_role="Incidents.Read"), url), bearer)
    assert isinstance(problem, NotAllowed)
    assert LAB_CALLER in problem.line


async def test_a_valid_token_alone_is_not_enough(lab: StartLab) -> None:
    url = lab().url
    check = TokenCheck.of(in_lab(callers=(CALLER,), app_role=ROLE), url)
    assert (await refusal(check, lab_token(url, f"{AUDIENCE}/.default"))).status == 403


async def test_a_token_for_another_application_is_refused_and_the_log_says_for_which(lab: StartLab) -> None:
    url = lab().url
    check = TokenCheck.of(in_lab(), url)
    problem = await refusal(check, lab_token(url, "api://contoso.com/other/.default"))
    assert problem.status == 401
    assert "api://contoso.com/other" in problem.line
    assert "api://contoso.com/other" not in problem.detail


@pytest.mark.parametrize("service", ["https://graph.microsoft.com", "https://management.azure.com"])
async def test_a_token_for_a_service_of_microsoft_is_refused(lab: StartLab, service: str) -> None:
    url = lab().url
    assert (await refusal(TokenCheck.of(in_lab(), url), lab_token(url, f"{service}/.default"))).status == 401


async def test_a_rotated_key_is_learnt_and_the_last_one_still_serves(lab: StartLab, clock: Clock) -> None:
    running_lab = lab()
    check = TokenCheck(in_lab(), TenantKeys(keys_url(in_lab(), running_lab.url), clock=clock))
    old = lab_token(running_lab.url, f"{AUDIENCE}/.default")
    await check.check(f"Bearer {old}")
    HTTP.post(f"{running_lab.url}/_lab/rotate-keys")
    clock.now += 31
    new = lab_token(running_lab.url, f"{AUDIENCE}/.default")
    for bearer in (new, old):
        assert (await check.check(f"Bearer {bearer}")).id == LAB_CALLER

    HTTP.post(f"{running_lab.url}/_lab/rotate-keys")
    clock.now += 3601
    assert (await check.check(f"Bearer {new}")).id == LAB_CALLER
    assert (await refusal(check, old)).status == 401


async def test_known_keys_serve_while_the_tenant_is_unreachable_but_not_for_ever(tmp_path: Path, clock: Clock) -> None:
    with starting(scenario.find("seed-true-positive"), tmp_path) as lab:
        check = TokenCheck(in_lab(), TenantKeys(keys_url(in_lab(), lab.url), clock=clock))
        bearer = lab_token(lab.url, f"{AUDIENCE}/.default")
        await check.check(f"Bearer {bearer}")
    clock.now += 2 * 3600
    assert (await check.check(f"Bearer {bearer}")).id == LAB_CALLER
    clock.now += 23 * 3600
    problem = await refusal(check, bearer)
    assert (problem.status, problem.headers["Retry-After"]) == (503, "30")


# with tokens made by hand


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"iss": V2, "aud": APPLICATION, "ver": "2.0"},
        {"idtyp": None},
        {"tid": TENANT.upper()},
        {"oid": CALLER.upper()},
        {"exp": -timedelta(seconds=30)},
        {"nbf": timedelta(seconds=30), "iat": timedelta(seconds=30)},
        {"aud": ["https://example.com", AUDIENCE]},
    ],
)
async def test_what_entra_may_send_is_taken(check: TokenCheck, changes: dict[str, Any]) -> None:
    assert (await check.check(f"Bearer {token(**changes)}")).id == CALLER


LONG_AGO, SOON = timedelta(seconds=-90), timedelta(seconds=90)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"aud": "https://management.azure.com"}, "another audience"),
        ({"aud": AUDIENCE + "/"}, "another audience"),
        ({"aud": AUDIENCE[:-1]}, "another audience"),
        ({"aud": None}, "lacks a claim"),
        ({"aud": 7}, "malformed|another audience"),
        ({"iss": "https://sts.windows.net/5a5a5a5a-0000-4000-8000-000000000002/"}, "somebody else"),
        ({"iss": V1.rstrip("/")}, "somebody else"),
        ({"iss": None}, "lacks a claim"),
        ({"tid": "5a5a5a5a-0000-4000-8000-000000000002"}, "another tenant"),
        ({"tid": None}, "lacks a claim"),
        ({"exp": LONG_AGO}, "expired"),
        ({"exp": None}, "lacks a claim"),
        ({"exp": "soon"}, "malformed"),
        ({"exp": float("inf")}, "malformed"),
        ({"nbf": SOON}, "not valid yet"),
        ({"nbf": None}, "lacks a claim"),
        ({"iat": SOON}, "not valid yet"),
        ({"iat": None}, "lacks a claim"),
        ({"oid": None, "sub": CALLER}, "lacks a claim"),
        ({"oid": "nobody"}, "names no identity"),
        ({"oid": ["x"], "sub": CALLER}, "names no identity"),
        ({"sub": None}, "lacks a claim"),
        ({"scp": "user_impersonation", "idtyp": "user"}, "a user's"),
        ({"scp": "user_impersonation", "idtyp": None}, "a user's"),
        ({"scp": "", "idtyp": "app"}, "a user's"),
        ({"idtyp": "user"}, "a user's"),
        ({"idtyp": None, "sub": "pairwise", "aud": APPLICATION, "iss": V2, "roles": [ROLE]}, "a user's"),
    ],
)
async def test_a_token_that_is_wrong_is_refused(check: TokenCheck, changes: dict[str, Any], reason: str) -> None:
    problem = await refusal(check, token(**changes))
    assert isinstance(problem, Unauthorized)
    assert problem.headers["WWW-Authenticate"].startswith('Bearer realm="respond", error="invalid_token"')
    assert any(part in problem.line for part in reason.split("|"))


@pytest.mark.parametrize("off", [timedelta(hours=-30), timedelta(hours=30)], ids=["slow", "fast"])
async def test_a_token_is_checked_by_the_services_time(entra: respx.Route, off: timedelta) -> None:
    """The clock of this machine is off; the token is of the services' present."""
    del entra
    check = TokenCheck(settings(), TenantKeys(KEYS_URL), now=lambda: datetime.now(UTC) - off)
    lived: dict[str, Any] = {
        "iat": -off - timedelta(minutes=5),
        "nbf": -off - timedelta(minutes=5),
        "exp": -off + timedelta(minutes=5),
    }
    assert (await check.check(f"Bearer {token(**lived)}")).how is How.OBJECT_ID
    await refusal(check, token())


@pytest.mark.parametrize("roles", [None, [], ["Incidents.Read"], ROLE, {ROLE: 1}, [[ROLE]], [ROLE.lower()]])
async def test_who_is_not_listed_needs_the_very_role(check: TokenCheck, roles: object) -> None:
    other = "5a5a5a5a-0000-4000-8000-00000000beef"
    problem = await refusal(check, token(oid=other, roles=roles))
    assert problem.status == 403
    assert other in problem.line
    assert (await check.check(f"Bearer {token(oid=other, roles=['Incidents.Read', ROLE])}")).how is How.APP_ROLE


async def test_an_empty_app_role_admits_nobody(entra: respx.Route) -> None:
    del entra
    check = TokenCheck(settings(app_role=""), TenantKeys(KEYS_URL))
    assert (await refusal(check, token(oid="5a5a5a5a-0000-4000-8000-00000000beef", roles=[""]))).status == 403


async def test_a_token_longer_than_any_that_entra_issues_is_refused_unread(
    check: TokenCheck, entra: respx.Route
) -> None:
    problem = await refusal(check, token(padding="x" * 16 * 1024))
    assert (problem.status, problem.detail) == (401, "the token is too long")
    assert entra.call_count == 0
    assert (await check.check(f"Bearer {token(padding='x' * 8 * 1024)}")).id == CALLER


def encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def hs256(key: bytes, **header: Any) -> str:
    import hashlib
    import hmac

    text = f"{encoded({'alg': 'HS256', 'typ': 'JWT', 'kid': 'k1', **header})}.{encoded(claims())}"
    mac = hmac.new(key, text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def altered(bearer: str) -> str:
    head, _, signature = bearer.split(".")
    return f"{head}.{encoded(claims(roles=['Other']))}.{signature}"


FORGED = {
    "alg none": f"{encoded({'alg': 'none', 'kid': 'k1'})}.{encoded(claims())}.",
    "alg None": f"{encoded({'alg': 'None', 'kid': 'k1'})}.{encoded(claims())}.",
    "alg missing": f"{encoded({'kid': 'k1'})}.{encoded(claims())}.AAAA",
    "alg a list": f"{encoded({'alg': ['RS256'], 'kid': 'k1'})}.{encoded(claims())}.AAAA",
    "HS256 with the public key": hs256(public_pem()),
    "HS256 with the public key, called RS256": hs256(public_pem(), alg="RS256"),
    "PS256": jwt.encode(claims(), private_key(), "PS256", headers={"kid": "k1"}),
    "RS512": jwt.encode(claims(), private_key(), "RS512", headers={"kid": "k1"}),
    "another key under our id": token(signed_by="k2"),
    "a key that it brings itself": jwt.encode(
        claims(), private_key("k2"), "RS256", headers={"kid": "k2", "jwk": jwk("k2"), "jku": "https://example.com"}
    ),
    "no key id": jwt.encode(claims(), private_key(), "RS256"),
    "key id a number": f"{encoded({'alg': 'RS256', 'kid': 1})}.{encoded(claims())}.AAAA",
    "claims changed": altered(token()),
    "signature cut off": token().rpartition(".")[0] + ".",
    "unknown crit": jwt.encode(claims(), private_key(), "RS256", headers={"kid": "k1", "crit": ["x"], "x": 1}),
    "header nested": f"{base64.urlsafe_b64encode(b'[' * 9000).rstrip(b'=').decode()}.{encoded(claims())}.AAAA",
    "header no object": f"{encoded([1])}.{encoded(claims())}.AAAA",
    "claims no object": jwt.api_jws.encode(b"[1]", private_key(), "RS256", headers={"kid": "k1"}),
    "long": "a" * 20_000,
    "five parts": "aaaaaaaa.bbbbbbbb.cccccccc.dddddddd.eeeeeeee",
    "garbage": "garbage-garbage",
}


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_token_is_refused(check: TokenCheck, name: str) -> None:
    assert (await refusal(check, FORGED[name])).status == 401


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer  ", "Basic dXNlcjpwYXNzd29yZA==", "bearer\ttoken"])
async def test_another_kind_of_authorization_is_asked_for_a_token(check: TokenCheck, header: str) -> None:
    problem = await refused(check.check(header), header[6:])
    assert (problem.status, problem.headers["WWW-Authenticate"]) == (401, 'Bearer realm="respond"')


@examples(deadline=None)
@given(text=st.text() | st.binary().map(lambda raw: raw.decode("latin-1")) | st.from_regex(r"[\w-]*\.[\w-]*\.[\w-]*"))
def test_whatever_stands_in_the_header_is_refused_and_never_shown(text: str) -> None:
    check = TokenCheck(settings(), TenantKeys("http://127.0.0.1:9/unused"))
    with pytest.raises(Unauthorized) as caught:
        asyncio.run(check.check(f"Bearer {text}"))
    check_silence(caught.value, text)


# the keys


async def test_made_up_key_ids_cause_one_request_in_thirty_seconds(
    check: TokenCheck, entra: respx.Route, clock: Clock
) -> None:
    for number in range(50):
        assert (await refusal(check, token(kid=f"unknown-{number}", signed_by="k2"))).status == 401
    assert entra.call_count == 1
    await check.check(f"Bearer {token()}")
    clock.now += 31
    await refusal(check, token(kid="unknown", signed_by="k2"))
    assert entra.call_count == 2


async def test_senders_at_once_share_one_request_and_one_that_goes_away_takes_nothing_along(
    check: TokenCheck, entra: respx.Route
) -> None:
    asked = asyncio.Event()

    async def slow(_: httpx.Request) -> httpx.Response:
        asked.set()
        await asyncio.sleep(0.05)
        return httpx.Response(200, json={"keys": [jwk()]})

    entra.mock(side_effect=slow)
    first = asyncio.create_task(check.check(f"Bearer {token()}"))
    await asked.wait()
    first.cancel()
    callers = await asyncio.gather(*(check.check(f"Bearer {token()}") for _ in range(20)))
    assert {caller.id for caller in callers} == {CALLER}
    assert first.cancelled()
    assert entra.call_count == 1


async def test_keys_are_fetched_again_after_an_hour(check: TokenCheck, entra: respx.Route, clock: Clock) -> None:
    for wait, fetched in ((0, 1), (3599, 1), (2, 2)):
        clock.now += wait
        await check.check(f"Bearer {token()}")
        assert entra.call_count == fetched
    entra.respond(json={"keys": [jwk("k2")]})
    clock.now += 3601
    assert (await refusal(check, token())).status == 401


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(302, headers={"Location": "https://example.com"}),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, content=b"\xff"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"keys": "k1"}),
        httpx.Response(200, json={"keys": []}),
        httpx.Response(
            200, json={"keys": [7, {}, {"kty": "RSA", "kid": "k1"}, {"kty": "oct", "kid": "k1", "k": "AA"}]}
        ),
        httpx.Response(200, json={"keys": [jwk() | {"use": "enc"}]}),
        httpx.Response(200, json={"keys": [jwk() | {"kid": None}]}),
        httpx.Response(200, json={"keys": [jwk("short", 1024) | {"kid": "k1"}]}),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
    ],
    ids=str,
)
async def test_without_keys_the_sender_is_asked_to_come_again_and_the_log_says_why_once(
    check: TokenCheck, entra: respx.Route, clock: Clock, caplog: pytest.LogCaptureFixture, answer: Any
) -> None:
    entra.mock(**({"side_effect": answer} if isinstance(answer, Exception) else {"return_value": answer}))
    bearer = token()
    for wait in ("30", "25", "20"):
        problem = await refusal(check, bearer)
        assert (problem.status, problem.headers["Retry-After"]) == (503, wait)
        clock.now += 5
    assert entra.call_count == 1
    (record,) = caplog.records
    assert KEYS_URL in record.getMessage()
    assert bearer not in caplog.text

    clock.now += 30
    entra.mock(return_value=httpx.Response(200, json={"keys": [jwk()]}), side_effect=None)
    assert (await check.check(f"Bearer {bearer}")).id == CALLER


async def test_a_key_of_another_kind_does_not_hide_ours(check: TokenCheck, entra: respx.Route) -> None:
    entra.respond(json={"keys": [{"kty": "EC", "kid": "k0"}, jwk() | {"alg": "HS256"}, {"kty": "oct", "kid": "k1"}]})
    assert (await check.check(f"Bearer {token()}")).id == CALLER
    assert (await refusal(check, FORGED["HS256 with the public key"])).status == 401


# what the settings mean


def test_the_authority_says_where_the_keys_are_and_who_issues() -> None:
    cloud = Settings(tenant=Tenant(mode="azure", tenant_id=TENANT, authority="https://login.microsoftonline.us/"))  # type: ignore[arg-type]
    assert keys_url(cloud, None) == f"https://login.microsoftonline.us/{TENANT}/discovery/v2.0/keys"
    assert set(issuers(cloud)) == {V1, V2, f"https://login.microsoftonline.us/{TENANT}/v2.0"}
    assert keys_url(settings(), "http://127.0.0.1:1") == KEYS_URL
    assert keys_url(Settings(), "http://127.0.0.1:1") == f"http://127.0.0.1:1/{TENANT_ID}/discovery/v2.0/keys"


async def test_an_issuer_of_the_settings_is_taken_as_well(entra: respx.Route) -> None:
    del entra
    more = "https://sts.example.com/"
    check = TokenCheck(settings(issuers=(more,)), TenantKeys(KEYS_URL))
    for issuer in (more, V1, V2):
        assert (await check.check(f"Bearer {token(iss=issuer)}")).id == CALLER


@pytest.mark.parametrize(
    ("configured", "accepted"),
    [
        (AUDIENCE, {AUDIENCE, APPLICATION}),
        (APPLICATION.upper(), {APPLICATION.upper(), APPLICATION, AUDIENCE}),
        ("api://contoso.com/respond", {"api://contoso.com/respond"}),
    ],
)
def test_a_client_id_and_its_uri_are_one_audience(configured: str, accepted: set[str]) -> None:
    assert set(audiences(configured)) == accepted
