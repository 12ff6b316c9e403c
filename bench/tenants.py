"""One tenant's time to contain beside another's trouble: `python -m bench.tenants [COUNT]`.

Two tenants behind one `respond serve`, a lab in a process of its own for each, all over HTTP on loopback. Deliveries to
the second, one at a time, are timed from the delivery to the revocation that its lab receives:

    alone      the first has nothing to do
    throttled  the first has many deliveries; each of its queries is answered with 429, and Graph takes 5 seconds
    broken     its lab is gone, and its process is killed before each delivery, if it is up

Prints one JSON object: seconds of each, the processor seconds that the first tenant used meanwhile as a share of the
time (`…_share`), and the megabytes of the front and of a tenant's process.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from urllib.request import urlopen

from bench.memory import PROC
from respond.lab.child import ChildLab
from tests.helpers import dug_in_story as house
from tests.helpers import victims
from tests.helpers.serving import Serving, until
from tests.helpers.tenants import NAMES, body, children_of, ids, toml

_SICK, _WELL = NAMES
_WARM_UP = 4
_STORM = 40
_TICKS = os.sysconf("SC_CLK_TCK")
_LIFTED: dict[str, object] = {"queries_per_30s": 1_000_000, "concurrent_queries": 100}
_SLOW = {"graph_latency": "5s", "arm_latency": "5s"}
_THROTTLED = '[[lab.faults]]\nmatch = "* */query"\nstatus = 429\nretry_after = "2"\ntimes = 0\n'


class _House:
    """Both tenants, served."""

    def __init__(self, stack: ExitStack, folder: Path, count: int) -> None:
        self._next = {name: iter(range(count)) for name in NAMES}
        self.labs = {name: stack.enter_context(_lab(folder, name, count)) for name in NAMES}
        sections = {name: {"tenant": ids(name), "lab": {"url": self.labs[name].url}} for name in NAMES}
        common = {"schedule": {"every": "0s"}, "state": {"dir": str(folder / "state")}}
        config = house.policy(folder, limits=house.UNLIMITED)
        (config / "respond.toml").write_text(toml(sections, **common))
        self.front = Serving("serve", "--port", "0", "--config", str(config))
        stack.callback(self.front.kill)
        self.front.listens()
        until(lambda: self.front.get("/readyz").json()["status"] == "ready", 60)

    def deliver(self, name: str) -> int:
        """The next victim's incident."""
        number = next(self._next[name])
        answer = self.front.post(body(name, number))
        if name == _WELL:
            answer.raise_for_status()
        return number

    def contain(self) -> float:
        """Seconds from a delivery to the well tenant until its lab has received the revocation."""
        done = self._done()
        began = time.time()
        path = f"/v1.0/users/{victims.user_id(self.deliver(_WELL))}/revokeSignInSessions"
        until(lambda: self._done() > done, 120)
        with urlopen(f"{self.labs[_WELL].url}/_lab/requests") as answer:  # noqa: S310 - the lab, on loopback
            sent = next(one["at"] for one in json.load(answer) if one["path"] == path)
        time.sleep(0.3)
        return datetime.fromisoformat(sent).timestamp() - began

    def _done(self) -> int:
        return sum(line["event"] == "run-done" and line.get("tenant") == _WELL for line in self.front.lines)

    def pids(self, name: str) -> list[int]:
        """The process of a tenant, while it has one."""
        return [pid for pid, line in children_of(self.front.pid).items() if f"--tenant {name}" in line]


@contextmanager
def _lab(folder: Path, name: str, count: int) -> Iterator[ChildLab]:
    place = folder / f"lab-{name}"
    place.mkdir()
    lab = _LIFTED | {"data": str(victims.write(folder / f"story-{name}", count))} | (_SLOW if name == _SICK else {})
    settings = toml({}, tenant=ids(name), state={"dir": str(place)}, lab=lab)
    (place / "respond.toml").write_text(settings + (_THROTTLED if name == _SICK else ""))
    with ChildLab(place) as running:
        yield running


def measure(count: int = 15) -> dict[str, list[float]]:
    """Seconds of `count` containments in each state."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="respond-bench-")))
        both = _House(stack, folder, _WARM_UP + 3 * count + _STORM)
        for _ in range(_WARM_UP):
            both.contain()
        found = {"front_mb": [_megabytes(both.front.pid)], "tenant_mb": [_megabytes(both.pids(_WELL)[0])]}
        found |= _timed("alone", both, count, lambda: None)
        for _ in range(_STORM):
            both.deliver(_SICK)
        found |= _timed("throttled", both, count, lambda: None)
        both.labs[_SICK].close()
        found |= _timed("broken", both, count, lambda: _kill(both.pids(_SICK)))
    return found


def _timed(name: str, both: _House, count: int, before_each: Callable[[], None]) -> dict[str, list[float]]:
    seconds, used, began = [], 0.0, time.monotonic()
    for _ in range(count):
        before_each()
        before = _processor(both.pids(_SICK))
        seconds.append(both.contain())
        used += max(0.0, _processor(both.pids(_SICK)) - before)
    return {name: seconds, f"{name}_share": [used / (time.monotonic() - began)]}


def _kill(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def _processor(pids: list[int]) -> float:
    """Processor seconds of these so far."""
    used = 0
    for pid in pids:
        try:
            fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        used += int(fields[11]) + int(fields[12])
    return used / _TICKS


def _megabytes(pid: int) -> float:
    status = (PROC / str(pid) / "status").read_text().splitlines()
    kilobytes = next(line.split()[1] for line in status if line.startswith("VmRSS:"))
    return int(kilobytes) * 1024 / 1e6


def main() -> None:
    """Measure and print the raw figures."""
    sys.stdout.write(json.dumps(measure(*map(int, sys.argv[1:2]))) + "\n")


if __name__ == "__main__":
    main()
