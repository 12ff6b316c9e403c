"""What every model here shares: frozen, tolerant of what a newer version wrote, times in UTC.

A stored document may come from a newer version, which runs beside this one during an upgrade. A field that this version
does not know is kept, and written again with the rest; so is a value of an enumeration. What people write, such as the
policy, is read with `extra="forbid"`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainSerializer, ValidationError

from respond.errors import Unreadable

DOCUMENTS = 1
"""Version of the stored documents. A field is added without changing it: readers keep what they do not know."""

_reads_stored: ContextVar[bool] = ContextVar("reads_stored", default=False)


def _to_utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def iso_z(value: datetime) -> str:
    """`2026-01-15T09:24:58Z`; fractions only where there are any."""
    return _to_utc(value).isoformat().replace("+00:00", "Z")


def stamp(value: datetime | None) -> str:
    """A time as it is kept where times are compared: always microseconds, so that text sorts as time; None is empty."""
    return _to_utc(value).isoformat(timespec="microseconds").replace("+00:00", "Z") if value else ""


def moment(text: str) -> datetime | None:
    """What `stamp` wrote."""
    return datetime.fromisoformat(text) if text else None


Utc = Annotated[datetime, AfterValidator(_to_utc), PlainSerializer(iso_z, return_type=str, when_used="json")]
"""An aware UTC datetime, written with `Z` in JSON."""


def one_line(text: str) -> str:
    """Text on one line without control characters, and such as every database and terminal takes."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


Line = Annotated[str, AfterValidator(one_line)]
"""What a person wrote or reads, on one line."""


@contextmanager
def tolerant() -> Iterator[None]:
    """Within it, an enumeration takes a value that it does not know, which a newer version may have written."""
    token = _reads_stored.set(True)
    try:
        yield
    finally:
        _reads_stored.reset(token)


class OpenEnum(StrEnum):
    """An enumeration that can hold a value of a newer version, equal to no member, when a stored document is read."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not _reads_stored.get() or not isinstance(value, str):
            return None
        unknown = str.__new__(cls, value)
        unknown._name_ = unknown._value_ = value
        return unknown


class Model(BaseModel):
    """Frozen; keeps fields that it does not know."""

    model_config = ConfigDict(frozen=True, extra="allow")

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:  # noqa: ANN401 - pydantic's
        """Read a stored document.

        Raises:
            Unreadable: it is not what any version writes; names the field, not its value.
        """
        try:
            with tolerant():
                return super().model_validate_json(json_data, **options)
        except ValidationError as error:
            raise unreadable(cls.__name__, error) from error

    @classmethod
    def from_row(cls, **values: Any) -> Self:  # noqa: ANN401 - columns
        """Read a stored row.

        Raises:
            Unreadable: as `model_validate_json`.
        """
        try:
            with tolerant():
                return cls(**values)
        except ValidationError as error:
            raise unreadable(cls.__name__, error) from error

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's, but what was worked out from the old fields is forgotten."""
        copied = super().model_copy(update=update, deep=deep)
        for name in vars(copied).keys() - type(self).model_fields.keys():
            del vars(copied)[name]
        return copied


def unreadable(name: str, error: ValidationError) -> Unreadable:
    """The error for a document that does not fit its model, without the values in it."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "it"
    return Unreadable(
        f"a stored {name} cannot be read: {where}: {first['msg']}; `respond state check` lists such documents"
    )


class Source(Model):
    """One row that supports a finding."""

    table: str
    id: str
    at: Utc


class Gap(Model):
    """Something we could not know, and why. A gap never lowers suspicion.

    Attributes:
        could_weigh: in a report, the most points that findings from the source may have added.
        passes: a service did not answer, so another look may know it.
    """

    source: str
    reason: str
    could_weigh: int = 0
    passes: bool = False

    @property
    def told(self) -> str:
        """The reason, and how many points the source might have added where that is known."""
        return f"{self.reason}; might have added up to {self.could_weigh} points" if self.could_weigh else self.reason
