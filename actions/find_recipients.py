"""Who else got the lure? Graph has no stable call that purges it, so that is a task in the ticket.

EmailEvents and EmailUrlInfo, by the links of the messages that lured this user. Read only.
"""

from __future__ import annotations

from respond.clients.kql import can_carry
from respond.clients.rows import moment, text
from respond.models.base import Gap
from respond.models.case import Case
from respond.models.evidence import Lures
from respond.models.tasks import Recipient, Recipients
from respond.step import inquiry, read_action

_MOST_LINKS = 50
_MOST_RECIPIENTS = 1000
"""The query ends there."""


@read_action("Log Analytics Reader", "ThreatHunting.Read.All")
async def find_recipients(case: Case, *, lures: Lures) -> Recipients:
    """Everybody who was delivered a message with one of the lure's links, this user included; oldest first."""
    links = dict.fromkeys(
        url
        for message in lures.messages
        if message.pattern or message.threats or (message.device_login and message.first_contact)
        for url in message.urls
    )
    asked = tuple(link for link in links if can_carry(link))[:_MOST_LINKS]
    unasked = len(links) - len(asked)
    reason = f"links whose other recipients were not looked up: {unasked}"
    left_out = (Gap(source="lures", reason=reason),) if unasked else ()
    if not asked:
        return Recipients(gaps=left_out)
    asking = inquiry(case, "find_recipients")
    rows = await asking.ask(
        "find_lure_recipients",
        source="EmailEvents",
        urls=asked,
        **{"from": case.mail_start, "to": case.window.end},
    )
    found = (
        Recipient(
            at=moment(row),
            address=text(row, "Recipient"),
            sender=text(row, "SenderFromAddress"),
            subject=text(row, "Subject"),
            location=text(row, "LatestDeliveryLocation"),
            message=text(row, "NetworkMessageId"),
        )
        for row in rows
    )
    cut = [Gap(source="EmailEvents", reason=f"only the first {_MOST_RECIPIENTS} of those who got the lure were read")]
    return Recipients(
        people=tuple(found), gaps=(*asking.gaps, *left_out, *(cut if len(rows) >= _MOST_RECIPIENTS else ()))
    )
