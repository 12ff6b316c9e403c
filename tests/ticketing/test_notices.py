"""Notices to Teams and Slack: once, in time, and whatever an attacker wrote is shown as text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from respond.clients.guard import check_leaving
from respond.clients.notices import MOST_BYTES, Slack, Teams, blocks, card
from respond.errors import NotFound, Permanent, Transient, Unanswered, WriteRefused
from respond.models.notices import Notice
from respond.settings import Notices, Retry
from tests.fakes.webhooks import Fault, Webhooks, webhooks
from tests.helpers.answered_cases import Answered, Way
from tests.helpers.answered_cases import answered as _answered
from tests.helpers.command import VICTIM, respond, revocations
from tests.helpers.dug_in_story import policy, write_story
from tests.lab.running_lab import RunningLab

Lab = Callable[..., RunningLab]
answered = _answered
COMMANDS = ("respond show DC-AAAAAA", "respond approve DC-AAAAAA", "respond deny DC-AAAAAA")
NOTICE = Notice(title="target.user@contoso.com: malicious 97", text="a token was redeemed", commands=COMMANDS)
EVIL = (
    "<!here> <@U012> <!channel> <https://evil.example|click> @here *b* _i_ `c` [x](https://evil.example) | <at>a</at>"
)


@pytest.fixture
def there() -> Iterator[Webhooks]:
    with webhooks() as found:
        yield found


@pytest.fixture
def channels(there: Webhooks, monkeypatch: pytest.MonkeyPatch) -> Webhooks:
    """Both channels, in the settings of the command line."""
    for name, url in there.settings.items():
        monkeypatch.setenv(f"RESPOND_NOTICES__{name.upper()}", url)
    monkeypatch.setenv("RESPOND_RETRY__FIRST_WAIT", "20ms")
    return there


def teams(there: Webhooks, **how: Any) -> Teams:
    return Teams(Notices.model_validate(there.settings), check=how.get("check", lambda *_: None), retry=Retry())


def slack(there: Webhooks, **how: Any) -> Slack:
    return Slack(Notices.model_validate(there.settings), check=how.get("check", lambda *_: None), retry=Retry())


def told(there: Webhooks) -> dict[str, int]:
    return {name: len(messages) for name, messages in there.posted.items()}


# What is sent


@given(text=st.text(max_size=200), size=st.integers(0, 400), title=st.text(max_size=50))
@example(text="\U0001f480\n", size=20_000, title="\U0001f480" * 900)
@example(text='"\\', size=40_000, title='"')
def test_a_card_fits_into_teams_and_its_commands_are_whole(text: str, size: int, title: str) -> None:
    body = card(
        Notice(title=title, text=text * size, commands=COMMANDS, link="https://soc.example.com/cases/DC-AAAAAA")
    )
    assert len(body) <= MOST_BYTES
    assert all(command in body.decode() for command in COMMANDS)
    (sent,) = json.loads(body)["attachments"]
    assert sent["content"]["actions"][0]["url"].endswith("/cases/DC-AAAAAA")


def test_text_in_a_card_is_no_markdown_and_mentions_nobody() -> None:
    content = json.loads(card(Notice(title=EVIL, text=EVIL)))["attachments"][0]["content"]
    assert {block["type"] for block in content["body"]} == {"RichTextBlock"}
    assert {run["type"] for block in content["body"] for run in block["inlines"]} == {"TextRun"}
    assert "entities" not in content["msteams"]


@given(text=st.text(max_size=300))
@example(EVIL)
@example("&lt;!here&gt;")
@example("&<>" * 2000)
def test_nobody_is_mentioned_and_no_link_is_made_in_slack(text: str) -> None:
    found = blocks(Notice(title=text, text=text, commands=COMMANDS, link="https://soc.example.com/cases/DC-AAAAAA"))
    assert all(len(block["text"]["text"]) <= 3000 for block in found)
    foreign = [block["text"] for block in found if block["text"]["type"] == "plain_text"]
    assert not any(set(one["text"]) & set("<>") for one in foreign)
    ours = [block["text"]["text"] for block in found if block["text"]["type"] == "mrkdwn"]
    assert ours == [
        "\n".join(f"`{command}`" for command in COMMANDS),
        "<https://soc.example.com/cases/DC-AAAAAA|Open the case>",
    ]


# How it is sent


async def test_a_message_that_teams_finds_too_large_is_sent_once_more_and_shorter(there: Webhooks) -> None:
    there.teams_bytes = 4_000
    await teams(there).post(NOTICE.model_copy(update={"text": "x" * 10_000}))
    assert (told(there)["teams"], there.requests) == (1, 2)
    assert all(command in json.dumps(there.posted) for command in COMMANDS)


@pytest.mark.parametrize("channel", [teams, slack])
@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        (Fault(429, retry_after="7"), Transient, "429"),
        (Fault(404, body="no_service"), NotFound, "look at notices"),
        (Fault(400, body="invalid_payload"), Permanent, "400"),
        (Fault(500), Unanswered, "may have been posted"),
        (Fault(kind="drop_after"), Unanswered, "may have been posted"),
        (Fault(kind="drop_before"), Unanswered, "may have been posted"),
        (Fault(200, body="<html>Sign in to the guest network</html>"), Unanswered, "may (not )?have been posted"),
        (Fault(200, body='{"error": {"code": "WorkflowTriggerIsNotEnabled"}}'), Unanswered, "may (not )?have been"),
    ],
)
async def test_a_failure_is_one_line_without_the_url(
    channel: Callable[..., Any], fault: Fault, kind: type[Exception], said: str, there: Webhooks
) -> None:
    there.faults = [fault]
    with pytest.raises(kind, match=said) as caught:
        await channel(there).post(NOTICE)
    assert "SECRET" not in repr(caught.value)
    assert there.url.rpartition(":")[2] not in repr(caught.value)
    assert caught.value.__cause__ is None
    if fault.status == 429:
        assert isinstance(caught.value, Transient)
        assert caught.value.retry_after == 7
    assert there.requests == 1


@pytest.mark.parametrize("channel", [teams, slack])
async def test_nobody_there_is_worth_another_try(channel: Callable[..., Any]) -> None:
    with webhooks() as gone:
        client = channel(gone)
    with pytest.raises(Transient, match="cannot be reached") as caught:
        await client.post(NOTICE)
    assert not isinstance(caught.value, Unanswered)


@pytest.mark.parametrize("channel", [teams, slack])
async def test_a_dry_run_cannot_send(channel: Callable[..., Any], there: Webhooks) -> None:
    with pytest.raises(WriteRefused) as caught:
        await channel(there, check=check_leaving).post(NOTICE)
    assert "SECRET" not in str(caught.value)
    assert there.requests == 0


# In a response


def test_each_channel_hears_of_a_case_once(lab: Lab, channels: Webhooks) -> None:
    lab()
    first, second = (respond("--user", VICTIM, "--json") for _ in range(2))
    assert (first.code, first.action("send_notice")["status"]) == (0, "done")
    assert (second.code, second.action("send_notice")["status"]) == (0, "unneeded")
    assert second.json["repeat"]
    assert told(channels) == {"teams": 1, "slack": 1}
    assert f"respond show {first.json['case']}" in json.dumps(channels.posted["teams"])
    assert "SECRET" not in first.out + first.err


@pytest.mark.soak
def test_a_dry_run_plans_the_notice_and_sends_none(lab: Lab, channels: Webhooks) -> None:
    lab()
    answer = respond("--user", VICTIM, "--dry-run", "--json")
    assert answer.action("send_notice")["status"] == "planned"
    assert channels.requests == 0


@pytest.mark.soak
def test_throttled_it_waits_and_is_sent_once(lab: Lab, channels: Webhooks) -> None:
    lab()
    channels.faults = [Fault(429, retry_after="1"), Fault(429, retry_after="1")]
    answer = respond("--user", VICTIM, "--json")
    assert (answer.code, answer.action("send_notice")["status"]) == (0, "done")
    assert told(channels) == {"teams": 1, "slack": 1}


def test_a_channel_that_is_down_fails_the_notice_and_nothing_else(lab: Lab, channels: Webhooks) -> None:
    tenant = lab()
    channels.faults = [Fault(404)]
    answer = respond("--user", VICTIM, "--json")
    assert (answer.code, answer.json["outcome"]) == (1, "contained-verified")
    assert answer.action("send_notice")["status"] == "failed"
    assert "told slack; Teams answered 404" in answer.action("send_notice")["summary"]
    assert len(revocations(tenant)) == 1
    again = respond("--user", VICTIM, "--json")
    assert (again.code, again.action("send_notice")["summary"]) == (0, "told teams")
    assert told(channels) == {"teams": 1, "slack": 1}


@pytest.mark.parametrize("kind", ["drop_after", pytest.param("drop_before", marks=pytest.mark.soak)])
def test_a_lost_answer_is_said_once_and_not_followed_by_another_message(
    kind: str, lab: Lab, channels: Webhooks
) -> None:
    lab()
    channels.faults = [Fault(kind=kind)]
    answer = respond("--user", VICTIM, "--json")
    assert "the notice may have been posted" in answer.action("send_notice")["summary"]
    assert respond("--user", VICTIM, "--json").action("send_notice")["status"] == "unneeded"
    assert told(channels) == {"teams": int(kind == "drop_after"), "slack": 1}


def test_a_question_comes_with_its_commands_and_the_answer_is_told(
    lab: Lab, channels: Webhooks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab(write_story(tmp_path))
    monkeypatch.setenv("RESPOND_NOTICES__LINK", "https://soc.example.com/respond/")
    config = ("--config", str(policy(tmp_path, malicious={"revoke_sessions": "ask"}, watch=[])))
    case = respond("--user", VICTIM, "--json", *config).json["case"]
    asked = json.dumps(channels.posted)
    assert all(asked.count(f"respond {word} {case}") == 2 for word in ("show", "approve", "deny"))
    assert asked.count(f"https://soc.example.com/respond/cases/{case}") == 2
    assert respond("approve", case, "--json", *config).action("send_notice")["status"] == "done"
    assert told(channels) == {"teams": 2, "slack": 2}


@pytest.mark.soak
def test_what_is_not_asked_for_is_not_told(lab: Lab, channels: Webhooks, monkeypatch: pytest.MonkeyPatch) -> None:
    lab()
    monkeypatch.setenv("RESPOND_NOTICES__ON", '["approval", "failed"]')
    answer = respond("--user", VICTIM, "--json")
    assert answer.action("send_notice")["status"] == "unneeded"
    assert channels.requests == 0


@pytest.mark.soak
def test_a_freeze_stops_no_notice(lab: Lab, channels: Webhooks) -> None:
    tenant = lab()
    assert respond("freeze").code == 0
    answer = respond("--user", VICTIM, "--json")
    assert answer.action("send_notice")["status"] == "done"
    assert revocations(tenant) == []
    assert told(channels) == {"teams": 1, "slack": 1}


def test_without_a_channel_there_is_no_notice(answered: Answered) -> None:
    names = [action["name"] for action in answered(Way.CONTAINED).report["actions"]]
    assert "send_notice" not in names
    assert not any(re.search("notice", name) for name in names)
