"""What a tenant is set to as a whole."""

from __future__ import annotations

from datetime import datetime

from respond.models.base import Line, Model


class Credential(Model):
    """What an application signs in with.

    Attributes:
        kind: `certificate` or `secret`.
        ends: when it expires, UTC.
    """

    kind: str
    name: Line
    ends: datetime


class AccessPolicy(Model):
    """A Conditional Access policy, as far as it is about how people sign in.

    https://learn.microsoft.com/graph/api/resources/conditionalaccesspolicy

    Attributes:
        state: `enabled`, `disabled`, or `enabledForReportingButNotEnforced`.
        flows: transfer methods it applies to, such as `deviceCodeFlow`.
        everybody: it includes all users.
        everything: it includes all applications.
        excluded: how many users, groups and roles are let off.
    """

    name: Line
    state: str
    blocks: bool
    flows: tuple[str, ...]
    everybody: bool
    everything: bool
    excluded: int

    @property
    def is_about_device_codes(self) -> bool:
        return self.blocks and "deviceCodeFlow" in {flow.strip() for flow in self.flows}
