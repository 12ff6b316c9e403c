"""The service under load: `python -m bench.service NAME [DATABASE] [COUNT]`.

DATABASE is sqlite or postgresql. A lab in a process of its own over a tenant of as many victims as there are
deliveries, `respond serve` and its workers in processes of theirs, all over HTTP on loopback. Each prints one JSON
object.

    deliveries  {"seconds": [of each 202], "elapsed": [of all]}: 1,000 new incidents from 8 connections
    revoke      {"seconds": [from the delivery to the revocation received]}: one incident at a time, no latency
    workers     {"one": [cases a second], "two": [cases a second]}: 150 ms a request, PostgreSQL, lab limits lifted
    memory      {"megabytes": [after each tenth of the cases]}: resident size of the service
    rechecks    {"idle": [seconds from the delivery to the revocation], "busy": [with COUNT rechecks due], "left":
                [rechecks still due after that], "drained": [seconds until none was]}
    kills       {"contained": [cases], "tickets": [], "most_revocations": [of one user], "elapsed": [seconds]}: 1,000
                new incidents, and the service killed three times in between
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import urlopen

import httpx
import sqlalchemy as sa

from respond.lab.child import ChildLab
from respond.models.base import stamp
from respond.models.report import Outcome
from respond.settings import shipped_config
from respond.store.cases import Store
from respond.store.database import watches
from tests.helpers import deliveries, postgres, victims
from tests.helpers import dug_in_story as house
from tests.helpers.serving import Serving, serving

_CONNECTIONS = 8
_KILLS = 3
_IDLE = 1.5
"""Seconds after a delivery before anybody asks how far it is."""
_FRESH = 9
"""Deliveries of each kind."""
_LONGEST = 3600
_QUICK = {"RESPOND_SCHEDULE__EVERY": "0s"}
_LIFTED = {
    "RESPOND_LAB__QUERIES_PER_30S": "1000000",
    "RESPOND_LAB__CONCURRENT_QUERIES": "100",
    "RESPOND_PACE__LOGS_PER_30S": "1000000",
    "RESPOND_PACE__LOGS_AT_ONCE": "100",
    "RESPOND_PACE__IDENTITY_PROTECTION_PER_S": "1000",
}


@contextmanager
def tenant(count: int, database: str) -> Iterator[str]:
    """A lab with so many victims, and an empty state; where the lab answers."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="respond-bench-")))
        os.environ |= {
            "RESPOND_LAB__DATA": str(victims.write(folder / "story", count)),
            "RESPOND_STATE__DIR": str(folder / "state"),
            "RESPOND_STATE__URL": f"sqlite:///{folder / 'state' / 'respond.db'}",
        }
        os.environ |= _LIFTED | {"RESPOND_CONFIG": str(house.policy(folder, limits=house.UNLIMITED))}
        lab = stack.enter_context(ChildLab(shipped_config()))
        os.environ["RESPOND_LAB__URL"] = lab.url
        if database == "postgresql":
            uri = stack.enter_context(postgres.server())
            os.environ["RESPOND_STATE__URL"] = stack.enter_context(postgres.database(uri))
        yield lab.url


async def deliver(service: Serving, numbers: range) -> list[float]:
    """Deliver an incident each, from several connections; the seconds of each answer."""
    waiting, seconds = [json.dumps(deliveries.body(number)).encode() for number in reversed(numbers)], []

    async def sender() -> None:
        async with _client(service) as post:
            while waiting:
                began = time.perf_counter()
                await post(waiting.pop())
                seconds.append(time.perf_counter() - began)

    await asyncio.gather(*(sender() for _ in range(_CONNECTIONS)))
    return seconds


@asynccontextmanager
async def _client(service: Serving) -> AsyncIterator[Callable[[bytes], Awaitable[None]]]:
    async with httpx.AsyncClient(base_url=service.url, timeout=120) as client:

        async def post(body: bytes) -> None:
            headers = {"Content-Type": "application/json"}
            answer = await client.post("/webhooks/sentinel", content=body, headers=headers)
            if answer.status_code != httpx.codes.ACCEPTED:
                raise RuntimeError(f"{answer.status_code}: {answer.text}")

        yield post


def measure_deliveries(database: str, count: int = 1000) -> dict[str, list[float]]:
    """How fast deliveries are written down. One response at a time runs beside it."""
    with tenant(count, database), serving(**_QUICK, RESPOND_SERVE__RUNS_AT_ONCE="1") as service:
        service.post(deliveries.body(0))
        service.answers(1)
        began = time.perf_counter()
        seconds = asyncio.run(deliver(service, range(1, count)))
        return {"seconds": seconds, "elapsed": [time.perf_counter() - began]}


def measure_revoke(database: str, count: int = 40) -> dict[str, list[float]]:
    """From the delivery to the revocation, with nothing else to do: nobody reads its metrics meanwhile either."""
    warm_up, found = 5, []
    with tenant(count + warm_up, database) as lab, serving(**_QUICK) as service, httpx.Client() as client:
        for number in range(count + warm_up):
            began = time.time()
            client.post(f"{service.url}/webhooks/sentinel", json=deliveries.body(number)).raise_for_status()
            time.sleep(_IDLE)
            service.answers(number + 1)
            path = f"/v1.0/users/{victims.user_id(number)}/revokeSignInSessions"
            with urlopen(f"{lab}/_lab/requests") as answer:  # noqa: S310 - the lab, on loopback
                sent = next(one["at"] for one in json.load(answer) if one["path"] == path)
            found.append(datetime.fromisoformat(sent).timestamp() - began)
    return {"seconds": found[warm_up:]}


def measure_workers(_: str, count: int = 60) -> dict[str, list[float]]:
    """Cases a second with one worker, and with two, when the services take their time."""
    slow = {"RESPOND_LAB__LOGS_LATENCY": "150ms", "RESPOND_LAB__GRAPH_LATENCY": "150ms"}
    os.environ |= slow
    return {"one": [_rate(count, workers=1)], "two": [_rate(count, workers=2)]}


def _rate(count: int, *, workers: int) -> float:
    with tenant(count, "postgresql"), ExitStack() as stack:
        # The service takes the deliveries, and one of them at a time for itself.
        service = stack.enter_context(serving(**_QUICK, RESPOND_SERVE__RUNS_AT_ONCE="1"))
        for _ in range(workers):
            worker = Serving("worker", env=_QUICK)
            stack.callback(worker.kill)
            worker.wait_for("working")
        asyncio.run(deliver(service, range(count)))
        # From the tenth case on, when everybody is warm, to the last.
        service.answers(10, 120)
        began, before = time.perf_counter(), service.depth()["answered"]
        service.answers(count, 600)
        return (count - before) / (time.perf_counter() - began)


def measure_memory(database: str, count: int = 500) -> dict[str, list[float]]:
    """Resident size after each tenth of the cases."""
    found = []
    with tenant(count, database), serving(**_QUICK) as service:
        for part in range(10):
            done = (part + 1) * count // 10
            asyncio.run(deliver(service, range(part * count // 10, done)))
            service.answers(done, 3600)
            found.append(megabytes(service))
    return {"megabytes": found}


def measure_kills(database: str, count: int = 1000) -> dict[str, list[float]]:
    """Nothing that was accepted is lost, and nothing is done twice, however often the process dies."""
    with tenant(count, database) as lab:
        began = time.perf_counter()
        for part in range(_KILLS + 1):
            with serving(**_QUICK, RESPOND_SERVE__BEAT="1s") as service:
                asyncio.run(deliver(service, range(part * count // (_KILLS + 1), (part + 1) * count // (_KILLS + 1))))
                if part < _KILLS:
                    service.answers((part + 1) * count // (_KILLS + 2), 3600)
                    service.kill()
                else:
                    service.answers(count, 3600)
        elapsed = time.perf_counter() - began
        with closing(Store(os.environ["RESPOND_STATE__URL"])) as store:
            reports = store.all_reports()
            tickets = sum(store.ticket(report.case) is not None for report in reports)
        with urlopen(f"{lab}/_lab/writes") as answer:  # noqa: S310 - the lab, on loopback
            writes = [one["path"] for one in json.load(answer) if one["path"].endswith("/revokeSignInSessions")]
    contained = {report.user.id for report in reports if report.outcome is Outcome.CONTAINED_VERIFIED}
    return {
        "contained": [len(contained)],
        "tickets": [tickets],
        "most_revocations": [max(Counter(writes).values())],
        "elapsed": [elapsed],
    }


def megabytes(service: Serving) -> float:
    """Resident memory of the service, 10^6 bytes."""
    name = "process_resident_memory_bytes "
    line = next(line for line in service.get("/metrics").text.splitlines() if line.startswith(name))
    return float(line.removeprefix(name)) / 1e6


def measure_rechecks(database: str, count: int = 300) -> dict[str, list[float]]:
    """From a delivery to its revocation while rechecks of so many cases are due, and with nothing else to do."""
    first = count + 5
    with tenant(first + 2 * _FRESH, database) as lab, serving(**_QUICK) as service:
        asyncio.run(deliver(service, range(first)))
        service.answers(first, 3600)
        idle = [_to_revocation(service, lab, first + number) for number in range(_FRESH)]
        _make_due()
        busy = [_to_revocation(service, lab, first + _FRESH + number) for number in range(_FRESH)]
        left, began = _due(), time.perf_counter()
        while _due() and time.perf_counter() - began < _LONGEST:
            time.sleep(_IDLE)
        return {"idle": idle, "busy": busy, "left": [left], "drained": [time.perf_counter() - began]}


def _to_revocation(service: Serving, lab: str, number: int) -> float:
    path = f"/v1.0/users/{victims.user_id(number)}/revokeSignInSessions"
    began = time.time()
    service.post(deliveries.body(number)).raise_for_status()
    while True:
        time.sleep(_IDLE)
        with urlopen(f"{lab}/_lab/requests") as answer:  # noqa: S310 - the lab, on loopback
            sent = [one["at"] for one in json.load(answer) if one["path"] == path]
        if sent:
            return datetime.fromisoformat(sent[0]).timestamp() - began


def _make_due() -> None:
    with closing(Store(os.environ["RESPOND_STATE__URL"])) as store, store.database.begin() as db:
        db.execute(sa.update(watches).where(watches.c.number == 1).values(due=stamp(datetime.now(UTC))))


def _due() -> int:
    query = sa.select(sa.func.count()).where(watches.c.done_at == "", watches.c.due <= stamp(datetime.now(UTC)))
    with closing(Store(os.environ["RESPOND_STATE__URL"])) as store, store.database.connect() as db:
        return int(db.execute(query).scalar_one())


MEASURES = {
    "rechecks": measure_rechecks,
    "deliveries": measure_deliveries,
    "revoke": measure_revoke,
    "workers": measure_workers,
    "memory": measure_memory,
    "kills": measure_kills,
}


def main() -> None:
    """Measure and print the raw figures."""
    name, database, *count = [*sys.argv[1:], *(["sqlite"] if len(sys.argv) == 2 else [])]  # noqa: PLR2004 - a name alone
    result = MEASURES[name](database, *map(int, count))
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
