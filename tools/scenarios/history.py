"""What a tenant looks like before the story: a working month of one person, and colleagues behind the same egress."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tools.scenarios.rows import (
    BROWSER,
    NO_RISK,
    NON_INTERACTIVE,
    PRT,
    REFRESH,
    SIGN_INS,
    Ids,
    Kind,
    Risk,
    new_ids,
    sign_in,
)
from tools.scenarios.story import Story
from tools.scenarios.world import (
    CHROME_UA,
    EXCHANGE,
    GRAPH,
    OFFICE,
    ONEDRIVE,
    OUTLOOK_MOBILE,
    SHAREPOINT,
    TEAMS,
    App,
    Device,
    Person,
    Place,
    laptop,
    phone,
)

WORK: tuple[tuple[App, App], ...] = (
    (TEAMS, App("cc15fd57-2c6c-4117-a88c-83b1d56b4bbe", "Microsoft Teams Services")),
    (EXCHANGE, EXCHANGE),
    (SHAREPOINT, SHAREPOINT),
    (OFFICE, EXCHANGE),
)
BACKGROUND: tuple[tuple[App, App], ...] = ((ONEDRIVE, SHAREPOINT), (OFFICE, GRAPH), (TEAMS, GRAPH))
_FAILURES = ("50126", "50140", "500121", "70044")


@dataclass(frozen=True)
class Habits:
    """Where somebody works, on what, and how far their clock is from UTC."""

    office: Place
    laptop: Device
    home: Place | None = None
    carrier: Place | None = None
    vpn: Place | None = None
    offset: int = 0
    home_days: tuple[int, ...] = (4,)
    risk: Risk = NO_RISK
    work: tuple[tuple[App, App], ...] = WORK
    background: tuple[tuple[App, App], ...] = BACKGROUND

    def place(self, at: datetime) -> Place:
        """Where the person works that day."""
        return self.home if self.home and at.weekday() in self.home_days else self.office


def _somewhen(s: Story, day: datetime, first: int, last: int, offset: int) -> datetime:
    start = day.replace(hour=0, minute=0, second=0)
    local = timedelta(hours=s.rng.randint(first, last), minutes=s.rng.randrange(60), seconds=s.rng.randrange(60))
    return start + local - timedelta(hours=offset)


def working_month(s: Story, who: Person, habits: Habits, *, days: int = 30, last: int = 0) -> None:
    """Ordinary sign-ins from `days` ago to `last` days ago, never later than an hour before `now`."""
    for ago in range(days, last - 1, -1):
        day = s.now - timedelta(days=ago)
        if day.weekday() < 5:
            _working_day(s, who, habits, day)
        elif habits.home and s.rng.random() < 0.25:
            _one(
                s,
                who,
                habits.home,
                habits.laptop,
                EXCHANGE,
                EXCHANGE,
                PRT,
                _somewhen(s, day, 10, 20, habits.offset),
                habits,
            )


def _working_day(s: Story, who: Person, habits: Habits, day: datetime) -> None:
    place = habits.place(day)
    session = s.guid()
    for _ in range(1 + (s.rng.random() < 0.3)):
        app, resource = s.rng.choice(habits.work)
        _one(s, who, place, habits.laptop, app, resource, PRT, _somewhen(s, day, 8, 16, habits.offset), habits, session)
    if s.rng.random() < 0.3:
        app, resource = s.rng.choice(habits.background)
        at = _somewhen(s, day, 9, 17, habits.offset)
        _one(s, who, place, habits.laptop, app, resource, REFRESH, at, habits, session, NON_INTERACTIVE)
    if habits.carrier and s.rng.random() < 0.3:
        at = _somewhen(s, day, 7, 21, habits.offset)
        device = phone(who.upn)
        _one(s, who, habits.carrier, device, OUTLOOK_MOBILE, EXCHANGE, REFRESH, at, habits, "", NON_INTERACTIVE)
    if habits.vpn and s.rng.random() < 0.1:
        _one(
            s,
            who,
            habits.vpn,
            habits.laptop,
            SHAREPOINT,
            SHAREPOINT,
            PRT,
            _somewhen(s, day, 9, 16, habits.offset),
            habits,
        )
    if s.rng.random() < 0.12:
        _failure(s, who, habits, place, day)


def _one(
    s: Story,
    who: Person,
    place: Place,
    device: Device,
    app: App,
    resource: App,
    kind: Kind,
    at: datetime,
    habits: Habits,
    session: str = "",
    table: str = SIGN_INS,
) -> None:
    if at < s.now - timedelta(hours=1):
        ids = Ids(s.guid(), session or s.guid())
        sign_in(s, table, who, at, place, device, app, resource, kind, ids=ids, risk=habits.risk)


def _failure(s: Story, who: Person, habits: Habits, place: Place, day: datetime) -> None:
    """A failed attempt, and the same person getting in from a private window a minute later."""
    at = _somewhen(s, day, 8, 15, habits.offset)
    if at > s.now - timedelta(hours=2):
        return
    ids, code = new_ids(s), s.rng.choice(_FAILURES)
    browser = replace(habits.laptop, user_agent=CHROME_UA, browser="Chrome 144.0.0")
    where = (place, browser, OFFICE, EXCHANGE)
    sign_in(s, SIGN_INS, who, at, *where, BROWSER, ids=ids, result=code, risk=habits.risk)
    sign_in(s, SIGN_INS, who, at + timedelta(seconds=70), *where, BROWSER, ids=ids, risk=habits.risk)


_NAMES = (
    "Aisha Karim", "Ben Osei", "Carla Nunez", "Dmitri Weiss", "Elena Petrov", "Frank Doyle", "Gita Menon",
    "Hugo Laurent", "Ines Alves", "Jonas Vik", "Kofi Boateng", "Lucia Ferri", "Mei Tan", "Nils Aune",
)  # fmt: skip


def colleagues(
    s: Story, place: Place, count: int, *, days: int = 28, offset: int = 0, risk: Risk = NO_RISK
) -> list[Person]:
    """`count` other people with a few sign-ins each behind the same egress, on different days."""
    people = [Person(f"{name.lower().replace(' ', '.')}@contoso.com", name) for name in _NAMES[:count]]
    for who in people:
        s.user(who)
        machine = laptop(f"CONTOSO-LT-{1000 + sum(who.upn.encode()) % 900}")
        workdays = [ago for ago in range(1, days + 1) if (s.now - timedelta(days=ago)).weekday() < 5]
        for ago in s.rng.sample(workdays, min(3, len(workdays))):
            app, resource = s.rng.choice(WORK)
            at = _somewhen(s, s.now - timedelta(days=ago), 8, 16, offset)
            sign_in(s, SIGN_INS, who, at, place, machine, app, resource, PRT, risk=risk)
    return people
