"""The audit log: what was decided, asked for and changed, by whom, each entry chained to the one before.

An entry's digest is the SHA-256 of its other fields as canonical JSON. They hold the digest of the entry before, so
whoever changes one entry has to change all that follow.

What names people (`actor`, `what`, `detail`) is not in the chained record. The record holds a seal in its place: the
SHA-256 of these three and of a random salt, which are kept apart. Text and salt can be deleted, when a person's data
must be; the chain stays as it was, and nobody can guess the text from the seal.
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
    PURGE = "purge"


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
        salt: of the seal, hexadecimal; empty where the entry has none, or its text was purged.
        sealed: what the chained record has as `detail`, the seal in it; None in an entry from before there were seals.
        purged: its text was deleted with the data of a person or a case.
    """

    number: int
    before: str
    digest: str
    salt: str = Field(default="", exclude=True)
    sealed: dict[str, JsonValue] | None = Field(default=None, exclude=True)
    purged: bool = Field(default=False, exclude=True)

    @property
    def chained(self) -> dict[str, JsonValue]:
        """The record that the digest is taken of, the digest with it."""
        values: dict[str, JsonValue] = self.model_dump(mode="json")
        return values if self.sealed is None else values | {"actor": "", "what": "", "detail": self.sealed}


class Flaw(StrEnum):
    """What was done to a log that is not intact."""

    EDITED = "edited"
    DELETED = "deleted"
    REORDERED = "reordered"
    ADDED = "added"
    CUT = "the end is missing"
    NO_END = "the record of the end is missing"
    REWRITTEN = "rewritten"
    TEXT_DELETED = "its text was deleted"


_SAID = {
    Flaw.EDITED: "entry {} was edited",
    Flaw.DELETED: "entry {} was deleted",
    Flaw.REORDERED: "entry {} is another than was written there: entries were reordered",
    Flaw.ADDED: "entry {} was added by somebody else",
    Flaw.CUT: "the end is missing, from entry {} on",
    Flaw.NO_END: "the record of which entry is the last is missing, so any from {} on may be missing too",
    Flaw.TEXT_DELETED: "the text of entry {} was deleted, and no purge says so",
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


def seal_of(actor: str, what: str, detail: Mapping[str, object], salt: str) -> str:
    """The seal of an entry's text: SHA-256, hexadecimal."""
    return digest_of({"actor": actor, "what": what, "detail": detail, "salt": salt})
