"""The file of a SQLite state: made whole, so that one without content is known to have been cut off.

SQLite takes a file of 0 bytes for a new database. A disk that was full, a copy that broke off or a wrong restore leaves
one, and every case in it would be forgotten in silence: limits, approvals, what was contained.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from respond.errors import StateUnusable

_MADE_WITHIN = 2.0
"""Seconds that another process may take between making the file and filling it."""


def make_whole(file: Path) -> None:
    """Make the file with its first page, if there is none.

    Raises:
        StateUnusable: it is there, and empty.
        OSError: it cannot be made.
    """
    if not file.exists():
        page = _first_page(file.parent)
        try:
            handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:  # another process was quicker
            pass
        else:
            try:
                with os.fdopen(handle, "wb") as new:
                    new.write(page)
            except OSError:  # half a page would be taken for a state that was cut off
                file.unlink(missing_ok=True)
                raise
            return
    end = time.monotonic() + _MADE_WITHIN
    while file.stat().st_size == 0:
        if time.monotonic() > end:
            raise StateUnusable(
                f"state.url: {file} is empty: it was cut off; restore it from a backup, or delete it to begin without "
                "the cases so far"
            )
        time.sleep(0.05)


def _first_page(beside: Path) -> bytes:
    """An empty database with a write-ahead log."""
    with TemporaryDirectory(prefix=".respond-", dir=beside) as folder:
        file = Path(folder) / "new.db"
        connection = sqlite3.connect(file)
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # cannot be changed once there is a table
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA user_version=0")
        connection.close()
        return file.read_bytes()
