"""Which message carried the lure, and did the user follow it?

Mail, Teams messages and clicks before the sign-in, from EmailEvents, EmailUrlInfo, EmailPostDeliveryEvents,
MessageEvents, MessageUrlInfo, EmailAttachmentInfo and UrlClickEvents. Safe Links sees clicks in mail, Teams and Office
only; a QR code leaves no row, so no click proves nothing. A picture may hold a code and no link at all.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from respond.clients.kql import Value
from respond.clients.rows import Row, address, moment, text, texts
from respond.models.case import Case
from respond.models.evidence import Account, Click, Lures, Message
from respond.models.policy import Policy
from respond.step import inquiry, read_action

_NAMES = re.compile(r"[^\s\"',;<>\[\]{}:\\]+")
"""Object ids and addresses within JSON text."""


@read_action("Log Analytics Reader", "ThreatHunting.Read.All")
async def find_lures(case: Case, *, people: Sequence[Account]) -> dict[str, Lures]:
    """Messages with links that reached each mailbox or chat, and links followed, by user id in lower case.

    A session that was approved before the window was lured before it as well: read as far back as the history goes for
    clicks, and as `mail_before` says for messages.
    """
    asking = inquiry(case, "find_lures")
    ids, upns = tuple(who.id for who in people), tuple(name for who in people for name in who.upns)
    mails_since: dict[str, Value] = {"from": case.mail_start, "to": case.window.end}
    clicks, mails, chats = await asyncio.gather(
        asking.ask(
            "find_clicks", source="UrlClickEvents", upns=upns, **{"from": case.history_start, "to": case.window.end}
        ),
        asking.ask("find_lure_mails", source="EmailEvents", user_ids=ids, addresses=upns, **mails_since),
        asking.ask(
            "find_lure_chats", source="MessageEvents", recipients=tuple(map(str.lower, (*ids, *upns))), **mails_since
        ),
    )
    owners = {name.lower(): who.id.lower() for who in people for name in (who.id, *who.upns)}
    messages: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in (*mails, *chats):
        for user in _recipients(row, owners):
            messages[user][text(row, "NetworkMessageId") or text(row, "TeamsMessageId")].append(row)
    followed: dict[str, list[Click]] = defaultdict(list)
    for row in clicks:
        followed[owners.get(text(row, "AccountUpn").lower(), "")].append(_click(row, case.policy))
    return {
        user: Lures(
            messages=_telling(messages[user].values(), followed[user], case.policy),
            clicks=tuple(followed[user]),
            gaps=asking.gaps,
        )
        for user in (who.id.lower() for who in people)
    }


def _recipients(row: Row, owners: Mapping[str, str]) -> set[str]:
    """User ids in lower case; a chat message lists everybody it went to as JSON text."""
    if chat := text(row, "Recipients"):
        return {owners[name] for name in _NAMES.findall(chat.lower()) if name in owners}
    names = (text(row, "Recipient").lower(), text(row, "RecipientObjectId").lower())
    return {owners[name] for name in names if name in owners}


def _telling(found: Iterable[Sequence[Row]], clicks: Sequence[Click], policy: Policy) -> tuple[Message, ...]:
    """The messages that a decision or a timeline can use; ordinary mail stays where it is."""
    clicked = {click.message_id for click in clicks}
    messages = [_message(rows, policy) for rows in found]
    return tuple(one for one in messages if one.is_suspect or one.id in clicked)


def _message(rows: Sequence[Row], policy: Policy) -> Message:
    first = rows[0]
    urls = tuple(dict.fromkeys(url for row in rows if (url := text(row, "Url"))))
    attached = {kind for row in rows if (kind := text(row, "Attached"))}
    chat = text(first, "TeamsMessageId")
    sender = text(first, "SenderFromAddress") or text(first, "SenderEmailAddress")
    return Message(
        id=chat or text(first, "NetworkMessageId"),
        at=moment(first),
        sender=sender,
        sender_domain=text(first, "SenderFromDomain") or sender.rpartition("@")[2],
        subject=text(first, "Subject"),
        delivered_to=text(first, "LatestDeliveryLocation") or text(first, "DeliveryLocation"),
        # A chat with another tenant is what a first mail from a stranger is.
        first_contact=first.get("IsExternalThread") if chat else first.get("IsFirstContact"),
        urls=urls,
        pattern=next((name for url in urls if (name := kit_pattern(url, policy))), ""),
        table="MessageEvents" if chat else "EmailEvents",
        device_login=any(is_device_login(url, policy) for url in urls),
        picture=not urls and only_pictures(attached, policy),
        qr_code=any(text(row, "UrlLocation").lower() == "qrcode" for row in rows),
        threats=text(first, "RemovedAs") or text(first, "ThreatTypes"),
        removed_at=moment(first, "RemovedAt") if first.get("RemovedAt") else None,
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
        ip=address(row, "IPAddress"),
        pattern=next((name for url in everything if (name := kit_pattern(url, policy))), ""),
        reached_device_login=any(is_device_login(url, policy) for url in everything),
    )


def only_pictures(attached: Collection[str], policy: Policy) -> bool:
    """Whether something is attached, by the endings of its names, and all of it may hold a QR code."""
    return bool(attached) and set(attached) <= set(policy.picture_types)


def kit_pattern(url: str, policy: Policy) -> str:
    """Name of the known kit whose links look like this one, or ""."""
    return next((kit.name for kit in policy.lure_patterns if re.search(kit.pattern, url, re.IGNORECASE)), "")


def is_device_login(url: str, policy: Policy) -> bool:
    """Whether this is one of Microsoft's pages that take a device code."""
    return any(re.search(page, url, re.IGNORECASE) for page in policy.device_login_pages)
