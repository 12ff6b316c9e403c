"""What was done with the token? Calls to Graph, mail and files, joined by token id and session when it is judged.

MicrosoftGraphActivityLogs arrives up to two hours late and has to be switched on; no row proves nothing. Mail to many
people outside is read from the mail trace, which names no token.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from respond.clients.degrade import replaced
from respond.clients.log_answer import Rows
from respond.clients.places import GRAPH_CALLS, GRAPH_CALLS_THERE
from respond.clients.rows import Row, address, moment, text
from respond.clients.sources import Inquiry, query_text
from respond.errors import TableMissing
from respond.models.case import Case
from respond.models.evidence import Account, SentMail, TokenUse, TokenUses
from respond.step import aside, clients, inquiry, read_action

_TRACE = "EmailEvents"
_ALSO_CALLED = "GraphApiAuditEvents"


@read_action("Log Analytics Reader", "ThreatHunting.Read.All")
async def find_token_use(case: Case, *, people: Sequence[Account]) -> dict[str, TokenUses]:
    """What the tokens and sessions of each user were used for within the window, by user id in lower case."""
    asking = inquiry(case, "find_token_use")
    ids, upns = tuple(who.id for who in people), tuple(name for who in people for name in who.upns)
    rows = await asking.ask(
        "find_token_use",
        source="MicrosoftGraphActivityLogs",
        user_ids=ids,
        upns=upns,
        least=case.policy.correlation.mass_recipients,
        history=case.history_start,
        **case.aftermath,
    )
    owners = {name.lower(): who.id.lower() for who in people for name in (who.id, *who.upns)}
    mails = [row for row in rows if text(row, "Source") == _TRACE]
    calls: list[Row] = [row for row in rows if text(row, "Source") != _TRACE]
    if not rows.partial:
        calls += await _of_defender(case, asking, ids)
    uses, sent = await aside(_uses, calls, owners), _sent(mails, owners)
    return {
        user: TokenUses(uses=tuple(uses[user]), mass_mails=tuple(sent[user]), gaps=asking.gaps)
        for user in (who.id.lower() for who in people)
    }


async def _of_defender(case: Case, asking: Inquiry, ids: tuple[str, ...]) -> Sequence[Row]:
    """Defender's rows of the calls to Graph, where the workspace has none."""
    places = clients(case).places
    if GRAPH_CALLS not in {gap.source for gap in asking.gaps} or not places.may_ask_defender(GRAPH_CALLS):
        return []
    query = query_text("find_graph_calls", user_ids=ids, **case.aftermath)

    async def either() -> Rows:
        try:
            return await places.defender.query(query)
        except TableMissing:
            return await places.defender.query(replaced(query, GRAPH_CALLS_THERE, _ALSO_CALLED))

    return await asking.within(GRAPH_CALLS_THERE, either)


def _uses(rows: Sequence[Row], owners: Mapping[str, str]) -> dict[str, list[TokenUse]]:
    uses: dict[str, list[TokenUse]] = defaultdict(list)
    # What came from two places is put in order again.
    for row in sorted(rows, key=lambda row: moment(row, "First")):
        uses[owners.get(text(row, "User").lower(), "")].append(_use(row))
    return uses


def _sent(rows: Sequence[Row], owners: Mapping[str, str]) -> dict[str, list[SentMail]]:
    sent: dict[str, list[SentMail]] = defaultdict(list)
    for row in rows:
        user = owners.get(text(row, "User").lower()) or owners.get(text(row, "Sender").lower(), "")
        sent[user].append(_mail(row))
    return sent


def _mail(row: Row) -> SentMail:
    return SentMail(
        id=text(row, "Message"), at=moment(row, "First"), subject=text(row, "Subject"), outsiders=int(row["Outsiders"])
    )


def _use(row: Row) -> TokenUse:
    return TokenUse(
        token=text(row, "Token"),
        session=text(row, "Session"),
        ip=address(row, "Address"),
        user_agent=text(row, "Agent"),
        calls=row["Calls"],
        writes=row["Writes"],
        directory=row["Directory"],
        content=row["Content"],
        sensitive=row["Sensitive"],
        sent=row["Sent"],
        first=moment(row, "First"),
        last=moment(row, "Last"),
        table=text(row, "Source"),
    )
