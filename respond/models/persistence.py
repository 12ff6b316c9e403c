"""The account of an attacker's changes: what the logs tie to them, and what has become of each."""

from __future__ import annotations

from pydantic import Field

from respond.models.base import Model, OpenEnum, Source, Utc
from respond.models.evidence import FootholdKind


class Fate(OpenEnum):
    """Where a change that lets somebody stay ends. There is no fourth."""

    ACTION = "action"
    """A containment action is about it; its status says how far that is."""
    GONE = "gone-already"
    """Microsoft Graph was asked, and it is not there any more."""
    TASK = "manual-task"
    """A person has to look: no call does it, it cannot be listed or matched, or the response plan rules it out."""


class ActionRef(Model):
    """A containment action of the same report."""

    name: str
    object: str


class Accounted(Model):
    """One object that was added or changed to stay, and its fate."""

    kind: FootholdKind
    what: str = Field(description="operations of the log")
    name: str = Field(description="what the log calls the object; empty where it does not")
    at: Utc
    ip: str
    fate: Fate
    says: str = Field(description="why that is its fate, or what a person has to do")
    actions: tuple[ActionRef, ...] = ()
    evidence: tuple[Source, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether a person still has to do something that no action of the report stands for."""
        return self.fate not in (Fate.ACTION, Fate.GONE)
