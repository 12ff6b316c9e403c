"""No device code: what else does it look like? A pasted authorization code, or an attempt that was blocked.

An incident about a user without a device code sign-in is still about something. SigninLogs and
AADNonInteractiveUserSignInLogs are asked for the two things that look like it from afar. Read only.
"""

from __future__ import annotations

from datetime import timedelta

from respond.clients.rows import Row, address, moment, text
from respond.models.base import Gap
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.lookalikes import Lookalike, LookalikeKind, Lookalikes
from respond.step import inquiry, read_action

_CODE_LIVES = timedelta(minutes=10)
_MOST_ROWS = 1000
"""The query ends there."""


@read_action("Log Analytics Reader")
async def find_lookalikes(case: Case, *, account: Account) -> Lookalikes:
    """Codes of this user that somebody else seems to have redeemed, and sign-ins that were blocked; oldest first."""
    asking = inquiry(case, "find_lookalikes")
    rows = await asking.ask(
        "find_lookalikes",
        source="SigninLogs (other theft)",
        user_ids=(account.id,),
        apps=tuple(app.id for app in case.policy.powerful_apps),
        **case.span,
    )
    found = tuple(_read(row) for row in rows)
    near = tuple(one for one in found if one.kind is LookalikeKind.BLOCKED or one.at - one.signed_at <= _CODE_LIVES)
    cut = [Gap(source="SigninLogs (other theft)", reason=f"only the first {_MOST_ROWS} rows were read")]
    return Lookalikes(found=near, gaps=(*asking.gaps, *(cut if len(rows) >= _MOST_ROWS else ())))


def _read(row: Row) -> Lookalike:
    return Lookalike(
        kind=LookalikeKind(text(row, "Kind")),
        id=text(row, "Id"),
        at=moment(row),
        app=text(row, "AppDisplayName"),
        resource=text(row, "ResourceDisplayName"),
        ip=address(row, "IPAddress"),
        asn=text(row, "AutonomousSystemNumber"),
        country=text(row, "Location").upper(),
        client=text(row, "UserAgent"),
        result=text(row, "ResultType"),
        signed_at=moment(row, "SignedAt"),
        signed_ip=address(row, "SignedFrom"),
        signed_asn=text(row, "SignedNetwork"),
        signed_country=text(row, "SignedCountry").upper(),
        signed_id=text(row, "SignedId"),
    )
