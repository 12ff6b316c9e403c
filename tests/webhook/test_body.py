"""The body: how large, how slow, how compressed, and what stands in it."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from respond.settings import Settings, Webhook
from respond.webhook.body import LARGEST, check_headers, read_body, read_json
from respond.webhook.gate import Gate
from respond.webhook.json_text import DEEPEST, NotJson, parse
from respond.webhook.problems import MEDIA_TYPE, Problem
from tests.lab.running_lab import HTTP
from tests.webhook.serving import serving
from tests.webhook.test_gate import SECRET, signed

AS_JSON = {"content-type": "application/json"}
ZIPPED = {**AS_JSON, "content-encoding": "gzip"}


def status(headers: dict[str, str], body: bytes) -> int:
    """What a request would be answered with; 200 when it is read."""
    try:
        check_headers(headers | {"content-length": str(len(body))})
        read_json(headers, asyncio.run(read_body(Sender(body), within=timedelta(seconds=5))))
    except Problem as problem:
        return int(problem.status)
    return 200


class Sender:
    """An ASGI `receive`: one piece after another, with an optional wait before each."""

    def __init__(self, *pieces: bytes, wait: float = 0, gone: bool = False) -> None:
        self.pieces = list(pieces)
        self.taken = 0
        self._wait = wait
        self._gone = gone

    async def __call__(self) -> dict[str, Any]:
        await asyncio.sleep(self._wait)
        if self.taken == len(self.pieces):
            return {"type": "http.disconnect"}
        self.taken += 1
        more = self._gone or self.taken < len(self.pieces)
        return {"type": "http.request", "body": self.pieces[self.taken - 1], "more_body": more}


# how large and how slow


@settings(deadline=None)
@given(st.lists(st.binary(), min_size=1))
def test_a_body_is_what_its_pieces_are(pieces: list[bytes]) -> None:
    assert asyncio.run(read_body(Sender(*pieces), within=timedelta(seconds=5))) == b"".join(pieces)


async def test_two_mebibytes_are_read_and_one_byte_more_is_not() -> None:
    exact = Sender(b"x" * (LARGEST - 1), b"x")
    assert len(await read_body(exact, within=timedelta(seconds=5))) == LARGEST
    with pytest.raises(Problem, match="more than"):
        await read_body(Sender(b"x" * LARGEST, b"x"), within=timedelta(seconds=5))
    endless = Sender(*[b"x" * 65536] * 1000)
    with pytest.raises(Problem) as caught:
        await read_body(endless, within=timedelta(seconds=5))
    assert caught.value.status == 413
    assert endless.taken == LARGEST // 65536 + 1


@pytest.mark.parametrize("length", [str(LARGEST + 1), "9" * 5000, "00000000000000000000001"])
def test_a_body_that_is_too_large_by_its_own_word_is_refused_unread(length: str) -> None:
    with pytest.raises(Problem) as caught:
        check_headers(AS_JSON | {"content-length": length})
    assert caught.value.status == 413


@pytest.mark.parametrize("length", ["", "0", str(LARGEST), "-1", "many", "²"])
def test_a_length_that_says_nothing_leaves_it_to_the_reading(length: str) -> None:
    check_headers(AS_JSON | {"content-length": length})


async def test_a_slow_sender_is_cut_off_however_it_drips() -> None:
    for sender in (Sender(b"x", wait=5), Sender(*[b"x"] * 1000, wait=0.01)):
        began = time.monotonic()
        with pytest.raises(Problem) as caught:
            await read_body(sender, within=timedelta(milliseconds=100))
        assert (caught.value.status, caught.value.headers["Connection"]) == (408, "close")
        assert time.monotonic() - began < 1


async def test_a_sender_that_goes_away_leaves_no_body() -> None:
    with pytest.raises(Problem) as caught:
        await read_body(Sender(b'{"a":', gone=True), within=timedelta(seconds=5))
    assert caught.value.status == 400


# what it is called


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/json;odata.metadata=full",
        "application/problem+json",
        "application/vnd.contoso.incident-v1+json ; a=b",
    ],
)
def test_json_is_taken_by_all_its_names(kind: str) -> None:
    assert status({"content-type": kind}, b"{}") == 200


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "text/json", "application/jsonp", "application/x-www-form-urlencoded", "json", "application/+json"],
)
@pytest.mark.parametrize("body", [b"{}", b""])
def test_anything_else_is_415(kind: str, body: bytes) -> None:
    assert status({"content-type": kind}, body) == 415


def test_only_an_empty_body_needs_no_name() -> None:
    assert status({}, b"") == 200
    assert read_json({}, b"") is None
    assert read_json(ZIPPED, gzip.compress(b"")) is None
    assert status({}, b"{}") == 415


# how it is compressed


def test_gzip_is_read() -> None:
    value = {"title": "ä" * 1000}
    for name in ("gzip", "GZIP ", "x-gzip"):
        assert read_json(ZIPPED | {"content-encoding": name}, gzip.compress(json.dumps(value).encode())) == value
    assert read_json(AS_JSON | {"content-encoding": "identity"}, b"{}") == {}


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "identity, gzip", "*"])
def test_another_compression_is_415_and_the_answer_says_which_is_taken(encoding: str) -> None:
    with pytest.raises(Problem) as caught:
        check_headers(AS_JSON | {"content-encoding": encoding})
    assert (caught.value.status, caught.value.headers["Accept-Encoding"]) == (415, "gzip")


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        zlib.compress(b"{}"),
        gzip.compress(b"{}")[:-1],
        gzip.compress(b"{}")[:-8] + bytes(8),
        gzip.compress(b"{}") + b"x",
        gzip.compress(b"{}") * 2,
        gzip.compress(b"") * 50_000,
    ],
    ids=["plain", "zlib", "cut-off", "wrong-sum", "more-behind-it", "two", "many"],
)
def test_what_is_not_one_gzip_stream_is_400(body: bytes) -> None:
    began = time.monotonic()
    assert status(ZIPPED, body) == 400
    assert time.monotonic() - began < 2


def test_a_bomb_is_413_and_takes_no_memory() -> None:
    press = zlib.compressobj(9, wbits=31)
    bomb = b"".join([*(press.compress(bytes(2**20)) for _ in range(200)), press.flush()])
    assert len(bomb) < LARGEST
    tracemalloc.start()
    try:
        assert status(ZIPPED, bomb) == 413
        assert tracemalloc.get_traced_memory()[1] < 6 * LARGEST
    finally:
        tracemalloc.stop()
    assert status(ZIPPED, gzip.compress(b'"' + b"a" * (LARGEST - 2) + b'"')) == 200
    assert status(ZIPPED, gzip.compress(b'"' + b"a" * (LARGEST - 1) + b'"')) == 413


# what stands in it


@pytest.mark.parametrize(
    "text",
    [
        b"\xff\xfe{\x00}\x00",
        b'{"a": "\xc3("}',
        b'"\xed\xa0\x80"',
        b"{",
        b"{} {}",
        b"{'a': 1}",
        b"nothing",
        b" ",
        b"[NaN]",
        b"[Infinity]",
        b"[-Infinity]",
        b"[1e999]",
        b"[-1e999]",
        b"1" * 5000,
        b'{"a": \x00}',
        b'"\n"',
        b'["\\x"]',
        b"[1,]",
        b"/**/{}",
    ],
)
def test_what_is_not_json_is_400(text: bytes) -> None:
    assert status(AS_JSON, text) == 400


def test_what_is_not_json_is_not_repeated() -> None:
    with pytest.raises(Problem) as caught:
        read_json(AS_JSON, b'{"password": "hunter2", "a": hunter2}')
    assert caught.value.line == "400 Bad Request: the body is not JSON (line 1, column 30)"


def test_the_last_of_two_values_counts_and_a_byte_order_mark_does_not() -> None:
    assert parse(b'\xef\xbb\xbf{"a": 1, "a": 2}') == {"a": 2}


@pytest.mark.parametrize(("left", "right"), [("[", "]"), ('{"a":', "}")])
def test_nesting_is_taken_to_a_hundred_levels(left: str, right: str) -> None:
    def nested(levels: int) -> bytes:
        return (left * levels + "1" + right * levels).encode()

    assert parse(nested(DEEPEST))
    for levels in (DEEPEST + 1, 100_000):
        with pytest.raises(NotJson, match="nested"):
            parse(nested(levels))
    with pytest.raises(NotJson, match="nested"):
        parse((left * 300_000).encode())


@pytest.mark.parametrize("text", [r"[\"", r"[\\\"", r"[\\", r"]" * 200, r"\"[["])
def test_brackets_in_strings_are_no_nesting(text: str) -> None:
    padded = text.replace("[", "[" * 500)
    assert parse(json.dumps([padded, [padded]]).encode()) == [padded, [padded]]


def test_what_cannot_be_stored_is_replaced_and_not_refused() -> None:
    text = rb'{"a\u0000": ["\ud83d", "\ude00\ud83d", "\ud83d\ude00", "\\ud800", {"b": "\u0000x"}], "c": 1, "d": null}'
    value = parse(text)
    assert value == {
        "a\N{REPLACEMENT CHARACTER}": [
            "\N{REPLACEMENT CHARACTER}",
            "\N{REPLACEMENT CHARACTER}" * 2,
            "\N{GRINNING FACE}",
            "\\ud800",
            {"b": "\N{REPLACEMENT CHARACTER}x"},
        ],
        "c": 1,
        "d": None,
    }


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(deadline=None)
@given(VALUES)
def test_json_is_read_as_it_was_meant(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False).replace("\0", "")
    if "\\u0000" not in text:
        assert parse(text.encode()) == value


@settings(deadline=None)
@given(
    st.binary()
    | VALUES.map(lambda value: json.dumps(value).encode())
    | st.text(alphabet='[]{}":,\\u0dDe89E1.-+ ntf').map(str.encode)
)
def test_whatever_is_read_can_be_written(text: bytes) -> None:
    try:
        value = parse(text)
    except NotJson:
        return
    written = json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    assert b"\0" not in written
    assert json.loads(written) == value


N = LARGEST
HOSTILE = {
    "open lists": b"[" * N,
    "open objects": b'{"a":' * (N // 5),
    "closed lists": b"]" * N,
    "pairs": b"[" + b"[]," * (N // 3 - 1) + b"[]]",
    "objects": b"[" + b"{}," * (N // 3 - 1) + b"{}]",
    "quotes": b'"' * N,
    "escaped quotes": b'"' + b'\\"' * (N // 2 - 1),
    "escapes outside": b'\\"' * (N // 2),
    "keys": b"{" + b",".join(b'"%d":0' % number for number in range(N // 12)) + b"}",
    "digits": b"1" * N,
    "long integers": b"[" + (b"1" * 4299 + b",") * (N // 4300 - 1) + b"0]",
    "long fraction": b"0." + b"1" * (N - 2),
    "exponent": b"1e" + b"9" * (N - 2),
    "tiny": b"[" + b"1e-400," * (N // 7 - 1) + b"0]",
    "halves": b"[" + b'"\\ud800",' * (N // 9 - 1) + b"0]",
    "blanks": b" " * N,
}


COSTLY = {"closed lists", "objects", "keys", "halves", "long integers", "quotes"}
"""Takes as long to make as to read, and the same way as one of the others."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.soak if name in COSTLY else ()) for name in HOSTILE]
)
def test_a_hostile_body_takes_neither_long_nor_much_memory(name: str) -> None:
    began = time.process_time()
    status(AS_JSON, HOSTILE[name])
    assert time.process_time() - began < 3
    tracemalloc.start()
    try:
        status(AS_JSON, HOSTILE[name])
        assert tracemalloc.get_traced_memory()[1] < 64 * LARGEST
        assert tracemalloc.get_traced_memory()[0] < LARGEST
    finally:
        tracemalloc.stop()


# over the wire


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    gate = Gate.of(Settings(webhook=Webhook(hmac_secret=SecretStr(SECRET))), host="127.0.0.1")
    with serving(gate, within=timedelta(seconds=1)) as url:
        yield url


def test_a_signed_request_is_taken_as_it_was_sent(address: str, caplog: pytest.LogCaptureFixture) -> None:
    body = gzip.compress(b'{"a": 1}')
    answer = HTTP.post(address, content=body, headers=ZIPPED | signed(body))
    assert answer.json() == {"caller": "shared-secret", "body": {"a": 1}}
    assert HTTP.post(address, headers=signed(b"")).json()["body"] is None

    answer = HTTP.post(address, content=body, headers=ZIPPED | signed(body, secret="y" * 40))
    assert (answer.status_code, answer.headers["content-type"]) == (401, MEDIA_TYPE)
    assert answer.json()["status"] == 401
    assert caplog.text.count("401 Unauthorized") == 1
    assert SECRET not in caplog.text + answer.text


def test_a_large_body_gets_its_answer(address: str) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(100):
            yield bytes(65536)

    for content in (b"x" * (LARGEST + 1), pieces()):
        assert HTTP.post(address, content=content, headers=AS_JSON | signed(b"")).status_code == 413
    assert HTTP.post(address, content=pieces(), headers=AS_JSON).status_code == 401


def connected(address: str) -> socket.socket:
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=5)


def head(length: int, **headers: str) -> bytes:
    lines = ["POST / HTTP/1.1", "Host: x", f"Content-Length: {length}", "Content-Type: application/json"]
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode()


def answer_of(connection: socket.socket) -> bytes:
    answer = b""
    while piece := connection.recv(4096):
        answer += piece
    return answer


def test_a_sender_that_is_refused_at_once_can_finish_and_sees_the_answer(address: str) -> None:
    with connected(address) as connection:
        connection.sendall(head(5 * LARGEST, Connection="close"))
        time.sleep(0.1)
        connection.sendall(bytes(5 * LARGEST))
        assert answer_of(connection).startswith(b"HTTP/1.1 401 ")


def test_a_sender_that_stops_in_the_middle_is_answered_and_cut_off(address: str) -> None:
    with connected(address) as connection:
        connection.sendall(head(100, **signed(b"")) + b"{")
        began = time.monotonic()
        assert answer_of(connection).startswith(b"HTTP/1.1 408 ")
    assert 0.9 < time.monotonic() - began < 4
