"""Every source of evidence on a bad day: what cannot be known is a named gap, clears nobody and never ends the run."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from respond.lab import scenario
from respond.settings import LabFault, shipped_config
from tests.helpers.command import VICTIM, Answer, respond, revocations
from tests.lab.running_lab import USER, RunningLab, running

pytestmark = pytest.mark.xdist_group("sources")
Start = Callable[..., RunningLab]
Look = Callable[..., Answer]
QUERY = "POST */query"
APPROVALS, REDEMPTIONS = "SigninLogs", "AADNonInteractiveUserSignInLogs"

# Looked at in groups, so that each table of a query is missing beside the others; a group still leaves a verdict.
TABLES = (
    (
        "EmailEvents",
        "MessageEvents",
        "UrlClickEvents",
        "MicrosoftGraphActivityLogs",
        "AuditLogs",
        "ThreatIntelIndicators",
        "IdentityInfo",
    ),
    (
        "EmailUrlInfo",
        "EmailPostDeliveryEvents",
        "MessageUrlInfo",
        "AADGraphActivityLogs",
        "OfficeActivity",
        "CloudAppEvents",
        "ThreatIntelligenceIndicator",
        "AADRiskyUsers",
    ),
)
LOST_WITH = {
    "UrlClickEvents": "lure-clicked",
    "MicrosoftGraphActivityLogs": "token-reads",
    "ThreatIntelIndicators": "threat-intel-address",
}
"""Table -> the seed's finding that stands on it."""

QUESTIONS = {
    "SigninLogs (history)": "FirstManaged",
    "SigninLogs (tenant)": "make_set(UserId",
    "ThreatIntelIndicators": "ipv6_is_match",
    "ThreatIntelIndicators (lures)": "p_hosts",
    "UrlClickEvents": "UrlClickEvents",
    "EmailEvents": "EmailPostDeliveryEvents",
    "MessageEvents": "MessageUrlInfo",
    "MicrosoftGraphActivityLogs": "MicrosoftGraphActivityLogs",
    "AuditLogs": "AuditLogs",
    "OfficeActivity": "UpdateInboxRules",
    "IdentityInfo": "IdentityInfo",
}
"""Name of the source in a gap -> what only its query holds."""

REFUSED = (
    ("SigninLogs (history)", "EmailEvents", "OfficeActivity", "IdentityInfo"),
    ("SigninLogs (tenant)", "ThreatIntelIndicators", "MessageEvents", "MicrosoftGraphActivityLogs"),
    ("ThreatIntelIndicators (lures)", "UrlClickEvents", "AuditLogs"),
)
SLOW = (
    {
        "find_usual_places": {"SigninLogs (history)"},
        "find_footholds": {"AuditLogs", "OfficeActivity"},
        "match_lure_intel": {"ThreatIntelIndicators (lures)"},
    },
    {
        "find_address_use": {"SigninLogs (tenant)"},
        "match_threat_intel": {"ThreatIntelIndicators"},
        "find_token_use": {"MicrosoftGraphActivityLogs"},
    },
    {
        "find_lures": {"UrlClickEvents", "EmailEvents", "MessageEvents"},
        "know_standing": {"IdentityInfo", "riskyUsers", "directory roles"},
    },
)
"""Action -> the gaps that it leaves when nothing of it is there in time."""

GRAPH = {"transitiveMemberOf": "directory roles", "riskyUsers": "riskyUsers"}


def members(groups: Iterable[Iterable[str]]) -> list[Any]:
    """Each with its group, for a test of its own. One look is enough for a group; those after the first are soak."""
    return [
        pytest.param(one, tuple(group), id=one, marks=pytest.mark.soak if number else ())
        for number, group in enumerate(groups)
        for one in group
    ]


def dry(upn: str = VICTIM) -> Answer:
    return respond("--user", upn, "--dry-run", "--json")


def gaps(answer: Answer) -> dict[str, str]:
    """Why each source could not be had; two reasons for one are joined."""
    reasons: dict[str, list[str]] = {}
    for gap in answer.json["gaps"]:
        reasons.setdefault(gap["source"], []).append(gap["reason"])
    return {source: "; ".join(said) for source, said in reasons.items()}


def found(answer: Answer) -> dict[str, dict[str, Any]]:
    return {finding["id"]: finding for finding in answer.json["findings"]}


def total(answer: Answer) -> int:
    """The score before it is held between 0 and 100."""
    return sum(finding["weight"] for finding in answer.json["findings"])


def tables(finding: dict[str, Any]) -> set[str]:
    return {row["table"] for row in finding["evidence"]}


def refused(*sources: str, **more: Any) -> tuple[LabFault, ...]:
    fault = {"match": QUERY, "status": 403, "times": 0} | more
    return tuple(LabFault.model_validate(fault | {"contains": QUESTIONS[source]}) for source in sources)


@pytest.fixture(scope="module")
def look(tmp_path_factory: pytest.TempPathFactory) -> Look:
    """What the command says about the seed in a dry run, in a lab of these settings; looked at once."""
    folder = tmp_path_factory.mktemp("looks")

    @functools.cache
    def answer(
        absent: tuple[str, ...] = (),
        environment: tuple[tuple[str, str], ...] = (),
        name: str = "seed-true-positive",
        upn: str = VICTIM,
        **settings: Any,
    ) -> Answer:
        story = Path(shutil.copytree(scenario.find(name), tmp_path_factory.mktemp("look") / "story"))
        for table in absent:
            (story / f"{table}.jsonl").unlink(missing_ok=True)
        head = json.loads((story / "scenario.json").read_text())
        lacking = sorted({*head.get("absent_tables", ()), *absent})
        (story / "scenario.json").write_text(json.dumps(head | {"absent_tables": lacking}))
        with running(story, story.parent / "lab", **settings) as tenant, pytest.MonkeyPatch.context() as patch:
            patch.setenv("RESPOND_STATE__URL", f"sqlite:///{folder / 'respond.db'}")
            patch.setenv("RESPOND_LAB__URL", tenant.url)
            for variable, value in environment:
                patch.setenv(variable, value)
            return dry(upn)

    return answer


@pytest.fixture
def whole(look: Look) -> Answer:
    """With every source there."""
    answer = look()
    assert (answer.json["verdict"], answer.json["gaps"]) == ("malicious", [])
    return answer


def stands(answer: Answer, whole: Answer, lost: Iterable[str]) -> None:
    """The seed without some of its evidence: nothing is cleared, and nothing is made up.

    The verdict stays, or the gaps say that what is lost might have weighed as much: one kind alone contains nobody.
    """
    assert answer.code == 3, answer
    might = sum(gap["could_weigh"] for gap in answer.json["gaps"])
    asked = answer.json["verdict"] == "suspicious" and might >= total(whole) - total(answer)
    assert answer.json["verdict"] == "malicious" or asked, answer
    assert answer.json["outcome"] == "planned"
    assert gaps(answer).keys() == set(lost)
    assert total(answer) <= total(whole)
    assert all(finding["weight"] >= 0 for finding in answer.json["findings"])


# A table that is not connected.


@pytest.mark.parametrize(("table", "absent"), members(TABLES))
def test_a_table_that_is_not_connected_is_a_gap_and_the_verdict_stands(
    table: str, absent: tuple[str, ...], look: Look, whole: Answer
) -> None:
    answer = look(absent=absent)
    stands(answer, whole, absent)
    assert "no table" in gaps(answer)[table]
    assert not [finding for finding in answer.json["findings"] if table in tables(finding)]


@pytest.mark.parametrize(
    "absent",
    [
        pytest.param(absent, marks=pytest.mark.soak if number else (), id=", ".join(absent))
        for number, absent in enumerate(TABLES)
    ],
)
def test_what_the_other_tables_of_a_query_hold_still_counts(absent: tuple[str, ...], look: Look, whole: Answer) -> None:
    lost = {LOST_WITH[table] for table in absent if table in LOST_WITH}
    assert found(whole).keys() - found(look(absent=absent)).keys() == lost


@pytest.mark.soak
def test_without_the_redeeming_leg_the_approving_one_is_enough_for_the_verdict(look: Look) -> None:
    """The other way round: tests/playbooks/test_hard_cases.py."""
    answer = look(absent=(REDEMPTIONS,))
    assert (answer.code, answer.json["verdict"]) == (3, "malicious"), answer
    assert "no table" in gaps(answer)[REDEMPTIONS]
    assert {leg["leg"] for leg in answer.json["legs"]} == {"approving"}


TOLD = (
    "bastion",
    "consent-and-app",
    "dug-in",
    "guest",
    "jump-host",
    "quishing-zapped",
    "second-wave",
    "without-a-past",
)
PEOPLE = [
    pytest.param(name, upn, id=f"{name}-{upn.partition('@')[0]}", marks=pytest.mark.soak)
    for name, _, expected in scenario.shipped()
    if name in TOLD
    for upn in list(expected)[:1]
]
"""One of each story: between them they have all tables, and verdicts of every kind."""


@pytest.mark.usefixtures("starts_processes")
@pytest.mark.parametrize(("name", "upn"), PEOPLE)
def test_without_any_one_table_the_verdict_stays_or_the_gap_says_how_much_it_might_weigh(
    name: str, upn: str, look: Look
) -> None:
    whole = look(name=name, upn=upn)
    for table in sorted(path.stem for path in scenario.find(name).glob("*.jsonl")):
        part = look(absent=(table,), name=name, upn=upn)
        weighs = {gap["source"]: gap["could_weigh"] for gap in part.json["gaps"]}
        assert table in weighs, part
        if part.json["verdict"] != whole.json["verdict"]:
            lost = sum(
                one["weight"] for id_, one in found(whole).items() if one["weight"] > 0 and id_ not in found(part)
            )
            assert weighs[table] >= min(lost, 100) > 0 or total(part) >= total(whole), (table, part.json["findings"])
        assert not (whole.json["verdict"] == "malicious" and part.json["verdict"] == "benign"), table


# A source that refuses, answers in part, or is ill.


@pytest.mark.parametrize(("source", "group"), members(REFUSED))
def test_a_source_that_refuses_is_a_gap_and_the_verdict_stands(
    source: str, group: tuple[str, ...], look: Look, whole: Answer
) -> None:
    answer = look(faults=refused(*group))
    stands(answer, whole, group)
    assert "403" in gaps(answer)[source]


def test_answers_in_part_are_gaps_and_count_as_far_as_they_go(look: Look, whole: Answer) -> None:
    answer = look(faults=refused(*QUESTIONS, kind="partial"))
    stands(answer, whole, QUESTIONS)
    assert all("only part of the rows" in reason for reason in gaps(answer).values())
    assert found(answer).keys() == found(whole).keys()


@pytest.mark.soak
def test_with_every_source_ill_the_run_ends_with_a_verdict_all_the_same(look: Look, whole: Answer) -> None:
    ill = [LabFault(match=f"GET *{path}*", status=503, times=0) for path in GRAPH]
    impatient = (("RESPOND_RETRY__ATTEMPTS", "2"), ("RESPOND_RETRY__FIRST_WAIT", "10ms"))
    answer = look(faults=(*refused(*QUESTIONS, status=500), *ill), environment=impatient)
    # Without clicks and messages there is no lure to ask about.
    assert gaps(answer).keys() == {*QUESTIONS, *GRAPH.values()} - {"ThreatIntelIndicators (lures)"}
    assert (answer.code, answer.json["verdict"]) in ((3, "suspicious"), (3, "malicious"))
    assert found(answer).keys() <= found(whole).keys() | {"cannot-be-cleared", "held-back", "nothing-known"}


# A source that is too slow.


@pytest.mark.parametrize(("action", "group"), members(SLOW))
def test_a_source_that_is_slower_than_its_limit_is_a_gap_and_the_verdict_stands(
    action: str, group: tuple[str, ...], look: Look, whole: Answer
) -> None:
    limits = json.dumps(dict.fromkeys(group, "20ms"))
    answer = look(logs_latency="30ms", graph_latency="30ms", environment=(("RESPOND_EVIDENCE__LIMITS", limits),))
    lost = {name: sources for actions in SLOW for name, sources in actions.items()}
    stands(answer, whole, set().union(*(lost[name] for name in group)))
    assert all("no answer within" in gaps(answer)[source] for source in lost[action])


@pytest.mark.soak
def test_with_every_source_slow_the_limit_is_what_they_cost_together(look: Look) -> None:
    environment = (("RESPOND_EVIDENCE__LIMIT", "1s"), ("RESPOND_PACE__LOGS_AT_ONCE", "50"))
    answer = look(logs_latency="3s", concurrent_queries=50, environment=environment)
    assert (answer.code, answer.json["verdict"]) in ((3, "suspicious"), (3, "malicious"))
    late = {source for source, reason in gaps(answer).items() if reason.startswith("no answer within 1s")}
    assert late == QUESTIONS.keys() - {"ThreatIntelIndicators (lures)"}
    # Asked beside the hunt, which has no such limit, they are given up before it ends.
    assert answer.json["timings_ms"]["evidence"] - answer.json["timings_ms"]["hunt"] < 1000


# A workspace that saves: sign-in tables on the Basic plan.


@pytest.mark.parametrize(
    "basic",
    [
        pytest.param((REDEMPTIONS,), marks=pytest.mark.soak, id=REDEMPTIONS),
        pytest.param((APPROVALS, REDEMPTIONS), id=f"{APPROVALS}+{REDEMPTIONS}"),
    ],
)
def test_on_a_plan_without_joins_the_hunt_asks_more_plainly_and_says_so(basic: tuple[str, ...], look: Look) -> None:
    answer = look(basic_tables=basic)
    assert (answer.code, answer.json["verdict"]) in ((3, "suspicious"), (3, "malicious"))
    assert [leg["leg"] for leg in answer.json["legs"]] == ["approving", "redeeming", "redeeming"]
    for table in basic:
        plainer = {source for source, reason in gaps(answer).items() if "only a plainer query is taken" in reason}
        assert [source for source in plainer if source.startswith(table)]


# Microsoft Graph.


@pytest.mark.parametrize("source", GRAPH.values())
def test_graph_that_refuses_is_a_gap_and_the_verdict_stands(source: str, look: Look, whole: Answer) -> None:
    answer = look(faults=tuple(LabFault(match=f"GET *{path}*", status=403, times=0) for path in GRAPH))
    stands(answer, whole, GRAPH.values())
    assert "403" in gaps(answer)[source]


@pytest.mark.soak
def test_an_emergency_account_is_signed_out_by_nobody_without_a_persons_word(lab: Start, tmp_path: Path) -> None:
    tenant = lab()
    text = (shipped_config() / "policy.toml").read_text()
    (tmp_path / "policy.toml").write_text(text.replace("break_glass = []", f'break_glass = ["{USER.upper()}"]'))
    answer = respond("--user", VICTIM, "--json", "--config", str(tmp_path))
    assert (answer.code, answer.json["outcome"]) == (3, "awaiting-approval")
    assert answer.json["verdict"] == "malicious"
    revoke = answer.action("revoke_sessions")
    assert (revoke["status"], revoke["request"]["method"]) == ("awaiting-approval", "POST")
    assert "emergency account" in revoke["summary"]
    assert answer.action("open_ticket")["status"] == "done"
    assert revocations(tenant) == []


# What each source is good for, with the rows it stands on.


@pytest.mark.soak
def test_an_earlier_case_of_ours_speaks_against_the_next_one_unless_it_was_a_dry_run(lab: Start) -> None:
    lab("second-wave")
    lucie, marek = "lucie.hajkova@contoso.com", "marek.kral@contoso.com"
    respond("--user", marek, "--dry-run", "--json")
    first = respond("--user", lucie, "--json")
    assert "seen-in-earlier-case" not in found(first)
    finding = found(respond("--user", marek, "--json"))["seen-in-earlier-case"]
    assert first.json["case"] in finding["summary"]
    assert lucie in finding["summary"]
    assert [(row["table"], row["id"]) for row in finding["evidence"]] == [("respond", first.json["case"])]


@pytest.mark.soak
def test_an_indicator_on_a_parent_domain_speaks_against_the_lure_below_it(
    lab: Start, seed_variant: Callable[..., Path]
) -> None:
    def domain(rows: list[dict[str, Any]]) -> None:
        rows.append(
            rows[0]
            | {
                "Id": "indicator--parent",
                "ObservableKey": "domain-name:value",
                "ObservableValue": "Contoso-Account.workers.dev",
                "Data": {"name": "Phishing host"},
            }
        )

    lab(seed_variant(ThreatIntelIndicators=domain))
    finding = found(dry())["lure-on-threat-intel"]
    assert "contoso-account.workers[.]dev" in finding["summary"] or "contoso-account.workers.dev" in finding["summary"]
    assert [(row["table"], row["id"]) for row in finding["evidence"]] == [
        ("ThreatIntelIndicators", "indicator--parent")
    ]


@pytest.mark.soak
def test_a_link_in_teams_from_a_stranger_speaks_against_the_sign_in_though_nobody_is_known_to_have_followed_it(
    lab: Start, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(scenario.find("teams-external-link"), tmp_path / "teams"))
    (copy / "UrlClickEvents.jsonl").write_text("")
    lab(copy)
    finding = found(respond("--user", "agnieszka.wrona@contoso.com", "--dry-run", "--json"))["stranger-wrote"]
    assert "first Teams message from servicedesk@it-operations.example.com" in finding["summary"]
    assert [(row["table"], row["id"]) for row in finding["evidence"]] == [("MessageEvents", "1817826975147")]
