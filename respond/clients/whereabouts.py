"""Where each table of `[sources]` is read now: for those who look at a tenant, not for those who look at a case."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from respond.clients.places import GRAPH_CALLS, GRAPH_CALLS_THERE, SIGN_INS, Places
from respond.errors import RespondError, TableMissing
from respond.models.signin import DEFENDER_TABLE
from respond.settings import Place, Sources


class Where(StrEnum):
    WORKSPACE = "workspace"
    DEFENDER = "defender"
    NEITHER = "neither"


class Whereabouts(NamedTuple):
    """Where a table is read.

    Attributes:
        reason: what was said where it is not; empty where it is in the first place that was asked.
    """

    table: str
    where: Where
    reason: str


async def whereabouts(places: Places) -> tuple[Whereabouts, ...]:
    """Every table of `[sources]`, found out by asking for one row of each.

    Raises:
        RespondError: the workspace does not answer.
    """
    return tuple([await where_is(places, table) for table in Sources.model_fields])


async def where_is(places: Places, table: str) -> Whereabouts:
    """One table; of sign-ins, whether Defender has its own table of them.

    Raises:
        RespondError: the workspace does not answer.
    """
    reason = f"sources.{table} is {Place.DEFENDER}"
    if places.sources.of(table) is not Place.DEFENDER:
        try:
            await places.logs.query(f"{table} | take 1")
        except TableMissing as error:
            reason = error.message
        else:
            return Whereabouts(table, Where.WORKSPACE, "")
    if not places.may_ask_defender(table):
        return Whereabouts(table, Where.NEITHER, reason)
    theirs = {**dict.fromkeys(SIGN_INS, DEFENDER_TABLE), GRAPH_CALLS: GRAPH_CALLS_THERE}.get(table, table)
    try:
        await places.defender.query(f"{theirs} | take 1")
    except RespondError as error:
        return Whereabouts(table, Where.NEITHER, f"{reason}; {error.message}")
    return Whereabouts(table, Where.DEFENDER, reason)
