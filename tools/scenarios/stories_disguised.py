"""Attacks that hide: a proxy around the corner, IPv6 and redaction, rows that come twice and late."""

from __future__ import annotations

from tools.scenarios.devicecode import Side, device_code, refresh
from tools.scenarios.history import Habits, colleagues, working_month
from tools.scenarios.mail import click, feed_noise, indicator, mail, newsletters
from tools.scenarios.rows import NON_INTERACTIVE, SIGN_INS, at_risk
from tools.scenarios.story import MALICIOUS, Story
from tools.scenarios.traces import graph_calls, mail_read
from tools.scenarios.world import (
    AXIOS_UA,
    CHICAGO,
    EXCHANGE,
    GRAPH,
    HOME_NO,
    HOME_US,
    MOBILE_NO,
    MOBILE_US,
    NODE_UA,
    OFFICE,
    OSLO,
    VPN_US,
    Person,
    Place,
    laptop,
    script,
)


def regional_proxy() -> Story:
    s = Story(
        "regional-proxy",
        "Redeemed through a residential proxy in the victim's own city; lure over Teams, no click",
        "2026-04-21 19:30",
    )
    caroline = Person("caroline.mbeki@contoso.com", "Caroline Mbeki", "Procurement director", "Procurement")
    machine = laptop("CONTOSO-LT-0633")
    s.user(caroline)
    s.device(caroline, machine)
    working_month(s, caroline, Habits(CHICAGO, machine, HOME_US, MOBILE_US, VPN_US, offset=-5))
    colleagues(s, CHICAGO, 10, offset=-5)
    newsletters(s, caroline, CHICAGO)
    feed_noise(s)
    proxy = Place("192.0.2.77", "6079", "US", "Chicago", "Illinois")
    s.add(
        "MessageEvents",
        {
            "TimeGenerated": s.clock("16:31:12").strftime("%Y-%m-%dT%H:%M:%SZ"),
            "TeamsMessageId": s.guid(),
            "SenderEmailAddress": "helpdesk@fabrikam.com",
            "SenderDisplayName": "IT Service Desk (External)",
            "SenderType": "User",
            "RecipientDetails": [{"RecipientSmtpAddress": caroline.upn, "RecipientDisplayName": caroline.name}],
            "IsExternalThread": True,
            "ThreadSubtype": "oneOnOne",
            "DeliveryAction": "Delivered",
            "ThreatTypes": "",
        },
    )
    tool = Side(proxy, script(AXIOS_UA))
    flow = device_code(
        s, caroline, s.clock("16:40:26"), OFFICE, GRAPH, Side(CHICAGO, machine), tool, wait=5, marked=True
    )
    refresh(s, caroline, flow, s.clock("17:12:40"), OFFICE, GRAPH, tool)
    refresh(s, caroline, flow, s.clock("18:20:03"), OFFICE, EXCHANGE, tool)
    graph_calls(
        s, caroline, s.clock("16:42:11"), OFFICE, proxy, tool.device, flow,
        "/me", "/me/mailFolders", '/me/messages?$search="password"', '/me/messages?$search="credentials"',
        "/users?$top=999&$select=displayName,mail,jobTitle", "/groups?$top=999",
        scopes="Mail.ReadWrite Mail.Send Files.ReadWrite.All Directory.AccessAsUser.All",
    )  # fmt: skip
    mail_read(s, caroline, s.clock("16:45:30"), OFFICE, proxy, flow.session)
    s.expect(
        caroline,
        MALICIOUS,
        "Country and city are hers, but the redeeming network was never seen for her or anybody in the tenant, the "
        "client is axios acting as Microsoft Office, she never used a device code before, and the session at once "
        "searched mail for passwords and listed every user. No click row is expected for a QR code in a Teams chat.",
    )
    return s


def ipv6_redacted() -> Story:
    s = Story("ipv6-redacted", "IPv6 on both sides, one address redacted", "2026-03-31 14:00")
    felix = Person("felix.brandt@contoso.com", "Felix Brandt", "Plant controller", "Finance")
    machine = laptop("CONTOSO-LT-0702")
    office6 = Place("2001:db8:10:40::a1", "64502", "DE", "Munich", "Bavaria")
    home6 = Place("2001:db8:2003:51::7", "3320", "DE", "Munich", "Bavaria")
    s.user(felix, risk="medium")
    s.device(felix, machine)
    working_month(s, felix, Habits(office6, machine, home6, None, None, offset=1))
    colleagues(s, office6, 8, offset=1)
    newsletters(s, felix, office6)
    feed_noise(s)
    rented = Place("2001:db8:bad:5::17", "9009", "RO", "Bucharest", "Bucuresti")
    spelled = Place("2001:0db8:0bad:0005:0000:0000:0000:0017", "9009", "RO", "Bucharest", "Bucuresti")
    redacted = Place("203.0.113.XXX", "9009", "RO", "", "")
    indicator(s, rented.ip, "Bulletproof hosting, phishing infrastructure", confidence=85, tags="phishing,hosting")
    url = "https://page-adobe-r2d.contoso-s-account.workers.dev/file/4431"
    lure = mail(s, felix, s.clock("10:02"), "share@cloud-files.example.com", "Shared with you: Q1 accruals", url)
    click(s, felix, s.clock("10:31:40"), url, lure, office6)
    tool = Side(rented, script(NODE_UA), at_risk("medium", "maliciousIPAddress"))
    flow = device_code(s, felix, s.clock("10:33:12"), OFFICE, EXCHANGE, Side(office6, machine), tool, wait=7)
    refresh(s, felix, flow, s.clock("11:02:09"), OFFICE, EXCHANGE, Side(spelled, tool.device))
    refresh(s, felix, flow, s.clock("12:20:55"), OFFICE, GRAPH, Side(redacted, tool.device))
    s.expect(
        felix,
        MALICIOUS,
        "The redeeming IPv6 address is on threat intelligence, in a country and hosting network new to him, minutes "
        "after he followed a workers.dev lure; a later refresh shows the same address spelled out and one is redacted.",
    )
    return s


def duplicates_late_risk() -> Story:
    s = Story(
        "duplicates-late-risk",
        "The same sign-in sent twice, the second time with high risk; rows out of order",
        "2026-04-09 11:30",
    )
    ingrid = Person("ingrid.solberg@contoso.com", "Ingrid Solberg", "Chartering manager", "Operations")
    machine = laptop("CONTOSO-LT-0815")
    s.user(ingrid, risk="high")
    s.device(ingrid, machine)
    working_month(s, ingrid, Habits(OSLO, machine, HOME_NO, MOBILE_NO, None, offset=2))
    colleagues(s, OSLO, 8, offset=2)
    newsletters(s, ingrid, OSLO)
    feed_noise(s)
    rented = Place("198.51.100.177", "24940", "FI", "Helsinki", "Uusimaa")
    url = "https://index-v6n.nordic-s-account.workers.dev/charter-party"
    lure = mail(s, ingrid, s.clock("08:11"), "ops@fixture-desk.example.com", "Charter party for countersignature", url)
    click(s, ingrid, s.clock("08:27:33"), url, lure, OSLO)
    tool = Side(rented, script(NODE_UA))
    flow = device_code(s, ingrid, s.clock("08:29:50"), OFFICE, GRAPH, Side(OSLO, machine), tool, wait=9)
    again = refresh(s, ingrid, flow, s.clock("08:58:14"), OFFICE, EXCHANGE, tool)
    high = {"RiskLevelDuringSignIn": "high", "RiskLevelAggregated": "high", "RiskState": "atRisk"}
    late = {
        "TimeGenerated": (s.clock("09:31:05")).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "RiskEventTypes_V2": '["anomalousToken"]',
    }
    s.add(SIGN_INS, {**flow.approval, **high, **late})
    s.add(NON_INTERACTIVE, {**flow.redemption, **high, **late})
    s.add(NON_INTERACTIVE, {**again})
    for table in (SIGN_INS, NON_INTERACTIVE):
        s.unsorted.add(table)
        s.rng.shuffle(s.tables[table])
    s.expect(
        ingrid,
        MALICIOUS,
        "Risk was none when the rows first came in and high an hour later on the same Ids; redeemed by a Node client "
        "at a hosting network abroad two minutes after the lure. The duplicates are one sign-in, not several.",
    )
    return s


STORIES = (regional_proxy, ipv6_redacted, duplicates_late_risk)
