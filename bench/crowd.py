"""A made-up tenant of many users, as a scenario directory: for the figures that depend on numbers.

Every user works from one of forty offices and a home; some of them use device codes, most as a habit, one in twenty was
phished. Written row by row from a template, because a million of them are needed.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

NOW = datetime(2026, 3, 16, 12, tzinfo=UTC)
_APPS = (
    ("1fec8e78-bce4-4aaf-ab1b-5451cc387264", "Microsoft Teams"),
    ("00000002-0000-0ff1-ce00-000000000000", "Office 365 Exchange Online"),
    ("00000003-0000-0ff1-ce00-000000000000", "Office 365 SharePoint Online"),
)
_CLI = ("04b07795-8ddb-461a-bbee-02f9e1bf7b46", "Microsoft Azure CLI")
_ONE_IN = 20
"""One user with a device code in so many was phished."""


@dataclass(frozen=True)
class Crowd:
    """How large the tenant is.

    Attributes:
        rows: sign-in rows of both tables together.
        coded: users who used a device code.
        codes: how often each of them did.
        days: over how many days the rows spread.
        code_days: over how many of the last days the device codes spread.
    """

    users: int
    rows: int
    coded: int
    codes: int
    days: int
    code_days: float


def write(folder: Path, crowd: Crowd) -> None:
    """Write the scenario."""
    rng = random.Random(7)  # noqa: S311 - a story, not a secret
    folder.mkdir(parents=True, exist_ok=True)
    head = {"title": f"{crowd.users} users", "now": _iso(NOW), "absent_tables": [], "expect": {}}
    (folder / "scenario.json").write_text(json.dumps(head))
    (folder / "directory.json").write_text(json.dumps({"users": [_user(n) for n in range(crowd.users)]}))
    with (
        (folder / "SigninLogs.jsonl").open("w") as browser,
        (folder / "AADNonInteractiveUserSignInLogs.jsonl").open("w") as client,
    ):
        plain = crowd.rows - 2 * crowd.coded * crowd.codes
        for number in range(plain):
            _ordinary(browser if number % 2 else client, rng, number, number % crowd.users, crowd)
        for user in range(crowd.coded):
            for code in range(crowd.codes):
                _device_code(browser, client, rng, user, code, crowd)


def _user(n: int) -> dict[str, object]:
    upn = f"user{n}@contoso.com"
    return {"id": user_id(n), "userPrincipalName": upn, "displayName": f"User {n}", "mail": upn, "userType": "Member"}


def user_id(n: int) -> str:
    """Object id of a user."""
    return f"7d1f0a52-6d0e-4c1c-9b54-{n:012x}"


@dataclass(frozen=True)
class _Place:
    ip: str
    asn: str
    country: str


def _ordinary(file: TextIO, rng: random.Random, number: int, user: int, crowd: Crowd) -> None:
    at = NOW - timedelta(seconds=rng.randrange(3600, int(crowd.days * 86400)))
    at_home = number % 5 == 0
    home, office = _Place(f"198.51.{user // 200 % 100}.{user % 200}", "64511", "US"), _office(user)
    session = f"5e55{user:08x}{at:%Y%m%d}"
    app = _APPS[number % len(_APPS)]
    _row(file, f"{number:012x}", user, at, home if at_home else office, app=app, session=session, managed=True)


def _office(user: int) -> _Place:
    return _Place(f"203.0.113.{user % 40}", "64496", "US")


def _device_code(browser: TextIO, client: TextIO, rng: random.Random, user: int, code: int, crowd: Crowd) -> None:
    """The approval at the office; redeemed at the user's own server, or at an attacker's."""
    at = NOW - timedelta(minutes=10 + rng.randrange(int(crowd.code_days * 1440) - 15))
    attacker = _Place(f"192.0.2.{user % 250}", "24940", "DE")
    server = _Place(f"203.0.113.{100 + user % 100}", "64496", "US")
    phished = user % _ONE_IN == 0 and code == 0
    number, session = f"c0de{user:06x}{code:02x}", f"c0de5e55{user:08x}{code:04x}"
    _row(browser, f"a{number}", user, at, _office(user), app=_CLI, session=session, protocol="deviceCode")
    place, redeemed_at = attacker if phished else server, at + timedelta(seconds=9)
    _row(
        client, f"b{number}", user, redeemed_at, place, app=_CLI, session=session, transfer="deviceCodeFlow",
        agent="python-requests/2.32.3",
    )  # fmt: skip


def _row(  # noqa: PLR0913 - the columns that differ
    file: TextIO,
    row: str,
    user: int,
    at: datetime,
    place: _Place,
    *,
    app: tuple[str, str],
    session: str,
    protocol: str = "none",
    transfer: str = "none",
    agent: str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/144.0.0.0 Safari/537.36",
    managed: bool = False,
) -> None:
    device = f'{{"deviceId":"","operatingSystem":"Windows11","isManaged":{str(managed).lower()}}}'
    where = f'{{"city":"","countryOrRegion":"{place.country}"}}'
    if "NonInteractive" in file.name:
        device, where = json.dumps(device), json.dumps(where)
    moment = _iso(at)
    file.write(
        f'{{"TimeGenerated":"{moment}","CreatedDateTime":"{moment}","Id":"{row}","OriginalRequestId":"{row}",'
        f'"CorrelationId":"c-{session}-{row[-6:]}","SessionId":"{session}","UniqueTokenIdentifier":"t{row}",'
        f'"UserId":"{user_id(user)}","UserPrincipalName":"user{user}@contoso.com","UserDisplayName":"User {user}",'
        f'"UserType":"Member","AppId":"{app[0]}","AppDisplayName":"{app[1]}",'
        '"ResourceIdentity":"00000003-0000-0000-c000-000000000000","ResourceDisplayName":"Microsoft Graph",'
        f'"ClientAppUsed":"Browser","AuthenticationProtocol":"{protocol}","OriginalTransferMethod":"{transfer}",'
        f'"IncomingTokenType":"none","ResultType":"0","IPAddress":"{place.ip}","AutonomousSystemNumber":"{place.asn}",'
        f'"Location":"{place.country}","LocationDetails":{where},"DeviceDetail":{device},"UserAgent":"{agent}",'
        '"RiskLevelDuringSignIn":"none","RiskLevelAggregated":"none","RiskState":"none"}\n'
    )


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
