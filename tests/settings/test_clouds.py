"""One setting for a national cloud: its endpoints, its issuers, and what it lacks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from respond.clients.clouds import CLOUDS, authority, cloud_of
from respond.clients.connect import Clients
from respond.clients.credentials import Tokens, credential
from respond.errors import Permanent
from respond.settings import Cloud, Settings
from respond.webhook.tokens import issuers, keys_url
from tests.helpers.command import VICTIM, respond
from tests.lab.running_lab import RunningLab

TENANT = "f0a1c2d3-1111-4222-8333-944445555666"
Start = Callable[..., RunningLab]


def azure(cloud: str, **tenant: str) -> Settings:
    named = {"mode": "azure", "cloud": cloud, "tenant_id": TENANT, "workspace_id": TENANT, "client_id": TENANT}
    return Settings.model_validate({"tenant": named | {"client_secret": "x"} | tenant})


def made(settings: Settings) -> tuple[str, str, str]:
    """The scopes of Graph, Log Analytics and Azure, as tokens are asked for."""

    async def scopes() -> tuple[str, str, str]:
        clients = Clients(settings, read_only=True, lab_url=None, frozen=lambda: None)
        try:
            return clients.graph.scope, clients.logs.scope, clients.sentinel.scope
        finally:
            await clients.close()

    return asyncio.run(scopes())


@pytest.mark.parametrize(
    ("cloud", "graph", "logs", "arm", "login"),
    [
        ("public", "graph.microsoft.com", "api.loganalytics.io", "management.azure.com", "login.microsoftonline.com"),
        (
            "usgov", "graph.microsoft.us", "api.loganalytics.us", "management.usgovcloudapi.net",
            "login.microsoftonline.us",
        ),
        (
            "usgov-dod", "dod-graph.microsoft.us", "api.loganalytics.us", "management.usgovcloudapi.net",
            "login.microsoftonline.us",
        ),
        (
            "china", "microsoftgraph.chinacloudapi.cn", "api.loganalytics.azure.cn", "management.chinacloudapi.cn",
            "login.chinacloudapi.cn",
        ),
    ],
)  # fmt: skip
def test_one_setting_gives_every_endpoint(cloud: str, graph: str, logs: str, arm: str, login: str) -> None:
    settings = azure(cloud)
    assert made(settings) == tuple(f"https://{host}/.default" for host in (graph, logs, arm))
    assert authority(settings, None) == f"https://{login}"
    assert keys_url(settings, None) == f"https://{login}/{TENANT}/discovery/v2.0/keys"
    identity = credential(settings, None)
    assert isinstance(identity, Tokens)
    made_for: object = vars(identity.identity)["_client"]
    assert vars(made_for)["_authority"] == f"https://{login}"


def test_an_endpoint_that_is_named_wins_over_the_cloud() -> None:
    settings = azure("usgov", graph_endpoint="https://proxy.example.com/", authority="https://login.example.com/")
    assert made(settings)[:2] == ("https://proxy.example.com/.default", "https://api.loganalytics.us/.default")
    assert keys_url(settings, None).startswith("https://login.example.com/")


@pytest.mark.parametrize("cloud", list(Cloud))
def test_tokens_of_another_cloud_are_not_taken(cloud: Cloud) -> None:
    taken = set(issuers(azure(cloud)))
    assert taken == {issuer.format(tenant=TENANT) for issuer in CLOUDS[cloud].issuers}
    for other in Cloud:
        own = {issuer.format(tenant=TENANT) for issuer in CLOUDS[other].issuers if issuer.endswith("/v2.0")}
        shares = CLOUDS[other].authority == CLOUDS[cloud].authority
        assert (own <= taken) == shares


@pytest.mark.parametrize("method", ["risk", "hunt"])
def test_what_a_cloud_lacks_is_not_asked_for(method: str) -> None:
    async def ask() -> None:
        clients = Clients(
            azure("china", graph_endpoint="http://127.0.0.1:1"), read_only=False, lab_url=None, frozen=lambda: None
        )
        vars(clients)["_credential"] = vars(clients)["_write_credential"] = _Token()
        try:
            await getattr(clients.graph, method)("print 1")
        finally:
            await clients.close()

    with pytest.raises(Permanent, match=r'does not exist in tenant\.cloud = "china"; it was not asked'):
        asyncio.run(asyncio.wait_for(ask(), timedelta(seconds=20).total_seconds()))


class _Token:
    async def get_token(self, *_: str, **__: object) -> object:
        from azure.core.credentials import AccessToken

        return AccessToken("made-up", 2**40)

    async def close(self) -> None: ...


def test_what_a_cloud_lacks_is_a_gap_and_no_failure(lab: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = lab()
    monkeypatch.setenv("RESPOND_TENANT__CLOUD", "china")
    answer = respond("--user", VICTIM, "--json")
    assert (answer.code, answer.json["outcome"]) == (0, "contained-verified")
    assert any("Identity Protection does not exist" in gap["reason"] for gap in answer.json["gaps"])
    asked = [entry["path"] for entry in tenant.get("/_lab/requests")]
    assert not [path for path in asked if "identityProtection" in path or "runHuntingQuery" in path]


def test_only_china_lacks_something() -> None:
    assert [cloud for cloud in Cloud if cloud_of(azure(cloud)).lacks] == [Cloud.CHINA]
