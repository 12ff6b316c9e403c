"""One realistic row each: mail, click, threat intelligence."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from tools.scenarios.story import Story, iso
from tools.scenarios.world import Person, Place, Row

DEVICE_LOGIN = "https://microsoft.com/devicelogin"


def mail(
    s: Story,
    to: Person,
    at: datetime,
    sender: str,
    subject: str,
    url: str = "",
    *,
    action: str = "Delivered",
    threats: str = "",
    first: bool = True,
    message: str = "",
) -> str:
    """One message, and its link if it has one; returns its NetworkMessageId.

    `message` names a message that went to somebody before: one message, many recipients.
    """
    known = bool(message)
    message = message or s.guid()
    domain = sender.split("@")[1]
    folder = "Inbox/folder" if action == "Delivered" else "Quarantine"
    s.add(
        "EmailEvents",
        {
            "TimeGenerated": iso(at),
            "NetworkMessageId": message,
            "InternetMessageId": f"<{message[:8]}.{message[-12:]}@{domain}>",
            "ReportId": f"{message}-{s.rng.randint(10**9, 10**10)}",
            "SenderFromAddress": sender,
            "SenderFromDomain": domain,
            "SenderMailFromAddress": f"bounce@{domain}",
            "SenderMailFromDomain": domain,
            "SenderIPv4": f"198.51.100.{s.rng.randint(220, 250)}",
            "RecipientEmailAddress": to.address,
            "RecipientObjectId": to.id,
            "Subject": subject,
            "EmailDirection": "Inbound",
            "DeliveryAction": action,
            "DeliveryLocation": folder,
            "LatestDeliveryLocation": folder,
            "ThreatTypes": threats,
            "UrlCount": 1 if url else 0,
            "AttachmentCount": 0,
            "IsFirstContact": first,
        },
    )
    if url and not known:
        s.add(
            "EmailUrlInfo",
            {
                "TimeGenerated": iso(at),
                "NetworkMessageId": message,
                "ReportId": s.guid(),
                "Url": url,
                "UrlDomain": urlsplit(url).hostname or "",
                "UrlLocation": "Body",
            },
        )
    return message


def click(
    s: Story,
    who: Person,
    at: datetime,
    url: str,
    message: str,
    place: Place,
    *,
    onward: tuple[str, ...] = (DEVICE_LOGIN,),
    action: str = "ClickAllowed",
    upn: str = "",
) -> Row:
    """One Safe Links click, with the redirects that followed."""
    return s.add(
        "UrlClickEvents",
        {
            "TimeGenerated": iso(at),
            "ReportId": s.guid(),
            "Url": url,
            "UrlChain": json.dumps([url, *onward]),
            "ActionType": action,
            "IsClickedThrough": action == "ClickAllowed" and s.rng.random() < 0.3,
            "AccountUpn": upn or who.logged_upn,
            "Workload": "Email",
            "AppName": "Outlook",
            "NetworkMessageId": message,
            "IPAddress": place.ip,
            "ThreatTypes": "",
        },
    )


def newsletters(s: Story, to: Person, place: Place, *, count: int = 3) -> None:
    """Ordinary mail with ordinary links, some of them followed."""
    subjects = ("Your weekly digest", "Invoice 20418 is available", "Webinar: spring release", "Parking on Thursday")
    for number in range(count):
        at = s.now - timedelta(hours=s.rng.randint(3, 200), minutes=s.rng.randrange(60))
        url = f"https://news.example.com/read/{s.rng.randint(1000, 9999)}"
        message = mail(s, to, at, "news@example.com", subjects[number % len(subjects)], url, first=False)
        if number % 2 == 0:
            click(s, to, at + timedelta(minutes=s.rng.randint(4, 90)), url, message, place, onward=())


def indicator(
    s: Story,
    value: str,
    name: str,
    *,
    confidence: int = 80,
    active: bool = True,
    revoked: bool = False,
    expired: bool = False,
    tags: str = "",
) -> Row:
    """One STIX indicator for an address, as republished a few days ago."""
    key = "ipv6-addr:value" if ":" in value else "ipv4-addr:value"
    at = s.now - timedelta(days=s.rng.randint(1, 6), hours=s.rng.randrange(24))
    until = s.now + timedelta(days=-9 if expired else 80)
    return s.add(
        "ThreatIntelIndicators",
        {
            "TimeGenerated": iso(at),
            "Id": f"indicator--{s.guid()}",
            "LastUpdateMethod": "LogARepublisher",
            "ObservableKey": key,
            "ObservableValue": value,
            "Pattern": f"[{key} = '{value}']",
            "Confidence": confidence,
            "IsActive": active,
            "IsDeleted": False,
            "Revoked": revoked,
            "ValidFrom": iso(s.now - timedelta(days=100)),
            "ValidUntil": iso(until),
            "Created": iso(s.now - timedelta(days=100)),
            "Modified": iso(at),
            "Tags": tags,
            "Data": {"name": name},
        },
    )


def feed_noise(s: Story) -> None:
    """Indicators that name nobody in the story."""
    for last in s.rng.sample(range(224, 255), 3):
        indicator(s, f"192.0.2.{last}", "Mass scanner", confidence=s.rng.choice((40, 60, 90)), tags="scanner")
