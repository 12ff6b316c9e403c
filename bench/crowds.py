"""`respond hunt` over a thousand users with device code sign-ins, and `respond backtest` over a million sign-ins.

The lab runs in a process of its own and is loaded beforehand; loading is told apart. Memory is that of both processes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.command import INSTALLED, ROOT, RunFailedError, last_line
from bench.crowd import Crowd, write
from bench.memory import watch

HUNT = Crowd(users=2_000, rows=60_000, coded=1_000, codes=1, days=31, code_days=0.9)
BACKTEST = Crowd(users=5_000, rows=1_000_000, coded=1_000, codes=3, days=60, code_days=29)
_LOADING = 900.0  # seconds until loading counts as hung


@dataclass(frozen=True)
class Run:
    """One command over a crowd.

    Attributes:
        megabytes: most memory held at once, by the command and the lab together.
        loading: seconds that the lab took to load the story.
    """

    answer: dict[str, object]
    seconds: float
    megabytes: float
    loading: float


def run(crowd: Crowd, *arguments: str) -> Run:
    """Write the crowd, load it into a lab, and run one command on it.

    Raises:
        RunFailedError: the lab or the command did not end well.
    """
    with TemporaryDirectory(prefix="respond-crowd-") as place:
        folder = Path(place)
        write(folder / "story", crowd)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RESPOND_")}
        environment = inherited | {
            "RESPOND_CONFIG": str(ROOT / "config"),
            "RESPOND_STATE__URL": f"sqlite:///{folder / 'state' / 'respond.db'}",
            "RESPOND_LAB__DATA": str(folder / "story"),
        }
        with _lab(environment) as (lab, url, loading), watch(os.getpid()) as peak:
            started = time.perf_counter()
            done = subprocess.run(
                [INSTALLED, *arguments, "--json"],
                env=environment | {"RESPOND_LAB__URL": url, "RESPOND_EVIDENCE__LIMIT": "300s",
                                   "RESPOND_RETRY__REQUEST_TIMEOUT": "300s"},
                capture_output=True,
                text=True,
                check=False,
            )  # fmt: skip
            seconds = time.perf_counter() - started
            if lab.poll() is not None:
                raise RunFailedError("the lab died")
        if done.returncode:
            raise RunFailedError(f"exit {done.returncode}: {last_line(done.stderr)}")
        return Run(json.loads(done.stdout), seconds, peak.megabytes, loading)


@contextmanager
def _lab(environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], str, float]]:
    """A lab of its own process: the process, where it answers, and how long it took to load."""
    started = time.perf_counter()
    with subprocess.Popen(
        [INSTALLED, "lab", "serve", "--port", "0"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    ) as process:  # fmt: skip
        try:
            found = None
            said: list[str] = []
            while found is None:
                line = process.stdout.readline() if process.stdout else ""
                if not line or time.perf_counter() - started > _LOADING:
                    raise RunFailedError(f"the lab does not start: {last_line(''.join(said))}")
                said.append(line)
                found = re.search(r"http://127\.0\.0\.1:\d+", line)
            yield process, found[0], time.perf_counter() - started
        finally:
            process.kill()


def main() -> None:
    """`python -m bench.crowds hunt|backtest`: run it and print the raw figures."""
    crowd, command = (HUNT, ("hunt",)) if sys.argv[1] == "hunt" else (BACKTEST, ("backtest", "--since", "30d"))
    made = run(crowd, *command)
    kept = {key: value for key, value in made.answer.items() if isinstance(value, int | float)}
    figures = {"seconds": made.seconds, "megabytes": made.megabytes, "loading": made.loading, "users": crowd.users}
    sys.stdout.write(json.dumps(kept | {f"bench_{key}": value for key, value in figures.items()}) + "\n")


if __name__ == "__main__":
    main()
