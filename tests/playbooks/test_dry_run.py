"""A dry run shows the plan, and nothing that writes can leave the process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from respond.clients.connect import Connections
from respond.clients.guard import check_leaving, is_read
from respond.errors import WriteRefused
from respond.settings import load_settings, shipped_config
from tests.helpers.answered_cases import Answered, Way
from tests.helpers.answered_cases import answered as _answered
from tests.helpers.command import VICTIM, respond
from tests.lab.running_lab import RunningLab

answered = _answered


def test_shows_the_plan_and_the_lab_receives_no_write(lab: Callable[..., RunningLab], tmp_path: Path) -> None:
    tenant = lab()
    before = tenant.get("/_lab/directory")
    answer = respond("--user", VICTIM, "--dry-run", "--json")
    assert (answer.code, answer.json["outcome"], answer.json["mode"]) == (3, "planned", "dry-run")
    revoke = answer.action("revoke_sessions")
    assert revoke["status"] == "planned"
    assert revoke["request"]["method"] == "POST"
    assert revoke["request"]["url"].endswith(f"/v1.0/users/{answer.json['user']['id']}/revokeSignInSessions")
    assert answer.action("open_ticket")["status"] == "planned"
    assert answer.json["ticket"] is None
    assert tenant.get("/_lab/writes") == []
    assert tenant.get("/_lab/directory") == before
    assert not list((tmp_path / "state").glob("tickets/*"))
    sent = [(request["method"], request["path"].rpartition("/")[2]) for request in tenant.get("/_lab/requests")]
    reads = {"token", "query", "microsoft.graph.security.runHuntingQuery"}
    assert {last for method, last in sent if method != "GET"} == reads


def test_a_live_run_after_a_dry_run_acts(answered: Answered) -> None:
    planned = answered(Way.PLANNED)
    live = respond("--user", VICTIM, "--json")
    assert planned.id == live.json["case"]
    assert live.json["outcome"] == "contained-verified"
    assert not live.json["repeat"]


async def test_the_transport_of_graph_lets_no_write_out(lab: Callable[..., RunningLab]) -> None:
    tenant = lab()
    clients = Connections(load_settings(shipped_config()), tenant.url).clients(read_only=True)
    account = await clients.graph.account(VICTIM)
    with pytest.raises(WriteRefused, match="revokeSignInSessions"):
        await clients.graph.holdings.send(clients.graph.holdings.revoke(account.id), about="user")
    await clients.close()
    assert not [request for request in tenant.get("/_lab/requests") if "revoke" in request["path"]]


async def test_the_transport_of_log_analytics_lets_nothing_but_queries_out(lab: Callable[..., RunningLab]) -> None:
    from azure.core.rest import HttpRequest

    tenant = lab()
    clients = Connections(load_settings(shipped_config()), tenant.url).clients(read_only=True)
    assert len(await clients.logs.query("SigninLogs | take 1")) == 1
    sdk = clients.logs._sdk
    with pytest.raises(WriteRefused):
        await sdk.send_request(HttpRequest("DELETE", f"{tenant.url}/v1/workspaces/x/query"), enforce_https=False)
    await clients.close()


@given(
    method=st.sampled_from(["POST", "PUT", "PATCH", "DELETE", "post", "MERGE"]),
    path=st.text(alphabet=st.sampled_from("abcU/.%2F$0-_()'"), max_size=60),
)
def test_no_writing_method_passes_but_for_reads_that_are_spelled_post(method: str, path: str) -> None:
    url = f"https://graph.microsoft.com/{path}"
    if is_read(method, url):
        decoded = httpx.URL(url).path
        assert method.upper() == "POST"
        assert decoded.lower().endswith(("/query", "runhuntingquery", "/entities", "/alerts"))


@pytest.mark.parametrize(
    "url",
    [
        "https://graph.microsoft.com/v1.0/users/x/revokeSignInSessions",
        "https://graph.microsoft.com/v1.0/$batch",
        "https://graph.microsoft.com/v1.0/users/x/revokeSignInSessions?/v1.0/security/runHuntingQuery",
        "https://graph.microsoft.com/v1.0/security/runHuntingQuery/../../users/x/revokeSignInSessions",
        "https://graph.microsoft.com/v1.0/users/x%2Fv1.0%2Fsecurity%2FrunHuntingQuery",
        "https://graph.microsoft.com/beta/security/runHuntingQuery",
        "https://api.loganalytics.io/v1/workspaces/a/../b/query",
    ],
)
def test_a_write_dressed_as_a_query_is_refused(url: str) -> None:
    with pytest.raises(WriteRefused):
        check_leaving("POST", url)
