"""The plans of the workspace's tables, as Azure Resource Manager tells them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from respond.lab.constants import SECURITY_INSIGHTS
from tests.lab.running_lab import RunningLab

Start = Callable[..., RunningLab]
TABLES = SECURITY_INSIGHTS.partition("/providers/Microsoft.SecurityInsights")[0] + "/tables"
VERSION = "api-version=2023-09-01"


def test_a_table_is_on_a_plan(start: Start, seed: Path) -> None:
    lab = start(seed, basic_tables=("SigninLogs",))
    plans = [lab.get(f"{TABLES}/{name}?{VERSION}")["properties"]["plan"] for name in ("signinlogs", "AuditLogs")]
    assert plans == ["Basic", "Analytics"]
    assert lab.get(f"{TABLES}/signinlogs?{VERSION}")["name"] == "SigninLogs"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"{TABLES}/NoSuchTable?{VERSION}", 404, "ResourceNotFound"),
        (f"{TABLES}/SigninLogs", 400, "MissingApiVersionParameter"),
        (f"{TABLES}/SigninLogs?api-version=2001-01-01", 400, "InvalidApiVersionParameter"),
        (f"{TABLES.replace('respond-lab-sentinel', 'other')}/SigninLogs?{VERSION}", 404, "ResourceNotFound"),
    ],
)
def test_what_is_not_there_is_said_as_azure_says_it(path: str, status: int, code: str, seed_lab: RunningLab) -> None:
    answer = seed_lab.request("GET", path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_the_role_is_needed(start: Start, seed: Path) -> None:
    lab = start(seed, withheld_permissions=("Log Analytics Reader",))
    answer = lab.request("GET", f"{TABLES}/SigninLogs?{VERSION}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "AuthorizationFailed")
    assert "Microsoft.OperationalInsights/workspaces/tables/read" in answer.json()["error"]["message"]
