"""Attackers who made themselves a second way in: revoking sessions alone does not end these."""

from __future__ import annotations

from datetime import datetime, timedelta

from tools.scenarios.cast import GOTHENBURG, ZURICH, Town, at_home_in, employee, everybody_else
from tools.scenarios.devicecode import Flow, Side, device_code, refresh
from tools.scenarios.mail import click, feed_noise, mail
from tools.scenarios.rows import DEVICE_REGISTRATION
from tools.scenarios.story import MALICIOUS, Story, iso
from tools.scenarios.traces import device_registered, graph_calls, inbox_rule, mail_read
from tools.scenarios.traces_directory import consent, security_info
from tools.scenarios.world import (
    BROKER,
    EXCHANGE,
    GRAPH,
    OFFICE,
    REGISTRATION,
    REQUESTS_UA,
    App,
    Device,
    Json,
    Person,
    Place,
    guid,
    laptop,
    script,
)

_DSREG = "Dsreg/10.0 (Windows 10.0.19044.1826)"


def _rogue(name: str) -> Device:
    return Device(REQUESTS_UA, "Windows10", "", guid(f"device:{name}"), name, False, False, "Azure AD joined")


def _phished(s: Story, who: Person, here: Town, rented: Place, at: datetime) -> tuple[Flow, Side]:
    """A lure in the morning, a click, and a broker token in a rented machine."""
    machine = laptop(f"CONTOSO-LT-{1000 + len(who.upn) * 7}")
    employee(s, who, machine, at_home_in(here, machine, 1, home_days=(0, 4)))
    everybody_else(s, here, 6, 1)
    feed_noise(s)
    url = "https://voicemail-d4k.contoso-s-account.workers.dev/inbox"
    lure = mail(s, who, at - timedelta(minutes=40), "pbx@unified-msg.example.com", "Voice message (1:12)", url)
    click(s, who, at - timedelta(minutes=3), url, lure, here.office)
    tool = Side(rented, script(REQUESTS_UA))
    flow = device_code(s, who, at, BROKER, REGISTRATION, Side(here.office, machine), tool, wait=31)
    refresh(s, who, flow, at + timedelta(minutes=3), BROKER, REGISTRATION, tool, DEVICE_REGISTRATION)
    return flow, tool


def dug_in() -> Story:
    s = Story(
        "dug-in",
        "Within half an hour a device, an authenticator, a consent and an inbox rule were added to stay",
        "2026-04-21 11:20",
    )
    ebba = Person("ebba.sandqvist@contoso.com", "Ebba Sandqvist", "Purchasing manager", "Finance")
    rented = Place("198.51.100.211", "14061", "NL", "Amsterdam", "Noord-Holland")
    flow, tool = _phished(s, ebba, GOTHENBURG, rented, s.clock("10:02:18"))
    fake = _rogue("DESKTOP-Q4M0X2VE")
    device_registered(s, ebba, s.clock("10:07:40"), fake, _DSREG, rented)
    s.device(ebba, fake, registered=iso(s.clock("10:07:40")))
    refresh(s, ebba, flow, s.clock("10:12:05"), OFFICE, GRAPH, tool)
    security_info(s, ebba, s.clock("10:14:22"), "Authenticator App with Notification", rented)
    consent(
        s, ebba, s.clock("10:19:51"), App(guid("app:inbox-tidy"), "Inbox Tidy"), "Mail.ReadWrite offline_access", rented
    )
    inbox_rule(s, ebba, s.clock("10:23:09"), "..", ["invoice", "bank details", "payment"], rented, flow.session)
    refresh(s, ebba, flow, s.clock("10:24:40"), OFFICE, EXCHANGE, tool)
    mail_read(s, ebba, s.clock("10:26:33"), OFFICE, rented, flow.session)
    graph_calls(
        s, ebba, s.clock("10:15:02"), OFFICE, rented, tool.device, flow,
        "/me", '/me/messages?$search="invoice"', "/me/authentication/methods",
    )  # fmt: skip
    s.expect(
        ebba,
        MALICIOUS,
        "A lure, a broker token redeemed at a hosting company, and from there a device, an authenticator, a consent "
        "to a mail application and a rule that hides answers about invoices. Every one of them outlives a revocation.",
        rungs=("disable_device", "revoke_sessions", "remove_method", "remove_grant", "disable_rule"),
    )
    return s


def device_after_listing() -> Story:
    s = Story(
        "device-after-listing",
        "While sessions are being revoked, the attacker registers a device",
        "2026-06-09 09:50",
    )
    urs = Person("urs.baumgartner@contoso.com", "Urs Baumgartner", "Treasury analyst", "Finance")
    rented = Place("203.0.113.246", "9009", "RO", "Bucharest", "Bucuresti")
    _phished(s, urs, ZURICH, rented, s.clock("09:31:40"))
    late = _rogue("DESKTOP-9TL3WC7B")
    device: dict[str, Json] = {
        "id": guid(f"object:{late.id}"),
        "deviceId": late.id,
        "displayName": late.name,
        "accountEnabled": True,
        "operatingSystem": "Windows",
        "trustType": "AzureAd",
        "isCompliant": False,
        "isManaged": False,
        "registrationDateTime": "now",
        "registeredOwners": [urs.id],
    }
    s.happens = [{"on": "POST */revokeSignInSessions", "add": {"devices": [device]}}]
    s.expect(
        urs,
        MALICIOUS,
        "A lure and a broker token for the Device Registration Service at a hosting company. No device yet, but that "
        "is what the token is for: it appears between our look at the devices and the revocation, and has to be found.",
        rungs=("disable_device", "revoke_sessions"),
    )
    return s


STORIES = (dug_in, device_after_listing)
