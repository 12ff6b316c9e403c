"""The tables of the workspace, as Azure Resource Manager knows them: which plan each is on, and who may read it.

GET …/providers/Microsoft.OperationalInsights/workspaces/{workspace}/tables/{table}
https://learn.microsoft.com/rest/api/loganalytics/tables/get
"""

from __future__ import annotations

from collections.abc import Collection

from respond.lab.arm_routes import PREFIX, ArmError
from respond.lab.constants import SECURITY_INSIGHTS
from respond.lab.web import LabRequest, Reply

ROLE = "Log Analytics Reader"
"""Stands for the role assignment on the workspace; withheld like a permission."""

API_VERSIONS = ("2022-10-01", "2023-09-01", "2025-02-01", "2025-07-01")

_WORKSPACE = PREFIX[: PREFIX.index("workspaces") + 2]
_RESOURCE = SECURITY_INSIGHTS.partition("/providers/Microsoft.SecurityInsights")[0]


def is_asked(request: LabRequest) -> bool:
    """Whether a request is for one table of a workspace."""
    named = [segment.lower() for segment in request.segments]
    return request.method == "GET" and len(named) == len(_WORKSPACE) + 2 and named[len(_WORKSPACE)] == "tables"


def answer(
    request: LabRequest,
    roles: Collection[str],
    tables: Collection[str],
    basic: Collection[str],
    protected: Collection[str],
) -> Reply:
    """One table.

    Raises:
        ArmError: it is not there, the caller may not see it, or the version is none.
    """
    version = request.query.get("api-version", "").lower()
    if version not in API_VERSIONS:
        known = ",".join(API_VERSIONS)
        raise ArmError(
            400,
            "InvalidApiVersionParameter" if version else "MissingApiVersionParameter",
            f"The api-version '{version[:40]}' is invalid. The supported versions are '{known}'.",
        )
    if ROLE not in roles:
        action = "Microsoft.OperationalInsights/workspaces/tables/read"
        raise ArmError(
            403,
            "AuthorizationFailed",
            f"The client does not have authorization to perform action '{action}' over scope '{request.path}'.",
        )
    found = {name.lower(): name for name in tables}.get(request.segments[-1].lower())
    if found is None:
        raise ArmError(404, "ResourceNotFound", f"Table {request.segments[-1][:80]} was not found.")
    plan = "Basic" if found in basic else "Analytics"
    schema = {"name": found, "tableType": "Microsoft", "tableSubType": "Any"}
    properties = {
        "plan": plan,
        "protectionLevel": "Protected" if found in protected else "General",
        "retentionInDays": 30 if plan == "Basic" else 90,
        "totalRetentionInDays": 90,
        "provisioningState": "Succeeded",
        "schema": schema,
    }
    return Reply(200, {"id": f"{_RESOURCE}/tables/{found}", "name": found, "properties": properties})
