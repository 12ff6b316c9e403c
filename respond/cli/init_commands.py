"""The commands that create respond's identities with the least permissions: a script for a person to read and run.

    https://learn.microsoft.com/graph/permissions-grant-via-msgraph
    https://learn.microsoft.com/azure/role-based-access-control/role-assignments-cli

Ids of permissions are not written down here: each command looks its own up, by name, in the tenant that it is for.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from respond.clients.clouds import CLOUDS
from respond.doctor.needs import DANGEROUS, is_graph, is_read, is_write
from respond.settings import Cloud

if TYPE_CHECKING:
    from respond.doctor.declared import Need

Needed = Mapping[str, "Sequence[Need]"]

_MICROSOFT_GRAPH = "00000003-0000-0000-c000-000000000000"
_AZ_CLOUDS = {
    Cloud.PUBLIC: "AzureCloud",
    Cloud.USGOV: "AzureUSGovernment",
    Cloud.USGOV_DOD: "AzureUSGovernment",
    Cloud.CHINA: "AzureChinaCloud",
}
_MOST_NAMES = 4


@dataclass(frozen=True)
class Plan:
    """What is to be set up.

    Attributes:
        identity: `managed`, `certificate` or `cli`.
        writes: whether a second identity is created, for containing.
        directory: of the configuration.
    """

    tenant_id: str
    workspace_id: str
    cloud: Cloud
    identity: str
    writes: bool
    directory: Path

    def certificate(self, name: str) -> Path:
        """Where the certificate of an identity is kept with its key."""
        return self.directory / f"{name}.pem"


def script(plan: Plan, needed: Needed, *, apart: Collection[str] = ()) -> str:
    """All of it, for a POSIX shell.

    Args:
        needed: permission -> the actions that need it.
        apart: those of them that are optional: listed, and not granted.
    """
    granted = {permission: why for permission, why in needed.items() if permission not in apart}
    lines = [*_opening(plan), *_identity(plan, "read", "READ")]
    if plan.writes:
        lines += _identity(plan, "write", "WRITE")
    if plan.identity != "cli":
        lines += ["", "# A new identity is not known everywhere at once.", "sleep 60"]
    lines += _grants(plan, granted, "read", "READ", is_read)
    if plan.writes:
        lines += _grants(plan, granted, "write", "WRITE", is_write)
        lines += _optional({permission: needed[permission] for permission in sorted(apart)})
    return "\n".join([*lines, *_closing(plan)]) + "\n"


def _opening(plan: Plan) -> Iterator[str]:
    what = "for reading (plan) and for containing" if plan.writes else "for reading (plan) only"
    yield "#!/bin/sh"
    yield f"# Creates respond's identities in tenant {plan.tenant_id}, {what}."
    yield "# Needs the Azure CLI, and somebody who is Privileged Role Administrator and Owner of the workspace."
    yield "set -eu"
    yield "umask 077"
    yield ""
    yield _command("az", "cloud", "set", "--name", _AZ_CLOUDS[plan.cloud])
    yield _command("az", "login", "--tenant", plan.tenant_id)
    yield "# If the workspace is in another subscription than the first: az account set --subscription NAME"
    wanted = f"[?customerId=='{plan.workspace_id}'].id | [0]"
    yield f'WORKSPACE=$(az monitor log-analytics workspace list --query "{wanted}" --output tsv)'
    yield 'test -n "$WORKSPACE" || { echo "no such workspace in this subscription" >&2; exit 1; }'
    if plan.identity == "cli":
        return
    yield _kept("GRAPH", "az", "ad", "sp", "show", "--id", _MICROSOFT_GRAPH, "--query", "id")
    yield ""
    yield "# grant PRINCIPAL PERMISSION: an application permission of Microsoft Graph, with admin consent."
    yield "grant() {"
    lookup = "--query \"appRoles[?value=='$2'].id | [0]\" --output tsv"
    yield f"  role=$(az ad sp show --id {_MICROSOFT_GRAPH} {lookup})"
    url = f"{CLOUDS[plan.cloud].graph}/v1.0/servicePrincipals/$1/appRoleAssignments"
    yield f'  az rest --method POST --url "{url}" --headers Content-Type=application/json \\'
    yield r'    --body "{\"principalId\": \"$1\", \"resourceId\": \"$GRAPH\", \"appRoleId\": \"$role\"}"'
    yield "}"


def _identity(plan: Plan, name: str, variable: str) -> Iterator[str]:
    """`$READ` is the object id of the identity, `$READ_APP` its client id."""
    called = f"respond-{name}"
    yield ""
    yield f"# Who {'reads' if name == 'read' else 'writes'}."
    if plan.identity == "cli":
        yield "# Azure CLI's own application decides what of Microsoft Graph you reach; evidence beyond that is a gap."
        yield _kept(variable, "az", "ad", "signed-in-user", "show", "--query", "id")
    elif plan.identity == "managed":
        yield 'GROUP=$(az resource show --ids "$WORKSPACE" --query resourceGroup --output tsv)'
        made = f'--name {called} --resource-group "$GROUP"'
        yield f"{variable}_APP=$(az identity create {made} --query clientId --output tsv)"
        yield f"{variable}=$(az identity show {made} --query principalId --output tsv)"
    else:
        yield from _application(plan, called, variable)


def _application(plan: Plan, called: str, variable: str) -> Iterator[str]:
    pem = plan.certificate(called)
    key, public = str(pem.with_suffix(".key")), str(pem.with_suffix(".crt"))
    made = ("-x509", "-newkey", "rsa:3072", "-nodes", "-days", "365", "-subj", f"/CN={called}")
    yield _command("openssl", "req", *made, "-keyout", key, "-out", public)
    yield f"{_command('cat', key, public)} > {shlex.quote(str(pem))}"
    yield _command("rm", key)
    audience = ("--sign-in-audience", "AzureADMyOrg")
    yield _kept(f"{variable}_APP", "az", "ad", "app", "create", "--display-name", called, *audience, "--query", "appId")
    certificate = f"--cert {shlex.quote(f'@{public}')} --append"
    yield f'az ad app credential reset --id "${variable}_APP" {certificate} --output none'
    yield f'{variable}=$(az ad sp create --id "${variable}_APP" --query id --output tsv)'


def _grants(
    plan: Plan, needed: Needed, name: str, variable: str, wanted: Callable[[str, Sequence[Need]], bool]
) -> Iterator[str]:
    found = {permission: why for permission, why in needed.items() if wanted(permission, why)}
    yield ""
    yield f"# What it needs to {'read: this is enough for plans' if name == 'read' else 'contain'}."
    if plan.identity != "cli":
        for permission, why in found.items():
            if is_graph(permission):
                yield f'grant "${variable}" {shlex.quote(permission)}  # {_names(why)}'
        if name == "read":
            yield "# Optional; respond doctor then sees whether device code flow is blocked:"
            yield f'# grant "${variable}" Policy.Read.All'
    kind = "User" if plan.identity == "cli" else "ServicePrincipal"
    for role, why in found.items():
        if not is_graph(role):
            assignee = f'--assignee-object-id "${variable}" --assignee-principal-type {kind}'
            yield f"# {role}: {_names(why)}"
            yield f'az role assignment create {assignee} --role {shlex.quote(role)} --scope "$WORKSPACE"'


def _optional(apart: Needed) -> Iterator[str]:
    """Grants that reach far beyond respond, as comments."""
    if apart:
        yield "# Optional, and far-reaching. Without one its action fails when it is approved, and a person does it by"
        yield "# hand. Take the mark away from those that you want:"
    for permission, why in apart.items():
        yield f'# grant "$WRITE" {shlex.quote(permission)}  # {_names(why)}; it {DANGEROUS[permission]}'


def _closing(plan: Plan) -> Iterator[str]:
    file = plan.directory / "respond.toml"
    yield ""
    yield f"# Then write these into {shlex.quote(str(file))}; until then the environment says it."
    yield 'echo "[tenant] workspace_resource_id = \\"$WORKSPACE\\""'
    yield 'export RESPOND_TENANT__WORKSPACE_RESOURCE_ID="$WORKSPACE"'
    if plan.identity != "cli":
        for section, variable in (("read", "READ"), *([("write", "WRITE")] if plan.writes else [])):
            yield f'echo "[tenant.{section}] client_id = \\"${variable}_APP\\""'
            yield f'export RESPOND_TENANT__{variable}__CLIENT_ID="${variable}_APP"'
    if plan.identity == "managed":
        yield "# A managed identity works where it is assigned to: run this on that machine or container."
    yield ""
    yield _command("respond", "doctor", "--config", str(plan.directory))


def _command(*words: str) -> str:
    return shlex.join(words)


def _kept(variable: str, *words: str) -> str:
    return f"{variable}=$({_command(*words, '--output', 'tsv')})"


def _names(why: Sequence[Need]) -> str:
    names = sorted({need.action for need in why})
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
