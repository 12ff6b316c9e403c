"""A case: one person, one need for a response. And the claims that keep it one, however it arrives."""

from __future__ import annotations

import base64
import hashlib

from respond.models.base import Model, OpenEnum, Utc
from respond.models.evidence import Account
from respond.models.intake import Replies, Sighting, Trigger
from respond.models.policy import Policy


class Mode(OpenEnum):
    LIVE = "live"
    DRY_RUN = "dry-run"


class Window(Model):
    """From when to when the hunt looks, UTC."""

    start: Utc
    end: Utc


class Case(Model):
    """What a run knows from its trigger on. `id` is empty until the hunt has shown which case this is.

    Attributes:
        account: the user, where the trigger has looked them up already.
        sightings: who brought it: the deliveries, rounds or commands that this run answers.
        replies: what is written back to the incidents among them.
        read_again: as the claim of the case says.
        batch: what one limit on people holds for: a delivery, or a round of the schedule; empty: this run alone.
        notifies: notices are sent about it.
        watch: number of the look after a containment; 0: none.
        tenant_users: how many users the tenant has; None while nobody knows.
    """

    run: str
    id: str = ""
    mode: Mode
    tenant: str
    who: str
    window: Window
    started: Utc
    policy: Policy
    act_early: bool = True
    account: Account | None = None
    sightings: tuple[Sighting, ...] = ()
    replies: Replies | None = None
    read_again: bool = False
    batch: str = ""
    tenant_users: int | None = None
    watch: int = 0
    notifies: bool = False

    @property
    def trigger(self) -> Trigger:
        """What made us look first."""
        return self.sightings[0].path if self.sightings else Trigger.COMMAND

    @property
    def is_dry_run(self) -> bool:
        return self.mode is Mode.DRY_RUN

    @property
    def history_start(self) -> Utc:
        return self.window.start - self.policy.usual.history

    @property
    def mail_start(self) -> Utc:
        """Messages are read from here: for one user as far back as a session can be followed, for many a few days."""
        start = self.history_start if self.who else self.window.start
        return start - self.policy.correlation.mail_before

    @property
    def aftermath(self) -> dict[str, Utc]:
        """What a token was used for, and what was added: for one user as far back as a session can be followed."""
        return {"from": self.history_start if self.who else self.window.start, "to": self.window.end}

    @property
    def span(self) -> dict[str, Utc]:
        """The window as the parameters `p_from` and `p_to` of a query."""
        return {"from": self.window.start, "to": self.window.end}


class Claim(Model):
    """The case that a hunt's findings belong to, and who is at work on it.

    Attributes:
        read_again: another run was at this user since the user was looked up: what was read then is no longer so.
    """

    case: str
    busy_run: str = ""
    read_again: bool = False


def case_id(seed: str, length: int = 6) -> str:
    """`DC-` and some letters: always the same for the same seed.

    Args:
        length: number of letters; one more is taken when two seeds meet.
    """
    letters = base64.b32encode(hashlib.sha256(seed.encode()).digest()).decode()
    return f"DC-{letters[:length]}"
