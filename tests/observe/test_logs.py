"""Log lines: one JSON object each, whatever is in them, and no secret or live link in any."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from respond.models.report import Outcome
from respond.observe import logs
from respond.observe.logs import Level, bound, log
from respond.observe.one_line import OneLine
from respond.observe.redact import LONGEST, clean
from tests.observe.conftest import Lines

JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiJhIn0.c2lnbmF0dXJlLWJ5dGVz"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def test_a_line_has_a_time_in_utc_with_milliseconds_a_level_an_event_and_its_fields(lines: Lines) -> None:
    log("run-done", outcome=Outcome.CONTAINED_VERIFIED, seconds=1.5, score=97, repeat=False, nobody=None)
    line = lines.last
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("ts"))
    assert line == {
        "level": "info",
        "event": "run-done",
        "outcome": "contained-verified",
        "seconds": 1.5,
        "score": 97,
        "repeat": False,
    }


@settings(deadline=None)
@given(event=st.text(), fields=st.dictionaries(st.text(max_size=20), VALUES, max_size=5))
@example(event="a\nb", fields={"ts": "2026", "event": "forged", "level": "none", "x": float("nan")})
@example(event="\ud800", fields={"\u2028": "\u2028\x85\x0b\x0c\x1c"})
def test_every_line_is_one_json_object_whatever_is_in_it(event: str, fields: dict[str, Any]) -> None:
    written = Lines()
    undo = logs.configure(written.stream)
    try:
        log(event, **{name: value for name, value in fields.items() if name != "level"})
    finally:
        undo()
    (line,) = written.all
    assert written.text.count("\n") == 1
    assert written.text.isascii()
    assert line["ts"].endswith("Z")
    assert line["level"] == "info"


def test_times_end_in_z_and_durations_are_seconds(lines: Lines) -> None:
    log("x", at=datetime(2026, 1, 15, 9, 24, 58, tzinfo=UTC), wait=timedelta(minutes=2))
    assert (lines.last["at"], lines.last["wait"]) == ("2026-01-15T09:24:58Z", 120.0)


def test_what_is_bound_is_on_every_line_inside_and_in_tasks_started_inside(lines: Lines) -> None:
    async def work(case: str) -> None:
        with bound(case=case, action=""):
            await asyncio.sleep(0)
            log("inside")

    async def main() -> None:
        with bound(run="r1"):
            await asyncio.gather(work("DC-A"), work("DC-B"))
        log("outside")

    asyncio.run(main())
    told = [{name: line.get(name) for name in ("run", "case", "action")} for line in lines.all]
    assert told[:2] == [{"run": "r1", "case": case, "action": None} for case in ("DC-A", "DC-B")]
    assert told[2] == {"run": None, "case": None, "action": None}


def test_below_the_level_nothing_is_written() -> None:
    written = Lines()
    undo = logs.configure(written.stream, Level.WARNING)
    log("quiet")
    log("loud", level=Level.ERROR)
    undo()
    log("after", level=Level.ERROR)
    assert [line["event"] for line in written.all] == ["loud"]


SECRETS = [
    f"Authorization: Bearer {JWT}",
    "Authorization: Bearer s3cr3t-opaque",
    "{'Authorization': 'Basic czNjcjN0LW9wYXF1ZQ=='}",
    '{"authorization": "Bearer s3cr3t-opaque"}',
    "Proxy-Authorization: SharedKey s3cr3t-opaque",
    f"token was {JWT}",
    f"cut off {JWT[:30]}",
    "https://blob.example.com/x?sv=2024&sig=s3cr3t-opaque%3D&se=2026",
    "https://logic.example.com/trigger?next=%2Fa%3Fsig%3Ds3cr3t-opaque",
    "grant_type=client_credentials&client_secret=s3cr3t-opaque&scope=x",
    "client_assertion=s3cr3t-opaque",
    "postgresql://respond:s3cr3t-opaque@db.example.com/respond",
    "postgresql://respond:s3cr3t@opaque@db.example.com/respond",
    "host=db password=s3cr3t-opaque user=respond",
    "host=db password='s3cr3t opaque' user=respond",
    '{"password": "s3cr3t-opaque"}',
    '{\\"refresh_token\\": \\"s3cr3t-opaque\\"}',
    "Endpoint=sb://x.example.com/;SharedAccessKey=s3cr3t-opaque=;EntityPath=y",
    "AccountKey=s3cr3t-opaque==",
    "Cookie: session=s3cr3t-opaque",
    "RESPOND_WEBHOOK__HMAC_SECRET=s3cr3t-opaque",
]
CLUES = ("s3cr3t", "opaque", "czNjcjN0", "eyJhbGciOi", "c2lnbmF0dXJl")


@pytest.mark.parametrize("text", SECRETS)
def test_no_secret_gets_out_be_it_in_a_value_a_list_a_name_or_another_librarys_message(lines: Lines, text: str) -> None:
    named: dict[str, Any] = {text: 1}
    log("x", value=text, many=[text], nested={"inner": text}, **named)
    log(text)
    logging.getLogger("azure.core").warning("failed: %s", text)
    assert "[redacted]" in lines.text
    assert not [clue for clue in CLUES if clue in lines.text]


@settings(deadline=None)
@given(padding=st.integers(0, 12_000))
def test_a_secret_that_lies_where_a_value_is_cut_does_not_get_out(padding: int) -> None:
    assert "s3cr3t" not in clean("." * padding + " postgresql://respond:s3cr3t@db.example.com/ sig=s3cr3t" + "." * 50)


def test_a_field_that_is_named_like_a_secret_is_never_shown(lines: Lines) -> None:
    log("x", client_secret="plain", access_token=b"plain", headers={"Authorization": "plain"}, signature="plain")
    assert "plain" not in lines.text


@pytest.mark.parametrize(
    "name",
    ["target.user@contoso.com", "o'brien@contoso.com", "t.user_adatum.com#EXT#@contoso.onmicrosoft.com", "a+b@x.co.uk"],
)
def test_nobodys_name_gets_out(lines: Lines, name: str) -> None:
    log("x", reason=f"waiting 0.1 s: revoke_sessions {name}: Graph answered 429")
    assert lines.last["reason"] == "waiting 0.1 s: revoke_sessions [user]: Graph answered 429"


def test_words_that_only_sound_like_secrets_stay(lines: Lines) -> None:
    text = "no token for Microsoft Graph: sign in; 503: design=new, the password was reset"
    log("x", reason=text)
    assert lines.last["reason"] == text


def test_links_are_defanged_and_control_characters_replaced(lines: Lines) -> None:
    log("x", link="see https://voicemail.evil.example/a?b=c", text="a\r\n\x1b[31mb\u202e")
    assert lines.last["link"] == "see hxxps://voicemail[.]evil[.]example/a?b=c"
    assert lines.last["text"] == "a???[31mb?"


def test_a_long_value_is_cut_and_a_long_list_too(lines: Lines) -> None:
    log("x", text="a" * 1_000_000, many=list(range(100_000)))
    assert lines.last["text"] == "a" * (LONGEST - 1) + "…"
    assert len(lines.last["many"]) == 100


@pytest.mark.parametrize(
    "piece", ["a_", "://", "@", "sig=", '"', "authorization:", "eyJaaaa.", "-token", "http://", "https://a"]
)
def test_no_text_takes_long_to_clean(piece: str) -> None:
    began = time.perf_counter()
    clean("://" + piece * (1_000_000 // len(piece)))
    assert time.perf_counter() - began < 1


def test_other_libraries_are_heard_from_warnings_on_in_the_same_form_without_a_traceback(lines: Lines) -> None:
    other = logging.getLogger("another.library")
    other.info("started")
    with bound(delivery="d1"):
        try:
            json.loads("{")
        except ValueError:
            other.exception("failed %s", "here")
    (told,) = lines.all
    assert (told["level"], told["event"], told["logger"]) == ("error", "library", "another.library")
    assert (told["message"], told["delivery"]) == ("failed here", "d1")
    assert told["error"].startswith("JSONDecodeError: ")
    assert re.match(r"decoder\.py:\d+ raw_decode < decoder\.py:\d+ decode < ", told["where"])


def test_a_message_that_its_library_got_wrong_is_still_a_line() -> None:
    wrong = logging.LogRecord("azure", logging.WARNING, "x.py", 1, "%d items", ("no number",), None)
    assert json.loads(OneLine().format(wrong))["message"] == "%d items"


def test_a_reader_that_went_away_stops_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    gone = io.StringIO()
    undo = logs.configure(gone)
    gone.close()
    log("x")
    undo()
    assert capsys.readouterr().err == ""
