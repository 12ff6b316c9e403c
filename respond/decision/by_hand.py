"""What a person has to do where no call of respond does it: what, and where in the admin centers. Pure.

Places are named by their way through the menus: texts with attackers' names in them carry no link that can be followed.
https://learn.microsoft.com/entra/identity-platform/howto-remove-app
https://learn.microsoft.com/entra/id-governance/privileged-identity-management/pim-how-to-add-role-to-user
"""

from __future__ import annotations

from collections.abc import Sequence

from respond.decision.items import additions, shortened
from respond.models.evidence import Foothold
from respond.models.holdings import Application

CENTER = "Entra admin center (entra.microsoft.com)"
_REGISTERED = f"{CENTER} > Entra ID > App registrations > All applications"
_ENTERPRISE = f"{CENTER} > Entra ID > Enterprise applications > All applications"
_PIM = f"{CENTER} > ID Governance > Privileged Identity Management > Microsoft Entra roles > Assignments"


def on_application(changes: Sequence[Foothold], app: Application) -> str:
    """What is to be taken away from an application that was there before the attack, and where."""
    what = " ".join(change.what.lower() for change in additions(changes))
    name = shortened(app.name) or app.ids[0]
    places = []
    if "owner" in what:
        kind = _ENTERPRISE if "service principal" in what else _REGISTERED
        places.append(f"remove the owner that was added, who can add secrets at any time: {kind} > {name} > Owners")
    if "federated" in what:
        places.append(
            "delete the federated credential that was added, with which somebody signs in without any secret: "
            f"{_REGISTERED} > {name} > Certificates & secrets > Federated credentials"
        )
    if "app role assignment" in what:
        places.append(f"revoke the permission that was granted: {_ENTERPRISE} > {name} > Permissions")
    if not places:
        places.append(
            f"look at owners, keys, federated credentials and permissions of {name}, and delete what was added: "
            f"{_REGISTERED} > {name} > Certificates & secrets, and Owners"
        )
    return "; ".join(places)


def on_role(changes: Sequence[Foothold]) -> str:
    """Where a role assignment is found that is not listed as an active one."""
    what = " ".join(change.what.lower() for change in additions(changes))
    names = list(dict.fromkeys(name for change in changes for name in change.names))
    role = shortened(" for ".join(names)) or "the role"
    if "eligible" in what:
        return (
            f"an eligible assignment is not active, and its holder can activate it at any time: remove {role}: "
            f"{_PIM} > Eligible assignments"
        )
    return (
        f"no active assignment is listed: it may be an eligible, scoped or expired one: look for {role}: {_PIM} > "
        "Eligible, Active and Expired assignments"
    )
