"""Disable the account: the last rung, where the attacker is still there or a person says so.

    PATCH /users/{id} {"accountEnabled": false}
    https://learn.microsoft.com/graph/api/user-update

Safe to repeat: an account that is disabled is left alone. Can be undone: it is enabled again.

Leaves open: access tokens already issued, outside continuous access evaluation. A synchronized account is enabled again
by the next synchronization, so it is left to those who run the directory that it comes from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.ladder import Step
from respond.rungs import Kit, Seen, Terms, rung
from respond.step import clients

if TYPE_CHECKING:
    from kiota_abstractions.request_information import RequestInformation
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


async def _back(case: Case, account: Account, step: Step, before: dict[str, JsonValue]) -> RequestInformation | None:  # noqa: ARG001 - of a rung
    """Enable it again, if it was."""
    if (await clients(case).graph.account(account.id)).enabled == before["accountEnabled"]:
        return None
    return clients(case).graph.holdings.set_account(account.id, enabled=bool(before["accountEnabled"]))


KIT = Kit(
    look=_look,
    back=_back,
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
def disable_account(case: Case, *, account: Account, step: Step) -> RequestInformation:  # noqa: ARG001 - of a rung
    """Refuse every sign-in of the user.

    Raises:
        NotFound: the user does not exist (any more).
        Forbidden: a permission was not granted, or the user is an administrator.
        Transient: throttled or unreachable, after retries.
    """
    return clients(case).graph.holdings.set_account(account.id, enabled=False)
