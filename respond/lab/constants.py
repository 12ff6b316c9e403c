"""The lab's made-up identifiers."""

from __future__ import annotations

from respond.settings import LAB_TENANT_ID as TENANT_ID
from respond.settings import LAB_WORKSPACE_ID as WORKSPACE_ID

CLIENT_ID = "1ab00000-0000-4000-8000-000000000002"

GRAPH_AUDIENCE = "https://graph.microsoft.com"
LOGS_AUDIENCE = "https://api.loganalytics.io"
ARM_AUDIENCE = "https://management.azure.com"

__all__ = ["ARM_AUDIENCE", "CLIENT_ID", "GRAPH_AUDIENCE", "LOGS_AUDIENCE", "TENANT_ID", "WORKSPACE_ID"]
