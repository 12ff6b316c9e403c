"""`python postgres_end.py FOLDER`: stops the PostgreSQL server of a folder at the end of standard input; removes both.

The other end of standard input is a pipe that only pytest holds. The system closes it when pytest ends in whatever way:
in order, by an error, or by SIGKILL. A session of its own keeps Ctrl-C at the terminal from ending this process first.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LONGEST = 20.0
"""Seconds that a server has to stop, before it is killed."""


@contextmanager
def with_us(folder: Path) -> Iterator[None]:
    """No server of this folder, and not the folder, outlives the block or this process."""
    with subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, str(folder)], stdin=subprocess.PIPE, cwd="/", start_new_session=True
    ) as ending:
        yield
        assert ending.stdin
        ending.stdin.close()
        assert ending.wait(_LONGEST * 2) == 0


def main() -> None:
    """Wait for the end of standard input, then clean up."""
    folder = Path(sys.argv[1])
    sys.stdin.buffer.read()
    for file in folder.glob("**/postmaster.pid"):  # the wheel keeps its data in the folder, the other way below it
        _stop(file)
    shutil.rmtree(folder)


def _stop(file: Path) -> None:
    """As `pg_ctl stop -m immediate`: what is in its databases is of no use to anybody."""
    pid, end = int(file.read_text().split()[0]), time.monotonic() + _LONGEST
    with contextlib.suppress(ProcessLookupError):  # it has ended
        os.kill(pid, signal.SIGQUIT)
        while file.exists():
            os.kill(pid, signal.SIGKILL if time.monotonic() > end else 0)
            time.sleep(0.05)


if __name__ == "__main__":
    main()
