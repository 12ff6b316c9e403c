"""A service that asks who delivers, by token or by signature, and everything that it takes to be let in."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt

from respond.lab import scenario
from respond.lab.constants import CLIENT_ID, TENANT_ID
from respond.lab.tokens import object_id
from tests.helpers.patience import patiently
from tests.helpers.serving import Serving, serving_fresh, until
from tests.lab.running_lab import HTTP, RunningLab, running
from tests.webhook.test_gate import SECRET

AUDIENCE = "api://5a5a5a5a-0000-4000-8000-00000000aaaa"
CALLER = object_id(CLIENT_ID)
STRANGER = "5a5a5a5a-0000-4000-8000-0000000000dd"
"""A client of the tenant that may not deliver."""
PATIENCE = 1.0


@dataclass
class Guarded:
    """The service and the tenant that vouches for its senders."""

    service: Serving
    lab: RunningLab

    def token(self, client: str = CLIENT_ID, audience: str = AUDIENCE) -> str:
        """As the tenant issues it."""
        form = {"grant_type": "client_credentials", "client_id": client, "client_secret": "any"}
        url = f"{self.lab.url}/{TENANT_ID}/oauth2/v2.0/token"
        answer = HTTP.post(url, data=form | {"scope": f"{audience}/.default"})
        return str(answer.raise_for_status().json()["access_token"])

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Those of a good token, changed: None leaves one out, a `timedelta` counts from now."""
        good = jwt.decode(self.token(), options={"verify_signature": False})
        now = int(time.time())
        return {
            name: now + int(value.total_seconds()) if isinstance(value, timedelta) else value
            for name, value in (good | changes).items()
            if value is not None
        }

    def signed_by_the_tenant(self, **changes: Any) -> str:
        """A token that the tenant never issued, but might have."""
        return str(self.lab.server.app._tokens.keys.sign(self.claims(**changes)))

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token()}"}

    def said_meanwhile(self, since: int) -> list[dict[str, Any]]:
        """The lines after the first `since`, up to those about two requests made now, without those about runs.

        What was delivered before may still be answered.
        """
        self.service.get("/no-such-page")
        self.service.get("/webhooks/sentinel")

        def lines() -> list[dict[str, Any]]:
            return [line for line in self.service.lines[since:] if "run" not in line]

        until(lambda: [line.get("status") for line in lines()[-2:]] == [404, 405], 10, lambda: str(lines()))
        return lines()[:-2]

    def raw(self, *pieces: bytes, pause: float = 0, finish: bool = False) -> bytes:
        """What comes back over one connection until the service closes it.

        Args:
            pause: seconds before each piece.
            finish: say that nothing more will be sent.
        """
        with self.connected() as connection:
            try:
                for piece in pieces:
                    time.sleep(pause)
                    connection.sendall(piece)
                if finish:
                    connection.shutdown(socket.SHUT_WR)
            except ConnectionError:
                pass  # it has hung up on us; what it said before is still there
            return answer_of(connection)

    def connected(self) -> socket.socket:
        host, port = self.service.url.removeprefix("http://").split(":")
        return socket.create_connection((host, int(port)), timeout=patiently(10))


def answer_of(connection: socket.socket) -> bytes:
    answer = b""
    try:
        while piece := connection.recv(65536):
            answer += piece
    except ConnectionError:
        pass
    return answer


@contextmanager
def guarded(place: Path, *, data: str | Path = "seed-true-positive", lab: Any = (), **env: str) -> Iterator[Guarded]:
    """Run both until the end of the block, the service in a new interpreter: what reaches it is as raw as it comes."""
    callers: Sequence[str] = (CALLER,)
    with running(scenario.find(str(data)), place / "lab", **dict(lab)) as tenant:
        settings = {
            "RESPOND_STATE__URL": f"sqlite:///{place / 'state' / 'respond.db'}",
            "RESPOND_LAB__URL": tenant.url,
            "RESPOND_WEBHOOK__AUDIENCE": AUDIENCE,
            "RESPOND_WEBHOOK__CALLERS": json.dumps(callers),
            "RESPOND_WEBHOOK__HMAC_SECRET": SECRET,
            "RESPOND_WEBHOOK__BODY_WITHIN": f"{PATIENCE:g}s",
            "RESPOND_SCHEDULE__EVERY": "0s",
        }
        with serving_fresh(**settings | env) as service:
            yield Guarded(service, tenant)
