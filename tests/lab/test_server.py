"""The process, its faults, its tokens and its own pages."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import jwt
import pytest
from azure.core.exceptions import HttpResponseError

from respond.errors import UsageError
from respond.lab.constants import TENANT_ID
from respond.lab.server import LabServer
from respond.settings import Settings
from tests.lab.running_lab import USER, RunningLab, token

# the SDK's generated modules warn about their own classes while they are imported
pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")

Start = Callable[..., RunningLab]
REVOKE = f"/v1.0/users/{USER}/revokeSignInSessions"

PROGRAM = """
import sys
from pathlib import Path
from respond.lab.server import run
from respond.settings import Settings
run(Settings(), data=Path(sys.argv[1]), state_dir=Path(sys.argv[2]), announce=True, until_stdin_closes=True)
"""


def test_an_answer_leaves_at_once_on_a_connection_that_is_kept(start: Start, seed: Path) -> None:
    """With Nagle's algorithm on, every answer but the first would wait 40 ms for the client's acknowledgement."""
    lab = start(seed)
    with httpx.Client(base_url=lab.url) as client:
        client.get("/_lab/health")
        (transport,) = lab.server._transports.values()
        assert transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("way", ["stdin", "SIGTERM"])
def test_the_process_announces_itself_and_ends_when_told(seed: Path, tmp_path: Path, way: str) -> None:
    command = [sys.executable, "-c", PROGRAM, str(seed), str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        said = json.loads(process.stdout.readline())
        assert set(said) == {"url", "loaded", "title"}
        assert httpx.get(f"{said['url']}/_lab/health").json()["status"] == "ok"
        if way == "stdin":
            process.stdin.close()
        else:
            process.send_signal(signal.SIGTERM)
        process.wait(10)
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("0.0.0.0", 0),  # noqa: S104 -- refused, which is the point
        ("192.0.2.1", 0),
        ("example.com", 0),
        ("127.0.0.1", 70_000),
    ],
)
def test_only_loopback_is_served(seed: Path, tmp_path: Path, host: str, port: int) -> None:
    with pytest.raises(UsageError):
        LabServer(Settings(), data=seed, state_dir=tmp_path, host=host, port=port)


def test_a_taken_port_is_a_usage_error(seed: Path, seed_lab: RunningLab, tmp_path: Path) -> None:
    port = int(seed_lab.url.rpartition(":")[2])
    with pytest.raises(UsageError, match="port"):
        LabServer(Settings(), data=seed, state_dir=tmp_path, port=port)


def revoked(lab: RunningLab) -> bool:
    user = lab.get(f"/v1.0/users/{USER}?$select=signInSessionsValidFromDateTime")
    return datetime.now(UTC) - datetime.fromisoformat(user["signInSessionsValidFromDateTime"]) < timedelta(minutes=1)


@pytest.mark.parametrize(("kind", "status", "happened"), [("drop_before", 444, False), ("drop_after", 200, True)])
def test_a_dropped_connection_gives_no_answer(start: Start, seed: Path, kind: str, status: int, happened: bool) -> None:
    lab = start(seed, faults=({"match": "post */REVOKEsigninsessions", "kind": kind},))
    with pytest.raises(httpx.TransportError):
        lab.request("POST", REVOKE)
    assert revoked(lab) is happened
    assert [write["status"] for write in lab.get("/_lab/writes")] == [status]
    assert lab.request("POST", REVOKE).status_code == 200


async def test_the_sdk_sees_a_dropped_connection_as_such(start: Start, seed: Path) -> None:
    lab = start(seed, faults=({"match": "POST */revokeSignInSessions", "kind": "drop_after"},))
    async with lab.graph() as graph:
        with pytest.raises(httpx.TransportError):
            await graph.users.by_user_id(USER).revoke_sign_in_sessions.post()
    assert revoked(lab)


def test_a_fault_strikes_as_often_as_it_says(start: Start, seed: Path) -> None:
    faults = (
        {"match": f"POST {REVOKE}", "status": 503, "retry_after": "7", "times": 2},
        {"match": "POST */revoke*", "status": 429, "retry_after": "+2s"},
    )
    lab = start(seed, faults=faults)
    answers = [lab.request("POST", REVOKE) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [503, 503, 429, 200]
    assert answers[0].headers["Retry-After"] == "7"
    wait = parsedate_to_datetime(answers[2].headers["Retry-After"]) - datetime.now(UTC)
    assert timedelta(seconds=1) < wait < timedelta(seconds=3.1)
    assert [write["status"] for write in lab.get("/_lab/writes")] == [503, 503, 429, 200]


async def test_a_fault_can_look_into_the_query(start: Start, seed: Path) -> None:
    faults = (
        {"match": "POST */query", "contains": "UrlClickEvents", "status": 500, "times": 0},
        {"match": "POST */query", "contains": "EmailEvents", "kind": "partial"},
    )
    lab = start(seed, faults=faults)
    for _ in range(2):
        with pytest.raises(HttpResponseError):
            await lab.query("UrlClickEvents | count")
    assert (await lab.query("EmailEvents | count")).status == "PartialError"
    assert (await lab.query("EmailEvents | count")).status == "Success"


async def test_latency_is_waited_for(start: Start, seed: Path) -> None:
    lab = start(seed, logs_latency="300ms", graph_latency="200ms")
    began = time.monotonic()
    lab.get(f"/v1.0/users/{USER}")
    assert time.monotonic() - began >= 0.2
    began = time.monotonic()
    await lab.query("print 1")
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize(
    ("tenant", "change", "code"),
    [
        (TENANT_ID, {"grant_type": "password"}, 70003),
        (TENANT_ID, {"client_secret": ""}, 7000216),
        (TENANT_ID, {"client_id": ""}, 900144),
        (TENANT_ID, {"scope": "https://graph.microsoft.com/User.Read"}, 1002012),
        (TENANT_ID, {"scope": "https://example.com/.default"}, 1002012),
        ("contoso.com", {}, 90002),
    ],
)
def test_the_token_endpoint_refuses_as_entra_does(
    seed_lab: RunningLab, tenant: str, change: dict[str, str], code: int
) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_id": "c",
        "client_secret": "s",
        "scope": "https://graph.microsoft.com/.default",
    }
    answer = httpx.post(f"{seed_lab.url}/{tenant}/oauth2/v2.0/token", data=form | change)
    assert answer.status_code in (400, 401)
    assert answer.json()["error_codes"] == [code]
    assert f"AADSTS{code}" in answer.json()["error_description"]


def test_a_token_says_who_may_do_what(start: Start, seed: Path) -> None:
    lab = start(seed, withheld_permissions=("User.RevokeSessions.All",))
    claims = jwt.decode(token(lab.url), options={"verify_signature": False})
    assert (claims["aud"], claims["tid"], claims["idtyp"]) == ("https://graph.microsoft.com", TENANT_ID, "app")
    assert claims["exp"] - claims["iat"] == 3600
    assert "User.Read.All" in claims["roles"]
    assert "User.RevokeSessions.All" not in claims["roles"]


def test_the_labs_own_pages(start: Start, seed: Path) -> None:
    lab = start(seed)
    lab.get(f"/v1.0/users/{USER}")
    asked = lab.get("/_lab/requests")
    assert ("GET", f"/v1.0/users/{USER}", 200) in [(entry["method"], entry["path"], entry["status"]) for entry in asked]
    assert lab.get("/_lab/directory")["users"][0]["id"] == USER
    assert lab.request("GET", "/_lab/nonsense").status_code == 404


async def test_a_story_loaded_by_another_process_is_followed(
    start: Start, seed: Path, story: Callable[..., Path], tmp_path: Path
) -> None:
    from respond.lab.state import LabState

    lab = start(seed)
    assert (await lab.query("SigninLogs | count")).tables[0].rows[0][0] == 64
    LabState(tmp_path / "state").load(story(SigninLogs=[{"Id": "only"}]))
    assert (await lab.query("SigninLogs | count")).tables[0].rows[0][0] == 1


@pytest.mark.parametrize("path", ["/", "/nonsense", "/v1/workspaces", "/%2e%2e/%00", "//", "/x/oauth2/v2.0/token"])
def test_other_paths_are_not_found(seed_lab: RunningLab, path: str) -> None:
    assert httpx.get(seed_lab.url + path).status_code == 404


def test_a_huge_body_is_refused(seed_lab: RunningLab) -> None:
    answer = httpx.post(f"{seed_lab.url}/{TENANT_ID}/oauth2/v2.0/token", content=b"x" * 5_000_000)
    assert answer.status_code == 413
