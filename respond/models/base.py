"""What every model here shares: frozen, strict about our own fields, times in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainSerializer


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


class Model(BaseModel):
    """Frozen; an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's, but what was worked out from the old fields is forgotten."""
        copied = super().model_copy(update=update, deep=deep)
        for name in vars(copied).keys() - type(self).model_fields.keys():
            del vars(copied)[name]
        return copied


class Source(Model):
    """One row that supports a finding."""

    table: str
    id: str
    at: Utc


class Gap(Model):
    """Something we could not know, and why. A gap never lowers suspicion.

    Attributes:
        could_weigh: in a report, the most points that findings from the source may have added.
    """

    source: str
    reason: str
    could_weigh: int = 0

    @property
    def told(self) -> str:
        """The reason, and how many points the source might have added where that is known."""
        return f"{self.reason}; might have added up to {self.could_weigh} points" if self.could_weigh else self.reason
