"""The audit log: what was decided, asked for and changed, by whom, each entry chained to the one before.

An entry's digest is the SHA-256 of its other fields as canonical JSON. They hold the digest of the entry before, so
whoever changes one entry has to change all that follow.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum

from pydantic import Field, JsonValue

from respond.models.base import Line, Model, OpenEnum, Utc

START = "0" * 64
"""Stands for the digest before the first entry."""


class AuditKind(OpenEnum):
    DECISION = "decision"
    REQUEST = "request"
    CHANGE = "change"
    APPROVAL = "approval"
    DENIAL = "denial"
    TIMEOUT = "timeout"
    LIMIT = "limit"
    FREEZE = "freeze"
    THAW = "thaw"
    UNDO = "undo"


class Note(Model):
    """What an entry says, before it has its place in the chain.

    Attributes:
        case, run: empty where it is about none.
        actor: `respond`, or a person: `ann@host`.
        what: one line for people.
        detail: the same for programs; no NaN and no infinity, which JSON has not.
    """

    at: Utc
    tenant: str
    case: str
    run: str
    actor: Line
    kind: AuditKind
    what: Line
    detail: dict[str, JsonValue] = Field(default_factory=dict)


class Entry(Note):
    """One line of the log.

    Attributes:
        number: from 1, without gaps, over all tenants of the database.
        before: digest of the previous entry, hexadecimal.
    """

    number: int
    before: str
    digest: str


class Flaw(StrEnum):
    """What was done to a log that is not intact."""

    EDITED = "edited"
    DELETED = "deleted"
    REORDERED = "reordered"
    ADDED = "added"
    CUT = "the end is missing"
    NO_END = "the record of the end is missing"
    REWRITTEN = "rewritten"


_SAID = {
    Flaw.EDITED: "entry {} was edited",
    Flaw.DELETED: "entry {} was deleted",
    Flaw.REORDERED: "entry {} is another than was written there: entries were reordered",
    Flaw.ADDED: "entry {} was added by somebody else",
    Flaw.CUT: "the end is missing, from entry {} on",
    Flaw.NO_END: "the record of which entry is the last is missing, so any from {} on may be missing too",
    Flaw.REWRITTEN: "none of the {} entries has the digest that was kept: the log was cut off or written anew",
}


class Problem(Model):
    """The first thing that is wrong with a log.

    Attributes:
        number: of the entry; for `REWRITTEN`, how many there are.
    """

    number: int
    flaw: Flaw

    @property
    def said(self) -> str:
        return _SAID[self.flaw].format(self.number)


class Verified(Model):
    """What a check of the log found.

    Attributes:
        count: entries that are in order, from the first on.
        head: digest of the last of them; kept elsewhere, it shows later that nothing up to it was changed.
    """

    count: int
    head: str
    problem: Problem | None = None


def canonical(values: Mapping[str, object]) -> str:
    """JSON with sorted keys and no spaces: one text for one content. Half a surrogate pair, which is no text, is `?`.

    Raises:
        ValueError: NaN or infinity.
    """
    text = json.dumps(values, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "replace").decode("utf-8")


def digest_of(values: Mapping[str, object]) -> str:
    """SHA-256 over all fields but `digest`, hexadecimal.

    Args:
        values: of an entry, as in its JSON form: `at` is text.
    """
    hashed = canonical({name: value for name, value in values.items() if name != "digest"})
    return hashlib.sha256(hashed.encode("utf-8")).hexdigest()
