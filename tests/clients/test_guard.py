"""The last thing before the socket: what is a read, and what a freeze lets pass. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from respond.clients.guard import check_leaving, is_read, unless_frozen
from respond.errors import Frozen, WriteRefused
from respond.models.brakes import Freeze

FREEZE = Freeze(at=datetime(2026, 1, 15, 9, 40, tzinfo=UTC), by="ann@host", why="drill")
READS = [
    ("GET", "/v1.0/subscribedSkus"),
    ("POST", "/v1.0/security/runHuntingQuery"),
    ("POST", "/v1/workspaces/5a5a5a5a/query"),
    ("GET", "/api/now/table/incident"),
    ("POST", "/rest/api/3/search/jql"),
    ("GET", "/repos/contoso/soc/issues"),
]


@pytest.mark.parametrize(("method", "path"), READS)
def test_a_read_is_one_only_as_a_whole_and_by_its_own_method(method: str, path: str) -> None:
    url = f"https://graph.microsoft.com{path}"
    assert is_read(method, f"{url}?$top=1")
    check_leaving(method.lower(), url)
    for verb, form in ((method, f"{url}/purge"), ("DELETE", url), ("PATCH", url), ("PUT", url)):
        with pytest.raises(WriteRefused, match=f"{verb} "):
            check_leaving(verb, form)


def test_a_freeze_stops_writes_and_no_reads_and_is_asked_about_before_each() -> None:
    in_force: list[Freeze] = []
    check = unless_frozen(lambda: in_force[0] if in_force else None)
    read, write = ("GET", "https://graph.microsoft.com/v1.0/users/u"), ("DELETE", "https://graph.microsoft.com/v1.0/x")
    check(*write)
    in_force.append(FREEZE)
    check(*read)
    with pytest.raises(Frozen, match=r"DELETE /v1\.0/x was not sent: all writes are frozen .* by ann@host"):
        check(*write)
    in_force.clear()
    check(*write)
