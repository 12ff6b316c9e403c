"""Peak memory of a process and everything it started, sampled from /proc every 20 ms.

Counted is the proportional set size (PSS, from smaps_rollup): a page shared by two processes counts once.
Where the kernel does not tell it, the resident set size (RSS) is summed, which counts shared pages twice.
A lab that detaches from its parent still counts, because it stays in the session the command was started in.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
INTERVAL = 0.02  # seconds


@dataclass
class Peak:
    """The largest sum seen.

    Attributes:
        megabytes: 10^6 bytes.
        kind: `PSS` or `RSS`.
        processes: how many were alive at that moment.
    """

    megabytes: float = 0.0
    kind: str = "PSS"
    processes: int = 0


@contextmanager
def watch(root: int) -> Iterator[Peak]:
    """Sample the tree below process `root`, which leads its own session, until the block ends."""
    peak = Peak()
    ended = threading.Event()

    def sample() -> None:
        while not ended.is_set():
            _look(root, peak)
            ended.wait(INTERVAL)

    thread = threading.Thread(target=sample, name="memory", daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def _look(root: int, peak: Peak) -> None:
    sizes = [size for pid in _family(root) if (size := _kilobytes(pid, peak)) is not None]
    megabytes = sum(sizes) * 1024 / 1e6
    if megabytes > peak.megabytes:
        peak.megabytes, peak.processes = megabytes, len(sizes)


def _family(root: int) -> set[int]:
    """The process, its descendants, and all of its session."""
    children: dict[int, list[int]] = defaultdict(list)
    found = set()
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):  # it ended while we looked
            # pid (any text) state parent group session …
            fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            children[int(fields[1])].append(int(entry.name))
            if int(fields[3]) == root:
                found.add(int(entry.name))
    pending = [root, *found]
    found.add(root)
    while pending:
        fresh = [pid for pid in children[pending.pop()] if pid not in found]
        found.update(fresh)
        pending += fresh
    return found


def _kilobytes(pid: int, peak: Peak) -> int | None:
    if peak.kind == "PSS":
        try:
            return _field(PROC / str(pid) / "smaps_rollup", "Pss:")
        except ProcessLookupError:
            return None
        except OSError:
            if not (PROC / str(pid)).exists():
                return None
            peak.kind = "RSS"
    try:
        return _field(PROC / str(pid) / "status", "VmRSS:")
    except OSError:
        return None


def _field(path: Path, name: str) -> int:
    for line in path.read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0  # a process that has ended and was not yet waited for holds nothing
