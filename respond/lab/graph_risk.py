"""What an administrator says about risk: Entra ID Protection.

https://learn.microsoft.com/graph/api/resources/riskyuser
"""

from __future__ import annotations

import time
from collections import deque
from functools import partial
from typing import Any

from respond.lab.graph_call import Call
from respond.lab.odata import GraphError, no_content, not_found
from respond.lab.state import now_text
from respond.lab.web import Reply

_MOST_DISMISSED = 60


class RiskLimit:
    """The limit of the Identity Protection APIs, for all callers of the tenant together.

    https://learn.microsoft.com/graph/throttling-limits

    Args:
        per_second: requests in one second; 0 sets no limit.
    """

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._taken: deque[float] = deque(maxlen=per_second)

    def take(self, segments: tuple[str, ...]) -> None:
        """Count one request, if it is one of these APIs.

        Raises:
            GraphError: too many in the last second. Unlike others, these do not say when to come again.
        """
        if not self._per_second or not segments or segments[0].lower() != "identityprotection":
            return
        now = time.monotonic()
        if len(self._taken) == self._per_second and now - self._taken[0] < 1:
            raise GraphError(429, "TooManyRequests", "Too many requests.")
        self._taken.append(now)


async def confirm_compromised(call: Call) -> Reply:
    """POST /identityProtection/riskyUsers/confirmCompromised {"userIds"}: high risk, also for who was at none before.

    https://learn.microsoft.com/graph/api/riskyuser-confirmcompromised
    """
    return _say(call, "high", "confirmedCompromised", "adminConfirmedUserCompromised")


async def dismiss(call: Call) -> Reply:
    """POST /identityProtection/riskyUsers/dismiss {"userIds"}: at most 60, which the page of the beta says.

    https://learn.microsoft.com/graph/api/riskyuser-dismiss
    """
    return _say(call, "none", "dismissed", "adminDismissedAllRiskForUser", most=_MOST_DISMISSED)


async def confirm_sign_ins(call: Call) -> Reply:
    """POST /auditLogs/signIns/confirmCompromised {"requestIds"}: in the journal; the logs stay as the story has them.

    https://learn.microsoft.com/graph/api/signin-confirmcompromised
    """
    call.texts("requestIds")
    return no_content()


def _say(call: Call, level: str, state: str, detail: str, *, most: int | None = None) -> Reply:
    user_ids = call.texts("userIds", most=most)
    users = [call.state.get("users", user_id) for user_id in user_ids]
    # all of them are looked up before anything is said of one
    for user_id, user in zip(user_ids, users, strict=True):
        if user is None:
            raise not_found(user_id)
    said = {"riskLevel": level, "riskState": state, "riskDetail": detail, "riskLastUpdatedDateTime": now_text()}
    for user in users:
        call.state.put("riskyUsers", user["id"], partial(_risky, user["id"], said))
    return no_content()


def _risky(user_id: str, said: dict[str, Any], now: dict[str, Any] | None) -> dict[str, Any]:
    return (now or {"id": user_id, "isDeleted": False, "isProcessing": False}) | said
