"""Each ticket system as a test sees it: settings that lead to it, what it holds, and what can be made to go wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

from respond.lab import scenario
from respond.lab.constants import SECURITY_INSIGHTS
from respond.settings import LabFault
from tests.fakes import github, jira, servicenow
from tests.fakes.served import LOST, Answer, Fault, Request, served
from tests.helpers.incident_actions import VERSION
from tests.lab.running_lab import RunningLab, running

SYSTEMS = ("servicenow", "jira", "github", "sentinel", "mail")
BY_MICROSOFT = {"sentinel": "PUT */incidents/????????-*", "mail": "POST */sendMail"}
SENDER = "target.user@contoso.com"
Trouble = Literal["drop_after", "drop_before", "500 after", "429", "403"]
AsFake = servicenow.ServiceNow | jira.Jira | github.GitHub


class Outside:
    """One ticket system, and the lab beside it."""

    def __init__(self, name: str, lab: RunningLab, env: dict[str, str], fake: AsFake | None) -> None:
        self.name, self.lab, self.env, self._fake = name, lab, env, fake

    def created(self) -> int:
        """How many tickets there are; of mail, how many were sent."""
        match self._fake:
            case servicenow.ServiceNow(records=held) | jira.Jira(issues=held) | github.GitHub(issues=held):
                return len(held)
            case _ if self.name == "mail":
                return len(self._writes("sendMail"))
            case _:
                return len(self.lab.get(f"{SECURITY_INSIGHTS}/incidents?{VERSION}")["value"])

    def updates(self) -> int:
        """How often one was rewritten, or followed by another mail."""
        if self._fake:
            return sum(request.method in ("PATCH", "PUT") for request in self._fake.requests)
        if self.name == "mail":
            return max(self.created() - 1, 0)
        return max(len(self._writes("comments")) - 1, 0)

    def requests(self) -> Sequence[Request] | list[dict[str, Any]]:
        """What has reached it, reads included."""
        return self._fake.requests if self._fake else self.lab.get("/_lab/writes")

    def _writes(self, text: str) -> list[dict[str, Any]]:
        return [one for one in self.lab.get("/_lab/writes") if text in one["path"] and one["status"] < 300]


def _fault(trouble: Trouble) -> Fault:
    answers = {"429": Answer(429, {}, {"Retry-After": "1"}), "403": Answer(403, {}), "500 after": Answer(500, {})}
    return Fault("POST", answers.get(trouble, LOST), worked=trouble.endswith("after"))


def _lab_fault(name: str, trouble: Trouble) -> LabFault:
    match = BY_MICROSOFT[name]
    if trouble in ("drop_after", "drop_before"):
        return LabFault(match=match, kind=trouble)
    return LabFault(match=match, status=int(trouble), retry_after="1" if trouble == "429" else "")


def _fake(name: str) -> tuple[AsFake | None, Callable[[str], dict[str, str]]]:
    match name:
        case "servicenow":
            return servicenow.ServiceNow(), lambda url: {
                "url": url,
                "user": servicenow.USER,
                "password": servicenow.PASSWORD,
            }
        case "jira":
            return jira.Jira(), lambda url: {
                "url": url,
                "user": jira.USER,
                "token": jira.TOKEN,
                "project": jira.PROJECT,
            }
        case "github":
            repository = f"{github.OWNER}/{github.REPO}"
            return github.GitHub(), lambda url: {"url": url, "repository": repository, "token": github.TOKEN}
        case "mail":
            return None, lambda _: {"from": SENDER, "to": '["oncall@contoso.com"]'}
        case _:
            return None, lambda _: {}


@contextmanager
def outside(name: str, folder: Path, *troubles: Trouble, data: str | Path = "seed-true-positive") -> Iterator[Outside]:
    """A lab, and a ticket system that answers its first requests so."""
    fake, settings = _fake(name)
    with ExitStack() as stack:
        faults = () if fake else tuple(_lab_fault(name, trouble) for trouble in troubles)
        lab = stack.enter_context(running(scenario.find(str(data)), folder / "lab", faults=faults))
        if fake:
            fake.faults = [_fault(trouble) for trouble in troubles]
            stack.enter_context(served(fake))
        keys = settings(fake.url if fake else "")
        env = {f"RESPOND_TICKETS__{name.upper()}__{key.upper()}": value for key, value in keys.items()}
        env |= {"RESPOND_TICKETS__SYSTEM": name, "RESPOND_LAB__URL": lab.url, "RESPOND_RETRY__FIRST_WAIT": "20ms"}
        yield Outside(name, lab, env, fake)
