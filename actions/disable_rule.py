"""Switch an inbox rule off that was made since the approval. It stays where it is, for whoever investigates.

    PATCH /users/{id}/mailFolders/inbox/messageRules/{rule id} {"isEnabled": false}
    https://learn.microsoft.com/graph/api/messagerule-update

Safe to repeat: a rule that is off is left alone. Can be undone: it is switched on again.

Leaves open: mail that it moved or forwarded before; hidden rules, which Graph does not list; forwarding of the whole
mailbox, which only Exchange can end (Set-Mailbox).
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
    rule = await clients(case).graph.holdings.rule(account.id, step.object)
    refuse = ""
    if rule.read_only and rule.enabled:
        refuse = (
            f"the rule {rule.name} is read-only, and Microsoft Graph changes none of those: remove it in Exchange "
            f"(Remove-InboxRule, Get-InboxRule -IncludeHidden)"
        )
    return Seen(
        done=not rule.enabled,
        says="on" if rule.enabled else "switched off",
        before={"isEnabled": rule.enabled},
        refuse=refuse,
    )


async def _back(case: Case, account: Account, step: Step, before: dict[str, JsonValue]) -> RequestInformation | None:
    """Switch it on again, if it was."""
    if (await clients(case).graph.holdings.rule(account.id, step.object)).enabled == before["isEnabled"]:
        return None
    return clients(case).graph.holdings.set_rule(account.id, step.object, enabled=bool(before["isEnabled"]))


KIT = Kit(
    look=_look,
    back=_back,
    terms=Terms(
        costs="the rule does nothing more",
        leaves="mail that it moved or forwarded before",
        undo="PATCH isEnabled back to true",
        done="switched off",
    ),
)


@rung(KIT, "MailboxSettings.ReadWrite")
def disable_rule(case: Case, *, account: Account, step: Step) -> RequestInformation:
    """Stop one inbox rule.

    Raises:
        NotFound: the rule does not exist (any more).
        Forbidden: the permission was not granted, or an access policy keeps the mailbox from us.
        Transient: throttled or unreachable, after retries.
    """
    return clients(case).graph.holdings.set_rule(account.id, step.object, enabled=False)
