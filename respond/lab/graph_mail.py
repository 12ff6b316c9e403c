"""Inbox rules.

https://learn.microsoft.com/graph/api/resources/messagerule
"""

from __future__ import annotations

from typing import Any

from respond.lab.graph_call import Call
from respond.lab.odata import GraphError, bad_request, collection, entity, no_content, pick, selected
from respond.lab.web import Reply

_WRITABLE: dict[str, tuple[type, ...]] = {
    "displayName": (str,),
    "sequence": (int,),
    "isEnabled": (bool,),
    "isReadOnly": (bool,),
    "conditions": (dict, type(None)),
    "actions": (dict, type(None)),
    "exceptions": (dict, type(None)),
}


async def message_rules(call: Call) -> Reply:
    """GET /users/{id}/mailFolders/inbox/messageRules.

    https://learn.microsoft.com/graph/api/mailfolder-list-messagerules
    """
    user_id = call.user()["id"]
    return collection(call.request, _context(user_id), _complete(call.state.get("messageRules", user_id)))


async def get_message_rule(call: Call) -> Reply:
    """GET /users/{id}/mailFolders/inbox/messageRules/{rule}.

    https://learn.microsoft.com/graph/api/messagerule-get
    """
    user_id = call.user()["id"]
    rule = _find(call, _complete(call.state.get("messageRules", user_id)))
    return entity(call.request, f"{_context(user_id)}/$entity", pick(rule, selected(call.request)))


async def update_message_rule(call: Call) -> Reply:
    """PATCH /users/{id}/mailFolders/inbox/messageRules/{rule}: answers with the rule as it is then.

    https://learn.microsoft.com/graph/api/messagerule-update
    """
    user_id = call.user()["id"]
    changes = _changes(call.fields())

    def edit(rules: Any) -> list[dict[str, Any]]:
        rules = _complete(rules)
        found = _writable(call, rules)
        return [rule | changes if rule is found else rule for rule in rules]

    rule = _find(call, call.state.put("messageRules", user_id, edit))
    return entity(call.request, f"{_context(user_id)}/$entity", rule)


async def delete_message_rule(call: Call) -> Reply:
    """DELETE /users/{id}/mailFolders/inbox/messageRules/{rule}.

    https://learn.microsoft.com/graph/api/messagerule-delete
    """

    def edit(rules: Any) -> list[dict[str, Any]]:
        rules = _complete(rules)
        found = _writable(call, rules)
        return [rule for rule in rules if rule is not found]

    call.state.put("messageRules", call.user()["id"], edit)
    return no_content()


def _context(user_id: str) -> str:
    return f"users('{user_id}')/mailFolders('inbox')/messageRules"


def _complete(rules: Any) -> list[dict[str, Any]]:
    """The rules of a story, with what Exchange always says of one."""
    return [
        {"sequence": index, "isEnabled": True, "hasError": False, "isReadOnly": False, **rule}
        for index, rule in enumerate(rules or [], 1)
    ]


def _find(call: Call, rules: list[dict[str, Any]]) -> dict[str, Any]:
    # ids of Exchange are base64: case matters
    for rule in rules:
        if rule.get("id") == call.params["rule"]:
            return rule
    raise GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def _writable(call: Call, rules: list[dict[str, Any]]) -> dict[str, Any]:
    rule = _find(call, rules)
    if rule["isReadOnly"]:
        # documented is that it cannot be done, not how it is refused
        raise GraphError(403, "ErrorAccessDenied", "Access is denied. The rule is read-only.")
    return rule


def _changes(body: dict[str, Any]) -> dict[str, Any]:
    for name, value in body.items():
        if name not in _WRITABLE:
            message = f"The property '{name}' does not exist on type 'microsoft.graph.messageRule', or is read-only."
            raise bad_request(message, "RequestBodyRead")
        if not isinstance(value, _WRITABLE[name]) or (name == "sequence" and isinstance(value, bool)):
            raise bad_request(f"Cannot convert the value of '{name}' to the expected type.", "RequestBodyRead")
    return body
