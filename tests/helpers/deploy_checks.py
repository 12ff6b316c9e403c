"""What is wrong with the files in `deploy/`: everything that can be known without Azure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from respond.settings import Settings
from tests.helpers.arm_template import ArmError, Deployed, deploy, resource_id
from tests.helpers.command import ROOT

TEMPLATES = ("logic-app", "role-assignments", "automation-rule")
RULE = resource_id("rg-soc", "Microsoft.SecurityInsights/alertRules", "00000000-0000-4000-8000-0000000000aa")

_KINDS = {
    "Microsoft.App/containerApps": "containerApp",
    "Microsoft.App/managedEnvironments": "environment",
    "Microsoft.Authorization/roleAssignments": "roleAssignment",
    "Microsoft.DBforPostgreSQL/flexibleServers": "database",
    "Microsoft.DBforPostgreSQL/flexibleServers/databases": "databaseOf",
    "Microsoft.KeyVault/vaults": "vault",
    "Microsoft.KeyVault/vaults/secrets": "vaultSecret",
    "Microsoft.Logic/workflows": "workflow",
    "Microsoft.ManagedIdentity/userAssignedIdentities": "identity",
    "Microsoft.Network/privateDnsZones": "dnsZone",
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": "dnsLink",
    "Microsoft.Network/virtualNetworks": "network",
    "Microsoft.OperationalInsights/workspaces": "logs",
    "Microsoft.Resources/deployments": "deployment",
    "Microsoft.SecurityInsights/automationRules": "automationRule",
    "Microsoft.Web/connections": "connection",
}

# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
_ROLES = {
    "f4c81013-99ee-4d62-a7ee-b3f1f648599a": "Microsoft Sentinel Automation Contributor",
    "8d289c81-5878-46d4-8554-54e1e3d8b5cb": "Microsoft Sentinel Reader",
    "3e150937-b8fe-4cfb-8069-0eaf05ecd056": "Microsoft Sentinel Responder",
    "73c42c96-874c-492b-b04d-ab87d138a893": "Log Analytics Reader",
}

_SECRET = re.compile(r"secret|password|passwd|token|(api|shared|access|function)_?-?key|sas|credential", re.IGNORECASE)
_WORKFLOW_FUNCTIONS = {"listCallbackUrl", "parameters", "triggerBody"}

Files = dict[str, dict[str, Any]]


def read() -> Files:
    return {name: json.loads((ROOT / "deploy" / f"{name}.json").read_text()) for name in (*TEMPLATES, "app-role")}


def problems(files: Files, **rule_parameters: Any) -> list[str]:
    """Every fault, a line each; empty means that nothing was found."""
    found = list(shape(files["app-role"], "application.json"))
    found += _app_role(files["app-role"])
    for name in TEMPLATES:
        found += shape(files[name], "deployment-template.json")
        found += plain_secrets(files[name])
    if "defaultValue" in files["logic-app"]["parameters"]["audience"]:
        found.append("the audience has no sensible default: it is another one in every tenant")
    try:
        deployed = deploy_all(files, **rule_parameters)
    except ArmError as error:
        return [*found, f"deployment: {error}"]
    for result in deployed.values():
        found += [f"nothing uses {name}" for name in sorted(result.unused)]
        for resource in result.resources:
            found += resource_faults(resource)
    return [*found, *_logic_app(deployed["logic-app"]), *_together(deployed)]


def deploy_all(files: Files, **rule_parameters: Any) -> dict[str, Deployed]:
    """The three templates one after the other, outputs handed on as the documentation says."""
    logic_app = deploy(
        files["logic-app"],
        {"serviceHost": "respond.contoso.com", "audience": "api://0d000000-0000-4000-8000-000000000004"},
        group="rg-playbooks",
    )
    roles = {
        "workspaceName": "law-soc",
        "playbookResourceGroup": "rg-playbooks",
        "securityInsightsObjectId": "0e000000-0000-4000-8000-000000000005",
        "logicAppObjectId": logic_app.outputs.get("logicAppObjectId"),
        "respondObjectId": "0f000000-0000-4000-8000-000000000006",
    }
    rules = {"workspaceName": "law-soc", "logicAppId": logic_app.outputs.get("logicAppId"), "analyticRuleIds": [RULE]}
    return {
        "logic-app": logic_app,
        "role-assignments": deploy(files["role-assignments"], roles),
        "automation-rule": deploy(files["automation-rule"], {**rules, **rule_parameters}),
    }


def shape(document: Any, schema: str) -> Iterator[str]:
    for error in _validator(schema).iter_errors(document):
        yield f"{error.json_path}: {error.message}"


def _validator(reference: str) -> Draft202012Validator:
    contents = {path.name: json.loads(path.read_text()) for path in (ROOT / "tests" / "schemas").glob("*.json")}
    registry: Registry[Any] = Registry().with_resources(
        (name, Resource.from_contents(content)) for name, content in contents.items()
    )
    return Draft202012Validator({"$ref": reference}, registry=registry)


def resource_faults(resource: dict[str, Any]) -> Iterator[str]:
    kind = _KINDS.get(resource["type"])
    if kind is None:
        yield f"no schema for {resource['type']}"
    else:
        yield from shape(resource, f"resources.json#/$defs/{kind}")


def _app_role(application: dict[str, Any]) -> Iterator[str]:
    wanted = Settings.model_fields["webhook"].default.app_role
    if wanted not in [role.get("value") for role in application.get("appRoles", [])]:
        yield f"no app role {wanted}, which the settings ask for"


def plain_secrets(template: dict[str, Any]) -> Iterator[str]:
    for name, how in template.get("parameters", {}).items():
        if _SECRET.search(name) and how.get("type") not in ("securestring", "secureObject"):
            yield f"parameter {name} would keep a secret in plain text"
    if re.search(r"[?&]sig=", json.dumps(template)):
        yield "a signed URL is a secret"


def _logic_app(deployed: Deployed) -> Iterator[str]:
    by_type = {resource["type"]: resource for resource in deployed.resources}
    workflow, connection = by_type.get("Microsoft.Logic/workflows"), by_type.get("Microsoft.Web/connections")
    if not workflow or not connection:
        yield "the Logic App needs a workflow and a connection"
        return
    made = resource_id(deployed.group, connection["type"], connection["name"])
    used = workflow["properties"]["parameters"]["$connections"]["value"]
    if [entry["connectionId"] for entry in used.values()] != [made] or workflow.get("dependsOn") != [made]:
        yield f"the workflow does not use, and wait for, the connection {connection['name']}"
    definition = workflow["properties"]["definition"]
    given = workflow["properties"]["parameters"]
    if given.keys() != definition["parameters"].keys():
        yield f"workflow parameters declared {sorted(definition['parameters'])}, given {sorted(given)}"
    for expression in _workflow_expressions(definition):
        yield from _workflow_expression(expression, given)
    for name in given:
        if f"parameters('{name}')" not in json.dumps(definition):
            yield f"nothing uses the workflow parameter {name}"


def _workflow_expressions(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _workflow_expressions(item)
    elif isinstance(value, str) and ("@{" in value or value.startswith("@")) and not value.startswith("@@"):
        yield value


def _workflow_expression(text: str, given: dict[str, Any]) -> Iterator[str]:
    bare = re.sub(r"'(?:[^']|'')*'", "", text)
    opened: list[str] = []
    for mark in re.findall(r"[()\[\]{}]", bare):
        if mark in "([{":
            opened.append(mark)
        elif not opened or opened.pop() + mark not in ("()", "[]", "{}"):
            opened.append(mark)
            break
    if opened or "'" in bare:
        yield f"brackets or quotes do not match: {text}"
    for function in set(re.findall(r"([A-Za-z]\w*)\(", bare)) - _WORKFLOW_FUNCTIONS:
        yield f"unknown workflow function {function}: {text}"
    for name in re.findall(r"parameters\('([^']*)'\)", text):
        if name not in given:
            yield f"no workflow parameter {name}: {text}"
    for name, key in re.findall(r"parameters\('(\$connections)'\)\['([^']*)'\]", text):
        if key not in given.get(name, {}).get("value", {}):
            yield f"no connection {key}: {text}"


def _together(deployed: dict[str, Deployed]) -> Iterator[str]:
    logic_app = next(r for r in deployed["logic-app"].resources if r["type"] == "Microsoft.Logic/workflows")
    playbook = resource_id("rg-playbooks", "Microsoft.Logic/workflows", logic_app["name"])
    rules = deployed["automation-rule"].resources
    if any(a["actionConfiguration"]["logicAppResourceId"] != playbook for r in rules for a in _actions(r)):
        yield "an automation rule runs something else than the Logic App"
    if sorted(rule["properties"]["triggeringLogic"]["triggersWhen"] for rule in rules) != ["Created", "Updated"]:
        yield "one rule for created incidents and one for updated ones"
    if len({rule["name"] for rule in rules}) != len(rules):
        yield "two automation rules share a name: the second replaces the first"
    for assignment in deployed["role-assignments"].resources:
        if assignment["type"] == "Microsoft.Authorization/roleAssignments":
            yield from _assignment(assignment)


def _actions(rule: dict[str, Any]) -> list[dict[str, Any]]:
    return list(rule["properties"]["actions"])


def _assignment(assignment: dict[str, Any]) -> Iterator[str]:
    role = _ROLES.get(assignment["properties"]["roleDefinitionId"].rsplit("/", 1)[-1], "")
    if not role or not assignment["properties"]["description"].startswith(f"{role}:"):
        yield f"not the role that it says: {assignment['properties']['description']}"
    # Microsoft Sentinel needs its role where the playbook is; everybody else needs theirs on the workspace alone.
    if ("scope" in assignment) == role.endswith("Automation Contributor"):
        yield f"{role} is assigned at the wrong scope"
    if "scope" not in assignment and assignment["resourceGroup"] != "rg-playbooks":
        yield f"{role} is assigned in {assignment['resourceGroup']}, the playbook is elsewhere"
