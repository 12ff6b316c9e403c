"""What `respond doctor` has found."""

from __future__ import annotations

from enum import StrEnum

from respond.models.base import Line, Model


class Health(StrEnum):
    """How a part of the installation is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    SKIPPED = "skipped"


class Result(Model):
    """One line of the table.

    Attributes:
        group: of checks that belong together; the runner fills it in.
        name: what was looked at.
        found: what is so.
        todo: what to do about it; empty where there is nothing.
    """

    group: str = ""
    name: str
    status: Health
    found: Line
    todo: Line = ""


class Checkup(Model):
    """All of it."""

    tenant: str
    mode: str
    config: str
    results: tuple[Result, ...]

    def count(self, status: Health) -> int:
        return sum(result.status is status for result in self.results)

    @property
    def code(self) -> int:
        """Exit code: 1 when something is wrong; a warning is not."""
        return int(self.count(Health.ERROR) > 0)


def ok(name: str, found: str, todo: str = "") -> Result:
    """It is as it should be."""
    return Result(name=name, status=Health.OK, found=found, todo=todo)


def warning(name: str, found: str, todo: str) -> Result:
    """It works, but less well than it could, or not for long."""
    return Result(name=name, status=Health.WARNING, found=found, todo=todo)


def error(name: str, found: str, todo: str) -> Result:
    """It does not work."""
    return Result(name=name, status=Health.ERROR, found=found, todo=todo)


def skipped(name: str, found: str, todo: str = "") -> Result:
    """It was not looked at, and why."""
    return Result(name=name, status=Health.SKIPPED, found=found, todo=todo)
