"""What was added to stay: what the logs name, matched with what Microsoft Graph lists. Pure.

Each logged change belongs to one item, which is about one object. What is matched can be ended by a write; what cannot
be matched is a person's, and so is what no call of Microsoft Graph ends.
"""

from __future__ import annotations

from collections.abc import Iterable

from respond.decision.added_applications import applications, roles
from respond.decision.added_devices import devices
from respond.decision.added_grants import grants
from respond.decision.added_methods import methods
from respond.decision.added_rules import rules
from respond.decision.ground import Ground
from respond.decision.items import Held, Item, additions, grouped, ids_of, said, shortened
from respond.models.evidence import Foothold, FootholdKind


def items(ground: Ground, held: Held) -> tuple[Item, ...]:
    """Everything that was added since the approval."""
    return (
        *devices(ground, held),
        *methods(ground, held),
        *grants(ground, held),
        *rules(ground, held),
        *applications(ground, held),
        *roles(ground, held),
        *_by_hand(ground),
    )


_BY_ID = (FootholdKind.DEVICE, FootholdKind.CONSENT, FootholdKind.APPLICATION, FootholdKind.ROLE)


def named(ground: Ground) -> tuple[Foothold, ...]:
    """Changes whose objects can be asked for by their ids."""
    return tuple(one for kind in _BY_ID for one in ground.changes(kind) if ground.is_tied(one))


_HANDS = {
    FootholdKind.POLICY: "a policy of the tenant was changed: compare it with what it was, and set it back by hand",
    FootholdKind.DOMAIN: "a domain of the tenant was changed: check its authentication and federation",
    FootholdKind.GUEST: "a guest was invited: find out whether anybody expects the guest, and block the account if not",
    FootholdKind.ACCOUNT: "an account was made, or let in by another password or less proof: find out whether anybody "
    "asked for it; if not, block it or reset its password, and end its sessions",
}
_FORWARDING = (
    "forwarding of the whole mailbox or the tenant, which only Exchange can end: Get-Mailbox, Get-TransportRule"
)
_MAIL_ACCESS = (
    "it lets somebody else read or send mail, which only Exchange can end: Get-MailboxPermission, "
    "Get-RecipientPermission, Get-MailboxFolderPermission, Get-JournalRule, Get-InboundConnector, Get-OutboundConnector"
)


def _by_hand(ground: Ground) -> Iterable[Item]:
    """What no containment action is there for."""
    for kind, todo in _HANDS.items():
        for group in grouped(ground.changes(kind), ids_of):
            if additions(group):
                yield Item(group, task=f"{said(group)}: {todo}", lists=False)
    for group in grouped(ground.changes(FootholdKind.MAIL_RULE), lambda _: set()):
        change = group[0]
        todo = _FORWARDING if change.is_forwarding else _MAIL_ACCESS if change.is_mail_access else ""
        if todo:
            reason = f", {shortened(change.reason)}" if change.reason else ""
            yield Item((change,), task=f"{said((change,))}{reason}: {todo}", lists=False)
