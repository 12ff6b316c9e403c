"""New things that somebody planned: phones in a new office, new people, kiosks in the branches."""

from __future__ import annotations

from datetime import timedelta

from tools.scenarios.cast import (
    COMPANY_PORTAL,
    GDANSK,
    LEEDS,
    PHONE_SET_UA,
    TABLET_UA,
    UNFAMILIAR,
    ZURICH,
    at_home_in,
    employee,
    everybody_else,
    staff,
)
from tools.scenarios.delivery import internal
from tools.scenarios.devicecode import Side, device_code, refresh
from tools.scenarios.history import Habits, colleagues
from tools.scenarios.mail import DEVICE_LOGIN, click, feed_noise, indicator, mail, newsletters
from tools.scenarios.rows import DEVICE_REGISTRATION, NON_INTERACTIVE, REFRESH, new_ids, sign_in
from tools.scenarios.story import BENIGN, Story
from tools.scenarios.teams import small_talk
from tools.scenarios.tenant import identity, named_location, risky_user
from tools.scenarios.traces import device_registered, graph_calls
from tools.scenarios.traces_directory import consent, security_info
from tools.scenarios.traces_office import rule
from tools.scenarios.world import (
    ARM,
    BROKER,
    EXCHANGE,
    GRAPH,
    INTUNE,
    NODE_UA,
    REGISTRATION,
    TEAMS,
    VS_CODE,
    App,
    Device,
    Person,
    Place,
    guid,
    laptop,
    script,
)


def phones_new_office() -> Story:
    s = Story(
        "phones-new-office",
        "A desk phone and a door panel in an office that opened two weeks ago",
        "2026-02-17 12:10",
    )
    reception = Person("phone.reception.gdn@contoso.com", "Reception Gdansk", "", "Facilities")
    panel = Person("panel.baltyk@contoso.com", "Panel Baltyk", "", "Facilities")
    colleagues(s, GDANSK.office, 10, days=14, offset=1)
    feed_noise(s)
    voice = Place("203.0.113.70", GDANSK.office.asn, "PL", "Gdansk", "Pomorskie")
    indicator(s, voice.ip, "Open SIP proxy", confidence=45, expired=True, tags="voip")
    fitter, technician = Person("pawel.lis@contoso.com", "Pawel Lis", "IT technician", "IT"), laptop("CONTOSO-LT-0077")
    s.user(fitter)
    s.device(fitter, technician)
    s.group("Teams shared devices", [reception, panel])
    for who, name, created in (
        (reception, "MP56-GDN-01", "2026-02-16T13:00:00Z"),
        (panel, "CTP18-GDN-04", "2026-02-03T09:30:00Z"),
    ):
        made = "2026-02-17T09:17:00Z" if who is reception else "2026-02-04T09:05:00Z"
        box = Device(PHONE_SET_UA, "Android 13", "", guid(f"device:{name}"), name, True, True, "Azure AD registered")
        s.user(who, created=created)
        s.device(who, box, registered=made)
        bare, known = Side(voice, script(PHONE_SET_UA)), Side(voice, box)
        for ago, clock in ((13, "09:02:30"), (0, "08:40:51")) if who is panel else ((0, "09:14:20"),):
            at = s.clock(clock, ago)
            approve = Side(GDANSK.office, technician, UNFAMILIAR)
            flow = device_code(s, who, at, BROKER, REGISTRATION, approve, bare, wait=6)
            refresh(s, who, flow, at + timedelta(minutes=1), BROKER, REGISTRATION, bare, DEVICE_REGISTRATION)
            if ago or who is reception:
                device_registered(s, who, at + timedelta(minutes=2), box, PHONE_SET_UA, voice)
            refresh(s, who, flow, at + timedelta(minutes=6), TEAMS, TEAMS, known)
            refresh(s, who, flow, at + timedelta(minutes=31), TEAMS, EXCHANGE, known)
            for back in range(ago - 1, 0, -1):
                night = s.clock(f"{s.rng.randint(5, 18)}:{s.rng.randrange(60)}", back)
                refresh(s, who, flow, night, TEAMS, EXCHANGE, known)
        if who is panel:
            lapsed = (voice, box, TEAMS, EXCHANGE, REFRESH)
            sign_in(s, NON_INTERACTIVE, who, s.clock("05:10"), *lapsed, ids=new_ids(s), result="70044")
        identity(s, who, tags="shared device", created=created, country="Poland")
    s.expect(
        reception,
        BENIGN,
        "A resource account made yesterday for a desk phone: broker to Device Registration and on to Teams, on "
        "Android, approved on a company laptop in the office and redeemed next door on the phones' own address of the "
        "same network. Ten colleagues have worked in that office for two weeks. All of it is new because the phone is.",
    )
    s.expect(
        panel,
        BENIGN,
        "The panel was set up the same way when the office opened; its session ended this morning and it was signed in "
        "again, on the device that is registered for it, at the address where it is seen every day.",
    )
    return s


def first_week() -> Story:
    s = Story(
        "first-week",
        "A new engineer's first device code, and a technician who followed IT's own instructions",
        "2026-01-29 15:30",
    )
    noemi = Person("noemi.keller@contoso.com", "Noemi Keller", "Software engineer", "Engineering")
    luca = Person("luca.brunner@contoso.com", "Luca Brunner", "Service technician", "Field service")
    desk = Person("it-onboarding@contoso.com", "IT Onboarding", "", "IT")
    s.user(desk)
    new, old = laptop("CONTOSO-LT-1201"), laptop("CONTOSO-LT-0355")
    here = ZURICH.office
    hired = "2026-01-26T07:00:00Z"
    employee(s, noemi, new, Habits(here, new, offset=1, risk=UNFAMILIAR), days=3, letters=1, created=hired, risk="low")
    employee(s, luca, old, at_home_in(ZURICH, old, 1, home_days=()), days=26)
    others = everybody_else(s, ZURICH, 8, 1)
    feed_noise(s)
    small_talk(s, luca, "dispo@fabrikam.com", "Fabrikam Disposition")
    for ago, method in ((3, "Authenticator App with Notification"), (2, "Authenticator App with Code")):
        security_info(s, noemi, s.clock("09:20", ago), method, here)
    tool = Side(here, script(NODE_UA))
    flow = device_code(s, noemi, s.clock("10:05:33"), VS_CODE, ARM, Side(here, new, UNFAMILIAR), tool, wait=10)
    refresh(s, noemi, flow, s.clock("11:12:20"), VS_CODE, GRAPH, tool)
    graph_calls(s, noemi, s.clock("11:12:44"), VS_CODE, here, tool.device, flow, "/me", "/me/memberOf",
                scopes="User.Read GroupMember.Read.All")  # fmt: skip
    consent(s, noemi, s.clock("10:31:02"), App(guid("app:devportal"), "Contoso Developer Portal"),
            "openid profile User.Read", here)  # fmt: skip
    risky_user(s, noemi, "none", "remediated", hours=5, detail="userPassedMFADrivenByRiskBasedPolicy")
    internal(s, noemi, s.clock("07:40", 3), desk, "Welcome: your first week and your development machine")
    note = ""
    for who in (luca, *others[:4]):
        note = internal(s, who, s.clock("08:05:10"), desk, "Enrol your new tablet: sign in with the code it shows",
                        DEVICE_LOGIN, note)  # fmt: skip
    click(s, luca, s.clock("08:31:15"), DEVICE_LOGIN, note, here, onward=())
    bare = Side(here, script(TABLET_UA, reported=True))
    tablet = Device(TABLET_UA, "Android 14", "", guid("device:TAB-ZRH-14"), "TAB-ZRH-14", True, True,
                    "Azure AD registered")  # fmt: skip
    flow = device_code(s, luca, s.clock("08:33:40"), COMPANY_PORTAL, INTUNE, Side(here, old), bare, wait=17)
    device_registered(s, luca, s.clock("08:36:02"), tablet, TABLET_UA, here)
    s.device(luca, tablet, registered="2026-01-29T08:36:02Z")
    refresh(s, luca, flow, s.clock("09:50:31"), COMPANY_PORTAL, INTUNE, Side(here, tablet))
    named_location(s, "Zurich office", here)
    identity(s, noemi, created=hired, groups=("Developers",), country="Switzerland")
    identity(s, luca, groups=("Field service",), country="Switzerland")
    s.expect(
        noemi,
        BENIGN,
        "In her first week everything is a first: the account is three days old, hence the low risk. The code was "
        "approved on her managed laptop and redeemed by Visual Studio Code behind the same office egress, where the "
        "development machines stand; the consent is for the company's own portal and asks for nothing but her name.",
    )
    s.expect(
        luca,
        BENIGN,
        "He did follow a link to the device login page two minutes before, but it is Microsoft's own page and the mail "
        "is IT's, from inside, to several technicians. Company Portal was approved on his managed laptop and redeemed "
        "by an Android tablet at the same trusted office, which was enrolled under his name three minutes later.",
    )
    return s


def helpdesk_kiosks() -> Story:
    s = Story(
        "helpdesk-kiosks",
        "A field engineer joins kiosks in the branches; today in one where he never was",
        "2026-03-06 16:10",
    )
    imran = Person("imran.siddiqui@contoso.com", "Imran Siddiqui", "Field support engineer", "IT")
    machine = laptop("CONTOSO-LT-0212")
    employee(s, imran, machine, at_home_in(LEEDS, machine, 0, home_days=()), days=26, last=1)
    feed_noise(s)
    york = Place("192.0.2.191", "2856", "GB", "York", "City of York")
    bradford = Place("192.0.2.192", "5607", "GB", "Bradford", "West Yorkshire")
    hull = Place("192.0.2.193", "12390", "GB", "Hull", "East Riding of Yorkshire")
    staff(s, york, ("Amy Holt",), 0)
    staff(s, bradford, ("Raj Patel",), 0)
    staff(s, hull, ("Kate Marsh", "Owen Pryce", "Sofia Lane"), 0)
    indicator(s, hull.ip, "Unpatched router, business line", confidence=50, tags="exposure")
    agent = "Windows-AzureAD-Authentication-Provider/1.0"
    for ago, clock, place, name in (
        (22, "10:12:40", york, "KIOSK-YRK-01"),
        (17, "13:40:05", bradford, "KIOSK-BRD-01"),
        (8, "11:05:22", york, "KIOSK-YRK-02"),
        (0, "11:31:18", hull, "KIOSK-HUL-01"),
    ):
        at = s.clock(clock, ago)
        kiosk = Device(agent, "Windows11", "", guid(f"device:{name}"), name, False, False, "Azure AD joined")
        bare = Side(place, script(agent, reported=True))
        risk = UNFAMILIAR if not ago else Side(place, machine).risk
        flow = device_code(s, imran, at, BROKER, REGISTRATION, Side(place, machine, risk), bare, wait=8, marked=True)
        refresh(s, imran, flow, at + timedelta(minutes=1), BROKER, REGISTRATION, bare, DEVICE_REGISTRATION)
        joined = at + timedelta(minutes=3)
        device_registered(s, imran, joined, kiosk, "Dsreg/10.0 (Windows 10.0.26100.3194)", place)
        s.device(imran, kiosk, registered=joined.strftime("%Y-%m-%dT%H:%M:%SZ"))
    session = s.guid()
    rule(s, imran, s.clock("14:02:30"), "Tickets", ["INC", "REQ"], "Tickets", hull, session)
    newsletters(s, imran, LEEDS.office, count=2)
    mail(s, imran, s.clock("06:58"), "support@kiosk-update.example.com", "Kiosk licence expires today",
         "https://kiosk-licence-4a.pages.dev/renew", action="Blocked", threats="Phish")  # fmt: skip
    identity(s, imran, groups=("Field support", "Device enrolment managers"), country="GB")
    s.expect(
        imran,
        BENIGN,
        "A new network, a join of an unmanaged machine and low risk, all in one sign-in, and yet it is his trade: the "
        "same application, client and kind of name in three branches over the last weeks. Both legs are in the branch "
        "whose staff work behind that address every day, the approving one on his managed laptop. The phishing mail of "
        "the morning was blocked; the inbox rule sorts tickets and was made where he was.",
    )
    return s


STORIES = (phones_new_office, first_week, helpdesk_kiosks)
