"""`deploy/azure/main.json`, as far as it can be known without Azure; each check is seen to refuse something."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from respond import secret_files
from respond.settings import Settings
from tests.helpers.arm_template import PRINCIPAL, ArmError, Deployed, deploy, resource_id
from tests.helpers.command import ROOT
from tests.helpers.deploy_checks import plain_secrets, resource_faults, shape

TEMPLATE: dict[str, Any] = json.loads((ROOT / "deploy" / "azure" / "main.json").read_text())
GIVEN = {
    "image": "contoso.azurecr.io/respond:0.1.0",
    "audience": "0d000000-0000-4000-8000-000000000004",
    "workspaceId": "0e000000-0000-4000-8000-000000000005",
    "workspaceName": "law-soc",
    "workspaceResourceGroup": "rg-soc",
    "databasePassword": "made-up/password@of-forty characters: 0123",
}

# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
ROLES = {
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "7f951dda-4ed3-4680-a7ca-43fe172d538d": "AcrPull",
    "73c42c96-874c-492b-b04d-ab87d138a893": "Log Analytics Reader",
    "3e150937-b8fe-4cfb-8069-0eaf05ecd056": "Microsoft Sentinel Responder",
}


def made(template: dict[str, Any] = TEMPLATE, *, cloud: str = "AzureCloud", **given: Any) -> Deployed:
    return deploy(template, {**GIVEN, **given}, group="rg-respond", cloud=cloud)


def of_type(deployed: Deployed, kind: str) -> list[dict[str, Any]]:
    return [resource for resource in deployed.resources if resource["type"] == kind]


def faults(template: dict[str, Any], **given: Any) -> list[str]:
    found = [*shape(template, "deployment-template.json"), *plain_secrets(template)]
    try:
        deployed = made(template, **given)
    except ArmError as error:
        return [*found, f"deployment: {error}"]
    found += [f"nothing uses {name}" for name in sorted(deployed.unused)]
    found += [fault for resource in deployed.resources for fault in resource_faults(resource)]
    return [*found, *secrets_outside_the_vault(deployed), *roles(deployed), *apps(deployed)]


def secrets_outside_the_vault(deployed: Deployed) -> Iterator[str]:
    for resource in deployed.resources:
        if "password" in json.dumps(resource) and resource["type"] not in PASSWORD_MAY_BE_IN:
            yield f"{resource['type']} holds the password"
    if "password" in json.dumps(deployed.outputs):
        yield "an output holds the password"


PASSWORD_MAY_BE_IN = ("Microsoft.DBforPostgreSQL/flexibleServers", "Microsoft.KeyVault/vaults/secrets")


def roles(deployed: Deployed) -> Iterator[str]:
    for assignment in of_type(deployed, "Microsoft.Authorization/roleAssignments"):
        role = ROLES.get(assignment["properties"]["roleDefinitionId"].rsplit("/", 1)[-1], "")
        if not role or not assignment["properties"]["description"].startswith(f"{role}:"):
            yield f"not the role that it says: {assignment['properties']['description']}"
        if "scope" not in assignment:
            yield f"{role} is given on a whole resource group"


def apps(deployed: Deployed) -> Iterator[str]:
    for app in of_type(deployed, "Microsoft.App/containerApps"):
        assigned = set(app["identity"]["userAssignedIdentities"])
        secrets = {secret["name"]: secret for secret in app["properties"]["configuration"]["secrets"]}
        (container,) = app["properties"]["template"]["containers"]
        for secret in secrets.values():
            if secret["identity"] not in assigned:
                yield f"{secret['name']} is got by an identity that the app does not have"
        for variable in container["env"]:
            if "secretRef" in variable and variable["secretRef"] not in secrets:
                yield f"{variable['name']}: no secret {variable['secretRef']}"
            if not is_setting(variable["name"]):
                yield f"{variable['name']}: there is no such setting"
        if not {"serve", "worker"} & set(container["args"]):
            yield "the container runs neither the service nor a worker"


def is_setting(name: str) -> bool:
    if name == secret_files.VARIABLE:
        return True
    kind: Any = Settings
    for key in name.removeprefix("RESPOND_").lower().split("__"):
        fields = getattr(kind, "model_fields", {})
        if key not in fields:
            return False
        kind = type(fields[key].default)
    return True


VARIANTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "an own registry": {"registryName": "contoso"},
    "workers": {"workers": 2, "replicas": 2},
    "secrets of the vault": {"vaultKeys": ["webhook__hmac_secret", "tickets__jira__token"]},
    "another mode": {"responseMode": "observe"},
    "known senders": {"allowedSources": [{"name": "a", "ipAddressRange": "203.0.113.0/28", "action": "Allow"}]},
}


@pytest.mark.parametrize("given", VARIANTS.values(), ids=list(VARIANTS))
def test_nothing_is_wrong_with_the_template(given: dict[str, Any]) -> None:
    assert faults(TEMPLATE, **given) == []


def of(template: dict[str, Any], kind: str, number: int = 0) -> Any:
    return [resource for resource in template["resources"] if resource["type"] == kind][number]


def app(template: dict[str, Any], number: int = 0) -> Any:
    return of(template, "Microsoft.App/containerApps", number)["properties"]


Change = Callable[[dict[str, Any]], Any]
BROKEN: dict[str, tuple[Change, str]] = {
    "plain http": (
        lambda t: app(t)["configuration"]["ingress"].update(allowInsecure=True),
        "allowInsecure: False was expected",
    ),
    "a probe of nothing": (
        lambda t: app(t)["template"]["containers"][0]["probes"][2]["httpGet"].update(path="/"),
        "is not valid under any of the given schemas",
    ),
    "no machine at night": (
        lambda t: app(t)["template"]["scale"].update(minReplicas=0),
        "0 is less than the minimum",
    ),
    "no time to stop": (
        lambda t: app(t)["template"].update(terminationGracePeriodSeconds=10),
        "10 is less than the minimum",
    ),
    "the password in the app": (
        lambda t: app(t)["template"]["containers"][0]["env"][-1].update(value="[parameters('databasePassword')]"),
        "holds the password",
    ),
    "the password in the outputs": (
        lambda t: t["outputs"]["serviceHost"].update(value="[parameters('databasePassword')]"),
        "an output holds the password",
    ),
    "a password in plain text": (
        lambda t: t["parameters"]["databasePassword"].update(type="string"),
        "would keep a secret in plain text",
    ),
    "a secret that is not there": (
        lambda t: app(t)["template"]["containers"][0]["env"][-1].update(secretRef="state"),
        "no secret state",
    ),
    "a setting that is not there": (
        lambda t: app(t)["template"]["containers"][0]["env"][-1].update(name="RESPOND_STATE__DATABASE"),
        "there is no such setting",
    ),
    "a vault that anybody may empty": (
        lambda t: of(t, "Microsoft.KeyVault/vaults")["properties"].update(enablePurgeProtection=False),
        "True was expected",
    ),
    "a database of the internet": (
        lambda t: of(t, "Microsoft.DBforPostgreSQL/flexibleServers")["properties"].pop("network"),
        "'network' is a required property",
    ),
    "a database without TLS": (
        lambda t: of(t, "Microsoft.KeyVault/vaults/secrets")["properties"].update(
            value="postgresql://respond:made-up@db.example.com:5432/respond"
        ),
        "does not match",
    ),
    "a preview version": (
        lambda t: of(t, "Microsoft.App/managedEnvironments").update(apiVersion="2025-02-02-preview"),
        "'2025-02-02-preview' does not match",
    ),
    "another version than that of the reference": (
        lambda t: of(t, "Microsoft.OperationalInsights/workspaces").update(apiVersion="2022-10-01"),
        "makes no",
    ),
    "waits for what is not made": (
        lambda t: of(t, "Microsoft.App/managedEnvironments").update(
            dependsOn=["[resourceId('Microsoft.Network/virtualNetworks', 'other')]"]
        ),
        "which the template does not make",
    ),
    "another role": (
        lambda t: t["variables"].update(secretsUser="00482a5a-887f-4fb3-b363-3b7fe8e74483"),
        "not the role that it says",
    ),
    "a role on the whole group": (
        lambda t: of(t, "Microsoft.Resources/deployments")["properties"]["template"]["resources"][0].pop("scope"),
        "is given on a whole resource group",
    ),
    "an unused parameter": (
        lambda t: t["parameters"].update(left={"type": "string", "defaultValue": "over"}),
        "nothing uses parameters.left",
    ),
    "an unknown variable": (
        lambda t: of(t, "Microsoft.Network/privateDnsZones").update(name="[variables('zone')]"),
        "no variable zone",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_template_is_refused(name: str) -> None:
    template = copy.deepcopy(TEMPLATE)
    break_it, said = BROKEN[name]
    break_it(template)
    found = faults(template)
    assert any(said in fault for fault in found), found


def test_who_reads_and_who_writes_are_two_and_have_their_roles_on_the_workspace_alone() -> None:
    identities = [resource["name"] for resource in of_type(made(), "Microsoft.ManagedIdentity/userAssignedIdentities")]
    assert identities == ["respond-read", "respond-write"]
    (nested,) = of_type(made(), "Microsoft.Resources/deployments")
    assert nested["resourceGroup"] == "rg-soc"
    given = nested["properties"]["parameters"]
    assert ROLES[given["readRole"]["value"]] == "Log Analytics Reader"
    assert ROLES[given["writeRole"]["value"]] == "Microsoft Sentinel Responder"
    raw = of(TEMPLATE, "Microsoft.Resources/deployments")["properties"]["parameters"]
    assert "readName" in raw["readObjectId"]["value"]
    assert "writeName" in raw["writeObjectId"]["value"]


def test_the_roles_on_the_workspace_are_named_as_the_sentinel_template_names_them() -> None:
    sentinel = json.loads((ROOT / "deploy" / "role-assignments.json").read_text())
    workspace = resource_id("rg-soc", "Microsoft.OperationalInsights/workspaces", "law-soc")
    ours = {a["name"] for a in of_type(made(), "Microsoft.Authorization/roleAssignments") if a["scope"] == workspace}
    theirs = deploy(
        sentinel,
        {
            "workspaceName": "law-soc",
            "securityInsightsObjectId": CLIENT_OF_ANOTHER,
            "logicAppObjectId": CLIENT_OF_ANOTHER,
            "respondObjectId": PRINCIPAL,
        },
    )
    assert ours
    assert ours <= {one["name"] for one in theirs.resources}


CLIENT_OF_ANOTHER = "0e000000-0000-4000-8000-000000000009"


def test_a_password_with_special_characters_reaches_the_database_whole() -> None:
    (secret,) = of_type(made(), "Microsoft.KeyVault/vaults/secrets")
    from sqlalchemy.engine import make_url

    assert make_url(secret["properties"]["value"]).password == GIVEN["databasePassword"]


def test_both_apps_are_set_up_alike_and_a_worker_listens_nowhere() -> None:
    service, worker = of_type(made(workers=3), "Microsoft.App/containerApps")
    (one,), (other,) = (each["properties"]["template"]["containers"] for each in (service, worker))
    assert one["env"] == other["env"]
    assert other["args"] == ["worker"]
    assert "ingress" not in worker["properties"]["configuration"]
    assert "probes" not in other
    assert worker["properties"]["template"]["scale"] == {"minReplicas": 3, "maxReplicas": 3}
    assert len(of_type(made(), "Microsoft.App/containerApps")) == 1


def test_the_service_listens_where_the_ingress_and_the_probes_ask() -> None:
    service = of_type(made(), "Microsoft.App/containerApps")[0]["properties"]
    (container,) = service["template"]["containers"]
    assert container["args"][-2:] == ["--port", str(service["configuration"]["ingress"]["targetPort"])]
    assert {probe["type"] for probe in container["probes"]} == {"Startup", "Liveness", "Readiness"}


def test_the_outputs_are_what_the_next_steps_need() -> None:
    assert made().outputs.keys() == {"serviceHost", "readObjectId", "writeObjectId"}


def environment(deployed: Deployed) -> dict[str, str]:
    service = of_type(deployed, "Microsoft.App/containerApps")[0]["properties"]["template"]["containers"][0]
    return {one["name"]: one.get("value", "") for one in service["env"]}


def test_it_asks_before_every_containment_unless_told_otherwise() -> None:
    assert environment(made())["RESPOND_RESPONSE__MODE"] == "ask"
    assert environment(made(responseMode="auto"))["RESPOND_RESPONSE__MODE"] == "auto"


def test_every_secret_can_come_from_the_vault_as_a_file() -> None:
    service = of_type(made(vaultKeys=["notices__teams_url"]), "Microsoft.App/containerApps")[0]["properties"]
    (volume,) = service["template"]["volumes"]
    assert [(one["secretRef"], one["path"]) for one in volume["secrets"]] == [
        ("state-url", "state__url"),
        ("notices--teams-url", "notices__teams_url"),
    ]
    urls = {one["name"]: one["keyVaultUrl"] for one in service["configuration"]["secrets"]}
    assert urls["notices--teams-url"].endswith(".vault.azure.net/secrets/notices--teams-url")


@pytest.mark.parametrize(
    ("cloud", "name", "zone"),
    [
        ("AzureCloud", "public", "respond.private.postgres.database.azure.com"),
        ("AzureUSGovernment", "usgov", "respond.private.postgres.database.usgovcloudapi.net"),
        ("AzureChinaCloud", "china", "respond.private.postgres.database.chinacloudapi.cn"),
    ],
)
def test_names_and_the_cloud_are_those_of_the_environment(cloud: str, name: str, zone: str) -> None:
    deployed = made(cloud=cloud)
    assert environment(deployed)["RESPOND_TENANT__CLOUD"] == name
    assert of_type(deployed, "Microsoft.Network/privateDnsZones")[0]["name"] == zone
    assert [fault for resource in deployed.resources for fault in resource_faults(resource)] == []


def test_compose_and_azure_run_the_same_postgresql() -> None:
    (server,) = of_type(made(), "Microsoft.DBforPostgreSQL/flexibleServers")
    compose = (ROOT / "deploy" / "compose.yaml").read_text()
    assert f"image: ${{POSTGRES_IMAGE:-postgres:{server['properties']['version']}-alpine}}" in compose


def test_the_database_is_checked_by_its_certificate() -> None:
    (secret,) = of_type(made(), "Microsoft.KeyVault/vaults/secrets")
    from sqlalchemy.engine import make_url

    assert dict(make_url(secret["properties"]["value"]).query) == {
        "sslmode": "verify-full",
        "sslrootcert": "/etc/ssl/certs/ca-certificates.crt",
    }
