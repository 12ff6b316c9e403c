"""What Office 365 writes down about mail and files, by an attacker and by everybody else."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from tools.scenarios.history import Habits
from tools.scenarios.inbox_rules import Rule, make_rule
from tools.scenarios.story import Story, iso
from tools.scenarios.world import EDGE_UA, OFFICE, App, Json, Person, Place, Row

_FILES = ("Budget 2026.xlsx", "Minutes.docx", "Contract draft.docx", "Forecast.xlsx", "Site plan.pdf", "Roster.xlsx",
          "Tender annex B.pdf", "Price list.xlsx", "Roadmap.pptx", "Handover.docx")  # fmt: skip


def _site(who: Person) -> str:
    return f"https://contoso-my.sharepoint.com/personal/{who.logged_upn.replace('@', '_').replace('.', '_')}"


def mail_volume(
    s: Story,
    who: Person,
    at: datetime,
    app: App,
    place: Place,
    session: str,
    *,
    items: int,
    access: str = "Bind",
    client: str = "Client=REST;Client=RESTSystem;;",
) -> Row:
    """MailItemsAccessed with the messages that were read in it."""
    read: list[Json] = [{"InternetMessageId": f"<{s.token_id()}@contoso.com>"} for _ in range(items)]
    folders: list[Json] = [{"Path": "\\Inbox", "FolderItems": read}]
    return s.add(
        "OfficeActivity",
        {
            "TimeGenerated": iso(at),
            "OfficeId": s.guid(),
            "OfficeWorkload": "Exchange",
            "RecordType": "ExchangeItemAggregated",
            "Operation": "MailItemsAccessed",
            "ResultStatus": "Succeeded",
            "UserId": who.logged_upn,
            "MailboxOwnerUPN": who.upn,
            "ClientIP": place.ip,
            "Client_IPAddress": place.ip,
            "ClientInfoString": client,
            "ClientAppId": app.id,
            "Folders": json.dumps(folders),
            "OperationProperties": [
                {"Name": "MailAccessType", "Value": access},
                {"Name": "IsThrottled", "Value": "False"},
            ],
            "AppAccessContext": {"AADSessionId": session},
            "ExternalAccess": "false",
        },
    )


def file_row(
    s: Story,
    who: Person,
    at: datetime,
    name: str,
    place: Place,
    agent: str,
    session: str,
    *,
    operation: str = "FileDownloaded",
    app: App = OFFICE,
) -> Row:
    """One file in OfficeActivity."""
    site = _site(who)
    return s.add(
        "OfficeActivity",
        {
            "TimeGenerated": iso(at),
            "OfficeId": s.guid(),
            "OfficeWorkload": "OneDrive",
            "RecordType": "SharePointFileOperation",
            "Operation": operation,
            "ResultStatus": "Succeeded",
            "UserId": who.logged_upn,
            "ClientIP": place.ip,
            "UserAgent": agent,
            "Site_Url": f"{site}/",
            "SourceRelativeUrl": "Documents",
            "SourceFileName": name,
            "SourceFileExtension": name.rsplit(".", 1)[1],
            "OfficeObjectId": f"{site}/Documents/{name}",
            "ItemType": "File",
            "EventSource": "SharePoint",
            "ApplicationId": app.id,
            "AppAccessContext": {"AADSessionId": session},
        },
    )


def downloads(
    s: Story, who: Person, at: datetime, place: Place, agent: str, session: str, *, app: App, count: int
) -> None:
    """Many files in a row, a few seconds apart."""
    for number in range(count):
        name = f"{number + 1:02} {s.rng.choice(_FILES)}"
        file_row(s, who, at, name, place, agent, session, app=app)
        at += timedelta(seconds=s.rng.randint(2, 9))


def cloud_app(
    s: Story,
    who: Person,
    at: datetime,
    action: str,
    place: Place,
    agent: str,
    session: str,
    *,
    application: str = "Microsoft SharePoint Online",
    thing: str = "",
    uncommon: tuple[str, ...] = (),
) -> Row:
    """One CloudAppEvents row; `uncommon` is what Defender for Cloud Apps found new about it."""
    numbers = {"Microsoft SharePoint Online": 20892, "Microsoft Exchange Online": 20893, "Microsoft Teams": 28375}
    raw: dict[str, Json] = {
        "Operation": action,
        "UserId": who.logged_upn,
        "ClientIP": place.ip,
        "CreationTime": iso(at),
        "AppAccessContext": {"AADSessionId": session},
    }
    return s.add(
        "CloudAppEvents",
        {
            "TimeGenerated": iso(at),
            "ReportId": f"{s.rng.randint(10**8, 10**9)}_{numbers[application]}_{s.guid()}",
            "ActionType": action,
            "Application": application,
            "ApplicationId": numbers[application],
            "AccountObjectId": who.id,
            "AccountId": who.id,
            "AccountDisplayName": who.name,
            "AccountType": "Regular",
            "IPAddress": place.ip,
            "CountryCode": place.country,
            "City": place.city,
            "UserAgent": agent,
            "ObjectName": thing,
            "ObjectType": "File" if thing else "",
            "IsAdminOperation": False,
            "IsExternalUser": who.guest,
            "IsImpersonated": False,
            "RawEventData": raw,
            "UncommonForUser": list(uncommon),
        },
    )


def rule(s: Story, who: Person, at: datetime, name: str, words: list[str], folder: str, place: Place, sid: str) -> None:
    """An inbox rule that sorts and leaves unread."""
    said = {"SubjectContainsWords": ";".join(words), "MoveToFolder": folder}
    actions: Json = {"moveToFolder": folder, "stopProcessingRules": False}
    make_rule(s, who, at, Rule(name, said, {"subjectContains": words}, actions), place, sid)


def ordinary_use(s: Story, who: Person, habits: Habits, *, days: int = 28, last: int = 0) -> None:
    """Mail that Outlook fetched and files that were opened, on some days, where `who` worked that day."""
    workdays = [ago for ago in range(last, days + 1) if (s.now - timedelta(days=ago)).weekday() < 5]
    for ago in s.rng.sample(workdays, min(5, len(workdays))):
        day = (s.now - timedelta(days=ago)).replace(hour=0, minute=0, second=0)
        at = day + timedelta(hours=s.rng.randint(8, 16) - habits.offset, seconds=s.rng.randrange(3600))
        if at > s.now - timedelta(hours=2):
            continue
        place = habits.place(day)
        session, outlook = s.guid(), "Client=OutlookService;Outlook-Win32;"
        mail_volume(s, who, at, OFFICE, place, session, items=s.rng.randint(1, 4), access="Sync", client=outlook)
        done = s.rng.choice(("FileAccessed", "FileDownloaded", "FileModified"))
        later = at + timedelta(minutes=s.rng.randint(2, 40))
        file_row(s, who, later, s.rng.choice(_FILES), place, EDGE_UA, session, operation=done)
