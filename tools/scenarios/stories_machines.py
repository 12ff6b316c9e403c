"""Device codes for what they were made for: rooms and screens."""

from __future__ import annotations

from datetime import timedelta

from tools.scenarios.devicecode import Side, device_code, refresh
from tools.scenarios.history import colleagues
from tools.scenarios.mail import feed_noise, indicator
from tools.scenarios.rows import (
    DEVICE_REGISTRATION,
    NON_INTERACTIVE,
    REFRESH,
    Ids,
    Risk,
    sign_in,
)
from tools.scenarios.story import BENIGN, Story
from tools.scenarios.traces import device_registered
from tools.scenarios.world import (
    ANDROID_ROOM_UA,
    BROKER,
    EXCHANGE,
    MANCHESTER,
    ONEDRIVE,
    REGISTRATION,
    SHAREPOINT,
    TEAMS,
    Device,
    Person,
    Place,
    guid,
    script,
)

LOW_SEEN = Risk("low", "low", "atRisk", "none", ("unfamiliarFeatures",))
REMEDIED = Risk("low", "none", "remediated", "userPassedMFADrivenByRiskBasedPolicy", ("unfamiliarFeatures",))


def teams_room() -> Story:
    s = Story(
        "teams-room",
        "Teams Rooms on Android: one room signs in again, a new one for the first time",
        "2026-02-24 10:30",
    )
    birch = Person("room.birch@contoso.com", "Room Birch (12)", "", "Facilities")
    aspen = Person("room.aspen@contoso.com", "Room Aspen (8)", "", "Facilities")
    rooms = {birch: ("MTRA-BIRCH", 0), aspen: ("MTRA-ASPEN", 1)}
    technician = Device(
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 "
        "Mobile/15E148 Safari/604.1", "Ios 18.3", "Mobile Safari 18.3",
    )  # fmt: skip
    colleagues(s, MANCHESTER, 12)
    feed_noise(s)
    s.group("Meeting room accounts", [birch, aspen])
    for room, (name, order) in rooms.items():
        bar = Device(ANDROID_ROOM_UA, "Android 12", "", guid(f"device:{name}"), name, True, True, "Azure AD registered")
        s.user(room, created="2025-09-01T09:00:00Z" if room is birch else "2026-02-20T14:00:00Z")
        s.device(room, bar, registered="2025-09-01T10:12:00Z" if room is birch else "2026-02-24T08:44:07Z")
        unregistered = Side(MANCHESTER, script(ANDROID_ROOM_UA))
        known = Side(MANCHESTER, bar)
        for days, clock in ((23, "09:12:20"), (0, "07:58:31")) if room is birch else ((0, "08:41:07"),):
            at = s.clock(clock, days)
            approve = Side(MANCHESTER, technician, LOW_SEEN if room is aspen else Risk())
            flow = device_code(s, room, at, BROKER, REGISTRATION, approve, unregistered, wait=5, marked=True)
            refresh(s, room, flow, at + timedelta(minutes=2), BROKER, REGISTRATION, unregistered, DEVICE_REGISTRATION)
            refresh(s, room, flow, at + timedelta(minutes=5), TEAMS, TEAMS, known)
            refresh(s, room, flow, at + timedelta(minutes=9), TEAMS, EXCHANGE, known)
            for ago in range(days - 1, 0, -2):
                refresh(
                    s, room, flow, s.clock(f"{s.rng.randint(6, 17)}:{s.rng.randrange(60)}", ago), TEAMS, EXCHANGE, known
                )
            if order:
                device_registered(s, room, at + timedelta(minutes=3), bar, ANDROID_ROOM_UA, MANCHESTER)
    for room in rooms:
        s.expect(
            room,
            BENIGN,
            "A meeting room account: broker to Device Registration and then Teams, both legs from the office egress "
            "that many colleagues use, an Android room device."
            + (
                " It does so every few weeks."
                if room is birch
                else " The first sign-in of a new room; low risk because it is new."
            ),
        )
    return s


def kiosk_signage() -> Story:
    s = Story(
        "kiosk-signage", "A lobby screen signs in again from the branch it has always been in", "2026-03-17 08:00"
    )
    lobby = Person("signage.lobby3@contoso.com", "Signage Lobby 3", "", "Facilities")
    branch = Place("198.51.100.210", "64509", "DE", "Augsburg", "Bavaria")
    player_ua = "Mozilla/5.0 (X11; Linux aarch64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
    player = Device(player_ua, "Linux", "Chrome 126.0.0")
    s.user(lobby, created="2024-11-04T08:00:00Z")
    s.group("Digital signage accounts", [lobby])
    colleagues(s, branch, 4, offset=1)
    feed_noise(s)
    indicator(s, branch.ip, "Spam relay, subscriber range", confidence=30, tags="spam")
    side = Side(branch, player)
    first = device_code(s, lobby, s.clock("06:40:00", 29), ONEDRIVE, SHAREPOINT, side, side, wait=6)
    for ago in range(28, 0, -1):
        refresh(
            s,
            lobby,
            first,
            s.clock(f"{s.rng.choice((5, 12, 18))}:{s.rng.randrange(60)}", ago),
            ONEDRIVE,
            SHAREPOINT,
            side,
        )
    expired = Ids(s.guid(), first.session)
    sign_in(
        s,
        NON_INTERACTIVE,
        lobby,
        s.clock("05:30"),
        branch,
        player,
        ONEDRIVE,
        SHAREPOINT,
        REFRESH,
        ids=expired,
        result="70044",
    )
    flow = device_code(s, lobby, s.clock("06:15:22"), ONEDRIVE, SHAREPOINT, side, side, wait=7)
    refresh(s, lobby, flow, s.clock("07:18:40"), ONEDRIVE, SHAREPOINT, side)
    s.expect(
        lobby,
        BENIGN,
        "A signage account without a person behind it: its session had expired, and it signed in again with the same "
        "application from the branch network where it is seen every day. Both legs at the same address; the old spam "
        "indicator on it has little confidence.",
    )
    return s


STORIES = (teams_room, kiosk_signage)
