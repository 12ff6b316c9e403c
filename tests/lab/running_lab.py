"""A lab over real HTTP, and the SDKs that ask it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
from azure.core.credentials import AccessToken

from respond.lab.constants import CLIENT_ID, TENANT_ID, WORKSPACE_ID
from respond.lab.server import LabServer
from respond.settings import Lab, Settings
from tests.helpers.patience import patiently
from tests.helpers.tiers import LAB_STARTS

USER = "7d1f0a52-6d0e-4c1c-9b54-0f5a1c0e7a11"

HTTP = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0))
"""One for all tests, as making one costs 30 ms; it keeps no connection open, so that servers can stop."""


class LabCredential:
    """Gets its tokens where azure-identity would get them."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        return AccessToken(token(self._url, scopes[0]), int(time.time()) + 3600)

    async def close(self) -> None: ...
    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...


def token(url: str, scope: str = "https://graph.microsoft.com/.default") -> str:
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": "any", "scope": scope}
    answer = HTTP.post(f"{url}/{TENANT_ID}/oauth2/v2.0/token", data=form)
    return str(answer.raise_for_status().json()["access_token"])


class RunningLab:
    """A lab that listens, and short ways to ask it."""

    def __init__(self, server: LabServer) -> None:
        self.server = server
        self.url = server.url

    def request(self, method: str, path: str, *, body: Any = None, **headers: str) -> httpx.Response:
        bearer = token(self.url, f"{self.url}/.default")
        return HTTP.request(
            method, self.url + path, json=body, headers={"Authorization": f"Bearer {bearer}", **headers}
        )

    def get(self, path: str) -> Any:
        return self.request("GET", path).json()

    async def query(self, kql: str, *, timespan: Any = None, **kwargs: Any) -> Any:
        from azure.monitor.query.aio import LogsQueryClient  # noqa: TID251 -- the lab is tested from outside

        client = LogsQueryClient(LabCredential(self.url), endpoint=self.url, retry_total=0)
        async with client:
            return await client.query_workspace(WORKSPACE_ID, kql, timespan=timespan, enforce_https=False, **kwargs)

    @asynccontextmanager
    async def graph(self) -> AsyncIterator[Any]:
        from msgraph.graph_service_client import GraphServiceClient

        client: Any = GraphServiceClient(LabCredential(self.url), scopes=["https://graph.microsoft.com/.default"])
        client.request_adapter.base_url = f"{self.url}/v1.0"
        yield client
        # closing kiota's client does not reach the connections: its transport wraps the one that holds them
        await client.request_adapter._http_client._transport.transport.aclose()


_Served = tuple[LabServer, threading.Thread]
_idle: list[_Served] = []


@contextmanager
def running(data: Path, state_dir: Path, **lab: Any) -> Iterator[RunningLab]:
    """A tenant of its own on a lab in a thread of this process, until the block ends.

    The server goes on and answers for the next block's tenant: starting one costs more than telling it a story.
    """
    sys.audit(LAB_STARTS)
    settings = Settings(lab=Lab(**lab))
    if _idle:
        served = _idle.pop()
        served[0].change_tenant(settings, data=data, state_dir=state_dir)
    else:
        served = _start(settings, data, state_dir)
    try:
        yield RunningLab(served[0])
    finally:
        _idle.append(served)


@contextmanager
def starting(data: Path, state_dir: Path, **lab: Any) -> Iterator[RunningLab]:
    """The same on a server of its own, which starts and stops with the block."""
    sys.audit(LAB_STARTS)
    served = _start(Settings(lab=Lab(**lab)), data, state_dir)
    try:
        yield RunningLab(served[0])
    finally:
        _stop(served)


def stop_idle() -> None:
    """Stop the servers that wait for a tenant; at the end of a test run."""
    while _idle:
        _stop(_idle.pop())


def _start(settings: Settings, data: Path, state_dir: Path) -> _Served:
    listening = threading.Event()
    server = LabServer(settings, data=data, state_dir=state_dir, on_listening=listening.set)
    thread = threading.Thread(target=server.run_until_told)
    thread.start()
    assert listening.wait(patiently(10))
    return server, thread


def _stop(served: _Served) -> None:
    server, thread = served
    server.should_exit = True
    thread.join(patiently(10))
