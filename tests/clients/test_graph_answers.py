"""What counts as an answer of Microsoft Graph: everything else is asked again, and is never an empty list or object."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
import respx

from respond.clients.graph import Graph
from respond.errors import Forbidden, NotFound, NotTheService, Permanent, Transient
from respond.models.signin import Risk
from respond.settings import Retry
from tests.helpers.identities import HasToken

GRAPH = "https://graph.microsoft.com"
ROOT = f"{GRAPH}/v1.0"
ID = "7d1f0a52-6d0e-4c1c-9b54-0f5a1c0e7a11"
QUICK = {"attempts": 2, "first_wait": "1ms", "longest_wait": "2ms", "read_budget": "3s", "write_budget": "3s"}
Ask = Callable[[Graph], Awaitable[Any]]

USER = {
    "id": ID,
    "userPrincipalName": "a@contoso.com",
    "accountEnabled": True,
    "signInSessionsValidFromDateTime": "2026-01-15T09:26:00Z",
}
DEVICE = {"@odata.type": "#microsoft.graph.device", "id": ID, "deviceId": ID, "accountEnabled": True}
METHOD = {"@odata.type": "#microsoft.graph.phoneAuthenticationMethod", "id": ID}
GRANT = {"id": "g", "clientId": ID, "resourceId": ID, "scope": "Mail.Read"}
RULE = {"id": "r", "displayName": "..", "isEnabled": True}
GROUP = {"@odata.type": "#microsoft.graph.group", "id": ID}
ROLE = {"@odata.type": "#microsoft.graph.directoryRole", "id": ID, "roleTemplateId": ID}
RISK = {"riskLevel": "high", "riskState": "atRisk"}

LISTS: dict[str, tuple[Ask, dict[str, Any], str]] = {
    "users": (lambda graph: graph.users_by_mail("a@contoso.com"), USER, "id"),
    "devices": (lambda graph: graph.holdings.devices(ID), DEVICE, "id"),
    "methods": (lambda graph: graph.holdings.methods(ID), METHOD, "@odata.type"),
    "consents": (lambda graph: graph.holdings.grants(ID), GRANT, "clientId"),
    "rules": (lambda graph: graph.holdings.rules(ID), RULE, "isEnabled"),
    "groups and roles": (lambda graph: graph.membership(ID), GROUP, "@odata.type"),
    "licences": (lambda graph: graph.tenant.plans(), {"servicePlans": []}, ""),
}
OBJECTS: dict[str, tuple[Ask, dict[str, Any], str]] = {
    "user": (lambda graph: graph.account(ID), USER, "signInSessionsValidFromDateTime"),
    "device": (lambda graph: graph.holdings.device(ID), DEVICE, "accountEnabled"),
    "consent": (lambda graph: graph.holdings.grant("g"), GRANT, "id"),
    "rule": (lambda graph: graph.holdings.rule(ID, "r"), RULE, "isEnabled"),
    "risk": (lambda graph: graph.risk(ID), RISK, "riskState"),
    "group": (lambda graph: graph.tenant.group(ID), GROUP, "id"),
}
BROKEN = {
    "an empty 200": httpx.Response(200, content=b""),
    "204": httpx.Response(204),
    "HTML": httpx.Response(200, html="<html>sign in to the guest network</html>"),
    "cut-off JSON": httpx.Response(200, content=b'{"value": [{"id": "7d', headers={"Content-Type": "application/json"}),
    "{}": httpx.Response(200, json={}),
    "[]": httpx.Response(200, json=[]),
    "null": httpx.Response(200, json=None),
    "a text": httpx.Response(200, json="value"),
    "another service's": httpx.Response(200, json={"tables": [], "result": []}),
}
BROKEN_LISTS = {
    "value null": {"value": None},
    "value an object": {"value": {}},
    "value a text": {"value": ""},
    "of nulls": {"value": [None]},
    "of texts": {"value": ["x"]},
}
FIRST = ("methods", "groups and roles", "user")
"""One of each kind for `make test`; the others are read by the same lines."""


def every(kinds: dict[str, Any]) -> list[Any]:
    """Their names; all but the first of a kind in `make soak` only."""
    return [pytest.param(name, marks=() if name in FIRST else pytest.mark.soak) for name in kinds]


WRONG_TYPES = {"of numbers": 5, "of lists": [], "of objects": {}}


@pytest.fixture
def service() -> Iterator[respx.Route]:
    """Stands in for Microsoft Graph below our own transport."""
    with respx.mock(base_url=GRAPH, assert_all_called=False) as mock:
        yield mock.route()


async def asked(ask: Ask) -> Any:
    graph = Graph(HasToken(), GRAPH, check=lambda *_: None, retry=Retry.model_validate(QUICK))
    try:
        return await ask(graph)
    finally:
        await graph.close()


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("name", every(LISTS | OBJECTS))
async def test_what_is_no_answer_is_no_list_and_no_object(
    name: str, answer: httpx.Response, service: respx.Route
) -> None:
    service.return_value = answer
    with pytest.raises(Transient, match="cannot be read"):
        await asked((LISTS | OBJECTS)[name][0])
    assert service.call_count >= QUICK["attempts"]  # type: ignore[operator]  # one list is two requests


@pytest.mark.parametrize("body", BROKEN_LISTS.values(), ids=BROKEN_LISTS)
@pytest.mark.parametrize("name", every(LISTS))
async def test_a_list_is_a_list_of_objects(name: str, body: Any, service: respx.Route) -> None:
    service.respond(json=body)
    with pytest.raises(Transient, match="cannot be read"):
        await asked(LISTS[name][0])


@pytest.mark.parametrize("name", every(LISTS))
async def test_an_empty_list_is_an_answer(name: str, service: respx.Route) -> None:
    service.respond(json={"value": []})
    found = await asked(LISTS[name][0])
    assert not (found.groups if name == "groups and roles" else found)


@pytest.mark.parametrize("name", [name for name, (_, _, needed) in LISTS.items() if needed])
async def test_a_list_with_an_object_that_lacks_what_is_needed_is_none(name: str, service: respx.Route) -> None:
    ask, whole, needed = LISTS[name]
    service.respond(json={"value": [whole, {key: value for key, value in whole.items() if key != needed}]})
    with pytest.raises(Transient, match=f"no {needed}"):
        await asked(ask)


@pytest.mark.parametrize("name", OBJECTS)
async def test_an_object_that_lacks_what_is_needed_is_no_answer(name: str, service: respx.Route) -> None:
    ask, whole, needed = OBJECTS[name]
    service.respond(json={key: value for key, value in whole.items() if key != needed})
    with pytest.raises(Transient, match=f"no {needed}"):
        await asked(ask)


@pytest.mark.parametrize("wrong", WRONG_TYPES.values(), ids=WRONG_TYPES)
@pytest.mark.parametrize("name", every(OBJECTS))
async def test_a_property_of_another_type_is_no_answer(name: str, wrong: Any, service: respx.Route) -> None:
    ask, whole, _ = OBJECTS[name]
    service.respond(json=dict.fromkeys(whole, wrong))
    with pytest.raises(Transient, match="cannot be read"):
        await asked(ask)


@pytest.mark.parametrize(
    "second",
    [*BROKEN.values(), *(httpx.Response(200, json=body) for body in BROKEN_LISTS.values()), httpx.Response(500)],
    ids=[*BROKEN, *BROKEN_LISTS, "500"],
)
@pytest.mark.parametrize("name", ["methods", "groups and roles"])
async def test_a_broken_second_page_is_not_the_end_of_the_list(
    name: str, second: httpx.Response, service: respx.Route
) -> None:
    ask, whole, _ = LISTS[name]
    first = httpx.Response(200, json={"value": [whole], "@odata.nextLink": f"{ROOT}/next?$skiptoken=x"})
    service.side_effect = [first, second] * 2
    with pytest.raises(Transient):
        await asked(ask)


@pytest.mark.parametrize(
    "link", [f"{ROOT}/users/again", "https://graph.example/v1.0/next", "next", 5], ids=["a circle", "away", "half", "5"]
)
async def test_a_link_to_no_page_of_the_list_is_no_answer(link: Any, service: respx.Route) -> None:
    service.respond(json={"value": [METHOD], "@odata.nextLink": link})
    with pytest.raises(Transient, match="nextLink"):
        await asked(LISTS["methods"][0])


async def test_a_role_that_the_application_may_not_read_is_not_taken_for_none(service: respx.Route) -> None:
    hidden = ROLE | {"roleTemplateId": None}
    service.respond(json={"value": [GROUP, hidden]})
    with pytest.raises(Forbidden, match=r"Directory\.Read\.All"):
        await asked(LISTS["groups and roles"][0])


async def test_a_user_who_was_never_at_risk_is_not_found_and_an_empty_answer_is_no_such_word(
    service: respx.Route,
) -> None:
    service.respond(404, json={"error": {"code": "ResourceNotFound", "message": "none"}})
    assert (await asked(OBJECTS["risk"][0])).risk is Risk.NONE
    service.return_value = httpx.Response(404, html="<html>no such page</html>")
    with pytest.raises(Permanent) as error:
        await asked(OBJECTS["risk"][0])
    assert not isinstance(error.value, NotFound)


@pytest.mark.parametrize("answer", [*BROKEN.values(), httpx.Response(200, text="0")], ids=[*BROKEN, "0"])
async def test_a_tenant_without_users_is_no_answer(answer: httpx.Response, service: respx.Route) -> None:
    service.return_value = answer
    with pytest.raises(Transient):
        await asked(lambda graph: graph.holdings.count_users())


BY_ID: dict[str, Ask] = {
    "a device": lambda graph: graph.added.device(ID),
    "an application": lambda graph: graph.added.application(ID),
    "a role assignment": lambda graph: graph.added.assignment(ID),
}


@pytest.mark.parametrize("name", BY_ID)
async def test_what_is_gone_is_gone_by_graphs_own_word(name: str, service: respx.Route) -> None:
    service.respond(404, json={"error": {"code": "Request_ResourceNotFound", "message": "none"}})
    assert await asked(BY_ID[name]) is None
    for page in (httpx.Response(404, html="<html>no such page</html>"), httpx.Response(404, json={"message": "no"})):
        service.return_value = page
        with pytest.raises(NotTheService):
            await asked(BY_ID[name])


async def test_applications_that_are_asked_for_at_once_are_each_asked_for_by_their_own_id(service: respx.Route) -> None:
    async def answer(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.01)  # the others ask meanwhile
        return httpx.Response(404, json={"error": {"code": "Request_ResourceNotFound", "message": "none"}})

    service.side_effect = answer
    names = [f"c000000{number}-0000-4000-8000-000000000001" for number in range(4)]

    async def both(graph: Graph) -> Any:
        return await asyncio.gather(*map(graph.added.application, names), *map(graph.added.device, names))

    assert await asked(both) == [None] * 8
    paths = Counter(call.request.url.path.removeprefix("/v1.0/") for call in service.calls)
    kinds = ("servicePrincipals(appId='{}')", "applications(appId='{}')", "devices(deviceId='{}')")
    assert {path: count for path, count in paths.items() if "(" in path} == {
        kind.format(name): 1 for kind in kinds for name in names
    }


@pytest.mark.parametrize("kind", ["application", "device"])
async def test_what_its_own_path_denies_is_gone_only_when_the_directory_denies_it_too(
    kind: str, service: respx.Route
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if "directoryObjects" in request.url.path:
            return httpx.Response(200, json={"id": ID})
        return httpx.Response(404, json={"error": {"code": "Request_ResourceNotFound", "message": "none"}})

    service.side_effect = answer
    with pytest.raises(Transient, match="the directory has it"):
        await asked(lambda graph: getattr(graph.added, kind)(ID))
