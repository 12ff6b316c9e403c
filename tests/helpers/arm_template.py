"""The part of ARM's template language that `deploy/` uses, evaluated without Azure.

Template functions: https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions
Strict where Azure would fail a deployment: an unknown function, parameter, variable or resource is an error, and so
is an expression whose brackets or quotes do not match.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

SUBSCRIPTION = "0a000000-0000-4000-8000-000000000001"
TENANT = "0b000000-0000-4000-8000-000000000002"
PRINCIPAL = "0c000000-0000-4000-8000-000000000003"
"""Object id that every managed identity gets here."""
CLIENT = "0c000000-0000-4000-8000-000000000007"
"""Its client id, and the id of a workspace that was made."""

_ANSWERS: dict[str, dict[str, Any]] = {
    "Microsoft.App/containerApps": {"configuration": {"ingress": {"fqdn": "respond.example.azurecontainerapps.io"}}},
    "Microsoft.DBforPostgreSQL/flexibleServers": {"fullyQualifiedDomainName": "db.example.com"},
    "Microsoft.ManagedIdentity/userAssignedIdentities": {"principalId": PRINCIPAL, "clientId": CLIENT},
    "Microsoft.OperationalInsights/workspaces": {"customerId": CLIENT},
}
"""What `reference` says of a resource that was made."""

CLOUDS: dict[str, dict[str, Any]] = {
    name: {
        "name": name,
        "suffixes": {"keyvaultDns": vault, "acrLoginServer": registry, "sqlServerHostname": database},
    }
    for name, vault, registry, database in (
        ("AzureCloud", ".vault.azure.net", ".azurecr.io", ".database.windows.net"),
        ("AzureUSGovernment", ".vault.usgovcloudapi.net", ".azurecr.us", ".database.usgovcloudapi.net"),
        ("AzureChinaCloud", ".vault.azure.cn", ".azurecr.cn", ".database.chinacloudapi.cn"),
    )
}
"""What `environment()` says in each cloud."""

_TOKEN = re.compile(r"\s*(?:(?P<name>[A-Za-z]\w*)|(?P<number>\d+)|'(?P<text>(?:[^']|'')*)'|(?P<mark>[()\[\],.]))")


class ArmError(Exception):
    """Azure would refuse this template."""


@dataclass
class Deployed:
    """What a deployment would have made.

    Attributes:
        group: the resource group it went to.
        unused: parameters and variables that nothing refers to.
    """

    group: str
    resources: list[dict[str, Any]]
    outputs: dict[str, Any]
    unused: set[str]


def deploy(
    template: dict[str, Any], parameters: dict[str, Any], *, group: str = "rg-soc", cloud: str = "AzureCloud"
) -> Deployed:
    """Deploy a template into a resource group, nested deployments included.

    Args:
        cloud: a name of `CLOUDS`.

    Raises:
        ArmError: says what Azure would say.
    """
    return _Deployment(template, parameters, group, cloud).run()


def resource_id(group: str, kind: str, *names: str) -> str:
    provider, *kinds = kind.split("/")
    path = "/".join(f"{part}/{name}" for part, name in zip(kinds, names, strict=True))
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/{provider}/{path}"


@dataclass
class _Deployment:
    template: dict[str, Any]
    given: dict[str, Any]
    group: str
    cloud: str
    loops: dict[str, int] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    pending: list[str] = field(default_factory=list)

    def run(self) -> Deployed:
        declared = self.template.get("parameters", {})
        if unknown := self.given.keys() - declared.keys():
            raise ArmError(f"the template has no parameter {sorted(unknown)}")
        if missing := {name for name, how in declared.items() if "defaultValue" not in how} - self.given.keys():
            raise ArmError(f"parameter {sorted(missing)} needs a value")
        nested: list[dict[str, Any]] = []
        wanted = [one for one in self.template["resources"] if self.value(one.get("condition", "[equals(1, 1)]"))]
        resources = [self._resource(resource, nested) for resource in wanted]
        outputs = {name: self.value(output["value"]) for name, output in self.template.get("outputs", {}).items()}
        self._check_order(wanted)
        names = {f"parameters.{name}" for name in declared}
        names |= {f"variables.{name}" for name in self.template.get("variables", {}) if name != "copy"}
        names |= {f"variables.{name}" for name in self._copied()}
        return Deployed(self.group, resources + nested, outputs, names - self.used)

    def _check_order(self, resources: list[dict[str, Any]]) -> None:
        known = self.ids()
        for resource in resources:
            if lost := set(self.value(resource.get("dependsOn", []))) - known:
                raise ArmError(f"{resource['type']} waits for {sorted(lost)}, which the template does not make")

    def _resource(self, resource: dict[str, Any], nested: list[dict[str, Any]]) -> dict[str, Any]:
        if resource["type"] != "Microsoft.Resources/deployments":
            return {"resourceGroup": self.group, **self.value(resource)}
        if resource["properties"].get("expressionEvaluationOptions") != {"scope": "inner"}:
            raise ArmError("a nested template is evaluated in its own scope or not at all here")
        outer = self.value({**resource, "properties": {**resource["properties"], "template": {}}})
        parameters = {name: given["value"] for name, given in outer["properties"]["parameters"].items()}
        inner = deploy(resource["properties"]["template"], parameters, group=outer["resourceGroup"])
        if inner.unused:
            raise ArmError(f"the nested template does not use {sorted(inner.unused)}")
        nested += inner.resources
        return dict(outer)

    def value(self, raw: Any) -> Any:
        if isinstance(raw, dict):
            return {self.value(key): self.value(item) for key, item in raw.items()}
        if isinstance(raw, list):
            return [self.value(item) for item in raw]
        if isinstance(raw, str) and raw.startswith("[") and not raw.startswith("[["):
            if not raw.endswith("]"):
                raise ArmError(f"no closing bracket: {raw}")
            return _Expression(raw[1:-1], self.call).evaluate()
        return raw

    def call(self, name: str, arguments: list[Any]) -> Any:
        functions: dict[str, Callable[..., Any]] = {
            "concat": _concat,
            "copyIndex": lambda loop: self.loops[loop],
            "empty": lambda value: not value,
            "environment": lambda: CLOUDS[self.cloud],
            "equals": lambda one, other: one == other,
            "extensionResourceId": lambda scope, kind, name: f"{scope}/providers/{kind}/{name}",
            "greater": lambda one, other: one > other,
            "guid": lambda *parts: str(uuid.uuid5(uuid.NAMESPACE_URL, "-".join(parts))),
            "if": lambda condition, yes, no: yes if condition else no,
            "json": json.loads,
            "length": len,
            "replace": lambda text, old, new: text.replace(old, new),
            "listKeys": lambda target, version: {"primarySharedKey": self._made(target, version)["name"]},
            "not": lambda value: not value,
            "parameters": self._parameter,
            "reference": self._reference,
            "resourceGroup": lambda: {"id": self._group_id(), "name": self.group, "location": "westeurope"},
            "resourceId": lambda kind, *names: resource_id(self.group, kind, *names),
            "subscription": lambda: {"subscriptionId": SUBSCRIPTION, "tenantId": TENANT},
            "subscriptionResourceId": lambda kind, *names: resource_id("", kind, *names).replace(
                "/resourceGroups/", "", 1
            ),
            "uniqueString": lambda *parts: uuid.uuid5(uuid.NAMESPACE_URL, "-".join(parts)).hex[:13],
            "uriComponent": lambda text: quote(text, safe=""),
            "variables": self._variable,
        }
        if name not in functions:
            raise ArmError(f"unknown function {name}")
        try:
            return functions[name](*arguments)
        except (TypeError, ValueError) as error:
            raise ArmError(f"{name}: {error}") from error

    def _group_id(self) -> str:
        return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{self.group}"

    def _parameter(self, name: str) -> Any:
        if name not in self.template.get("parameters", {}):
            raise ArmError(f"no parameter {name} is declared")
        self.used.add(f"parameters.{name}")
        return self.given[name] if name in self.given else self.value(self.template["parameters"][name]["defaultValue"])

    def _copied(self) -> dict[str, dict[str, Any]]:
        """Variables that a loop makes, by name."""
        return {one["name"]: one for one in self.template.get("variables", {}).get("copy", [])}

    def _looped(self, loop: dict[str, Any]) -> list[Any]:
        found = []
        for number in range(self.value(loop["count"])):
            self.loops[loop["name"]] = number
            found.append(self.value(loop["input"]))
        return found

    def _variable(self, name: str) -> Any:
        if loop := self._copied().get(name):
            self.used.add(f"variables.{name}")
            return self._looped(loop)
        if name not in self.template.get("variables", {}):
            raise ArmError(f"no variable {name} is declared")
        if name in self.pending:
            raise ArmError(f"variable {name} needs itself")
        self.used.add(f"variables.{name}")
        self.pending.append(name)
        try:
            return self.value(self.template["variables"][name])
        finally:
            self.pending.remove(name)

    def _reference(self, target: str, version: str, full: str = "") -> Any:
        made = self._made(target, version)
        if full:
            return {"identity": {"principalId": PRINCIPAL} if "identity" in made else {}}
        return _ANSWERS.get(made["type"], {})

    def _made(self, target: str, version: str) -> dict[str, Any]:
        for resource in self.template["resources"]:
            names = str(self.value(resource["name"])).split("/")
            own = "scope" not in resource and resource_id(self.group, resource["type"], *names)
            if own == target and resource["apiVersion"] == version:
                return dict(resource)
        raise ArmError(f"reference: the template makes no {target} by {version}")

    def ids(self) -> set[str]:
        """Resource ids of all that the template describes, also of what a condition leaves out."""
        found = set()
        for resource in self.template["resources"]:
            names = str(self.value(resource["name"])).split("/")
            own = f"/providers/{resource['type']}/{names[-1]}"
            scope = self.value(resource.get("scope", ""))
            found.add(scope + own if scope else resource_id(self.group, resource["type"], *names))
        return found


def _concat(*parts: Any) -> Any:
    if parts and all(isinstance(part, list) for part in parts):
        return [item for part in parts for item in part]
    if all(isinstance(part, str | int) for part in parts):
        return "".join(map(str, parts))
    raise ArmError("concat joins texts, or lists, not both")


class _Expression:
    """One `[…]`, read from left to right."""

    def __init__(self, text: str, call: Callable[[str, list[Any]], Any]) -> None:
        self._text = text
        self._call = call
        self._tokens = self._split()
        self._at = 0

    def evaluate(self) -> Any:
        value = self._value()
        if self._at != len(self._tokens):
            raise ArmError(f"unexpected {self._tokens[self._at][1]!r} in [{self._text}]")
        return value

    def _split(self) -> list[tuple[str, str]]:
        tokens, at = [], 0
        while at < len(self._text.rstrip()):
            match = _TOKEN.match(self._text, at)
            if match is None or match.lastgroup is None:
                raise ArmError(f"cannot read [{self._text}] from {self._text[at:]!r}")
            tokens.append((match.lastgroup, match[match.lastgroup]))
            at = match.end()
        return tokens

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) and self._is_mark() else ""

    def _is_mark(self) -> bool:
        return self._tokens[self._at][0] == "mark"

    def _next(self, wanted: str) -> str:
        if self._at >= len(self._tokens):
            raise ArmError(f"[{self._text}] ends too early")
        kind, value = self._tokens[self._at]
        if wanted not in (kind, value if kind == "mark" else ""):
            raise ArmError(f"{value!r} where {wanted} belongs in [{self._text}]")
        self._at += 1
        return value

    def _value(self) -> Any:
        kind = self._tokens[self._at][0] if self._at < len(self._tokens) else ""
        if kind == "text":
            return self._next("text").replace("''", "'")
        if kind == "number":
            return int(self._next("number"))
        value = self._call(self._next("name"), self._arguments())
        while self._peek() in (".", "["):
            if self._next("mark") == ".":
                value = self._member(value, self._next("name"))
                continue
            value = self._member(value, self._value())
            self._next("]")
        return value

    def _member(self, value: Any, name: str | int) -> Any:
        try:
            return value[name]
        except (IndexError, KeyError, TypeError) as error:
            raise ArmError(f"there is no {name} in what [{self._text}] looks at") from error

    def _arguments(self) -> list[Any]:
        self._next("(")
        arguments: list[Any] = []
        while self._peek() != ")":
            if arguments:
                self._next(",")
            arguments.append(self._value())
        self._next(")")
        return arguments
