"""The Log Analytics client on the wire: what counts as an answer, what is asked again, and what is a refusal."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from respond.clients.log_answer import Rows
from respond.clients.logs import Logs
from respond.errors import BadQuery, Forbidden, Permanent, RespondError, Transient, Unauthenticated, passes
from respond.settings import Retry
from tests.helpers.canned_service import Canned, canned
from tests.helpers.identities import HasToken

QUICK = {"attempts": 2, "first_wait": "1ms", "longest_wait": "2ms", "read_budget": "3s", "request_timeout": "2s"}
COLUMNS = [{"name": "At", "type": "datetime"}, {"name": "Who", "type": "string"}, {"name": "Count", "type": "long"}]
ROW = ["2026-01-15T09:40:00.1234567Z", "a", 1]


def body(**changes: Any) -> bytes:
    """A whole answer, or one that lacks something."""
    table = {"name": "PrimaryResult", "columns": COLUMNS, "rows": [ROW], **changes}
    return json.dumps({"tables": [table]}).encode()


WHOLE = Canned(body=body())
CUT_OFF = Canned(body=body()[:-20])
HALF = Canned(body=body()[:40], headers={"Content-Length": "400", "Connection": "close"})
HTML = b"<html><body>Sign in to the guest network</body></html>"
BROKEN = {
    "empty 200": Canned(body=b""),
    "204": Canned(204, b""),
    "HTML 200": Canned(body=HTML, headers={"Content-Type": "text/html"}),
    "cut-off JSON": CUT_OFF,
    "half a body": HALF,
    "dropped": Canned(0),
    "object": Canned(body=b"{}"),
    "list": Canned(body=b"[]"),
    "null": Canned(body=b"null"),
    "number": Canned(body=b"7"),
    "other object": Canned(body=b'{"value": []}'),
    "no tables": Canned(body=b'{"tables": []}'),
    "tables null": Canned(body=b'{"tables": null}'),
    "table null": Canned(body=b'{"tables": [null]}'),
    "error with 200": Canned(body=b'{"error": {"code": "PartialError", "message": "no shard answered"}}'),
    "no columns": Canned(body=body(columns=[], rows=[])),
    "columns null": Canned(body=body(columns=None)),
    "columns an object": Canned(body=body(columns={})),
    "columns of texts": Canned(body=body(columns=["At", "Who", "Count"])),
    "rows null": Canned(body=body(rows=None)),
    "rows an object": Canned(body=body(rows={})),
    "rows a text": Canned(body=body(rows="")),
    "row null": Canned(body=body(rows=[None])),
    "row too short": Canned(body=body(rows=[ROW[:2]])),
    "row too long": Canned(body=body(rows=[[*ROW, "more"]])),
    "one row too short": Canned(body=body(rows=[ROW, ROW[:1]])),
    "text in numbers": Canned(body=body(rows=[[ROW[0], "a", "one"]])),
    "number in texts": Canned(body=body(rows=[[ROW[0], 5, 1]])),
    "number in times": Canned(body=body(rows=[[1768470000, "a", 1]])),
    "no time": Canned(body=body(rows=[["yesterday", "a", 1]])),
    "500 as HTML": Canned(500, HTML),
    "502 as HTML": Canned(502, HTML),
    "503 without a body": Canned(503, b""),
}


async def asked(url: str, *, whole: bool = False, **how: Any) -> Rows:
    logs = Logs(HasToken(), url, "a-workspace", check=lambda *_: None, retry=Retry.model_validate(QUICK), **how)
    try:
        return await logs.query("SigninLogs | take 1", whole=whole)
    finally:
        await logs.close()


async def test_a_whole_answer_is_its_rows_with_times_that_are_aware() -> None:
    with canned(WHOLE) as service:
        rows = await asked(service.url)
    assert rows == [{"At": datetime(2026, 1, 15, 9, 40, 0, 123456, tzinfo=UTC), "Who": "a", "Count": 1}]
    assert (rows.columns, rows.partial) == (("At", "Who", "Count"), "")


async def test_a_table_without_rows_is_an_answer() -> None:
    with canned(Canned(body=body(rows=[]))) as service:
        rows = await asked(service.url)
    assert (list(rows), rows.columns, rows.partial) == ([], ("At", "Who", "Count"), "")


async def test_rows_beside_an_error_are_kept_and_never_passed_off_as_all() -> None:
    said = json.loads(body()) | {"error": {"code": "PartialError", "message": "one shard is missing"}}
    with canned(Canned(body=json.dumps(said).encode())) as service:
        rows = await asked(service.url)
    assert (len(rows), rows.partial) == (1, "one shard is missing")


async def test_an_answer_of_the_greatest_size_is_kept_with_its_reason_and_not_asked_for_again() -> None:
    engine = {"code": "EngineError", "innererror": {"code": "-2133196797", "message": "exceeds 64000000 bytes"}}
    error = {"code": "PartialError", "message": "some errors", "details": [engine]}
    with canned(Canned(body=json.dumps(json.loads(body()) | {"error": error}).encode())) as service:
        rows = await asked(service.url, whole=True)
    assert (len(rows), rows.partial, rows.full, len(service.seen)) == (1, "some errors", True, 1)


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
async def test_what_is_no_answer_is_asked_again(broken: Canned) -> None:
    with canned(broken, WHOLE) as service:
        rows = await asked(service.url)
    assert (len(rows), len(service.seen)) == (1, 2)


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
async def test_what_stays_no_answer_is_an_error_and_never_an_empty_table(broken: Canned) -> None:
    with canned(broken) as service, pytest.raises(Transient) as error:
        await asked(service.url)
    assert "Log Analytics" in error.value.message
    assert len(service.seen) == QUICK["attempts"]


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "BadArgumentError", BadQuery),
        (401, "InvalidTokenError", Unauthenticated),
        (403, "InsufficientAccessError", Forbidden),
        (404, "WorkspaceNotFoundError", Permanent),
    ],
)
@pytest.mark.parametrize("readable", [True, False], ids=["JSON", "HTML"])
async def test_a_refusal_is_named_by_its_status_and_not_repeated(
    status: int, code: str, kind: type[RespondError], readable: bool
) -> None:
    said = json.dumps({"error": {"code": code, "message": "the reason"}}).encode() if readable else HTML
    with canned(Canned(status, said), WHOLE) as service, pytest.raises(kind if readable else Permanent) as error:
        await asked(service.url)
    assert str(status) in error.value.message
    assert len(service.seen) == 1
    # A proxy that refuses is away for a while, as a service is; a refused token has a way of its own.
    assert passes(error.value) is (not readable and status != 401)
