"""Where codes are redeemed: fixed jump hosts, servers of customers, machines that live for an hour."""

from __future__ import annotations

from datetime import datetime, timedelta

from tools.scenarios.cast import BRUSSELS, LISBON, at_home_in, employee, everybody_else
from tools.scenarios.devicecode import Side, device_code, refresh
from tools.scenarios.mail import click, feed_noise, mail
from tools.scenarios.story import BENIGN, MALICIOUS, SUSPICIOUS, Story
from tools.scenarios.world import (
    ARM,
    AZURE_CLI,
    AZURE_POWERSHELL,
    EXCHANGE,
    OFFICE,
    REQUESTS_UA,
    SHAREPOINT,
    App,
    Device,
    Person,
    Place,
    laptop,
    script,
)

_CLI = Device("Mozilla/5.0 (compatible; MSAL 1.0) AZURECLI/2.77.0 (DEB)")
_POWERSHELL = Device("Mozilla/5.0 (compatible; MSAL 1.0) PowerShell/7.5.1 (Ubuntu)")


def _code(s: Story, who: Person, at: datetime, app: App, own: Side, server: Side, *resources: App) -> None:
    """A code approved and redeemed, and a token for each resource."""
    flow = device_code(s, who, at, app, resources[0], own, server, wait=s.rng.randint(4, 9))
    for number, resource in enumerate(resources[1:] or resources, 1):
        refresh(s, who, flow, at + timedelta(minutes=20 * number), app, resource, server)


def jump_host() -> Story:
    s = Story(
        "jump-host",
        "Home lines that change their address every night, and a token that went where no code of theirs ever did",
        "2026-04-09 16:30",
    )
    lena = Person("lena.aubert@contoso.com", "Lena Aubert", "Platform engineer", "Engineering")
    marc = Person("marc.wouters@contoso.com", "Marc Wouters", "Platform engineer", "Engineering")
    noor = Person("noor.claessens@contoso.com", "Noor Claessens", "Platform engineer", "Engineering")
    home, carrier = BRUSSELS.home, BRUSSELS.home.asn
    machines = {who: laptop(f"CONTOSO-LT-14{number:02}") for number, who in enumerate((lena, marc, noor), 1)}
    for who, machine in machines.items():
        employee(s, who, machine, at_home_in(BRUSSELS, machine, 2, home_days=(0, 2)), days=26)
    everybody_else(s, BRUSSELS, 7, 2)
    feed_noise(s)
    days = (24, 19, 14, 9, 4)
    for number, (who, machine) in enumerate(machines.items()):
        for turn, ago in enumerate(days):
            line = Place(f"192.0.2.{130 + 20 * number + turn}", carrier, "BE", home.city, home.state)
            moves = 10 * turn if who is noor else 0
            host = Place(f"198.51.100.{200 + number + moves}", "16509", "IE", "Dublin", "Leinster")
            at = s.clock(f"{s.rng.randint(7, 15)}:{s.rng.randrange(60)}", ago)
            _code(s, who, at, AZURE_CLI, Side(line, machine), Side(host, _CLI), ARM)
    today = Side(Place("192.0.2.199", carrier, "BE", home.city, home.state), machines[lena])
    away = Side(Place("192.0.2.236", carrier, "BE", "Antwerp", "Antwerpen"), _CLI)
    _code(s, lena, s.clock("13:12:40"), AZURE_CLI, today, away, ARM)
    url = "https://billing.cloud-notice.example.net/confirm/77"
    lure = mail(
        s, marc, s.clock("11:40:12"), "noreply@cloud-notice.example.net", "Your invoice could not be charged", url
    )
    here = Place("192.0.2.198", carrier, "BE", home.city, home.state)
    click(s, marc, s.clock("12:02:15"), url, lure, here)
    other = Side(Place("192.0.2.241", carrier, "BE", "Ghent", "Oost-Vlaanderen"), _CLI)
    _code(s, marc, s.clock("12:05:02"), AZURE_CLI, Side(here, machines[marc]), other, ARM)
    next_host = Side(Place("198.51.100.254", "16509", "IE", "Dublin", "Leinster"), _CLI)
    _code(s, noor, s.clock("09:21:30"), AZURE_CLI, Side(BRUSSELS.office, machines[noor]), next_host, ARM)
    s.expect(
        lena,
        SUSPICIOUS,
        "Her home line has another address every night, so the provider says little. But her codes were all "
        "redeemed on one jump host, and this one went to another line of that provider. No lure and no use of it "
        "tells whether that was her.",
    )
    s.expect(
        marc,
        MALICIOUS,
        "As his colleague's, his code went to a line of the provider, not to the jump host; three minutes before "
        "he had followed a stranger's link that went on to the device login page.",
    )
    s.expect(
        noor,
        BENIGN,
        "Her jump host has another address in its cloud every time, as this time. The application, the client and the "
        "resource are the same as in the weeks before.",
    )
    return s


def customers_server() -> Story:
    s = Story(
        "customers-server",
        "Azure PowerShell on machines abroad: for Azure, for a mailbox, and every week",
        "2026-05-20 17:00",
    )
    ruben = Person("ruben.pires@contoso.com", "Ruben Pires", "Cloud consultant", "Services")
    celia = Person("celia.matos@contoso.com", "Celia Matos", "Payroll clerk", "Finance")
    duarte = Person("duarte.reis@contoso.com", "Duarte Reis", "Build engineer", "Engineering")
    machines = {who: laptop(f"CONTOSO-LT-15{number:02}") for number, who in enumerate((ruben, celia, duarte), 1)}
    for who, machine in machines.items():
        employee(s, who, machine, at_home_in(LISBON, machine, 1), days=27)
    everybody_else(s, LISBON, 8, 1)
    feed_noise(s)
    desk = {who: Side(LISBON.office, machine) for who, machine in machines.items()}
    server = Side(Place("198.51.100.140", "24940", "DE", "Falkenstein", "Saxony"), _POWERSHELL)
    _code(s, ruben, s.clock("10:32:11"), AZURE_POWERSHELL, desk[ruben], server, ARM)
    rented = Side(Place("198.51.100.150", "24940", "FI", "Helsinki", "Uusimaa"), script(REQUESTS_UA))
    _code(s, celia, s.clock("11:20:45"), OFFICE, desk[celia], rented, EXCHANGE, EXCHANGE, SHAREPOINT)
    regions = (("IE", "Dublin"), ("DE", "Frankfurt"), ("SE", "Stockholm"), ("IE", "Dublin"), ("FR", "Paris"))
    for turn, ago in enumerate((26, 21, 16, 9, 0)):
        country, city = regions[turn]
        spot = Side(Place(f"198.51.100.{160 + turn}", "16509", country, city), _POWERSHELL)
        at = s.clock("14:05:30", ago)
        _code(s, duarte, at, AZURE_POWERSHELL, desk[duarte], spot, ARM)
    s.expect(
        ruben,
        SUSPICIOUS,
        "A cloud consultant may well run Azure PowerShell on a customer's server abroad, and the token was for Azure "
        "Resource Manager alone. But it is his first, the network is anybody's, and everything that speaks against it "
        "says the same: a machine somewhere else.",
    )
    s.expect(
        celia,
        MALICIOUS,
        "A payroll clerk has no server, and no script either: the token was for her mail and her files, held by a "
        "script at a hosting network abroad, by the first code of her life.",
    )
    s.expect(
        duarte,
        BENIGN,
        "Every week another spot machine, in whatever region is cheap: the same application and client in the same "
        "cloud, for the same resource, as today. A region is no journey.",
    )
    return s


STORIES = (jump_host, customers_server)
