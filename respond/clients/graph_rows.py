"""What we read of Graph's objects, and what makes an answer one. The SDK's own models load a thousand modules.

The requests are the SDK's (`to_get_request_information`). Answers are read here, from their JSON, with the properties
that we ask for. An answer that lacks what it is asked for is no answer, never an object or a list with nothing in it:
no body, a page of a proxy, another service's JSON, a list without `value`, an object without its id, a property of
another type.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar

R = TypeVar("R", bound="Row")

_TEXT, _FLAG, _TIME = "text", "flag", "time"


def quoted(text: str) -> str:
    """A string of OData: a quote in it is written twice."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


class NoAnswer(ValueError):
    """What came is no answer; says what it lacks."""


class Row:
    """One object; a property that Graph did not send is None.

    Attributes:
        kinds: the properties that are kept, and what each is.
        needs: those without which there is no object.
        sent: those that have to be in the answer; they may be null.
    """

    kinds: ClassVar[Mapping[str, str]] = {}
    needs: ClassVar[tuple[str, ...]] = ()
    sent: ClassVar[tuple[str, ...]] = ()

    def __init__(self, value: Any) -> None:
        if not isinstance(value, dict):
            raise NoAnswer("an object is needed")
        self._held: dict[str, Any] = {}
        for name in self.sent:
            if name not in value:
                raise NoAnswer(f"there is no {name}")
        for name, kind in self.kinds.items():
            self._held[name] = _READERS[kind](name, value.get(name))
        for name in self.needs:
            if self._held[name] in (None, ""):
                raise NoAnswer(f"there is no {name}")

    def text(self, name: str) -> str:
        """A text, or an empty one."""
        return str(self._held.get(name) or "")

    def flag(self, name: str) -> bool | None:
        value = self._held.get(name)
        return value if isinstance(value, bool) else None

    def time(self, name: str) -> datetime | None:
        """A time in UTC."""
        value = self._held.get(name)
        return value if isinstance(value, datetime) else None


def read_object(body: bytes | None) -> Any:
    """The JSON of an answer.

    Raises:
        NoAnswer: there is none.
    """
    if not body:
        raise NoAnswer("nothing came")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NoAnswer("it is no JSON") from error


def _text(name: str, value: Any) -> str | None:
    if not isinstance(value, str | None):
        raise NoAnswer(f"{name} is no text")
    return value


def _flag(name: str, value: Any) -> bool | None:
    if not isinstance(value, bool | None):
        raise NoAnswer(f"{name} is neither true nor false")
    return value


def _time(name: str, value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value)
    except (ValueError, TypeError) as error:
        raise NoAnswer(f"{name} is no time") from error
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


_READERS: Mapping[str, Callable[[str, Any], Any]] = {_TEXT: _text, _FLAG: _flag, _TIME: _time}


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
    needs: ClassVar[tuple[str, ...]] = ("id",)
    sent: ClassVar[tuple[str, ...]] = ("userPrincipalName", "accountEnabled", "signInSessionsValidFromDateTime")


class MemberRow(Row):
    """A group or a directory role that somebody is in; `@odata.type` says which."""

    kinds: ClassVar[Mapping[str, str]] = {
        "@odata.type": _TEXT,
        "id": _TEXT,
        "displayName": _TEXT,
        "roleTemplateId": _TEXT,
    }
    needs: ClassVar[tuple[str, ...]] = ("@odata.type", "id")


class RiskRow(Row):
    """https://learn.microsoft.com/graph/api/resources/riskyuser"""  # noqa: D415 - a link

    kinds: ClassVar[Mapping[str, str]] = {"riskLevel": _TEXT, "riskState": _TEXT, "riskLastUpdatedDateTime": _TIME}
    needs: ClassVar[tuple[str, ...]] = ("riskLevel", "riskState")


class Page(Row):
    """One page of a collection, and where the next one is."""

    of: ClassVar[type[Row]] = Row
    kinds: ClassVar[Mapping[str, str]] = {"@odata.nextLink": _TEXT}

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        listed = value.get("value")
        if not isinstance(listed, list):
            raise NoAnswer("there is no list in it (value)")
        self.rows: list[Row] = [self.of(one) for one in listed]


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
    needs: ClassVar[tuple[str, ...]] = ("id",)
    sent: ClassVar[tuple[str, ...]] = ("accountEnabled",)


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
    needs: ClassVar[tuple[str, ...]] = ("@odata.type", "id")


class GrantRow(Row):
    """https://learn.microsoft.com/graph/api/resources/oauth2permissiongrant"""  # noqa: D415 - a link

    kinds: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("id", "clientId", "consentType", "principalId", "resourceId", "scope"), _TEXT
    )
    needs: ClassVar[tuple[str, ...]] = ("id", "clientId")


class RuleRow(Row):
    """https://learn.microsoft.com/graph/api/resources/messagerule"""  # noqa: D415 - a link

    kinds: ClassVar[Mapping[str, str]] = {
        "id": _TEXT,
        "displayName": _TEXT,
        "isEnabled": _FLAG,
        "isReadOnly": _FLAG,
    }
    needs: ClassVar[tuple[str, ...]] = ("id",)
    sent: ClassVar[tuple[str, ...]] = ("isEnabled",)


class AssignmentRow(Row):
    """https://learn.microsoft.com/graph/api/resources/unifiedroleassignment"""  # noqa: D415 - a link

    kinds: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("id", "principalId", "roleDefinitionId", "directoryScopeId"), _TEXT
    )
    needs: ClassVar[tuple[str, ...]] = ("id", "principalId", "roleDefinitionId")


class KeyRow(Row):
    """https://learn.microsoft.com/graph/api/resources/passwordcredential, and keycredential."""

    kinds: ClassVar[Mapping[str, str]] = {"keyId": _TEXT, "displayName": _TEXT, "startDateTime": _TIME}
    needs: ClassVar[tuple[str, ...]] = ("keyId",)


class ApplicationRow(Row):
    """https://learn.microsoft.com/graph/api/resources/serviceprincipal, and application."""

    kinds: ClassVar[Mapping[str, str]] = {
        "id": _TEXT,
        "appId": _TEXT,
        "displayName": _TEXT,
        "accountEnabled": _FLAG,
    }

    needs: ClassVar[tuple[str, ...]] = ("id",)
    sent: ClassVar[tuple[str, ...]] = ("appId",)

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        self.passwords = _keys("passwordCredentials", value)
        self.certificates = _keys("keyCredentials", value)


def _keys(name: str, value: Mapping[str, Any]) -> list[KeyRow]:
    """Graph lists them with every application; a key is not gone because a list is missing."""
    listed = value.get(name)
    if not isinstance(listed, list):
        raise NoAnswer(f"there is no list of {name}")
    return [KeyRow(one) for one in listed]


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
