"""What we read of Graph's objects. The SDK's own models load a thousand modules for one user, and take 15 ms a user.

The requests are the SDK's (`to_get_request_information`), and so is the reading (kiota's JSON nodes): only the objects
that it fills are ours, with the properties that we ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Self, TypeVar

from kiota_abstractions.serialization import Parsable, ParseNode, SerializationWriter

R = TypeVar("R", bound="Row")

_TEXT, _FLAG, _TIME = "get_str_value", "get_bool_value", "get_datetime_value"


class Row(Parsable):
    """One object; a property that Graph did not send is None.

    Attributes:
        kinds: the properties that are kept, and which method of the node reads each.
    """

    kinds: ClassVar[Mapping[str, str]] = {}

    def __init__(self) -> None:
        self._held: dict[str, Any] = {}
        self.additional_data: dict[str, Any] = {}

    @classmethod
    def create_from_discriminator_value(cls, _node: ParseNode) -> Self:
        """What kiota calls for a new object."""
        return cls()

    def get_field_deserializers(self) -> dict[str, Callable[[ParseNode], None]]:
        return {name: self._keeper(name, reader) for name, reader in self.kinds.items()}

    def serialize(self, writer: SerializationWriter) -> None:  # noqa: ARG002 - kiota's signature
        raise TypeError("rows are read, never sent")

    def text(self, name: str) -> str:
        """A text, or an empty one."""
        return str(self._held.get(name) or "")

    def flag(self, name: str) -> bool | None:
        value = self._held.get(name)
        return value if isinstance(value, bool) else None

    def time(self, name: str) -> datetime | None:
        """A time in UTC."""
        value = self._held.get(name)
        return value.astimezone(UTC) if isinstance(value, datetime) else None

    def _keeper(self, name: str, reader: str) -> Callable[[ParseNode], None]:
        def keep(node: ParseNode) -> None:
            self._held[name] = getattr(node, reader)()

        return keep


class UserRow(Row):
    """https://learn.microsoft.com/graph/api/resources/user"""  # noqa: D415 - a link

    kinds: ClassVar[Mapping[str, str]] = {
        "id": _TEXT,
        "userPrincipalName": _TEXT,
        "displayName": _TEXT,
        "mail": _TEXT,
        "userType": _TEXT,
        "accountEnabled": _FLAG,
        "onPremisesSyncEnabled": _FLAG,
        "signInSessionsValidFromDateTime": _TIME,
    }


class MemberRow(Row):
    """A group or a directory role that somebody is in; `@odata.type` says which."""

    kinds: ClassVar[Mapping[str, str]] = {
        "@odata.type": _TEXT,
        "id": _TEXT,
        "displayName": _TEXT,
        "roleTemplateId": _TEXT,
    }


class RiskRow(Row):
    """https://learn.microsoft.com/graph/api/resources/riskyuser"""  # noqa: D415 - a link

    kinds: ClassVar[Mapping[str, str]] = {"riskLevel": _TEXT, "riskState": _TEXT, "riskLastUpdatedDateTime": _TIME}


class Page(Row):
    """One page of a collection, and where the next one is."""

    of: ClassVar[type[Row]] = Row
    kinds: ClassVar[Mapping[str, str]] = {"@odata.nextLink": _TEXT}

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Row] = []

    def get_field_deserializers(self) -> dict[str, Callable[[ParseNode], None]]:
        def keep(node: ParseNode) -> None:
            self.rows = list(node.get_collection_of_object_values(self.of) or [])

        return {**super().get_field_deserializers(), "value": keep}


class UserPage(Page):
    of: ClassVar[type[Row]] = UserRow


class MemberPage(Page):
    of: ClassVar[type[Row]] = MemberRow


class DeviceRow(Row):
    """https://learn.microsoft.com/graph/api/resources/device"""  # noqa: D415 - a link

    kinds: ClassVar[Mapping[str, str]] = {
        "@odata.type": _TEXT,
        "id": _TEXT,
        "deviceId": _TEXT,
        "displayName": _TEXT,
        "accountEnabled": _FLAG,
        "registrationDateTime": _TIME,
        "operatingSystem": _TEXT,
    }


class MethodRow(Row):
    """https://learn.microsoft.com/graph/api/resources/authenticationmethod"""  # noqa: D415 - a link

    kinds: ClassVar[Mapping[str, str]] = {
        "@odata.type": _TEXT,
        "id": _TEXT,
        "displayName": _TEXT,
        "phoneNumber": _TEXT,
        "emailAddress": _TEXT,
        "createdDateTime": _TIME,
    }


class GrantRow(Row):
    """https://learn.microsoft.com/graph/api/resources/oauth2permissiongrant"""  # noqa: D415 - a link

    kinds: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("id", "clientId", "consentType", "principalId", "resourceId", "scope"), _TEXT
    )


class RuleRow(Row):
    """https://learn.microsoft.com/graph/api/resources/messagerule"""  # noqa: D415 - a link

    kinds: ClassVar[Mapping[str, str]] = {
        "id": _TEXT,
        "displayName": _TEXT,
        "isEnabled": _FLAG,
        "isReadOnly": _FLAG,
    }


class AssignmentRow(Row):
    """https://learn.microsoft.com/graph/api/resources/unifiedroleassignment"""  # noqa: D415 - a link

    kinds: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("id", "principalId", "roleDefinitionId", "directoryScopeId"), _TEXT
    )


class KeyRow(Row):
    """https://learn.microsoft.com/graph/api/resources/passwordcredential, and keycredential."""

    kinds: ClassVar[Mapping[str, str]] = {"keyId": _TEXT, "displayName": _TEXT, "startDateTime": _TIME}


class ApplicationRow(Row):
    """https://learn.microsoft.com/graph/api/resources/serviceprincipal, and application."""

    kinds: ClassVar[Mapping[str, str]] = {
        "id": _TEXT,
        "appId": _TEXT,
        "displayName": _TEXT,
        "accountEnabled": _FLAG,
    }

    def __init__(self) -> None:
        super().__init__()
        self.passwords: list[KeyRow] = []
        self.certificates: list[KeyRow] = []

    def get_field_deserializers(self) -> dict[str, Callable[[ParseNode], None]]:
        def passwords(node: ParseNode) -> None:
            self.passwords = list(node.get_collection_of_object_values(KeyRow) or [])

        def certificates(node: ParseNode) -> None:
            self.certificates = list(node.get_collection_of_object_values(KeyRow) or [])

        lists = {"passwordCredentials": passwords, "keyCredentials": certificates}
        return {**super().get_field_deserializers(), **lists}


class DevicePage(Page):
    of: ClassVar[type[Row]] = DeviceRow


class MethodPage(Page):
    of: ClassVar[type[Row]] = MethodRow


class GrantPage(Page):
    of: ClassVar[type[Row]] = GrantRow


class RulePage(Page):
    of: ClassVar[type[Row]] = RuleRow


class AssignmentPage(Page):
    of: ClassVar[type[Row]] = AssignmentRow
