"""`python -m tests.helpers.older_version …`: the command line of a version that recorded runs in another shape."""

from __future__ import annotations

import sys

from respond import durable

VERSION = "2"


def main() -> int:
    durable.RECORDS_VERSION = VERSION
    from respond.cli.main import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
