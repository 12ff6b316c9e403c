"""What hangs on an account in Microsoft Graph v1.0: read it, and take away what an attacker added.

The paths are the SDK's builders'; bodies are a property or two, so none of the SDK's models is loaded for them.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pydantic import JsonValue

from respond.clients.graph_rows import (
    DevicePage,
    DeviceRow,
    GrantPage,
    GrantRow,
    MethodPage,
    Page,
    Row,
    RulePage,
    RuleRow,
)
from respond.errors import Permanent, Service, Transient
from respond.models.holdings import Device, Grant, Method, Rule
from respond.models.report import Request

if TYPE_CHECKING:
    from kiota_abstractions.request_information import RequestInformation

R = TypeVar("R", bound=Row)
T = TypeVar("T")
Body = Mapping[str, JsonValue]

EXTERNAL = "externalAuthenticationMethod"
"""A method of another provider's: its registration is a reference, and deleted as one."""
METHODS = {
    "emailAuthenticationMethod": ("email_methods", "by_email_authentication_method_id"),
    EXTERNAL: ("external_authentication_methods", "by_external_authentication_method_id"),
    "fido2AuthenticationMethod": ("fido2_methods", "by_fido2_authentication_method_id"),
    "microsoftAuthenticatorAuthenticationMethod": (
        "microsoft_authenticator_methods",
        "by_microsoft_authenticator_authentication_method_id",
    ),
    "phoneAuthenticationMethod": ("phone_methods", "by_phone_authentication_method_id"),
    "platformCredentialAuthenticationMethod": (
        "platform_credential_methods",
        "by_platform_credential_authentication_method_id",
    ),
    "softwareOathAuthenticationMethod": ("software_oath_methods", "by_software_oath_authentication_method_id"),
    "temporaryAccessPassAuthenticationMethod": (
        "temporary_access_pass_methods",
        "by_temporary_access_pass_authentication_method_id",
    ),
    "windowsHelloForBusinessAuthenticationMethod": (
        "windows_hello_for_business_methods",
        "by_windows_hello_for_business_authentication_method_id",
    ),
}
"""Where each sort of method is deleted: https://learn.microsoft.com/graph/api/resources/authenticationmethods-overview"""

_COUNT_HOLDS = 3600.0
_PASSWORD = "passwordAuthenticationMethod"  # noqa: S105 - a type's name


class Wire(Protocol):
    """How requests of the SDK are sent, with our errors and our retries."""

    sdk: Any

    def errors(self, target: str) -> AbstractContextManager[None]: ...

    async def retried(self, call: Callable[[], Awaitable[T]], *, is_write: bool = False) -> T: ...

    async def send(self, request: RequestInformation, kind: type[R]) -> R: ...

    async def send_write(self, request: RequestInformation) -> None: ...

    async def pages(
        self, request: RequestInformation, kind: type[Page], further: Callable[[str], Any]
    ) -> list[Row]: ...


class Holdings:
    """Devices, methods, consents and rules of users.

    Every reading method raises what `Graph.account` does; every writing one `Unanswered` when the answer was lost.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._counted: tuple[float, int] | None = None

    async def devices(self, user_id: str) -> list[Device]:
        """GET /users/{id}/registeredDevices and /ownedDevices: each device once.

        https://learn.microsoft.com/graph/api/user-list-registereddevices
        """
        user = self._wire.sdk.users.by_user_id(user_id)
        lists = await asyncio.gather(
            self._list(user.registered_devices, DevicePage, f"user {user_id}"),
            self._list(user.owned_devices, DevicePage, f"user {user_id}"),
        )
        rows = (row for rows in lists for row in rows)
        found = {row.text("id"): read_device(row) for row in rows if row.text("@odata.type") in ("", _DEVICE)}
        return list(found.values())

    async def device(self, object_id: str) -> Device:
        """GET /devices/{object id}; https://learn.microsoft.com/graph/api/device-get.

        Raises:
            NotFound: it does not exist (any more).
        """
        return read_device(await self._get(self._wire.sdk.devices.by_device_id(object_id), DeviceRow, "device"))

    async def methods(self, user_id: str) -> list[Method]:
        """GET /users/{id}/authentication/methods, without the password.

        https://learn.microsoft.com/graph/api/authentication-list-methods
        """
        builder = self._wire.sdk.users.by_user_id(user_id).authentication.methods
        rows = await self._list(builder, MethodPage, f"user {user_id}")
        return [one for one in map(_method, rows) if one.type != _PASSWORD]

    async def grants(self, user_id: str) -> list[Grant]:
        """GET /users/{id}/oauth2PermissionGrants: what the user consented to for themselves.

        https://learn.microsoft.com/graph/api/user-list-oauth2permissiongrants
        """
        builder = self._wire.sdk.users.by_user_id(user_id).oauth2_permission_grants
        return [read_grant(row) for row in await self._list(builder, GrantPage, f"user {user_id}")]

    async def grant(self, grant_id: str) -> dict[str, JsonValue]:
        """GET /oauth2PermissionGrants/{id}: as a later POST would need it.

        Raises:
            NotFound: it does not exist (any more).
        """
        row = await self._get(self._grant(grant_id), GrantRow, "consent")
        names = ("clientId", "consentType", "principalId", "resourceId", "scope")
        return {name: row.text(name) or None for name in names}

    async def rules(self, user_id: str) -> list[Rule]:
        """GET /users/{id}/mailFolders/inbox/messageRules; https://learn.microsoft.com/graph/api/mailfolder-list-messagerules."""
        return [_rule(row) for row in await self._list(self._rules(user_id), RulePage, f"mailbox of {user_id}")]

    async def rule(self, user_id: str, rule_id: str) -> Rule:
        """GET …/messageRules/{id}.

        Raises:
            NotFound: it does not exist (any more).
        """
        return _rule(await self._get(self._rules(user_id).by_message_rule_id(rule_id), RuleRow, "inbox rule"))

    async def count_users(self) -> int:
        """GET /users/$count, as it was within the last hour; https://learn.microsoft.com/graph/aad-advanced-queries."""
        if self._counted and time.monotonic() - self._counted[0] < _COUNT_HOLDS:
            return self._counted[1]

        async def get() -> int:
            with self._wire.errors("users"):
                request = self._wire.sdk.users.count.to_get_request_information()
                request.headers.try_add("ConsistencyLevel", "eventual")
                count = await self._wire.sdk.request_adapter.send_primitive_async(request, "int", {})
            if not isinstance(count, int) or isinstance(count, bool) or count < 1:
                raise Transient("users: Graph answered without a number of them", service=Service.GRAPH)
            return count

        count = await self._wire.retried(get)
        self._counted = (time.monotonic(), count)
        return count

    # What a rung sends. Each is a request first, so that a dry run can show it.

    def revoke(self, user_id: str) -> RequestInformation:
        """POST /users/{id}/revokeSignInSessions; any 2xx is an answer, its body says nothing more.

        https://learn.microsoft.com/graph/api/user-revokesigninsessions
        """
        return made("POST", self._wire.sdk.users.by_user_id(user_id).revoke_sign_in_sessions)

    def set_account(self, user_id: str, *, enabled: bool) -> RequestInformation:
        """PATCH /users/{id}; https://learn.microsoft.com/graph/api/user-update."""
        return made("PATCH", self._wire.sdk.users.by_user_id(user_id), {"accountEnabled": enabled})

    def set_device(self, object_id: str, *, enabled: bool) -> RequestInformation:
        """PATCH /devices/{object id}; https://learn.microsoft.com/graph/api/device-update."""
        return made("PATCH", self._wire.sdk.devices.by_device_id(object_id), {"accountEnabled": enabled})

    def set_rule(self, user_id: str, rule_id: str, *, enabled: bool) -> RequestInformation:
        """PATCH …/messageRules/{id}; https://learn.microsoft.com/graph/api/messagerule-update."""
        return made("PATCH", self._rules(user_id).by_message_rule_id(rule_id), {"isEnabled": enabled})

    def delete_method(self, user_id: str, kind: str, method_id: str) -> RequestInformation:
        """DELETE …/authentication/{type}Methods/{id}.

        Raises:
            Permanent: Graph deletes no method of this type.
        """
        if kind not in METHODS:
            raise Permanent(f"authentication method {method_id}: Graph has no way to delete a {kind}; a person has to")
        collection, by_id = METHODS[kind]
        builder = getattr(self._wire.sdk.users.by_user_id(user_id).authentication, collection)
        return made("DELETE", getattr(builder, by_id)(method_id), below="/$ref" if kind == EXTERNAL else "")

    def delete_grant(self, grant_id: str) -> RequestInformation:
        """DELETE /oauth2PermissionGrants/{id}; https://learn.microsoft.com/graph/api/oauth2permissiongrant-delete."""
        return made("DELETE", self._grant(grant_id))

    def make_grant(self, body: Body) -> RequestInformation:
        """POST /oauth2PermissionGrants; https://learn.microsoft.com/graph/api/oauth2permissiongrant-post."""
        return made("POST", self._wire.sdk.oauth2_permission_grants, body)

    def confirm_user(self, user_id: str) -> RequestInformation:
        """POST /identityProtection/riskyUsers/confirmCompromised.

        https://learn.microsoft.com/graph/api/riskyuser-confirmcompromised
        """
        builder = self._wire.sdk.identity_protection.risky_users.confirm_compromised
        return made("POST", builder, {"userIds": [user_id]})

    def dismiss_user(self, user_id: str) -> RequestInformation:
        """POST /identityProtection/riskyUsers/dismiss; https://learn.microsoft.com/graph/api/riskyuser-dismiss."""
        return made("POST", self._wire.sdk.identity_protection.risky_users.dismiss, {"userIds": [user_id]})

    def confirm_sign_ins(self, ids: tuple[str, ...]) -> RequestInformation:
        """POST /auditLogs/signIns/confirmCompromised; https://learn.microsoft.com/graph/api/signin-confirmcompromised."""
        return made("POST", self._wire.sdk.audit_logs.sign_ins.confirm_compromised, {"requestIds": list(ids)})

    def send_mail(self, sender: str, message: Body) -> RequestInformation:
        """POST /users/{id or UPN}/sendMail; https://learn.microsoft.com/graph/api/user-sendmail."""
        body: Body = {"message": dict(message), "saveToSentItems": True}
        return made("POST", self._wire.sdk.users.by_user_id(sender).send_mail, body)

    async def send(self, request: RequestInformation, *, about: str) -> None:
        """Send one of these.

        Raises:
            Unanswered: it was sent, and no answer came.
        """

        async def write() -> None:
            with self._wire.errors(about):
                await self._wire.send_write(request)

        await self._wire.retried(write, is_write=True)

    def _rules(self, user_id: str) -> Any:
        return self._wire.sdk.users.by_user_id(user_id).mail_folders.by_mail_folder_id("inbox").message_rules

    def _grant(self, grant_id: str) -> Any:
        return self._wire.sdk.oauth2_permission_grants.by_o_auth2_permission_grant_id(grant_id)

    async def _list(self, builder: Any, kind: type[Page], target: str) -> list[Row]:
        async def get() -> list[Row]:
            with self._wire.errors(target):
                return await self._wire.pages(builder.to_get_request_information(), kind, builder.with_url)

        return await self._wire.retried(get)

    async def _get(self, builder: Any, kind: type[R], what: str) -> R:
        async def get() -> R:
            with self._wire.errors(what):
                return await self._wire.send(builder.to_get_request_information(), kind)

        return await self._wire.retried(get)


def shown(request: RequestInformation) -> Request:
    """A request as people see it."""
    body = json.loads(request.content) if request.content else None
    return Request(method=str(request.http_method.value if request.http_method else ""), url=request.url, body=body)


def made(method: str, builder: Any, body: Body | None = None, *, below: str = "") -> RequestInformation:
    """A request to what a builder of the SDK stands for.

    Args:
        below: what comes after its path, where the SDK has no builder for it.
    """
    from kiota_abstractions.method import Method as Verb
    from kiota_abstractions.request_information import RequestInformation

    path = {"baseurl": builder.request_adapter.base_url, **builder.path_parameters}
    template = builder.url_template.partition("{?")[0] + below if below else builder.url_template
    request = RequestInformation(Verb[method], template, path)
    request.headers.try_add("Accept", "application/json")
    if body is not None:
        request.set_stream_content(json.dumps(dict(body)).encode(), "application/json")
    return request


_DEVICE = "#microsoft.graph.device"


def read_device(row: Row) -> Device:
    """A device as Graph lists it."""
    return Device(
        id=row.text("id"),
        device_id=row.text("deviceId"),
        name=row.text("displayName"),
        enabled=row.flag("accountEnabled"),
        registered=row.time("registrationDateTime"),
        system=row.text("operatingSystem"),
    )


def _method(row: Row) -> Method:
    kind = row.text("@odata.type").removeprefix("#microsoft.graph.")
    label = row.text("displayName") or row.text("phoneNumber") or row.text("emailAddress") or row.text("id")
    words = kind.removesuffix("AuthenticationMethod") or "method"
    return Method(id=row.text("id"), type=kind, label=f"{words} {label}", created=row.time("createdDateTime"))


def read_grant(row: Row) -> Grant:
    """A delegated permission grant."""
    return Grant(
        id=row.text("id"),
        client=row.text("clientId"),
        resource=row.text("resourceId"),
        scope=row.text("scope"),
        everyone=row.text("consentType") == "AllPrincipals",
        principal=row.text("principalId"),
    )


def _rule(row: Row) -> Rule:
    return Rule(
        id=row.text("id"),
        name=row.text("displayName"),
        enabled=row.flag("isEnabled") is not False,
        read_only=bool(row.flag("isReadOnly")),
    )
