"""What only a question to somebody can settle."""

from __future__ import annotations

from tools.scenarios.cast import (
    BARCELONA,
    FIREFOX_LINUX_UA,
    GLASGOW,
    HELSINKI,
    REPORTING,
    UNFAMILIAR,
    VIENNA,
    at_home_in,
    employee,
    everybody_else,
)
from tools.scenarios.devicecode import Side, device_code, refresh
from tools.scenarios.history import Habits, working_month
from tools.scenarios.mail import feed_noise, indicator, mail, newsletters
from tools.scenarios.rows import (
    APPROVE,
    NON_INTERACTIVE,
    REFRESH,
    SIGN_INS,
    Risk,
    at_risk,
    new_ids,
    sign_in,
)
from tools.scenarios.story import SUSPICIOUS, Story
from tools.scenarios.teams import small_talk
from tools.scenarios.tenant import identity, named_location, risky_user
from tools.scenarios.traces import graph_calls
from tools.scenarios.traces_office import ordinary_use
from tools.scenarios.world import (
    ARM,
    AZURE_CLI,
    CHROME_UA,
    EXCHANGE,
    GRAPH,
    OFFICE,
    REQUESTS_UA,
    SAFARI_UA,
    SHAREPOINT,
    VS_CODE,
    Device,
    Person,
    Place,
    laptop,
    script,
)


def contractor_coworking() -> Story:
    s = Story(
        "contractor-coworking",
        "A contractor's own computer in a co-working space, medium risk, the first device code",
        "2026-04-22 15:40",
    )
    bruno = Person("bruno.salas.ext@contoso.com", "Bruno Salas (ext)", "Data engineer, contractor", "Analytics")
    mac = Device(SAFARI_UA, "MacOs", "Safari 18.3", compliant=False, managed=False)
    s.user(bruno, created="2026-01-12T09:00:00Z", risk="medium")
    habits = Habits(BARCELONA.office, mac, BARCELONA.home, None, offset=2, home_days=(0, 4))
    working_month(s, bruno, habits, days=28, last=1)
    newsletters(s, bruno, BARCELONA.office)
    ordinary_use(s, bruno, habits, last=1)
    small_talk(s, bruno, "ana.marti@fabrikam.com", "Ana Marti", count=3)
    everybody_else(s, BARCELONA, 9, 2)
    feed_noise(s)
    space = Place("192.0.2.187", "12479", "ES", "Sant Cugat del Valles", "Catalonia")
    risk = at_risk("medium", "unfamiliarFeatures")
    sign_in(s, SIGN_INS, bruno, s.clock("08:44"), space, mac, EXCHANGE, EXCHANGE, risk=UNFAMILIAR)
    shell = Side(space, script(REQUESTS_UA, reported=True))
    flow = device_code(s, bruno, s.clock("13:26:30"), AZURE_CLI, ARM, Side(space, mac, risk), shell, wait=6)
    refresh(s, bruno, flow, s.clock("14:30:12"), AZURE_CLI, ARM, shell)
    risky_user(s, bruno, "medium", "atRisk")
    identity(s, bruno, groups=("External staff", "Analytics"), tags="contractor", country="Spain",
             created="2026-01-12T09:00:00Z")  # fmt: skip
    s.expect(
        bruno,
        SUSPICIOUS,
        "His job makes Azure CLI plausible, and both legs come from the place where his own computer read mail that "
        "morning; no lure, no indicator, nothing read that an intruder would want. But it is his first device code, "
        "the computer is not managed, nobody here has used that network, Entra gives it medium risk, and nothing ties "
        "the script to his machine. Ask him before ending his work.",
    )
    return s


def commercial_vpn() -> Story:
    s = Story(
        "commercial-vpn",
        "A managed laptop behind a commercial VPN that its owner never used, and a first device code there",
        "2026-05-05 21:10",
    )
    aino = Person("aino.lehtonen@contoso.com", "Aino Lehtonen", "Product designer", "Design")
    machine = laptop("CONTOSO-LT-0595")
    employee(s, aino, machine, at_home_in(HELSINKI, machine, 3, home_days=(1, 3)))
    everybody_else(s, HELSINKI, 8, 3)
    feed_noise(s)
    exit_node = Place("198.51.100.168", "212238", "SE", "Stockholm", "Stockholm")
    indicator(s, exit_node.ip, "Commercial VPN exit", confidence=40, tags="vpn")
    low = Risk("low", "low", "atRisk", "none", ("anonymizedIPAddress",))
    sign_in(s, SIGN_INS, aino, s.clock("18:52"), exit_node, machine, SHAREPOINT, SHAREPOINT, risk=low)
    tool = Side(exit_node, script("node"))
    flow = device_code(s, aino, s.clock("19:20:41"), VS_CODE, GRAPH, Side(exit_node, machine, low), tool, wait=9)
    refresh(s, aino, flow, s.clock("20:25:10"), VS_CODE, GRAPH, tool)
    graph_calls(s, aino, s.clock("19:22:15"), VS_CODE, exit_node, tool.device, flow, "/me", scopes="User.Read openid")
    s.expect(
        aino,
        SUSPICIOUS,
        "Her own compliant laptop is on that VPN: it opened SharePoint there half an hour before. But the exit is "
        "shared with everybody who pays for it, so the redeeming client, which has no device, need not be hers; it is "
        "her first device code, in the evening, from a network and country she never used. Little was done with the "
        "token. Ask whether she runs a VPN and Visual Studio Code.",
    )
    return s


def service_account_night() -> Story:
    s = Story(
        "service-account-night",
        "A service account enters a device code at twenty to three at night, from the office",
        "2026-03-11 08:30",
    )
    svc = Person("svc-reporting@contoso.com", "svc-reporting", "", "Analytics")
    s.user(svc, created="2021-06-21T08:00:00Z")
    s.methods.pop(svc.id)
    everybody_else(s, GLASGOW, 12, 0)
    feed_noise(s)
    server = Device("Microsoft Power BI Gateway/3000.262", "Windows", "")
    for ago in range(29, -1, -1):
        for hour in (4, 11):
            at = s.clock(f"{hour}:{s.rng.randrange(30, 33)}", ago)
            if at < s.now:
                sign_in(s, NON_INTERACTIVE, svc, at, GLASGOW.office, server, REPORTING, SHAREPOINT, REFRESH)
    browser = Device(CHROME_UA, "Windows10", "Chrome 144.0.0")
    approve, shell = Side(GLASGOW.office, browser), Side(GLASGOW.office, script(REQUESTS_UA))
    flow = device_code(s, svc, s.clock("02:38:14"), AZURE_CLI, ARM, approve, shell, wait=12)
    flow.approval["AuthenticationRequirement"] = "singleFactorAuthentication"
    flow.approval.pop("AuthenticationDetails")
    refresh(s, svc, flow, s.clock("03:40:50"), AZURE_CLI, ARM, shell)
    identity(s, svc, tags="service", service=True, blast="Medium", created="2021-06-21T08:00:00Z", country="GB")
    named_location(s, "Glasgow office", GLASGOW.office)
    s.expect(
        svc,
        SUSPICIOUS,
        "Nobody phishes an account that reads no mail, and both legs come from the trusted office egress. But for a "
        "month this account did nothing but refresh reports; now somebody typed its password and a code into a browser "
        "at night, without MFA, to drive Azure. An administrator in a hurry and an intruder inside the network look "
        "the same here: ask who it was before anything is cut off, as reports would stop.",
    )
    return s


def approving_leg_only() -> Story:
    s = Story(
        "approving-leg-only",
        "Approved from home on a computer never seen before; who redeemed the code is not in the logs",
        "2026-06-25 17:00",
    )
    theresa = Person("theresa.huber@contoso.com", "Theresa Huber", "Financial controller", "Finance")
    machine = laptop("CONTOSO-LT-0410")
    employee(s, theresa, machine, at_home_in(VIENNA, machine, 2, home_days=(3, 4)))
    everybody_else(s, VIENNA, 8, 2)
    feed_noise(s)
    mail(s, theresa, s.clock("12:10:20"), "rechnung@stromnetz.example.com", "Your June invoice",
         "https://portal.stromnetz.example.com/invoice/77", first=False)  # fmt: skip
    strange = Device(FIREFOX_LINUX_UA, "Linux", "Firefox 139.0", compliant=False, managed=False)
    ids, where = new_ids(s), (VIENNA.home, strange, OFFICE, GRAPH, APPROVE)
    sign_in(s, SIGN_INS, theresa, s.clock("16:20:52"), *where, ids=ids, result="50199")
    sign_in(s, SIGN_INS, theresa, s.clock("16:21:30"), *where, ids=ids)
    identity(s, theresa, groups=("Finance Austria",), blast="Medium", country="Austria")
    s.expect(
        theresa,
        SUSPICIOUS,
        "The address is her home line, but the browser is Firefox on an unmanaged Linux machine, which she never used, "
        "and it is her first device code. Forty minutes later there is still no row of a redemption: the code may have "
        "lapsed, or the rows are late, and the one fact that decides, who holds the token, is missing. No lure, no "
        "risk. Look again when the rows are in, and ask her meanwhile.",
    )
    return s


STORIES = (contractor_coworking, commercial_vpn, service_account_night, approving_leg_only)
