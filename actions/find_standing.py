"""Who are they? Roles, groups and risk of many users at once, from the workspace's own tables.

For one user Microsoft Graph is asked (`know_standing`); a request a user would be too many for a whole tenant.
IdentityInfo needs Sentinel's UEBA, AADRiskyUsers a diagnostic setting; a user in neither is unknown, not harmless.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from respond.clients.rows import Row, moment, text, texts
from respond.models.case import Case
from respond.models.evidence import Account, Standing
from respond.models.signin import Risk
from respond.step import inquiry, read_action

_SNAPSHOTS = timedelta(days=21)
"""IdentityInfo writes everybody anew every 14 days."""


@read_action("Log Analytics Reader")
async def find_standing(case: Case, *, people: Sequence[Account]) -> dict[str, Standing]:
    """Roles, groups and risk of each user, by user id in lower case."""
    return await ask_workspace(case, people, action="find_standing")


async def ask_workspace(case: Case, people: Sequence[Account], *, action: str) -> dict[str, Standing]:
    """The same for whichever action asks."""
    asking = inquiry(case, action)
    rows = await asking.ask(
        "find_standing",
        source="IdentityInfo",
        user_ids=tuple(who.id for who in people),
        **{"from": case.window.end - _SNAPSHOTS},
    )
    found = {who.id.lower(): Standing(gaps=asking.gaps) for who in people}
    for row in rows:
        user = text(row, "UserId").lower()
        if user in found:
            found[user] = found[user].model_copy(update=_read(row))
    return found


def _read(row: Row) -> dict[str, object]:
    if text(row, "Source") == "AADRiskyUsers":
        return {
            "risk": Risk.read(text(row, "RiskLevel")),
            "risk_state": text(row, "RiskState"),
            "risk_at": moment(row),
        }
    return {
        "roles": tuple(sorted(texts(row, "Roles"))),
        "groups": tuple(sorted(map(str.lower, texts(row, "Groups")))),
        "is_service": bool(row.get("IsService")),
    }
