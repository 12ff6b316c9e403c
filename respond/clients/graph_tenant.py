"""What the tenant has as a whole, in Microsoft Graph v1.0: licences, Conditional Access, groups and roles that exist.

    https://learn.microsoft.com/graph/api/subscribedsku-list
    https://learn.microsoft.com/graph/api/conditionalaccessroot-list-policies
    https://learn.microsoft.com/graph/api/application-get

Read only. Every method raises what `Graph.account` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from respond.clients.graph_rows import NoAnswer, Page, Row
from respond.models.tenant_facts import AccessPolicy, Credential

if TYPE_CHECKING:
    from respond.clients.graph_holdings import Wire

R = TypeVar("R", bound=Row)
_TEXT, _TIME = "text", "time"


class _Nested(Row):
    """An object with objects in it.

    Attributes:
        parts: property -> the object that it holds.
        many: property -> the objects that it holds.
        texts: properties that hold a list of texts.
    """

    parts: ClassVar[Mapping[str, type[Row]]] = {}
    many: ClassVar[Mapping[str, type[Row]]] = {}
    texts: ClassVar[tuple[str, ...]] = ()

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        for name, kind in self.parts.items():
            self._held[name] = None if value.get(name) is None else kind(value[name])
        for name, kind in self.many.items():
            self._held[name] = [kind(one) for one in _list_of(name, value)]
        for name in self.texts:
            self._held[name] = [str(one) for one in _list_of(name, value)]

    def part(self, name: str) -> Any:
        """What a property holds; None when Graph sent nothing."""
        return self._held.get(name)


def _list_of(name: str, value: Mapping[str, Any]) -> list[Any]:
    found = value.get(name) or []
    if not isinstance(found, list):
        raise NoAnswer(f"{name} is no list")
    return found


class _Named(Row):
    kinds: ClassVar[Mapping[str, str]] = {"id": _TEXT, "displayName": _TEXT}
    needs: ClassVar[tuple[str, ...]] = ("id",)


class _Plan(Row):
    kinds: ClassVar[Mapping[str, str]] = {"servicePlanName": _TEXT, "provisioningStatus": _TEXT}


class _Sku(_Nested):
    kinds: ClassVar[Mapping[str, str]] = {"skuPartNumber": _TEXT, "capabilityStatus": _TEXT}
    many: ClassVar[Mapping[str, type[Row]]] = {"servicePlans": _Plan}


class _Skus(Page):
    of: ClassVar[type[Row]] = _Sku


class _Users(_Nested):
    texts: ClassVar[tuple[str, ...]] = ("includeUsers", "excludeUsers", "excludeGroups", "excludeRoles")


class _Applications(_Nested):
    texts: ClassVar[tuple[str, ...]] = ("includeApplications",)


class _Flows(Row):
    kinds: ClassVar[Mapping[str, str]] = {"transferMethods": _TEXT}


class _Conditions(_Nested):
    parts: ClassVar[Mapping[str, type[Row]]] = {
        "users": _Users,
        "applications": _Applications,
        "authenticationFlows": _Flows,
    }


class _Grant(_Nested):
    texts: ClassVar[tuple[str, ...]] = ("builtInControls",)


class _Policy(_Nested):
    kinds: ClassVar[Mapping[str, str]] = {"displayName": _TEXT, "state": _TEXT}
    parts: ClassVar[Mapping[str, type[Row]]] = {"conditions": _Conditions, "grantControls": _Grant}


class _Policies(Page):
    of: ClassVar[type[Row]] = _Policy


class _Credential(Row):
    kinds: ClassVar[Mapping[str, str]] = {"displayName": _TEXT, "endDateTime": _TIME}
    needs: ClassVar[tuple[str, ...]] = ("endDateTime",)


class _Application(_Nested):
    sent: ClassVar[tuple[str, ...]] = ("keyCredentials", "passwordCredentials")
    many: ClassVar[Mapping[str, type[Row]]] = {"keyCredentials": _Credential, "passwordCredentials": _Credential}


class TenantFacts:
    """Questions about the tenant that no case asks."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def plans(self) -> frozenset[str]:
        """GET /subscribedSkus: names of the service plans that are in force."""
        rows = await self._list(self._wire.sdk.subscribed_skus, _Skus, "licences")
        live = (row for row in rows if isinstance(row, _Sku) and row.text("capabilityStatus") in ("Enabled", "Warning"))
        plans = (plan for row in live for plan in row.part("servicePlans") or [])
        return frozenset(plan.text("servicePlanName") for plan in plans if plan.text("provisioningStatus") == "Success")

    async def access_policies(self) -> list[AccessPolicy]:
        """GET /identity/conditionalAccess/policies."""
        builder = self._wire.sdk.identity.conditional_access.policies
        rows = await self._list(builder, _Policies, "Conditional Access policies")
        return [_policy(row) for row in rows if isinstance(row, _Policy)]

    async def group(self, group_id: str) -> str:
        """GET /groups/{id}: its name.

        Raises:
            NotFound: there is no such group.
        """
        return await self._name(self._wire.sdk.groups.by_group_id(group_id), f"group {group_id}")

    async def role(self, role_id: str) -> str:
        """GET /roleManagement/directory/roleDefinitions/{id}: its name; of a built-in role the id is its template's.

        Raises:
            NotFound: there is no such role.
        """
        roles = self._wire.sdk.role_management.directory.role_definitions
        return await self._name(roles.by_unified_role_definition_id(role_id), f"role {role_id}")

    async def credentials(self, client_id: str) -> list[Credential]:
        """GET /applications(appId='…'): its certificates and secrets, expired ones as well.

        https://learn.microsoft.com/graph/api/application-get

        Raises:
            NotFound: the tenant has no such application.
        """
        builder = self._wire.sdk.applications_with_app_id(client_id)

        async def get() -> _Application:
            with self._wire.errors(f"application {client_id}"):
                return await self._wire.send(builder.to_get_request_information(), _Application)

        found = await self._wire.retried(get)
        kinds = {"keyCredentials": "certificate", "passwordCredentials": "secret"}
        return [
            Credential(kind=kind, name=row.text("displayName"), ends=ends)
            for name, kind in kinds.items()
            for row in found.part(name)
            if (ends := row.time("endDateTime"))
        ]

    async def _name(self, builder: Any, target: str) -> str:
        async def get() -> _Named:
            with self._wire.errors(target):
                return await self._wire.send(builder.to_get_request_information(), _Named)

        return (await self._wire.retried(get)).text("displayName")

    async def _list(self, builder: Any, kind: type[Page], target: str) -> list[Row]:
        async def get() -> list[Row]:
            with self._wire.errors(target):
                return await self._wire.pages(builder.to_get_request_information(), kind, builder.with_url)

        return await self._wire.retried(get)


def _policy(row: _Policy) -> AccessPolicy:
    conditions = row.part("conditions")
    users, applications, flows = (
        conditions.part(name) if conditions else None for name in ("users", "applications", "authenticationFlows")
    )
    grant = row.part("grantControls")
    excluded = ("excludeUsers", "excludeGroups", "excludeRoles")
    return AccessPolicy(
        name=row.text("displayName"),
        state=row.text("state"),
        blocks="block" in ((grant.part("builtInControls") if grant else None) or []),
        flows=tuple(flows.text("transferMethods").split(",")) if flows else (),
        everybody="All" in ((users.part("includeUsers") if users else None) or []),
        everything="All" in ((applications.part("includeApplications") if applications else None) or []),
        excluded=sum(len(users.part(name) or []) for name in excluded) if users else 0,
    )
