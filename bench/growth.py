"""How the state grows: `python -m bench.growth [sqlite|postgresql] [COUNT]` answers so many cases and prints a table.

`respond serve` in a process of its own, a lab in another; the service compacts the records of finished runs after a
second instead of an hour. After each tenth of the cases: resident memory of the service, bytes of state a case, and
seconds a case. Goals: memory is flat after the first half (or 500 cases), under 60 KB a case, and the last tenth takes
no longer than the second.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from bench.service import deliver, megabytes, tenant
from respond.store.database import connect
from tests.helpers.serving import serving

_SETTINGS = {"RESPOND_SCHEDULE__EVERY": "0s", "RESPOND_STATE__KEEP_STEPS": "1s"}
_PARTS = 10
_SETTLES = 75.0
"""Seconds until the service has compacted what is finished."""


@dataclass(frozen=True)
class Growth:
    """After each tenth of the cases.

    Attributes:
        cases: how many there are.
        megabytes: resident memory of the service, 10^6 bytes.
        seconds: that a case of this tenth took, on average.
        kilobytes: of state a case, 10^3 bytes; the last figure is taken after compaction.
    """

    cases: tuple[int, ...]
    megabytes: tuple[float, ...]
    seconds: tuple[float, ...]
    kilobytes: tuple[float, ...]


def measure(database: str, count: int, *, settles: float = _SETTLES) -> Growth:
    """Deliver incidents about one victim each, a tenth at a time, and wait for the answers."""
    cases, memory, seconds, size = [], [], [], []
    with tenant(count, database), serving(**_SETTINGS) as service:
        url = os.environ["RESPOND_STATE__URL"]
        for part in range(_PARTS):
            done = (part + 1) * count // _PARTS
            began = time.perf_counter()
            asyncio.run(deliver(service, range(part * count // _PARTS, done)))
            service.answers(done, 36_000)
            seconds.append((time.perf_counter() - began) / (done - part * count // _PARTS))
            cases.append(done)
            memory.append(megabytes(service))
            if part == _PARTS - 1:
                time.sleep(settles)
            size.append(_bytes(url) / done / 1000)
    return Growth(tuple(cases), tuple(memory), tuple(seconds), tuple(size))


def _bytes(url: str) -> int:
    """Of the file after a checkpoint; on PostgreSQL, what the database has more than an empty one, after a vacuum."""
    engine = connect(url)
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            if engine.dialect.name == "sqlite":
                db.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()
                return Path(url.removeprefix("sqlite:///")).stat().st_size
            db.exec_driver_sql("VACUUM")
            sizes = "SELECT pg_database_size(current_database()) - pg_database_size('template1')"
            return int(db.execute(sa.text(sizes)).scalar_one())
    finally:
        engine.dispose()


def main() -> None:
    """Measure and print one line a tenth."""
    database = sys.argv[1] if len(sys.argv) > 1 else "sqlite"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 1000  # noqa: PLR2004 - the second argument
    found = measure(database, count)
    sys.stdout.write("cases    MB  s/case  KB/case\n")
    for row in zip(found.cases, found.megabytes, found.seconds, found.kilobytes, strict=True):
        sys.stdout.write("{:5d} {:5.0f} {:7.3f} {:8.1f}\n".format(*row))


if __name__ == "__main__":
    main()
