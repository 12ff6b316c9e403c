"""Routines that look odd from outside: containers, clusters, a prefix that changes every day, an egress abroad."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tools.scenarios.cast import (
    ATHENS,
    AZURE_SDK_GO_UA,
    BERLIN,
    KUBELOGIN,
    KUBERNETES,
    REMEDIED,
    SINGAPORE,
    at_home_in,
    employee,
    everybody_else,
)
from tools.scenarios.delivery import name_indicator, purged
from tools.scenarios.devicecode import Side, device_code, refresh
from tools.scenarios.history import Habits, colleagues, working_month
from tools.scenarios.mail import click, feed_noise, indicator, mail, newsletters
from tools.scenarios.rows import SIGN_INS, sign_in
from tools.scenarios.story import BENIGN, Story
from tools.scenarios.teams import chat, chat_click, small_talk
from tools.scenarios.tenant import identity, in_defender, named_location
from tools.scenarios.traces import graph_calls
from tools.scenarios.traces_office import cloud_app, downloads, ordinary_use, rule
from tools.scenarios.world import (
    ARM,
    AZURE_CLI,
    EDGE_UA,
    GRAPH,
    OFFICE,
    REQUESTS_UA,
    SHAREPOINT,
    Person,
    Place,
    laptop,
    script,
)


def container_and_cluster() -> Story:
    s = Story(
        "container-and-cluster",
        "Azure CLI in a rented container on most days, kubelogin once a week",
        "2026-04-08 14:20",
    )
    mei = Person("meilin.ong@contoso.com", "Mei Lin Ong", "Machine learning engineer", "Engineering")
    farid = Person("farid.rahman@contoso.com", "Farid Rahman", "Platform engineer", "Engineering")
    machines = {mei: laptop("CONTOSO-LT-0981"), farid: laptop("CONTOSO-LT-0982")}
    hers = at_home_in(SINGAPORE, machines[mei], 8, home_days=(0, 4))
    line = replace(SINGAPORE.home, ip="192.0.2.72")
    his = Habits(SINGAPORE.office, machines[farid], line, None, offset=8, home_days=(2,))
    employee(s, mei, machines[mei], hers, days=22)
    employee(s, farid, machines[farid], his, days=22, letters=2)
    everybody_else(s, SINGAPORE, 3, 8)
    feed_noise(s)
    cloud = Place("198.51.100.172", "14618", "US", "Ashburn", "Virginia")
    indicator(s, cloud.ip, "Web crawler, cloud range", confidence=55, tags="scanner")
    box = Side(cloud, script(REQUESTS_UA, reported=True))
    for ago, clock in (
        (22, "02:15"),
        (20, "06:40"),
        (16, "02:31"),
        (13, "03:05"),
        (9, "02:20"),
        (6, "08:10"),
        (2, "02:44"),
    ):
        at = s.clock(clock, ago)
        device_code(s, mei, at, AZURE_CLI, ARM, Side(hers.place(at), machines[mei]), box, wait=7)
    url = "https://fabrikam.sharepoint.com/sites/joint/412"
    chat(s, [mei], s.clock("02:01:10"), "ops@fabrikam.com", "Fabrikam Operations", url)
    chat_click(s, mei, s.clock("02:06:30"), url, SINGAPORE.office, onward=())
    flow = device_code(
        s, mei, s.clock("02:10:22"), AZURE_CLI, ARM, Side(SINGAPORE.office, machines[mei]), box, wait=6, marked=True
    )
    refresh(s, mei, flow, s.clock("03:18:40"), AZURE_CLI, GRAPH, box)
    graph_calls(s, mei, s.clock("03:19:05"), AZURE_CLI, cloud, box.device, flow, "/me",
                "/servicePrincipals?$filter=displayName eq 'ml-train'")  # fmt: skip
    small_talk(s, mei, "ops@fabrikam.com", "Fabrikam Operations", count=3)
    for ago in (21, 14, 7, 0):
        at = s.clock("05:30:12", ago)
        own = Side(his.place(at), machines[farid])
        flow = device_code(s, farid, at, KUBELOGIN, KUBERNETES, own, Side(own.place, script(AZURE_SDK_GO_UA)), wait=5)
        refresh(
            s, farid, flow, at + timedelta(minutes=66), KUBELOGIN, KUBERNETES, Side(own.place, script(AZURE_SDK_GO_UA))
        )
    s.expect(
        mei,
        BENIGN,
        "Another continent, a cloud network, a script client, an unmanaged container: the very same in seven sign-ins "
        "of the last three weeks, at one address, always approved on her laptop. The partner's Teams link of the "
        "morning leads to SharePoint, and the indicator on the address names a crawler.",
    )
    s.expect(
        farid,
        BENIGN,
        "Every Wednesday kubelogin asks for a code; both legs are his home line, as in the weeks before, and the token "
        "opens a cluster and nothing else.",
    )
    return s


def rotating_ipv6() -> Story:
    s = Story(
        "rotating-ipv6",
        "At home the provider changes the IPv6 prefix every day; no address is ever seen twice",
        "2026-05-21 18:50",
    )
    jana = Person("jana.wolff@contoso.com", "Jana Wolff", "BI developer", "Analytics")
    machine = laptop("CONTOSO-LT-0866")
    s.user(jana)
    s.device(jana, machine)

    def home(ago: int, host: str = "d4c1") -> Place:
        prefix = f"2001:db8:6830:{0x4100 + ago * 37:x}"
        return Place(f"{prefix}:{host}:{0x1A00 + ago * 11:x}:99be:{ago + 5:x}", "6830", "DE", "Berlin", "Berlin")

    for ago in range(28, -1, -1):
        habits = Habits(BERLIN.office, machine, home(ago), None, offset=2, home_days=(0, 1, 3, 4))
        working_month(s, jana, habits, days=ago, last=ago)
        if ago in (22, 15, 9, 2):
            ordinary_use(s, jana, habits, days=ago, last=ago)
    newsletters(s, jana, BERLIN.office)
    everybody_else(s, BERLIN, 9, 2)
    feed_noise(s)
    indicator(s, home(11).ip, "Web spam (dynamic address)", confidence=60, tags="spam")
    for ago, clock in ((27, "13:10:05"), (16, "09:22:40"), (6, "15:48:12")):
        at = s.clock(clock, ago)
        approve, redeem = Side(home(ago), machine), Side(home(ago, "7e02"), script(REQUESTS_UA))
        device_code(s, jana, at, AZURE_CLI, ARM, approve, redeem, wait=6)
    url = "https://news.example.com/read/4410"
    message = mail(s, jana, s.clock("15:20:30"), "news@example.com", "Your weekly digest", url, first=False)
    click(s, jana, s.clock("15:29:51"), url, message, home(0), onward=())
    sign_in(s, SIGN_INS, jana, s.clock("10:05"), home(0), machine, OFFICE, GRAPH)
    tool = Side(home(0, "7e02"), script(REQUESTS_UA))
    flow = device_code(s, jana, s.clock("15:32:19"), AZURE_CLI, ARM, Side(home(0), machine), tool, wait=7)
    refresh(s, jana, flow, s.clock("16:37:02"), AZURE_CLI, ARM, tool)
    rule(s, jana, s.clock("14:10:11"), "Digests", ["digest", "newsletter"], "Newsletters", home(0), s.guid())
    s.expect(
        jana,
        BENIGN,
        "Neither address was ever seen, but no address of hers ever is twice: the prefix changes daily within one "
        "provider. The approving and the redeeming host share today's prefix, behind which her managed laptop has "
        "worked since noon, and she did the same three times this month. The click before it went to her digest, not "
        "to a code.",
    )
    return s


def foreign_vpn() -> Story:
    s = Story(
        "foreign-vpn",
        "The company's own VPN egress in another country, with a past on every blocklist",
        "2026-06-30 09:25",
    )
    nikos = Person("nikos.andreou@contoso.com", "Nikos Andreou", "Network engineer", "IT")
    machine = laptop("CONTOSO-LT-0427")
    employee(s, nikos, machine, at_home_in(ATHENS, machine, 3, home_days=(1, 4)), days=22, last=1)
    egress = Place("203.0.113.86", "64502", "DE", "Frankfurt am Main", "Hesse")
    colleagues(s, egress, 9, offset=3)
    feed_noise(s)
    indicator(s, egress.ip, "Credential stuffing source", confidence=90, revoked=True, active=False, tags="abuse")
    indicator(s, egress.ip, "Tor bridge (2023)", confidence=80, expired=True, tags="tor")
    indicator(s, egress.ip, "Spam relay", confidence=15, tags="spam")
    name_indicator(s, "domain-name:value", "kiosk-licence-4a.pages.dev", "Phishing page")
    shell = script(REQUESTS_UA)
    for ago in (20, 13):
        at = s.clock("07:30:12", ago)
        device_code(s, nikos, at, AZURE_CLI, ARM, Side(ATHENS.office, machine), Side(ATHENS.office, shell), wait=5)
    for ago in (19, 12):
        sign_in(s, SIGN_INS, nikos, s.clock("09:15", ago), egress, machine, SHAREPOINT, SHAREPOINT)
    lure = mail(s, nikos, s.clock("05:20:09"), "billing@cloud-invoice.example.com", "Unpaid invoice, sign in to settle",
                "https://settle-invoice-k1.vercel.app/")  # fmt: skip
    purged(s, lure, s.clock("05:34:40"))
    sign_in(s, SIGN_INS, nikos, s.clock("06:50"), egress, machine, SHAREPOINT, SHAREPOINT, risk=REMEDIED)
    own = Side(egress, machine, REMEDIED)
    flow = device_code(s, nikos, s.clock("07:12:33"), AZURE_CLI, ARM, own, Side(egress, shell), wait=6)
    refresh(s, nikos, flow, s.clock("08:17:10"), AZURE_CLI, GRAPH, Side(egress, shell))
    graph_calls(s, nikos, s.clock("08:17:40"), AZURE_CLI, egress, shell, flow, "/me", "/organization")
    session = s.guid()
    downloads(s, nikos, s.clock("06:55:10"), egress, EDGE_UA, session, app=OFFICE, count=5)
    cloud_app(s, nikos, s.clock("06:55:12"), "FileDownloaded", egress, EDGE_UA, session, thing="Network/Diagram.vsdx")
    named_location(s, "Contoso VPN Frankfurt", egress)
    in_defender(s, nikos, str(flow.approval["Id"]))
    identity(s, nikos, groups=("Network team",), country="Greece")
    s.expect(
        nikos,
        BENIGN,
        "Germany is not where he lives, but the address is the company's VPN: a trusted named location that nine "
        "colleagues and he himself have used all month. The indicators on it are revoked, expired or worth nothing, as "
        "on any shared egress. His managed laptop approved, the tool behind the same tunnel redeemed, as twice before "
        "from the office; the morning's lure was purged unread.",
    )
    return s


STORIES = (container_and_cluster, rotating_ipv6, foreign_vpn)
