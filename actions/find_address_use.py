"""Who else uses these addresses? An office egress has regulars; an attacker's proxy has other victims at most.

Only plain interactive sign-ins make an address common: a campaign that redeems ten people's codes at one address must
not look like an office.
"""

from __future__ import annotations

from collections.abc import Sequence

from respond.clients.rows import address, moment, text, texts
from respond.models.case import Case
from respond.models.evidence import Account, AddressDay, SharedAddresses
from respond.step import inquiry, read_action


@read_action("Log Analytics Reader")
async def find_address_use(case: Case, *, people: Sequence[Account]) -> SharedAddresses:
    """Users of the addresses that the device codes of these people touched, day by day."""
    asking = inquiry(case, "find_address_use")
    rows = await asking.ask(
        "find_address_use",
        source="SigninLogs (tenant)",
        user_ids=tuple(who.id for who in people),
        history=case.history_start,
        **case.span,
    )
    days = tuple(
        AddressDay(
            ip=address(row, "IPAddress"),
            day=moment(row, "Day"),
            users=frozenset(user.lower() for user in texts(row, "Users")),
            by_code=text(row, "Kind") == "code",
        )
        for row in rows
    )
    return SharedAddresses(days=days, unread=bool(rows.partial), gaps=asking.gaps)
