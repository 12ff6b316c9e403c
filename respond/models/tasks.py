"""What is left for a person to do, because no API does it."""

from __future__ import annotations

from respond.models.base import Gap, Model, Utc


class Recipient(Model):
    """Somebody who was delivered a message with a lure's link.

    Attributes:
        location: where Defender says that it lies now.
        message: its NetworkMessageId.
    """

    at: Utc
    address: str
    sender: str
    subject: str
    location: str
    message: str


class Recipients(Model):
    people: tuple[Recipient, ...] = ()
    gaps: tuple[Gap, ...] = ()
