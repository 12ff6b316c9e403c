"""What `/openapi.json` says of the service is so, and no delivery, however mangled, is the service's fault."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.helpers.guarded_service import Guarded, guarded
from tests.helpers.patience import patiently
from tests.lab.running_lab import HTTP
from tests.webhook.test_payload import SHAPES, sample

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
OPERATIONS = [("POST", "/webhooks/sentinel"), ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics")]
POSITIVE, NEGATIVE = schemathesis.GenerationMode
REPEATABLE = settings(
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)


pytestmark = pytest.mark.xdist_group(name="serving-api-properties")
TIMES = pytest.mark.parametrize("times", [1, pytest.param(4, marks=pytest.mark.soak)])


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with guarded(tmp_path_factory.mktemp("properties"), RESPOND_SERVE__RUNS_AT_ONCE="1") as running:
        yield running


@pytest.fixture(autouse=True)
def _none_of_it_is_a_defect(door: Guarded) -> Iterator[None]:
    """The service is as well after each test as before it."""
    yield
    events = {line["event"] for line in door.service.lines}
    assert not events & {"no-json", "defect", "library", "run-broke", "watch-failed", "delivery-given-up"}, events
    assert door.service.get("/readyz").json() == {"status": "ready", "mode": "auto"}


@pytest.fixture(scope="module")
def api(door: Guarded) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{door.service.url}/openapi.json", config=schemathesis.Config())


@pytest.fixture(scope="module")
def bearer(door: Guarded) -> dict[str, str]:
    return door.bearer


def test_every_page_of_the_service_is_described(api: schemathesis.BaseSchema) -> None:
    found = [(operation.method.upper(), path) for path in api for operation in api[path].values()]
    assert sorted(found) == sorted(OPERATIONS)


@pytest.mark.parametrize(("method", "path"), OPERATIONS[1:])
def test_a_page_answers_as_described(api: schemathesis.BaseSchema, method: str, path: str) -> None:
    @settings(REPEATABLE, max_examples=3)
    @given(case=api[path][method].as_strategy(generation_mode=POSITIVE))
    def check(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(checks=CHECKS)

    check()


@TIMES
@pytest.mark.parametrize("mode", [POSITIVE, NEGATIVE], ids=["as described", "otherwise"])
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_the_webhook_answers_as_described(
    api: schemathesis.BaseSchema, bearer: dict[str, str], mode: schemathesis.GenerationMode, *, known: bool, times: int
) -> None:
    @settings(REPEATABLE, max_examples=(10 if known else 4) * times)
    @given(case=api["/webhooks/sentinel"]["POST"].as_strategy(generation_mode=mode))
    def check(case: schemathesis.Case[Any]) -> None:
        answer = case.call_and_validate(checks=CHECKS, headers=bearer if known else {})
        assert known or answer.status_code == 401

    check()


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=300)
    | st.sampled_from(["\0", "\ud83d", "{", "[]", "9" * 400, "2026-13-45", "0001-01-01T00:00:00+23:59", "a@b@c", "'"])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=20), inner, max_size=5),
    max_leaves=12,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to every value in a document but itself."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inside in items:
        yield (*path, key)
        yield from places(inside, (*path, key))


@st.composite
def mangled(draw: st.DrawFn) -> Any:
    """A delivery of Sentinel's in which a few things are not as they were."""
    body = copy.deepcopy(sample(draw(st.sampled_from(SHAPES))))
    for _ in range(draw(st.integers(1, 3))):
        found = list(places(body))
        if not found:
            return draw(JSON)
        *path, key = draw(st.sampled_from(found))
        inside = body
        for name in path:
            inside = inside[name]
        match draw(st.sampled_from(["replace", "replace", "remove", "text", "list", "more"])):
            case "replace":
                inside[key] = draw(JSON)
            case "remove":
                del inside[key]
            case "text":
                inside[key] = json.dumps(inside[key])
            case "list":
                inside[key] = [inside[key]] * draw(st.integers(0, 3))
            case "more" if isinstance(inside, dict):
                inside[draw(st.text(max_size=20))] = draw(JSON)
    return body


@TIMES
def test_a_mangled_delivery_is_taken_or_refused(door: Guarded, bearer: dict[str, str], times: int) -> None:
    @settings(REPEATABLE, max_examples=20 * times)
    @given(body=mangled())
    def check(body: Any) -> None:
        answer = HTTP.post(
            f"{door.service.url}/webhooks/sentinel",
            content=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **bearer},
            timeout=patiently(30),
        )
        check_answer(answer)

    check()


def check_answer(answer: Any) -> None:
    said = answer.json()
    if answer.status_code == 202:
        assert answer.headers["content-type"] == "application/json"
        assert [type(said[name]) for name in ("cases", "duplicate", "delivery")] == [list, bool, str]
    else:
        assert answer.status_code in (400, 403, 422), said
        assert answer.headers["content-type"] == "application/problem+json"
        assert said["status"] == answer.status_code
        assert said["detail"]
