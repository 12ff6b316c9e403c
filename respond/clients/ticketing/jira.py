"""Tickets as issues of a project in Jira Cloud, REST v3.

    POST /rest/api/3/search/jql          by label, since the old search answers 410
    POST /rest/api/3/issue
    PUT  /rest/api/3/issue/{key}
    https://developer.atlassian.com/cloud/jira/platform/rest/v3/intro/

The client `jira` is not used: it blocks a thread that goes on writing after its run has given up; its search asks for
the server's version and for all fields of the site first, and its update reads the issue again after each write.

A search does not see an issue for seconds to minutes after it was created, so it cannot tell that there is none;
`lags` says for how long. Jira takes no key of ours that would make creating repeatable.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Self

from respond.clients.guard import Check
from respond.clients.ticketing import formats
from respond.clients.ticketing.markup import one_line
from respond.clients.ticketing.outgoing import Manners, Refusal
from respond.clients.ticketing.wire import Wire, checked_key, objects
from respond.errors import FieldsRefused, Permanent, RespondError, Unanswered
from respond.models.tickets import Draft, Found, Severity
from respond.settings import Retry, Tickets

_PRIORITY = {Severity.HIGH: "High", Severity.MEDIUM: "Medium", Severity.LOW: "Low"}
_SETTINGS = {"project": "tickets.jira.project", "issuetype": "tickets.jira.issue_type"}
_LONGEST_TITLE = 255
_MOST_PAGES = 10


class Jira:
    """One project of one site.

    Args:
        settings: `tickets`; the section `jira` is complete.
    """

    name = "jira"
    lags = timedelta(minutes=5)

    def __init__(self, settings: Tickets, *, check: Check, retry: Retry) -> None:
        ours = settings.jira
        self._project = ours.project
        self._issue_type = ours.issue_type
        self._takes_priority = True
        manners = Manners(
            name="Jira",
            secret=ours.token,
            hints={
                401: "tickets.jira.user or .token is wrong, or the token has expired",
                403: f"the user of tickets.jira.user needs to browse, create and edit issues of {self._project}",
                404: "tickets.jira.url is no Jira Cloud site, the issue is gone, or tickets.jira.user may not see it",
                410: "this is not the Jira Cloud REST API v3 that tickets.jira.url should lead to",
            },
            said=_said,
            judge=_judge,
        )
        self._wire = Wire(ours.url, manners, user=ours.user, check=check, limit=retry.request_timeout)

    @classmethod
    def of(cls, settings: Tickets, *, check: Check, retry: Retry) -> Self:
        return cls(settings, check=check, retry=retry)

    async def find(self, key: str) -> Found | None:
        """The first issue with the label of the case, as far as the index knows by now."""
        label = _label(key)
        asked: dict[str, Any] = {
            "jql": f'project = "{self._project}" AND labels = "{label}" ORDER BY created ASC',
            "fields": ["labels"],
            "maxResults": 50,
        }
        for _ in range(_MOST_PAGES):
            page = await self._wire.send("POST", "/rest/api/3/search/jql", body=asked)
            issues = objects(page.get("issues"), "Jira: the answer to a search holds no list of issues")
            if issue := next((one for one in issues if label in _labels_of(one)), None):
                return self._found(issue)
            if page.get("isLast") or not page.get("nextPageToken"):
                return None
            asked["nextPageToken"] = page["nextPageToken"]
        raise Permanent(f"Jira: more than {_MOST_PAGES} pages of issues for label {label}, and none that has it")

    async def create(self, draft: Draft) -> Found:
        """One POST; a second one without the priority if Jira refused that, and nothing else, by name."""
        fields = {
            "project": {"key": self._project},
            "issuetype": {"name": self._issue_type},
            "labels": [_label(draft.key), *_labels(draft.tags)],
        } | _says(draft)
        priority = {"priority": {"name": _PRIORITY[draft.severity]}} if self._takes_priority else {}
        try:
            answer = await self._wire.send("POST", "/rest/api/3/issue", body={"fields": fields | priority})
        except FieldsRefused as error:
            if error.fields != {"priority"} or not priority:
                raise
            self._takes_priority = False
            answer = await self._wire.send("POST", "/rest/api/3/issue", body={"fields": fields})
        return self._found(answer)

    async def update(self, found: Found, draft: Draft) -> None:
        """Write title and text. Status, priority and assignee belong to people."""
        path = f"/rest/api/3/issue/{found.handle}"
        if await self._wire.send("PUT", path, body={"fields": _says(draft)}):
            raise Unanswered(f"Jira: PUT {path} was not answered as Jira does, with 204; is tickets.jira.url right?")

    async def close(self) -> None:
        await self._wire.close()

    def _found(self, issue: dict[str, Any]) -> Found:
        key = issue.get("key")
        if not isinstance(key, str) or not re.fullmatch(r"[A-Z][A-Z0-9_]*-\d+", key):
            raise Unanswered("Jira: the answer names no issue")
        # A scoped token goes through api.atlassian.com, where there are no pages.
        url = "" if "/ex/jira/" in self._wire.root else f"{self._wire.root}/browse/{key}"
        return Found(handle=key, id=key, url=url)


def _says(draft: Draft) -> dict[str, Any]:
    return {"summary": one_line(draft.title, _LONGEST_TITLE), "description": formats.jira(draft)}


def _label(key: str) -> str:
    return f"respond-{checked_key(key)}"


def _labels_of(issue: dict[str, Any]) -> list[Any]:
    fields = issue.get("fields")
    labels = fields.get("labels") if isinstance(fields, dict) else None
    return labels if isinstance(labels, list) else []


def _labels(tags: tuple[str, ...]) -> list[str]:
    """Labels have no spaces."""
    return [label for tag in tags if (label := re.sub(r"[^A-Za-z0-9._-]+", "-", tag)[:100].strip("-"))]


def _said(body: dict[str, Any]) -> str:
    messages, errors = body.get("errorMessages"), body.get("errors")
    said = [str(message) for message in messages] if isinstance(messages, list) else []
    return "; ".join(said + [f"{name}: {why}" for name, why in errors.items()] if isinstance(errors, dict) else said)


def _judge(refusal: Refusal) -> RespondError | None:
    errors = refusal.body.get("errors")
    if refusal.status != 400 or not isinstance(errors, dict) or not errors:
        return None
    keys = [_SETTINGS[name] for name in errors if name in _SETTINGS]
    todo = f"set {' and '.join(keys)}" if keys else "put these fields on the screens of the project, or fill them there"
    return FieldsRefused(f"{refusal.line}; {todo}", frozenset(errors))
