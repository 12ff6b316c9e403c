"""What colleagues redeemed at an address: before today, and today beside the user. Pure.

Only codes that a managed device approved are counted, and of nobody who followed a lure: an attacker's server has
victims, and their codes must not explain the next one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from respond.models.evidence import AddressDay, CodeUse, SharedAddresses
from respond.models.policy import Policy
from respond.models.signin import Leg

_VERSION = re.compile(r"[\d.]+")


def client_of(agent: str) -> str:
    """A user agent without its versions, so that an update makes no other client."""
    return _VERSION.sub("", agent).lower()


def colleagues(
    days: Sequence[AddressDay], shared: SharedAddresses, me: str, today: datetime, policy: Policy
) -> Iterable[CodeUse]:
    """What others redeemed at one address on earlier days, by app and client; nothing while lures cannot be read."""
    if shared.lures_unread:
        return
    grouped: dict[tuple[str, str], list[AddressDay]] = defaultdict(list)
    for day in days:
        if day.leg is Leg.REDEEMING and today - policy.usual.history <= day.day < today:
            grouped[day.app_id, client_of(day.agent)].append(day)
    for (app_id, agent), found in grouped.items():
        # One row may hold several names: where one of them followed a lure, none of the row is counted.
        clean = [day for day in found if day.users - {me} and not day.names & shared.lured]
        if clean:
            who = frozenset().union(*(day.users for day in clean)) - {me}
            yield CodeUse(
                app_id=app_id,
                agent=agent,
                users=len(who),
                days=len({day.day for day in clean}),
                first=min(day.day for day in clean),
                who=who,
            )


def batches(days: Sequence[AddressDay], me: str, today: datetime) -> dict[str, int]:
    """Apps, and how many others approved a code for them on a managed device and redeemed it, both here and today."""
    legs: dict[str, dict[Leg, set[str]]] = defaultdict(lambda: defaultdict(set))
    for day in days:
        if day.leg and day.day >= today:
            legs[day.app_id][day.leg] |= day.users - {me}
    both = {app: len(users[Leg.APPROVING] & users[Leg.REDEEMING]) for app, users in legs.items()}
    return {app: count for app, count in sorted(both.items()) if count}
