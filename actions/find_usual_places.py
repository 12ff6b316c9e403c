"""What is usual? Where the user signs in from, with which apps, and how common the addresses are in the tenant.

Read up to the first sign-in in question, not up to now: what an attacker does afterwards must not become usual.
"""

from __future__ import annotations

import asyncio

from respond.clients.kql import Value
from respond.clients.rows import moment, text, texts
from respond.clients.sources import ask
from respond.models.base import Gap
from respond.models.case import Case
from respond.models.evidence import AddressUse, Place, UsualPlaces
from respond.models.signin import SignIns
from respond.step import clients, read_action


@read_action("Log Analytics Reader")
async def find_usual_places(case: Case, *, signins: SignIns) -> UsualPlaces:
    """The user's places over the history of the policy, and other users of the same addresses."""
    gaps: list[Gap] = []
    logs = clients(case).logs
    user_id = signins.rows[0].user_id
    history = case.policy.usual.history
    before = min(row.at for row in signins.rows)
    own: dict[str, Value] = {"from": before - history, "before": before}
    # What others do is not the attacker's doing, and may be read up to the first row of the window.
    recent = min((row.at for row in signins.rows if row.at >= case.window.start), default=before)
    others: dict[str, Value] = {"from": recent - history, "before": recent}
    sessions = tuple(dict.fromkeys(row.session_id for row in signins.rows if row.session_id))
    places, tenant = await asyncio.gather(
        ask(
            logs,
            "find_usual_places",
            source="SigninLogs (history)",
            gaps=gaps,
            user_id=user_id,
            sessions=sessions,
            **own,
        ),
        ask(
            logs,
            "find_address_use",
            source="SigninLogs (tenant)",
            gaps=gaps,
            user_id=user_id,
            addresses=signins.addresses,
            **others,
        ),
    )
    return UsualPlaces(
        places=tuple(
            Place(
                ip=text(row, "IPAddress").lower(),
                asn=text(row, "AutonomousSystemNumber"),
                country=text(row, "Country").upper(),
                app_id=text(row, "AppId").lower(),
                sign_ins=row["SignIns"],
                days=frozenset(texts(row, "Days")),
                device_code_days=frozenset(filter(None, texts(row, "CodeDays"))),
                device_code_sessions=frozenset(filter(None, texts(row, "CodeSessions"))),
                managed=row["Managed"],
                last=moment(row, "Last"),
            )
            for row in places
        ),
        tenant=tuple(
            AddressUse(ip=text(row, "IPAddress").lower(), users=row["Users"], days=row["Days"]) for row in tenant
        ),
        days=history.days,
        gaps=tuple(gaps),
    )
