"""Text at the edges: attackers' text shown, people's text read, and what the exit code says."""

from __future__ import annotations

import html
import itertools
import re
import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from respond.defang import as_comment, defang
from respond.durations import format_duration, parse_duration
from respond.errors import UsageError
from respond.models.case import Mode
from respond.models.outcomes import exit_code, outcome_of
from respond.models.report import ActionStatus, Change, Outcome, Person, Report, Span, Verdict, VerdictKind
from respond.who import parse_who
from tests.helpers.command import respond

# Unicode's own list of marks that turn the direction of text: https://www.unicode.org/reports/tr9/
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
PIECES = ["http://", "https://", "HTTPS://", "evil.example", "/", "?u=", ".", "@", " ", '"', "<", "x"]
TEXT = st.lists(
    st.sampled_from([*PIECES, *BIDI, "\x1b", "\x07", "\x9b", "\u2028", "\n", "\t"]) | st.text(max_size=3), max_size=10
).map("".join)
MARKUP = st.lists(
    st.sampled_from(["<script>", "<br>", "&lt;", "*x*", "[a](http://b.example)", "`", "www.evil.example", "\n", "é"])
    | st.text(max_size=4),
    max_size=20,
).map("".join)


@given(text=MARKUP)
@example("[click](javascript:alert) ![x](https://evil.example/p.png) <img src=x>")
def test_a_comment_shows_its_text_as_it_was_written_and_nothing_in_it_is_markup(text: str) -> None:
    comment = as_comment(text, most=100_000, cut="")
    lines = comment.split("<br>\n") if text.splitlines() else []
    assert [html.unescape(line) for line in lines] == [defang(line) for line in text.splitlines()]
    for line in lines:
        bare = re.sub(r"&#\d+;", "?", line)
        assert not set("<>\"'`*_[]()#|~\\!&") & set(bare)
        assert not re.search(r"www\.|[a-z]:\S", bare, re.IGNORECASE)


@given(text=MARKUP, most=st.integers(20, 120))
def test_a_long_comment_is_cut_between_two_characters_and_says_so(text: str, most: int) -> None:
    whole, cut = as_comment(text, most=100_000, cut=""), as_comment(text, most=most, cut="(cut)")
    assert len(cut) <= most
    if len(whole) > most:
        kept = cut.removesuffix("<br>\n&#40;cut&#41;")
        assert kept != cut
        assert whole.startswith(kept)
        assert html.unescape(whole).startswith(html.unescape(kept))
    else:
        assert cut == whole


@given(text=TEXT)
@example("xhttps://evil.example/a")
@example("https://good.example/?u=https://evil.example/x")
@example("http://ahttp://evil.example")
@example("https://\u202eevil.example")
def test_no_link_can_be_followed_after_defanging(text: str) -> None:
    assert not re.search(r"https?://[^\s<>\"']", defang(text), re.IGNORECASE)


@given(text=TEXT)
@example("https://good.example/?u=https://evil.example/x")
def test_defanging_twice_changes_nothing(text: str) -> None:
    assert defang(defang(text)) == defang(text)


@given(text=TEXT)
@example(BIDI)
def test_no_control_character_and_no_direction_mark_is_shown(text: str) -> None:
    shown = defang(text)
    assert not [char for char in shown if char in BIDI or (unicodedata.category(char) == "Cc" and char not in "\t\n")]


@given(text=st.text(st.characters(categories=["L", "N", "Zs"], include_characters=".,:;/?@-_"), max_size=40))
def test_text_without_a_link_is_shown_as_it_is(text: str) -> None:
    assert defang(text) == text or "://" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://evil.example/a.b?c=d.e", "hxxps://evil[.]example/a.b?c=d.e"),
        ("HTTP://Evil.Example", "hxxp://Evil[.]Example"),
        ("see https://a.example/x and http://b.example", "see hxxps://a[.]example/x and hxxp://b[.]example"),
        ("https://user@evil.example:8443/", "hxxps://user@evil[.]example:8443/"),
        ("\x1b]8;;https://evil.example\x07click\x1b]8;;\x07", "?]8;;hxxps://evil[.]example?click?]8;;?"),
        ("192.0.2.1 (NL, AS64500)", "192.0.2.1 (NL, AS64500)"),
    ],
)
def test_a_defanged_link_can_still_be_read(text: str, shown: str) -> None:
    assert defang(text) == shown


@pytest.mark.parametrize(
    "who",
    [
        "target.user@contoso.com",
        "o'brien@contoso.com",
        "a_b.com#EXT#@c.onmicrosoft.com",
        "svc-$backup{1}@contoso.com",
        "x@y",
    ],
)
def test_a_user_principal_name_is_taken_as_it_is(who: str) -> None:
    assert parse_who(who) == who
    assert parse_who(f"  {who} ") == who


def test_an_object_id_is_taken_in_any_case() -> None:
    assert parse_who("7D1F0A52-6D0E-4C1C-9B54-0F5A1C0E7A11") == "7d1f0a52-6d0e-4c1c-9b54-0f5a1c0e7a11"


REFUSED = [
    "",
    " ",
    "x' or 1==1 | union *",
    "x' or 1==1 | union *@contoso.com",
    "user@contoso.com\n",
    "user@contoso.com\n| union *",
    "user@contoso.com\r",
    "user@contoso.com\x00",
    "us\u2028er@contoso.com",
    "user\u202e@contoso.com",
    "us\xa0er@contoso.com",
    "a@b@contoso.com",
    "@contoso.com",
    "user@",
    "user",
    "user/x@contoso.com",
    "user?x@contoso.com",
    "user%2F@contoso.com",
    'user"@contoso.com',
    "user\\@contoso.com",
    "user@contoso.com/revokeSignInSessions",
    "user@-contoso.com",
    "\u0443ser@contoso.com",
    "7d1f0a52-6d0e-4c1c-9b54-0f5a1c0e7a1",
    "7d1f0a526d0e4c1c9b540f5a1c0e7a11",
    "a" * 10_000,
    "a" * 10_000 + "@contoso.com",
]


@pytest.mark.parametrize("who", REFUSED)
def test_what_is_no_user_is_refused_in_one_short_printable_line(who: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_who(who)
    message = caught.value.message
    assert message.startswith("--user: ")
    assert message.isprintable()
    assert len(message) < 400


def taken(who: str) -> str | UsageError:
    try:
        return parse_who(who)
    except UsageError as error:
        return error


@given(who=st.text(max_size=60) | st.from_regex(r"[\w.]+@[\w.]+"))
def test_whatever_is_taken_is_short_plain_and_has_one_at(who: str) -> None:
    answer = taken(who)
    if isinstance(answer, UsageError):
        assert answer.message.isprintable()
    else:
        assert answer.isascii()
        assert answer.isprintable()
        assert answer.count("@") <= 1
        assert not set(answer) & set(' /?"\\%|;()`')
        assert len(answer) < 400


def test_the_command_line_refuses_it_before_anything_is_started() -> None:
    answer = respond("--user", "x' or 1==1 | union *")
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)


@given(
    number=st.integers(0, 999_999_999),
    unit=st.sampled_from([("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)]),
)
def test_a_duration_is_read_back_as_it_was_written(number: int, unit: tuple[str, int]) -> None:
    name, milliseconds = unit
    assume(number * milliseconds <= 365 * 86_400_000)
    length = parse_duration(f"{number}{name}")
    assert length == timedelta(milliseconds=number * milliseconds)
    assert parse_duration(format_duration(length)) == length


@pytest.mark.parametrize("text", ["", "90", "m", "-5m", "1.5h", "5 m", "1h30m", "P1D", "5M", "366d", "1w", "5m\n6m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration|longer than"):
        parse_duration(text)


def verdict(kind: VerdictKind) -> Verdict:
    return Verdict(kind=kind, score=50, headline="x")


def revoke(status: ActionStatus, *, verified: bool | None = None) -> Change:
    return Change(name="revoke_sessions", status=status, target="x", summary="x", verified=verified, contains=True)


def ticket(status: ActionStatus) -> Change:
    return Change(name="open_ticket", status=status, target="x", summary="x")


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        (revoke(ActionStatus.DONE, verified=True), Outcome.CONTAINED_VERIFIED),
        (revoke(ActionStatus.UNNEEDED, verified=True), Outcome.CONTAINED_VERIFIED),
        (revoke(ActionStatus.DONE, verified=False), Outcome.CONTAINED_UNVERIFIED),
        (revoke(ActionStatus.DONE), Outcome.CONTAINED_UNVERIFIED),
        (revoke(ActionStatus.FAILED), Outcome.NOT_CONTAINED),
        (revoke(ActionStatus.REFUSED), Outcome.NOT_CONTAINED),
        (revoke(ActionStatus.AWAITING_APPROVAL), Outcome.AWAITING_APPROVAL),
        (ticket(ActionStatus.DONE), Outcome.NOT_CONTAINED),
    ],
)
def test_contained_is_what_was_done_and_read_back(change: Change, outcome: Outcome) -> None:
    assert outcome_of(Mode.LIVE, verdict(VerdictKind.MALICIOUS), [change]) is outcome


def test_nothing_was_contained_where_nothing_was_tried() -> None:
    assert outcome_of(Mode.LIVE, verdict(VerdictKind.MALICIOUS), []) is Outcome.NOT_CONTAINED


def test_one_step_that_failed_is_not_made_good_by_another() -> None:
    changes = [revoke(ActionStatus.DONE, verified=True), revoke(ActionStatus.FAILED)]
    for order in itertools.permutations(changes):
        assert outcome_of(Mode.LIVE, verdict(VerdictKind.MALICIOUS), order) is Outcome.NOT_CONTAINED


@pytest.mark.parametrize("kind", [VerdictKind.BENIGN, VerdictKind.NO_ACTIVITY])
@pytest.mark.parametrize("mode", list(Mode))
def test_there_is_nothing_to_do_about_the_harmless(kind: VerdictKind, mode: Mode) -> None:
    assert outcome_of(mode, verdict(kind), []) is Outcome.NO_ACTION


def test_a_dry_run_plans_and_a_live_run_never_does() -> None:
    changes = [revoke(ActionStatus.PLANNED), ticket(ActionStatus.PLANNED)]
    assert outcome_of(Mode.DRY_RUN, verdict(VerdictKind.MALICIOUS), changes) is Outcome.PLANNED
    assert outcome_of(Mode.LIVE, verdict(VerdictKind.MALICIOUS), changes) is Outcome.NOT_CONTAINED


def report(outcome: Outcome, *changes: Change) -> Report:
    now = datetime(2026, 1, 15, tzinfo=UTC)
    return Report(
        case="DC-AAAAAA",
        mode=Mode.LIVE,
        tenant="lab",
        user=Person(id="x", upn="x", display_name="x"),
        window=Span(start=now, end=now),
        verdict=VerdictKind.MALICIOUS,
        score=90,
        headline="x",
        actions=changes,
        outcome=outcome,
    )


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome.CONTAINED_VERIFIED, 0),
        (Outcome.NO_ACTION, 0),
        (Outcome.NOT_CONTAINED, 1),
        (Outcome.PLANNED, 3),
        (Outcome.AWAITING_APPROVAL, 3),
        (Outcome.CONTAINED_UNVERIFIED, 4),
    ],
)
def test_the_exit_code_says_what_is_left_to_do(outcome: Outcome, code: int) -> None:
    assert exit_code(report(outcome)) == code


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_an_exit_code_and_a_failed_step_is_never_0(outcome: Outcome) -> None:
    assert exit_code(report(outcome)) in {0, 1, 3, 4}
    assert exit_code(report(outcome, ticket(ActionStatus.FAILED))) != 0
