"""Where others explain or hide: a team's bastion, a depot that opens, an egress that everybody shares."""

from __future__ import annotations

from datetime import timedelta

from tools.scenarios.cast import (
    COMPANY_PORTAL,
    GO_UA,
    GOTHENBURG,
    KUBELOGIN,
    KUBERNETES,
    MILAN,
    ROTTERDAM,
    at_home_in,
    employee,
    everybody_else,
)
from tools.scenarios.devicecode import Side, device_code, refresh
from tools.scenarios.history import colleagues
from tools.scenarios.mail import feed_noise
from tools.scenarios.story import BENIGN, MALICIOUS, SUSPICIOUS, Story
from tools.scenarios.traces import audit
from tools.scenarios.traces_sent import message_to_many, picture_mail
from tools.scenarios.world import (
    ARM,
    AZURE_CLI,
    EXCHANGE,
    INTUNE,
    OFFICE,
    Device,
    Json,
    Person,
    Place,
    laptop,
    personal_pc,
    script,
)

_CLI = Device("Mozilla/5.0 (compatible; MSAL 1.0) AZURECLI/2.77.0 (DEB)")
_SCANNER_UA = "Dalvik/2.1.0 (Linux; U; Android 13; TC58 Build/13-21-28.00-TG-U00-STD)"


def bastion() -> Story:
    s = Story("bastion", "A new colleague's first code on the bastion where the whole team works", "2026-03-12 15:00")
    team = [Person(f"{name.lower().replace(' ', '.')}@contoso.com", name, "Site reliability engineer", "Engineering")
            for name in ("Saskia Prins", "Hamza Idrissi")]  # fmt: skip
    tessa = Person("tessa.kuipers@contoso.com", "Tessa Kuipers", "Site reliability engineer", "Engineering")
    machines = {who: laptop(f"CONTOSO-LT-16{number:02}") for number, who in enumerate((*team, tessa), 1)}
    host = Side(Place("198.51.100.90", "14061", "DE", "Frankfurt", "Hesse"), script(GO_UA, reported=True))
    for who in team:
        employee(s, who, machines[who], at_home_in(ROTTERDAM, machines[who], 1), days=27)
    hired = "2026-03-09T08:00:00Z"
    employee(s, tessa, machines[tessa], at_home_in(ROTTERDAM, machines[tessa], 1, home_days=()), days=3, created=hired)
    everybody_else(s, ROTTERDAM, 7, 1)
    feed_noise(s)
    for who, days in ((team[0], (27, 20, 13, 6, 1)), (team[1], (24, 17, 10, 3)), (tessa, (0,))):
        for ago in days:
            at = s.clock(f"{s.rng.randint(9, 12)}:{s.rng.randrange(60)}", ago)
            flow = device_code(s, who, at, KUBELOGIN, KUBERNETES, Side(ROTTERDAM.office, machines[who]), host, wait=5)
            refresh(s, who, flow, at + timedelta(minutes=64), KUBELOGIN, KUBERNETES, host)
    s.expect(
        tessa,
        BENIGN,
        "She started on Monday, so everything is a first. But the address, the application and the client are the ones "
        "that two colleagues have used every week for a month, approved on managed laptops as hers was.",
    )
    return s


def depot() -> Story:
    s = Story(
        "new-depot", "Twelve scanners are set up in a depot that opens today, and one more account", "2026-06-17 14:40"
    )
    manager = Person("oskar.lind@contoso.com", "Oskar Lind", "Depot manager", "Logistics")
    scanners = [
        Person(f"scanner.{number:02}@contoso.com", f"Scanner {number:02}", "", "Logistics") for number in range(1, 14)
    ]
    machine = laptop("CONTOSO-LT-1701")
    employee(s, manager, machine, at_home_in(GOTHENBURG, machine, 2), days=26, last=1)
    colleagues(s, GOTHENBURG.office, 8, offset=2)
    feed_noise(s)
    s.group("Depot scanners", scanners)
    here = Place("198.51.100.77", "3301", "SE", "Boras", "Vastra Gotaland")
    hand = Side(here, script(_SCANNER_UA))
    for number, who in enumerate(scanners):
        s.user(who, created="2026-06-16T13:00:00Z")
        at = s.clock("08:30:00") + timedelta(minutes=7 * number, seconds=s.rng.randrange(40))
        own = Side(here, machine if who is not scanners[-1] else personal_pc())
        flow = device_code(s, who, at, COMPANY_PORTAL, INTUNE, own, hand, wait=9)
        refresh(s, who, flow, at + timedelta(minutes=70), COMPANY_PORTAL, INTUNE, hand)
    for who in (scanners[0], scanners[6]):
        s.expect(
            who,
            BENIGN,
            "The account was made yesterday and has no past. Eleven others of its group were set up beside it within "
            "ninety minutes: one application, one address for both legs, all approved on the manager's managed laptop.",
        )
    s.expect(
        scanners[-1],
        SUSPICIOUS,
        "The same group, application and address, and yet not part of it: this code was approved in an unregistered "
        "browser, and somebody may have taken the chance of a busy morning.",
    )
    return s


def shared_egress() -> Story:
    s = Story(
        "shared-egress",
        "Everybody leaves by one address: a passkey, a picture from a stranger, and a developer's day",
        "2026-02-26 17:20",
    )
    paola = Person("paola.grasso@contoso.com", "Paola Grasso", "Buyer", "Purchasing")
    fabio = Person("fabio.conte@contoso.com", "Fabio Conte", "Sales assistant", "Sales")
    irene = Person("irene.bassi@contoso.com", "Irene Bassi", "Developer", "Engineering")
    machines = {who: laptop(f"CONTOSO-VD-18{number:02}") for number, who in enumerate((paola, fabio, irene), 1)}
    for who, machine in machines.items():
        employee(s, who, machine, at_home_in(MILAN, machine, 1, home_days=()), days=27)
    everybody_else(s, MILAN, 9, 1)
    feed_noise(s)
    desk = {who: Side(MILAN.office, machine) for who, machine in machines.items()}
    tool = Side(MILAN.office, _CLI)
    flow = device_code(s, paola, s.clock("10:11:12"), OFFICE, EXCHANGE, desk[paola], tool, wait=6)
    refresh(s, paola, flow, s.clock("11:20:02"), OFFICE, EXCHANGE, tool)
    added: Json = {"id": paola.id, "userPrincipalName": paola.upn, "type": "User", "modifiedProperties": []}
    row = audit(s, "User registered security info", paola, s.clock("10:19:40"), [added], place=MILAN.office)
    row.update(
        Category="UserManagement", LoggedByService="Authentication Methods", ResultReason="User registered Passkey"
    )
    picture_mail(
        s, fabio, s.clock("09:02:11"), "hr-portal@payslip-notice.example.net", "Your new payslip", "scan-0226.png"
    )
    flow = device_code(s, fabio, s.clock("09:31:50"), OFFICE, EXCHANGE, desk[fabio], tool, wait=5)
    refresh(s, fabio, flow, s.clock("10:02:31"), OFFICE, EXCHANGE, tool)
    message_to_many(s, fabio, s.clock("10:26:08"), "Updated bank details", 40)
    for ago in (22, 15, 8, 1, 0):
        at = s.clock("11:30:20", ago)
        flow = device_code(s, irene, at, AZURE_CLI, ARM, desk[irene], tool, wait=7)
        refresh(s, irene, flow, at + timedelta(minutes=61), AZURE_CLI, ARM, tool)
    s.expect(
        paola,
        SUSPICIOUS,
        "Both legs and the passkey eight minutes later come from the address where everybody is, so it says nothing of "
        "who it was. A buyer's first code, for Microsoft Office, and a new way to sign in right after it: somebody has "
        "to ask her.",
    )
    s.expect(
        fabio,
        MALICIOUS,
        "A stranger's first mail held nothing but a picture; half an hour later he approved his first code, and within "
        "an hour one message about bank details went to forty people outside, which he had never done. The office "
        "egress cannot explain that.",
    )
    s.expect(
        irene,
        BENIGN,
        "Azure CLI on her virtual desktop every week, as today, behind the egress of the whole company; nothing was "
        "added and nothing was sent.",
    )
    return s


STORIES = (bastion, depot, shared_egress)
