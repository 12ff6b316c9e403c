"""Whose a delivery is: by its credential, else by its workspace; and strangers learn of no workspace."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from respond.settings import Settings, Tenant, Webhook
from respond.webhook.problems import Problem
from respond.webhook.routing import Routes
from tests.helpers.tenants import AUDIENCE, NAMES, SECRETS, ids, tenant_id, workspace_id, workspace_resource_id
from tests.webhook.signing import token
from tests.webhook.test_gate import signed
from tests.webhook.test_payload import SHAPES, sample

ELSEWHERE = "cccccccc-0000-4000-8000-000000000002"
AS_JSON = {"content-type": "application/json"}
Wrap = Callable[[Any], Any]
WRAPS: tuple[Wrap, ...] = (
    lambda said: said,
    lambda said: {"body": said},
    lambda said: {"triggerBody": {"body": said}},
    lambda said: {"body": json.dumps(said)},
)


def routes(*, tokens: tuple[str, ...] = NAMES, signatures: tuple[str, ...] = NAMES) -> Routes:
    """Both tenants; those that take tokens, and those that take signatures."""
    return Routes.of(
        {
            name: Settings(
                tenant=Tenant.model_validate(ids(name)),
                webhook=Webhook(
                    audience=AUDIENCE if name in tokens else "",
                    hmac_secret=SecretStr(SECRETS[name] if name in signatures else ""),
                ),
            )
            for name in NAMES
        }
    )


OPEN: dict[str, Any] = {"tokens": (), "signatures": ()}


def whose(by: Routes, said: Any = None, **headers: str) -> str:
    """Both steps."""
    content = said if isinstance(said, bytes) else b"" if said is None else json.dumps(said).encode()
    whole = AS_JSON | {name.replace("_", "-"): value for name, value in headers.items()}
    return by.unread(whole) or by.read(whole, content)


def problem(by: Routes, said: Any = None, **headers: str) -> tuple[int, str, Any]:
    with pytest.raises(Problem) as caught:
        whose(by, said, **headers)
    return caught.value.status.value, caught.value.detail, caught.value.headers.get("WWW-Authenticate")


def of_workspace(shape: str, workspace: str, place: str = "") -> Any:
    """A sample, as of another workspace: by its id, or by where its incident lives."""
    said = sample(shape)
    key = "WorkspaceId" if shape == "alert" else "workspaceId"
    said.pop("workspaceId", None)
    if workspace:
        said[key] = workspace
    if place:
        said["IncidentArmID"] = f"{place}/providers/Microsoft.SecurityInsights/Incidents/one"
    return said


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("shape", ["incident", "alert", "entity"])
@pytest.mark.parametrize("name", NAMES)
def test_in_the_lab_every_shape_goes_to_the_tenant_of_its_workspace(name: str, shape: str, wrap: Wrap) -> None:
    assert whose(routes(**OPEN), wrap(of_workspace(shape, workspace_id(name).upper()))) == name


@pytest.mark.parametrize("name", NAMES)
def test_an_entity_without_a_workspace_goes_where_its_incident_lives(name: str) -> None:
    assert whose(routes(**OPEN), of_workspace("entity", "", workspace_resource_id(name).upper())) == name


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_a_token_goes_to_its_tenant_whatever_the_body_says(name: str, shape: str) -> None:
    bearer = f"Bearer {token(tid=tenant_id(name).upper())}"
    assert routes().unread({"authorization": bearer}) == name
    assert whose(routes(), sample(shape), authorization=bearer) == name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "said",
    [b"", b"{}", b"no json", json.dumps(sample("entity")).encode(), gzip.compress(b"[" * 100)],
    ids=["empty", "button", "no-json", "entity", "gzip"],
)
def test_a_signed_body_that_names_no_workspace_goes_to_whose_secret_signed_it(name: str, said: bytes) -> None:
    assert whose(routes(), said, **named(signed(said, SECRETS[name]))) == name


def named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("-", "_"): value for name, value in headers.items()}


def test_a_signature_counts_for_the_tenant_of_the_workspace_alone() -> None:
    said = json.dumps(of_workspace("incident", workspace_id("beta"))).encode()
    assert whose(routes(), said, **named(signed(said, SECRETS["beta"]))) == "beta"
    assert problem(routes(), said, **named(signed(said, SECRETS["alpha"])))[0] == 401


@pytest.mark.parametrize("shape", ["incident", "alert", "entity"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer nonsense"},
        {"authorization": f"Bearer {token()}"},
        {"x_respond_signature": "nonsense"},
        {"x_respond_signature": "v1=" + "0" * 64, "x_respond_timestamp": "1"},
        named(signed(b"another body")),
    ],
)
@pytest.mark.parametrize("takes", [{}, {"tokens": ("alpha",)}, {"signatures": ("alpha",)}, {"tokens": ()}])
def test_a_stranger_cannot_tell_a_workspace_that_is_known_from_one_that_is_not(
    shape: str, headers: dict[str, str], takes: dict[str, Any]
) -> None:
    by = routes(**takes)
    unknown = problem(by, of_workspace(shape, ELSEWHERE), **headers)
    assert unknown[0] == 401
    for name in NAMES:
        assert problem(by, of_workspace(shape, workspace_id(name)), **headers) == unknown


def test_one_who_belongs_to_a_tenant_cannot_either() -> None:
    for workspace in (workspace_id("beta"), ELSEWHERE):
        said = json.dumps(of_workspace("incident", workspace)).encode()
        assert problem(routes(), said, **named(signed(said, SECRETS["alpha"])))[1] == (
            "the signature is not right for this time and body"
        )
        assert whose(routes(), said, authorization=f"Bearer {token(tid=tenant_id('alpha'))}") == "alpha"


@pytest.mark.parametrize(
    ("said", "status", "told"),
    [
        (of_workspace("incident", ELSEWHERE), 403, "another workspace"),
        (None, 422, "must be a JSON object"),
        ({}, 422, "does not say of which workspace"),
        (sample("entity"), 422, "does not say of which workspace"),
        ({"hello": "there"}, 422, "no incident, alert or entity"),
        (b"{", 400, "is not JSON"),
    ],
)
def test_in_the_lab_a_delivery_that_is_nobodys_is_told_why(said: Any, status: int, told: str) -> None:
    found = problem(routes(**OPEN), said)
    assert found[0] == status
    assert told in found[1]


def test_where_one_tenant_takes_anything_the_other_is_still_guarded() -> None:
    by = routes(tokens=("alpha",), signatures=())
    assert whose(by, of_workspace("incident", workspace_id("beta"))) == "beta"
    assert problem(by, of_workspace("incident", workspace_id("alpha"))) == problem(
        by, of_workspace("incident", ELSEWHERE)
    )
    assert problem(by, None)[0] == 401


@given(st.binary(max_size=200) | st.text().map(lambda text: json.dumps(text).encode()), st.text(max_size=60))
def test_nothing_that_a_stranger_sends_gets_further_than_a_refusal(said: bytes, credential: str) -> None:
    for headers in ({}, {"authorization": credential or "x"}, {"x_respond_signature": credential or "x"}):
        assert problem(routes(), said, **headers)[0] == 401
