"""Teams messages as Defender sees them, with their links and the clicks on them."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import urlsplit

from tools.scenarios.mail import DEVICE_LOGIN, click
from tools.scenarios.story import Story, iso
from tools.scenarios.world import Json, Person, Place, Row


def chat(
    s: Story,
    to: list[Person],
    at: datetime,
    sender: str,
    name: str,
    url: str = "",
    *,
    external: bool = True,
    threats: str = "",
) -> str:
    """One message in one chat, and its link if it has one; returns its TeamsMessageId."""
    number = str(s.rng.randint(10**12, 2 * 10**12))
    recipients: list[Json] = [
        {
            "RecipientSmtpAddress": who.address,
            "RecipientDisplayName": who.name,
            "RecipientObjectId": who.id,
            "RecipientType": "User",
        }
        for who in to
    ]
    s.add(
        "MessageEvents",
        {
            "TimeGenerated": iso(at),
            "TeamsMessageId": number,
            "MessageId": number,
            "ParentMessageId": number,
            "ThreadId": f"19:{s.guid()}_{s.guid()}@unq.gbl.spaces",
            "ThreadSubtype": "oneOnOne" if len(to) == 1 else "groupChat",
            "SenderEmailAddress": sender,
            "SenderDisplayName": name,
            "SenderObjectId": s.guid(),
            "SenderType": "User",
            "RecipientDetails": recipients,
            "IsOwnedThread": not external,
            "IsExternalThread": external,
            "MessageFormatType": "RichText",
            "MessageFormatSubtype": "html",
            "DeliveryAction": "Delivered",
            "DeliveryLocation": "Teams",
            "ThreatTypes": threats,
            "ReportId": s.guid(),
        },
    )
    if url:
        s.add(
            "MessageUrlInfo",
            {
                "TimeGenerated": iso(at),
                "TeamsMessageId": number,
                "Url": url,
                "UrlDomain": urlsplit(url).hostname or "",
                "ThreatTypes": threats,
                "ReportId": s.guid(),
            },
        )
    return number


def chat_click(
    s: Story, who: Person, at: datetime, url: str, place: Place, *, onward: tuple[str, ...] = (DEVICE_LOGIN,)
) -> Row:
    """A Safe Links click in Teams: it names no mail."""
    row = click(s, who, at, url, "", place, onward=onward)
    row.update(Workload="Teams", AppName="Microsoft Teams", AppVersion="25306.804.3975.0")
    return row


def small_talk(s: Story, who: Person, partner: str, name: str, *, count: int = 4) -> None:
    """Messages over some weeks with somebody outside whom `who` works with; some carry a link."""
    for number in range(count):
        at = s.now - timedelta(days=s.rng.randint(1, 20), hours=s.rng.randint(1, 8), minutes=s.rng.randrange(60))
        url = f"https://fabrikam.sharepoint.com/sites/joint/{s.rng.randint(100, 999)}" if number % 2 else ""
        chat(s, [who], at, partner, name, url)
