"""Who may deliver, by the settings; and when the service does not start."""

from __future__ import annotations

from typing import Any

import pytest
import respx
from pydantic import SecretStr

from respond.errors import UsageError
from respond.settings import Settings, Tenant, TenantMode, Webhook
from respond.webhook.callers import Caller, How
from respond.webhook.gate import Gate, check_startup
from tests.webhook.refusals import refused
from tests.webhook.signing import AUDIENCE, CALLER, KEYS_URL, TENANT, jwk, settings, token

SECRET = "correct-horse-battery-staple-0123456789"
HERE = ("127.0.0.1", "127.8.9.10", "::1", "[::1]", "localhost", "LOCALHOST")
BEYOND = ("0.0.0.0", "::", "", "192.0.2.1", "example.com", "localhost.example.com", "127.0.0.1.example.com")  # noqa: S104


def nothing(mode: TenantMode) -> Settings:
    return Settings(tenant=Tenant(mode=mode, tenant_id=TENANT))


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    import time

    from respond.webhook.signatures import sign

    at = str(int(time.time()))
    return {"x-respond-timestamp": at, "x-respond-signature": f"v1={sign(SecretStr(secret), at, body)}"}


@pytest.mark.parametrize("host", HERE)
async def test_in_the_lab_anybody_on_this_machine_may_deliver(host: str) -> None:
    gate = Gate.of(nothing(TenantMode.LAB), host=host)
    assert await gate.admit({}, b"") == Caller(id="anonymous", how=How.LAB)


@pytest.mark.parametrize(("mode", "host"), [*((TenantMode.LAB, host) for host in BEYOND), (TenantMode.AZURE, "::1")])
def test_nobody_is_anonymous_beyond_this_machine_or_in_a_real_tenant(mode: TenantMode, host: str) -> None:
    with pytest.raises(UsageError, match=r"webhook\.audience"):
        Gate.of(nothing(mode), host=host)


@pytest.mark.parametrize("mode", TenantMode)
@pytest.mark.parametrize(
    ("webhook", "key"),
    [
        ({"audience": AUDIENCE, "app_role": ""}, "webhook.callers"),
        ({"audience": AUDIENCE, "callers": ("logic-app",)}, "webhook.callers"),
        ({"hmac_secret": SecretStr("x" * 31)}, "webhook.hmac_secret"),
        ({"audience": AUDIENCE, "hmac_secret": SecretStr("hunter2")}, "webhook.hmac_secret"),
    ],
)
def test_a_gate_that_cannot_work_is_refused_at_the_start(mode: TenantMode, webhook: dict[str, Any], key: str) -> None:
    configured = Settings(tenant=Tenant(mode=mode, tenant_id=TENANT), webhook=Webhook(**webhook))
    with pytest.raises(UsageError, match=key.replace(".", r"\.")) as caught:
        check_startup(configured, "127.0.0.1")
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize("tenant", ["", "contoso.com"])
def test_tokens_need_to_know_the_tenant(tenant: str) -> None:
    configured = Settings(tenant=Tenant(mode=TenantMode.AZURE, tenant_id=tenant), webhook=Webhook(audience=AUDIENCE))
    with pytest.raises(UsageError, match=r"tenant\.tenant_id"):
        check_startup(configured, "127.0.0.1")


@pytest.mark.parametrize("host", [*HERE, *BEYOND])
@pytest.mark.parametrize("webhook", [{"audience": AUDIENCE}, {"hmac_secret": SecretStr(SECRET)}])
@pytest.mark.parametrize("mode", TenantMode)
def test_with_authentication_it_listens_anywhere(host: str, webhook: dict[str, Any], mode: TenantMode) -> None:
    check_startup(Settings(tenant=Tenant(mode=mode, tenant_id=TENANT), webhook=Webhook(**webhook)), host)


async def test_in_the_lab_too_what_is_configured_is_asked_for() -> None:
    gate = Gate.of(Settings(webhook=Webhook(hmac_secret=SecretStr(SECRET))), host="127.0.0.1")
    assert (await refused(gate.admit({}, b""))).status == 401


@respx.mock
async def test_either_is_taken_where_both_are_configured() -> None:
    respx.get(KEYS_URL).respond(json={"keys": [jwk()]})
    gate = Gate.of(settings(hmac_secret=SecretStr(SECRET)), host="0.0.0.0")  # noqa: S104
    bearer = {"authorization": f"Bearer {token()}"}
    assert await gate.admit(bearer, b"{}") == Caller(id=CALLER, how=How.OBJECT_ID)
    assert (await gate.admit(signed(b"{}"), b"{}")).how is How.SIGNATURE
    problem = await refused(gate.admit({}, b"{}"))
    assert problem.headers["WWW-Authenticate"] == 'Bearer realm="respond", Respond-Signature version="v1"'


@respx.mock
async def test_a_bad_token_is_not_made_good_by_a_signature() -> None:
    respx.get(KEYS_URL).respond(json={"keys": [jwk()]})
    gate = Gate.of(settings(hmac_secret=SecretStr(SECRET)), host="127.0.0.1")
    bearer = token(aud="https://example.com")
    problem = await refused(gate.admit(signed(b"{}") | {"authorization": f"Bearer {bearer}"}, b"{}"), bearer, SECRET)
    assert problem.status == 401


async def test_what_is_not_configured_is_not_taken() -> None:
    tokens = Gate.of(settings(), host="127.0.0.1")
    assert (await refused(tokens.admit(signed(b""), b""))).headers["WWW-Authenticate"] == 'Bearer realm="respond"'
    signatures = Gate.of(settings(audience="", hmac_secret=SecretStr(SECRET)), host="127.0.0.1")
    bearer = token()
    problem = await refused(signatures.admit({"authorization": f"Bearer {bearer}"}, b""), bearer)
    assert problem.headers["WWW-Authenticate"] == 'Respond-Signature version="v1"'


async def test_a_signature_is_waited_for_and_a_token_is_not() -> None:
    gate = Gate.of(settings(audience="", hmac_secret=SecretStr(SECRET)), host="127.0.0.1")
    assert await gate.admit_unread(signed(b"{}")) is None
    assert (await refused(gate.admit_unread({}))).status == 401
    assert gate.admit_signed(signed(b"{}"), b"{}").how is How.SIGNATURE


@pytest.mark.parametrize("used", ["hmac_secret", "hmac_secret_next"])
async def test_while_a_secret_is_changed_both_are_taken_and_no_third(used: str) -> None:
    keys = {"hmac_secret": SECRET, "hmac_secret_next": f"{SECRET}-next"}
    webhook: dict[str, Any] = {key: SecretStr(value) for key, value in keys.items()}
    gate = Gate.of(settings(audience="", **webhook), host="127.0.0.1")
    assert (await gate.admit(signed(b"{}", keys[used]), b"{}")).how is How.SIGNATURE
    assert "signature is not right" in (await refused(gate.admit(signed(b"{}", "another" * 6), b"{}"))).line


def test_a_next_secret_that_is_too_short_is_named() -> None:
    with pytest.raises(UsageError, match=r"^webhook\.hmac_secret_next: is shorter"):
        check_startup(settings(hmac_secret=SecretStr(SECRET), hmac_secret_next=SecretStr("short")), "127.0.0.1")
