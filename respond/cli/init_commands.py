"""The commands that create respond's identities with the least permissions: a script for a person to read and run.

    https://learn.microsoft.com/graph/permissions-grant-via-msgraph
    https://learn.microsoft.com/graph/api/application-upsert
    https://learn.microsoft.com/azure/role-based-access-control/role-assignments-cli
    https://learn.microsoft.com/entra/workload-id/workload-identity-federation

The script can be run again at any time, also after it was interrupted: each step looks first and adds what is missing.
Ids of permissions are not written down here; the script looks them up by name, in the tenant that it is for.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from respond.clients.clouds import CLOUDS
from respond.doctor.needs import DANGEROUS, is_graph, is_read, is_write
from respond.settings import Cloud, IdentityKind

if TYPE_CHECKING:
    from respond.doctor.declared import Need

Needed = Mapping[str, "Sequence[Need]"]

FIRST_LINES = "#!/bin/sh\n# Written by respond init"
"""How each script begins."""

_FUNCTIONS = Path(__file__).with_name("setup_functions.sh")
_MICROSOFT_GRAPH = "00000003-0000-0000-c000-000000000000"
_AZ_CLOUDS = {
    Cloud.PUBLIC: "AzureCloud",
    Cloud.USGOV: "AzureUSGovernment",
    Cloud.USGOV_DOD: "AzureUSGovernment",
    Cloud.CHINA: "AzureChinaCloud",
}
_AUDIENCES = {
    Cloud.PUBLIC: "api://AzureADTokenExchange",
    Cloud.USGOV: "api://AzureADTokenExchangeUSGov",
    Cloud.USGOV_DOD: "api://AzureADTokenExchangeUSGov",
    Cloud.CHINA: "api://AzureADTokenExchangeChina",
}
"""The audience of tokens of other issuers."""
_APPLICATIONS = (IdentityKind.CERTIFICATE, IdentityKind.WORKLOAD)
_MOST_NAMES = 4


@dataclass(frozen=True)
class Principal:
    """One of respond's identities.

    Attributes:
        role: `read` or `write`.
        name: of the application or managed identity; no other object has it.
        client_id: of the one that the settings name; empty: it is looked for by its name, and created.
        certificate: absolute path of the PEM file; None where there is none to be made.
    """

    role: str
    name: str
    client_id: str = ""
    certificate: Path | None = None

    @property
    def variable(self) -> str:
        """`$READ` is the object id of the service principal, `$READ_APP` the client id."""
        return self.role.upper()


@dataclass(frozen=True)
class Plan:
    """What is to be set up.

    Attributes:
        tenant_name: of `[tenants]`; empty where the configuration has one tenant.
        workspace_resource_id: Azure resource id of the workspace; empty: looked up by its id.
        principals: the identity that reads, and perhaps the one that writes.
        directory: of the configuration, absolute.
        resource_group: of managed identities; empty: that of the workspace.
        issuer: of the tokens of a workload, with their subject.
        renewed: whether the certificates are new ones beside those in use.
    """

    tenant_name: str
    tenant_id: str
    workspace_id: str
    workspace_resource_id: str
    cloud: Cloud
    kind: IdentityKind
    principals: tuple[Principal, ...]
    directory: Path
    resource_group: str = ""
    issuer: str = ""
    subject: str = ""
    renewed: bool = False


def script(plan: Plan, needed: Needed, *, apart: Collection[str] = ()) -> str:
    """All of it, for a POSIX shell.

    Args:
        needed: permission -> the actions that need it.
        apart: those of them that are optional: listed, and not granted.
    """
    granted = {permission: why for permission, why in needed.items() if permission not in apart}
    lines = [*_opening(plan), *_variables(plan), *_FUNCTIONS.read_text(encoding="utf-8").splitlines(), ""]
    lines += _announced(plan, granted)
    for principal in plan.principals:
        lines += _identity(plan, principal)
    for principal in plan.principals:
        lines += _grants(plan, principal, granted)
    if any(principal.role == "write" for principal in plan.principals):
        lines += _optional({permission: needed[permission] for permission in sorted(apart)})
    return "\n".join([*lines, *_closing(plan)]) + "\n"


def _roles(plan: Plan) -> str:
    """Who may run it."""
    if plan.kind is IdentityKind.CLI:
        return "Owner or User Access Administrator of the workspace"
    entra = "Privileged Role Administrator"
    if plan.kind in _APPLICATIONS:
        entra += " and Application Administrator"
    azure = "Owner or User Access Administrator of the workspace"
    if plan.kind is IdentityKind.MANAGED:
        azure += ", and Managed Identity Contributor of the resource group"
    return f"{entra} in Entra ID, and {azure}"


def _opening(plan: Plan) -> Iterator[str]:
    writes = any(principal.role == "write" for principal in plan.principals)
    what = "for reading (plan) and for containing" if writes else "for reading (plan) only"
    yield f"{FIRST_LINES}: creates respond's identities in tenant {plan.tenant_id},"
    yield f"# {what}. It says what it will create, and creates what is missing."
    yield "# It can be run again at any time, also after it was interrupted. Run it with: sh FILE"
    tools = "the Azure CLI and openssl" if plan.kind is IdentityKind.CERTIFICATE else "the Azure CLI"
    yield f"# Needs {tools}, and an account with these roles:"
    yield f"# {_roles(plan)}."
    yield "set -eu"
    yield "umask 077"
    yield ""


def _variables(plan: Plan) -> Iterator[str]:
    values = {
        "TENANT": plan.tenant_id,
        "TENANT_NAME": plan.tenant_name,
        "CLOUD": _AZ_CLOUDS[plan.cloud],
        "GRAPH_URL": CLOUDS[plan.cloud].graph,
        "CONFIG": str(plan.directory),
        "PYTHON": sys.executable,
        "NEEDED": _roles(plan),
        "WORKSPACE": plan.workspace_resource_id,
        "PRINCIPAL_TYPE": "User" if plan.kind is IdentityKind.CLI else "ServicePrincipal",
        "MISSING": "",
    }
    yield from (f"{name}={shlex.quote(value)}" for name, value in values.items())
    if plan.kind is IdentityKind.MANAGED:
        yield "# Resource group of the managed identities; empty: that of the workspace."
    yield f"GROUP={shlex.quote(plan.resource_group)}"
    yield "CERTIFICATE_PASSWORD=${CERTIFICATE_PASSWORD:-}"
    yield "export CERTIFICATE_PASSWORD"
    yield "WORK=$(mktemp -d)"
    yield "trap 'rm -rf \"$WORK\"' EXIT"
    yield ""


def _announced(plan: Plan, granted: Needed) -> Iterator[str]:
    yield "sign_in"
    yield f"find_workspace {plan.workspace_id}"
    yield ""
    yield 'say "In tenant $TENANT ($CLOUD) this creates, where it is missing:"'
    for principal in plan.principals:
        wanted = [name for name, why in granted.items() if _wants(principal)(name, why)]
        graph = sum(map(is_graph, wanted))
        roles = f"{len(wanted) - graph} role{'s' if len(wanted) - graph > 1 else ''} on the workspace"
        holds = roles if plan.kind is IdentityKind.CLI else f"{graph} permissions of Microsoft Graph, {roles}"
        if plan.kind is IdentityKind.CLI:
            yield f'say "  for the signed-in user: {holds}"'
        elif plan.kind is IdentityKind.MANAGED:
            place = "in resource group $GROUP of subscription $SUBSCRIPTION"
            yield f'say "  managed identity {principal.name} {place}: {holds}"'
        else:
            yield f'say "  application {principal.name}: {holds}"'
    yield 'say "  on workspace $WORKSPACE"'
    yield 'say "and writes their ids into $CONFIG/respond.toml. Your account needs: $NEEDED."'
    yield "agreed"
    if plan.kind is not IdentityKind.CLI:
        yield ""
        yield "# Microsoft Graph: its object id here, and the id of each permission by its name."
        found = f"servicePrincipals(appId='{_MICROSOFT_GRAPH}')?\\$select=id,appRoles"
        yield f'do_now "Microsoft Graph" graph GET "{found}" --query id --output tsv'
        yield "GRAPH=$out"
        yield f'do_now "Microsoft Graph" graph GET "{found}" --query "appRoles[].[value, id]" --output tsv'
        yield "ROLES=$out"


def _identity(plan: Plan, principal: Principal) -> Iterator[str]:
    variable = principal.variable
    yield ""
    yield f"# Who {'reads' if principal.role == 'read' else 'writes'}."
    if plan.kind is IdentityKind.CLI:
        yield "# Azure CLI's own application decides what of Microsoft Graph you reach; evidence beyond that is a gap."
        yield f"{variable}=$ME"
        return
    known = shlex.quote(principal.client_id)
    yield f"{'managed' if plan.kind is IdentityKind.MANAGED else 'application'} {principal.name} {known}"
    yield f"{variable}_APP=$app {variable}=$principal"
    if principal.certificate:
        yield _command("certificate", principal.name, str(principal.certificate))
    if plan.kind is IdentityKind.WORKLOAD:
        yield _command("federated", principal.name, plan.issuer, plan.subject, _AUDIENCES[plan.cloud])


def _grants(plan: Plan, principal: Principal, needed: Needed) -> Iterator[str]:
    found = {permission: why for permission, why in needed.items() if _wants(principal)(permission, why)}
    reads = principal.role == "read"
    variable = f'"${principal.variable}"'
    yield ""
    yield f"# What it needs to {'read: this is enough for plans' if reads else 'contain'}."
    if plan.kind is not IdentityKind.CLI:
        yield f"held_by {variable}"
        for permission, why in found.items():
            if is_graph(permission):
                yield f"grant {variable} {shlex.quote(permission)}  # {_names(why)}"
        if reads:
            yield "# Optional; respond doctor then sees whether device code flow is blocked:"
            yield f"# grant {variable} Policy.Read.All"
    for role, why in found.items():
        if not is_graph(role):
            yield f"assign {variable} {shlex.quote(role)}  # {_names(why)}"


def _wants(principal: Principal) -> Callable[[str, Sequence[Need]], bool]:
    return is_read if principal.role == "read" else is_write


def _optional(apart: Needed) -> Iterator[str]:
    """Grants that reach far beyond respond, as comments."""
    if apart:
        yield "# Optional, and far-reaching. Without one its action fails when it is approved, and a person does it by"
        yield "# hand. Take the mark away from those that you want:"
    for permission, why in apart.items():
        yield f'# grant "$WRITE" {shlex.quote(permission)}  # {_names(why)}; it {DANGEROUS[permission]}'


def _closing(plan: Plan) -> Iterator[str]:
    yield ""
    filled = ['"tenant.workspace_resource_id=$WORKSPACE"']
    if plan.kind is not IdentityKind.CLI:
        filled += [f'"tenant.{one.role}.client_id=${one.variable}_APP"' for one in plan.principals]
    if plan.renewed:
        new = ((one.role, one.certificate) for one in plan.principals)
        filled += [shlex.quote(f"tenant.{role}.certificate={file}") for role, file in new]
        yield "# The certificates that respond.toml names until now stay registered and valid."
    yield f"fill {'--force ' if plan.renewed else ''}{' '.join(f'--fill {pair}' for pair in filled)}"
    if plan.renewed:
        yield 'say "Restart the service. When respond doctor shows no error, remove the old certificate from the"'
        yield 'say "application (Entra ID, App registrations, Certificates & secrets) and delete its file."'
    yield f"say {shlex.quote(_where_next(plan))}"
    named = f" --tenant {plan.tenant_name}" if plan.tenant_name else ""
    yield f"""say "  respond doctor{named} --config '$CONFIG'\""""
    yield 'if [ -n "$MISSING" ]; then stop "everything else is done; this cloud does not have:$MISSING"; fi'


def _where_next(plan: Plan) -> str:
    soon = "Roles on the workspace take up to an hour to be seen"
    if plan.kind is IdentityKind.MANAGED:
        return f"{soon}. Assign the identities to the machine or container that respond runs on, and there run:"
    if plan.kind is IdentityKind.WORKLOAD:
        audience = _AUDIENCES[plan.cloud]
        return f"{soon}. In the pod of {plan.subject}, with a token for {audience}, run:"
    return f"{soon}. Then run:"


def _command(*words: str) -> str:
    return shlex.join(words)


def _names(why: Sequence[Need]) -> str:
    names = sorted({need.action for need in why})
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
