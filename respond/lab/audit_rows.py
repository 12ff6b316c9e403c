"""Rows that the lab's own writes leave in AuditLogs, as Entra logs them. Pure.

Only the revocation is logged: it is what an answer is proven by. https://learn.microsoft.com/entra/identity/monitoring-health/reference-audit-activities
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from respond.log_schema import sentinel_tables

TABLE = "AuditLogs"
REVOKED = "Update StsRefreshTokenValidFrom Timestamp"


def revocation(user: Mapping[str, Any], at: str) -> dict[str, Any]:
    """The row of one revocation by an application.

    Args:
        user: as the directory holds them.
        at: when it was, ISO 8601 with `Z`.
    """
    number = uuid.uuid5(uuid.NAMESPACE_OID, f"{user['id']} {at}")
    moved = {"displayName": "StsRefreshTokensValidFrom", "oldValue": "[]", "newValue": f'["{at}"]'}
    return {
        "TimeGenerated": at,
        "ActivityDateTime": at,
        "Id": f"Directory_{number}",
        "OperationName": REVOKED,
        "ActivityDisplayName": REVOKED,
        "Category": "UserManagement",
        "LoggedByService": "Core Directory",
        "Result": "success",
        "InitiatedBy": {"app": {"displayName": "respond"}},
        "TargetResources": [
            {
                "id": user["id"],
                "type": "User",
                "userPrincipalName": user["userPrincipalName"],
                "modifiedProperties": [moved],
            }
        ],
        "Type": TABLE,
    }


def whole(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with every column of the table: Log Analytics has no null text."""
    return {name: row.get(name, "" if kind == "string" else None) for name, kind in sentinel_tables()[TABLE].items()}
