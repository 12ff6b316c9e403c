"""Attacks where something is missing: two tables, a licence, the home tenant."""

from __future__ import annotations

from tools.scenarios.devicecode import Side, device_code, refresh
from tools.scenarios.history import WORK, Habits, colleagues, working_month
from tools.scenarios.mail import feed_noise, indicator, mail, newsletters
from tools.scenarios.rows import HIDDEN, NON_INTERACTIVE, SIGN_INS, at_risk, sign_in
from tools.scenarios.story import MALICIOUS, Story
from tools.scenarios.traces import graph_calls, inbox_rule
from tools.scenarios.world import (
    ARM,
    AZURE_CLI,
    AZURE_POWERSHELL,
    CHROME_UA,
    EXCHANGE,
    GRAPH,
    HOME_DE,
    MOBILE_DE,
    MUNICH,
    OFFICE,
    OLD_REQUESTS_UA,
    REQUESTS_UA,
    SHAREPOINT,
    TEAMS,
    VPN_DE,
    Device,
    Person,
    Place,
    laptop,
    script,
)


def missing_table() -> Story:
    s = Story(
        "missing-table",
        "No non-interactive sign-ins and no clicks in the workspace; the approving row says enough",
        "2026-03-19 13:40",
    )
    s.absent = [NON_INTERACTIVE, "UrlClickEvents"]
    lena = Person("lena.hoffmann@contoso.com", "Lena Hoffmann", "Tax adviser", "Finance", synced=True)
    machine = laptop("CONTOSO-LT-0610")
    s.user(lena, risk="high")
    s.device(lena, machine)
    working_month(s, lena, Habits(MUNICH, machine, HOME_DE, MOBILE_DE, VPN_DE, offset=1))
    colleagues(s, MUNICH, 8, offset=1)
    newsletters(s, lena, MUNICH)
    feed_noise(s)
    exit_node = Place("192.0.2.66", "9009", "RO", "Bucharest", "Bucuresti")
    indicator(s, exit_node.ip, "Anonymising proxy, credential abuse", confidence=85, tags="proxy")
    mail(s, lena, s.clock("09:40"), "filing@tax-portal.example.com", "Filing receipt: confirm with code",
         "https://index-h7k.steuer-s-account.workers.dev/receipt")  # fmt: skip
    seen = Side(
        exit_node, Device(OLD_REQUESTS_UA, compliant=False, managed=False), at_risk("high", "anonymizedIPAddress")
    )
    device_code(s, lena, s.clock("10:05:41"), AZURE_POWERSHELL, ARM, seen, seen, wait=3)
    sign_in(s, SIGN_INS, lena, s.clock("10:30"), MUNICH, machine, EXCHANGE, EXCHANGE)
    s.expect(
        lena,
        MALICIOUS,
        "High risk, an address on threat intelligence, a country never seen, an unmanaged script client and an "
        "application that a tax adviser never used, after a lure was delivered. Who redeemed the code and whether she "
        "clicked cannot be known here: two tables are missing.",
    )
    return s


def guest() -> Story:
    s = Story(
        "guest", "A B2B guest: rows with the home tenant's name, sessions that we cannot revoke", "2026-03-26 12:00"
    )
    mara = Person(
        "mara.lindqvist_fabrikam.com#EXT#@contoso.com", "Mara Lindqvist", "", "", guest=True,
        home_upn="mara.lindqvist@fabrikam.com",
    )  # fmt: skip
    s.user(mara, created="2025-06-03T12:00:00Z")
    s.group("Project Harbour partners", [mara])
    partner = Place("198.51.100.60", "64510", "SE", "Gothenburg", "Vastra Gotaland")
    home = Place("192.0.2.131", "3301", "SE", "Gothenburg", "Vastra Gotaland")
    machine = Device(laptop("x").user_agent, "Windows11", "Edge 144.0.0")
    visits = Habits(partner, machine, home, offset=1, work=(WORK[0], WORK[2]), background=((TEAMS, SHAREPOINT),))
    working_month(s, mara, visits)
    colleagues(s, MUNICH, 6, offset=1)
    feed_noise(s)
    rented = Place("203.0.113.212", "20473", "US", "Piscataway", "New Jersey")
    indicator(s, rented.ip, "Device code phishing, token redemption", confidence=80, tags="phishing")
    tool = Side(rented, script(REQUESTS_UA))
    flow = device_code(
        s, mara, s.clock("08:47:30"), AZURE_CLI, GRAPH, Side(partner, machine), tool, wait=6, marked=True
    )
    refresh(s, mara, flow, s.clock("09:55:12"), AZURE_CLI, GRAPH, tool)
    refresh(s, mara, flow, s.clock("11:03:48"), AZURE_CLI, SHAREPOINT, tool)
    graph_calls(
        s,
        mara,
        s.clock("08:48:40"),
        AZURE_CLI,
        rented,
        tool.device,
        flow,
        "/me",
        "/users?$top=999",
        "/groups?$top=999",
        "/me/memberOf",
    )
    s.expect(
        mara,
        MALICIOUS,
        "A guest who only ever used Teams and SharePoint from her company's office redeemed an Azure CLI code at a "
        "hosting network abroad that is on threat intelligence, and the session listed our directory. Her mail is in "
        "the home tenant, so no lure can be seen; her sessions end only there.",
    )
    return s


def hidden_risk_no_p2() -> Story:
    s = Story("hidden-risk-no-p2", "A tenant without P2: risk hidden, compliance not reported", "2026-05-20 12:15")
    pavel = Person("pavel.novak@contoso.com", "Pavel Novak", "Logistics planner", "Operations")
    machine = Device(
        laptop("CONTOSO-PC-17").user_agent,
        "Windows11",
        "Edge 144.0.0",
        laptop("CONTOSO-PC-17").id,
        "CONTOSO-PC-17",
        trust="Azure AD registered",
    )
    office = Place("203.0.113.190", "64511", "AT", "Linz", "Upper Austria")
    s.user(pavel)
    s.device(pavel, machine)
    s.directory.pop("riskyUsers")
    working_month(s, pavel, Habits(office, machine, HOME_DE, MOBILE_DE, None, offset=2, risk=HIDDEN))
    colleagues(s, office, 6, offset=2, risk=HIDDEN)
    rented = Place("198.51.100.166", "16276", "CA", "Beauharnois", "Quebec")
    tool = Side(rented, script(CHROME_UA), HIDDEN)
    flow = device_code(s, pavel, s.clock("09:02:55"), OFFICE, GRAPH, Side(office, machine, HIDDEN), tool, wait=5)
    refresh(s, pavel, flow, s.clock("09:40:18"), OFFICE, EXCHANGE, tool)
    refresh(s, pavel, flow, s.clock("10:51:33"), OFFICE, GRAPH, tool)
    graph_calls(
        s, pavel, s.clock("09:04:10"), OFFICE, rented, tool.device, flow,
        "/me", "/users?$top=999", "/groups?$top=999", "/directoryRoles", '/me/messages?$search="password"',
        "POST /me/mailFolders/inbox/messageRules",
    )  # fmt: skip
    inbox_rule(s, pavel, s.clock("09:07:05"), "..", ["delivery", "customs"], rented, flow.session)
    for row in s.tables[SIGN_INS] + s.tables[NON_INTERACTIVE]:
        row["RiskLevelDuringSignIn"] = row["RiskLevelAggregated"] = row["RiskDetail"] = "hidden"
        row["RiskState"] = "none"
    s.expect(
        pavel,
        MALICIOUS,
        "Risk and compliance say nothing in this tenant. The code was approved at the office and redeemed seconds "
        "later by a client at a hosting network on another continent; the session listed users, groups and roles, "
        "searched mail for passwords and made an inbox rule.",
    )
    return s


STORIES = (missing_table, guest, hidden_risk_no_p2)
