"""Accounts that nobody knows much about: a projector's mailbox, and a guest whose addresses Entra hides."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tools.scenarios.cast import ATHENS, everybody_else
from tools.scenarios.devicecode import Side, device_code, refresh
from tools.scenarios.mail import feed_noise
from tools.scenarios.rows import BROWSER, SIGN_INS, sign_in
from tools.scenarios.story import BENIGN, MALICIOUS, SUSPICIOUS, Story
from tools.scenarios.traces_sent import forwarding_rule
from tools.scenarios.world import (
    EXCHANGE,
    GRAPH,
    OFFICE,
    SHAREPOINT,
    TEAMS,
    VS_CODE,
    Person,
    Place,
    personal_pc,
    script,
)

_ANDROID_UA = "Dalvik/2.1.0 (Linux; U; Android 11; Projector X1 Build/RQ3A.211001.001)"


def without_a_past() -> Story:
    s = Story(
        "without-a-past",
        "Two projectors' mailboxes that never signed in, and a partner's guest behind hidden addresses",
        "2026-07-08 16:10",
    )
    first = Person("projector.olympia@contoso.com", "Projector Olympia", "", "Facilities")
    second = Person("projector.delphi@contoso.com", "Projector Delphi", "", "Facilities")
    guest = Person("yannis.petrou_fabrikam.com#EXT#@contoso.com", "Yannis Petrou", guest=True,
                   home_upn="yannis.petrou@fabrikam.com")  # fmt: skip
    everybody_else(s, ATHENS, 8, 3)
    feed_noise(s)
    for who in (first, second):
        s.user(who, created="2024-02-01T09:00:00Z")
    s.user(guest, created="2025-01-15T10:00:00Z")
    lines = {first: Place("192.0.2.205", "6799", "GR", "Piraeus", "Attiki"), second: Place("192.0.2.221", "1241", "GR",
             "Patras", "Dytiki Ellada")}  # fmt: skip
    for who, line in lines.items():
        at = s.clock("11:05:20" if who is first else "09:41:02")
        flow = device_code(s, who, at, TEAMS if who is first else OFFICE, EXCHANGE, Side(line, personal_pc()),
                           Side(line, script(_ANDROID_UA)), wait=8)  # fmt: skip
        if who is second:
            forwarding_rule(s, who, at + timedelta(minutes=9), "all", "archive.delphi@example.net", line, flow.session)
    hidden = Place("203.0.113.XXX", "64520", "GR", "Athens", "Attiki")
    machine, tool = replace(personal_pc(), compliant=None, managed=None), script("vscode/1.101.0 (linux)")
    for ago in range(27, 0, -3):
        sign_in(s, SIGN_INS, guest, s.clock("09:10:00", ago), hidden, machine, TEAMS, SHAREPOINT, BROWSER)
    for ago in (25, 18, 11, 4, 0):
        at = s.clock("10:02:40", ago)
        flow = device_code(s, guest, at, VS_CODE, GRAPH, Side(hidden, machine), Side(hidden, tool), wait=6)
        refresh(s, guest, flow, at + timedelta(minutes=66), VS_CODE, GRAPH, Side(hidden, tool))
    s.expect(
        first,
        SUSPICIOUS,
        "A projector's mailbox has nobody to sign in with it, and never did. Both legs come from a household line of "
        "the town: an installer at home, or somebody who has its password.",
    )
    s.expect(
        second,
        MALICIOUS,
        "Like the other projector's, and nine minutes later a rule in the same session sends everything it gets to an "
        "address outside.",
        rungs=("disable_rule",),
    )
    s.expect(
        guest,
        BENIGN,
        "The last part of a guest's addresses is hidden from the tenant, so they are neither known nor strange. What "
        "shows is the same as in the weeks before: the network, Visual Studio Code by a code once a week, and his own "
        "tenant's files.",
    )
    return s


STORIES = (without_a_past,)
