"""Which permissions the enabled actions need, and for what. Pure, but for reading the actions themselves.

A rung that the ladder never climbs needs nothing, and what would be read for it alone is not read either. Graph's own
permissions have no blank in them; the others are Azure roles, which no token names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from respond.clients.clouds import cloud_of
from respond.clients.ticketing.mail import PERMISSION
from respond.doctor.declared import Need, needs
from respond.models.ladder import Ladder, May, Rung
from respond.models.policy import Policy
from respond.settings import Settings, TicketsIn

_READ_FOR = {
    ("find_access", "UserAuthenticationMethod.Read.All"): (Rung.REMOVE_METHOD,),
    ("find_access", "Directory.Read.All"): (Rung.REMOVE_GRANT,),
    ("find_access", "MailboxSettings.Read"): (Rung.DISABLE_RULE,),
    ("find_added", "Directory.Read.All"): (
        Rung.DISABLE_DEVICE,
        Rung.DELETE_DEVICE,
        Rung.REMOVE_GRANT,
        Rung.DISABLE_APPLICATION,
        Rung.REMOVE_SECRET,
        Rung.REMOVE_ROLE,
    ),
}
"""What an action reads for the sake of some rungs."""

DANGEROUS = {
    "Directory.ReadWrite.All": "writes nearly everything in the directory",
    "RoleManagement.ReadWrite.Directory": "can make anybody a Global Administrator",
    "AppRoleAssignment.ReadWrite.All": "can grant itself every other permission",
    "Application.ReadWrite.All": "can take over every application",
    "User.ReadWrite.All": "writes every user; the actions need less",
    "Group.ReadWrite.All": "writes every group",
    "GroupMember.ReadWrite.All": "puts anybody into any group",
    "UserAuthenticationMethod.ReadWrite.All": "adds sign-in methods to anybody; the actions need less",
    "Policy.ReadWrite.ConditionalAccess": "can turn Conditional Access off",
    "Mail.Read": "reads every mailbox",
    "Mail.ReadWrite": "reads and writes every mailbox",
    "Files.Read.All": "reads every file",
    "Files.ReadWrite.All": "reads and writes every file",
    "Sites.FullControl.All": "owns every site",
    "full_access_as_app": "reads every mailbox",
}
"""Application permissions that reach far beyond this program, and how."""

_DIRECTORY = "Directory.ReadWrite.All"
_METHODS = "UserAuthenticationMethod.ReadWrite.All"
_REACH = {
    "DelegatedPermissionGrant.ReadWrite.All": (_DIRECTORY,),
    "Device.ReadWrite.All": (_DIRECTORY,),
    "Directory.Read.All": (_DIRECTORY,),
    "IdentityRiskyUser.Read.All": ("IdentityRiskyUser.ReadWrite.All",),
    "MailboxSettings.Read": ("MailboxSettings.ReadWrite",),
    "User.EnableDisableAccount.All": ("User.ReadWrite.All", _DIRECTORY),
    "User.Read.All": ("Directory.Read.All", "User.ReadWrite.All", _DIRECTORY),
    "UserAuthenticationMethod.Read.All": (_METHODS,),
}


def beyond(permission: str, held: Collection[str]) -> str:
    """A permission that is held and allows what this one does, and more; empty when there is none.

    Microsoft lists nothing that is wider than User.RevokeSessions.All for an application.
    https://learn.microsoft.com/graph/permissions-reference, and the page of each endpoint.
    """
    wider = (_METHODS,) if permission.startswith("UserAuthMethod-") else _REACH.get(permission, ())
    return next((name for name in wider if name in held), "")


FAR_REACHING = frozenset({"Application.ReadWrite.All", "RoleManagement.ReadWrite.Directory"})
"""Permissions of containment actions that reach so far that no default grant includes them."""

READS_FOR_WRITES = frozenset({"User.Read.All", "Directory.Read.All", "UserAuthenticationMethod.Read.All"})
"""Permissions that write actions declare for the reading identity: it looks before the other one writes."""


_ONLY_WHERE_NOTHING_LACKS = ("ThreatHunting.", "IdentityRisk")
"""Permissions for what `clouds.CLOUDS` says a cloud lacks."""

_TOGETHER = {"User.Read.All": "disable_account"}
"""A permission that one write is refused without, beside its own: https://learn.microsoft.com/graph/api/user-update"""


def is_graph(permission: str) -> bool:
    """Whether a token for Graph names it; the others are Azure roles."""
    return " " not in permission


def enabled(settings: Settings, policy: Policy) -> Mapping[str, list[Need]]:
    """Permission -> the actions that need it under this policy, sorted."""
    found: dict[str, list[Need]] = {}
    for need in _enabled(settings, policy.ladder):
        found.setdefault(need.permission, []).append(need)
    return dict(sorted(found.items()))


def optional(policy: Policy, needed: Mapping[str, Sequence[Need]]) -> frozenset[str]:
    """Those of the needed permissions that reach too far to be granted by default.

    Needed only by actions that ask a person first. Without one the action fails when it is approved, and the ticket has
    a person do it by hand. An action that the response plan carries out unasked (`auto`) needs its permission.
    """
    plans = (policy.ladder.malicious, policy.ladder.suspicious)
    unasked = {rung.value for rung in Rung if any(plan.of(rung) is May.AUTO for plan in plans)}
    found = {name: {need.action for need in needed[name]} for name in FAR_REACHING & needed.keys()}
    return frozenset(name for name, actions in found.items() if not actions & unasked)


def unneeded(settings: Settings, policy: Policy) -> Mapping[str, list[str]]:
    """Permission -> the actions that would need it, if the policy did not rule them out."""
    used = enabled(settings, policy)
    found: dict[str, list[str]] = {}
    for need in needs():
        if need.permission not in used:
            found.setdefault(need.permission, []).append(need.action)
    return found


def is_read(permission: str, why: Sequence[Need]) -> bool:
    """Whether the reading identity needs it."""
    return permission in READS_FOR_WRITES or not all(need.writes for need in why)


def is_write(permission: str, why: Sequence[Need]) -> bool:
    """Whether the writing identity needs it. An Azure role that allows both is needed by both."""
    if permission in READS_FOR_WRITES:
        return any(need.action == _TOGETHER.get(permission) for need in why)
    return any(need.writes for need in why)


def _enabled(settings: Settings, ladder: Ladder) -> Iterator[Need]:
    replies = settings.sentinel
    for need in needs():
        is_rung = need.action in set(Rung)
        rungs = (Rung(need.action),) if is_rung else _READ_FOR.get((need.action, need.permission), ())
        if rungs and not any(climbs(ladder, rung) for rung in rungs):
            continue
        if need.permission == "ThreatHunting.Read.All" and not settings.hunt.defender:
            continue
        if cloud_of(settings).lacks and need.permission.startswith(_ONLY_WHERE_NOTHING_LACKS):
            continue
        if need.action == "comment_incident" and not replies.comment:
            continue
        if need.action == "tag_incident" and not any(
            (replies.tag, replies.raise_severity, replies.activate, replies.close_benign)
        ):
            continue
        yield need
    if settings.tickets.system is TicketsIn.MAIL:
        yield Need(PERMISSION, "open_ticket", "One ticket for one case, as mail (tickets.system).", writes=True)


def climbs(ladder: Ladder, rung: Rung) -> bool:
    """Whether a verdict, or a survivor, ever calls for a rung."""
    answers = {ladder.malicious.of(rung), ladder.suspicious.of(rung)}
    if rung is Rung.DISABLE_ACCOUNT:
        answers.add(ladder.survived.disable_account)
    return answers != {May.NEVER}
