"""Mail that an application sends as a user. What was sent stands in the journal of writes.

https://learn.microsoft.com/graph/api/user-sendmail
"""

from __future__ import annotations

from typing import Any

from respond.lab.graph_call import Call
from respond.lab.odata import GraphError, bad_request
from respond.lab.web import Reply

_MOST_HEADERS = 5


async def send_mail(call: Call) -> Reply:
    """POST /users/{id | UPN}/sendMail {"message", "saveToSentItems"}: 202, and nothing to find it by."""
    call.user()
    body = call.fields()
    message = body.get("message")
    if not isinstance(message, dict):
        raise bad_request("The required parameter 'message' is missing.", "ErrorInvalidParameter")
    if not isinstance(body.get("saveToSentItems", True), bool):
        raise bad_request("Cannot convert the value of 'saveToSentItems' to the expected type.", "RequestBodyRead")
    if not _addresses(message.get("toRecipients")):
        raise GraphError(400, "ErrorInvalidRecipients", "At least one recipient isn't valid.")
    _check_body(message.get("body"))
    _check_headers(message.get("internetMessageHeaders") or [])
    return Reply(202)


def _addresses(recipients: Any) -> list[str]:
    if not isinstance(recipients, list):
        return []
    mails = [one.get("emailAddress") for one in recipients if isinstance(one, dict)]
    found = [mail.get("address") for mail in mails if isinstance(mail, dict)]
    return [address for address in found if isinstance(address, str) and "@" in address]


def _check_body(body: Any) -> None:
    kinds = ("text", "html")
    if body is not None and (not isinstance(body, dict) or str(body.get("contentType")).lower() not in kinds):
        raise bad_request("Cannot convert the value of 'body' to the expected type.", "RequestBodyRead")


def _check_headers(headers: Any) -> None:
    """Custom headers only: https://learn.microsoft.com/graph/api/resources/internetmessageheader."""
    named = [str(one.get("name")) for one in headers if isinstance(one, dict)] if isinstance(headers, list) else [""]
    if len(named) > _MOST_HEADERS:
        message = f"The number of internet message headers is above {_MOST_HEADERS}."
        raise bad_request(message, "InvalidInternetMessageHeaderCollection")
    for name in named:
        if not name.lower().startswith("x-"):
            message = f"The internet message header name '{name[:60]}' should start with 'x-' or 'X-'."
            raise bad_request(message, "InvalidInternetMessageHeader")
