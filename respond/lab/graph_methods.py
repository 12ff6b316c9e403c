"""How a user can prove who they are: listed together, removed by type.

https://learn.microsoft.com/graph/api/resources/authenticationmethods-overview
"""

from __future__ import annotations

from typing import Any

from respond.lab.graph_call import Call, Handler
from respond.lab.odata import bad_request, collection, no_content, not_found
from respond.lab.web import Reply

TYPES = {
    "phone": "UserAuthMethod-Phone",
    "microsoftAuthenticator": "UserAuthMethod-MicrosoftAuthApp",
    "fido2": "UserAuthMethod-Passkey",
    "windowsHelloForBusiness": "UserAuthMethod-WindowsHello",
    "softwareOath": "UserAuthMethod-SoftwareOATH",
    "email": "UserAuthMethod-Email",
    "temporaryAccessPass": "UserAuthMethod-TAP",
    "platformCredential": "UserAuthMethod-PlatformCred",
    "external": "UserAuthMethod-External",
}
"""Type of method, as its path and its `@odata.type` begin -> what the permission for it alone begins with."""


_DEFAULT = "isDefault"
"""Marks the method in a story that Entra asks for first; v1.0 shows it of no method."""


async def authentication_methods(call: Call) -> Reply:
    """GET /users/{id}/authentication/methods.

    https://learn.microsoft.com/graph/api/authentication-list-methods
    """
    user_id = call.user()["id"]
    methods = [
        {name: value for name, value in item.items() if name != _DEFAULT}
        for item in call.state.get("authenticationMethods", user_id) or []
    ]
    return collection(call.request, f"users('{user_id}')/authentication/methods", methods)


def remover(kind: str) -> Handler:
    """DELETE /users/{id}/authentication/{kind}Methods/{method}, for one kind of `TYPES`.

    https://learn.microsoft.com/graph/api/phoneauthenticationmethod-delete, and a page for each of the others
    """

    async def remove(call: Call) -> Reply:
        wanted = call.params["method"]

        def without(methods: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
            found = [item for item in methods or [] if _is(item, kind, wanted)]
            # which error code the methods answer with is not documented: the lab takes the directory's
            if not methods or not found:
                raise not_found(wanted)
            if found[0].get("phoneType") == "mobile" and any(
                item.get("phoneType") == "alternateMobile" for item in methods
            ):
                raise bad_request("A user can't have an alternateMobile number without a mobile number.")
            if found[0].get(_DEFAULT) and len(methods) > 1:
                raise bad_request(
                    "Cannot delete default method. Delete all other methods, or choose another default method first."
                )
            return [item for item in methods if item not in found]

        call.state.put("authenticationMethods", call.user()["id"], without)
        return no_content()

    return remove


def _is(item: dict[str, Any], kind: str, wanted: str) -> bool:
    type_name = f"#microsoft.graph.{kind}AuthenticationMethod"
    return str(item.get("id")).lower() == wanted.lower() and str(item.get("@odata.type")).lower() == type_name.lower()
