"""`python -m tests.helpers.killed_command EVENT:ACTION …`: the command line, killed at one moment."""

from __future__ import annotations

import os
import signal
import sys

from respond import progress
from respond.cli.main import run


def main() -> int:
    kind, action = sys.argv[1].split(":")

    def hear(event: progress.Event) -> None:
        if (event.kind, event.action) == (kind, action):
            os.kill(os.getpid(), signal.SIGKILL)

    with progress.listening(hear):
        return run(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
