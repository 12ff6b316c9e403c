"""What a person has to look at, and what came to nothing."""

from __future__ import annotations

from dataclasses import replace

from tools.scenarios.devicecode import Side, device_code, refresh
from tools.scenarios.history import Habits, colleagues, working_month
from tools.scenarios.mail import click, feed_noise, indicator, mail, newsletters
from tools.scenarios.rows import APPROVE, NON_INTERACTIVE, REDEEM, SIGN_INS, Risk, new_ids, sign_in
from tools.scenarios.story import BENIGN, MALICIOUS, NO_ACTIVITY, SUSPICIOUS, Story
from tools.scenarios.traces import graph_calls
from tools.scenarios.world import (
    ARM,
    AXIOS_UA,
    AZURE_CLI,
    AZURE_POWERSHELL,
    CAFE_US,
    CHICAGO,
    DUBLIN,
    EXCHANGE,
    GRAPH,
    HOME_GB,
    HOME_IE,
    HOME_US,
    MANCHESTER,
    MOBILE_GB,
    MOBILE_IE,
    MOBILE_US,
    NODE_UA,
    OFFICE,
    POWERSHELL_UA,
    REQUESTS_UA,
    SEATTLE,
    TEAMS,
    VPN_GB,
    VPN_US,
    VS_CODE,
    Device,
    Person,
    Place,
    laptop,
    personal_pc,
    script,
)


def suspicious_first_time() -> Story:
    s = Story(
        "suspicious-first-time",
        "First device code of an HR analyst: Azure PowerShell, in a café, on her own computer",
        "2026-03-12 20:00",
    )
    helen = Person("helen.castro@contoso.com", "Helen Castro", "HR analyst", "People")
    machine = laptop("CONTOSO-LT-0266")
    s.user(helen, risk="low")
    s.device(helen, machine)
    working_month(s, helen, Habits(CHICAGO, machine, HOME_US, MOBILE_US, VPN_US, offset=-5, home_days=(0, 3, 4)))
    colleagues(s, CHICAGO, 8, offset=-5)
    newsletters(s, helen, CHICAGO)
    feed_noise(s)
    low = Risk("low", "low", "atRisk", "none", ("unfamiliarFeatures",))
    shell = Side(CAFE_US, Device(POWERSHELL_UA, "Windows10", "", compliant=False, managed=False))
    device_code(s, helen, s.clock("17:48:52"), AZURE_POWERSHELL, ARM, Side(CAFE_US, personal_pc(), low), shell, wait=5)
    s.expect(
        helen,
        SUSPICIOUS,
        "Nobody else is in sight: both legs come from one address in her own town and nothing followed. But it is her "
        "first device code ever, for a tool that an HR analyst has no known use for, on an unmanaged computer, from a "
        "network that nobody has used before, at low risk. "
        "A person should ask her; cutting her off would not be justified.",
    )
    return s


def suspicious_new_network() -> Story:
    s = Story(
        "suspicious-new-network-no-lure",
        "A developer's code redeemed at a cloud address nobody knows",
        "2026-05-14 15:30",
    )
    devon = Person("devon.marsh@contoso.com", "Devon Marsh", "Software engineer", "Engineering")
    machine = laptop("CONTOSO-LT-0388")
    s.user(devon)
    s.device(devon, machine)
    working_month(s, devon, Habits(DUBLIN, machine, HOME_IE, MOBILE_IE, None))
    colleagues(s, DUBLIN, 8)
    newsletters(s, devon, DUBLIN)
    feed_noise(s)
    one = Place("192.0.2.150", "24940", "DE", "Falkenstein", "Saxony")
    two = Place("192.0.2.151", "24940", "DE", "Falkenstein", "Saxony")
    unknown = Place("198.51.100.201", "16509", "SE", "Stockholm", "Stockholm")
    remote = script(NODE_UA)
    for ago, server, app in (
        (28, one, VS_CODE),
        (21, one, VS_CODE),
        (14, two, AZURE_CLI),
        (8, one, VS_CODE),
        (2, two, VS_CODE),
    ):
        tool = Side(server, script(REQUESTS_UA) if app is AZURE_CLI else remote)
        device_code(s, devon, s.clock("09:10", ago), app, ARM, Side(DUBLIN, machine), tool, wait=8)
    tool = Side(unknown, remote)
    flow = device_code(s, devon, s.clock("10:22:18"), VS_CODE, ARM, Side(DUBLIN, machine), tool, wait=7)
    refresh(s, devon, flow, s.clock("11:30:41"), VS_CODE, ARM, tool)
    s.expect(
        devon,
        SUSPICIOUS,
        "The habit is his: VS Code on remote machines, about weekly. But this machine is at a cloud network and in a "
        "country that nobody in the tenant has used, and a rented address is also what an attacker would have. No "
        "lure, no risk, nothing done with the token: ask him whether the machine is his.",
    )
    return s


def no_activity() -> Story:
    s = Story("no-activity", "Ordinary sign-ins only; one device code, last week", "2026-02-19 17:00")
    olive = Person("olive.hart@contoso.com", "Olive Hart", "Recruiter", "People")
    yusuf = Person("yusuf.adan@contoso.com", "Yusuf Adan", "Cloud engineer", "Engineering")
    for who, name in ((olive, "CONTOSO-LT-0555"), (yusuf, "CONTOSO-LT-0556")):
        machine = laptop(name)
        s.user(who)
        s.device(who, machine)
        home = HOME_GB if who is olive else replace(HOME_GB, ip="192.0.2.22", city="Salford")
        working_month(s, who, Habits(MANCHESTER, machine, home, MOBILE_GB, VPN_GB))
        newsletters(s, who, MANCHESTER)
        sign_in(s, SIGN_INS, who, s.clock("13:40"), MANCHESTER, machine, TEAMS, TEAMS)
    shell = Side(MANCHESTER, script(REQUESTS_UA))
    device_code(s, yusuf, s.clock("09:30", 7), AZURE_CLI, ARM, Side(MANCHESTER, laptop("CONTOSO-LT-0556")), shell)
    colleagues(s, MANCHESTER, 6)
    feed_noise(s)
    s.expect(olive, NO_ACTIVITY, "Browser, laptop and phone as on any day; no device code sign-in at all.")
    s.expect(yusuf, NO_ACTIVITY, "His last device code sign-in was a week ago, and no token of it was used since.")
    return s


def failed_attempts() -> Story:
    s = Story(
        "failed-attempts",
        "A lure, an interrupt, a Conditional Access block, an expired code: nobody got a token",
        "2026-05-06 14:45",
    )
    marcus = Person("marcus.bell@contoso.com", "Marcus Bell", "Sales manager", "Sales")
    machine = laptop("CONTOSO-LT-0431")
    s.user(marcus)
    s.device(marcus, machine)
    working_month(s, marcus, Habits(MANCHESTER, machine, HOME_GB, MOBILE_GB, VPN_GB))
    colleagues(s, MANCHESTER, 7)
    newsletters(s, marcus, MANCHESTER)
    feed_noise(s)
    rented = Place("198.51.100.31", "14061", "NL", "Amsterdam", "Noord-Holland")
    indicator(s, rented.ip, "Phishing kit, polling node", confidence=70, tags="phishing")
    url = "https://docusign-e5u.sales-s-account.workers.dev/order"
    lure = mail(s, marcus, s.clock("11:02"), "orders@esign.example.com", "Purchase order 88213 to sign", url)
    click(s, marcus, s.clock("11:17:44"), url, lure, MANCHESTER)
    where = (MANCHESTER, machine, OFFICE, GRAPH)
    attempt, second = new_ids(s), new_ids(s)
    sign_in(s, SIGN_INS, marcus, s.clock("11:19:02"), *where, APPROVE, ids=attempt, result="50199")
    blocked = (("Block device code flow", "failure"), ("Require MFA for all users", "success"))
    sign_in(s, SIGN_INS, marcus, s.clock("11:19:31"), *where, APPROVE, ids=attempt, result="53003", policies=blocked)
    sign_in(s, SIGN_INS, marcus, s.clock("11:26:10"), *where, APPROVE, ids=second, result="50199")
    sign_in(
        s,
        NON_INTERACTIVE,
        marcus,
        s.clock("11:34:20"),
        rented,
        script(NODE_UA),
        OFFICE,
        GRAPH,
        REDEEM,
        ids=attempt,
        result="70019",
    )
    sign_in(
        s,
        NON_INTERACTIVE,
        marcus,
        s.clock("11:41:12"),
        rented,
        script(NODE_UA),
        OFFICE,
        GRAPH,
        REDEEM,
        ids=second,
        result="70019",
    )
    sign_in(s, SIGN_INS, marcus, s.clock("12:10"), MANCHESTER, machine, EXCHANGE, EXCHANGE)
    s.expect(
        marcus,
        NO_ACTIVITY,
        "He followed a lure and tried twice, but Conditional Access blocked one attempt and the other was left at the "
        "confirmation page; the attacker's polling ended with expired codes. No token was issued.",
    )
    return s


def campaign() -> Story:
    s = Story(
        "campaign",
        "One lure, three people: one approved, one was too late, one signs in like that every week",
        "2026-04-15 16:30",
    )
    ruth = Person("ruth.adeyemi@contoso.com", "Ruth Adeyemi", "Payroll specialist", "People")
    colin = Person("colin.frost@contoso.com", "Colin Frost", "Payroll specialist", "People")
    wei = Person("wei.zhang@contoso.com", "Wei Zhang", "Site reliability engineer", "Engineering")
    machines = {ruth: laptop("CONTOSO-LT-0480"), colin: laptop("CONTOSO-LT-0481"), wei: laptop("CONTOSO-LT-0482")}
    url = "https://adobe-p4y.payroll-s-account.workers.dev/statement"
    lure = ""
    for who, machine in machines.items():
        s.user(who)
        s.device(who, machine)
        working_month(
            s,
            who,
            Habits(
                SEATTLE if who is wei else CHICAGO,
                machine,
                HOME_US if who is ruth else None,
                MOBILE_US,
                VPN_US,
                offset=-5,
            ),
        )
        lure = mail(
            s, who, s.clock("14:40:11"), "payroll@statements.example.com", "Corrected pay statement", url, message=lure
        )
    colleagues(s, CHICAGO, 8, offset=-5)
    feed_noise(s)
    rented = Place("203.0.113.248", "14061", "CA", "Toronto", "Ontario")
    kit = Side(rented, script(AXIOS_UA))
    click(s, ruth, s.clock("14:52:18"), url, lure, CHICAGO)
    flow = device_code(
        s, ruth, s.clock("14:55:02"), OFFICE, GRAPH, Side(CHICAGO, machines[ruth]), kit, wait=6, tie_session=False
    )
    refresh(s, ruth, flow, s.clock("15:25:40"), OFFICE, EXCHANGE, kit)
    graph_calls(
        s,
        ruth,
        s.clock("14:56:30"),
        OFFICE,
        rented,
        kit.device,
        flow,
        "/me",
        "/me/messages?$top=50",
        "/me/mailFolders/inbox/messageRules",
    )
    click(s, colin, s.clock("14:47:01"), url, lure, CHICAGO)
    late = new_ids(s)
    sign_in(
        s,
        SIGN_INS,
        colin,
        s.clock("15:01:50"),
        CHICAGO,
        machines[colin],
        OFFICE,
        GRAPH,
        APPROVE,
        ids=late,
        result="50199",
    )
    sign_in(
        s,
        SIGN_INS,
        colin,
        s.clock("15:02:31"),
        CHICAGO,
        machines[colin],
        OFFICE,
        GRAPH,
        APPROVE,
        ids=late,
        result="70019",
    )
    jump = Place("192.0.2.158", "8075", "US", "Quincy", "Washington")
    host = Side(jump, script(NODE_UA))
    for ago in (26, 19, 15, 12, 5):
        device_code(s, wei, s.clock("15:20", ago), VS_CODE, ARM, Side(SEATTLE, machines[wei]), host, wait=10)
    flow = device_code(s, wei, s.clock("15:12:44"), VS_CODE, ARM, Side(SEATTLE, machines[wei]), host, wait=9)
    refresh(s, wei, flow, s.clock("16:02:10"), VS_CODE, ARM, host)
    s.expect(
        ruth,
        MALICIOUS,
        "Lure followed three minutes before the approval; redeemed by an axios client at a hosting network abroad that "
        "is seen nowhere else in the tenant; mail and inbox rules read.",
    )
    s.expect(colin, NO_ACTIVITY, "He followed the same lure and entered a code that had expired: no token was issued.")
    s.expect(
        wei,
        BENIGN,
        "The lure reached this mailbox too, but was not followed; the device code is the weekly one, redeemed on the "
        "jump host of the last month.",
    )
    return s


STORIES = (suspicious_first_time, suspicious_new_network, no_activity, failed_attempts, campaign)
