"""Notices to a Teams workflow and to a Slack webhook. Whoever knows such a URL may post: it is never shown.

https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks

Neither can be asked whether a message has arrived. Each is sent once; a lost answer is not followed by another try.

Leaves open: Teams answers 202 before it posts, so a workflow that fails afterwards is not seen here.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp
import httpx

from respond.clients.retry import parse_retry_after
from respond.clients.sent import ILL_BEFORE_WORK, NEVER_SENT
from respond.clients.ticketing.outgoing import json_object
from respond.errors import Forbidden, NotFound, Permanent, RespondError, Transient, Unanswered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from respond.clients.guard import Check
    from respond.models.notices import Notice
    from respond.settings import Notices, Retry

MOST_BYTES = 28 * 1024 - 512
"""Teams takes 28 KB for the whole message; some is left for what the workflow adds."""
_SHORT, _LONGEST_TITLE = 1_500, 500
_SECTION = 3_000
_TOO_LARGE = 413


class Channel(Protocol):
    """Somewhere that a notice goes.

    Attributes:
        name: as in the settings: `teams`, `slack`.
    """

    name: str

    async def post(self, notice: Notice) -> None:
        """Post it, with one request.

        Raises:
            Unanswered: it may have been posted, and no answer said so.
            Transient: it was not posted, and another try is worth it.
            Permanent: refused; says what to do.
        """
        ...


def channels(settings: Notices, *, check: Check, retry: Retry) -> list[Channel]:
    """Those that have a URL."""
    found: list[Channel] = []
    if settings.teams_url.get_secret_value():
        found.append(Teams(settings, check=check, retry=retry))
    if settings.slack_url.get_secret_value():
        found.append(Slack(settings, check=check, retry=retry))
    return found


class Teams:
    """A workflow that posts adaptive cards into a channel or chat."""

    name = "teams"

    def __init__(self, settings: Notices, *, check: Check, retry: Retry) -> None:
        self._url = settings.teams_url
        self._check = check
        self._limit = retry.request_timeout.total_seconds()

    async def post(self, notice: Notice) -> None:
        """Post a card; a shorter one if Teams says that it is too large."""
        status, wait = await self._send(card(notice))
        if status == _TOO_LARGE:
            status, wait = await self._send(card(notice, most=_SHORT))
        if not 200 <= status < 300:
            raise _refused("Teams", "notices.teams_url", status, wait)

    async def _send(self, body: bytes) -> tuple[int, float | None]:
        self._check("POST", "https://teams/webhook")
        try:
            async with httpx.AsyncClient(timeout=self._limit, follow_redirects=False) as http:
                answer = await http.post(
                    self._url.get_secret_value(), content=body, headers={"Content-Type": "application/json"}
                )
        except httpx.RequestError as error:
            raise _lost("Teams", error, sent=not isinstance(error, NEVER_SENT)) from None  # its text holds the URL
        if answer.is_success and _is_foreign(answer):
            raise Unanswered("Teams: a page or an error came with a success: the notice may have been posted or not")
        return answer.status_code, parse_retry_after(answer.headers.get("Retry-After"))


class Slack:
    """An incoming webhook, through Slack's own client; its retries are off, ours are on."""

    name = "slack"

    def __init__(self, settings: Notices, *, check: Check, retry: Retry) -> None:
        self._url = settings.slack_url
        self._check = check
        self._limit = round(retry.request_timeout.total_seconds())

    async def post(self, notice: Notice) -> None:
        """Post it as blocks of plain text, which Slack does not read as markup."""
        from slack_sdk.webhook.async_client import AsyncWebhookClient

        self._check("POST", "https://slack/webhook")
        # Its own logger would tell the URL to whoever listens at level DEBUG.
        silent = logging.getLogger(f"{__name__}.slack")
        silent.setLevel(logging.CRITICAL)
        url = self._url.get_secret_value()
        client = AsyncWebhookClient(url, timeout=self._limit, retry_handlers=[], logger=silent)
        try:
            answer = await client.send(text=escaped(notice.title), blocks=blocks(notice), unfurl_links=False)
        except (aiohttp.ClientError, TimeoutError) as error:
            never = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
            raise _lost("Slack", error, sent=not isinstance(error, never)) from None  # its text holds the host
        if answer.status_code != 200:
            headers = {name.lower(): value for name, value in answer.headers.items()}
            wait = parse_retry_after(headers.get("retry-after"))
            raise _refused("Slack", "notices.slack_url", answer.status_code, wait, said=str(answer.body)[:60])
        if (
            str(answer.body).strip() != "ok"
        ):  # https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
            raise Unanswered("Slack: something else than ok came, so the notice may not have been posted")


def card(notice: Notice, *, most: int = 20_000) -> bytes:
    """An adaptive card in the message of a webhook, small enough for Teams.

    Its text is in text runs, which are no Markdown: https://adaptivecards.io/explorer/TextRun.html

    Args:
        most: characters of text. Commands and link are never cut.
    """
    while True:
        body = json.dumps(_message(notice, most), ensure_ascii=False).encode()
        if len(body) <= MOST_BYTES or most == 0:
            return body
        most //= 2


def _message(notice: Notice, most: int) -> dict[str, Any]:
    lines = [line for line in _cut(notice.text, most).split("\n") if line]
    content: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            _run(_cut(notice.title, _LONGEST_TITLE), size="large", weight="bolder"),
            *(_run(line) for line in lines),
            *(_run(command, fontType="monospace") for command in notice.commands),
        ],
        "msteams": {"width": "Full"},
    }
    if notice.link:
        content["actions"] = [{"type": "Action.OpenUrl", "title": "Open the case", "url": notice.link}]
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": content}]}


def _run(text: str, **how: str) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **how}]}


def blocks(notice: Notice) -> list[dict[str, Any]]:
    """The blocks of a Slack message: https://docs.slack.dev/reference/block-kit/blocks/section-block."""
    found = [_section(notice.title), *(_section(line) for line in notice.text.split("\n")[:20] if line.strip())]
    commands = "\n".join(f"`{command}`" for command in notice.commands)
    ours = [*([commands] if commands else []), *([f"<{escaped(notice.link)}|Open the case>"] if notice.link else [])]
    return [*found, *({"type": "section", "text": {"type": "mrkdwn", "text": text}} for text in ours)]


def _section(text: str) -> dict[str, Any]:
    plain = {"type": "plain_text", "emoji": False, "text": _cut(escaped(_cut(text, _SECTION // 6)), _SECTION)}
    return {"type": "section", "text": plain}


def escaped(text: str) -> str:
    """Text in which Slack finds no mention, channel or link.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: max(most - 1, 0)]}…"


def _is_foreign(answer: httpx.Response) -> bool:
    """A page of a proxy, or an error in a success: a workflow answers 202 without a body, unless somebody adds one."""
    text = answer.text.lstrip()
    page = "html" in answer.headers.get("Content-Type", "") or text.startswith("<")
    return page or "error" in json_object(answer)


def _lost(name: str, error: Exception, *, sent: bool) -> RespondError:
    if sent:
        return Unanswered(f"{name} did not answer ({type(error).__name__}): the notice may have been posted")
    return Transient(f"{name} cannot be reached ({type(error).__name__})")


def _refused(name: str, key: str, status: int, wait: float | None, said: str = "") -> RespondError:
    text = f"{name} answered {status}{f' {said}' if said else ''}"
    if status in ILL_BEFORE_WORK:
        return Transient(text, retry_after=wait, throttled=status == httpx.codes.TOO_MANY_REQUESTS)
    if status >= 500:
        return Unanswered(f"{text}: the notice may have been posted", retry_after=wait)
    kinds: Mapping[int, type[Permanent]] = {401: Forbidden, 403: Forbidden, 404: NotFound, 410: NotFound}
    return kinds.get(status, Permanent)(f"{text}; look at {key}: is the workflow or webhook still there and enabled?")
