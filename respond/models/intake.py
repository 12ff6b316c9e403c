"""What makes somebody look at a user: a delivery, the schedule, a person. And who has the turn to look."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from respond.models.base import Gap, Model, OpenEnum, Utc
from respond.models.evidence import Account
from respond.models.notice import Notice


class Trigger(OpenEnum):
    """Which way a case came to us."""

    COMMAND = "command"
    WEBHOOK = "webhook"
    SCHEDULE = "schedule"


class Sighting(Model):
    """When one path brought what a case is about.

    Attributes:
        ref: what brought it: a delivery, a round of the schedule, a run.
        incident: ARM id of the incident it belongs to, or empty.
    """

    path: Trigger
    ref: str
    at: Utc
    incident: str = ""


class Delivery(Model):
    """One accepted delivery, as it is kept until every user it is about has been answered.

    Attributes:
        key: the same for every retry of the sender.
        digest: the same for every delivery that says the same about the same incident; empty: like no other.
        at: when it was received.
        by: who delivered it.
        patience: how long an incident that names nobody is read again.
    """

    tenant: str
    key: str
    digest: str
    path: Trigger
    at: Utc
    by: str
    notice: Notice
    patience: timedelta = timedelta(0)

    @property
    def sighting(self) -> Sighting:
        return Sighting(path=self.path, ref=self.key, at=self.at, incident=self.notice.incident)


class Begun(Model):
    """A delivery that is not answered yet.

    Attributes:
        number: of the try to answer it, from 0: an incident that names nobody is tried again later.
        asked: whether its users are known, and each of them is in somebody's turn.
    """

    delivery: Delivery
    number: int
    asked: bool


class Accepted(Model):
    """What became of a delivery at the door.

    Attributes:
        key: of the delivery that does the work: this one, or the earlier one that it repeats.
        duplicate: nothing new has to be done for it.
        cases: cases that it is known to be about so far.
    """

    key: str
    duplicate: bool
    cases: tuple[str, ...] = ()


class Ask(Model):
    """One user that one delivery asks about."""

    user_id: str
    since: Utc
    sighting: Sighting


class Round(Model):
    """One look at a user, which answers everybody who has asked until then.

    Attributes:
        since: the earliest moment that any of them asks about.
        first: when the first of them was received.
    """

    run: str
    user_id: str
    since: Utc
    first: Utc
    now: Utc
    sightings: tuple[Sighting, ...]


class Rounds(Model):
    """The users whose turn it is to be looked at by the one who asked; the others are being looked at."""

    mine: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


class Unanswered(Model):
    """Somebody that a delivery names and nobody could answer for, and why."""

    label: str
    reason: str
    candidates: tuple[str, ...] = Field(default=(), description="accounts that it could have been")


class Replies(Model):
    """What is written back to incidents; copied from the settings when a run starts."""

    comment: bool
    tag: bool
    raise_severity: bool
    activate: bool
    close_benign: bool


class FreshUsers(Model):
    """Users whose device code rows arrived in a span of time.

    Attributes:
        rows: keys of these rows by user id.
        whole: whether everything that arrived could be seen; otherwise the span is looked at again.
    """

    people: tuple[Account, ...] = ()
    rows: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    whole: bool = True
