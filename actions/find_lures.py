"""Which message carried the lure, and did the user follow it?

Mail and clicks of the time before the sign-in, from EmailEvents, EmailUrlInfo and UrlClickEvents. Safe Links sees
clicks in mail, Teams and Office only; a QR code leaves no row, so no click proves nothing.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from itertools import groupby

from respond.clients.kql import Value
from respond.clients.rows import Row, moment, text, texts
from respond.clients.sources import ask
from respond.models.base import Gap
from respond.models.case import Case
from respond.models.evidence import Account, Click, Lures, Message
from respond.models.policy import Policy
from respond.models.signin import SignIns
from respond.step import clients, read_action


@read_action("Log Analytics Reader")
async def find_lures(case: Case, *, account: Account, signins: SignIns) -> Lures:
    """Messages with links that reached the mailbox, and links followed, before the newest sign-in."""
    gaps: list[Gap] = []
    logs = clients(case).logs
    first = min(case.window.start, *(flow.started for flow in signins.flows))
    start = first - case.policy.correlation.mail_before
    upns = tuple(dict.fromkeys([account.upn, *(row.upn for row in signins.rows if "@" in row.upn)]))
    since: dict[str, Value] = {"from": start, "to": case.window.end}
    addresses = tuple(dict.fromkeys(filter(None, [account.mail, *upns])))
    mailbox: dict[str, Value] = {"user_id": account.id, "addresses": addresses, **since}
    mails, clicks = await asyncio.gather(
        ask(logs, "find_lure_mails", source="EmailEvents", gaps=gaps, **mailbox),
        ask(logs, "find_clicks", source="UrlClickEvents", gaps=gaps, upns=upns, **since),
    )
    return Lures(
        messages=tuple(_messages(mails, case.policy)),
        clicks=tuple(_click(row, case.policy) for row in clicks),
        gaps=tuple(gaps),
    )


def _messages(rows: Iterable[Row], policy: Policy) -> list[Message]:
    """One message a NetworkMessageId, with all its links."""
    by_message = groupby(sorted(rows, key=_message_key), key=_message_key)
    return [_message(list(group), policy) for _, group in by_message]


def _message_key(row: Row) -> tuple[str, str]:
    return (str(moment(row)), text(row, "NetworkMessageId"))


def _message(rows: list[Row], policy: Policy) -> Message:
    first = rows[0]
    urls = tuple(dict.fromkeys(text(row, "Url") for row in rows))
    return Message(
        id=text(first, "NetworkMessageId"),
        at=moment(first),
        sender=text(first, "SenderFromAddress"),
        sender_domain=text(first, "SenderFromDomain"),
        subject=text(first, "Subject"),
        delivered_to=text(first, "LatestDeliveryLocation") or text(first, "DeliveryLocation"),
        first_contact=first.get("IsFirstContact"),
        urls=urls,
        pattern=next((name for url in urls if (name := kit_pattern(url, policy))), ""),
    )


def _click(row: Row, policy: Policy) -> Click:
    chain = texts(row, "UrlChain")
    everything = (text(row, "Url"), *chain)
    return Click(
        id=text(row, "ReportId") or text(row, "NetworkMessageId"),
        at=moment(row),
        url=text(row, "Url"),
        chain=chain,
        action=text(row, "ActionType"),
        message_id=text(row, "NetworkMessageId"),
        ip=text(row, "IPAddress"),
        pattern=next((name for url in everything if (name := kit_pattern(url, policy))), ""),
        reached_device_login=any(is_device_login(url, policy) for url in everything),
    )


def kit_pattern(url: str, policy: Policy) -> str:
    """Name of the known kit whose links look like this one, or ""."""
    return next((kit.name for kit in policy.lure_patterns if re.search(kit.pattern, url, re.IGNORECASE)), "")


def is_device_login(url: str, policy: Policy) -> bool:
    """Whether this is one of Microsoft's pages that take a device code."""
    return any(re.search(page, url, re.IGNORECASE) for page in policy.device_login_pages)
