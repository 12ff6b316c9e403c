"""Processes that work on the rows of a large story, side by side: reading JSON is all processor time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Self

from respond.errors import UsageError
from respond.lab.row_jobs import Job, as_line

_MOST = 4
_AHEAD = 2
"""Jobs done or under way for each worker, before somebody takes the first of them: what lies on the disk."""


class RowWorkers:
    """One process for each processor; they end with the block, or with this process however it ends."""

    def __init__(self) -> None:
        self._count = min(_MOST, os.cpu_count() or 1)
        self._threads = ThreadPoolExecutor(self._count, thread_name_prefix="rows")
        self._free: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()
        self._all = [_start() for _ in range(self._count)]
        for process in self._all:
            self._free.put(process)

    def run(self, jobs: Iterable[Job]) -> Iterator[Job]:
        """Do every job; each is given back once it is done, in the order they came.

        Raises:
            UsageError: the first mistake, in the order of the jobs.
        """
        under_way: deque[tuple[Job, Future[None]]] = deque()
        for job in jobs:
            under_way.append((job, self._threads.submit(self._do, job)))
            if len(under_way) >= self._count * _AHEAD:
                yield _finished(*under_way.popleft())
        while under_way:
            yield _finished(*under_way.popleft())

    def _do(self, job: Job) -> None:
        process = self._free.get()
        try:
            said = _ask(process, as_line(job))
        finally:
            self._free.put(process)
        if said is not None:
            raise UsageError(said)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._all:
            process.kill()
        self._threads.shutdown(cancel_futures=True)
        for process in self._all:
            process.communicate()


def _start() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "respond.lab.row_jobs"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def _ask(process: subprocess.Popen[str], line: str) -> str | None:
    try:
        if process.stdin is not None and process.stdout is not None:
            process.stdin.write(line)
            process.stdin.flush()
            if answer := process.stdout.readline():
                said: str | None = json.loads(answer)
                return said
    except BrokenPipeError:
        pass
    raise UsageError("a process that reads the story ended early; is there enough memory?")


def _finished(job: Job, future: Future[None]) -> Job:
    future.result()
    return job
