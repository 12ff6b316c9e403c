"""Disable the account: the last rung, where the attacker is still there or a person says so.

    PATCH /users/{id} {"accountEnabled": false}
    https://learn.microsoft.com/graph/api/user-update

Safe to repeat: an account that is disabled is left alone. Can be undone: it is enabled again.

Leaves open: access tokens already issued, outside continuous access evaluation. A synchronized account is enabled again
by the next synchronization, so it is left to those who run the directory that it comes from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respond.clients.graph_holdings import shown
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.ladder import Step
from respond.models.report import Request
from respond.rungs import Kit, Seen, Terms, rung
from respond.step import clients

if TYPE_CHECKING:
    from pydantic import JsonValue


async def _look(case: Case, account: Account, step: Step, before: Seen | None) -> Seen:  # noqa: ARG001 - of a rung
    now = await clients(case).graph.account(account.id)
    done = now.enabled is False
    refuse = ""
    if now.synced and not done:
        refuse = (
            f"{now.upn} is synchronized from a directory on premises, which would enable it again: disable it there, "
            "by hand or with Defender for Identity"
        )
    return Seen(
        done=done, says="disabled" if done else "enabled", before={"accountEnabled": now.enabled}, refuse=refuse
    )


def _ask(case: Case, account: Account, step: Step) -> Request:  # noqa: ARG001 - of a rung
    return shown(clients(case).graph.holdings.set_account(account.id, enabled=False))


async def _restore(case: Case, account: Account, step: Step, before: dict[str, JsonValue]) -> Request | None:
    """Enable it again, if it was."""
    if (await clients(case).graph.account(account.id)).enabled == before["accountEnabled"]:
        return None
    request = clients(case).graph.holdings.set_account(account.id, enabled=bool(before["accountEnabled"]))
    if not case.is_dry_run:
        await clients(case).graph.holdings.send(request, about=f"user {step.label}")
    return shown(request)


KIT = Kit(
    look=_look,
    ask=_ask,
    restore=_restore,
    terms=Terms(
        costs="locks the user out of everything until somebody enables the account",
        leaves="access tokens already issued, outside continuous access evaluation",
        undo="PATCH accountEnabled back to true",
        done="account disabled",
        forbidden="an administrator's account takes more than that: Privileged Authentication Administrator or a "
        "Global Administrator has to disable it by hand",
    ),
)


@rung(KIT, "User.Read.All", "User.EnableDisableAccount.All")
async def disable_account(case: Case, *, account: Account, step: Step) -> None:
    """Refuse every sign-in of the user.

    Raises:
        NotFound: the user does not exist (any more).
        Forbidden: a permission was not granted, or the user is an administrator.
        Transient: throttled or unreachable, after retries.
    """
    graph = clients(case).graph.holdings
    await graph.send(graph.set_account(account.id, enabled=False), about=f"user {step.label}")
