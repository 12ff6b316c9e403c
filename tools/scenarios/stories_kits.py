"""Attacks by a rented kit: approved where the victim works, redeemed at a hosting company."""

from __future__ import annotations

from tools.scenarios.devicecode import Side, device_code, refresh
from tools.scenarios.history import Habits, colleagues, working_month
from tools.scenarios.mail import click, feed_noise, indicator, mail, newsletters
from tools.scenarios.rows import DEVICE_REGISTRATION, REDEEMED_PRT, SIGN_INS, sign_in
from tools.scenarios.story import MALICIOUS, Story
from tools.scenarios.traces import device_registered, graph_calls, inbox_rule, mail_read
from tools.scenarios.world import (
    BROKER,
    CHICAGO,
    EXCHANGE,
    GRAPH,
    GRAPH_TOOLS,
    HOME_GB,
    HOME_US,
    MANCHESTER,
    MOBILE_GB,
    MOBILE_US,
    NODE_UA,
    OFFICE,
    OLD_REQUESTS_UA,
    POWERSHELL_UA,
    REGISTRATION,
    REQUESTS_UA,
    SHAREPOINT,
    VPN_GB,
    VPN_US,
    Device,
    Person,
    Place,
    guid,
    laptop,
    script,
)


def compliant_laptop_approves() -> Story:
    s = Story(
        "compliant-laptop-approves",
        "Approved on a compliant laptop at the office, redeemed at a hosting company",
        "2026-03-10 15:20",
    )
    dana = Person("dana.whitfield@contoso.com", "Dana Whitfield", "Accounts payable lead", "Finance")
    machine = laptop("CONTOSO-LT-0311")
    s.user(dana)
    s.device(dana, machine)
    working_month(s, dana, Habits(MANCHESTER, machine, HOME_GB, MOBILE_GB, VPN_GB))
    colleagues(s, MANCHESTER, 9)
    newsletters(s, dana, MANCHESTER)
    feed_noise(s)
    rented = Place("198.51.100.23", "14061", "NL", "Amsterdam", "Noord-Holland")
    url = "https://adobe-m4t.fabrikam-s-account.workers.dev/sign/remittance"
    lure = mail(s, dana, s.clock("13:48"), "documents@remit-share.example.com", "Remittance advice for signature", url)
    click(s, dana, s.clock("14:02:10"), url, lure, MANCHESTER)
    kit = Side(rented, script(NODE_UA))
    flow = device_code(s, dana, s.clock("14:03:58"), OFFICE, GRAPH, Side(MANCHESTER, machine), kit, wait=8)
    refresh(s, dana, flow, s.clock("14:09:31"), OFFICE, EXCHANGE, kit)
    refresh(s, dana, flow, s.clock("14:31:02"), OFFICE, GRAPH, kit)
    refresh(s, dana, flow, s.clock("15:02:47"), OFFICE, EXCHANGE, kit)
    inbox_rule(s, dana, s.clock("14:38:20"), ".", ["invoice", "payment", "bank details"], rented, flow.session)
    sign_in(s, SIGN_INS, dana, s.clock("14:12"), MANCHESTER, machine, SHAREPOINT, SHAREPOINT)
    s.expect(
        dana,
        MALICIOUS,
        "The approving leg is her own compliant laptop at the office with no risk, but eight seconds later the code "
        "was redeemed by a Node client at a hosting network in another country that neither she nor the tenant ever "
        "used; she had followed a workers.dev lure to the device login page two minutes before, and the token made an "
        "inbox rule that hides payment mail.",
    )
    return s


def obrien() -> Story:
    s = Story(
        "obrien", "An apostrophe in the UPN, a mailbox of another name, mail searched for passwords", "2026-04-02 17:10"
    )
    sean = Person(
        "o'brien@contoso.com", "Sean O'Brien", "Messaging engineer", "IT", synced=True, mail="sean.obrien@contoso.com"
    )
    machine = laptop("CONTOSO-LT-0458")
    s.user(sean)
    s.device(sean, machine)
    s.role(sean, "29232cdf-9323-42fd-ade2-1d097af3e4de", "Exchange Administrator")
    working_month(s, sean, Habits(CHICAGO, machine, HOME_US, MOBILE_US, VPN_US, offset=-5))
    colleagues(s, CHICAGO, 8, offset=-5)
    newsletters(s, sean, CHICAGO)
    feed_noise(s)
    rented = Place("198.51.100.150", "16276", "FR", "Gravelines", "Hauts-de-France")
    indicator(s, rented.ip, "Device code phishing kit, polling node", confidence=75, tags="phishing")
    url = "https://docusign-k3p.up.railway.app/envelope/77121"
    lure = mail(s, sean, s.clock("15:21"), "no-reply@esign.example.com", "Sean O'Brien: envelope awaiting review", url)
    click(s, sean, s.clock("15:40:05"), url, lure, CHICAGO, upn="O'Brien@contoso.com")
    own = Side(CHICAGO, Device(POWERSHELL_UA, machine.os, "", machine.id, machine.name, True, True, machine.trust))
    for ago in (23, 16, 9):
        device_code(s, sean, s.clock("15:05", ago), GRAPH_TOOLS, GRAPH, Side(CHICAGO, machine), own)
    tool = Side(rented, script(OLD_REQUESTS_UA, reported=True))
    flow = device_code(s, sean, s.clock("15:43:19"), GRAPH_TOOLS, GRAPH, Side(CHICAGO, machine), tool, wait=4)
    refresh(s, sean, flow, s.clock("16:20:44"), GRAPH_TOOLS, GRAPH, tool)
    graph_calls(
        s, sean, s.clock("15:44:30"), GRAPH_TOOLS, rented, tool.device, flow,
        "/me", '/me/messages?$search="password"', '/me/messages?$search="anydesk"', "/directoryRoles",
        "/users?$top=999",
        scopes="Mail.Read User.Read.All Directory.Read.All",
    )  # fmt: skip
    s.expect(
        sean,
        MALICIOUS,
        "The redeeming address is on threat intelligence and in a country he never signed in from; lure clicked three "
        "minutes before the approval; the session searched his mail for passwords and listed the directory. He does "
        "use this tool with device codes, but from his own laptop. He is an Exchange administrator.",
    )
    return s


def broker_prt() -> Story:
    s = Story(
        "broker-prt",
        "Authentication Broker at home, a device registered elsewhere, then its primary refresh token",
        "2026-03-05 21:00",
    )
    grace = Person("grace.okafor@contoso.com", "Grace Okafor", "Legal counsel", "Legal")
    machine = laptop("CONTOSO-LT-0520")
    s.user(grace)
    s.device(grace, machine)
    working_month(s, grace, Habits(MANCHESTER, machine, HOME_GB, MOBILE_GB, VPN_GB, home_days=(1, 3, 4)))
    colleagues(s, MANCHESTER, 7)
    newsletters(s, grace, HOME_GB)
    feed_noise(s)
    rented = Place("203.0.113.231", "20473", "GB", "London", "England")
    url = "https://voicemail-q8z.contoso-s-account.workers.dev/play"
    lure = mail(
        s, grace, s.clock("18:55"), "voice@unified-msg.example.com", "Voice message (0:48) from +44 161 496 0000", url
    )
    click(s, grace, s.clock("19:10:15"), url, lure, HOME_GB)
    tool = Side(rented, script(REQUESTS_UA))
    flow = device_code(
        s,
        grace,
        s.clock("19:12:08"),
        BROKER,
        REGISTRATION,
        Side(HOME_GB, machine),
        tool,
        wait=42,
        tie_correlation=False,
    )
    refresh(s, grace, flow, s.clock("19:14:51"), BROKER, REGISTRATION, tool, DEVICE_REGISTRATION)
    fake = Device(
        REQUESTS_UA,
        "Windows10",
        "",
        guid("device:DESKTOP-7KQ2M1PA"),
        "DESKTOP-7KQ2M1PA",
        False,
        False,
        "Azure AD joined",
    )
    device_registered(s, grace, s.clock("19:16:22"), fake, "Dsreg/10.0 (Windows 10.0.19044.1826)", rented)
    s.device(grace, fake, registered="2026-03-05T19:16:22Z")
    joined = Side(rented, fake)
    refresh(s, grace, flow, s.clock("19:41:09"), OFFICE, EXCHANGE, joined, REDEEMED_PRT)
    refresh(s, grace, flow, s.clock("20:17:33"), OFFICE, SHAREPOINT, joined, REDEEMED_PRT)
    mail_read(s, grace, s.clock("19:44:10"), OFFICE, rented, flow.session)
    s.expect(
        grace,
        MALICIOUS,
        "The Authentication Broker token was redeemed at a hosting network for the Device Registration Service; four "
        "minutes later a device DESKTOP-7KQ2M1PA appeared and its primary refresh token was used from the same "
        "network. Revoking sessions alone does not end this: the device must be disabled.",
    )
    return s


STORIES = (compliant_laptop_approves, obrien, broker_prt)
