"""An error as one line without data: no SQL statement and its values, no input that a model refused.

A database error prints the statement and what was bound to it, which names people; pydantic prints the input. Both end
up in logs, in reports and on terminals. Here the cause is told by its class and code.

    https://www.sqlite.org/rescode.html
    https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

import errno
import sqlite3
import sys

from respond.errors import RespondError, StateAway, StateUnusable, Transient, UsageError

_SQLITE_AWAY = {
    sqlite3.SQLITE_BUSY: "is locked by another process; end what keeps it open, a backup or an SQL shell",
    sqlite3.SQLITE_LOCKED: "is locked by another process; end what keeps it open, a backup or an SQL shell",
    sqlite3.SQLITE_FULL: "cannot grow: the disk is full; make room",
    sqlite3.SQLITE_IOERR: "cannot be read or written (I/O error); check the disk, and whether it is full",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check that the file and its folder are there and may be written",
    sqlite3.SQLITE_READONLY: "cannot be written; check the permissions of the file, its folder and the mount",
    sqlite3.SQLITE_PERM: "may not be opened; check the permissions of the file",
}
_POSTGRES_AWAY = {
    "53100": "has no room: the disk of the server is full; make room",
    "53300": "takes no more connections; raise max_connections, or run fewer processes",
    "25006": "is read-only: the server is a standby",
    "55P03": "is locked by another session",
    "57014": "did not answer in time",
    "40001": "was changed by another session at the same moment",
    "40P01": "was changed by another session at the same moment",
}
_AWAY_CLASSES = ("08", "53", "57", "58", "XX")
"""Connection, resources, operator intervention, system and internal errors of PostgreSQL."""
_REFUSED_CLASSES = ("28", "3D")
_SCHEMA = ("42P01", "42703", "42883", "3F000")
_NO_PRIVILEGE = "42501"
_REFUSALS = (
    "password authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "authentication failed for user",
)
_MISSING = 'role "', 'database "'
_NO_ADDRESS = "invalid port number", "invalid connection option", "invalid integer value", "invalid sslmode value"
_SCHEMA_SQLITE = ("no such table", "no such column", "has no column named")


_PASSING = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.ESTALE,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.EAGAIN,
    errno.EINTR,
    errno.EBUSY,
    errno.ETIMEDOUT,
)


def file_error(told: str, error: OSError, *, passing: type[Transient] = Transient) -> RespondError:
    """What it means that a file or a folder cannot be used.

    Args:
        told: which one, and what cannot be done with it.
        passing: the kind of an error that may pass: a full disk, too many open files, a share that is away.

    Returns:
        One of `passing`, or UsageError: the setting that names it is wrong.
    """
    kind = passing if error.errno in _PASSING else UsageError
    return kind(f"{told}: {error.strerror or type(error).__name__}")


def plain(error: BaseException) -> str:
    """The error in one line: the message of one of ours; else class and text, without data."""
    if isinstance(error, RespondError):
        return error.message
    if is_database_error(error):
        return state_error(error).message
    return f"{type(error).__name__}: {_text(error)}"


def named(error: BaseException) -> str:
    """The same with the class of the error before it, for those who look for a defect."""
    told = plain(error)
    return told if told.startswith(f"{type(error).__name__}: ") else f"{type(error).__name__}: {told}"


def is_database_error(error: BaseException) -> bool:
    """Whether SQLAlchemy or a driver of it raised it. Loads neither."""
    alchemy = sys.modules.get("sqlalchemy.exc")
    return isinstance(error, sqlite3.Error) or (alchemy is not None and isinstance(error, alchemy.SQLAlchemyError))


def is_of_one_row(error: BaseException) -> bool:
    """Whether a database error is about what was read or written; any other is about the whole database."""
    alchemy = sys.modules.get("sqlalchemy.exc")
    if alchemy is None:
        return False
    kinds = (alchemy.IntegrityError, alchemy.DataError, alchemy.NoResultFound, alchemy.MultipleResultsFound)
    return isinstance(error, kinds)


def state_error(error: BaseException) -> RespondError:
    """What a database error means.

    Returns:
        UsageError: the server refuses the user or has no such database, or the file is none: `state.url` is wrong.
        StateAway: it may pass: not reachable, starting up, locked, full.
        StateUnusable: neither; the file is damaged, a table is missing, or it is a defect of ours.
    """
    origin = getattr(error, "orig", None) or error
    name = type(origin).__name__
    if (code := getattr(origin, "sqlite_errorcode", None)) is not None or isinstance(origin, sqlite3.Error):
        return _of_sqlite(code, str(origin), name)
    if type(error).__name__ == "TimeoutError":
        return _away("did not answer in time: all connections are in use")
    return _of_postgres(getattr(origin, "sqlstate", None), str(origin), name, error)


def _of_sqlite(code: int | None, text: str, name: str) -> RespondError:
    primary = (code or 0) & 0xFF
    if told := _SQLITE_AWAY.get(primary):
        return _away(told)
    if primary == sqlite3.SQLITE_NOTADB:
        return UsageError("state.url: the file is no SQLite database; restore it from a backup, or name another one")
    if primary == sqlite3.SQLITE_CORRUPT:
        return StateUnusable("the state database is damaged; restore the file from a backup")
    if any(part in text for part in _SCHEMA_SQLITE):
        return _no_schema()
    return StateUnusable(f"the state database refused a statement ({name}, code {code})")


def _of_postgres(code: str | None, text: str, name: str, error: BaseException) -> RespondError:  # noqa: PLR0911 - a kind each
    if code is None:
        return _not_connected(text, name, error)
    if code in _SCHEMA:
        return _no_schema()
    if code.startswith(_REFUSED_CLASSES):
        return _refused()
    if told := _POSTGRES_AWAY.get(code):
        return _away(told)
    if code.startswith(_AWAY_CLASSES):
        return _away(f"does not answer (SQLSTATE {code}); check that the server runs")
    if code == _NO_PRIVILEGE:
        return StateUnusable("the state database refuses the user of state.url a privilege; make it the owner")
    return StateUnusable(f"the state database refused a statement ({name}, SQLSTATE {code})")


def _not_connected(text: str, name: str, error: BaseException) -> RespondError:
    """No connection came about. libpq gives its reason as text alone: only what is certain counts as a setting."""
    missing = "does not exist" in text and any(part in text for part in _MISSING)
    if missing or any(part in text for part in _REFUSALS):
        return _refused()
    if any(part in text for part in _NO_ADDRESS):
        return UsageError("state.url: not an address of a database server; correct its port or its options")
    if type(error).__name__ in ("OperationalError", "InterfaceError", "DisconnectionError"):
        if "too many" in text:
            return _away(_POSTGRES_AWAY["53300"])
        if "starting up" in text or "shutting down" in text or "recovery mode" in text:
            return _away("is starting up or shutting down")
        return _away("is not reachable; check that the server runs and that state.url names it")
    return StateUnusable(f"the state database refused a statement ({name})")


def _away(told: str) -> StateAway:
    return StateAway(f"the state database {told}")


def _refused() -> UsageError:
    return UsageError(
        "state.url: the database server refuses the user, its password or the name of the database; "
        "correct it, or create the role and the database"
    )


def _no_schema() -> StateUnusable:
    return StateUnusable(
        "the state database lacks tables or columns of this version; upgrade it, or run the version that made it"
    )


def _text(error: BaseException) -> str:
    """The text; of a refused model where and why, without the input."""
    told = getattr(error, "errors", None)
    if isinstance(error, ValueError) and callable(told) and hasattr(error, "title"):
        found = told(include_input=False, include_url=False, include_context=False)
        parts = (f"{'.'.join(map(str, one['loc'])) or error.title}: {one['type']}" for one in found[:3])
        return f"{error.title}: {'; '.join(parts)}"
    return " ".join(str(error).split())
