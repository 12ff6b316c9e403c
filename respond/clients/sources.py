"""Asking one log source: its rows, or a named gap. Evidence that cannot be had never reads as evidence of nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respond.clients.kql import Value, bind, load
from respond.errors import RespondError, UsageError
from respond.models.base import Gap
from respond.settings import shipped_config

if TYPE_CHECKING:
    from collections.abc import MutableSequence

    from respond.clients.logs import Logs, Rows


def query_text(name: str, **values: Value) -> str:
    """One query of `config/queries`, with its values bound.

    Raises:
        BadQuery: a value that no query can carry.
        UsageError: there is no such query.
    """
    path = shipped_config() / "queries" / f"{name}.kql"
    if not path.is_file():
        raise UsageError(f"{path} does not exist; the installation is incomplete")
    return bind(load(path), values)


async def ask(logs: Logs, name: str, *, source: str, gaps: MutableSequence[Gap], **values: Value) -> Rows:
    """Run a query of ours. A source that is missing, partial, late or refused is added to `gaps`.

    Args:
        source: the table that the gap is named after.
    """
    from respond.clients.logs import Rows

    try:
        rows = await logs.query(query_text(name, **values))
    except RespondError as error:
        gaps.append(Gap(source=source, reason=error.message))
        return Rows()
    if rows.partial:
        gaps.append(Gap(source=source, reason=f"only part of the rows came back: {rows.partial}"))
    return rows
