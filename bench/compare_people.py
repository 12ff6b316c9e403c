"""The people that a scenario says the right verdict on, and the names that log rows know them by."""

from __future__ import annotations

from dataclasses import dataclass

from respond.lab.scenario import Scenario
from respond.models.report import VerdictKind

_SIGN_INS = ("SigninLogs", "AADNonInteractiveUserSignInLogs")


@dataclass(frozen=True)
class Person:
    """One of them.

    Attributes:
        scenario: name of its directory.
        label: the verdict a good analyst would reach.
    """

    scenario: str
    upn: str
    label: VerdictKind


def labelled(story: Scenario) -> dict[Person, frozenset[str]]:
    """The labelled people, each with every name that a query may return, in lower case."""
    return {
        Person(story.path.name, upn, VerdictKind(expected["verdict"])): _names(story, upn.lower())
        for upn, expected in story.expect.items()
    }


def _names(story: Scenario, upn: str) -> frozenset[str]:
    """Object id, UPNs and mail addresses: a guest's rows carry the home tenant's UPN, and mail knows no UPN at all."""
    names = {upn}
    for user in story.directory.get("users", []):
        if user["userPrincipalName"].lower() == upn:
            addresses = [user.get("mail") or "", *user.get("otherMails", ()), *user.get("proxyAddresses", ())]
            names |= {user["id"].lower(), *(address.lower().removeprefix("smtp:") for address in addresses)}
    for table in _SIGN_INS:
        for row in story.tables.get(table, []):
            if row.get("UserId", "").lower() in names:
                names.add(row.get("UserPrincipalName", "").lower())
    return frozenset(names - {""})
