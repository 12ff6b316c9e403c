"""Settings, state, webhook, tickets and notices: as they should be, and not; and the run of all checks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from respond.clients.connect import Clients
from respond.clients.guard import is_read
from respond.doctor.checks import CHECKS, look_at
from respond.doctor.patient import Check, Patient
from respond.errors import Transient
from respond.lab.constants import SECURITY_INSIGHTS
from respond.models.checkup import Health, ok
from respond.policies import load_policy
from respond.settings import Settings, shipped_config
from respond.store.database import freezes, open_database
from tests.helpers.command import respond
from tests.helpers.doctor_checks import policy, told
from tests.lab.running_lab import RunningLab

Start = Callable[..., RunningLab]
WORKSPACE = SECURITY_INSIGHTS.partition("/providers/Microsoft.SecurityInsights")[0]
SECRET = "a-shared-secret-of-more-than-thirty-two-signs"
TENANT = "f0a1c2d3-1111-4222-8333-944445555666"
CALLER = "5a5a5a5a-0000-4000-8000-0000000000cc"
AZURE = {"mode": "azure", "tenant_id": TENANT, "workspace_id": TENANT}


def test_a_configuration_that_holds_is_named(tenant: str) -> None:
    assert told("configuration", url=tenant) == [("configuration", "ok", "config: lab mode, public cloud -> ")]


def test_a_cloud_without_sentinel_is_warned_about() -> None:
    found = told("configuration", url=None, settings={"tenant": AZURE | {"cloud": "china"}})
    assert [status for _, status, _ in found] == ["ok", "warning", "warning"]
    assert "Sentinel retired in Azure China" in found[1][2]
    assert "Identity Protection and Defender advanced hunting do not exist" in found[2][2]


def test_a_client_secret_is_warned_about() -> None:
    secret = {"client_id": CALLER, "client_secret": SECRET}
    found = told("configuration", url=None, settings={"tenant": AZURE | secret})
    assert [line[:2] for line in found] == [("configuration", "ok"), ("secret", "warning")]
    assert SECRET not in str(found)


def test_limits_that_hold_are_ok(tenant: str) -> None:
    assert [line[1] for line in told("limits", url=tenant)] == ["ok"]


@pytest.mark.parametrize(
    ("rules", "settings", "words"),
    [
        ({"ladder__limits__per_run": 500}, {}, "per_run is above per_hour"),
        ({"ladder__limits__share": 0.9}, {}, "90% of all users"),
        ({"ladder__approval__on_timeout": "approve"}, {}, "nobody answers is a yes"),
        ({}, {"retry": {"request_timeout": "5m"}}, "longer than all tries"),
    ],
)
def test_a_limit_that_limits_nothing_is_warned_about(rules: Any, settings: Any, words: str, tenant: str) -> None:
    ((_, status, said),) = told("limits", url=tenant, rules=policy(**rules), settings=settings)
    assert status == "warning"
    assert words in said


def test_no_break_glass_account_is_warned_about(tenant: str) -> None:
    ((_, status, words),) = told("break-glass accounts", url=tenant)
    assert status == "warning"
    assert "accounts.break_glass in policy.toml" in words


def test_a_state_database_takes_a_write_and_keeps_nothing(
    tenant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'kept.db'}"
    monkeypatch.setenv("RESPOND_STATE__URL", url)
    ((_, status, words),) = told("state database", url=tenant)
    assert status == "ok"
    assert f"SQLite, {tmp_path / 'kept.db'} takes writes" in words
    database = open_database(url)
    with database.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(freezes)).scalar() == 0
    database.dispose()


def test_a_state_database_that_is_none_is_an_error(
    tenant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text.db").write_text("this is no database, whatever it is called; " * 50)
    for place in (
        f"sqlite:///{tmp_path}/text.db",
        f"sqlite:///{tmp_path}/text.db/in/it",
        "postgresql://x:hunter2@127.0.0.1:1/x",
    ):
        monkeypatch.setenv("RESPOND_STATE__URL", place)
        ((_, status, words),) = told("state database", url=tenant)
        assert status == "error"
        assert "set state.url" in words
        assert "hunter2" not in words


@pytest.mark.parametrize(
    ("webhook", "status", "words"),
    [
        ({"audience": f"api://{CALLER}", "callers": [CALLER]}, "ok", f"tokens for api://{CALLER} of 1 callers and"),
        ({"hmac_secret": SECRET}, "warning", "a shared secret only"),
        ({}, "error", "webhook.audience: nobody may deliver without authentication"),
        ({"audience": f"api://{CALLER}", "callers": ["a name"]}, "error", "webhook.callers: 'a name' is no object id"),
        ({"audience": "x", "app_role": ""}, "error", "webhook.callers: no identity may deliver"),
        ({"hmac_secret": "short"}, "error", "webhook.hmac_secret: "),
    ],
)
def test_who_may_deliver_is_said(webhook: Any, status: str, words: str) -> None:
    ((_, found, said),) = told("webhook", url=None, settings={"tenant": AZURE, "webhook": webhook})
    assert found == status
    assert words in said
    assert SECRET not in said


def test_the_lab_is_open_to_this_machine(tenant: str) -> None:
    assert told("webhook", url=tenant)[0][1] == "ok"
    assert told("signing keys", url=tenant)[0][1] == "skipped"


def test_the_keys_of_the_tenant_can_be_fetched(tenant: str) -> None:
    ((_, status, words),) = told("signing keys", url=tenant, settings={"webhook": {"audience": "api://x"}})
    assert status == "ok"
    assert "/discovery/v2.0/keys" in words


def test_keys_that_cannot_be_fetched_are_an_error(ill: Start) -> None:
    lab = ill(faults=({"match": "GET */keys", "status": 503, "times": 0},))
    ((_, status, words),) = told("signing keys", url=lab.url, settings={"webhook": {"audience": "api://x"}})
    assert status == "error"
    assert "tenant.authority" in words


class Desk:
    """A ticket system as the seam has it."""

    def __init__(self, trouble: Exception | None) -> None:
        self.trouble = trouble
        self.asked: list[str] = []

    async def find(self, key: str) -> None:
        self.asked.append(key)
        if self.trouble:
            raise self.trouble


JIRA = {"system": "jira", "jira": {"url": "https://x.example.com", "user": "x", "token": SECRET, "project": "SEC"}}


@pytest.mark.parametrize(
    ("trouble", "status", "words"),
    [
        (None, "ok", "jira answers"),
        (Transient("Jira answered 401"), "error", "jira: Jira answered 401 -> check tickets.jira"),
    ],
)
def test_a_ticket_system_is_asked_and_nothing_is_created(
    trouble: Exception | None, status: str, words: str, tenant: str
) -> None:
    desk = Desk(trouble)
    ((_, found, said),) = told("tickets", url=tenant, settings={"tickets": JIRA}, outside=desk)
    assert found == status
    assert words in said
    assert desk.asked == ["respond-doctor"]


def test_embedded_tickets_need_nobody(tenant: str) -> None:
    assert told("tickets", url=tenant)[0][1] == "ok"


def test_a_notice_is_told_about_and_not_sent(tenant: str) -> None:
    url = "https://hooks.example.com/services/T0/B0/secret-part"
    ((_, status, words),) = told("notices", url=tenant, settings={"notices": {"slack_url": url}})
    assert status == "ok"
    assert "Slack at hooks.example.com" in words
    assert "secret-part" not in words
    assert told("notices", url=tenant)[0][1] == "skipped"


def test_a_check_that_breaks_or_hangs_stops_no_other(tenant: str) -> None:
    async def breaks(_: Patient) -> Any:
        raise RuntimeError("of the test")

    async def refused(_: Patient) -> Any:
        raise Transient("of the tenant")

    async def hangs(_: Patient) -> Any:
        await asyncio.sleep(60)

    async def goes(_: Patient) -> Any:
        return [ok("goes", "as ever")]

    checks = [
        Check("a", "breaks", breaks),
        Check("a", "refused", refused),
        Check("b", "hangs", hangs, timedelta(milliseconds=50)),
        Check("b", "goes", goes),
    ]
    settings = Settings()
    clients = Clients(settings, read_only=True, lab_url=tenant, frozen=lambda: None)
    rules = load_policy(shipped_config())
    patient = Patient(settings=settings, policy=rules, config=Path(), clients=clients, lab_url=tenant)
    found = asyncio.run(look_at(patient, checks))
    assert [(line.group, line.name, line.status) for line in found.results] == [
        ("a", "breaks", Health.ERROR),
        ("a", "refused", Health.ERROR),
        ("b", "hangs", Health.ERROR),
        ("b", "goes", Health.OK),
    ]
    assert [line.found for line in found.results[:3]] == [
        "defect: RuntimeError: of the test", "of the tenant", "no answer within 50ms",
    ]  # fmt: skip
    assert found.code == 1


def test_a_lab_passes_and_nothing_is_changed(lab: Start) -> None:
    tenant = lab()
    answer = respond("doctor")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("respond doctor · LAB tenant\n")
    assert "0 errors, 2 warnings," in answer.out
    assert tenant.get("/_lab/writes") == []
    asked = {(entry["method"], entry["path"]) for entry in tenant.get("/_lab/requests")}
    sent = {(method, path) for method, path in asked if path.startswith(("/v1", "/subscriptions"))}
    assert sent
    assert all(is_read(method, path) for method, path in sent)


def test_a_line_is_not_wider_than_the_page(lab: Start) -> None:
    lab()
    assert max(map(len, respond("doctor").out.splitlines())) <= 110


def test_the_answer_as_json_has_every_check(lab: Start) -> None:
    lab()
    answer = respond("doctor", "--json")
    found = answer.json
    assert answer.code == 0
    assert (found["tenant"], found["mode"]) == ("lab", "lab")
    assert {line["group"] for line in found["results"]} == {check.group for check in CHECKS}
    assert {line["status"] for line in found["results"]} == {"ok", "warning", "skipped"}
    assert set(found["results"][0]) == {"group", "name", "status", "found", "todo"}


def test_what_is_wrong_is_said_and_exits_with_1(lab: Start) -> None:
    lab(withheld_permissions=("User.RevokeSessions.All",))
    answer = respond("doctor")
    assert answer.code == 1
    assert "missing; needed by revoke_sessions" in answer.out
    assert "Not ready: begin with the first error." in answer.out


def test_settings_that_cannot_be_read_are_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "respond.toml").write_text("[tenant]\nmood = 1\n")
    answer = respond("doctor", "--config", str(tmp_path))
    assert (answer.code, answer.out) == (2, "")
    assert "tenant.mood" in answer.err


def test_every_check_has_a_name_of_its_own() -> None:
    names = [check.name for check in CHECKS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("method", "path", "reads"),
    [
        ("GET", "/v1.0/subscribedSkus", True),
        ("GET", "/v1.0/identity/conditionalAccess/policies?$select=id", True),
        ("GET", f"{WORKSPACE}/tables/SigninLogs?api-version=2023-09-01", True),
        ("GET", "/v1.0/groups/g1", True),
        ("GET", "/v1.0/roleManagement/directory/roleDefinitions/r1", True),
        ("PATCH", "/v1.0/identity/conditionalAccess/policies/p1", False),
        ("POST", "/v1.0/identity/conditionalAccess/policies", False),
        ("GET", "/v1.0/identity/conditionalAccess/policies/p1", False),
        ("PUT", f"{WORKSPACE}/tables/SigninLogs", False),
        ("DELETE", f"{WORKSPACE}/tables/SigninLogs", False),
        ("GET", f"{WORKSPACE}/tables/SigninLogs/../../sharedKeys", False),
        ("GET", f"{WORKSPACE}/tables/a%2Fb", False),
        ("POST", f"{WORKSPACE}/sharedKeys", False),
    ],
)
def test_the_read_list_grew_by_what_doctor_asks_and_no_more(method: str, path: str, reads: bool) -> None:
    assert is_read(method, f"https://example.com{path}") == reads
