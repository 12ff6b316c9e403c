"""Whatever is sent to the running service is answered as DESIGN 7 says, told in one line, and soon forgotten."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from respond.lab.constants import TENANT_ID, WORKSPACE_ID
from respond.webhook.body import LARGEST
from respond.webhook.signatures import sign
from tests.helpers import deliveries
from tests.helpers.guarded_service import AUDIENCE, CALLER, PATIENCE, STRANGER, Guarded, answer_of, guarded
from tests.helpers.patience import patiently
from tests.webhook.test_gate import SECRET, signed
from tests.webhook.test_payload import SHAPES, sample

PATH = "/webhooks/sentinel"
HOUR = timedelta(hours=1)
AS_JSON = {"Content-Type": "application/json"}
ELSEWHERE = "5a5a5a5a-0000-4000-8000-000000000002"


pytestmark = pytest.mark.xdist_group(name="serving-bad-input")


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with guarded(tmp_path_factory.mktemp("guarded")) as running:
        yield running
        check_log(running)


def check_log(door: Guarded) -> None:
    """Nothing but JSON was logged, and no defect and no secret."""
    text = json.dumps(door.service.lines)
    assert {line["event"] for line in door.service.lines} & {"no-json", "defect", "library", "run-broke"} == set()
    assert not [part for part in ("Traceback", "eyJ", SECRET, AUDIENCE + "/", "nonsense") if part in text]
    assert door.service.code is None


def check(told: list[dict[str, Any]], status: int, *hidden: str) -> None:
    """One line about one refusal, and nothing in it that nobody else may know."""
    (line,) = told
    assert (line["status"], line["level"]) == (status, "warning"), line
    assert line["event"] in ("delivery-refused", "request-refused")
    text = json.dumps(line)
    assert "Traceback" not in text
    assert not [part for part in hidden if part in text]


def refused(
    door: Guarded, status: int, body: Any = b"{}", *, method: str = "POST", path: str = PATH, **headers: str
) -> Any:
    """Send, and look at the answer and at what was logged; gives the answer's headers and document."""
    since = len(door.service.lines)
    secret = headers.get("Authorization", "").partition(" ")[2]
    hidden = [part for part in (secret, *secret.split("."), SECRET) if len(part) > 7]
    answer = httpx.request(
        method, door.service.url + path, content=body, headers=AS_JSON | headers, timeout=patiently(30)
    )
    check_problem(answer.status_code, dict(answer.headers), answer.content, status)
    assert not [part for part in hidden if part in answer.text + str(answer.headers)]
    check(door.said_meanwhile(since), status, *hidden)
    return answer


def check_problem(found: int, headers: dict[str, str], body: bytes, status: int) -> None:
    document = json.loads(body)
    assert (found, document["status"]) == (status, status), document
    assert headers["content-type"] == "application/problem+json"
    assert document["title"]
    assert document["detail"]
    assert "server" not in headers


def split(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    """One answer from the wire."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *fields = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
    return int(first.split()[1]), headers, body


# who it is


def unsigned(door: Guarded) -> str:
    return _join({"alg": "none", "kid": _kid(door)}, door.claims(), b"")


def with_the_public_key(door: Guarded) -> str:
    """HS256 with what anybody can read as the secret: the old confusion of algorithms."""
    (key,) = door.lab.request("GET", f"/{TENANT_ID}/discovery/v2.0/keys").json()["keys"]
    pem = jwt.PyJWK(key, "RS256").key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    text = _join({"alg": "HS256", "kid": _kid(door)}, door.claims(), b"").rstrip(".")
    return f"{text}.{_text(hmac.new(pem, text.encode(), hashlib.sha256).digest())}"


def with_another_body(door: Guarded) -> str:
    head, _, signature = door.token().split(".")
    return f"{head}.{_text(json.dumps(door.claims(oid=CALLER, roles=['x'])).encode())}.{signature}"


def _kid(door: Guarded) -> str:
    return str(jwt.get_unverified_header(door.token())["kid"])


def _join(head: Any, claims: Any, signature: bytes) -> str:
    return ".".join((_text(json.dumps(head).encode()), _text(json.dumps(claims).encode()), _text(signature)))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


TOKENS: dict[str, tuple[int, Callable[[Guarded], str]]] = {
    "nonsense": (401, lambda _: "nonsense-nonsense"),
    "alg none": (401, unsigned),
    "HS256 with the public key": (401, with_the_public_key),
    "other claims": (401, with_another_body),
    "for another application": (401, lambda door: door.token(audience="api://contoso.com/other")),
    "for Graph": (401, lambda door: door.token(audience="https://graph.microsoft.com")),
    "of another tenant": (401, lambda door: door.signed_by_the_tenant(tid=ELSEWHERE)),
    "by another issuer": (401, lambda door: door.signed_by_the_tenant(iss=f"https://sts.windows.net/{ELSEWHERE}/")),
    "expired": (401, lambda door: door.signed_by_the_tenant(exp=-HOUR)),
    "not valid yet": (401, lambda door: door.signed_by_the_tenant(nbf=HOUR)),
    "of a person": (401, lambda door: door.signed_by_the_tenant(scp="user_impersonation")),
    "of one who may not": (403, lambda door: door.token(client=STRANGER)),
    "with another role": (403, lambda door: door.signed_by_the_tenant(oid=STRANGER, sub=STRANGER, roles=["Read"])),
}


@pytest.mark.parametrize("name", TOKENS)
def test_a_token_that_does_not_let_in_is_told_from_one_that_is_none(door: Guarded, name: str) -> None:
    status, make = TOKENS[name]
    answer = refused(door, status, Authorization=f"Bearer {make(door)}")
    assert ("www-authenticate" in answer.headers) is (status == 401)


@pytest.mark.parametrize("authorization", ["", "Basic dXNlcjpwYXNzd29yZA==", "Bearer", "Bearer é"])
def test_without_a_token_or_signature_nobody_is_let_in(door: Guarded, authorization: str) -> None:
    since = len(door.service.lines)
    headers = AS_JSON | ({"Authorization": authorization} if authorization else {})
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = httpx.post(door.service.url + PATH, content=b"{}", headers=encoded)
    check_problem(answer.status_code, dict(answer.headers), answer.content, 401)
    assert "Bearer" in answer.headers["www-authenticate"]
    check(door.said_meanwhile(since), 401, "dXNlcjpwYXNzd29yZA")


def at(seconds: int, body: bytes = b"{}", secret: str = SECRET) -> dict[str, str]:
    moment = str(int(time.time()) + seconds)
    return {"X-Respond-Timestamp": moment, "X-Respond-Signature": f"v1={sign(SecretStr(secret), moment, body)}"}


@pytest.mark.parametrize(
    "made",  # when the test runs, which may be long after it was collected
    [
        lambda: at(0, secret="y" * 40),
        lambda: at(0, body=b"{ }"),
        lambda: at(-400),
        lambda: at(400),
        lambda: {"X-Respond-Signature": at(0)["X-Respond-Signature"]},
        lambda: at(0) | {"X-Respond-Signature": "v1=0"},
    ],
    ids=["secret", "body", "replayed later", "future", "no time", "form"],
)
def test_a_signature_that_is_wrong_or_of_another_time_is_refused(
    door: Guarded, made: Callable[[], dict[str, str]]
) -> None:
    refused(door, 401, **made())


def test_a_signature_does_not_make_a_bad_token_good(door: Guarded) -> None:
    refused(door, 401, **at(0), Authorization="Bearer nonsense-nonsense")


# what it says


def nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


def bomb() -> bytes:
    press = zlib.compressobj(9, wbits=31)
    return b"".join([*(press.compress(bytes(2**20)) for _ in range(100)), press.flush()])


def endless() -> Iterator[bytes]:
    for _ in range(40):
        yield b" " * 65536


ZIPPED = {"Content-Encoding": "gzip"}
BODIES: dict[str, tuple[int, Any, dict[str, str]]] = {
    "over 2 MiB": (413, b" " * (LARGEST + 1), {}),
    "over 2 MiB in chunks": (413, endless, {}),
    "gzip bomb": (413, bomb, ZIPPED),
    "no gzip": (400, b"{}", ZIPPED),
    "half a gzip": (400, gzip.compress(b"{}")[:-4], ZIPPED),
    "another compression": (415, b"{}", {"Content-Encoding": "br"}),
    "nested": (400, nested(200), {}),
    "nested deeply": (400, nested(200_000), {}),
    "open lists": (400, b"[" * LARGEST, {}),
    "not UTF-8": (400, b'{"a": "\xff"}', {}),
    "UTF-16": (400, '{"a": 1}'.encode("utf-16"), {}),
    "NaN": (400, b'{"a": NaN}', {}),
    "cut off": (400, b'{"a": ', {}),
    "a long number": (400, b"1" * 100_000, {}),
    "not called JSON": (415, b"{}", {"Content-Type": "text/plain"}),
    "a form": (415, b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}),
    "a list": (422, b"[1]", {}),
    "a text": (422, b'"incident"', {}),
    "a number": (422, b"7", {}),
    "false": (422, b"false", {}),
    "nothing known": (422, b'{"hello": "world"}', {}),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_none_is_refused(door: Guarded, name: str) -> None:
    status, body, headers = BODIES[name]
    refused(door, status, body() if callable(body) else body, **{**headers, **door.bearer})


WRONG: dict[str, tuple[str, Any]] = {
    "/object/id": ("no resource id", 7),
    "/object/properties/relatedEntities": ("no list", {"kind": "Account"}),
}


@pytest.mark.parametrize("pointer", WRONG)
def test_a_wrong_type_is_pointed_at(door: Guarded, pointer: str) -> None:
    body = deliveries.body(0)
    *path, last = pointer.strip("/").split("/")
    inside: Any = body
    for name in path:
        inside = inside[name]
    inside[last] = WRONG[pointer][1]
    answer = refused(door, 422, json.dumps(body).encode(), **door.bearer)
    assert answer.json()["detail"].startswith(f"{pointer}: ")


def test_an_alert_without_an_id_is_pointed_at(door: Guarded) -> None:
    body = sample("alert") | {"SystemAlertId": ["b2"]}
    assert "/SystemAlertId: " in refused(door, 422, json.dumps(body).encode(), **door.bearer).json()["detail"]


def test_the_incident_of_another_workspace_is_not_answered_here(door: Guarded) -> None:
    body = deliveries.body(0) | {"workspaceId": ELSEWHERE}
    assert WORKSPACE_ID not in refused(door, 403, json.dumps(body).encode(), **door.bearer).text


# how it is sent


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", PATH, 405),
        ("PUT", PATH, 405),
        ("DELETE", PATH, 405),
        ("POST", "/healthz", 405),
        ("POST", "/metrics", 405),
        ("POST", "/", 404),
        ("POST", f"{PATH}/", 404),
        ("POST", f"{PATH}%2F..", 404),
        ("GET", "/docs", 404),
        ("GET", "/..%2f..%2fetc/passwd", 404),
        ("GET", "/%ff%00", 404),
    ],
)
def test_another_path_or_method_is_a_problem_as_well(door: Guarded, method: str, path: str, status: int) -> None:
    answer = refused(door, status, b"", method=method, path=path)
    assert ("allow" in answer.headers) is (status == 405)


def head(*fields: str, version: str = "1.1", method: str = "POST", path: str = PATH) -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: respond.example.com", "Content-Type: application/json", *fields]
    return "\r\n".join([*lines, "", ""]).encode()


def bearer(door: Guarded) -> str:
    return f"Authorization: {door.bearer['Authorization']}"


GARBAGE = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)),
    "no HTTP": b"HELO example.com\r\n\r\n",
    "a header without a name": b"POST /webhooks/sentinel HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n",
    "no host": b"POST /webhooks/sentinel HTTP/1.1\r\n\r\n",
    "two lengths": head("Content-Length: 2", "Content-Length: 3"),
    "a length that is none": head("Content-Length: -1"),
    "an endless header": b"POST / HTTP/1.1\r\nX: " + b"x" * 200_000,
    "an unknown coding": head("Transfer-Encoding: zip"),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_what_is_no_http_is_a_problem_as_well(door: Guarded, name: str) -> None:
    since = len(door.service.lines)
    check_problem(*split(door.raw(GARBAGE[name])), 400)
    check(door.said_meanwhile(since), 400)


@pytest.mark.parametrize(("method", "path"), [("POST", PATH), ("GET", "/healthz"), ("POST", "/nowhere")])
def test_a_body_that_is_broken_off_in_the_middle_is_one_line_at_most(door: Guarded, method: str, path: str) -> None:
    since = len(door.service.lines)
    broken = head("Transfer-Encoding: chunked", bearer(door), method=method, path=path) + b"zz\r\nnonsense"
    assert door.raw(broken).startswith(b"HTTP/1.1 400 ")
    told = door.said_meanwhile(since)
    assert [line["event"] for line in told] in ([], ["delivery-refused"], ["request-refused"]), told


def test_a_sender_that_goes_away_in_the_middle_is_one_line(door: Guarded) -> None:
    since = len(door.service.lines)
    with door.connected() as connection:
        connection.sendall(head("Content-Length: 100", bearer(door)) + b"{")
    time.sleep(0.2)
    check(door.said_meanwhile(since), 400)


def test_what_follows_a_request_does_not_spoil_its_answer(door: Guarded) -> None:
    since = len(door.service.lines)
    one = head("Content-Length: 1", bearer(door)) + b"7"
    answers = door.raw(one + one + b"\x00\x01garbage\r\n\r\n").split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"422", b"422", b"400"]
    assert [line["status"] for line in door.said_meanwhile(since)] == [422, 422, 400]


def test_http_1_0_is_answered(door: Guarded) -> None:
    since = len(door.service.lines)
    check_problem(*split(door.raw(head("Content-Length: 1", bearer(door), version="1.0") + b"7")), 422)
    check(door.said_meanwhile(since), 422)
    assert door.raw(b"GET /healthz HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_an_offer_to_speak_another_protocol_is_passed_over(door: Guarded) -> None:
    since = len(door.service.lines)
    offer = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: eA==", "Sec-WebSocket-Version: 13")
    with door.connected() as connection:
        connection.sendall(head(*offer, method="GET"))
        assert connection.recv(65536).startswith(b"HTTP/1.1 405 ")
    check(door.said_meanwhile(since), 405)


# how slowly


def soon(began: float) -> None:
    assert PATIENCE * 0.9 < time.monotonic() - began < patiently(PATIENCE + 4)


def test_a_slow_body_is_cut_off(door: Guarded) -> None:
    since, began = len(door.service.lines), time.monotonic()
    sent = (head("Content-Length: 100", bearer(door)), *[b" "] * 30)
    check_problem(*split(door.raw(*sent, pause=0.08)), 408)
    soon(began)
    check(door.said_meanwhile(since), 408)


def test_a_slow_head_is_cut_off(door: Guarded) -> None:
    since, began = len(door.service.lines), time.monotonic()
    slowly = (bytes([byte]) for byte in head("X: y" * 10))
    check_problem(*split(door.raw(*slowly, pause=0.02)), 408)
    soon(began)
    check(door.said_meanwhile(since), 408)


def test_a_slow_head_is_cut_off_behind_a_request_that_was_answered(door: Guarded) -> None:
    first = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    for sent in ((first + b"GE",), (first, b"GE", b"T")):
        since, began = len(door.service.lines), time.monotonic()
        answers = door.raw(*sent, pause=0.05).split(b"HTTP/1.1 ")[1:]
        assert [answer[:3] for answer in answers] == [b"200", b"408"]
        soon(began)
        check(door.said_meanwhile(since), 408)


def test_a_slow_body_that_nobody_reads_does_not_hold_the_connection(door: Guarded) -> None:
    since, began = len(door.service.lines), time.monotonic()
    with door.connected() as connection:
        connection.sendall(head("Content-Length: 1000000", path="/nowhere"))
        try:
            for _ in range(60):
                time.sleep(0.05)
                connection.sendall(b" ")
        except ConnectionError:
            pass
        assert answer_of(connection).startswith(b"HTTP/1.1 404 ") or time.monotonic() - began < patiently(PATIENCE + 3)
    assert time.monotonic() - began < patiently(PATIENCE + 3)
    check(door.said_meanwhile(since), 404)


def test_a_connection_that_says_nothing_is_closed_without_a_word(door: Guarded) -> None:
    since, began = len(door.service.lines), time.monotonic()
    assert door.raw() == b""
    soon(began)
    assert door.said_meanwhile(since) == []


def test_many_that_say_nothing_or_little_do_not_keep_others_out(door: Guarded) -> None:
    held = [door.connected() for _ in range(200)]
    try:
        for connection in held[::2]:
            connection.sendall(b"POST / HTTP/1.1\r\nHost:")
        began = time.monotonic()
        assert door.service.get("/healthz").status_code == 200
        assert time.monotonic() - began < patiently(2)
    finally:
        for connection in held:
            connection.close()


def test_a_sender_that_said_its_last_word_is_waited_for_no_longer(door: Guarded) -> None:
    began = time.monotonic()
    door.raw(head("Content-Length: 100", bearer(door)) + b"{", finish=True)
    door.raw(b"POST /web", finish=True)
    assert time.monotonic() - began < patiently(PATIENCE + 1)


# and what is left


@pytest.mark.parametrize(("first", "more"), [(4, 8), pytest.param(12, 40, marks=pytest.mark.soak)])
def test_many_of_them_leave_no_memory_behind(first: int, more: int, door: Guarded) -> None:
    token = door.bearer
    large = [bomb(), b"[" * LARGEST, b"[" + b"{}," * (LARGEST // 3 - 1) + b"{}]", b" " * (LARGEST + 1)]
    small = [nested(200), b"\xff", b"[1]", b'{"object": {"id": 7, "properties": {}}}']

    def hostile(client: httpx.Client, rounds: int) -> None:
        for number in range(rounds):
            for body in (*large[number % 4 : number % 4 + 1], *small):
                zipped = ZIPPED if body is large[0] else {}
                assert client.post(PATH, content=body, headers=AS_JSON | zipped | token).status_code >= 400
                client.post(PATH, content=body, headers=AS_JSON | {"Authorization": f"Bearer x.{number}.y"})
            door.raw(GARBAGE["an endless header"])

    with httpx.Client(base_url=door.service.url, timeout=patiently(30)) as client:
        hostile(client, first)
        before = figure(door, "process_resident_memory_bytes")
        hostile(client, more)
    assert figure(door, "process_resident_memory_bytes") - before < 30 * 2**20
    assert figure(door, "process_open_fds") < 100


def figure(door: Guarded, name: str) -> float:
    """What the service says of its own process."""
    found = (line.split() for line in door.service.get("/metrics").text.splitlines())
    return next(float(words[1]) for words in found if words[0] == name)


@pytest.fixture(scope="module")
def after_everything(door: Guarded) -> Guarded:
    """The service after one request of every bad kind in this file."""
    with httpx.Client(base_url=door.service.url, timeout=patiently(30)) as client:
        for _, make in TOKENS.values():
            headers = AS_JSON | {"Authorization": f"Bearer {make(door)}"}
            assert client.post(PATH, content=b"{}", headers=headers).is_error
        for _, body, more in BODIES.values():
            content = body() if callable(body) else body
            assert client.post(PATH, content=content, headers={**AS_JSON, **more, **door.bearer}).is_error
    for garbage in GARBAGE.values():
        assert door.raw(garbage).startswith(b"HTTP/1.1 400 ")
    assert door.raw(head("Content-Length: 100", bearer(door)) + b"{", finish=True) == b"", "the sender has gone away"
    return door


def test_after_every_kind_of_bad_request_a_good_delivery_is_still_answered(after_everything: Guarded) -> None:
    door = after_everything
    for name in SHAPES:
        body = json.dumps(sample(name)).encode()
        headers = door.bearer if name != "alert" else signed(body)
        answer = httpx.post(door.service.url + PATH, content=body, headers=AS_JSON | headers, timeout=patiently(30))
        assert answer.status_code == 202, answer.text
        assert set(answer.json()) == {"cases", "duplicate", "delivery"}
    done = door.service.wait_for("run-done")
    assert done["outcome"] == "contained-verified"


def test_the_same_signed_request_again_within_the_window_is_a_duplicate(door: Guarded) -> None:
    body = json.dumps(deliveries.body(7)).encode()
    once = signed(body)
    first, again = (
        httpx.post(door.service.url + PATH, content=body, headers=AS_JSON | once, timeout=patiently(30))
        for _ in range(2)
    )
    assert (first.status_code, first.json()["duplicate"]) == (202, False)
    assert (again.status_code, again.json()["duplicate"]) == (202, True)


def test_every_kind_of_bad_request_logs_only_json_and_no_defect_and_no_secret(after_everything: Guarded) -> None:
    assert len(after_everything.service.lines) > len(TOKENS) + len(BODIES) + len(GARBAGE)
    check_log(after_everything)
