"""Attacks seen late or in disguise: the same mobile carrier, a session of last week, a room that is none."""

from __future__ import annotations

from datetime import timedelta

from tools.scenarios.cast import (
    CHROME_ANDROID_UA,
    GO_UA,
    LISBON,
    MILAN,
    SYDNEY,
    at_home_in,
    employee,
    everybody_else,
)
from tools.scenarios.devicecode import Side, device_code, refresh
from tools.scenarios.mail import click, feed_noise, mail
from tools.scenarios.rows import NON_INTERACTIVE, REFRESH, SIGN_INS, sign_in
from tools.scenarios.story import BENIGN, MALICIOUS, Story
from tools.scenarios.teams import chat, small_talk
from tools.scenarios.tenant import identity
from tools.scenarios.traces import graph_calls, inbox_rule
from tools.scenarios.traces_office import cloud_app, downloads, mail_volume
from tools.scenarios.world import (
    ANDROID_ROOM_UA,
    EXCHANGE,
    GRAPH,
    OFFICE,
    OUTLOOK_MOBILE,
    TEAMS,
    Device,
    Person,
    Place,
    guid,
    laptop,
    phone,
    script,
)


def same_carrier() -> Story:
    s = Story(
        "same-carrier",
        "The attacker sits behind the victim's own mobile carrier; an inbox rule gives it away",
        "2026-04-28 16:45",
    )
    giulia = Person("giulia.ferrante@contoso.com", "Giulia Ferrante", "Treasury analyst", "Finance")
    machine = laptop("CONTOSO-LT-0389")
    employee(s, giulia, machine, at_home_in(MILAN, machine, 2, home_days=(1, 4)))
    everybody_else(s, MILAN, 8, 2)
    feed_noise(s)
    small_talk(s, giulia, "p.rossi@fabrikam.com", "Paolo Rossi", count=3)
    modem = Device(CHROME_ANDROID_UA, "Android 10", "Chrome Mobile 143.0.0")
    first = Side(Place("198.51.100.143", "1267", "IT", "Rome", "Lazio"), modem)
    later = Side(Place("198.51.100.177", "1267", "IT", "Rome", "Lazio"), modem)
    own = Side(MILAN.home, machine)
    flow = device_code(s, giulia, s.clock("09:20:17"), OFFICE, EXCHANGE, own, first, wait=13, tie_correlation=False)
    refresh(s, giulia, flow, s.clock("10:25:40"), OFFICE, GRAPH, first)
    refresh(s, giulia, flow, s.clock("13:01:12"), OFFICE, EXCHANGE, later)
    for clock, items, side in (("09:24:30", 10, first), ("10:27:02", 16, first), ("13:04:44", 9, later)):
        mail_volume(s, giulia, s.clock(clock), OFFICE, side.place, flow.session, items=items)
    inbox_rule(s, giulia, s.clock("10:31:05"), "..", ["bonifico", "IBAN", "fattura"], first.place, flow.session)
    for clock in ("08:02", "12:15", "14:40"):
        hers = phone(giulia.upn)
        sign_in(s, NON_INTERACTIVE, giulia, s.clock(clock), MILAN.mobile, hers, OUTLOOK_MOBILE, EXCHANGE, REFRESH)
    sign_in(s, SIGN_INS, giulia, s.clock("11:10"), MILAN.home, machine, EXCHANGE, EXCHANGE)
    s.expect(
        giulia,
        MALICIOUS,
        "Country and carrier are hers, and a carrier's address means little. But she approved at home on her laptop "
        "while the token went to an Android browser in Rome that she does not own, when her own phone was in Milan; it "
        "is her first device code, and that session read three dozen mails and made a rule that hides every mail about "
        "transfers, IBANs and invoices. Who phished her by which channel is not in these logs.",
    )
    return s


def week_old_session() -> Story:
    s = Story(
        "week-old-session",
        "Approved six days ago; the last day shows nothing but refreshes",
        "2026-07-09 10:00",
    )
    harriet = Person("harriet.lowe@contoso.com", "Harriet Lowe", "General counsel", "Legal")
    machine = laptop("CONTOSO-LT-0018")
    employee(s, harriet, machine, at_home_in(SYDNEY, machine, 10), days=30)
    everybody_else(s, SYDNEY, 6, 10)
    feed_noise(s)
    url = "https://matter-room-7d.azurewebsites.example.net/deed"
    lure = mail(s, harriet, s.clock("02:51:10", 6), "clerk@matter-room.example.com", "Deed of release for review", url)
    click(s, harriet, s.clock("03:04:33", 6), url, lure, SYDNEY.home)
    tool = Side(Place("198.51.100.158", "53667", "LU", "Roost", "Luxembourg"), script(GO_UA))
    start = s.clock("03:08:12", 6)
    flow = device_code(s, harriet, start, OFFICE, EXCHANGE, Side(SYDNEY.home, machine), tool, wait=10, marked=True)
    at, last = start + timedelta(hours=2), s.now - timedelta(hours=3)
    while at < last:
        refresh(s, harriet, flow, at, OFFICE, s.rng.choice((EXCHANGE, EXCHANGE, GRAPH)), tool)
        if s.rng.random() < 0.8:
            read = at + timedelta(minutes=2)
            mail_volume(s, harriet, read, OFFICE, tool.place, flow.session, items=s.rng.randint(8, 17))
        at += timedelta(hours=s.rng.randint(7, 9), minutes=s.rng.randrange(60))
    identity(s, harriet, groups=("Executive team", "Legal"), blast="High", country="Australia")
    s.expect(
        harriet,
        MALICIOUS,
        "The last day holds only refreshes, but each is marked as coming from a device code, at a hosting network in "
        "Luxembourg, by a Go client. The same session goes back six days, to a code she approved at home four minutes "
        "after she followed a lure; since then it has fetched her mail every few hours, far more than her own Outlook. "
        "It still lives, and sign-ins of the last day alone would not show how it began.",
    )
    return s


def teams_person() -> Story:
    s = Story(
        "teams-person",
        "Teams on Android twice: a meeting room, and a person who has no such thing",
        "2026-06-18 17:40",
    )
    duarte = Person("duarte.pinheiro@contoso.com", "Duarte Pinheiro", "Research programme manager", "Research")
    room = Person("room.douro@contoso.com", "Room Douro (10)", "", "Facilities")
    machine = laptop("CONTOSO-LT-0844")
    employee(s, duarte, machine, at_home_in(LISBON, machine, 1))
    everybody_else(s, LISBON, 7, 1)
    feed_noise(s)
    s.user(room, created="2024-03-11T09:00:00Z")
    s.group("Meeting room accounts", [room])
    bar = Device(ANDROID_ROOM_UA, "Android 12", "", guid("device:MTRA-DOURO"), "MTRA-DOURO", True, True,
                 "Azure AD registered")  # fmt: skip
    s.device(room, bar, registered="2024-03-11T10:20:00Z")
    ines, spare = Person("ines.matos@contoso.com", "Ines Matos", "IT technician", "IT"), laptop("CONTOSO-LT-0003")
    s.user(ines)
    s.device(ines, spare)
    technician, meeting = Side(LISBON.office, spare), Side(LISBON.office, bar)
    old = device_code(s, room, s.clock("08:02", 24), TEAMS, TEAMS, technician, meeting, wait=6)
    for ago in range(23, 0, -2):
        refresh(s, room, old, s.clock(f"{s.rng.randint(6, 18)}:{s.rng.randrange(60)}", ago), TEAMS, EXCHANGE, meeting)
    new = device_code(s, room, s.clock("07:48:10"), TEAMS, TEAMS, technician, meeting, wait=5)
    refresh(s, room, new, s.clock("09:15:20"), TEAMS, EXCHANGE, meeting)
    refresh(s, room, new, s.clock("15:32:00"), TEAMS, GRAPH, meeting)
    small_talk(s, duarte, "lab@fabrikam.com", "Fabrikam laboratory", count=3)
    chat(s, [duarte], s.clock("13:02:44"), "events@partner-forum.example.com", "Partner forum: enter the meeting code")
    rented = Place("198.51.100.160", "49981", "NL", "Naaldwijk", "Zuid-Holland")
    tool = Side(rented, script(ANDROID_ROOM_UA))
    flow = device_code(s, duarte, s.clock("13:11:27"), TEAMS, GRAPH, Side(LISBON.office, machine), tool, wait=4)
    for clock, resource in (("13:50:18", GRAPH), ("15:22:40", EXCHANGE), ("16:58:03", GRAPH)):
        refresh(s, duarte, flow, s.clock(clock), TEAMS, resource, tool)
    graph_calls(
        s, duarte, s.clock("13:12:30"), TEAMS, rented, tool.device, flow,
        "/me/joinedTeams", "/me/chats?$expand=members&$top=50", "/chats/19:2f7c/messages?$top=50",
        "/chats/19:88d1/messages?$top=50", "/me/drive/recent", "POST /search/query",
        scopes="Chat.ReadWrite Files.ReadWrite.All Sites.ReadWrite.All Mail.ReadWrite",
    )  # fmt: skip
    downloads(s, duarte, s.clock("13:21:00"), rented, tool.device.user_agent, flow.session, app=TEAMS, count=14)
    for number in range(4):
        cloud_app(
            s, duarte, s.clock(f"13:2{number + 2}:15"), "FileDownloaded", rented, tool.device.user_agent, flow.session,
            thing=f"Research/Patents/{number + 1:02}.docx", uncommon=("CountryCode", "ISP", "UserAgent"),
        )  # fmt: skip
    s.expect(
        duarte,
        MALICIOUS,
        "The application and the client string are those of a meeting room, but he is a person with a laptop and no "
        "room, the client has no device identity, and it sits at a hosting company in the Netherlands. A stranger's "
        "Teams message about a meeting code came nine minutes before his first approval; the session then read chats "
        "and downloaded files, which no room does.",
    )
    s.expect(
        room,
        BENIGN,
        "A real room: a registered, compliant device at the office egress, signed in again by a technician there as "
        "three weeks ago, and since then Teams and its calendar.",
    )
    return s


STORIES = (same_carrier, week_old_session, teams_person)
