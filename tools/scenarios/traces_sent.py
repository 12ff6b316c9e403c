"""What leaves a mailbox, and mail that holds no link: forwarding, a message to many, a picture from a stranger."""

from __future__ import annotations

from datetime import datetime

from tools.scenarios.inbox_rules import Rule, make_rule
from tools.scenarios.mail import mail
from tools.scenarios.story import Story, iso
from tools.scenarios.world import Json, Person, Place


def forwarding_rule(s: Story, who: Person, at: datetime, name: str, to: str, place: Place, session: str) -> None:
    """An inbox rule that sends every message on."""
    actions: Json = {"forwardTo": [{"emailAddress": {"address": to}}], "stopProcessingRules": True}
    make_rule(s, who, at, Rule(name, {"ForwardTo": to}, {}, actions), place, session)


def picture_mail(s: Story, to: Person, at: datetime, sender: str, subject: str, picture: str) -> str:
    """A first mail without a link, and nothing attached but a picture: what a phone's camera reads is in no table."""
    message = mail(s, to, at, sender, subject)
    s.tables["EmailEvents"][-1]["AttachmentCount"] = 1
    s.add(
        "EmailAttachmentInfo",
        {
            "TimeGenerated": iso(at),
            "NetworkMessageId": message,
            "SenderFromAddress": sender,
            "RecipientEmailAddress": to.address,
            "RecipientObjectId": to.id,
            "FileName": picture,
            "FileType": picture.rpartition(".")[2],
            "FileSize": s.rng.randint(20_000, 90_000),
            "SHA256": s.rng.randbytes(32).hex(),
        },
    )
    return message


def message_to_many(s: Story, who: Person, at: datetime, subject: str, count: int) -> None:
    """One message to so many people outside, as the mail trace has it: a row a recipient."""
    message, domain = s.guid(), who.address.partition("@")[2]
    for number in range(count):
        s.add(
            "EmailEvents",
            {
                "TimeGenerated": iso(at),
                "NetworkMessageId": message,
                "InternetMessageId": f"<{message[:8]}@{domain}>",
                "ReportId": f"{message}-{s.rng.randint(10**9, 10**10)}",
                "SenderFromAddress": who.address,
                "SenderFromDomain": domain,
                "SenderObjectId": who.id,
                "RecipientEmailAddress": f"office{number + 1}@customer{number % 9 + 1}.example.com",
                "Subject": subject,
                "EmailDirection": "Outbound",
                "DeliveryAction": "Delivered",
                "DeliveryLocation": "On-premises/External",
                "UrlCount": 1,
                "AttachmentCount": 0,
            },
        )
