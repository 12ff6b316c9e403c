"""Who sits at the command line, for the audit log."""

from __future__ import annotations

import getpass
import os
import socket

from respond.errors import UsageError

_PROGRAM = "respond"


def operator(name: str | None) -> str:
    """The name as given, or `user@host`. Nobody checks it: it says who, it proves nothing.

    Raises:
        UsageError: the name is the one that the program goes by itself.
    """
    given = " ".join((name or "").split())
    if given.lower() == _PROGRAM:
        raise UsageError(f"--as: {_PROGRAM} is what the program calls itself; give a person's name")
    return given or f"{_login()}@{socket.gethostname()}"


def _login() -> str:
    try:
        return getpass.getuser()
    # A container runs as a number that no file names (KeyError before Python 3.13); Windows has no such file at all.
    except (ImportError, KeyError, OSError):
        return f"uid-{os.getuid()}" if hasattr(os, "getuid") else "unknown"
