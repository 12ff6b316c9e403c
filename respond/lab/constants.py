"""The lab's made-up identifiers."""

from __future__ import annotations

from respond.settings import LAB_TENANT_ID as TENANT_ID
from respond.settings import LAB_WORKSPACE_ID as WORKSPACE_ID

CLIENT_ID = "1ab00000-0000-4000-8000-000000000002"

SUBSCRIPTION_ID = "1ab00000-0000-4000-8000-000000000003"
RESOURCE_GROUP = "respond-lab"
WORKSPACE_NAME = "respond-lab-sentinel"
SECURITY_INSIGHTS = (
    f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{RESOURCE_GROUP}/providers/Microsoft.OperationalInsights"
    f"/workspaces/{WORKSPACE_NAME}/providers/Microsoft.SecurityInsights"
)
"""What the id of every resource of the lab's Sentinel begins with."""

GRAPH_AUDIENCE = "https://graph.microsoft.com"
LOGS_AUDIENCE = "https://api.loganalytics.io"
ARM_AUDIENCE = "https://management.azure.com"

__all__ = [
    "ARM_AUDIENCE",
    "CLIENT_ID",
    "GRAPH_AUDIENCE",
    "LOGS_AUDIENCE",
    "RESOURCE_GROUP",
    "SECURITY_INSIGHTS",
    "SUBSCRIPTION_ID",
    "TENANT_ID",
    "WORKSPACE_ID",
    "WORKSPACE_NAME",
]
