"""What was done with the token? Calls to Microsoft Graph, joined by token id and session.

MicrosoftGraphActivityLogs arrives up to two hours late and has to be switched on; no row proves nothing.
"""

from __future__ import annotations

from respond.clients.rows import moment, text
from respond.clients.sources import ask
from respond.models.base import Gap
from respond.models.case import Case
from respond.models.evidence import TokenUse, TokenUses
from respond.models.signin import SignIns
from respond.step import clients, read_action


@read_action("Log Analytics Reader")
async def find_token_use(case: Case, *, signins: SignIns) -> TokenUses:
    """Calls with the tokens and sessions of every completed device code sign-in."""
    gaps: list[Gap] = []
    rows = [row for flow in signins.completed for row in flow.successes]
    found = await ask(
        clients(case).logs,
        "find_token_use",
        source="MicrosoftGraphActivityLogs",
        gaps=gaps,
        user_id=rows[0].user_id,
        tokens=tuple(dict.fromkeys(row.token_id for row in rows if row.token_id)),
        sessions=tuple(dict.fromkeys(row.session_id for row in rows if row.session_id)),
        **case.span,
    )
    uses = tuple(
        TokenUse(
            token=text(row, "SignInActivityId"),
            session=text(row, "SessionId"),
            ip=text(row, "IPAddress").lower(),
            user_agent=text(row, "UserAgent"),
            calls=row["Calls"],
            writes=row["Writes"],
            directory=row["Directory"],
            content=row["Content"],
            first=moment(row, "First"),
            last=moment(row, "Last"),
        )
        for row in found
    )
    return TokenUses(uses=uses, gaps=tuple(gaps))
