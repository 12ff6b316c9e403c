"""The cast: applications, networks, devices, people. Everything but the Microsoft application ids is made up.

Addresses come from the documentation ranges, offices use documentation AS numbers. Networks that anybody can rent
or subscribe to carry the number of a real one, because that is what a rule about hosting networks looks at.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
Row: TypeAlias = dict[str, Json]


def guid(label: str) -> str:
    """A valid version 4 GUID that is always the same for the same label."""
    return str(uuid.UUID(bytes=hashlib.sha256(label.encode()).digest()[:16], version=4))


CONTOSO = "f0a1c2d3-1111-4222-8333-944445555666"
FABRIKAM = guid("tenant:fabrikam.com")


@dataclass(frozen=True)
class App:
    id: str
    name: str


BROKER = App("29d9ed98-a469-4536-ade2-f981bc1d605e", "Microsoft Authentication Broker")
AZURE_CLI = App("04b07795-8ddb-461a-bbee-02f9e1bf7b46", "Microsoft Azure CLI")
AZURE_POWERSHELL = App("1950a258-227b-4e31-a9cf-717495945fc2", "Microsoft Azure PowerShell")
GRAPH_TOOLS = App("14d82eec-204b-4c2f-b7e8-296a70dab67e", "Microsoft Graph Command Line Tools")
OFFICE = App("d3590ed6-52b3-4102-aeff-aad2292ab01c", "Microsoft Office")
TEAMS = App("1fec8e78-bce4-4aaf-ab1b-5451cc387264", "Microsoft Teams")
OUTLOOK_MOBILE = App("27922004-5251-4030-b22d-91ecd9a37ea4", "Outlook Mobile")
ONEDRIVE = App("ab9b8c07-8f02-4f72-87fa-80105867a763", "OneDrive SyncEngine")
VS_CODE = App("aebc6443-996d-45c2-90f0-388ff96faa56", "Visual Studio Code")
EXCHANGE = App("00000002-0000-0ff1-ce00-000000000000", "Office 365 Exchange Online")
SHAREPOINT = App("00000003-0000-0ff1-ce00-000000000000", "Office 365 SharePoint Online")
GRAPH = App("00000003-0000-0000-c000-000000000000", "Microsoft Graph")
ARM = App("797f4846-ba00-4fd7-ba43-dac1f8f63013", "Windows Azure Service Management API")
REGISTRATION = App("01cb2876-7ebd-4aa4-9cc9-d28bd4d359a9", "Device Registration Service")
INTUNE = App("0000000a-0000-0000-c000-000000000000", "Microsoft Intune")


@dataclass(frozen=True)
class Place:
    """A network as a sign-in shows it."""

    ip: str
    asn: str
    country: str
    city: str
    state: str = ""

    @property
    def details(self) -> dict[str, Json]:
        return {"city": self.city, "state": self.state, "countryOrRegion": self.country}


@dataclass(frozen=True)
class Device:
    """What DeviceDetail says; where `compliant` or `managed` is None the key is left out: not reported."""

    user_agent: str
    os: str = ""
    browser: str = ""
    id: str = ""
    name: str = ""
    compliant: bool | None = None
    managed: bool | None = None
    trust: str = ""

    @property
    def detail(self) -> dict[str, Json]:
        out: dict[str, Json] = {
            "deviceId": self.id,
            "displayName": self.name,
            "operatingSystem": self.os,
            "browser": self.browser,
            "trustType": self.trust,
        }
        if self.compliant is not None:
            out["isCompliant"] = self.compliant
        if self.managed is not None:
            out["isManaged"] = self.managed
        return out


EDGE_UA = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/144.0.0.0 Safari/537.36 Edg/144.0.0.0"
)
CHROME_UA = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/144.0.0.0 Safari/537.36"
)
SAFARI_UA = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.3 Safari/605.1.15"
)
IPHONE_UA = "Outlook-iOS/723.4027091.prod.iphone (4.2608.0)"
REQUESTS_UA = "python-requests/2.32.3"
OLD_REQUESTS_UA = "python-requests/2.31.0"
NODE_UA = "node"
AXIOS_UA = "axios/1.7.9"
POWERSHELL_UA = "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.26100.2161"
ANDROID_ROOM_UA = "Dalvik/2.1.0 (Linux; U; Android 12; MeetingBar A30 Build/SKQ1.220119.001)"


def laptop(name: str) -> Device:
    """A company laptop: joined, managed, compliant."""
    return Device(EDGE_UA, "Windows11", "Edge 144.0.0", guid(f"device:{name}"), name, True, True, "Azure AD joined")


def phone(owner: str) -> Device:
    return Device(IPHONE_UA, "Ios 18.3", "", guid(f"phone:{owner}"), "iPhone", None, False, "Azure AD registered")


def script(user_agent: str, *, reported: bool = False) -> Device:
    """A client without a device; some rows report `false`, others leave compliance out."""
    said = False if reported else None
    return Device(user_agent, compliant=said, managed=said)


def personal_pc() -> Device:
    return Device(CHROME_UA, "Windows10", "Chrome 144.0.0", compliant=False, managed=False)


@dataclass(frozen=True)
class Person:
    """A user as the sign-in rows of the resource tenant name them."""

    upn: str
    name: str
    job: str = ""
    department: str = ""
    guest: bool = False
    home_upn: str = ""
    synced: bool = False
    mail: str = ""

    @property
    def id(self) -> str:
        return guid(f"user:{self.upn}")

    @property
    def logged_upn(self) -> str:
        return self.home_upn or self.upn

    @property
    def address(self) -> str:
        return self.mail or self.logged_upn


# Offices: one egress each, documentation AS numbers.
MANCHESTER = Place("203.0.113.40", "64501", "GB", "Manchester", "Greater Manchester")
MUNICH = Place("203.0.113.80", "64502", "DE", "Munich", "Bavaria")
CHICAGO = Place("203.0.113.120", "64503", "US", "Chicago", "Illinois")
OSLO = Place("203.0.113.160", "64504", "NO", "Oslo", "Oslo")
SEATTLE = Place("203.0.113.24", "64500", "US", "Seattle", "Washington")
DUBLIN = Place("203.0.113.200", "64505", "IE", "Dublin", "Leinster")
VPN_GB = Place("203.0.113.45", "64501", "GB", "London", "England")
VPN_DE = Place("203.0.113.85", "64502", "DE", "Frankfurt am Main", "Hesse")
VPN_US = Place("203.0.113.125", "64503", "US", "Columbus", "Ohio")

# Homes and phones: subscriber networks.
HOME_GB = Place("192.0.2.18", "5607", "GB", "Stockport", "Greater Manchester")
HOME_DE = Place("192.0.2.51", "3320", "DE", "Munich", "Bavaria")
HOME_US = Place("192.0.2.84", "7018", "US", "Evanston", "Illinois")
CAFE_US = Place("192.0.2.88", "22773", "US", "Evanston", "Illinois")
HOME_NO = Place("192.0.2.102", "2119", "NO", "Oslo", "Oslo")
HOME_IE = Place("192.0.2.119", "5466", "IE", "Dublin", "Leinster")
MOBILE_GB = Place("198.51.100.4", "12576", "GB", "Manchester", "Greater Manchester")
MOBILE_DE = Place("198.51.100.8", "6805", "DE", "Munich", "Bavaria")
MOBILE_US = Place("198.51.100.12", "21928", "US", "Chicago", "Illinois")
MOBILE_NO = Place("198.51.100.16", "2119", "NO", "Oslo", "Oslo")
MOBILE_IE = Place("198.51.100.20", "15502", "IE", "Dublin", "Leinster")
