"""Which device code sign-ins, and who redeemed them? Both legs, by all four markers that the logs know.

The approving leg is in SigninLogs, the redeeming leg and its refreshes in AADNonInteractiveUserSignInLogs. Judging
the first alone means judging the victim's own laptop. Where neither carries a mark, the 50199 interrupt and Defender's
`Cmsi:Cmsi` hint at a device code; a hint alone accuses nobody.

A table that is not connected is a gap. In its place Defender is asked for what shares a CorrelationId or a session with
the sign-ins in question: that shows who else was at it, never that there was no device code. Without either table, and
with nothing from Defender, there is nothing to say and the run fails. A session that is only refreshed in the window is
followed back to its approval, as far as the history of the policy goes.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from respond.clients.kql import Value
from respond.clients.lanes import within
from respond.clients.rows import Row, read_confirmation, read_event, read_sign_in, text
from respond.clients.sources import query_text
from respond.errors import RespondError, TableMissing, Transient, passes
from respond.models.base import Gap
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.flows import fold, join_flows
from respond.models.signin import DEFENDER_TABLE, Leg, SignIn, SignIns
from respond.step import aside, clients, limit_of, process, read_action

APPROVALS = "SigninLogs"
REDEMPTIONS = "AADNonInteractiveUserSignInLogs"
MOST_ROWS = 20_000
"""Rows of one user that are judged: a client that refreshes every ten seconds makes half of that in a day."""
CONFIRMATIONS = DEFENDER_TABLE


@read_action("Log Analytics Reader", "ThreatHunting.Read.All", first=True)
async def hunt_device_code_signins(case: Case, *, people: Sequence[Account]) -> dict[str, SignIns]:
    """Every row that hints at a device code, with the rows that belong to it, by user id in lower case.

    Args:
        people: whom to look at; nobody means everybody, and the answer holds those who had something to show.

    Raises:
        TableMissing: the workspace has neither sign-in table, and Defender shows nothing in their place.
        Transient: only part of the rows came back, also after retries.
    """
    whose: dict[str, Value] = {"everyone": not people, "user_ids": tuple(who.id for who in people), **case.span}
    (approvals, missing, cut_off), (redemptions, missing_too, cut_too), (confirmations, unasked) = await asyncio.gather(
        _leg(case, "hunt_approvals", APPROVALS, whose),
        _leg(case, "hunt_redemptions", REDEMPTIONS, whose),
        _confirmations(case, whose),
    )
    gaps = [*missing, *missing_too]
    blind = [table for table in (APPROVALS, REDEMPTIONS) if table in {gap.source for gap in gaps}]
    if len(blind) > 1 and not confirmations:
        raise _nothing_to_say(unasked, asked=process().settings.hunt.defender)
    rows = _with_confirmations([*approvals, *redemptions], confirmations)
    linked, unlinked = await _linked(case, rows)
    logged = [row for row in [*rows, *linked] if row.table != CONFIRMATIONS]
    rows = _with_confirmations(logged, confirmations)
    events, unread = await _events(case, rows, blind)
    found, cut = _bounded(_by_user([*rows, *events]))
    # With nobody to show there still are gaps to tell, under no name.
    ids = [who.id.lower() for who in people] or list(found) or [""]
    told = tuple(dict.fromkeys([*gaps, *cut_off, *cut_too, *unasked, *unlinked, *unread]))
    return await aside(
        lambda: {user: SignIns(flows=join_flows(found.get(user, [])), gaps=(*told, *cut.get(user, ()))) for user in ids}
    )


def _bounded(found: Mapping[str, list[SignIn]]) -> tuple[dict[str, list[SignIn]], dict[str, tuple[Gap, ...]]]:
    """Each user's rows folded, as many as are judged: the oldest and the newest, and a gap that counts the others."""
    kept, cut = {user: fold(rows) for user, rows in found.items()}, dict[str, tuple[Gap, ...]]()
    for user, rows in kept.items():
        if (left_out := len(rows) - MOST_ROWS) > 0:
            half = MOST_ROWS // 2
            kept[user] = [*rows[:half], *rows[-half:]]
            reason = f"{len(rows):,} rows of one user: {left_out:,} between the oldest and the newest were not judged"
            cut[user] = (Gap(source="sign-ins", reason=reason),)
    return kept, cut


def _nothing_to_say(unasked: Sequence[Gap], *, asked: bool) -> TableMissing:
    shown = "; ".join(gap.reason for gap in unasked) or "shows no confirmed sign-in, which clears nobody"
    beside = f"; {CONFIRMATIONS} of Defender XDR, asked instead: {shown}" if asked else ""
    return TableMissing(
        f"the workspace has neither {APPROVALS} nor {REDEMPTIONS}: connect the sign-in logs of Entra ID to it{beside}"
    )


async def _leg(
    case: Case, query: str, table: str, values: Mapping[str, Value]
) -> tuple[list[SignIn], list[Gap], list[Gap]]:
    """The rows, what the workspace lacks, and what an answer of the greatest size left out: nobody is cleared then."""
    try:
        rows, gaps = await clients(case).places.ask(query, values, source=table, whole=True)
    except Transient as error:
        incomplete = f"{table}: the hunt is not complete: {error.message}"
        raise Transient(incomplete, retry_after=error.retry_after, until=error.until) from error
    cut = [Gap(source=table, reason=f"not all of the rows fit into an answer: {rows.partial}")] if rows.partial else []
    return await aside(lambda: [read_sign_in(row, text(row, "Source") or table) for row in rows]), gaps, cut


async def _confirmations(case: Case, values: Mapping[str, Value]) -> tuple[list[SignIn], list[Gap]]:
    """The fourth marker, where Defender XDR can be asked; a tenant without it loses a hint, not the hunt."""
    if not process().settings.hunt.defender:
        return [], []
    rows, gaps = await _of_defender(case, "hunt_confirmations", values, source=CONFIRMATIONS)
    return [read_confirmation(row) for row in rows], gaps


async def _events(case: Case, rows: Sequence[SignIn], blind: Sequence[str]) -> tuple[list[SignIn], list[Gap]]:
    """Defender's rows of the same sign-ins, where a table is missing that would have shown them."""
    ids = {
        "sessions": tuple(dict.fromkeys(row.session_id for row in rows if row.session_id)),
        "correlations": tuple(dict.fromkeys(row.correlation_id for row in rows if row.correlation_id)),
    }
    if not any(map(clients(case).places.may_ask_defender, blind)) or not any(ids.values()):
        return [], []
    whose: dict[str, Value] = {"user_ids": tuple(dict.fromkeys(row.user_id for row in rows)), **ids, **case.span}
    found, gaps = await _of_defender(case, "hunt_events", whose, source=f"{CONFIRMATIONS} (other leg)")
    marked = {row.correlation_id for row in rows if row.leg is not Leg.LINKED and row.correlation_id}
    had = {row.id for row in rows}
    events = [event for event in (read_event(row, marked=marked) for row in found) if event.id not in had]
    if events:
        limits = f"read in the place of {' and '.join(blind)}: it marks no device codes and not every refresh"
        gaps = [*gaps, Gap(source=CONFIRMATIONS, reason=limits)]
    return events, gaps


async def _of_defender(
    case: Case, query: str, values: Mapping[str, Value], *, source: str
) -> tuple[Sequence[Row], list[Gap]]:
    limit = limit_of("hunt_confirmations").total_seconds()
    try:
        async with within(limit):
            rows = await clients(case).defender.query(query_text(query, **values))
    except TimeoutError:
        return [], [Gap(source=source, reason=f"no answer within {limit:.0f} s", passes=True)]
    except RespondError as error:
        return [], [Gap(source=source, reason=error.message, passes=passes(error))]
    if rows.partial:
        return rows, [Gap(source=source, reason=f"only part of the rows came back: {rows.partial}")]
    return rows, []


def _with_confirmations(rows: list[SignIn], confirmations: Iterable[SignIn]) -> list[SignIn]:
    """Mark the rows that Defender saw confirmed; what the workspace does not have becomes a row of its own."""
    by_id = {row.id: row for row in confirmations}
    seen = {row.id for row in rows}
    marked = [row.model_copy(update={"confirmed": True}) if row.id in by_id else row for row in rows]
    return [*marked, *(row for row in by_id.values() if row.id not in seen)]


async def _linked(case: Case, rows: list[SignIn]) -> tuple[list[SignIn], list[Gap]]:
    """Approvals before the window of sessions that were only refreshed in it; legs that Defender alone marks."""
    flows = [flow for mine in _by_user(rows).values() for flow in join_flows(fold(mine))]
    orphans = [row for flow in flows if flow.redemptions and not flow.approvals for row in flow.redemptions]
    hints = [row for flow in flows for row in flow.rows if row.table == CONFIRMATIONS]
    sessions = tuple(dict.fromkeys(row.session_id for row in orphans if row.session_id))
    correlations = tuple(dict.fromkeys(row.correlation_id for row in hints if row.correlation_id))
    if not sessions and not correlations:
        return [], []
    known: dict[str, Value] = {
        "user_ids": tuple(dict.fromkeys(row.user_id for row in [*orphans, *hints])),
        "sessions": sessions,
        "correlations": correlations,
        "history": case.history_start,
        **case.span,
    }
    try:
        found, gaps, cut = await _leg(case, "hunt_linked", APPROVALS, known)
    except RespondError as error:
        return [], [Gap(source=f"{APPROVALS} (earlier approvals)", reason=error.message, passes=passes(error))]
    had = {(row.table, row.id) for row in rows}
    return [row for row in found if (row.table, row.id) not in had], [*gaps, *cut]


def _by_user(rows: Iterable[SignIn]) -> dict[str, list[SignIn]]:
    found: dict[str, list[SignIn]] = defaultdict(list)
    for row in rows:
        found[row.user_id.lower()].append(row)
    return found
