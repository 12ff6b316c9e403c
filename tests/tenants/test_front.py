"""Two guarded tenants behind one front door: what is one's stays its own; senders are held to the same limits."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from respond.store.cases import Store
from respond.webhook.body import LARGEST
from tests.helpers import victims
from tests.helpers.command import respond
from tests.helpers.guarded_service import answer_of
from tests.helpers.patience import patiently
from tests.helpers.serving import until
from tests.helpers.tenants import (
    NAMES,
    SECRETS,
    Several,
    body,
    children_of,
    secret_variable,
    workspace_id,
    workspace_of_an_alert,
    workspace_resource_id,
)
from tests.webhook.test_gate import signed
from tests.webhook.test_payload import sample

pytestmark = pytest.mark.xdist_group(name="tenants-house")

ELSEWHERE = "cccccccc-0000-4000-8000-000000000002"


def test_each_delivery_is_contained_in_its_own_tenant_and_seen_in_no_other(house: Several) -> None:
    """Both have a victim of the same number, object id and name: nothing but the tenant tells them apart."""
    who = victims.user_id(0)
    before = {name: house.left(name).revoked[who] for name in NAMES}
    assert before == {"alpha": 0, "beta": 0}
    assert house.deliver(body("beta", 0), signed_by="beta").status_code == 202
    house.contains("beta", 0)
    assert {name: house.left(name).revoked[who] for name in NAMES} == {"alpha": 0, "beta": 1}
    found = {name: [report for report in house.left(name).reports if report.user.id == who] for name in NAMES}
    assert [len(found[name]) for name in NAMES] == [0, 1]
    with closing(Store(house.states["alpha"])) as alpha, closing(Store(house.states["beta"])) as beta:
        case = found["beta"][0].case
        assert list(beta.audit.entries(case=case))
        assert not list(alpha.audit.entries(case=case))
    listed = respond("cases", "--json", "--config", str(house.config)).json
    assert [one["tenant_name"] for one in listed if one["user"]["id"] == who] == ["beta"]
    page = respond("cases", "--config", str(house.config)).out
    assert any(case in line and "beta" in line for line in page.splitlines())
    assert "there is no case" in respond("show", case, "--tenant", "alpha", "--config", str(house.config)).err
    assert respond("show", case, "--tenant", "beta", "--config", str(house.config)).code == 0
    assert respond("show", case, "--config", str(house.config)).code == 0
    assert "none of alpha, beta has a case DC-NONE" in respond("show", "DC-NONE", "--config", str(house.config)).err


def test_a_frozen_tenant_writes_nothing_and_does_not_stop_the_other(house: Several) -> None:
    who, ended = victims.user_id(1), len(house.said_of("alpha", "run-done"))
    assert respond("freeze", "--tenant", "alpha", "--config", str(house.config)).code == 0
    try:
        for name in NAMES:
            assert house.deliver(body(name, 1), signed_by=name).status_code == 202
        house.contains("beta", 1)
        until(lambda: len(house.said_of("alpha", "run-done")) > ended, 40)
        assert {name: house.left(name).revoked[who] for name in NAMES} == {"alpha": 0, "beta": 1}
        frozen = [report for report in house.left("alpha").reports if report.user.id == who]
        assert [report.outcome for report in frozen] == ["awaiting-approval"]
    finally:
        assert respond("thaw", "--tenant", "alpha", "--config", str(house.config)).code == 0


def test_a_token_is_good_for_its_own_tenant_alone(house: Several) -> None:
    answers = [house.deliver(body(name, 5, status="Closed"), **house.bearer("alpha")) for name in NAMES]
    assert [answer.status_code for answer in answers] == [202, 403]
    unknown = house.deliver({**body("beta", 5), "workspaceId": ELSEWHERE}, **house.bearer("alpha"))
    assert (unknown.status_code, unknown.json()) == (403, answers[1].json())
    assert workspace_id("beta") not in answers[1].text
    assert not [line for line in house.said_of("beta", "delivery") if victims.incident_id(5) in str(line)]


def test_a_signature_is_good_for_its_own_tenant_alone(house: Several) -> None:
    answers = [house.deliver(body(name, 4, status="Closed"), signed_by="alpha") for name in NAMES]
    assert [answer.status_code for answer in answers] == [202, 401]
    assert house.deliver({**body("beta", 4), "workspaceId": ELSEWHERE}, signed_by="alpha").json() == answers[1].json()


@pytest.mark.parametrize(
    "said",
    [
        {"IncidentArmID": f"{workspace_resource_id('beta')}/providers/Microsoft.SecurityInsights/Incidents/one"},
        {"body": sample("alert") | workspace_of_an_alert("beta") | {"Status": "Closed"}},
        b"{}",
    ],
)
def test_other_shapes_find_their_tenant_as_well(said: Any, house: Several) -> None:
    taken = {name: len(house.said_of(name, "delivery")) for name in NAMES}
    assert house.deliver(said, signed_by="beta").status_code == 202
    until(lambda: len(house.said_of("beta", "delivery")) == taken["beta"] + 1, 10)
    assert len(house.said_of("alpha", "delivery")) == taken["alpha"]


def test_a_tenants_process_does_not_know_the_others_secret(house: Several) -> None:
    for name, other in (NAMES, NAMES[::-1]):
        environ = Path(f"/proc/{house.pid(name)}/environ").read_text()
        assert f"{secret_variable(name)}={SECRETS[name]}" in environ
        assert SECRETS[other] not in environ
        assert other.upper() not in environ


def test_a_tenants_process_answers_its_front_alone(house: Several) -> None:
    for name in NAMES:
        url = f"http://{house.said_of(name, 'listening')[-1]['address'][0]}"
        for headers in ({}, {"X-Respond-Front": "nonsense"}):
            for path in ("/healthz", "/metrics", "/webhooks/sentinel"):
                answer = httpx.post(url + path, headers=headers) if "web" in path else httpx.get(url + path)
                assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")


@pytest.mark.parametrize(
    ("said", "status", "headers"),
    [
        (b"x" * (LARGEST + 1), 413, {}),
        (b"{}", 415, {"Content-Type": "text/plain"}),
        (b"{}", 415, {"Content-Encoding": "br"}),
        (b"no json", 400, {}),
        (b'{"hello": "there"}', 422, {}),
    ],
)
def test_what_is_no_delivery_is_refused_as_a_single_service_does(
    said: bytes, status: int, headers: dict[str, str], house: Several
) -> None:
    answer = house.deliver(said, signed_by="beta", **headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


def test_headers_in_any_encoding_are_passed_on_as_they_came(house: Several) -> None:
    host, port = house.front.url.removeprefix("http://").split(":")
    said = b'{"hello": "there"}'
    lines = [
        b"POST /webhooks/sentinel HTTP/1.1",
        b"Host: x",
        b"Content-Type: application/json",
        b"X-Name: M\xfcnchen \xf0\x9f\x98\x80",
        b"X-Respond-Front: ours",
        b"Expect: 100-continue",
        b"Connection: close",
        b"Content-Length: %d" % len(said),
        *(f"{name}: {value}".encode() for name, value in signed(said, SECRETS["beta"]).items()),
    ]
    with socket.create_connection((host, int(port)), timeout=patiently(10)) as connection:
        connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + said)
        answer = answer_of(connection)
    assert b"HTTP/1.1 422 " in answer
    assert b"no incident, alert or entity" in answer


def test_one_who_shows_nothing_is_refused_before_the_body_is_read(house: Several) -> None:
    for headers in ({}, {"Authorization": "Bearer nonsense"}):
        answer = house.deliver(body("beta", 3), **headers)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
        assert "Bearer" in answer.headers["www-authenticate"]


def test_a_slow_sender_is_cut_off(house: Several) -> None:
    host, port = house.front.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=patiently(10)) as slow:
        slow.sendall(
            b"POST /webhooks/sentinel HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n"
            b"X-Respond-Signature: v1=0\r\n\r\n{"
        )
        assert slow.recv(100).startswith(b"HTTP/1.1 408 ")


def test_it_says_how_each_tenant_does(house: Several) -> None:
    assert house.front.get("/healthz").json() == {"status": "ok"}
    ready = house.front.get("/readyz")
    assert (ready.status_code, ready.json()) == (
        200,
        {"status": "ready", "tenants": dict.fromkeys(NAMES, "ready"), "modes": dict.fromkeys(NAMES, "auto")},
    )
    lines = house.front.get("/metrics").text.splitlines()
    for name in NAMES:
        assert f'respond_tenant_up{{tenant="{name}"}} 1.0' in lines
        assert [line for line in lines if line.startswith(f'respond_runs_in_progress{{tenant="{name}"}}')]
    assert house.front.get("/nothing").status_code == 404


def test_every_line_of_the_log_says_whose_it_is(house: Several) -> None:
    assert not [line for line in house.front.lines if line["event"] == "no-json"]
    own = {line["event"] for line in house.front.lines if "tenant" not in line}
    assert own <= {"listening", "delivery-refused", "request-refused"}
    text = json.dumps(house.front.lines)
    assert not [secret for secret in SECRETS.values() if secret in text]
    assert set(children_of(house.front.pid)) == {house.pid(name) for name in NAMES}
