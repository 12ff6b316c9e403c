"""The Sentinel side in `deploy/`, as far as it can be known without Azure; each check is seen to refuse something."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from respond.settings import Settings
from tests.helpers.arm_template import ArmError, deploy
from tests.helpers.command import ROOT
from tests.helpers.deploy_checks import RULE, TEMPLATES, Files, deploy_all, problems, read
from tests.helpers.pages import blocks

GUIDE = (ROOT / "docs" / "sentinel.md").read_text()


@pytest.mark.parametrize("rules", [[], [RULE]], ids=["every rule", "one rule"])
def test_nothing_is_wrong_with_the_templates(rules: list[str]) -> None:
    assert problems(read(), analyticRuleIds=rules) == []


def workflow(files: Files) -> Any:
    return files["logic-app"]["resources"][1]["properties"]


def action(files: Files) -> Any:
    return workflow(files)["definition"]["actions"]["Deliver_to_respond"]


def trigger(files: Files) -> Any:
    return workflow(files)["definition"]["triggers"]["Microsoft_Sentinel_incident"]


def parameters(files: Files, template: str = "logic-app") -> Any:
    return files[template]["parameters"]


BROKEN: dict[str, tuple[Callable[[Files], Any], str]] = {
    "no audience": (lambda f: action(f)["inputs"]["authentication"].pop("audience"), "'audience' is a required"),
    "the default audience": (
        lambda f: workflow(f)["parameters"]["audience"].update(value="https://management.azure.com/"),
        "should not be valid",
    ),
    "no authentication": (lambda f: action(f)["inputs"].pop("authentication"), "'authentication' is a required"),
    "plain http": (
        lambda f: workflow(f)["parameters"]["webhook"].update(value="http://respond.contoso.com/webhooks/sentinel"),
        "does not match '^https:",
    ),
    "another path": (
        lambda f: workflow(f)["parameters"]["webhook"].update(value="https://respond.contoso.com/webhook"),
        "does not match '^https:",
    ),
    "no retry policy": (lambda f: action(f)["inputs"].pop("retryPolicy"), "'retryPolicy' is a required"),
    "waits for a task": (lambda f: action(f).pop("operationOptions"), "'operationOptions' is a required"),
    "a visible run history": (
        lambda f: trigger(f)["runtimeConfiguration"]["secureData"].update(properties=["inputs"]),
        "['inputs', 'outputs'] was expected",
    ),
    "unbounded runs": (lambda f: trigger(f)["runtimeConfiguration"].pop("concurrency"), "'concurrency' is a required"),
    "too many runs": (
        lambda f: trigger(f)["runtimeConfiguration"]["concurrency"].update(runs=101),
        "101 is greater than the maximum",
    ),
    "no time limit": (lambda f: action(f).pop("limit"), "'limit' is a required"),
    "the alert trigger": (lambda f: trigger(f)["inputs"].update(path="/subscribe"), "'/incident-creation' was"),
    "a connection of somebody": (
        lambda f: f["logic-app"]["resources"][0]["properties"].pop("parameterValueType"),
        "'parameterValueType' is a required",
    ),
    "a connection without identity": (
        lambda f: workflow(f)["parameters"]["$connections"]["value"]["azuresentinel"].pop("connectionProperties"),
        "'connectionProperties' is a required",
    ),
    "another connection": (
        lambda f: workflow(f)["parameters"]["$connections"]["value"]["azuresentinel"].update(
            connectionId="[resourceId('Microsoft.Web/connections', 'other')]"
        ),
        "does not use, and wait for, the connection",
    ),
    "a connection under another key": (
        lambda f: trigger(f)["inputs"]["host"]["connection"].update(
            name="@parameters('$connections')['microsoftsentinel']['connectionId']"
        ),
        "no connection microsoftsentinel",
    ),
    "no identity": (lambda f: f["logic-app"]["resources"][1].pop("identity"), "there is no principalId"),
    "a preview version": (
        lambda f: f["automation-rule"]["resources"][0].update(apiVersion="2025-07-01-preview"),
        "'2025-07-01-preview' does not match",
    ),
    "a version not pinned": (lambda f: f["logic-app"]["resources"][0].pop("apiVersion"), "'apiVersion' is a required"),
    "an unbalanced expression": (
        lambda f: f["logic-app"]["variables"].update(connectionName="[concat('a', parameters('name')]"),
        "ends too early",
    ),
    "a missing bracket": (
        lambda f: f["logic-app"]["variables"].update(connectionName="[concat('a', parameters('name'))"),
        "no closing bracket",
    ),
    "an open quote": (
        lambda f: f["logic-app"]["variables"].update(connectionName="[concat('a, parameters('name'))]"),
        "deployment: ",
    ),
    "an unbalanced workflow expression": (
        lambda f: action(f)["inputs"].update(uri="@parameters('webhook'"),
        "brackets or quotes do not match",
    ),
    "an unknown workflow parameter": (
        lambda f: action(f)["inputs"].update(uri="@parameters('url')"),
        "no workflow parameter url",
    ),
    "an unknown parameter": (
        lambda f: f["logic-app"]["outputs"]["logicAppId"].update(value="[parameters('nmae')]"),
        "no parameter nmae is declared",
    ),
    "an unknown variable": (
        lambda f: f["automation-rule"]["resources"][0].update(scope="[variables('workspace')]"),
        "no variable workspace is declared",
    ),
    "an unused parameter": (
        lambda f: parameters(f).update(left={"type": "string", "defaultValue": "over"}),
        "nothing uses parameters.left",
    ),
    "an audience by default": (
        lambda f: parameters(f)["audience"].update(defaultValue="https://management.azure.com/"),
        "the audience has no sensible default",
    ),
    "a secret in plain text": (
        lambda f: parameters(f).update(
            hmacSecret={"type": "string", "defaultValue": "x", "metadata": {"description": "x"}}
        ),
        "would keep a secret in plain text",
    ),
    "a signed URL": (
        lambda f: workflow(f)["parameters"]["webhook"].update(value="https://contoso.com/webhooks/sentinel?a=b&sig=c"),
        "a signed URL is a secret",
    ),
    "a condition on the title": (
        lambda f: f["automation-rule"]["variables"]["fromTheseRules"][0]["conditionProperties"].update(
            propertyName="IncidentTitle"
        ),
        "conditions[0]",
    ),
    "an unknown operator": (
        lambda f: f["automation-rule"]["variables"]["notYetOurs"][0]["conditionProperties"].update(operator="Is"),
        "conditions[1]",
    ),
    "another playbook": (
        lambda f: f["automation-rule"]["variables"]["runLogicApp"][0]["actionConfiguration"].update(
            logicAppResourceId="[resourceId('Microsoft.Logic/workflows', 'other')]"
        ),
        "runs something else than the Logic App",
    ),
    "only one trigger": (
        lambda f: f["automation-rule"]["resources"][1]["properties"]["triggeringLogic"].update(triggersWhen="Created"),
        "one rule for created incidents and one for updated ones",
    ),
    "two rules of one name": (
        lambda f: f["automation-rule"]["resources"][1].update(name=f["automation-rule"]["resources"][0]["name"]),
        "the second replaces the first",
    ),
    "another role": (
        lambda f: f["role-assignments"]["variables"].update(sentinelResponder="b24988ac-6180-42a0-ab88-20f7382dd24c"),
        "not the role that it says",
    ),
    "a role on the whole resource group": (
        lambda f: f["role-assignments"]["resources"][2].pop("scope"),
        "assigned at the wrong scope",
    ),
    "a role in another resource group": (
        lambda f: f["role-assignments"]["resources"][0].update(resourceGroup="[resourceGroup().name]"),
        "the playbook is elsewhere",
    ),
    "an app role for people": (
        lambda f: f["app-role"]["appRoles"][0].update(allowedMemberTypes=["User"]),
        "['Application'] was expected",
    ),
    "an app role that is not asked for": (
        lambda f: f["app-role"]["appRoles"][0].update(value="Incidents.Send"),
        "no app role Incidents.Deliver",
    ),
    "tokens whose audience varies": (lambda f: f["app-role"].pop("api"), "'api' is a required"),
    "tokens that do not say what they are": (
        lambda f: f["app-role"]["optionalClaims"].update(accessToken=[]),
        "does not contain items",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_template_is_refused(name: str) -> None:
    files = read()
    break_it, said = BROKEN[name]
    break_it(files)
    found = problems(files)
    assert any(said in problem for problem in found), found


def test_the_logic_app_tries_for_longer_than_one_machine_needs_to_start() -> None:
    sent = action(read())
    policy = sent["inputs"]["retryPolicy"]
    waits = [
        min(seconds(policy["interval"]) * 2**n, seconds(policy["maximumInterval"])) for n in range(policy["count"])
    ]
    attempts = timedelta(minutes=2) * (policy["count"] + 1)
    assert timedelta(minutes=10) < sum(waits, timedelta())
    assert sum(waits, timedelta()) + attempts < seconds(sent["limit"]["timeout"])


def seconds(duration: str) -> timedelta:
    number, unit = re.fullmatch(r"PT(\d+)([SMH])", duration, re.ASCII).groups()  # type: ignore[union-attr]
    return timedelta(seconds=int(number) * {"S": 1, "M": 60, "H": 3600}[unit])


def conditions(when: str, **given: Any) -> list[dict[str, Any]]:
    rules = deploy_all(read(), **given)["automation-rule"].resources
    (logic,) = [
        r["properties"]["triggeringLogic"] for r in rules if r["properties"]["triggeringLogic"]["triggersWhen"] == when
    ]
    return list(logic["conditions"])


@pytest.mark.parametrize("when", ["Created", "Updated"])
def test_no_list_of_rules_means_every_rule(when: str) -> None:
    some, every = conditions(when), conditions(when, analyticRuleIds=[])
    assert some[0]["conditionProperties"]["propertyValues"] == [RULE]
    assert every == some[1:]


def test_an_update_is_forwarded_when_alerts_were_added_and_not_by_ourselves() -> None:
    added, source = conditions("Updated", analyticRuleIds=[])
    assert added["conditionProperties"] == {"arrayType": "Alerts", "changeType": "Added"}
    assert source["conditionProperties"]["propertyName"] == "IncidentUpdatedBySource"
    assert source["conditionProperties"]["operator"] == "NotEquals"
    assert "Application" in source["conditionProperties"]["propertyValues"]


def test_our_own_tag_keeps_no_later_attack_from_being_forwarded() -> None:
    assert "IncidentLabel" in str(conditions("Created"))
    assert "IncidentLabel" not in str(conditions("Updated"))


def test_a_parameter_that_is_missing_or_unknown_stops_the_deployment() -> None:
    with pytest.raises(ArmError, match="audience"):
        deploy(read()["logic-app"], {"serviceHost": "respond.contoso.com"})
    with pytest.raises(ArmError, match="no parameter"):
        deploy(read()["logic-app"], {"serviceHost": "respond.contoso.com", "audience": "api://x", "secret": "x"})


def commands() -> list[list[str]]:
    """The shell commands of the guide, a line each."""
    block = "\n".join(body for kind, _, body in blocks(GUIDE) if kind == "sh")
    return [
        shlex.split(line, comments=True) for line in block.replace("\\\n", " ").splitlines() if line.startswith("az ")
    ]


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_guide_deploys_each_template_with_parameters_that_it_has(name: str) -> None:
    deployments = [words for words in commands() if f"deploy/{name}.json" in words]
    assert deployments
    declared = parameters(read(), name)
    for words in deployments:
        given = {word.partition("=")[0] for word in words[words.index("--parameters") + 1 :] if "=" in word}
        assert given <= declared.keys()
        assert {key for key, how in declared.items() if "defaultValue" not in how} <= given


def test_the_guide_names_settings_that_exist() -> None:
    for section in ("webhook", "schedule", "sentinel", "serve"):
        rows = re.findall(rf"^\| `{section}\.(\w+)` \|", GUIDE, re.MULTILINE)
        fields = type(Settings.model_fields[section].default).model_fields
        assert set(rows) == fields.keys(), section
    for name in re.findall(r"RESPOND_([A-Z]+)__([A-Z_]+)", GUIDE):
        section = Settings.model_fields[name[0].lower()].default
        assert name[1].lower() in type(section).model_fields, name


def test_the_guide_and_the_templates_mean_the_same_ids() -> None:
    role = read()["app-role"]["appRoles"][0]
    assert f"ROLE_ID={role['id']}" in GUIDE
    assert role["value"] in GUIDE


def test_every_relative_link_of_the_guide_leads_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", GUIDE) if not link.startswith("http")]
    assert links
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
