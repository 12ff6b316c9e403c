"""The comparison with public detections: each fires on the attack it describes, and the bars that we hold to."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bench import compare, compare_detections
from bench.compare_people import Person, labelled
from bench.compare_run import Seen, run
from bench.compare_score import Alerts, markdown, score
from respond.lab import scenario
from respond.models.report import VerdictKind

pytestmark = pytest.mark.xdist_group("compare")
NOW = datetime(2026, 1, 15, 9, 40, tzinfo=UTC)
FILES = sorted(compare_detections.FOLDER.glob("*.kql"))
NAMES = [detection.name for detection in compare_detections.every()]
# They look for what is new to the user, so that a habit is none of their business.
ON_NEWCOMERS = {
    "elastic_first_time",
    "np_hunt_043",
    "panther_first_time",
    "reprise99_new_address",
    "reprise99_new_user",
}
CLI, BROKER = "04b07795-8ddb-461a-bbee-02f9e1bf7b46", "29d9ed98-a469-4536-ade2-f981bc1d605e"
AZURE, GRAPH = "797f4846-ba00-4fd7-ba43-dac1f8f63013", "00000003-0000-0000-c000-000000000000"
AAD_GRAPH, REGISTRATION = "00000002-0000-0000-c000-000000000000", "01cb2876-7ebd-4aa4-9cc9-d28bd4d359a9"
EXCHANGE = "00000002-0000-0ff1-ce00-000000000000"
HOME, AWAY, ELSEWHERE = ("192.0.2.10", "US"), ("203.0.113.66", "NL"), ("198.51.100.7", "NL")
LURE, LOGIN = "https://voicemail-a1b.contoso-account.workers.dev/v", "https://microsoft.com/devicelogin"
CODE: dict[str, Any] = {"AuthenticationProtocol": "deviceCode"}
TRANSFERRED: dict[str, Any] = {"OriginalTransferMethod": "deviceCodeFlow"}


class Story:
    """Rows as they come to mind; times are minutes before the end."""

    def __init__(self) -> None:
        self.tables: dict[str, list[dict[str, Any]]] = {}
        self._count = 0

    def add(self, table: str, minutes: float, **columns: Any) -> None:
        at = (NOW - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")
        self.tables.setdefault(table, []).append({"TimeGenerated": at, **columns})

    def sign_in(
        self, who: str, minutes: float, place: tuple[str, str], asked: tuple[str, str, str], **more: Any
    ) -> None:
        """A success in a browser, unless said otherwise; asked are app, resource and session."""
        browser = {"UserAgent": "Mozilla/5.0", "DeviceDetail": {}}
        self.add("SigninLogs", minutes, **self._columns(who, place, asked) | browser | more)

    def token(self, who: str, minutes: float, place: tuple[str, str], asked: tuple[str, str, str], **more: Any) -> None:
        """The same without a browser."""
        script = {"UserAgent": "python-requests/2.32", "DeviceDetail": "{}"}
        self.add("AADNonInteractiveUserSignInLogs", minutes, **self._columns(who, place, asked) | script | more)

    def device_code(self, who: str, minutes: float, asked: tuple[str, str, str], **more: Any) -> None:
        """Interrupt and approval at home, redemption away."""
        flow = {"CorrelationId": f"{who}-{asked[2]}"}
        self.sign_in(who, minutes + 0.5, HOME, asked, ResultType="50199", **flow, **CODE)
        self.sign_in(who, minutes, HOME, asked, **flow, **CODE, **more)
        self.token(who, minutes - 0.1, AWAY, asked, **flow, **TRANSFERRED)

    def _columns(self, who: str, place: tuple[str, str], asked: tuple[str, str, str]) -> dict[str, Any]:
        self._count += 1
        app, resource, session = asked
        return {
            "Id": f"row-{self._count}",
            "UserId": f"id-of-{who}",
            "UserPrincipalName": f"{who}@contoso.com",
            "UserType": "Member",
            "AppId": app,
            "ResourceIdentity": resource,
            "IPAddress": place[0],
            "Location": place[1],
            "AutonomousSystemNumber": "64500",
            "SessionId": f"{who}-{session}",
            "CorrelationId": f"{who}-{self._count}",
            "ResultType": "0",
        }

    def write(self, folder: Path, expect: dict[str, str], absent: tuple[str, ...] = ()) -> Path:
        folder.mkdir()
        users = [{"id": f"id-of-{who}", "userPrincipalName": f"{who}@contoso.com"} for who in expect]
        labels = {f"{who}@contoso.com": {"verdict": verdict, "why": "told so"} for who, verdict in expect.items()}
        head = {"title": folder.name, "now": f"{NOW:%Y-%m-%dT%H:%M:%SZ}", "expect": labels, "absent_tables": absent}
        (folder / "scenario.json").write_text(json.dumps(head))
        (folder / "directory.json").write_text(json.dumps({"users": users}))
        for table, rows in self.tables.items():
            if table not in absent:
                (folder / f"{table}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return folder


def attack(s: Story, who: str) -> None:
    """Everything at once: lure, Azure CLI and its tokens, broker and its device, both Graphs."""
    me = {"UserId": f"id-of-{who}"}
    s.add("EmailUrlInfo", 220, NetworkMessageId=f"mail-{who}", Url=LURE)
    s.add("EmailEvents", 220, NetworkMessageId=f"mail-{who}", RecipientObjectId=f"id-of-{who}")
    click = {"AccountUpn": f"{who}@Contoso.com", "ActionType": "ClickAllowed", "UrlChain": json.dumps([LURE, LOGIN])}
    s.add("UrlClickEvents", 203, Url=LURE, **click)
    s.device_code(who, 200, (CLI, AZURE, "cli"), RiskLevelDuringSignIn="high")
    for minutes, resource in ((199, AZURE), (195, GRAPH), (191, EXCHANGE)):
        s.token(who, minutes, AWAY, (CLI, resource, "cli"), **TRANSFERRED)
    s.add("MicrosoftGraphActivityLogs", 190, SessionId=f"{who}-cli", IPAddress=ELSEWHERE[0], **me)
    s.device_code(who, 150, (BROKER, EXCHANGE, "mail"), IsInteractive=True)
    s.device_code(who, 120, (BROKER, REGISTRATION, "device"))
    s.token(who, 119, AWAY, (BROKER, REGISTRATION, "device"), IncomingTokenType="refreshToken", **TRANSFERRED)
    made = {"InitiatedBy": {"user": {"id": f"id-of-{who}"}}, "TargetResources": [{"displayName": "DESKTOP-1A2B3C"}]}
    s.add("AuditLogs", 118, OperationName="Register device", Result="success", **made)
    s.token(who, 117.5, AWAY, (CLI, GRAPH, "device"), IncomingTokenType="primaryRefreshToken", **TRANSFERRED)
    s.device_code(who, 90, (CLI, AAD_GRAPH, "old"))
    s.add("AADGraphActivityLogs", 88, RequestUri="https://graph.windows.net/contoso.com/users?api-version=1.6", **me)


def ordinary_day(s: Story, who: str) -> None:
    """Laptop and mail, an ordinary link, both Graphs from the same desk."""
    me, desk = {"UserId": f"id-of-{who}"}, (CLI, GRAPH, "desk")
    s.add("EmailUrlInfo", 300, NetworkMessageId=f"news-{who}", Url="https://news.example.com/workers.dev")
    s.add("EmailEvents", 300, NetworkMessageId=f"news-{who}", RecipientObjectId=f"id-of-{who}")
    s.add("UrlClickEvents", 202, Url="https://news.example.com", UrlChain="[]", AccountUpn=f"{who}@contoso.com")
    s.sign_in(who, 201, HOME, desk, AuthenticationProtocol="oAuth2")
    s.token(who, 200, HOME, desk)
    s.add("MicrosoftGraphActivityLogs", 199, SessionId=f"{who}-desk", IPAddress=HOME[0], **me)
    s.add("AADGraphActivityLogs", 198, RequestUri="https://graph.windows.net/contoso.com/me", **me)


@pytest.fixture(scope="module", autouse=True)
def _no_settings() -> Iterator[None]:
    """The comparison brings its own; what the machine or another test has set must not count."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("RESPOND_")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="module")
def starts_a_lab() -> Any:
    """The bench runs the product, which starts a lab of its own; no code of the tests shows it."""
    return subprocess.Popen


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, starts_a_lab: Any) -> Seen:  # noqa: ARG001
    """One run of the detections over hand-made stories and the seed."""
    folder = tmp_path_factory.mktemp("stories")
    everything, bare = Story(), Story()
    attack(everything, "victim")
    ordinary_day(everything, "ordinary")
    for days in (0, 3, 6, 9, 12):
        everything.device_code("habitual", 240 + days * 24 * 60, (CLI, AZURE, f"day-{days}"))
    for who, address in (("mover", "192.0.2.77"), ("stayer", HOME[0])):
        everything.token(who, 400, HOME, (CLI, AZURE, "roam"))
        everything.sign_in(who, 390, (address, "US"), (CLI, AZURE, "roam"), **CODE)
    attack(bare, "victim")
    labels = {"victim": "malicious", "mover": "suspicious"}
    stories = [
        everything.write(folder / "everything", labels | dict.fromkeys(("ordinary", "habitual", "stayer"), "benign")),
        bare.write(folder / "bare", {"victim": "malicious"}, ("AADNonInteractiveUserSignInLogs", "UrlClickEvents")),
        scenario.find("seed-true-positive"),
    ]
    return asyncio.run(run(stories, compare_detections.every(), tmp_path_factory.mktemp("state"), product=False))


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory, starts_a_lab: Any) -> Seen:  # noqa: ARG001
    """One run of the product over everything that ships."""
    stories = [scenario.find(name) for name, _, _ in scenario.shipped()]
    return asyncio.run(run(stories, [], tmp_path_factory.mktemp("state")))


def alerted(seen: Seen, detection: str, story: str) -> set[str]:
    return {person.upn.split("@")[0] for person in seen.alerted[detection] if person.scenario == story}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_detection_names_whose_idea_it_is_and_how_it_was_read(path: Path) -> None:
    said = compare_detections.header(path.read_text(encoding="utf-8"))
    assert set(said) == set(compare_detections.KEYS)
    assert all(said.values())


def test_a_detection_without_a_source_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.kql").write_text("// Detection: mine\n// Rule: none\nSigninLogs\n")
    with pytest.raises(ValueError, match="lacks Project, Licence, Reading, Returns"):
        compare_detections.read(tmp_path / "mine.kql")


@pytest.mark.parametrize("name", NAMES)
def test_a_detection_fires_on_the_attack_and_not_on_an_ordinary_day(name: str, told: Seen) -> None:
    found = alerted(told, name, "everything")
    assert "victim" in found
    assert "ordinary" not in found


@pytest.mark.parametrize("name", sorted(ON_NEWCOMERS))
def test_a_detection_of_newcomers_leaves_a_habit_alone(name: str, told: Seen) -> None:
    assert "habitual" not in alerted(told, name, "everything")


def test_a_session_that_moves_within_a_country_is_seen_to_move(told: Seen) -> None:
    assert alerted(told, "ep3p_moving_session", "everything") == {"victim", "habitual", "mover"}


def test_every_detection_runs_on_the_seed_and_some_find_its_victim(told: Seen) -> None:
    assert all("seed-true-positive" not in stories for stories in told.not_run.values())
    found = {name for name in NAMES if alerted(told, name, "seed-true-positive")}
    assert found >= {"published_hunt", "np_hunt_041", "np_hunt_043", "elastic_first_time", "sigma_device_code"}


def test_a_detection_on_an_absent_table_alerts_on_nobody_and_is_counted(told: Seen) -> None:
    without = {"azure_sentinel_click_then_risk", "chronicle_click_then_code", "np_hunt_044", "np_hunt_045"}
    assert {name for name, stories in told.not_run.items() if stories} == without
    assert all(told.not_run[name] == {"bare"} and not alerted(told, name, "bare") for name in without)
    assert alerted(told, "elastic_first_time", "bare") == {"victim"}  # one of its two tables is enough


def test_a_guest_is_known_by_the_home_tenants_name() -> None:
    (names,) = labelled(scenario.read(scenario.find("guest"))).values()
    assert any(name.endswith("fabrikam.com") and "#ext#" not in name for name in names)


def people(**labels: str) -> dict[str, Person]:
    return {name: Person("made-up", f"{name}@contoso.com", VerdictKind(label)) for name, label in labels.items()}


def test_precision_leaves_the_suspicious_out_and_recall_counts_the_malicious() -> None:
    who = people(m1="malicious", m2="malicious", m3="malicious", s="suspicious", b="benign", n="no-activity")
    result = score(who.values(), {who[name] for name in ("m1", "m2", "s", "n")})
    assert (result.malicious, result.suspicious, result.quiet) == ((2, 3), (1, 1), (1, 2))
    assert result.precision == pytest.approx(2 / 3)
    assert result.recall == pytest.approx(2 / 3)
    assert result.f1 == pytest.approx(2 / 3)


def test_whoever_never_alerts_has_no_precision_and_no_recall() -> None:
    result = score(people(m="malicious", b="benign").values(), set())
    assert (result.precision, result.recall, result.f1) == (None, 0, 0)
    assert score([], set()).recall is None


def test_an_alert_on_somebody_without_a_label_is_not_counted() -> None:
    labelled_one = people(m="malicious")
    result = score(labelled_one.values(), {*labelled_one.values(), *people(stranger="benign").values()})
    assert (result.precision, result.recall) == (1, 1)


def test_the_table_has_our_rows_first_and_the_others_by_f1() -> None:
    who = people(m="malicious", b="benign", s="suspicious")
    table = markdown(
        list(who.values()),
        [Alerts("respond, contained", "", {who["m"]})],
        [Alerts("everybody", "A", who.values()), Alerts("right", "B", {who["m"]}), Alerts("none", "C", (), {"x"})],
    )
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:6]]
    assert rows == [
        ["**respond, contained**", "1.00", "1.00", "1 of 1", "0 of 1", "0 of 1"],
        ["B: right", "1.00", "1.00", "1 of 1", "0 of 1", "0 of 1"],
        ["A: everybody", "0.50", "1.00", "1 of 1", "1 of 1", "1 of 1"],
        ["C: none", "-", "0.00", "0 of 1", "0 of 1", "0 of 1"],
    ]
    assert "Not run, so no alert, in one scenario that lacks a table: C: none." in table


def test_the_table_is_kept_between_its_marks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{compare.BEGIN}\nold\n{compare.END}\nafter\n")
    assert compare.keep(readme, "| new |", write=False) == 1
    assert "another table" in capsys.readouterr().err
    assert compare.keep(readme, "| new |", write=True) == 0
    assert readme.read_text() == f"before\n{compare.BEGIN}\n\n| new |\n\n{compare.END}\nafter\n"
    assert compare.keep(readme, "| new |", write=False) == 0
    readme.write_text("no marks")
    assert compare.keep(readme, "| new |", write=True) == 1


@pytest.mark.soak
@pytest.mark.usefixtures("starts_processes")
def test_the_product_is_asked_about_each_person_of_one_story_after_the_other(tmp_path: Path) -> None:
    names = ("missing-table", "obrien", "mobile-confirm")
    seen = asyncio.run(run([scenario.find(name) for name in names], [], tmp_path))
    assert {person.scenario for person in seen.people} == set(names)
    assert seen.verdicts == {person: person.label for person in seen.people}


# The bars over all that ships. That each person gets the verdict of their label, and is contained or not as that
# says, is what `tests/playbooks/test_scenarios.py` shows: these three follow from it and look at the bench's own way.


@pytest.mark.soak
def test_no_malicious_person_is_cleared(judged: Seen) -> None:
    cleared = {VerdictKind.BENIGN, VerdictKind.NO_ACTIVITY, None}
    assert [
        person for person, kind in judged.verdicts.items() if person.label is VerdictKind.MALICIOUS and kind in cleared
    ] == []


@pytest.mark.soak
def test_no_benign_or_quiet_person_is_contained(judged: Seen) -> None:
    contained, *_ = compare.ours(judged)
    result = score(judged.people, contained.people)
    assert result.quiet[0] == 0
    assert result.precision == 1


@pytest.mark.soak
def test_nearly_every_malicious_person_is_contained(judged: Seen) -> None:
    contained, *_ = compare.ours(judged)
    recall = score(judged.people, contained.people).recall
    assert recall is not None
    assert recall >= 0.97


@pytest.mark.soak
def test_few_quiet_people_are_asked_about(judged: Seen) -> None:
    *_, contained_or_asked = compare.ours(judged)
    asked, there = score(judged.people, contained_or_asked.people).quiet
    assert asked * 10 <= there


@pytest.mark.soak
def test_what_nobody_can_decide_is_asked(judged: Seen) -> None:
    verdicts = [kind for person, kind in judged.verdicts.items() if person.label is VerdictKind.SUSPICIOUS]
    assert 5 * sum(kind is not VerdictKind.SUSPICIOUS for kind in verdicts) <= len(verdicts)
