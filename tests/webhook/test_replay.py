"""A copied request starts nothing, at whatever process; what is not ours is refused by its path as well."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from respond.models.intake import Accepted, Delivery, Trigger
from respond.models.notice import Notice
from respond.observe.metrics import Metrics
from respond.store.cases import Store
from respond.webhook.app import Limits, make_app
from respond.webhook.body import LARGEST, Held
from respond.webhook.gate import Gate
from respond.webhook.problems import Problem
from respond.webhook.signatures import SIGNATURE, TIMESTAMP, SignatureCheck, sign
from tests.helpers import deliveries

SECRET = SecretStr("s" * 40)
WORKSPACE_ID = "1ab00000-0000-4000-8000-000000000001"
ENTITY = {"Entity": {"kind": "Account", "properties": {"aadUserId": "7d1f0a52-6d0e-4c1c-9b54-0f5a1c0e7a11"}}}


class _Written:
    """A door that writes deliveries down as the service does, and starts nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def take(self, notice: Notice, *, key: str, by: str) -> Accepted:
        now = datetime.now(UTC)
        delivery = Delivery(
            tenant="lab", key=key, digest=f"{notice.digest}{key}", path=Trigger.WEBHOOK, at=now, by=by, notice=notice
        )
        return self._store.intake.accept(delivery)

    async def ready(self) -> str:
        return ""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(f"sqlite:///{tmp_path / 'respond.db'}")) as opened:
        yield opened


def process(store: Store, *, later: float = 0, workspace: str = "") -> httpx.AsyncClient:
    """A process of its own that shares the state, at some seconds from now."""
    gate = Gate(None, SignatureCheck(SECRET, timedelta(minutes=5), clock=lambda: time.time() + later))
    limits = Limits(timedelta(seconds=5), WORKSPACE_ID, workspace)
    app = make_app(_Written(store), gate, Metrics(), limits)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://door")


async def send(client: httpx.AsyncClient, body: Any, at: float) -> httpx.Response:
    content, stamp = json.dumps(body).encode(), str(int(at))
    headers = {TIMESTAMP: stamp, SIGNATURE: f"v1={sign(SECRET, stamp, content)}", "Content-Type": "application/json"}
    return await client.post("/webhooks/sentinel", content=content, headers=headers)


@pytest.mark.parametrize("body", [{}, ENTITY], ids=["button", "entity"])
async def test_a_signed_request_that_is_sent_again_starts_nothing_at_any_process(store: Store, body: Any) -> None:
    signed = time.time() - 130
    answers = [await send(process(store, later=later), body, signed) for later in (0, 0, 60, 120)]
    assert [answer.status_code for answer in answers] == [202] * 4
    assert [answer.json()["duplicate"] for answer in answers] == [False, True, True, True]
    assert len({answer.json()["delivery"] for answer in answers}) == 1
    again = await send(process(store), body, signed + 61)
    assert again.json()["duplicate"] is False


async def test_a_signature_outside_its_window_is_refused(store: Store) -> None:
    assert (await send(process(store, later=301), {}, time.time())).status_code == 401


def _of(name: str) -> str:
    return (
        "/subscriptions/1ab00000-0000-4000-8000-000000000003/resourceGroups/Respond-Lab"
        f"/providers/Microsoft.OperationalInsights/workspaces/{name}"
    )


@pytest.mark.parametrize("said", [None, "", "not-a-guid", WORKSPACE_ID])
@pytest.mark.parametrize("ours", [True, False])
async def test_an_incident_of_another_workspace_is_refused_by_its_path(store: Store, said: Any, ours: bool) -> None:
    body = deliveries.body(0)
    body["object"]["id"] = f"{_of('ours')}/providers/Microsoft.SecurityInsights/incidents/{body['object']['name']}"
    body.pop("workspaceId")
    body |= {} if said is None else {"workspaceId": said}
    answer = await send(process(store, workspace=_of("OURS" if ours else "theirs")), body, time.time())
    assert answer.status_code == (202 if ours and said != "not-a-guid" else 403)


def test_bodies_of_unknown_senders_are_held_up_to_a_limit_all_together() -> None:
    held = Held(most=3 * LARGEST)
    with held.account() as one, held.account() as other:
        one(2 * LARGEST)
        other(LARGEST)
        with pytest.raises(Problem) as refused:
            other(1)
    assert (int(refused.value.status), refused.value.headers["Retry-After"]) == (429, "5")
    with held.account() as third:
        third(3 * LARGEST)
