"""A repository on GitHub, as far as its issues go.

https://docs.github.com/rest/issues/issues
"""

from __future__ import annotations

from typing import Any

from tests.fakes.served import Answer, Fault, Request

TOKEN = "made-up-github-token"
OWNER, REPO = "contoso", "cases"


class GitHub:
    """contoso/cases.

    Attributes:
        issues: and pull requests, which a list of issues has as well; oldest first.
        enabled: issues are.
        can_label: the token may set labels; else they are dropped without a word.
        gone: numbers of deleted issues.
        renamed: the repository, so requests for it are sent elsewhere.
    """

    def __init__(self) -> None:
        self.url = ""
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.issues: list[dict[str, Any]] = []
        self.enabled = True
        self.can_label = True
        self.gone: set[int] = set()
        self.renamed = False

    def answer(self, request: Request) -> Answer:
        if request.headers.get("authorization", "").partition(" ")[2] != TOKEN:
            return Answer(401, {"message": "Bad credentials", "status": "401"})
        if not request.headers.get("user-agent"):
            return Answer(403, {"message": "Request forbidden by administrative rules."})
        if self.renamed:
            return Answer(301, {"message": "Moved Permanently"}, {"Location": f"{self.url}/repositories/7/issues"})
        prefix = f"/repos/{OWNER}/{REPO}/issues"
        rest = request.path.removeprefix(prefix) if request.path.startswith(prefix) else "elsewhere"
        return self._issues(request, rest.strip("/"))

    def _issues(self, request: Request, rest: str) -> Answer:
        match (request.method, rest):
            case ("GET", ""):
                return self._list(request)
            case ("POST", ""):
                return self._create(request.body)
            case ("PATCH", number) if number.isdecimal():
                return self._edit(int(number), request.body)
            case _:
                return Answer(404, {"message": "Not Found", "status": "404"})

    def add(self, **values: Any) -> dict[str, Any]:
        """An issue, by whomever."""
        number = len(self.issues) + 1
        issue = {
            "number": number,
            "state": "open",
            "html_url": f"https://github.example/{OWNER}/{REPO}/issues/{number}",
        }
        self.issues.append(issue | values)
        return self.issues[-1]

    def _list(self, request: Request) -> Answer:
        query = request.query
        found = [one for one in reversed(self.issues) if query["labels"] in {label["name"] for label in one["labels"]}]
        found = [one for one in found if query.get("state", "open") in ("all", one["state"])]
        size, page = min(int(query.get("per_page", "30")), 100), int(query.get("page", "1"))
        following = f'<{self.url}{request.path}?page={page + 1}>; rel="next"'
        links = {"Link": following} if len(found) > size * page else {}
        return Answer(200, found[size * (page - 1) : size * page], links)

    def _create(self, body: dict[str, Any]) -> Answer:
        if not self.enabled:
            return Answer(410, {"message": "Issues has been disabled in this repository.", "status": "410"})
        if wrong := _wrong(body):
            return wrong
        labels = [{"name": name} for name in body.get("labels", [])] if self.can_label else []
        return Answer(201, self.add(title=body["title"], body=body.get("body"), labels=labels))

    def _edit(self, number: int, body: dict[str, Any]) -> Answer:
        if number in self.gone:
            return Answer(410, {"message": "This issue was deleted", "status": "410"})
        if not 0 < number <= len(self.issues):
            return Answer(404, {"message": "Not Found", "status": "404"})
        if wrong := _wrong(body):
            return wrong
        self.issues[number - 1] |= body
        return Answer(200, self.issues[number - 1])


def _wrong(body: dict[str, Any]) -> Answer | None:
    for name, most in (("title", 256), ("body", 65_536)):
        if len(body[name]) > most:
            error = {"resource": "Issue", "code": "custom", "field": name, "message": f"{name} is too long"}
            return Answer(422, {"message": "Validation Failed", "errors": [error], "status": "422"})
    return None
