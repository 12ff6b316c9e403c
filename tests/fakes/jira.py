"""A Jira Cloud site, REST v3: strict about fields and documents, with a search that lags behind.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from typing import Any

from tests.fakes.served import Answer, Fault, Request
from tests.ticketing.adf_schema import mistakes

USER, TOKEN = "soc@contoso.com", "made-up-jira-token"
PROJECT = "SEC"
TYPES = ("Task", "Bug")
GONE = "Issue does not exist or you do not have permission to see it."
NOT_ON_SCREEN = "Field 'priority' cannot be set. It is not on the appropriate screen, or unknown."


class Jira:
    """One project, SEC.

    Attributes:
        issues: by key, oldest first.
        lags: what is created is not searchable before `index` is called.
        page: issues that a page of a search has at most.
        screen: fields that an issue of the project has, beside those that all have.
    """

    def __init__(self) -> None:
        self.url = ""
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.issues: dict[str, dict[str, Any]] = {}
        self.lags = False
        self.page = 50
        self.screen = {"priority"}
        self._indexed: list[str] = []

    def index(self) -> None:
        """The search catches up."""
        self._indexed = list(self.issues)

    def answer(self, request: Request) -> Answer:
        expected = "Basic " + b64encode(f"{USER}:{TOKEN}".encode()).decode()
        if request.headers.get("authorization") != expected:
            return _errors(401, "Client must be authenticated to access this resource.")
        match (request.method, request.path.removeprefix("/rest/api/3/").split("/")):
            case (_, ["search"]):
                return _errors(410, "The requested API has been removed. Please migrate to the search/jql API.")
            case ("POST", ["search", "jql"]):
                return self._search(request.body)
            case ("POST", ["issue"]):
                return self._create(request.body["fields"])
            case ("PUT", ["issue", key]):
                return self._edit(key, request.body["fields"])
            case _:
                return Answer(404, {"message": "null for uri", "status-code": 404})

    def _search(self, asked: dict[str, Any]) -> Answer:
        form = r'project = "([^"]+)" AND labels = "([^"\s]+)" ORDER BY created ASC'
        if not (found := re.fullmatch(form, asked["jql"])):
            return _errors(400, "Error in the JQL Query")
        if found[1] != PROJECT:
            return _errors(400, f"The value '{found[1]}' does not exist for the field 'project'.")
        # Labels are compared without regard to case.
        keys = [key for key in self._indexed if found[2].casefold() in map(str.casefold, self.issues[key]["labels"])]
        first = int(asked.get("nextPageToken", "0"))
        size = min(asked.get("maxResults", 50), self.page)
        issues = [self._shown(key, asked.get("fields", ["id"])) for key in keys[first : first + size]]
        more = {"nextPageToken": str(first + size)} if first + size < len(keys) else {}
        return Answer(200, {"issues": issues, "isLast": not more} | more)

    def _shown(self, key: str, fields: list[str]) -> dict[str, Any]:
        shown = {"id": str(10_000 + list(self.issues).index(key)), "key": key}
        return shown | {"fields": {name: self.issues[key][name] for name in fields if name in self.issues[key]}}

    def _create(self, fields: dict[str, Any]) -> Answer:
        wrong = self._wrong(fields)
        if fields.get("project") != {"key": PROJECT}:
            wrong["project"] = "Specify a valid project ID or key"
        if fields.get("issuetype", {}).get("name") not in TYPES:
            wrong["issuetype"] = "Specify a valid issue type"
        if wrong:
            return Answer(400, {"errorMessages": [], "errors": wrong})
        key = f"{PROJECT}-{len(self.issues) + 1}"
        self.issues[key] = {"labels": []} | fields
        if not self.lags:
            self.index()
        return Answer(201, {"id": str(9_999 + len(self.issues)), "key": key, "self": f"{self.url}/rest/api/3/issue/1"})

    def _edit(self, key: str, fields: dict[str, Any]) -> Answer:
        if key not in self.issues:
            return _errors(404, GONE)
        if wrong := self._wrong(fields):
            return Answer(400, {"errorMessages": [], "errors": wrong})
        self.issues[key] |= fields
        return Answer(204)

    def _wrong(self, fields: dict[str, Any]) -> dict[str, str]:
        wrong: dict[str, str] = {}
        summary = fields.get("summary", "")
        if not summary or len(summary) > 255 or len(summary.splitlines()) > 1:
            wrong["summary"] = "The summary is invalid."
        if mistakes(fields["description"]) or len(json.dumps(fields["description"], ensure_ascii=False)) > 40_000:
            wrong["description"] = "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
        if any(re.search(r"\s", label) for label in fields.get("labels", [])):
            wrong["labels"] = "The label contains spaces which is invalid."
        if "priority" in fields and "priority" not in self.screen:
            wrong["priority"] = NOT_ON_SCREEN
        return wrong


def _errors(status: int, message: str) -> Answer:
    return Answer(status, {"errorMessages": [message], "errors": {}})
