"""Who delivered, and how we know."""

from __future__ import annotations

from enum import StrEnum

from respond.models.base import Model


class How(StrEnum):
    OBJECT_ID = "object-id"
    APP_ROLE = "app-role"
    SIGNATURE = "signature"
    LAB = "lab"


class Caller(Model):
    """An admitted sender.

    Attributes:
        id: object id of the identity that a token names; `shared-secret` for a signature, `anonymous` in the lab.
    """

    id: str
    how: How
