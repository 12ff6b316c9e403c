"""Two tenants, alpha and beta, each with a lab of its own, and one service in front of both."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from respond.lab.constants import CLIENT_ID
from respond.lab.server import LabServer
from respond.lab.tokens import object_id
from respond.settings import Settings, Tenant
from tests.helpers import deliveries, victims
from tests.helpers.outcome import Left, left
from tests.helpers.patience import patiently
from tests.helpers.serving import Serving, until
from tests.lab.running_lab import HTTP, RunningLab
from tests.webhook.test_gate import signed

if TYPE_CHECKING:
    import httpx

NAMES = ("alpha", "beta")
PATIENCE = 1.0
AUDIENCE = "api://5a5a5a5a-0000-4000-8000-00000000aaaa"
SECRETS = {name: f"correct-horse-battery-staple-of-{name}" for name in NAMES}
IDS = {"alpha": "aaaaaaaa-0000-4000-8000-00000000000", "beta": "bbbbbbbb-0000-4000-8000-00000000000"}


def tenant_id(name: str) -> str:
    return f"{IDS[name]}1"


def workspace_id(name: str) -> str:
    return f"{IDS[name]}2"


def workspace_resource_id(name: str) -> str:
    group = f"/subscriptions/{IDS[name]}3/resourceGroups/rg-{name}"
    return f"{group}/providers/Microsoft.OperationalInsights/workspaces/{name}"


def workspace_of_an_alert(name: str) -> dict[str, str]:
    """How an alert trigger says which workspace it is from."""
    return {
        "WorkspaceId": workspace_id(name),
        "WorkspaceSubscriptionId": f"{IDS[name]}3",
        "WorkspaceResourceGroup": f"rg-{name}",
    }


def body(name: str, number: int, **more: Any) -> dict[str, Any]:
    """An incident of a tenant's workspace, about a victim."""
    said = deliveries.body(number, **more)
    place = f"{workspace_resource_id(name)}/providers/Microsoft.SecurityInsights"
    said["object"]["id"] = f"{place}/Incidents/{victims.incident_id(number)}"
    return {**said, "workspaceId": workspace_id(name)}


def toml(of: Mapping[str, Mapping[str, Mapping[str, Any]]], **common: Mapping[str, Any]) -> str:
    """A `respond.toml` with these sections of each tenant, and these of all."""
    lines: list[str] = []
    for section, keys in common.items():
        lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items())]
    for name, sections in of.items():
        for section, keys in sections.items():
            lines += [f"[tenants.{name}.{section}]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items())]
    return "\n".join(lines) + "\n"


def secret_variable(name: str) -> str:
    return f"RESPOND_TENANTS__{name.upper()}__WEBHOOK__HMAC_SECRET"


def ids(name: str) -> dict[str, str]:
    return {
        "tenant_id": tenant_id(name),
        "workspace_id": workspace_id(name),
        "workspace_resource_id": workspace_resource_id(name),
    }


class Labs:
    """One for each tenant; each can end by itself."""

    def __init__(self, place: Path, *, count: int) -> None:
        self.of: dict[str, RunningLab] = {}
        self._threads: dict[str, threading.Thread] = {}
        for name in NAMES:
            story = victims.write(place / f"story-{name}", count, [deliveries.entry(one) for one in range(count)])
            settings = Settings(tenant=Tenant(tenant_id=tenant_id(name), workspace_id=workspace_id(name)))
            listening = threading.Event()
            server = LabServer(settings, data=story, state_dir=place / f"lab-{name}", on_listening=listening.set)
            thread = threading.Thread(target=server.run_until_told)
            thread.start()
            assert listening.wait(patiently(20))
            self.of[name], self._threads[name] = RunningLab(server), thread

    def end(self, name: str) -> None:
        self.of[name].server.should_exit = True
        self._threads[name].join(patiently(10))


@dataclass
class Several:
    """The front door, what is behind it, and short ways to deliver to it."""

    front: Serving
    labs: Labs
    config: Path
    states: dict[str, str]

    def deliver(self, said: Any, signed_by: str = "", **headers: str) -> httpx.Response:
        """A delivery, signed by a tenant's sender if that is named."""
        content = said if isinstance(said, bytes) else json.dumps(said).encode()
        return self.front.post(content, **(signed(content, SECRETS[signed_by]) if signed_by else {}), **headers)

    def bearer(self, name: str) -> dict[str, str]:
        """A token as the tenant issues it."""
        form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": "any"}
        url = f"{self.labs.of[name].url}/{tenant_id(name)}/oauth2/v2.0/token"
        answer = HTTP.post(url, data=form | {"scope": f"{AUDIENCE}/.default"})
        return {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}

    def state(self, name: str) -> str:
        return str(self.front.get("/readyz").json()["tenants"][name])

    def becomes(self, name: str, state: str, seconds: float = 30) -> None:
        until(lambda: self.state(name) == state, seconds, lambda: f"{self.state(name)}; {self.front.lines[-5:]}")

    def said_of(self, name: str, event: str) -> list[dict[str, Any]]:
        return [line for line in self.front.lines if line.get("tenant") == name and line["event"] == event]

    def pid(self, name: str) -> int:
        """Of a tenant's process."""
        (found,) = [pid for pid, line in children_of(self.front.pid).items() if f"--tenant {name}" in line]
        return found

    def contains(self, name: str, number: int, seconds: float = 40) -> None:
        """Wait until a victim of a tenant is contained."""
        who = victims.user_id(number)

        def outcomes() -> list[str]:
            return [report.outcome for report in self.left(name).reports if report.user.id == who]

        until(lambda: "contained-verified" in outcomes(), seconds, lambda: f"{outcomes()}; {self.front.lines[-5:]}")

    def left(self, name: str) -> Left:
        return left(self.states[name], self.labs.of[name])


def children_of(pid: int) -> dict[int, str]:
    """Process ids and command lines."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            line = (place / "cmdline").read_text().replace("\0", " ")
        except (OSError, IndexError):  # it has ended while we looked
            continue
        if parent == pid:
            found[int(place.name)] = line
    return found


def write_config(
    place: Path, labs: Labs | None = None, *, guarded: bool = True, of: Mapping[str, Mapping[str, Any]] | None = None
) -> Path:
    """A configuration of both tenants, whose states are beside it.

    Args:
        guarded: deliveries need a token or a signature.
        of: more sections of a tenant.
    """
    folder = place / "conf"
    folder.mkdir(exist_ok=True)
    webhook = {"audience": AUDIENCE, "callers": [object_id(CLIENT_ID)]}
    sections = {
        name: {
            "tenant": ids(name),
            "webhook": webhook if guarded else {},
            "lab": {"url": labs.of[name].url} if labs else {},
            **(of or {}).get(name, {}),
        }
        for name in NAMES
    }
    common = {
        "schedule": {"every": "0s"},
        "serve": {"beat": "1s", "grace": "5s"},
        "state": {"dir": str(place / "state")},
        "webhook": {"body_within": f"{PATIENCE:g}s"},
    }
    (folder / "respond.toml").write_text(toml(sections, **common))
    return folder


@contextmanager
def several(
    place: Path, *, count: int = 4, guarded: bool = False, ready: Sequence[str] = NAMES, **of: Mapping[str, Any]
) -> Iterator[Several]:
    """Both tenants served, until the end of the block.

    Args:
        guarded: deliveries need a token or a signature.
        ready: who has to be, before the block begins.
        of: more sections of a tenant.
    """
    with ExitStack() as stack:
        labs = Labs(place, count=count)
        for name in NAMES:
            stack.callback(labs.end, name)
        config = write_config(place, labs, guarded=guarded, of=of)
        states = {name: f"sqlite:///{place}/state/{name}/respond.db" for name in NAMES}
        env = {secret_variable(name): SECRETS[name] for name in NAMES} if guarded else {}
        front = Serving("serve", "--port", "0", "--config", str(config), env=env)
        stack.callback(_end, front)
        front.listens()
        found = Several(front, labs, config, states)
        for name in ready:
            found.becomes(name, "ready", 60)
        yield found


def _end(front: Serving) -> None:
    if front.code is not None:
        return
    pids = children_of(front.pid)
    front.kill()
    for pid in pids:  # they end by themselves, unless a test has stopped them
        if Path(f"/proc/{pid}").exists():
            os.kill(pid, signal.SIGKILL)
