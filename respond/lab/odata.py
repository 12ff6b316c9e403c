"""OData as Microsoft Graph speaks it: entities, collections, errors, `$select` and the filters the lab takes."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection
from typing import Any

from respond.lab.state import now_text
from respond.lab.web import LabRequest, Reply

_EQUALS = re.compile(r"\s*(\w+)\s+eq\s+'((?:[^']|'')*)'\s*")

_RELATIONS = ("members", "registeredOwners", "registeredUsers")

USER_DEFAULTS = (
    "businessPhones", "displayName", "givenName", "id", "jobTitle", "mail", "mobilePhone", "officeLocation",
    "preferredLanguage", "surname", "userPrincipalName",
)  # fmt: skip
"""What a user comes with when nothing is selected."""

USER_PROPERTIES = frozenset(USER_DEFAULTS) | frozenset(
    [
        "aboutMe",
        "accountEnabled",
        "ageGroup",
        "assignedLicenses",
        "assignedPlans",
        "authorizationInfo",
        "birthday",
        "city",
        "companyName",
        "consentProvidedForMinor",
        "country",
        "createdDateTime",
        "creationType",
        "customSecurityAttributes",
        "deletedDateTime",
        "department",
        "employeeHireDate",
        "employeeId",
        "employeeLeaveDateTime",
        "employeeOrgData",
        "employeeType",
        "externalUserState",
        "externalUserStateChangeDateTime",
        "faxNumber",
        "hireDate",
        "identities",
        "imAddresses",
        "interests",
        "isManagementRestricted",
        "isResourceAccount",
        "lastPasswordChangeDateTime",
        "legalAgeGroupClassification",
        "licenseAssignmentStates",
        "mailboxSettings",
        "mailNickname",
        "mySite",
        "onPremisesDistinguishedName",
        "onPremisesDomainName",
        "onPremisesExtensionAttributes",
        "onPremisesImmutableId",
        "onPremisesLastSyncDateTime",
        "onPremisesProvisioningErrors",
        "onPremisesSamAccountName",
        "onPremisesSecurityIdentifier",
        "onPremisesSyncEnabled",
        "onPremisesUserPrincipalName",
        "otherMails",
        "passwordPolicies",
        "passwordProfile",
        "pastProjects",
        "postalCode",
        "preferredDataLocation",
        "provisionedPlans",
        "proxyAddresses",
        "responsibilities",
        "schools",
        "securityIdentifier",
        "serviceProvisioningErrors",
        "showInAddressList",
        "signInActivity",
        "signInSessionsValidFromDateTime",
        "skills",
        "state",
        "streetAddress",
        "usageLocation",
        "userType",
    ]
)
"""Properties of microsoft.graph.user in v1.0."""


class GraphError(Exception):
    """An answer that is an error.

    Args:
        code: Graph's error code, such as Request_ResourceNotFound.
    """

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers or {}

    def reply(self, request: LabRequest) -> Reply:
        """The error as Graph writes it."""
        request_id = str(uuid.uuid4())
        client_id = request.headers.get("client-request-id", request_id)
        inner = {"date": now_text()[:19], "request-id": request_id, "client-request-id": client_id}
        body = {"error": {"code": self.code, "message": str(self), "innerError": inner}}
        return Reply(self.status, body, {"request-id": request_id, "client-request-id": client_id, **self.headers})


def not_found(what: str) -> GraphError:
    """The object with this id does not exist."""
    message = f"Resource '{what}' does not exist or one of its queried reference-property objects are not present."
    return GraphError(404, "Request_ResourceNotFound", message)


def denied() -> GraphError:
    """The caller may not do this."""
    return GraphError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def bad_request(message: str, code: str = "Request_BadRequest") -> GraphError:
    """The request makes no sense to Graph."""
    return GraphError(400, code, message)


def no_content() -> Reply:
    """Done, and there is nothing to say."""
    return Reply(204)


def one_switch(body: dict[str, Any], name: str) -> bool:
    """The one property that a body may change, true or false.

    Raises:
        GraphError: it changes nothing, something else, or is neither true nor false.
    """
    if others := sorted(set(body) - {name}):
        raise bad_request(f"The lab does not support changing '{others[0]}' here; it knows '{name}' only.")
    if not isinstance(body.get(name), bool):
        raise bad_request(f"Invalid value specified for property '{name}': true or false is needed.")
    return bool(body[name])


def unsupported(clause: str) -> GraphError:
    """A filter that Graph, or the lab, does not take."""
    return bad_request(f"Unsupported or invalid query filter clause: {clause[:200]}", "Request_UnsupportedQuery")


def selected(request: LabRequest, known: Collection[str] | None = None) -> list[str] | None:
    """The properties that `$select` names, or None without one.

    Raises:
        GraphError: it names a property that is not in `known`.
    """
    text = request.query.get("$select", "")
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        return None
    for name in names:
        if known is not None and name not in known:
            raise bad_request(f"Could not find a property named '{name}' on type 'microsoft.graph.user'.", "BadRequest")
    return names


def pick(item: dict[str, Any], names: Collection[str] | None) -> dict[str, Any]:
    """The named properties of an object, null where it has none; annotations stay. All of it without names."""
    if names is None:
        return item
    notes = {name: value for name, value in item.items() if name.startswith("@odata.")}
    return notes | {name: item.get(name, [] if name == "businessPhones" else None) for name in names}


def without_relations(item: dict[str, Any]) -> dict[str, Any]:
    """An object without the relations that the lab keeps in it and Graph does not show."""
    return {name: value for name, value in item.items() if name not in _RELATIONS}


def equality(request: LabRequest, allowed: Collection[str]) -> tuple[str, str] | None:
    """Property and value of `$filter=property eq 'value'`; None without a filter.

    Raises:
        GraphError: another filter; the lab takes no more than this.
    """
    text = request.query.get("$filter")
    if text is None:
        return None
    match = _EQUALS.fullmatch(text)
    if match is None or match[1] not in allowed:
        raise unsupported(text)
    return match[1], match[2].replace("''", "'")


def entity(request: LabRequest, context: str, item: dict[str, Any]) -> Reply:
    """One object."""
    return Reply(200, {"@odata.context": f"{request.base_url}/v1.0/$metadata#{context}", **item})


def collection(request: LabRequest, context: str, items: list[dict[str, Any]], *, keep: Collection[str] = ()) -> Reply:
    """A list of objects, always one page.

    Args:
        keep: properties that come back whatever is selected.
    """
    chosen = selected(request)
    names = None if chosen is None else [*chosen, *(name for name in keep if name not in chosen)]
    value = [pick(item, names) for item in items]
    return Reply(200, {"@odata.context": f"{request.base_url}/v1.0/$metadata#{context}", "value": value})
