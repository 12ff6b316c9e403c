"""What an attacker adds beside the account, in Microsoft Graph v1.0: applications, their keys, roles, devices by id.

Read by the ids that the logs name, and taken away again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from respond.clients.graph_holdings import Body, Wire, made, read_device, read_grant
from respond.clients.graph_rows import (
    ApplicationRow,
    AssignmentPage,
    AssignmentRow,
    DeviceRow,
    GrantPage,
    Page,
    R,
    Row,
    quoted,
)
from respond.errors import NotFound, Service, Transient
from respond.models.holdings import Application, Assignment, Device, Grant, Key

if TYPE_CHECKING:
    from kiota_abstractions.request_information import RequestInformation

    from respond.models.ladder import Step

_ROLES = "roleManagement/directory/roleAssignments"


class AddedObjects:
    """Objects of the directory by their ids.

    Every reading method raises what `Graph.account` does.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def device(self, number: str) -> Device | None:
        """GET /devices/{object id}, or /devices(deviceId='…'): logs name the one or the other; None: neither exists.

        https://learn.microsoft.com/graph/api/device-get
        """
        sdk, about = self._wire.sdk, f"device {number}"
        for builder in (sdk.devices.by_device_id(number), _alone(sdk.devices_with_device_id(number))):
            if row := await self._found(builder, DeviceRow, about):
                return read_device(row)
        await self._doubt(number, about)
        return None

    async def application(self, number: str) -> Application | None:
        """The application with this id of a service principal, client id, or id of an application; None: there is none.

        https://learn.microsoft.com/graph/api/serviceprincipal-get
        https://learn.microsoft.com/graph/api/application-get
        """
        sdk, about = self._wire.sdk, f"application {number}"
        by_client = _alone(sdk.service_principals_with_app_id(number))
        builders = (sdk.service_principals.by_service_principal_id(number), by_client)
        principal = await self._first(builders, about)
        client = principal.text("appId") if principal else ""
        by_client = _alone(sdk.applications_with_app_id(client or number))
        builders = (by_client, sdk.applications.by_application_id(number))
        registered = await self._first(builders, about)
        if registered and not principal and registered.text("appId"):
            by_client = _alone(sdk.service_principals_with_app_id(registered.text("appId")))
            principal = await self._found(by_client, ApplicationRow, about)
        if not principal and not registered:
            await self._doubt(number, about)
        return _application(principal, registered) if principal or registered else None

    async def principal(self, object_id: str) -> Application:
        """GET /servicePrincipals/{object id}.

        Raises:
            NotFound: it does not exist (any more).
        """
        builder = self._wire.sdk.service_principals.by_service_principal_id(object_id)
        row = await self._found(builder, ApplicationRow, f"service principal {object_id}")
        if row is None:
            raise NotFound(f"service principal {object_id}: Graph knows none of that id")
        return _application(row, None)

    async def keys(self, holder: str) -> tuple[Key, ...]:
        """Keys of `applications/{object id}` or `servicePrincipals/{object id}`.

        Raises:
            NotFound: the application does not exist (any more).
        """
        kind, _, number = holder.partition("/")
        sdk = self._wire.sdk
        builder = (
            sdk.applications.by_application_id(number)
            if kind == "applications"
            else sdk.service_principals.by_service_principal_id(number)
        )
        row = await self._found(builder, ApplicationRow, holder)
        if row is None:
            raise NotFound(f"{holder}: Graph knows no such application")
        return _keys(row, holder)

    async def grants(self, client: str) -> list[Grant]:
        """GET /oauth2PermissionGrants?$filter=clientId eq '…'; with those of other users, and of the whole tenant.

        https://learn.microsoft.com/graph/api/oauth2permissiongrant-list
        """
        rows = await self._filtered(
            self._wire.sdk.oauth2_permission_grants, "oauth2PermissionGrants", ("clientId", client), GrantPage
        )
        return [read_grant(row) for row in rows]

    async def assignments(self, principal: str) -> list[Assignment]:
        """GET /roleManagement/directory/roleAssignments?$filter=principalId eq '…'.

        https://learn.microsoft.com/graph/api/rbacapplication-list-roleassignments
        """
        builder = self._wire.sdk.role_management.directory.role_assignments
        rows = await self._filtered(builder, _ROLES, ("principalId", principal), AssignmentPage)
        return [_assignment(row) for row in rows]

    async def assignment(self, number: str) -> Assignment | None:
        """GET /roleManagement/directory/roleAssignments/{id}; None: it does not exist (any more)."""
        builder = self._wire.sdk.role_management.directory.role_assignments.by_unified_role_assignment_id(number)
        row = await self._found(builder, AssignmentRow, f"role assignment {number}")
        return _assignment(row) if row else None

    # What a rung sends.

    def delete_device(self, object_id: str) -> RequestInformation:
        """DELETE /devices/{object id}; https://learn.microsoft.com/graph/api/device-delete."""
        return made("DELETE", self._wire.sdk.devices.by_device_id(object_id))

    def set_principal(self, object_id: str, *, enabled: bool) -> RequestInformation:
        """PATCH /servicePrincipals/{object id}; https://learn.microsoft.com/graph/api/serviceprincipal-update."""
        builder = self._wire.sdk.service_principals.by_service_principal_id(object_id)
        return made("PATCH", builder, {"accountEnabled": enabled})

    def remove_password(self, step: Step) -> RequestInformation:
        """POST /applications/{id}/removePassword {"keyId"}, or the same of a service principal.

        https://learn.microsoft.com/graph/api/application-removepassword
        """
        kind, _, number = step.kind.partition("/")
        sdk = self._wire.sdk
        holder = (
            sdk.applications.by_application_id(number)
            if kind == "applications"
            else sdk.service_principals.by_service_principal_id(number)
        )
        return made("POST", holder.remove_password, {"keyId": step.object})

    def delete_assignment(self, number: str) -> RequestInformation:
        """DELETE /roleManagement/directory/roleAssignments/{id}.

        https://learn.microsoft.com/graph/api/unifiedroleassignment-delete
        """
        builder = self._wire.sdk.role_management.directory.role_assignments
        return made("DELETE", builder.by_unified_role_assignment_id(number))

    def make_assignment(self, body: Body) -> RequestInformation:
        """POST /roleManagement/directory/roleAssignments.

        https://learn.microsoft.com/graph/api/rbacapplication-post-roleassignments
        """
        return made("POST", self._wire.sdk.role_management.directory.role_assignments, body)

    async def _first(self, builders: tuple[Any, ...], about: str) -> ApplicationRow | None:
        for builder in builders:
            if row := await self._found(builder, ApplicationRow, about):
                return row
        return None

    async def _doubt(self, number: str, about: str) -> None:
        """An object is gone when the directory does not know its id either: replicas of one path come late.

        GET /directoryObjects/{id}; https://learn.microsoft.com/graph/api/directoryobject-get

        Raises:
            Transient: there is an object of that id.
        """
        builder = self._wire.sdk.directory_objects.by_directory_object_id(number)
        if await self._found(builder, Row, about):
            raise Transient(f"{about}: the directory has it, and its own path answers 404", service=Service.GRAPH)

    async def _found(self, builder: Any, kind: type[R], about: str) -> R | None:
        """One object; None where Graph says that it does not exist."""

        async def get() -> R | None:
            with self._wire.errors(about):
                return await self._wire.send(builder.to_get_request_information(), kind)

        try:
            return await self._wire.retried(get)
        except NotFound:
            return None

    async def _filtered(self, builder: Any, path: str, wanted: tuple[str, str], kind: type[Page]) -> list[Row]:
        """Those whose property has the value."""
        name, value = wanted
        condition = f"{name} eq {quoted(value)}"
        url = f"{builder.request_adapter.base_url}/{path}?$filter={quote(condition, safe='')}"

        async def get() -> list[Row]:
            with self._wire.errors(path):
                request = builder.with_url(url).to_get_request_information()
                return await self._wire.pages(request, kind, builder.with_url)

        return await self._wire.retried(get)


def _alone(builder: Any) -> Any:
    """The builder with parameters of its own: those made with a key share the client's, and the last key counts."""
    builder.path_parameters = dict(builder.path_parameters)
    return builder


def _application(principal: ApplicationRow | None, registered: ApplicationRow | None) -> Application:
    rows = [row for row in (principal, registered) if row is not None]
    ids = [value for row in rows for value in (row.text("id"), row.text("appId")) if value]
    holders = (("servicePrincipals", principal), ("applications", registered))
    return Application(
        ids=tuple(dict.fromkeys(one.lower() for one in ids)),
        principal=principal.text("id") if principal else "",
        name=next((row.text("displayName") for row in rows if row.text("displayName")), ""),
        enabled=principal.flag("accountEnabled") if principal else None,
        keys=tuple(key for kind, row in holders if row for key in _keys(row, f"{kind}/{row.text('id')}")),
    )


def _keys(row: ApplicationRow, holder: str) -> tuple[Key, ...]:
    listed = [(one, True) for one in row.passwords] + [(one, False) for one in row.certificates]
    return tuple(
        Key(
            id=one.text("keyId"),
            label=one.text("displayName"),
            holder=holder,
            is_secret=is_secret,
            start=one.time("startDateTime"),
        )
        for one, is_secret in listed
    )


def _assignment(row: Row) -> Assignment:
    return Assignment(
        id=row.text("id"),
        principal=row.text("principalId"),
        role=row.text("roleDefinitionId"),
        scope=row.text("directoryScopeId") or "/",
    )
