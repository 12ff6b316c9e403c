"""Mail that was removed later or came from inside, attachments, and indicators for more than addresses."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from tools.scenarios.mail import mail
from tools.scenarios.story import Story, iso
from tools.scenarios.world import Person, Row


def _last(s: Story, table: str) -> Row:
    return s.tables[table][-1]


def internal(s: Story, to: Person, at: datetime, sender: Person, subject: str, url: str = "", message: str = "") -> str:
    """A message from one mailbox of the tenant to another."""
    message = mail(s, to, at, sender.address, subject, url, first=False, message=message)
    _last(s, "EmailEvents").update(
        EmailDirection="Intra-org",
        SenderObjectId=sender.id,
        SenderDisplayName=sender.name,
        SenderMailFromAddress=sender.address,
        SenderIPv4="",
    )
    return message


def attachment(s: Story, to: Person, at: datetime, name: str, *, qr: str = "") -> None:
    """A file on the message that was written last; `qr` is the link of a QR code that was found in it."""
    event = _last(s, "EmailEvents")
    event.update(AttachmentCount=1, UrlCount=1 if qr else 0)
    common: Row = {"TimeGenerated": iso(at), "NetworkMessageId": event["NetworkMessageId"], "ReportId": s.guid()}
    s.add(
        "EmailAttachmentInfo",
        {
            **common,
            "SenderFromAddress": event["SenderFromAddress"],
            "RecipientEmailAddress": to.address,
            "RecipientObjectId": to.id,
            "FileName": name,
            "FileType": name.rsplit(".", 1)[1],
            "SHA256": f"{s.rng.getrandbits(256):064x}",
            "FileSize": s.rng.randint(40_000, 300_000),
        },
    )
    if qr:
        domain = urlsplit(qr).hostname or ""
        s.add("EmailUrlInfo", {**common, "Url": qr, "UrlDomain": domain, "UrlLocation": "QRCode"})


def purged(s: Story, message: str, at: datetime, *, kind: str = "Phish ZAP", threat: str = "Phish") -> None:
    """Zero-hour auto purge: a row for each recipient of a message, and where the message is now."""
    for event in s.tables["EmailEvents"]:
        if event["NetworkMessageId"] != message:
            continue
        event["LatestDeliveryLocation"] = "Quarantine" if threat == "Phish" else "Junk folder"
        event["LatestDeliveryAction"] = "ZAP"
        s.add(
            "EmailPostDeliveryEvents",
            {
                "TimeGenerated": iso(at),
                "NetworkMessageId": message,
                "InternetMessageId": event["InternetMessageId"],
                "SenderFromAddress": event["SenderFromAddress"],
                "RecipientEmailAddress": event["RecipientEmailAddress"],
                "EmailDirection": event["EmailDirection"],
                "ReportId": s.guid(),
                "Action": "Moved to quarantine" if threat == "Phish" else "Moved to Junk folder",
                "ActionType": kind,
                "ActionTrigger": "SpecialAction",
                "ActionResult": "Success",
                "DeliveryLocation": event["LatestDeliveryLocation"],
                "ThreatTypes": threat,
                "DetectionMethods": json.dumps({threat: ["URL detonation reputation"]}),
            },
        )


def name_indicator(s: Story, key: str, value: str, name: str, *, confidence: int = 90, active: bool = True) -> Row:
    """A STIX indicator for a `domain-name:value` or a `url:value`."""
    at = s.now - timedelta(days=s.rng.randint(0, 3), hours=s.rng.randint(2, 20))
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
            "Revoked": False,
            "ValidFrom": iso(s.now - timedelta(days=4)),
            "ValidUntil": iso(s.now + timedelta(days=60)),
            "Created": iso(s.now - timedelta(days=4)),
            "Modified": iso(at),
            "Tags": "phishing",
            "Data": {"name": name},
        },
    )


def old_indicator(
    s: Story, ip: str, text: str, *, confidence: float = 80.0, active: bool = True, expired: bool = False
) -> Row:
    """A row of ThreatIntelligenceIndicator, the table before STIX."""
    at = s.now - timedelta(days=s.rng.randint(1, 9), hours=s.rng.randrange(24))
    return s.add(
        "ThreatIntelligenceIndicator",
        {
            "TimeGenerated": iso(at),
            "Action": "alert",
            "IndicatorId": f"{s.rng.getrandbits(256):064X}",
            "ExternalIndicatorId": f"indicator--{s.guid()}",
            "ConfidenceScore": confidence,
            "Active": active,
            "Description": text,
            "ThreatType": "Phishing" if "hish" in text else "WatchList",
            "TrafficLightProtocolLevel": "amber",
            "NetworkIP": ip,
            "NetworkSourceIP": "",
            "ExpirationDateTime": iso(s.now + timedelta(days=-12 if expired else 45)),
            "IndicatorProvider": "Regional CERT",
            "Tags": "",
        },
    )
