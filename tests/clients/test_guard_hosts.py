"""A dry run reads from the hosts of the settings alone: a path that is a read there may be anything elsewhere."""

from __future__ import annotations

import pytest

from respond.clients.guard import observing, reading_from
from respond.errors import Service, WriteRefused

HOSTS = {
    Service.GRAPH: frozenset({"graph.microsoft.com"}),
    Service.LOGS: frozenset({"api.loganalytics.azure.com"}),
    Service.SENTINEL: frozenset({"management.azure.com"}),
    Service.OTHER: frozenset({"example.service-now.com"}),
}
CHECK = reading_from(lambda: HOSTS)
QUERY = "/v1/workspaces/1ab00000-0000-4000-8000-000000000001/query"


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "https://graph.microsoft.com/v1.0/users/7d1f"),
        ("GET", "https://GRAPH.microsoft.com/v1.0/users/7d1f"),
        ("POST", f"https://api.loganalytics.azure.com{QUERY}"),
        ("GET", "https://example.service-now.com/api/now/table/incident"),
    ],
)
def test_a_read_at_a_host_of_the_settings_leaves(method: str, url: str) -> None:
    CHECK(method, url)


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "https://graph.example.com/v1.0/users/7d1f"),
        ("GET", "https://graph.microsoft.com@example.com/v1.0/users/7d1f"),
        ("GET", "https://graph.microsoft.com.example.com/v1.0/users/7d1f"),
        ("POST", f"https://example.com{QUERY}"),
        ("POST", f"https://example.service-now.com{QUERY}"),
        ("GET", "https://graph.microsoft.com/api/now/table/incident"),
        ("GET", "https:///v1.0/users/7d1f"),
        ("POST", "https://graph.microsoft.com/v1.0/users/7d1f/revokeSignInSessions"),
    ],
)
def test_what_is_a_read_elsewhere_does_not_leave_a_dry_run(method: str, url: str) -> None:
    with pytest.raises(WriteRefused):
        CHECK(method, url)


INCIDENT = (
    "/subscriptions/1ab00000-0000-4000-8000-000000000003/resourceGroups/soc/providers/Microsoft.OperationalInsights"
    "/workspaces/soc/providers/Microsoft.SecurityInsights/incidents/1ab00000-0000-4000-8000-000000000009"
)


@pytest.mark.parametrize(
    ("method", "url", "leaves"),
    [
        ("GET", "https://graph.microsoft.com/v1.0/users/7d1f", True),
        ("PUT", f"https://management.azure.com{INCIDENT}/comments/7d1f", True),
        ("PUT", f"https://management.azure.com{INCIDENT}", True),
        ("POST", "https://graph.microsoft.com/v1.0/users/soc%40contoso.com/sendMail", True),
        ("DELETE", f"https://management.azure.com{INCIDENT}", False),
        ("PUT", f"https://example.com{INCIDENT}", False),
        ("POST", "https://example.com/v1.0/users/soc/sendMail", False),
        ("POST", "https://graph.microsoft.com/v1.0/users/a/b/sendMail", False),
        ("POST", "https://graph.microsoft.com/v1.0/users/7d1f/revokeSignInSessions", False),
        ("PATCH", "https://graph.microsoft.com/v1.0/users/7d1f", False),
        ("DELETE", "https://graph.microsoft.com/v1.0/oauth2PermissionGrants/7d1f", False),
        ("POST", "https://graph.microsoft.com/v1.0/$batch", False),
    ],
)
def test_observe_mode_lets_records_leave_and_no_other_write(method: str, url: str, leaves: bool) -> None:
    check = observing(lambda: HOSTS, lambda _method, _url: None)
    if leaves:
        check(method, url)
        return
    with pytest.raises(WriteRefused, match=r'response\.mode is "observe"'):
        check(method, url)
