"""People with an explanation: a developer, a traveller, a new office, a lure that came too late."""

from __future__ import annotations

from datetime import timedelta

from tools.scenarios.devicecode import Side, device_code, refresh
from tools.scenarios.history import Habits, colleagues, working_month
from tools.scenarios.mail import click, feed_noise, indicator, mail, newsletters
from tools.scenarios.rows import (
    NON_INTERACTIVE,
    PRT,
    REFRESH,
    SIGN_INS,
    Risk,
    at_risk,
    sign_in,
)
from tools.scenarios.story import BENIGN, Story
from tools.scenarios.traces import graph_calls
from tools.scenarios.world import (
    ARM,
    AZURE_CLI,
    DUBLIN,
    EXCHANGE,
    GRAPH,
    HOME_DE,
    HOME_IE,
    MOBILE_DE,
    MOBILE_IE,
    MUNICH,
    ONEDRIVE,
    REQUESTS_UA,
    SHAREPOINT,
    TEAMS,
    VPN_DE,
    Person,
    Place,
    laptop,
    script,
)

LOW_SEEN = Risk("low", "low", "atRisk", "none", ("unfamiliarFeatures",))
REMEDIED = Risk("low", "none", "remediated", "userPassedMFADrivenByRiskBasedPolicy", ("unfamiliarFeatures",))


def developer_habit() -> Story:
    s = Story(
        "developer-habit", "az login --use-device-code on the build server, as every few days", "2026-02-12 16:00"
    )
    priya = Person("priya.raman@contoso.com", "Priya Raman", "Platform engineer", "Engineering")
    machine = laptop("CONTOSO-LT-0147")
    s.user(priya)
    s.device(priya, machine)
    s.group("Azure contributors", [priya])
    habits = Habits(MUNICH, machine, HOME_DE, MOBILE_DE, VPN_DE, offset=1)
    working_month(s, priya, habits)
    colleagues(s, MUNICH, 7, offset=1)
    newsletters(s, priya, MUNICH)
    feed_noise(s)
    server = Place("192.0.2.140", "24940", "FI", "Helsinki", "Uusimaa")
    indicator(
        s,
        server.ip,
        "SSH scanner (former tenant of the address)",
        confidence=60,
        active=False,
        expired=True,
        tags="scanner",
    )
    build = Side(server, script(REQUESTS_UA))
    for ago, clock in (
        (28, "08:31"),
        (24, "13:02"),
        (21, "08:44"),
        (17, "09:05"),
        (14, "08:29"),
        (10, "12:40"),
        (7, "08:50"),
        (3, "14:15"),
        (1, "08:21"),
    ):
        at = s.clock(clock, ago)
        flow = device_code(s, priya, at, AZURE_CLI, ARM, Side(habits.place(at), machine), build)
        refresh(s, priya, flow, at + timedelta(minutes=71), AZURE_CLI, ARM, build)
    flow = device_code(s, priya, s.clock("08:37:14"), AZURE_CLI, ARM, Side(MUNICH, machine), build, wait=9)
    refresh(s, priya, flow, s.clock("09:49:40"), AZURE_CLI, GRAPH, build)
    graph_calls(
        s,
        priya,
        s.clock("09:50:02"),
        AZURE_CLI,
        server,
        build.device,
        flow,
        "/groups?$filter=startswith(displayName,'aks-')",
        "/users?$top=100",
    )
    mail(s, priya, s.clock("07:12"), "it-support@account-verify.example.com", "Verify your session",
         "https://voicemail-a1b.account-s-account.workers.dev/v", action="Blocked", threats="Phish")  # fmt: skip
    s.expect(
        priya,
        BENIGN,
        "The same client, application and build server as in nine sign-ins of the last month, approved on her own "
        "laptop. The lure of that morning was blocked before delivery, and the indicator on the server's address "
        "has expired.",
    )
    return s


def traveller() -> Story:
    s = Story(
        "traveller", "Azure CLI from a hotel in a country never seen before, on the company laptop", "2026-02-18 09:30"
    )
    tomas = Person("tomas.keller@contoso.com", "Tomas Keller", "Cloud consultant", "Services")
    machine = laptop("CONTOSO-LT-0229")
    s.user(tomas)
    s.device(tomas, machine)
    working_month(s, tomas, Habits(MUNICH, machine, HOME_DE, MOBILE_DE, VPN_DE, offset=1), last=4)
    colleagues(s, MUNICH, 7, offset=1)
    newsletters(s, tomas, MUNICH)
    feed_noise(s)
    hotel = Place("192.0.2.201", "4657", "SG", "Singapore", "")
    indicator(s, hotel.ip, "Spam from guest network", confidence=20, revoked=True, active=False, tags="spam")
    at_hotel = Side(hotel, machine)
    for ago, clock in ((13, "10:20"), (27, "13:35")):
        at = s.clock(clock, ago)
        device_code(s, tomas, at, AZURE_CLI, ARM, Side(MUNICH, machine), Side(MUNICH, script(REQUESTS_UA)), wait=4)
    mail(
        s,
        tomas,
        s.clock("06:10", 9),
        "reservations@hotel.example.com",
        "Your booking in Singapore, 16 to 20 February",
        first=False,
    )
    arrival = Side(hotel, machine, REMEDIED)
    for ago, clock, side in (
        (1, "13:05", arrival),
        (1, "13:22", at_hotel),
        (0, "01:15", at_hotel),
        (0, "04:48", at_hotel),
    ):
        app = EXCHANGE if ago else SHAREPOINT
        sign_in(s, SIGN_INS, tomas, s.clock(clock, ago), hotel, machine, app, app, PRT, risk=side.risk)
    sign_in(s, SIGN_INS, tomas, s.clock("12:40", 2), hotel, machine, TEAMS, TEAMS, PRT)
    sign_in(s, NON_INTERACTIVE, tomas, s.clock("05:02"), hotel, machine, ONEDRIVE, SHAREPOINT, REFRESH)
    flow = device_code(
        s, tomas, s.clock("06:12:45"), AZURE_CLI, ARM, at_hotel, Side(hotel, script(REQUESTS_UA)), wait=5
    )
    refresh(s, tomas, flow, s.clock("07:20:11"), AZURE_CLI, ARM, Side(hotel, script(REQUESTS_UA)))
    s.expect(
        tomas,
        BENIGN,
        "The country is new, but both legs come from the hotel address where his managed, compliant laptop has worked "
        "with its primary refresh token since two days ago; he uses Azure CLI with device codes at home too; no lure.",
    )
    return s


def uncomfortable_benign() -> Story:
    s = Story("uncomfortable-benign", "Medium risk because the office moved on Monday", "2026-02-05 13:00")
    nora = Person("nora.lund@contoso.com", "Nora Lund", "Cloud administrator", "IT")
    machine = laptop("CONTOSO-LT-0090")
    old, new = DUBLIN, Place("198.51.100.90", "64507", "IE", "Dublin", "Leinster")
    s.user(nora, risk="medium")
    s.device(nora, machine)
    s.role(nora, "158c047a-c907-4556-b7ef-446551a6b5f7", "Cloud Application Administrator")
    working_month(s, nora, Habits(old, machine, HOME_IE, MOBILE_IE, None), last=4)
    working_month(s, nora, Habits(new, machine, HOME_IE, MOBILE_IE, None, risk=LOW_SEEN), days=3)
    colleagues(s, new, 12, days=3, risk=LOW_SEEN)
    newsletters(s, nora, new)
    feed_noise(s)
    risky = at_risk("medium", "unfamiliarFeatures")
    shell = script(REQUESTS_UA)
    device_code(s, nora, s.clock("10:05:10", 29), AZURE_CLI, ARM, Side(old, machine), Side(old, shell), wait=5)
    flow = device_code(
        s, nora, s.clock("10:14:36"), AZURE_CLI, ARM, Side(new, machine, risky), Side(new, shell, risky), wait=4
    )
    refresh(s, nora, flow, s.clock("10:16:02"), AZURE_CLI, GRAPH, Side(new, shell))
    graph_calls(
        s,
        nora,
        s.clock("10:16:20"),
        AZURE_CLI,
        new,
        shell,
        flow,
        "/applications?$top=999",
        "/servicePrincipals?$top=999",
    )
    s.expect(
        nora,
        BENIGN,
        "Medium risk for unfamiliar features only: the address is the new office, in use by twelve colleagues since "
        "Monday; both legs there, on her own compliant machine, the monthly application report as four weeks ago.",
    )
    return s


def lure_after_signin() -> Story:
    s = Story(
        "lure-after-signin",
        "A habitual device code sign-in in the morning, a lure clicked in the afternoon",
        "2026-03-03 16:30",
    )
    sam = Person("sam.varga@contoso.com", "Sam Varga", "Data engineer", "Engineering")
    machine = laptop("CONTOSO-LT-0376")
    s.user(sam)
    s.device(sam, machine)
    habits = Habits(DUBLIN, machine, HOME_IE, MOBILE_IE, home_days=(1, 4))
    working_month(s, sam, habits)
    colleagues(s, DUBLIN, 6)
    newsletters(s, sam, DUBLIN)
    feed_noise(s)
    server = Place("192.0.2.163", "16509", "DE", "Frankfurt am Main", "Hesse")
    job = Side(server, script(REQUESTS_UA, reported=True))
    for ago in (27, 22, 20, 15, 13, 8, 6, 1):
        at = s.clock("09:10", ago)
        device_code(s, sam, at, AZURE_CLI, ARM, Side(habits.place(at), machine), job, tie_session=False)
    flow = device_code(
        s, sam, s.clock("08:55:03"), AZURE_CLI, ARM, Side(HOME_IE, machine), job, wait=11, tie_session=False
    )
    refresh(s, sam, flow, s.clock("10:02:30"), AZURE_CLI, ARM, job)
    refresh(s, sam, flow, s.clock("14:40:12"), AZURE_CLI, ARM, job)
    url = "https://docusign-w9c.contoso-s-account.workers.dev/offer"
    lure = mail(s, sam, s.clock("13:20"), "people@hr-letters.example.com", "Compensation letter 2026", url)
    click(s, sam, s.clock("13:34:28"), url, lure, HOME_IE)
    s.expect(
        sam,
        BENIGN,
        "The sign-in is the usual one, redeemed on the job server of his last weeks, and it happened more than four "
        "hours before the lure arrived; after the click no code was entered and no session began. The click is worth a "
        "word with him, but there is nothing to contain.",
    )
    return s


STORIES = (developer_habit, traveller, uncomfortable_benign, lure_after_signin)
