"""Every request that the product sends, on the wire, against Microsoft's own descriptions of its services.

Where they come from: `tests/contracts`. What is sent is what the lab received: all rungs, their undo, every read.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

import pytest

from actions.comment_incident import comment_incident
from actions.read_incident import read_incident
from actions.tag_incident import tag_incident
from respond.clients.connect import Clients
from respond.clients.graph_holdings import METHODS
from respond.clients.guard import is_read
from respond.errors import RespondError
from respond.models.ladder import Rung, Step
from respond.session import open_clients
from respond.settings import LAB_TENANT_ID, shipped_config
from tests.helpers.command import VICTIM, respond
from tests.helpers.dug_in_story import USER_ID, policy, write_story
from tests.helpers.incident_actions import INCIDENT, act, entry, seed_with_incident
from tests.lab.running_lab import RunningLab
from tests.playbooks.test_crash_ladder import EVERYTHING

if TYPE_CHECKING:
    from kiota_abstractions.request_information import RequestInformation

Lab = Callable[..., RunningLab]
CONTRACTS = Path(__file__).parents[1] / "contracts"
GRAPH: dict[str, Any] = json.loads((CONTRACTS / "graph.json").read_text())
AZURE: dict[str, Any] = json.loads((CONTRACTS / "azure.json").read_text())
ODD = "o'brien/..#x$y+z@contoso.com"
"""Characters that mean something in a path, a query or a filter."""

NOBODY = "00000000-0000-4000-8000-0000000000ff"
ADDED = re.compile(
    r"/(applications|servicePrincipals|directoryObjects|roleManagement)\b|/devices\(|DELETE /devices/"
    r"|GET /oauth2PermissionGrants$"
)
"""Operations on what an attacker added beside the user's own things."""


def sent(tenant: RunningLab) -> list[dict[str, Any]]:
    return [one for one in tenant.get("/_lab/requests") if "/oauth2/" not in one["path"] and one["status"] != 0]


def asked(call: Callable[[Clients], Awaitable[object]]) -> None:
    """Ask with clients that can only read; what it is answered is of no matter."""

    async def once() -> None:
        async with open_clients(shipped_config()) as clients:
            try:
                await call(clients)
            except RespondError:
                return

    asyncio.run(once())


def operation(request: dict[str, Any], known: dict[str, Any], base: str) -> str:
    """The operation that a request is; the template with the most fixed parts wins, as `$count` does over an id."""
    path = request["target"].partition("?")[0]
    assert path.startswith(base), request["target"]
    told = f"{request['method']} {path.removeprefix(base)}"
    matching = [name for name in known if re.fullmatch(_form(name), told)]
    assert matching, f"no operation of Microsoft's is {told}"
    return min(matching, key=lambda name: name.count("{"))


def _form(name: str) -> str:
    return "".join("[^/?]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[^}]*\})", name))


def options(request: dict[str, Any]) -> dict[str, str]:
    pairs = (
        parse_qsl(request["target"].partition("?")[2], keep_blank_values=True, strict_parsing=True)
        if "?" in request["target"]
        else []
    )
    assert len(pairs) == len(dict(pairs)), request["target"]
    return dict(pairs)


def check_graph(request: dict[str, Any]) -> str:
    """That one request is as Graph's description has it; which operation it is."""
    name = operation(request, GRAPH["operations"], "/v1.0")
    known, query = GRAPH["operations"][name], options(request)
    assert set(query) <= set(known["query"]), request["target"]
    assert set(query.get("$select", "id").split(",")) <= set(GRAPH["user"]), request["target"]
    filters = re.sub(r"'(''|[^'])*'", "", query.get("$filter", ""))
    words = set(re.findall(r"[A-Za-z][\w.]*", filters)) - {"eq", "or", "in", "any", "p", "mail"}
    words -= {"clientId", "principalId"}  # of a grant and of a role assignment
    assert words <= set(GRAPH["user"]), filters
    assert set(request["names"]) <= set(known["body"]), (name, request["names"])
    if known["body"] and request["method"] in ("POST", "PATCH"):
        assert request["names"], name
        assert request["headers"]["content-type"] == "application/json"
    else:
        assert not request["has_body"], name
    return name


def check_azure(request: dict[str, Any]) -> str:
    """The same for Azure Resource Manager."""
    prefix = re.compile(_form(AZURE["incidents"]), re.IGNORECASE)
    path = request["target"].partition("?")[0]
    base = prefix.match(path)
    assert base, request["target"]
    name = operation(request, AZURE["operations"], base[0])
    known = AZURE["operations"][name]
    assert options(request) == {"api-version": AZURE["api_version"]}
    assert set(request["names"]) <= set(known["body"]), name
    assert bool(request["names"]) == (request["method"] == "PUT")
    if name == "PUT /{incidentId}":
        written = set(request["names"]["properties"])
        assert set(AZURE["incident"]["required"]) <= written <= set(AZURE["incident"]["properties"])
    return name


def check_query(request: dict[str, Any]) -> str:
    """The same for a query, its headers included."""
    queries: dict[str, Any] = AZURE["queries"]
    (name,) = queries
    assert re.fullmatch(_form(name), f"{request['method']} {request['target']}"), request["target"]
    assert "query" in request["names"]
    given = {key for key in request["names"] if key != "workspaces"}
    assert given <= set(queries[name]["body"]), request["names"]
    assert request["headers"]["content-type"].startswith("application/json")
    assert re.fullmatch(r"wait=\d+", request["headers"]["prefer"])
    return name


def check_discovery(request: dict[str, Any]) -> str:
    """OpenID Connect's discovery document of the tenant, asked for the time alone: no token is sent."""
    name = f"{request['method']} {request['target']}"
    assert name == f"GET /{LAB_TENANT_ID}/v2.0/.well-known/openid-configuration"
    assert not request["has_body"]
    assert "authorization" not in {key.lower() for key in request["headers"]}
    return name


def check(request: dict[str, Any]) -> str:
    if request["target"].startswith("/v1.0/"):
        return check_graph(request)
    if request["target"].endswith("/.well-known/openid-configuration"):
        return check_discovery(request)
    return check_azure(request) if request["target"].startswith("/subscriptions/") else check_query(request)


def test_all_that_a_response_and_its_undo_send_is_as_microsoft_describes_it(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = lab(write_story(tmp_path))
    monkeypatch.setenv("RESPOND_CONFIG", str(policy(tmp_path, malicious=EVERYTHING, watch=[])))
    answer = respond("--user", VICTIM, "--json")
    assert answer.code == 0, answer.err
    assert respond("undo", answer.json["case"]).code == 0
    assert respond("hunt").code == 0
    made = {check(one) for one in sent(tenant)}
    known = {name for name in GRAPH["operations"] if not ADDED.search(name)}
    writes = {name for name in known if not name.startswith("GET")}
    deletes = {name for name in writes if "Methods/" in name and "microsoftAuthenticator" not in name}
    assert made >= writes - deletes
    assert made >= {name for name in known if name.startswith("GET")} - {"GET /users"}


def test_what_is_asked_about_what_was_added_is_as_microsoft_describes_it(lab: Lab) -> None:
    """Devices, applications and roles that an attacker added: by every id that a log may name."""
    tenant = lab()
    asked(lambda clients: clients.graph.added.device(ODD))
    asked(lambda clients: clients.graph.added.application(NOBODY))
    asked(lambda clients: clients.graph.added.principal(ODD))
    asked(lambda clients: clients.graph.added.grants(ODD))
    asked(lambda clients: clients.graph.added.assignments(ODD))
    asked(lambda clients: clients.graph.added.assignment(ODD))
    asked(lambda clients: clients.graph.added.keys(f"applications/{USER_ID}"))
    made = {check(one) for one in sent(tenant)} - {"GET /devices/{device-id}"}
    assert made == {name for name in GRAPH["operations"] if name.startswith("GET") and ADDED.search(name)}


@pytest.mark.parametrize("name", [name for name in GRAPH["operations"] if name.startswith("GET")])
def test_what_only_reads_is_sent_in_a_dry_run_and_in_a_freeze(name: str) -> None:
    method, _, path = name.partition(" ")
    assert is_read(method, f"https://graph.microsoft.com/v1.0{path.replace('{', '').replace('}', '')}")


def test_what_ends_what_was_added_is_sent_where_microsoft_has_it(lab: Lab) -> None:
    lab()
    keys = [
        Step(rung=Rung.REMOVE_SECRET, kind=f"{holder}/{USER_ID}", object="key", label="x", why="x")
        for holder in ("applications", "servicePrincipals")
    ]

    async def made(clients: Clients) -> None:
        added = clients.graph.added
        requests = [
            added.delete_device(ODD),
            added.set_principal(ODD, enabled=False),
            *(added.remove_password(key) for key in keys),
            added.delete_assignment(ODD),
            added.make_assignment({"principalId": USER_ID, "roleDefinitionId": USER_ID, "directoryScopeId": "/"}),
        ]
        assert {check_graph(told(one)) for one in requests} == {
            name for name in GRAPH["operations"] if not name.startswith("GET") and ADDED.search(name)
        }

    asked(made)


def told(request: RequestInformation) -> dict[str, Any]:
    """A request that was not sent, as the lab would have told of it."""
    body = json.loads(request.content) if request.content else {}
    target = request.url.partition("127.0.0.1")[2].partition("/")[2]
    headers = {"content-type": "application/json"} if body else {}
    assert request.http_method is not None
    return {"method": str(request.http_method.value), "target": f"/{target}", "names": body, "has_body": bool(body),
            "headers": headers}  # fmt: skip


def test_what_is_written_back_to_an_incident_is_as_microsoft_describes_it(lab: Lab, tmp_path: Path) -> None:
    tenant = lab(seed_with_incident(tmp_path, entry(someNewProperty=None)))
    act(read_incident, incident=INCIDENT)
    act(comment_incident, incident=INCIDENT, stage="verdict", text="malicious")
    act(tag_incident, incident=INCIDENT, labels=("respond: malicious",))
    asked(lambda clients: clients.sentinel.alerts(INCIDENT))
    made = {check(one) for one in sent(tenant) if one["target"].startswith("/subscriptions/")}
    assert made == set(AZURE["operations"])


def test_whoever_is_asked_for_stands_in_the_request_as_one_value(lab: Lab) -> None:
    tenant = lab()
    asked(lambda clients: clients.graph.account(ODD))
    asked(lambda clients: clients.graph.account(f"${ODD}"))
    asked(lambda clients: clients.graph.users_by_mail(ODD))
    asked(lambda clients: clients.graph.users_by_sid("S-1-5-21-1'2"))
    asked(lambda clients: clients.graph.accounts([ODD, USER_ID]))
    requests = sent(tenant)
    assert {check(one) for one in requests} == {"GET /users/{user-id}", "GET /users"}
    path = requests[0]["target"].partition("?")[0]
    assert unquote(path) == f"/v1.0/users/{ODD}"
    assert not set("#'$+") & set(path)
    assert path.count("/") == 3
    filters = [options(one)["$filter"] for one in requests[1:]]
    assert all("o''brien" in one for one in (filters[0], filters[1], filters[3]))
    assert filters[2] == "onPremisesSecurityIdentifier eq 'S-1-5-21-1''2'"


@pytest.mark.parametrize("kind", sorted(METHODS))
def test_each_sort_of_method_is_deleted_where_microsoft_has_it(kind: str, lab: Lab) -> None:
    lab()

    async def made(clients: Clients) -> None:
        request = clients.graph.holdings.delete_method(USER_ID, kind, ODD)
        target = request.url.partition("127.0.0.1")[2].partition("/")[2]
        told = {"method": "DELETE", "target": f"/{target}", "names": {}, "has_body": False, "headers": {}}
        assert kind in check_graph(told)
        assert not set("#'$+") & set(target.removesuffix("/$ref"))

    asked(made)
