"""`respond` and `python -m respond`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line, and end with its exit code."""
    from respond.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
