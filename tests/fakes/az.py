"""A stand-in for the Azure CLI: answers as Microsoft Graph and Azure Resource Manager do, from a state in a JSON file.

It is run as `az` by the scripts of `respond init`. `$AZ_STATE` is the file, which `sound()` begins. `$AZ_CUT` is the
number of the call at which its process group is killed: before it takes effect, or after (`$AZ_CUT_AFTER`).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import sys
from typing import Any

State = dict[str, Any]
GRAPH_APP = "00000003-0000-0000-c000-000000000000"
ME = "aaaa0000-0000-4000-8000-000000000001"
SUBSCRIPTION = "5ab00000-0000-4000-8000-000000000001"
GROUP = "sentinel-group"
ABSENT = 'Not Found({"error":{"code":"Request_ResourceNotFound","message":"Resource does not exist."}})'
_TWICE = "Permission being assigned already exists on the object"
DUPLICATE = f'Bad Request({{"error":{{"code":"Request_BadRequest","message":"{_TWICE}"}}}})'


class Refused(Exception):
    """What az says on standard error; it then ends with 1."""


def made_id(*of: str) -> str:
    text = hashlib.sha256("/".join(of).encode()).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:32]}"


def sound(tenant: str, workspace: str, permissions: list[str], *, cloud: str = "AzureCloud", delay: int = 0) -> State:
    """A tenant with a workspace, in its second subscription.

    Args:
        delay: how often each new object is not known yet.
    """
    graph: State = {"id": made_id("graph"), "appId": GRAPH_APP}
    graph["appRoles"] = [{"value": name, "id": made_id("role", name)} for name in permissions]
    named = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.OperationalInsights/workspaces/w"
    return {
        "cloud": cloud, "tenant": tenant, "signed_in": False, "delay": delay, "calls": 0, "asked": [],
        "subscriptions": [made_id("other"), SUBSCRIPTION],
        "workspaces": [{"id": named, "customerId": workspace, "subscription": SUBSCRIPTION}],
        "groups": [GROUP, "identities"],
        "roles": ["Log Analytics Reader", "Microsoft Sentinel Responder"],
        "applications": [], "deleted": [], "owners": {}, "identities": [], "assignments": [], "grants": [],
        "principals": [graph], "unknown": {},
    }  # fmt: skip


def lasting(state: State) -> State:
    """What remains of it: no counters, and nothing about calls."""
    passing = ("calls", "asked", "unknown", "delay", "signed_in")
    return {name: value for name, value in state.items() if name not in passing}


def _query(value: Any, query: str) -> Any:
    """The part of JMESPath that the scripts use."""
    if multiple := re.fullmatch(r"\[([\w.\[\]]+(?:, [\w.\[\]]+)+)\]", query):
        return [_query(value, part) for part in multiple[1].split(", ")]
    head, _, rest = query.partition(".") if not query.startswith("[?") else ("", "", "")
    if filtered := re.match(r"(\w*)\[\?(.+?)\]\.?(.*)$", query):
        rows = (value or {}).get(filtered[1]) if filtered[1] else value
        kept = [row for row in rows or [] if all(_holds(row, part) for part in filtered[2].split(" && "))]
        return [found for row in kept if (found := _query(row, filtered[3])) is not None]
    if listed := re.fullmatch(r"(\w*)\[\]", head):
        rows = (value or {}).get(listed[1]) if listed[1] else value
        return [found for row in rows or [] if (found := _query(row, rest)) is not None]
    if indexed := re.fullmatch(r"(\w+)\[(\d)\]", query):
        return (value.get(indexed[1]) or [None])[int(indexed[2])]
    found = value.get(head) if isinstance(value, dict) else None
    return _query(found, rest) if rest and found is not None else found


def _holds(row: dict[str, Any], condition: str) -> bool:
    key, sign, text = re.fullmatch(r"(\w+)(==|!=)'(.*)'", condition).groups()  # type: ignore[union-attr]
    return (row.get(key) == text) is (sign == "==")


def _printed(value: Any, form: str) -> str:
    if form == "json":
        return json.dumps(value, indent=2) + "\n"
    if form == "none" or value is None:
        return ""
    rows = value if isinstance(value, list) else [value]
    return "".join("\t".join(map(str, row)) + "\n" if isinstance(row, list) else f"{row}\n" for row in rows)


class Az:
    """One call."""

    def __init__(self, state: State, words: list[str]) -> None:
        self.state = state
        self.words = [word for word in words if not word.startswith("--")]
        self.options: dict[str, list[str]] = {}
        name = ""
        for word in words:
            if word.startswith("--"):
                name = word
                self.options[name] = []
            elif name:
                self.options[name].append(word)
        self.verb = " ".join(words[: next((at for at, word in enumerate(words) if word.startswith("--")), len(words))])

    def option(self, name: str) -> str:
        return (self.options.get(name) or [""])[0]

    def answer(self) -> Any:
        handler = {
            "cloud show": lambda: {"name": self.state["cloud"]},
            "cloud set": self._cloud,
            "account show": self._account,
            "account list": self._accounts,
            "login": self._login,
            "monitor log-analytics workspace list": self._workspaces,
            "identity list": self._identities,
            "identity create": self._new_identity,
            "role assignment list": lambda: self.state["assignments"],
            "role definition list": self._definitions,
            "role assignment create": self._assign,
            "rest": self._rest,
        }.get(self.verb)
        if handler is None:
            raise Refused(f"'{self.verb}' is misspelled or not recognized by the system.")
        return handler()

    def _cloud(self) -> None:
        self.state["cloud"] = self.option("--name")
        self.state["signed_in"] = False

    def _account(self) -> Any:
        if not self.state["signed_in"]:
            raise Refused("Please run 'az login' to setup account.")
        return {"tenantId": self.state["tenant"]}

    def _accounts(self) -> Any:
        self._account()
        return [{"id": one, "tenantId": self.state["tenant"]} for one in self.state["subscriptions"]]

    def _login(self) -> None:
        assert self.option("--tenant") == self.state["tenant"]
        self.state["signed_in"] = True

    def _workspaces(self) -> Any:
        return [one for one in self.state["workspaces"] if one["subscription"] == self.option("--subscription")]

    def _group(self) -> str:
        group = self.option("--resource-group")
        if group not in self.state["groups"] or self.option("--subscription") != SUBSCRIPTION:
            raise Refused(f"(ResourceGroupNotFound) Resource group '{group}' could not be found.")
        return group

    def _identities(self) -> Any:
        group = self._group()
        return [one for one in self.state["identities"] if one["group"] == group]

    def _new_identity(self) -> None:
        name, group = self.option("--name"), self._group()
        key, _, value = self.option("--tags").partition("=")
        if not any(one["name"] == name and one["group"] == group for one in self.state["identities"]):
            client, principal = made_id("client", name, group), made_id("principal", name, group)
            new = {"name": name, "group": group, "clientId": client, "principalId": principal, "tags": {key: value}}
            self.state["identities"].append(new)
            self.state["principals"].append({"id": principal, "appId": client})
            self._hide(principal)

    def _definitions(self) -> Any:
        return [{"name": made_id(name)} for name in self.state["roles"] if name == self.option("--name")]

    def _assign(self) -> None:
        who, role = self.option("--assignee-object-id"), self.option("--role")
        if self._is_hidden(who) or not any(one["id"] == who for one in [*self.state["principals"], {"id": ME}]):
            raise Refused(f"(PrincipalNotFound) Principal {who.replace('-', '')} does not exist in the directory.")
        if role not in self.state["roles"]:
            raise Refused(f"Role '{role}' doesn't exist.")
        new = {"id": made_id(who, role), "principalId": who, "roleDefinitionName": role}
        if new in self.state["assignments"]:
            raise Refused("(RoleAssignmentExists) The role assignment already exists.")
        self.state["assignments"].append(new)

    def _hide(self, name: str) -> None:
        self.state["unknown"][name] = self.state["delay"]

    def _is_hidden(self, name: str) -> bool:
        left = self.state["unknown"].get(name, 0)
        self.state["unknown"][name] = max(left - 1, 0)
        return bool(left)

    def _rest(self) -> Any:
        url = self.option("--url")
        root = self.option("--resource")
        if not root or not url.startswith(f"{root}/v1.0/"):
            raise Refused("Can't derive appropriate Azure AD resource from --url to acquire an access token.")
        if not self.state["signed_in"]:
            raise Refused("Please run 'az login' to setup account.")
        path, _, query = url.removeprefix(f"{root}/v1.0/").partition("?")
        body = json.loads(self.option("--body") or "{}")
        return Graph(self, path, query, body).answer(self.option("--method"))


class Graph:
    """One request to Microsoft Graph."""

    def __init__(self, az: Az, path: str, query: str, body: dict[str, Any]) -> None:
        self.az, self.state, self.path, self.query, self.body = az, az.state, path, query, body

    def answer(self, method: str) -> Any:  # noqa: PLR0911 - one way out a path
        kind, _, below = self.path.partition("/")
        if self.path == "me":
            return {"id": ME}
        if self.path == "applications" and method == "GET":
            name = re.search(r"displayName%20eq%20'([^']+)'", self.query)
            return {"value": [one for one in self.state["applications"] if name and one["displayName"] == name[1]]}
        if self.path.startswith("directory/deletedItems"):
            assert "ConsistencyLevel=eventual" in self.az.options["--headers"]
            name = re.search(r"displayName%20eq%20'([^']+)'", self.query)
            return {"value": [one for one in self.state["deleted"] if name and one["displayName"] == name[1]]}
        if unique := re.fullmatch(r"applications\(uniqueName='([^']+)'\)", self.path):
            return (
                self._upsert(unique[1]) if method == "PATCH" else self._found("applications", "uniqueName", unique[1])
            )
        if keyed := re.fullmatch(r"(applications|servicePrincipals)\(appId='([^']+)'\)", self.path):
            return self._found({"servicePrincipals": "principals"}.get(keyed[1], keyed[1]), "appId", keyed[2])
        if self.path == "servicePrincipals" and method == "POST":
            return self._new_principal()
        if kind == "servicePrincipals" and below.endswith("/appRoleAssignments"):
            return self._roles(below.partition("/")[0], method)
        if kind == "applications":
            return self._application(*below.partition("/")[::2], method)
        raise Refused(f'Bad Request({{"error":{{"message":"Resource not found for the segment {self.path}"}}}})')

    def _found(self, place: str, key: str, value: str) -> Any:
        found = next((one for one in self.state[place] if one.get(key) == value), None)
        if found is None or self.az._is_hidden(found["id"]):
            raise Refused(ABSENT)
        return found

    def _upsert(self, name: str) -> None:
        assert "Prefer=create-if-missing" in self.az.options["--headers"]
        if not any(one.get("uniqueName") == name for one in self.state["applications"]):
            new: State = {
                "id": made_id("object", name),
                "appId": made_id("app", name),
                "uniqueName": name,
                "keyCredentials": [],
            }
            self.state["applications"].append(new | self.body | {"federated": []})
            self.state["owners"][new["id"]] = [ME]
            self.az._hide(new["id"])

    def _new_principal(self) -> None:
        app = self.body["appId"]
        if any(one["appId"] == app for one in self.state["principals"]):
            raise Refused('Conflict({"error":{"message":"The service principal name is already in use."}})')
        held = next((one for one in self.state["applications"] if one["appId"] == app), None)
        if held is None or self.az._is_hidden(f"{app} for principals"):
            raise Refused(
                'Bad Request({"error":{"message":"The appId does not reference a valid application object."}})'
            )
        new = {"id": made_id("principal", app), "appId": app}
        self.state["principals"].append(new)
        self.az._hide(new["id"])

    def _roles(self, principal: str, method: str) -> Any:
        if self.az._is_hidden(principal) or not any(one["id"] == principal for one in self.state["principals"]):
            raise Refused(ABSENT)
        if method == "GET":
            return {"value": [one for one in self.state["grants"] if one["principalId"] == principal]}
        known = {one["id"] for one in self.state["principals"][0]["appRoles"]}
        if self.body["appRoleId"] not in known or self.body["resourceId"] != self.state["principals"][0]["id"]:
            raise Refused('Bad Request({"error":{"message":"Permission entitlement not found."}})')
        if self.body in self.state["grants"] or self.state.get("refuses_all_grants"):
            raise Refused(DUPLICATE)
        self.state["grants"].append(self.body)
        return None

    def _application(self, object_id: str, below: str, method: str) -> Any:
        found = self._found("applications", "id", object_id)
        if below == "owners":
            return {"value": [{"id": one} for one in self.state["owners"][object_id]]}
        if below == "federatedIdentityCredentials" and method == "GET":
            return {"value": found["federated"]}
        if below == "federatedIdentityCredentials":
            found["federated"].append({"id": made_id("federated", self.body["name"])} | self.body)
            return None
        if below.startswith("federatedIdentityCredentials/"):
            next(one for one in found["federated"] if one["id"] == below.partition("/")[2]).update(self.body)
            return None
        if method == "PATCH":
            found.update(self.body)
            return None
        return found


def _read(file: str) -> State:
    with open(file, encoding="utf-8") as text:  # noqa: PTH123 - pathlib takes longer to load than all of this
        return dict(json.load(text))


def _write(file: str, state: State) -> None:
    with open(file, "w", encoding="utf-8") as text:  # noqa: PTH123
        json.dump(state, text)


def main() -> int:
    file = os.environ["AZ_STATE"]
    state = _read(file)
    state["calls"] += 1
    is_cut = state["calls"] == int(os.environ.get("AZ_CUT", "0"))
    if is_cut and not os.environ.get("AZ_CUT_AFTER"):
        _write(file, state)
        os.killpg(0, signal.SIGKILL)
    az = Az(state, sys.argv[1:])
    state["asked"].append(sys.argv[1:])
    problem, out = "", ""
    try:
        out = _printed(_asked(az), az.option("--output") or "json")
    except Refused as refused:
        problem = f"ERROR: {refused}\n"
    _write(file, state)
    if is_cut:
        os.killpg(0, signal.SIGKILL)
    sys.stdout.write(out)
    sys.stderr.write(problem)
    return 1 if problem else 0


def _asked(az: Az) -> Any:
    answer = az.answer()
    query = az.option("--query")
    return _query(answer, query) if query and answer is not None else answer


if __name__ == "__main__":
    sys.exit(main())
