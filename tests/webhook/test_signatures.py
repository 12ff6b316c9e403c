"""Signed requests: who holds the secret, now, over this very body."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from respond.errors import UsageError
from respond.webhook.callers import How
from respond.webhook.problems import Unauthorized
from respond.webhook.signatures import SignatureCheck, sign
from tests.webhook.refusals import check_silence

SECRET = "correct-horse-battery-staple-0123456789"
NOW = 1_768_470_000
BODY = b'{"title": "a body"}'


def check(secret: str = SECRET, now: float = NOW) -> SignatureCheck:
    return SignatureCheck(SecretStr(secret), timedelta(minutes=5), clock=lambda: now)


def mac(message: bytes, secret: str = SECRET) -> str:
    """As a sender would make it, by the description alone."""
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def headers(body: bytes = BODY, at: Any = NOW, secret: str = SECRET) -> dict[str, str]:
    signature = mac(b"v1:" + str(at).encode() + b":" + body, secret)
    return {"x-respond-timestamp": str(at), "x-respond-signature": f"v1={signature}"}


def refusal(given: dict[str, str], body: bytes = BODY) -> Unauthorized:
    with pytest.raises(Unauthorized) as caught:
        check().check(given, body)
    check_silence(caught.value, SECRET, *given.values(), mac(b"v1:" + str(NOW).encode() + b":" + body))
    assert caught.value.headers["WWW-Authenticate"].startswith("Respond-Signature")
    return caught.value


@pytest.mark.parametrize("at", [NOW, NOW - 300, NOW + 300])
def test_the_holder_of_the_secret_is_admitted_within_the_window(at: int) -> None:
    assert check().check(headers(at=at), BODY).how is How.SIGNATURE


@pytest.mark.parametrize("at", [NOW - 301, NOW + 301, 0, 999_999_999_999])
def test_another_time_is_refused(at: int) -> None:
    assert "too far" in refusal(headers(at=at)).line


def test_the_same_request_again_is_taken_because_a_lost_answer_is_followed_by_one() -> None:
    one = check()
    assert one.check(headers(), BODY) == one.check(headers(), BODY)


@pytest.mark.parametrize(
    "at", ["", "now", "-1", "1.5", "1e9", " ", "1768470000000000", "١٧٦٨٤٧٠٠٠٠", "0x10", f"{NOW}\n{NOW}"]
)
def test_a_time_that_is_none_is_refused(at: str) -> None:
    assert "X-Respond-Timestamp" in refusal(headers(at=at)).line


@pytest.mark.parametrize(
    "signature",
    [
        "",
        mac(b"v1:" + str(NOW).encode() + b":" + BODY),
        "v2=" + mac(b"v1:" + str(NOW).encode() + b":" + BODY),
        "v1=",
        "v1=" + "g" * 64,
        "v1=" + "é" * 64,
        "v1=" + "0" * 63,
    ],
)
def test_a_signature_of_another_form_is_refused(signature: str) -> None:
    assert "X-Respond-Signature" in refusal(headers() | {"x-respond-signature": signature}).line


def test_another_secret_body_or_time_makes_another_signature() -> None:
    for wrong in (headers(secret=SECRET[:-1] + "x"), headers(body=BODY + b" "), headers(at=NOW - 1)):
        assert "not right" in refusal(wrong | {"x-respond-timestamp": str(NOW)}).line


def test_a_signature_is_compared_to_its_last_digit() -> None:
    right = headers()["x-respond-signature"]
    for place in (3, 34, 66):
        other = "0" if right[place] != "0" else "1"
        assert (
            "not right" in refusal(headers() | {"x-respond-signature": right[:place] + other + right[place + 1 :]}).line
        )


def test_the_bytes_between_time_and_body_cannot_be_moved() -> None:
    """`1:2` + `3` must not be `1` + `2:3`."""
    signed = headers(body=b"00:" + BODY, at=NOW // 100)
    refusal(signed | {"x-respond-timestamp": str(NOW)}, BODY)


def test_one_right_signature_of_several_is_enough_so_that_a_secret_can_be_changed() -> None:
    old, new = headers(secret="x" * 40)["x-respond-signature"], headers()["x-respond-signature"].upper()
    listed = f"v9=00, {old} ,{new.replace('V1', 'v1')}"
    assert check().check(headers() | {"x-respond-signature": listed}, BODY).how is How.SIGNATURE
    refusal(headers() | {"x-respond-signature": ",".join([old] * 100 + [new])})


@pytest.mark.parametrize("secret", ["", "hunter2", "x" * 31])
def test_a_short_secret_is_a_usage_error_that_names_the_key_and_not_the_secret(secret: str) -> None:
    with pytest.raises(UsageError, match=r"webhook\.hmac_secret") as caught:
        check(secret)
    assert not secret or secret not in caught.value.message
    assert "x" * 32 not in repr(check("x" * 32))


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(["x-respond-timestamp", "x-respond-signature"]), st.text() | st.just(str(NOW))),
    st.binary(),
)
def test_whatever_the_headers_hold_is_refused_in_the_same_way(given: dict[str, str], body: bytes) -> None:
    with pytest.raises(Unauthorized):
        check().check(given, body)


@settings(deadline=None)
@given(st.binary(), st.binary())
def test_a_signature_fits_one_body(one: bytes, other: bytes) -> None:
    secret = SecretStr(SECRET)
    assert (sign(secret, str(NOW), one) == sign(secret, str(NOW), other)) is (one == other)
