"""Rows of Log Analytics as our models. Tolerant: a column may be empty, text may be redacted or not JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from respond.addresses import clean
from respond.models.signin import DEFENDER_TABLE, Device, Leg, Risk, SignIn

Row = Mapping[str, Any]
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def text(row: Row, column: str) -> str:
    """A string column; absent is ""."""
    value = row.get(column)
    return "" if value is None else storable(str(value))


def storable(text: str) -> str:
    """Text that every model and database takes: who writes a log chooses what is in it, halves of signs included."""
    return _UNSTORABLE.sub("\ufffd", text)


def address(row: Row, column: str) -> str:
    """An address column in its one spelling: without port, brackets or zone; "" where it holds no address."""
    return clean(text(row, column))


def moment(row: Row, column: str = "At") -> datetime:
    """A datetime column, UTC."""
    value = row[column]
    found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def detail(row: Row, column: str) -> dict[str, Any]:
    """A dynamic column, which arrives as JSON text; anything else than an object is empty."""
    value = row.get(column)
    try:
        parsed = json.loads(value) if isinstance(value, str) and value else value
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def texts(row: Row, column: str) -> tuple[str, ...]:
    """A column that holds a JSON array of strings."""
    value = row.get(column)
    try:
        parsed = json.loads(value) if isinstance(value, str) and value else value
    except ValueError:
        return ()
    return tuple(storable(str(item)) for item in parsed) if isinstance(parsed, list) else ()


def tristate(value: object) -> bool | None:
    """True, false, or not reported: isCompliant and isManaged come as booleans, numbers and text."""
    if isinstance(value, bool):
        return value
    match str(value).strip().lower() if value is not None else "":
        case "true" | "1":
            return True
        case "false" | "0":
            return False
    return None


def read_sign_in(row: Row, table: str) -> SignIn:
    """One row of the hunt queries."""
    place, device = detail(row, "LocationDetails"), detail(row, "DeviceDetail")
    risks = (Risk.read(text(row, "RiskLevelDuringSignIn")), Risk.read(text(row, "RiskLevelAggregated")))
    return SignIn(
        id=text(row, "Id"),
        table=table,
        leg=_leg(row, table),
        at=moment(row),
        user_id=text(row, "UserId"),
        upn=text(row, "UserPrincipalName"),
        display_name=text(row, "UserDisplayName"),
        user_type=text(row, "UserType"),
        correlation_id=text(row, "CorrelationId"),
        session_id=text(row, "SessionId"),
        original_request_id=text(row, "OriginalRequestId"),
        token_id=text(row, "UniqueTokenIdentifier"),
        result=text(row, "ResultType"),
        app_id=text(row, "AppId").lower(),
        app_name=text(row, "AppDisplayName"),
        resource_id=text(row, "ResourceIdentity").lower(),
        resource_name=text(row, "ResourceDisplayName"),
        incoming_token=text(row, "IncomingTokenType"),
        ip=address(row, "IPAddress"),
        asn=text(row, "AutonomousSystemNumber"),
        country=(text(row, "Location") or storable(str(place.get("countryOrRegion") or ""))).upper(),
        city=storable(str(place.get("city") or "")),
        user_agent=text(row, "UserAgent"),
        client=text(row, "ClientAppUsed"),
        device=Device(
            id=storable(str(device.get("deviceId") or "")),
            os=storable(str(device.get("operatingSystem") or "")),
            browser=storable(str(device.get("browser") or "")),
            trust=storable(str(device.get("trustType") or "")),
            compliant=tristate(device.get("isCompliant")),
            managed=tristate(device.get("isManaged")),
        ),
        risk=max(risks, key=lambda risk: risk.rank),
        risk_state=text(row, "RiskState"),
        trusted_network="trustednamedlocation" in text(row, "NetworkLocationDetails").lower(),
    )


_XDR_RISK = {10: Risk.LOW, 50: Risk.MEDIUM, 100: Risk.HIGH, 1: Risk.NONE}


def read_event(row: Row, *, marked: Collection[str]) -> SignIn:
    """One row of `hunt_events.kql`, from Defender XDR.

    Args:
        marked: CorrelationIds that the workspace marks as device codes: a client in the background that shares one
            redeemed the code.
    """
    background = "noninteractive" in text(row, "LogonType").lower()
    leg = Leg.REDEEMING if background and text(row, "CorrelationId") in marked else Leg.LINKED
    seen = {"leg": leg, "background": background, "confirmed": False}
    return read_confirmation(row).model_copy(update=seen)


def read_confirmation(row: Row) -> SignIn:
    """One row of `hunt_confirmations.kql`, from Defender XDR."""
    return SignIn(
        id=text(row, "RequestId"),
        table=DEFENDER_TABLE,
        leg=Leg.LINKED,
        at=moment(row),
        user_id=text(row, "AccountObjectId"),
        upn=text(row, "AccountUpn"),
        display_name=text(row, "AccountDisplayName"),
        user_type="",
        correlation_id=text(row, "CorrelationId"),
        session_id=text(row, "SessionId"),
        original_request_id="",
        token_id="",
        result=text(row, "ErrorCode"),
        app_id=text(row, "ApplicationId").lower(),
        app_name=text(row, "Application"),
        resource_id=text(row, "ResourceId").lower(),
        resource_name=text(row, "ResourceDisplayName"),
        incoming_token="",
        ip=address(row, "IPAddress"),
        asn="",
        country=text(row, "Country").upper(),
        city=text(row, "City"),
        user_agent=text(row, "UserAgent"),
        device=Device(
            id=text(row, "EntraIdDeviceId"),
            compliant=tristate(row.get("IsCompliant")),
            managed=tristate(row.get("IsManaged")),
        ),
        risk=_XDR_RISK.get(int(row.get("RiskLevelAggregated") or 0), Risk.UNKNOWN),
        confirmed=True,
    )


def _leg(row: Row, table: str) -> Leg:
    """Which leg a row is. A row marked by transfer method alone comes from the client that holds the token."""
    if row.get("IsTransferred") and not row.get("IsDeviceCode"):
        return Leg.REDEEMING
    if row.get("IsDeviceCode"):
        return Leg.APPROVING if table == "SigninLogs" else Leg.REDEEMING
    return Leg.LINKED
