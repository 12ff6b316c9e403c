"""What is usual? Where the users sign in from, with which apps, on which days, and with which device codes.

Read up to now; what counts for a sign-in is cut off before it when it is judged, so that what an attacker does
afterwards never becomes usual.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from respond.clients.rows import Row, address, moment, text, texts
from respond.models.case import Case
from respond.models.evidence import Account, History, Visit
from respond.step import aside, inquiry, read_action


@read_action("Log Analytics Reader")
async def find_usual_places(case: Case, *, people: Sequence[Account]) -> dict[str, History]:
    """The visits of each user over the history of the policy, by user id in lower case."""
    asking = inquiry(case, "find_usual_places")
    rows = await asking.ask(
        "find_usual_places",
        source="SigninLogs (history)",
        user_ids=tuple(who.id for who in people),
        **{"from": case.history_start, "to": case.window.end},
    )
    visits = await aside(_visits, rows)
    unread = bool(rows.partial)
    return {
        user: History(visits=tuple(visits[user]), unread=unread, gaps=asking.gaps)
        for user in (who.id.lower() for who in people)
    }


def _visits(rows: Sequence[Row]) -> dict[str, list[Visit]]:
    visits: dict[str, list[Visit]] = defaultdict(list)
    for row in rows:
        visits[text(row, "UserId").lower()].append(_visit(row))
    return visits


def _visit(row: Row) -> Visit:
    return Visit(
        first=moment(row, "First"),
        last=moment(row, "Last"),
        ip=address(row, "IPAddress"),
        asn=text(row, "AutonomousSystemNumber"),
        country=text(row, "Country").upper(),
        app_id=text(row, "AppId").lower(),
        session=text(row, "Session").lower(),
        is_device_code=bool(row["IsDeviceCode"]),
        is_approving=bool(row["IsApproving"]),
        sign_ins=row["SignIns"],
        first_managed=moment(row, "FirstManaged") if row["FirstManaged"] else None,
        codes=frozenset(code.lower() for code in texts(row, "Codes") if code.strip("0-")),
    )
