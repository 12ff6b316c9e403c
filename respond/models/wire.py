"""Models as JSON text, for the state file: only the classes named here can come out of it.

The durable engine's own default is pickle, which would let whoever can write the state file run code as the
responder. Tags: `$model` for ours, `$time` for datetimes, `$tuple`, and `$error` for errors of our tree.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from respond import errors
from respond.models import (
    accounts,
    case,
    evidence,
    holdings,
    incident,
    intake,
    intents,
    ladder,
    lookalikes,
    notice,
    orders,
    owed,
    persistence,
    report,
    signin,
    tasks,
    watches,
)
from respond.models.base import Model, iso_z, tolerant
from respond.plain_errors import named

_MODELS: dict[str, type[Model]] = {
    kind.__name__: kind
    for kind in (
        accounts.FoundAccounts,
        case.Case,
        case.Claim,
        evidence.Account,
        evidence.EarlierCases,
        evidence.Fact,
        evidence.Footholds,
        evidence.History,
        evidence.Lures,
        evidence.SharedAddresses,
        evidence.Standing,
        evidence.ThreatIntel,
        evidence.TokenUses,
        holdings.Access,
        holdings.Added,
        holdings.Devices,
        intake.Delivery,
        intake.FreshUsers,
        intake.Round,
        intake.Rounds,
        intake.Unanswered,
        intents.Intent,
        ladder.Step,
        ladder.Word,
        lookalikes.Lookalikes,
        notice.Named,
        notice.Notice,
        incident.Incident,
        incident.IncidentRecord,
        orders.Order,
        owed.Owed,
        persistence.Accounted,
        report.Attached,
        report.Change,
        report.Report,
        report.TicketRef,
        report.Verdict,
        signin.SignIns,
        tasks.Recipients,
        watches.Watch,
    )
}
_ERRORS: dict[str, type[errors.RespondError]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.RespondError)
}


def dumps(value: object) -> str:
    """Write a value.

    Raises:
        TypeError: of a kind that could not be read back.
    """
    return json.dumps(_encode(value), ensure_ascii=False, separators=(",", ":"))


def loads(text: str) -> Any:  # noqa: ANN401 - whatever was written
    """Read a value back.

    Raises:
        ValueError: the text is not what `dumps` writes.
    """
    return _decode(json.loads(text))


def _encode(value: object) -> object:  # noqa: C901, PLR0911 - one arm a kind
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return str(value)
        case datetime():
            return {"$time": iso_z(value)}
        case Model():
            name = type(value).__name__
            if name not in _MODELS:
                raise TypeError(f"{name} is not a model that the state file may hold")
            return {"$model": name, "is": value.model_dump(mode="json", by_alias=True)}
        case errors.Transient(until=datetime() as until):
            return {"$error": type(value).__name__, "is": value.message, "until": iso_z(until)}
        case errors.RespondError():
            return {"$error": type(value).__name__, "is": value.message}
        case BaseException():
            return {"$error": "RunFailed", "is": named(value)}
        case tuple():
            return {"$tuple": [_encode(item) for item in value]}
        case list():
            return [_encode(item) for item in value]
        case dict() if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: _encode(item) for key, item in value.items()}
    raise TypeError(f"{type(value).__name__} cannot be kept in the state file")


def _decode(value: Any) -> Any:  # noqa: ANN401, PLR0911 - parsed JSON, one arm a tag
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"$time": str(text)}:
            return datetime.fromisoformat(text)
        case {"$tuple": list(items)}:
            return tuple(_decode(item) for item in items)
        case {"$model": str(name), "is": body} if name in _MODELS:
            with tolerant():
                return _MODELS[name].model_validate(body)
        case {"$error": str(name), "is": str(message), **more} if name in _ERRORS:
            error = _ERRORS[name](message)
            if isinstance(error, errors.Transient) and (until := more.get("until")):
                error.until = datetime.fromisoformat(until)
            return error
    unknown = [key for key in value if key.startswith("$")]
    if unknown:
        raise ValueError(f"the state file holds an unknown tag {unknown[0]!r}")
    return {key: _decode(item) for key, item in value.items()}
