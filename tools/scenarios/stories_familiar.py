"""Where habits mislead: a phished developer, a room abroad, an address that always changes, one session for a month."""

from __future__ import annotations

from datetime import timedelta

from tools.scenarios.cast import (
    CHROME_ANDROID_UA,
    GLASGOW,
    HELSINKI,
    MADRID,
    PRAGUE,
    ROTTERDAM,
    TORONTO,
    UNFAMILIAR,
    at_home_in,
    employee,
    everybody_else,
)
from tools.scenarios.devicecode import Side, device_code, refresh
from tools.scenarios.mail import click, feed_noise, mail
from tools.scenarios.rows import DEVICE_REGISTRATION
from tools.scenarios.story import BENIGN, MALICIOUS, SUSPICIOUS, Story
from tools.scenarios.tenant import identity
from tools.scenarios.traces import device_registered, graph_calls
from tools.scenarios.world import (
    ANDROID_ROOM_UA,
    ARM,
    AZURE_CLI,
    BROKER,
    EXCHANGE,
    GRAPH,
    OFFICE,
    REGISTRATION,
    REQUESTS_UA,
    TEAMS,
    Device,
    Person,
    Place,
    guid,
    laptop,
    script,
)

_TOOL = script(REQUESTS_UA, reported=True)


def _weekly(s: Story, who: Person, own: Side, server: Side, days: tuple[int, ...]) -> None:
    """Azure CLI by device code on some days before, approved on the laptop and redeemed on a server."""
    for ago in days:
        at = s.clock(f"{s.rng.randint(8, 11)}:{s.rng.randrange(60)}", ago)
        flow = device_code(s, who, at, AZURE_CLI, ARM, own, server, wait=s.rng.randint(5, 9))
        refresh(s, who, flow, at + timedelta(minutes=s.rng.randint(62, 75)), AZURE_CLI, ARM, server)


def same_cloud_lure() -> Story:
    s = Story(
        "same-cloud-lure",
        "A lured developer: the attacker rents in the cloud where her own server stands; a colleague as ever",
        "2026-03-25 15:20",
    )
    aila = Person("aila.korhonen@contoso.com", "Aila Korhonen", "Backend developer", "Engineering")
    eero = Person("eero.laine@contoso.com", "Eero Laine", "Backend developer", "Engineering")
    machines = {aila: laptop("CONTOSO-LT-0931"), eero: laptop("CONTOSO-LT-0932")}
    for who, machine in machines.items():
        employee(s, who, machine, at_home_in(HELSINKI, machine, 2), days=26)
    everybody_else(s, HELSINKI, 6, 2)
    feed_noise(s)
    server = Side(Place("198.51.100.182", "16509", "SE", "Stockholm", "Stockholm"), _TOOL)
    for who, machine in machines.items():
        _weekly(s, who, Side(HELSINKI.office, machine), server, (23, 16, 9, 5))
    _weekly(s, eero, Side(HELSINKI.office, machines[eero]), server, (0,))
    url = "https://quota.cloud-usage.example.com/review/5521"
    lure = mail(s, aila, s.clock("12:02:31"), "noreply@cloud-usage.example.com", "Your subscription is over its quota",
                url)  # fmt: skip
    click(s, aila, s.clock("12:31:08"), url, lure, HELSINKI.office)
    other = Side(Place("198.51.100.188", "16509", "SE", "Stockholm", "Stockholm"), _TOOL)
    flow = device_code(s, aila, s.clock("12:34:50"), AZURE_CLI, ARM, Side(HELSINKI.office, machines[aila]), other,
                       wait=4, marked=True)  # fmt: skip
    refresh(s, aila, flow, s.clock("13:12:09"), AZURE_CLI, GRAPH, other)
    s.expect(
        aila,
        MALICIOUS,
        "Her application, her client, even her cloud and its region; and yet not her machine. The code came from a "
        "stranger's link that went on to the device login page, four minutes before she approved at the office, and "
        "the token was then used for Graph, which hers never are.",
    )
    s.expect(
        eero,
        BENIGN,
        "The same sign-in as in the weeks before: Azure CLI on the team's server, approved on his laptop at the "
        "office. No message led to it.",
    )
    return s


def room_abroad() -> Story:
    s = Story(
        "room-abroad",
        "A meeting room refreshes as it has all month, and reads the directory from abroad",
        "2026-05-12 14:10",
    )
    room = Person("room.clyde@contoso.com", "Room Clyde (14)", "", "Facilities")
    bar = Device(ANDROID_ROOM_UA, "Android 12", "", guid("device:MTRA-CLYDE"), "MTRA-CLYDE", True, True,
                 "Azure AD registered")  # fmt: skip
    s.user(room, created="2024-06-03T09:00:00Z")
    s.device(room, bar, registered="2024-06-03T10:02:00Z")
    s.group("Meeting room accounts", [room])
    everybody_else(s, GLASGOW, 9, 0)
    feed_noise(s)
    here = Side(GLASGOW.office, bar)
    old = device_code(s, room, s.clock("08:10:05", 29), TEAMS, TEAMS, here, here, wait=6)
    for ago in range(28, -1, -1):
        refresh(s, room, old, s.clock(f"{s.rng.randint(5, 12)}:{s.rng.randrange(60)}", ago), TEAMS, EXCHANGE, here)
    away = Side(Place("198.51.100.191", "39351", "SE", "Malmo", "Skane"), Device(CHROME_ANDROID_UA, "Android 10", ""))
    flow = device_code(s, room, s.clock("11:40:22"), OFFICE, GRAPH, away, Side(away.place, script(REQUESTS_UA)), wait=5)
    graph_calls(s, room, s.clock("11:42:03"), OFFICE, away.place, script(REQUESTS_UA), flow, "/users?$top=999",
                "/groups?$top=999", "/me/calendarView")  # fmt: skip
    s.expect(
        room,
        MALICIOUS,
        "A room does not travel. Its one session has refreshed Teams behind the office egress for a month and still "
        "does, while somebody in Sweden, who has its password, signed in to Microsoft Office with a code, approved and "
        "redeemed at one address, and lists the directory with a script.",
    )
    return s


def moving_workspace() -> Story:
    s = Story(
        "moving-workspace",
        "A developer's cloud workspace has another address every time it starts",
        "2026-04-15 16:00",
    )
    pilar = Person("pilar.ortega@contoso.com", "Pilar Ortega", "Full stack developer", "Engineering")
    machine = laptop("CONTOSO-LT-0951")
    employee(s, pilar, machine, at_home_in(MADRID, machine, 2, home_days=(0, 2)), days=26, last=1)
    everybody_else(s, MADRID, 7, 2)
    feed_noise(s)
    for number, ago in enumerate((24, 20, 17, 13, 9, 6, 3, 0)):
        workspace = Side(Place(f"198.51.100.{193 + number * 3}", "8075", "IE", "Dublin", "Leinster"), _TOOL)
        at = s.clock(f"{s.rng.randint(8, 11)}:{s.rng.randrange(60)}", ago)
        own = Side(MADRID.office if ago % 2 else MADRID.home, machine)
        flow = device_code(s, pilar, at, AZURE_CLI, ARM, own, workspace, wait=7)
        refresh(s, pilar, flow, at + timedelta(minutes=66), AZURE_CLI, ARM, workspace)
    s.expect(
        pilar,
        BENIGN,
        "The address is new and abroad, as every one before it was: eight times in a month Azure CLI was redeemed on "
        "another machine of one cloud network, for the same resource, each time approved on her laptop. No link led to "
        "it, and the token does nothing else.",
    )
    return s


def one_long_session() -> Story:
    s = Story(
        "one-long-session",
        "A browser that keeps one session id for a month, and with it every code that is approved in it",
        "2026-02-26 13:50",
    )
    karel = Person("karel.dusek@contoso.com", "Karel Dusek", "Site reliability engineer", "Engineering")
    machine = laptop("CONTOSO-LT-0962")
    employee(s, karel, machine, at_home_in(PRAGUE, machine, 1), days=26, last=1)
    everybody_else(s, PRAGUE, 6, 1)
    feed_noise(s)
    server = Side(Place("198.51.100.217", "24940", "DE", "Nuremberg", "Bavaria"), _TOOL)
    _weekly(s, karel, Side(PRAGUE.office, machine), server, (22, 15, 8, 2, 0))
    kept = s.guid()
    for table in ("SigninLogs", "AADNonInteractiveUserSignInLogs"):
        for row in s.tables[table]:
            if row["UserId"] == karel.id:
                row["SessionId"] = kept
    s.expect(
        karel,
        BENIGN,
        "One session id for everything says nothing about who came first. What counts are the codes: five, each with "
        "an approval of its own on his laptop at the office, each redeemed on the same server by the same tool. A "
        "stolen token would stand on one approval, however often it was refreshed.",
    )
    return s


def new_machine_same_cloud() -> Story:
    s = Story(
        "new-machine-same-cloud",
        "A code of a developer goes to a machine next to the usual one, and nothing says whose it is",
        "2026-06-10 15:30",
    )
    joost = Person("joost.hendriks@contoso.com", "Joost Hendriks", "Cloud engineer", "Engineering")
    machine = laptop("CONTOSO-LT-0973")
    employee(s, joost, machine, at_home_in(ROTTERDAM, machine, 2), days=26)
    everybody_else(s, ROTTERDAM, 7, 2)
    feed_noise(s)
    cloud = Place("198.51.100.222", "14618", "US", "Ashburn", "Virginia")
    own = Side(ROTTERDAM.office, machine)
    _weekly(s, joost, own, Side(cloud, _TOOL), (21, 14, 7, 3))
    strange = Place("198.51.100.229", "14618", "US", "Ashburn", "Virginia")
    device_code(s, joost, s.clock("10:12:44"), AZURE_CLI, ARM, own, Side(strange, _TOOL), wait=6)
    s.expect(
        joost,
        SUSPICIOUS,
        "So far every code of his went to one machine; this one went to another in the same cloud, where anybody can "
        "rent one. No message, no risk, no use of the token tells whether he set it up this morning or somebody else "
        "did. One question to him does.",
    )
    return s


def phones_alone() -> Story:
    s = Story(
        "phones-alone",
        "Two desk phones are enrolled on a new line behind which nobody works yet",
        "2026-07-02 17:20",
    )
    line = Place("203.0.113.47", "577", "CA", "Hamilton", "Ontario")
    fitter = Device("Mozilla/5.0 (Linux; Android 14; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Mobile "
                    "Safari/537.36", "Android 14", "Chrome Mobile 143.0.0")  # fmt: skip
    everybody_else(s, TORONTO, 8, -4)
    feed_noise(s)
    agent = "Dalvik/2.1.0 (Linux; U; Android 12; CP965 Build/SQ3A.220705.004)"
    for number, clock in ((1, "14:05:10"), (2, "14:24:32")):
        phone = Person(f"phone.hamilton.{number}@contoso.com", f"Phone Hamilton {number}", "", "Facilities")
        s.user(phone, created="2026-07-01T18:00:00Z")
        box = Device(agent, "Android 12", "", guid(f"device:CP965-HAM-{number}"), f"CP965-HAM-{number}", True, True,
                     "Azure AD registered")  # fmt: skip
        at = s.clock(clock)
        bare, known = Side(line, script(agent)), Side(line, box)
        flow = device_code(s, phone, at, BROKER, REGISTRATION, Side(line, fitter, UNFAMILIAR), bare, wait=8)
        refresh(s, phone, flow, at + timedelta(minutes=1), BROKER, REGISTRATION, bare, DEVICE_REGISTRATION)
        device_registered(s, phone, at + timedelta(minutes=2), box, agent, line)
        s.device(phone, box, registered=(at + timedelta(minutes=2)).strftime("%Y-%m-%dT%H:%M:%SZ"))
        refresh(s, phone, flow, at + timedelta(minutes=5), TEAMS, TEAMS, known)
        refresh(s, phone, flow, at + timedelta(minutes=71), TEAMS, EXCHANGE, known)
        identity(s, phone, tags="shared device", created="2026-07-01T18:00:00Z", country="Canada")
        s.expect(
            phone,
            BENIGN,
            "An account made yesterday for a desk phone, enrolled minutes after its neighbour: broker to Device "
            "Registration and on to Teams, both legs on one line, approved on the fitter's phone. The device that "
            "holds the token since is registered, managed and compliant, and asks for Teams and its calendar alone.",
        )
    return s


STORIES = (same_cloud_lure, room_abroad, moving_workspace, one_long_session, new_machine_same_cloud, phones_alone)
