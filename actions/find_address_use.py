"""Who else uses these addresses? An office egress has regulars; an attacker's proxy has other victims at most.

Only plain interactive sign-ins of members make an address common: a campaign that redeems ten people's codes at one
address must not. What colleagues redeemed there counts if managed devices approved it, for weeks, and no lure came
before.
"""

from __future__ import annotations

from collections.abc import Sequence

from actions.find_lures import is_device_login, kit_pattern
from respond.clients.rows import Row, address, moment, text, texts
from respond.clients.sources import Inquiry
from respond.models.base import Gap
from respond.models.case import Case
from respond.models.evidence import Account, AddressDay, SharedAddresses
from respond.models.policy import Policy
from respond.models.signin import Leg
from respond.step import aside, inquiry, read_action

_LEGS = {"redeemed": Leg.REDEEMING, "approved": Leg.APPROVING}
_MOST_CODED = 500
"""The most users that the query names for one address and day. With more, it is not known who else was there."""


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
    days = await aside(lambda: tuple(map(_day, rows)))
    lured, unread = await _lured(case, asking, days)
    crowded = {day.ip for day in days if day.by_code and len(day.users) >= _MOST_CODED}
    reason = f"only {_MOST_CODED} of the users whose codes were there on one day were read: nobody vouches for"
    return SharedAddresses(
        days=tuple(day for day in days if day.ip not in crowded or (day.by_code and day.leg is None)),
        lured=lured,
        lures_unread=unread,
        unread=bool(rows.partial),
        gaps=(*asking.gaps, *(Gap(source="SigninLogs (tenant)", reason=f"{reason} {ip}") for ip in sorted(crowded))),
    )


def _day(row: Row) -> AddressDay:
    return AddressDay(
        ip=address(row, "IPAddress"),
        day=moment(row, "Day"),
        users=frozenset(user.lower() for user in texts(row, "Users")),
        by_code=text(row, "Kind") != "plain",
        leg=_LEGS.get(text(row, "Kind")),
        app_id=text(row, "AppId").lower(),
        agent=text(row, "Agent"),
        names=frozenset(name.lower() for name in texts(row, "Names") if name),
    )


async def _lured(case: Case, asking: Inquiry, days: Sequence[AddressDay]) -> tuple[frozenset[str], bool]:
    """Colleagues who followed a lure to a code page: their codes explain nobody's. And whether that is unknown."""
    names = frozenset(name for day in days if day.leg is Leg.REDEEMING for name in day.names)
    if not names:
        return frozenset(), False
    since = {"from": case.history_start, "to": case.window.end}
    clicks = await asking.ask("find_clicks", source="UrlClickEvents (colleagues)", upns=tuple(sorted(names)), **since)
    lured = frozenset(text(row, "AccountUpn").lower() for row in clicks if _is_lure(row, case.policy))
    return lured, any(gap.source.startswith("UrlClickEvents") for gap in asking.gaps)


def _is_lure(row: Row, policy: Policy) -> bool:
    """A known kit's link, or one that hid the code page behind a detour. Instructions link to the page itself."""
    links = (text(row, "Url"), *texts(row, "UrlChain"))
    hidden = not is_device_login(links[0], policy) and any(is_device_login(link, policy) for link in links)
    return hidden or any(kit_pattern(link, policy) for link in links)
