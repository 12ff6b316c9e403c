"""A tenant that answers one request of a run wrongly, and what has to hold whatever it answers."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from respond.models.outcomes import exit_code
from respond.models.report import Report
from respond.settings import shipped_config
from respond.store.cases import Store
from tests.helpers.command import VICTIM, Answer, respond
from tests.helpers.dug_in_story import ASSIGNMENT, DEVICE, METHOD, PHONE, PRINCIPAL, RULE, USER_ID
from tests.lab.running_lab import HTTP, RunningLab, running

if TYPE_CHECKING:
    import pytest

HTML = "<html><body>Sign in to the guest network</body></html>"
FAULTS: dict[str, dict[str, Any]] = {
    "an empty 200": {"kind": "answer", "status": 200},
    "204": {"kind": "answer", "status": 204},
    "HTML": {"kind": "answer", "status": 200, "body": HTML},
    "{}": {"kind": "answer", "status": 200, "body": "{}"},
    "[]": {"kind": "answer", "status": 200, "body": "[]"},
    "null": {"kind": "answer", "status": 200, "body": "null"},
    "cut off": {"kind": "cut_off"},
    "without its list": {"kind": "without_list"},
    "wrong types": {"kind": "wrong_types"},
    "dropped before": {"kind": "drop_before"},
    "dropped after": {"kind": "drop_after"},
    "401": {"status": 401},
    "404": {"status": 404},
    "429": {"status": 429},
    "500": {"status": 500},
}
"""Fifteen ways to answer wrongly, each for ever."""

QUERIES = ("/query", "unHuntingQuery")
_WORD = re.compile(r"[A-Za-z$.]+|v1\.0|v2\.0")


class BrokenTenant:
    """The dug-in story, as it was at first before each cell.

    Args:
        state: the lab's state directory.
    """

    def __init__(self, lab: RunningLab, state: Path) -> None:
        self.lab = lab
        self._state = state / "lab.db"
        with closing(sqlite3.connect(self._state)) as db:
            self._first = db.execute("SELECT collection, key, name, body FROM objects ORDER BY rowid").fetchall()

    def restore(self) -> None:
        """Everything is as it was, and no fault is set."""
        self.set()
        with closing(sqlite3.connect(self._state, timeout=10)) as db, db:
            db.execute("DELETE FROM objects")
            db.execute("DELETE FROM writes")
            db.executemany("INSERT INTO objects (collection, key, name, body) VALUES (?, ?, ?, ?)", self._first)

    def set(self, *faults: dict[str, Any]) -> None:
        HTTP.post(f"{self.lab.url}/_lab/faults", json=faults).raise_for_status()

    def struck(self) -> list[int]:
        """How often each fault has struck; asked without a token, as there may be none."""
        return list(HTTP.get(f"{self.lab.url}/_lab/faults").raise_for_status().json())

    def asked(self, run: Callable[[], Answer]) -> list[tuple[str, str]]:
        """Every distinct request of a run that nothing befalls: `METHOD /path`, and a text that its body holds."""
        self.restore()
        queries = [{"match": "POST *", "contains": mark, "kind": "slow", "times": 0} for mark in marks().values()]
        self.set(*queries)
        before = len(self.lines())
        answer = run()
        assert (answer.code, answer.json["outcome"]) == (0, "contained-verified"), answer.err
        lines = self.lines()[before:]
        assert sum(self.struck()) == sum(line.endswith(QUERIES) for line in lines), "a query has no text of its own"
        used = [mark for mark, times in zip(marks().values(), self.struck(), strict=True) if times]
        found = [(escape(line), "") for line in dict.fromkeys(lines) if not line.endswith(QUERIES)]
        return [*found, *(("POST *", mark) for mark in used)]

    def lines(self) -> list[str]:
        """`METHOD /path` of every request so far, but for those about the lab."""
        seen = HTTP.get(f"{self.lab.url}/_lab/requests").json()
        return [f"{one['method']} {one['path']}" for one in seen if not one["path"].startswith("/_lab/")]

    def writes(self) -> list[dict[str, Any]]:
        """What took effect."""
        return [one for one in self.lab.get("/_lab/writes") if one["status"] < 300]


def marks() -> dict[str, str]:
    """Name of each query -> a text that only its requests hold, as JSON carries it."""
    texts = {path.name.removesuffix(".kql"): path.read_text() for path in (shipped_config() / "queries").glob("*.kql")}
    pieces = {
        name: [piece for line in text.splitlines() if _is_sent_as_it_is(line) for piece in _pieces(line)]
        for name, text in sorted(texts.items())
    }
    counts = Counter(piece for mine in pieces.values() for piece in set(mine))
    found = {}
    for name, mine in pieces.items():
        alone = [piece for piece in mine if sum(piece in text for text in texts.values()) == 1 and counts[piece] == 1]
        if alone:
            found[name] = alone[0]
    return found


def _is_sent_as_it_is(line: str) -> bool:
    """Comments and parameters are replaced, and time has another name in Defender."""
    return not line.startswith(("//", "let p_")) and "TimeGenerated" not in line


def _pieces(line: str) -> list[str]:
    """Parts of a line that JSON leaves as they are."""
    return [piece.strip() for piece in re.split(r'["\\]', line) if len(piece.strip()) > 5]


def called(request: tuple[str, str]) -> str:
    """A request for the name of a cell: words of its path, and the query."""
    pattern, mark = request
    method, _, path = pattern.partition(" ")
    words = [part for part in path.split("/") if _WORD.fullmatch(part) and part != "v1.0"]
    query = next((name for name, known in marks().items() if mark and known == mark), "")
    return " ".join(filter(None, (method, "/".join(words), query)))


@contextmanager
def broken_tenant(place: Path, folder: Path) -> Iterator[BrokenTenant]:
    """A lab with the story of a folder; point a run at it with `at`."""
    with running(place, folder / "lab") as lab:
        HTTP.get(f"{lab.url}/_lab/health").raise_for_status()
        yield BrokenTenant(lab, folder / "lab")


def at(tenant: BrokenTenant, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run asks this tenant, is impatient, and has a state of its own."""
    settings = {
        "STATE__URL": f"sqlite:///{state / 'respond.db'}",
        "LAB__URL": tenant.lab.url,
        "PACE__IDENTITY_PROTECTION_PER_S": "1000",
        "RETRY__ATTEMPTS": "2",
        "RETRY__FIRST_WAIT": "1ms",
        "RETRY__LONGEST_WAIT": "2ms",
        "RETRY__READ_BUDGET": "5s",
        "RETRY__WRITE_BUDGET": "5s",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"RESPOND_{name}", value)


def cell(
    tenant: BrokenTenant,
    fault: str,
    request: tuple[str, str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *options: str,
) -> tuple[Answer, list[str]]:
    """Run once with one request answered wrongly; what came of it, and the rules that it breaks."""
    tenant.restore()
    at(tenant, folder, monkeypatch)
    tenant.set({"match": request[0], "contains": request[1], "times": 0, **FAULTS[fault]})
    answer = respond("--user", VICTIM, "--json", *options)
    if not sum(tenant.struck()):
        return answer, ["the fault never struck"]
    tenant.set()
    return answer, list(broken_rules(answer, tenant, f"sqlite:///{folder / 'respond.db'}"))


def broken_rules(answer: Answer, tenant: BrokenTenant, url: str) -> Iterator[str]:
    """What may never be, whatever a service answers."""
    if "Traceback" in answer.err or "internal error" in answer.err:
        yield f"a defect is shown: {answer.err[-300:]}"
    writes = [one for one in tenant.writes() if one["path"].startswith("/v1.0/")]  # tickets are not meant
    if twice := _repeated(writes):
        yield f"done twice: {twice}"
    with closing(Store(url)) as store:
        told = [ticket.body for report in store.all_reports() if (ticket := store.ticket(report.case))]
    if writes and not any("revoke_sessions" in body or "disable_device" in body for body in told):
        yield f"{len(writes)} writes and no ticket that says so"
    if not answer.out:
        if answer.code not in (1, 2) or answer.err.count("\n") != 1:
            yield f"exit {answer.code} without a report: {answer.err[-300:]}"
        return
    report = Report.model_validate_json(answer.out)
    if exit_code(report) != answer.code:
        yield f"exit {answer.code} beside {report.outcome}"
    if report.verdict not in ("malicious", "suspicious"):
        yield f"the fault made it {report.verdict}"
    if not report.ticket:
        yield "no ticket"
    if answer.code == 0 and (left := _left(tenant)):
        yield f"verified, and there still is: {', '.join(left)}"


def _repeated(writes: list[dict[str, Any]]) -> list[str]:
    """Writes that had taken effect before; a second revocation has a reason where a device was disabled since."""
    done: set[str] = set()
    repeated = []
    for one in writes:
        line = f"{one['method']} {one['path']}"
        if line in done:
            repeated.append(line)
        done.add(line)
        if "/devices/" in line:
            done = {earlier for earlier in done if not earlier.endswith("revokeSignInSessions")}
    return repeated


def _left(tenant: BrokenTenant) -> list[str]:
    """What the attacker still has."""
    now = tenant.lab.get("/_lab/directory")
    has = {
        "the session": not any(one["path"].endswith("revokeSignInSessions") for one in tenant.writes()),
        "the device": next(one["accountEnabled"] for one in now["devices"] if one["id"] == DEVICE),
        "the phone": any(one["id"] == PHONE for one in now["devices"]),
        "the method": METHOD in json.dumps(now["authenticationMethods"][USER_ID]),
        "the consent": bool(now["oauth2PermissionGrants"]),
        "the rule": next(one["isEnabled"] for one in now["messageRules"][USER_ID] if one["id"] == RULE),
        "the application": any(
            one["accountEnabled"] for one in now.get("servicePrincipals", []) if one["id"] == PRINCIPAL
        ),
        "the secret": any(one["passwordCredentials"] for one in now.get("applications", [])),
        "the role": any(one["id"] == ASSIGNMENT for one in now.get("roleAssignments", [])),
    }
    return [name for name, there in has.items() if there]
