"""A lure's link that no query can carry: looked up by its host, or a gap that counts it; never dropped in silence."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from actions.find_recipients import find_recipients
from actions.match_lure_intel import match_lure_intel
from respond.clients.log_answer import Rows
from respond.clients.places import Places
from respond.models.case import Case, Mode, Window
from respond.models.evidence import Lures
from respond.settings import Sources, load_settings, shipped_config
from respond.step import Process, install
from tests.decision.test_decision import NOON, POLICY, message

HOST = "evil.example"
UNSPEAKABLE = {
    "a line separator": f"https://{HOST}/a\u2028b",
    "a paragraph separator": f"https://{HOST}/\u2029",
    "a control character": f"https://{HOST}/\x07",
    "a lone surrogate": f"https://{HOST}/\ud800",
    "4,097 characters": f"https://{HOST}/{'x' * 4097}",
}


class Tenant:
    """Every connection of a run; writes down the questions, answers nothing."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def clients(self, *, read_only: bool) -> Any:
        del read_only
        return self

    @property
    def places(self) -> Places:
        tenant: Any = self
        return Places(tenant, tenant, Sources(), auto=False, absent_for=timedelta(minutes=15))

    @property
    def absent(self) -> Any:
        return self

    def known(self) -> dict[str, str]:
        return {}

    async def query(self, text: str, *, whole: bool) -> Rows:
        del whole
        self.asked.append(text)
        return Rows()


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    services: Any = Tenant()
    nowhere: Any = None
    install(Process(settings=load_settings(shipped_config()), connections=services, store=nowhere))
    yield services
    install(None)


def case() -> Case:
    window = Window(start=NOON - timedelta(days=1), end=NOON)
    return Case(tenant="t", mode=Mode.LIVE, window=window, started=NOON, policy=POLICY, who="ann@contoso.com", run="r")


def lures(*links: str) -> Lures:
    return Lures(messages=(message(0.1, urls=links),))


@pytest.mark.parametrize("link", UNSPEAKABLE.values(), ids=UNSPEAKABLE)
def test_a_link_that_no_query_can_carry_is_looked_up_by_its_host(link: str, tenant: Tenant) -> None:
    found = asyncio.run(match_lure_intel(case(), lures=(lures(link, "https://fine.example/x"),)))
    (question,) = tenant.asked
    assert f'"{HOST}"' in question
    assert "https://fine.example/x" in question
    assert [gap.reason for gap in found.gaps] == ["links that were looked up by their host only: 1"]


@pytest.mark.parametrize(
    "link", ["https://\u2028/x", "\u2028", f"https://{'x' * 5000}/"], ids=["of signs", "no link", "too long"]
)
def test_a_link_whose_host_cannot_be_asked_about_either_is_counted(link: str, tenant: Tenant) -> None:
    found = asyncio.run(match_lure_intel(case(), lures=(lures(link),)))
    assert tenant.asked == []
    assert [gap.reason for gap in found.gaps] == ["links that were not looked up, nor their hosts: 1"]


@pytest.mark.parametrize("link", UNSPEAKABLE.values(), ids=UNSPEAKABLE)
def test_whom_such_a_link_reached_as_well_is_a_gap(link: str, tenant: Tenant) -> None:
    found = asyncio.run(find_recipients(case(), lures=lures(link)))
    assert tenant.asked == []
    assert [gap.reason for gap in found.gaps] == ["links whose other recipients were not looked up: 1"]
