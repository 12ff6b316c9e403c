"""Device codes that no column marks, and a confirmation page that is no device code at all."""

from __future__ import annotations

from datetime import timedelta

from tools.scenarios.cast import (
    CAPE_TOWN,
    GOTHENBURG,
    SAFARI_PHONE,
    TORONTO,
    at_home_in,
    employee,
    everybody_else,
)
from tools.scenarios.devicecode import Side, device_code, refresh
from tools.scenarios.mail import click, feed_noise, mail
from tools.scenarios.rows import NON_INTERACTIVE, REFRESH, SIGN_INS, Kind, new_ids, sign_in
from tools.scenarios.story import MALICIOUS, NO_ACTIVITY, Story
from tools.scenarios.tenant import identity, in_defender, without_marks
from tools.scenarios.traces import device_registered, graph_calls
from tools.scenarios.traces_office import cloud_app, downloads, mail_volume
from tools.scenarios.world import (
    AXIOS_UA,
    CHROME_UA,
    EXCHANGE,
    GRAPH,
    OFFICE,
    ONEDRIVE,
    OUTLOOK_MOBILE,
    SHAREPOINT,
    TEAMS,
    Device,
    Person,
    Place,
    guid,
    laptop,
    script,
)

_NATIVE = "Mobile Apps and Desktop clients"
CONFIRM = Kind("oAuth2", "none", "none", _NATIVE, mfa=True)
UNMARKED = Kind("none", "none", "none", _NATIVE, mfa=True)
UNMARKED_LEG = Kind("none", "none", "none", _NATIVE)


def unmarked_correlation() -> Story:
    s = Story(
        "unmarked-correlation",
        "No row says device code; a confirmation, a second leg from elsewhere and mail read through Graph do",
        "2026-05-12 15:00",
    )
    thabo = Person("thabo.dlamini@contoso.com", "Thabo Dlamini", "Claims manager", "Insurance")
    machine = laptop("CONTOSO-LT-0518")
    employee(s, thabo, machine, at_home_in(CAPE_TOWN, machine, 2))
    everybody_else(s, CAPE_TOWN, 8, 2)
    feed_noise(s)
    rented = Place("198.51.100.152", "63949", "GB", "London", "England")
    tool = Side(rented, script(AXIOS_UA))
    flow = device_code(s, thabo, s.clock("11:12:48"), OFFICE, GRAPH, Side(CAPE_TOWN.office, machine), tool, wait=9)
    refresh(s, thabo, flow, s.clock("12:09:30"), OFFICE, GRAPH, tool)
    refresh(s, thabo, flow, s.clock("13:55:02"), OFFICE, EXCHANGE, tool)
    graph_calls(
        s, thabo, s.clock("11:15:20"), OFFICE, rented, tool.device, flow,
        "/me", "/me/mailFolders?$top=100", "/me/messages?$top=100", "/me/messages?$top=100&$skip=100",
        '/me/messages?$search="claim payout"', '/me/messages?$search="password"',
        scopes="Mail.ReadWrite Mail.Send Files.ReadWrite.All User.ReadBasic.All",
    )  # fmt: skip
    for clock, items in (("11:16:10", 20), ("11:16:55", 20), ("13:56:30", 6)):
        mail_volume(s, thabo, s.clock(clock), OFFICE, rented, flow.session, items=items)
    without_marks(s)
    s.expect(
        thabo,
        MALICIOUS,
        "This tenant fills in neither protocol nor transfer method. But under one correlation he was asked to confirm "
        "the app, confirmed it on his laptop in the office, and nine seconds later the session got a token on another "
        "continent, by axios at a hosting company that nobody here ever used. That token paged through his mail and "
        "searched it for payouts and passwords. One sign-in does not happen in two places: somebody else holds it.",
    )
    return s


def unmarked_cmsi() -> Story:
    s = Story(
        "unmarked-cmsi",
        "Only Defender's table names the confirmation page; the files went to a hosting company next door",
        "2026-06-02 15:15",
    )
    chloe = Person("chloe.tremblay@contoso.com", "Chloe Tremblay", "Executive assistant", "Finance")
    machine = laptop("CONTOSO-LT-0144")
    employee(s, chloe, machine, at_home_in(TORONTO, machine, -4))
    everybody_else(s, TORONTO, 6, -4)
    feed_noise(s)
    url = "https://boardpack-viewer.web.app/q2"
    lure = mail(s, chloe, s.clock("13:40:08"), "board@diligent-share.example.com", "Board pack Q2 shared with you", url)
    click(s, chloe, s.clock("13:55:37"), url, lure, TORONTO.office)
    rented = Place("198.51.100.154", "16276", "CA", "Beauharnois", "Quebec")
    ids = new_ids(s)
    at = s.clock("13:58:21")
    approval = sign_in(s, SIGN_INS, chloe, at, TORONTO.office, machine, ONEDRIVE, SHAREPOINT, UNMARKED, ids=ids)
    tool = script(CHROME_UA)
    sign_in(
        s, NON_INTERACTIVE, chloe, at + timedelta(seconds=14), rented, tool, ONEDRIVE, SHAREPOINT, UNMARKED_LEG, ids=ids
    )
    again = new_ids(s)
    sign_in(
        s, NON_INTERACTIVE, chloe, s.clock("14:49:10"), rented, tool, ONEDRIVE, SHAREPOINT, REFRESH,
        ids=type(ids)(again.correlation, ids.session),
    )  # fmt: skip
    downloads(s, chloe, s.clock("14:01:05"), rented, tool.user_agent, ids.session, app=ONEDRIVE, count=18)
    for number in range(4):
        cloud_app(
            s, chloe, s.clock(f"14:0{number + 1}:30"), "FileDownloaded", rented, tool.user_agent, ids.session,
            thing=f"Board/Q2/{number + 1:02}.pdf", uncommon=("ISP", "IPAddress", "UserAgent"),
        )  # fmt: skip
    without_marks(s)
    in_defender(s, chloe, str(approval["Id"]))
    identity(s, chloe, groups=("Board support",), blast="Medium", country="Canada")
    s.expect(
        chloe,
        MALICIOUS,
        "The sign-in logs show an ordinary OneDrive sign-in at her desk; Defender's copy of that very request says "
        "that it went through the confirmation page, and fourteen seconds later the same session had a token at a "
        "hosting company one province away. She had followed a board pack lure to the device login page three minutes "
        "earlier, and eighteen files left for that address within minutes.",
    )
    return s


def mobile_confirm() -> Story:
    s = Story(
        "mobile-confirm",
        "A new phone: 'are you trying to sign in?' is asked and answered, no device code anywhere",
        "2026-04-30 13:00",
    )
    elsa = Person("elsa.lindgren@contoso.com", "Elsa Lindgren", "Service technician", "Field service")
    machine = laptop("CONTOSO-LT-0661")
    employee(s, elsa, machine, at_home_in(GOTHENBURG, machine, 2))
    everybody_else(s, GOTHENBURG, 8, 2)
    feed_noise(s)
    mail(
        s, elsa, s.clock("07:20:15"), "it@password-desk.example.com", "Your device needs to be confirmed",
        "https://confirm-device-x2.pages.dev/", action="Junked", threats="Phish",
    )  # fmt: skip
    s.tables["EmailEvents"][-1].update(DeliveryLocation="Junk folder", LatestDeliveryLocation="Junk folder")
    browser = Device(SAFARI_PHONE.user_agent, "Ios 18.4", "Mobile Safari 18.4")
    for clock, app, resource in (
        ("08:11:40", OUTLOOK_MOBILE, EXCHANGE),
        ("08:15:05", TEAMS, TEAMS),
        ("08:19:31", ONEDRIVE, SHAREPOINT),
    ):
        ids, at = new_ids(s), s.clock(clock)
        place = GOTHENBURG.mobile
        sign_in(s, SIGN_INS, elsa, at, place, browser, app, resource, CONFIRM, ids=ids, result="50199")
        sign_in(s, SIGN_INS, elsa, at + timedelta(seconds=8), place, browser, app, resource, CONFIRM, ids=ids)
        sign_in(s, NON_INTERACTIVE, elsa, at + timedelta(seconds=11), place, browser, app, resource, REFRESH, ids=ids)
    new = Device(
        "Outlook-iOS/730.4101066.prod.iphone (4.2616.0)", "Ios 18.4", "", guid("phone:elsa-new"), "iPhone 17",
        None, False, "Azure AD registered",
    )  # fmt: skip
    device_registered(s, elsa, s.clock("08:13:20"), new, "Microsoft Authenticator/6.8.20 (iOS 18.4)", GOTHENBURG.mobile)
    s.device(elsa, new, registered="2026-04-30T08:13:20Z")
    for clock, place in (("09:30", GOTHENBURG.office), ("10:42", GOTHENBURG.office), ("11:50", GOTHENBURG.mobile)):
        sign_in(s, NON_INTERACTIVE, elsa, s.clock(clock), place, new, OUTLOOK_MOBILE, EXCHANGE, REFRESH)
    identity(s, elsa, country="Sweden")
    s.expect(
        elsa,
        NO_ACTIVITY,
        "She set up a new phone: three mobile apps each asked her to confirm the sign-in (50199, then success), as "
        "they do when a browser hands over to an app. The protocol is plain OAuth, both legs are the phone on the "
        "mobile network she always uses, and the later tokens are hers at the office. No device code was entered; the "
        "mail that talks of confirming went to junk and was not followed.",
    )
    return s


STORIES = (unmarked_correlation, unmarked_cmsi, mobile_confirm)
