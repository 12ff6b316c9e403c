"""More of the cast: towns with an office, a home and a mobile network each, and clients of other kinds.

Homes, mobile networks and some offices carry the number of a real access network; nothing else about them is real.
"""

from __future__ import annotations

from dataclasses import dataclass

from tools.scenarios.history import Habits, colleagues, working_month
from tools.scenarios.mail import newsletters
from tools.scenarios.rows import NO_RISK, Risk
from tools.scenarios.story import Story
from tools.scenarios.traces_office import ordinary_use
from tools.scenarios.world import App, Device, Person, Place, laptop

COMPANY_PORTAL = App("9ba1a5c7-f17a-4de9-a1f1-6178c8d51223", "Microsoft Intune Company Portal")
AUTHENTICATOR = App("4813382a-8fa7-425e-ab75-3b753aab3abb", "Microsoft Authenticator App")
KUBELOGIN = App("80faf920-1908-4b52-b5ef-a8e7bedfc67a", "Azure Kubernetes Service AAD Client")
KUBERNETES = App("6dae42f8-4368-4678-94ff-3960e28e3630", "Azure Kubernetes Service AAD Server")
DIRECTORY = App("00000002-0000-0000-c000-000000000000", "Windows Azure Active Directory")
REPORTING = App("871c010f-5e61-4fb1-83ac-98610a7e9110", "Microsoft Power BI")

SAFARI_PHONE_UA = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 "
    "Mobile/15E148 Safari/604.1"
)
CHROME_ANDROID_UA = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Mobile Safari/537.36"
)
CHROME_LINUX_UA = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)
FIREFOX_LINUX_UA = "Mozilla/5.0 (X11; Linux x86_64; rv:139.0) Gecko/20100101 Firefox/139.0"
PHONE_SET_UA = "Dalvik/2.1.0 (Linux; U; Android 13; MP56 Build/TQ3C.230901.001)"
TABLET_UA = "Dalvik/2.1.0 (Linux; U; Android 14; SM-T636B Build/UP1A.231005.007)"
HTTPX_UA = "python-httpx/0.28.1"
GO_UA = "Go-http-client/2.0"
AZURE_SDK_GO_UA = "azsdk-go-azidentity/v1.8.0 (go1.23.4; linux)"

SAFARI_PHONE = Device(SAFARI_PHONE_UA, "Ios 18.4", "Mobile Safari 18.4")
UNFAMILIAR = Risk("low", "low", "atRisk", "none", ("unfamiliarFeatures",))
REMEDIED = Risk("medium", "none", "remediated", "userPassedMFADrivenByRiskBasedPolicy", ("unfamiliarFeatures",))


@dataclass(frozen=True)
class Town:
    office: Place
    home: Place
    mobile: Place


def town(number: int, country: str, city: str, state: str, *networks: str) -> Town:
    """`networks`: AS numbers of the home line, of the mobile network, and of the office if it has none of its own."""
    home, mobile, office = networks if len(networks) > 2 else (*networks, str(64496 + number % 16))
    return Town(
        Place(f"203.0.113.{number}", office, country, city, state),
        Place(f"192.0.2.{number}", home, country, city, state),
        Place(f"198.51.100.{number}", mobile, country, city, state),
    )


WARSAW = town(31, "PL", "Warsaw", "Mazowieckie", "5617", "12912")
MADRID = town(33, "ES", "Madrid", "Madrid", "3352", "12430")
TOKYO = town(35, "JP", "Tokyo", "Tokyo", "2516", "9605")
BENGALURU = town(37, "IN", "Bengaluru", "Karnataka", "24560", "45609")
MILAN = town(39, "IT", "Milan", "Lombardia", "3269", "1267")
CAPE_TOWN = town(41, "ZA", "Cape Town", "Western Cape", "37457", "29975", "3741")
TORONTO = town(43, "CA", "Toronto", "Ontario", "812", "577")
ROTTERDAM = town(46, "NL", "Rotterdam", "Zuid-Holland", "1136", "50266")
SYDNEY = town(48, "AU", "Sydney", "New South Wales", "1221", "4804")
BRUSSELS = town(50, "BE", "Brussels", "Brussels Hoofdstedelijk Gewest", "5432", "47377")
LISBON = town(52, "PT", "Lisbon", "Lisboa", "3243", "12353")
PRAGUE = town(54, "CZ", "Prague", "Hlavni mesto Praha", "5610", "13036")
RIGA = town(56, "LV", "Riga", "Riga", "12578", "24921", "12578")
BARCELONA = town(58, "ES", "Barcelona", "Catalonia", "12479", "3352")
HELSINKI = town(62, "FI", "Helsinki", "Uusimaa", "1759", "719")
GLASGOW = town(64, "GB", "Glasgow", "Glasgow City", "2856", "12576")
VIENNA = town(67, "AT", "Vienna", "Wien", "8447", "25255")
GDANSK = town(69, "PL", "Gdansk", "Pomorskie", "29314", "12912", "29314")
SINGAPORE = town(71, "SG", "Singapore", "", "9506", "9506")
ZURICH = town(73, "CH", "Zurich", "Zurich", "3303", "6730")
LEEDS = town(76, "GB", "Leeds", "West Yorkshire", "2856", "25135")
BERLIN = town(78, "DE", "Berlin", "Berlin", "6830", "3320")
ATHENS = town(81, "GR", "Athens", "Attiki", "6799", "1241")
GOTHENBURG = town(83, "SE", "Gothenburg", "Vastra Gotaland", "3301", "44034")


def employee(
    s: Story,
    who: Person,
    machine: Device,
    habits: Habits,
    *,
    days: int = 28,
    last: int = 0,
    letters: int = 3,
    created: str = "2023-05-15T08:00:00Z",
    risk: str = "",
) -> None:
    """Somebody who has worked here for a while: directory, laptop, a month of sign-ins, mail and files.

    `last` is the number of days before `now` on which the ordinary sign-ins end.
    """
    s.user(who, created=created, risk=risk)
    s.device(who, machine)
    working_month(s, who, habits, days=days, last=last)
    newsletters(s, who, habits.office, count=letters)
    ordinary_use(s, who, habits, days=days, last=last)


def at_home_in(
    here: Town, machine: Device, offset: int, *, home_days: tuple[int, ...] = (4,), risk: Risk = NO_RISK
) -> Habits:
    """Office, home line and mobile network of one town."""
    return Habits(here.office, machine, here.home, here.mobile, None, offset=offset, home_days=home_days, risk=risk)


def everybody_else(s: Story, here: Town, count: int, offset: int, *, risk: Risk = NO_RISK) -> list[Person]:
    """Colleagues behind the same egress."""
    return colleagues(s, here.office, count, offset=offset, risk=risk)


def staff(s: Story, place: Place, names: tuple[str, ...], offset: int) -> None:
    """People of one branch, each with a week of work behind its egress."""
    for name in names:
        who = Person(f"{name.lower().replace(' ', '.')}@contoso.com", name)
        s.user(who)
        machine = laptop(f"CONTOSO-BR-{1000 + sum(who.upn.encode()) % 900}")
        working_month(s, who, Habits(place, machine, offset=offset, home_days=()), days=6)
