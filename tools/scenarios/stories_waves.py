"""One attacker and several colleagues; one attacker and hardly any telemetry."""

from __future__ import annotations

from tools.scenarios.cast import PRAGUE, RIGA, employee, everybody_else
from tools.scenarios.delivery import old_indicator
from tools.scenarios.devicecode import Side, device_code, refresh
from tools.scenarios.history import Habits
from tools.scenarios.mail import click, feed_noise, mail
from tools.scenarios.rows import HIDDEN, SIGN_INS, at_risk, sign_in
from tools.scenarios.story import MALICIOUS, NO_ACTIVITY, Story
from tools.scenarios.tenant import risky_user, without_p2
from tools.scenarios.traces import graph_calls
from tools.scenarios.traces_office import mail_volume
from tools.scenarios.world import (
    AZURE_CLI,
    EXCHANGE,
    GRAPH,
    OFFICE,
    OLD_REQUESTS_UA,
    TEAMS,
    Device,
    Person,
    Place,
    laptop,
    script,
)


def second_wave() -> Story:
    s = Story(
        "second-wave",
        "One address redeems for two colleagues, hours apart; a third followed the lure and closed the page",
        "2026-05-19 16:20",
    )
    lucie = Person("lucie.hajkova@contoso.com", "Lucie Hajkova", "Accountant", "Finance")
    marek = Person("marek.kral@contoso.com", "Marek Kral", "Warehouse planner", "Operations")
    ondrej = Person("ondrej.benes@contoso.com", "Ondrej Benes", "Accountant", "Finance")
    machines = {lucie: laptop("CONTOSO-LT-0760"), marek: laptop("CONTOSO-LT-0761"), ondrej: laptop("CONTOSO-LT-0762")}
    for who, days, at_home, risk in ((lucie, 21, (), "high"), (marek, 21, (1, 4), ""), (ondrej, 15, (), "")):
        habits = Habits(PRAGUE.office, machines[who], PRAGUE.home, None, offset=2, home_days=at_home)
        employee(s, who, machines[who], habits, days=days, letters=2, risk=risk)
    everybody_else(s, PRAGUE, 3, 2)
    feed_noise(s)
    rented = Place("198.51.100.162", "60781", "NL", "Amsterdam", "Noord-Holland")
    agent = script("okhttp/4.12.0")
    url = "https://datova-schranka-9f.netlify.app/zprava"
    lure = ""
    for who in (lucie, ondrej):
        lure = mail(s, who, s.clock("07:50:31"), "podatelna@registry-post.example.com", "New message in your data box",
                    url, message=lure)  # fmt: skip
    click(s, lucie, s.clock("08:14:02"), url, lure, PRAGUE.office)
    seen = Side(rented, agent, at_risk("high", "anonymizedIPAddress"))
    own = Side(PRAGUE.office, machines[lucie])
    flow = device_code(s, lucie, s.clock("08:19:26"), OFFICE, GRAPH, own, seen, wait=7)
    refresh(s, lucie, flow, s.clock("09:24:48"), OFFICE, EXCHANGE, seen)
    graph_calls(s, lucie, s.clock("08:21:40"), OFFICE, rented, agent, flow, "/me", "/me/messages?$top=50",
                "/users?$filter=department eq 'Operations'", scopes="Mail.ReadWrite User.Read.All")  # fmt: skip
    mail_volume(s, lucie, s.clock("09:26:10"), OFFICE, rented, flow.session, items=11)
    risky_user(s, lucie, "high", "atRisk", hours=7)
    quiet = Side(rented, agent)
    flow = device_code(
        s, marek, s.clock("12:47:55"), AZURE_CLI, GRAPH, Side(PRAGUE.home, machines[marek]), quiet, wait=21,
        tie_session=False,
    )  # fmt: skip
    refresh(s, marek, flow, s.clock("14:02:30"), AZURE_CLI, GRAPH, quiet)
    click(s, ondrej, s.clock("08:33:49"), url, lure, PRAGUE.office, onward=())
    sign_in(s, SIGN_INS, ondrej, s.clock("08:41"), PRAGUE.office, machines[ondrej], EXCHANGE, EXCHANGE)
    sign_in(s, SIGN_INS, ondrej, s.clock("11:05"), PRAGUE.office, machines[ondrej], TEAMS, TEAMS)
    s.expect(
        lucie,
        MALICIOUS,
        "Lure followed, code approved five minutes later, redeemed at a hosting network abroad at high risk, mail read "
        "and the next department listed.",
    )
    s.expect(
        marek,
        MALICIOUS,
        "No lure, no risk and next to no use of the token, so on his own he would be a question. But a warehouse "
        "planner has no use for Azure CLI, and his code was redeemed by the very address and client that took his "
        "colleague's session four hours earlier, after that session had listed his department.",
    )
    s.expect(
        ondrej,
        NO_ACTIVITY,
        "The same lure reached him and he opened it, but he never went on to the device login page: no interrupt, no "
        "device code sign-in, only his ordinary work.",
    )
    return s


def small_tenant_old_feed() -> Story:
    s = Story(
        "small-tenant-old-feed",
        "A small tenant: no P2, no mail, click, Graph or Office rows, and indicators only in the old table",
        "2025-07-17 14:10",
    )
    s.absent = [
        "EmailEvents",
        "EmailUrlInfo",
        "EmailPostDeliveryEvents",
        "UrlClickEvents",
        "MessageEvents",
        "MessageUrlInfo",
        "MicrosoftGraphActivityLogs",
        "AADGraphActivityLogs",
        "OfficeActivity",
        "CloudAppEvents",
        "ThreatIntelIndicators",
        "IdentityInfo",
        "AADRiskyUsers",
    ]
    liga = Person("liga.ozola@contoso.com", "Liga Ozola", "Office manager", "Administration")
    known = laptop("CONTOSO-PC-04")
    machine = Device(known.user_agent, known.os, known.browser, known.id, known.name, trust="Azure AD registered")
    employee(
        s, liga, machine, Habits(RIGA.office, machine, RIGA.home, RIGA.mobile, offset=3), created="2024-01-08T08:00:00Z"
    )
    everybody_else(s, RIGA, 6, 3, risk=HIDDEN)
    rented = Place("198.51.100.164", "200019", "MD", "Chisinau", "Chisinau")
    old_indicator(s, rented.ip, "Phishing kit, device code polling", confidence=85.0)
    old_indicator(s, "192.0.2.240", "Mass scanner", confidence=90.0)
    old_indicator(s, RIGA.home.ip, "Botnet member (dynamic address)", confidence=70.0, active=False, expired=True)
    tool = Side(rented, script(OLD_REQUESTS_UA))
    flow = device_code(s, liga, s.clock("09:36:19"), OFFICE, EXCHANGE, Side(RIGA.office, machine), tool, wait=6)
    refresh(s, liga, flow, s.clock("10:41:07"), OFFICE, EXCHANGE, tool)
    refresh(s, liga, flow, s.clock("12:58:30"), OFFICE, GRAPH, tool)
    without_p2(s)
    s.expect(
        liga,
        MALICIOUS,
        "Most telemetry does not exist here, so what the mail said and what the token read cannot be known. What is "
        "known is enough: an office manager's first device code, approved at her desk and six seconds later redeemed "
        "by a Python script at a hosting network in another country, at an address that the regional CERT lists for "
        "this very thing. The expired indicator on her home line is noise.",
    )
    return s


STORIES = (second_wave, small_tenant_old_feed)
