"""The Graph client on the wire: what it sends, what counts as an answer, and which error each failure becomes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
import respx
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from respond.clients.graph import Graph
from respond.clients.graph_holdings import shown
from respond.errors import (
    Forbidden,
    NotFound,
    NotTheService,
    Permanent,
    RespondError,
    TokenRefused,
    Transient,
    Unanswered,
    Unauthenticated,
)
from respond.models.evidence import AccountKind
from respond.settings import Retry

GRAPH = "https://graph.microsoft.com"
USER_ID = "7d1f0a52-6d0e-4c1c-9b54-0f5a1c0e7a11"
USER = {
    "@odata.context": f"{GRAPH}/v1.0/$metadata#users/$entity",
    "id": USER_ID,
    "userPrincipalName": "target.user@contoso.com",
    "displayName": "Target User",
    "mail": None,
    "userType": "Member",
    "accountEnabled": True,
    "onPremisesSyncEnabled": None,
    "signInSessionsValidFromDateTime": "2026-01-15T09:26:00Z",
}
SELECTED = {
    "id",
    "userPrincipalName",
    "displayName",
    "mail",
    "userType",
    "accountEnabled",
    "onPremisesSyncEnabled",
    "signInSessionsValidFromDateTime",
}


class Credential:
    """An identity that has its token, or fails to get one."""

    def __init__(self, failure: Exception | None = None) -> None:
        self._failure = failure
        self.scopes: list[str] = []

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.scopes += scopes
        if self._failure:
            raise self._failure
        return AccessToken("token-of-the-test", int(time.time()) + 3600)


@asynccontextmanager
async def client(credential: Any = None, endpoint: str = GRAPH) -> AsyncIterator[Graph]:
    quick = {"attempts": 3, "first_wait": "1ms", "longest_wait": "2ms", "read_budget": "3s", "write_budget": "3s"}
    identity: Any = credential or Credential()
    graph = Graph(identity, endpoint, check=lambda *_: None, retry=Retry.model_validate(quick))
    yield graph
    await graph.close()


async def revoke(graph: Graph, user: str) -> None:
    """A write: it is looked into when its answer is lost, never repeated."""
    await graph.holdings.send(graph.holdings.revoke(user), about=f"user {user}")


@pytest.fixture
def service() -> Iterator[respx.Route]:
    """Stands in for Microsoft Graph below our own transport: respx replaces the connections of httpcore."""
    with respx.mock(base_url=GRAPH, assert_all_called=False) as mock:
        yield mock.route()


def failure(status: int, **headers: str) -> httpx.Response:
    body = {"error": {"code": "TheCode", "message": "the reason"}}
    return httpx.Response(status, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def sent(service: respx.Route) -> httpx.Request:
    (call,) = service.calls
    request: httpx.Request = call.request
    return request


async def test_asks_for_one_user_and_only_for_what_is_needed(service: respx.Route) -> None:
    service.respond(json=USER)
    async with client() as graph:
        account = await graph.account("target.user@contoso.com")
    request = sent(service)
    assert request.method == "GET"
    assert unquote(request.url.path) == "/v1.0/users/target.user@contoso.com"
    assert set(request.url.params) == {"$select"}
    assert set(request.url.params["$select"].split(",")) == SELECTED
    assert request.headers["Authorization"] == "Bearer token-of-the-test"
    assert (account.id, account.upn, account.mail) == (USER_ID, "target.user@contoso.com", "")
    assert (account.kind, account.enabled, account.synced) == (AccountKind.MEMBER, True, False)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-15T09:26:00Z", datetime(2026, 1, 15, 9, 26, tzinfo=UTC)),
        ("2026-01-15T09:26:00.1234567Z", datetime(2026, 1, 15, 9, 26, 0, 123456, tzinfo=UTC)),
        ("2026-01-15T10:26:00+01:00", datetime(2026, 1, 15, 9, 26, tzinfo=UTC)),
        (None, None),
    ],
)
async def test_the_cut_off_is_an_aware_utc_time(
    text: str | None, moment: datetime | None, service: respx.Route
) -> None:
    service.respond(json=USER | {"signInSessionsValidFromDateTime": text})
    async with client() as graph:
        valid_from = (await graph.account(USER_ID)).sessions_valid_from
    assert valid_from == moment
    assert valid_from is None or valid_from.tzinfo is UTC


async def test_users_are_asked_for_by_address_with_quotes_doubled(service: respx.Route) -> None:
    service.respond(json={"value": [USER]})
    async with client() as graph:
        (account,) = await graph.users_by_mail("o'brien@contoso.com")
    request = sent(service)
    assert request.url.path == "/v1.0/users"
    assert request.url.params["$filter"] == (
        "mail eq 'o''brien@contoso.com' or proxyAddresses/any(p:p eq 'smtp:o''brien@contoso.com')"
        " or proxyAddresses/any(p:p eq 'SMTP:o''brien@contoso.com')"
    )
    assert set(request.url.params["$select"].split(",")) == SELECTED
    assert account.id == USER_ID


async def test_users_are_asked_for_by_sid_on_every_page(service: respx.Route) -> None:
    more = f"{GRAPH}/v1.0/users?$skiptoken=next"
    pages = ({"value": [], "@odata.nextLink": more}, {"value": [USER]})
    service.side_effect = [httpx.Response(200, json=page) for page in pages]
    async with client() as graph:
        (account,) = await graph.users_by_sid("S-1-5-21-1-2-3-4")
    first, second = (call.request.url for call in service.calls)
    assert first.params["$filter"] == "onPremisesSecurityIdentifier eq 'S-1-5-21-1-2-3-4'"
    assert str(second) == more
    assert account.id == USER_ID


async def test_a_name_that_begins_with_a_dollar_sign_is_no_part_of_the_path(service: respx.Route) -> None:
    service.side_effect = [httpx.Response(200, json={"value": found}) for found in ([USER], [])]
    async with client() as graph:
        assert (await graph.account("$a@contoso.com")).id == USER_ID
        with pytest.raises(NotFound):
            await graph.account("$a@contoso.com")
    assert service.calls[0].request.url.path == "/v1.0/users"
    assert service.calls[0].request.url.params["$filter"] == "userPrincipalName eq '$a@contoso.com'"


async def test_a_guest_and_a_synced_account_are_known_as_such(service: respx.Route) -> None:
    service.respond(json=USER | {"userType": "Guest", "onPremisesSyncEnabled": True, "accountEnabled": False})
    async with client() as graph:
        account = await graph.account(USER_ID)
    assert (account.kind, account.enabled, account.synced) == (AccountKind.GUEST, False, True)


@pytest.mark.parametrize("endpoint", [GRAPH, f"{GRAPH}/", f"{GRAPH}/v1.0", f"{GRAPH}/v1.0/"])
async def test_the_endpoint_may_carry_its_version(endpoint: str, service: respx.Route) -> None:
    service.respond(json=USER)
    credential = Credential()
    async with client(credential, endpoint) as graph:
        await graph.account(USER_ID)
        assert shown(graph.holdings.revoke(USER_ID)).url == f"{GRAPH}/v1.0/users/{USER_ID}/revokeSignInSessions"
    assert sent(service).url.path == f"/v1.0/users/{USER_ID}"
    assert credential.scopes == [f"{GRAPH}/.default"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(
    key=st.text("aZ9'#/$?%&=.@ +;\\\u00e9", min_size=1, max_size=12).filter(
        lambda key: key.strip(".") and key[0] != "$"
    )
)
async def test_nothing_in_a_name_changes_the_path(key: str, service: respx.Route) -> None:
    service.reset()
    service.respond(json=USER)
    async with client() as graph:
        await graph.account(key)
        await revoke(graph, key)
    read, write = (call.request for call in service.calls)
    path, _, query = read.url.raw_path.decode().partition("?")
    assert path.split("/")[:3] == ["", "v1.0", "users"]
    assert [unquote(part) for part in path.split("/")[3:]] == [key]
    assert query.startswith("$select=id,")
    parts = write.url.raw_path.decode().split("/")
    assert [unquote(part) for part in parts[3:]] == [key, "revokeSignInSessions"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(httpx.Response(204), id="204"),
        pytest.param(httpx.Response(200), id="200 and nothing"),
        pytest.param(httpx.Response(202), id="202 and nothing"),
        pytest.param(httpx.Response(200, json={"@odata.context": "x", "value": True}), id="200 true"),
        pytest.param(httpx.Response(200, json={"value": False}), id="200 false"),
        pytest.param(httpx.Response(200, headers={"Content-Type": "application/json"}), id="200 and empty JSON"),
    ],
)
async def test_any_2xx_answers_a_revocation(answer: httpx.Response, service: respx.Route) -> None:
    service.return_value = answer
    async with client() as graph:
        await revoke(graph, USER_ID)
    request = sent(service)
    assert (request.method, request.url.path) == ("POST", f"/v1.0/users/{USER_ID}/revokeSignInSessions")
    assert request.url.query == b""
    assert request.content == b""
    assert request.headers["Authorization"] == "Bearer token-of-the-test"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Permanent),
        (401, TokenRefused),
        (403, Forbidden),
        (404, NotFound),
        (302, NotTheService),
    ],
)
@pytest.mark.parametrize("is_write", [False, True])
async def test_a_refusal_is_named_and_not_repeated(
    status: int, kind: type[RespondError], is_write: bool, service: respx.Route
) -> None:
    service.return_value = failure(status)
    async with client() as graph:
        with pytest.raises(kind) as caught:
            await (revoke(graph, USER_ID) if is_write else graph.account(USER_ID))
    assert service.call_count == 1
    assert type(caught.value) is kind
    assert USER_ID in caught.value.message
    assert str(status) in caught.value.message


async def test_the_reason_that_graph_gives_is_told(service: respx.Route) -> None:
    service.return_value = failure(403)
    async with client() as graph:
        with pytest.raises(Forbidden, match="403 TheCode: the reason"):
            await graph.account(USER_ID)


@pytest.mark.parametrize("status", [408, 429, 503])
@pytest.mark.parametrize("is_write", [False, True])
async def test_a_throttled_request_waits_as_told_and_is_sent_again(
    status: int, is_write: bool, service: respx.Route
) -> None:
    service.side_effect = [failure(status, Retry_After="0.2"), httpx.Response(200, json=USER)]
    started = time.monotonic()
    async with client() as graph:
        await (revoke(graph, USER_ID) if is_write else graph.account(USER_ID))
    assert time.monotonic() - started >= 0.2
    assert service.call_count == 2


async def test_a_wait_beyond_the_budget_is_not_waited_for(service: respx.Route) -> None:
    service.return_value = failure(429, Retry_After="300")
    async with client() as graph:
        with pytest.raises(Transient) as caught:
            await revoke(graph, USER_ID)
    assert caught.value.retry_after == 300
    assert service.call_count == 1


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_a_revocation_that_may_have_happened_is_not_sent_again(status: int, service: respx.Route) -> None:
    service.return_value = failure(status)
    async with client() as graph:
        with pytest.raises(Unanswered):
            await revoke(graph, USER_ID)
    assert service.call_count == 1


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_a_read_that_failed_is_sent_again(status: int, service: respx.Route) -> None:
    service.side_effect = [failure(status), httpx.Response(200, json=USER)]
    async with client() as graph:
        assert (await graph.account(USER_ID)).id == USER_ID


@pytest.mark.parametrize("lost", [httpx.ReadTimeout, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError])
async def test_a_lost_answer_is_told_from_a_refusal(lost: type[httpx.TransportError], service: respx.Route) -> None:
    service.side_effect = lost("x")
    async with client() as graph:
        with pytest.raises(Unanswered, match=lost.__name__):
            await revoke(graph, USER_ID)
        assert service.call_count == 1
        with pytest.raises(Unanswered):
            await graph.account(USER_ID)
        assert service.call_count == 1 + 3


@pytest.mark.parametrize("kind", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
async def test_what_never_left_is_sent_again_also_when_it_writes(
    kind: type[httpx.TransportError], service: respx.Route
) -> None:
    service.side_effect = [kind("x"), httpx.Response(204)]
    async with client() as graph:
        await revoke(graph, USER_ID)
    assert service.call_count == 2


@pytest.mark.parametrize("is_write", [False, True])
@pytest.mark.parametrize(
    "body",
    [
        {"content": b"<html>Bad Gateway</html>", "headers": {"Content-Type": "text/html"}},
        {"content": b"{", "headers": {"Content-Type": "application/json"}},
        {"content": b""},
    ],
    ids=["a page", "broken JSON", "nothing"],
)
async def test_an_error_is_known_by_its_status_whatever_its_body(
    body: dict[str, Any], is_write: bool, service: respx.Route
) -> None:
    async with client() as graph:
        for status, kind in ((403, Forbidden), (404, Permanent), (502, Unanswered), (503, Transient)):
            service.return_value = httpx.Response(status, **body)
            with pytest.raises(kind):
                await (revoke(graph, USER_ID) if is_write else graph.account(USER_ID))


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(httpx.Response(200, html="<html>sign in to the network</html>"), id="a page"),
        pytest.param(
            httpx.Response(200, content=b'{"id": "7d1f', headers={"Content-Type": "application/json"}), id="cut off"
        ),
        pytest.param(httpx.Response(200, json={}), id="no user"),
        pytest.param(httpx.Response(204), id="nothing"),
    ],
)
async def test_an_answer_without_a_user_is_an_error_of_our_tree(answer: httpx.Response, service: respx.Route) -> None:
    service.return_value = answer
    async with client() as graph:
        with pytest.raises(RespondError):
            await graph.account(USER_ID)


async def test_an_identity_that_gets_no_token_is_an_error_of_our_tree(service: respx.Route) -> None:
    service.respond(json=USER)
    refused = ClientAuthenticationError("AADSTS7000215: Invalid client secret provided.")
    async with client(Credential(refused)) as graph:
        with pytest.raises(Unauthenticated, match="AADSTS7000215"):
            await graph.account(USER_ID)
    assert service.call_count == 0


async def test_a_redirect_is_not_followed_with_the_token() -> None:
    with respx.mock(assert_all_called=False) as mock:
        mock.get(url__startswith=GRAPH).respond(302, headers={"Location": "https://evil.example/v1.0/users/x"})
        elsewhere = mock.route(host="evil.example").respond(json=USER)
        async with client() as graph:
            with pytest.raises(RespondError):
                await graph.account(USER_ID)
    assert not elsewhere.called
