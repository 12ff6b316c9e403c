"""Tokens for the tenant's own applications, and the keys that they can be checked with."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest

from respond.lab.constants import CLIENT_ID, TENANT_ID
from tests.lab.running_lab import HTTP, RunningLab, token

APPLICATION = "1ab00000-0000-4000-8000-00000000aaaa"
URI = f"api://{APPLICATION}"

Start = Callable[..., RunningLab]


def keys(lab: RunningLab, version: str = "v2.0/") -> list[dict[str, Any]]:
    found = HTTP.get(f"{lab.url}/{TENANT_ID}/discovery/{version}keys").raise_for_status().json()["keys"]
    return [dict(key) for key in found]


def checked(lab: RunningLab, bearer: str, audience: str) -> dict[str, Any]:
    kid = jwt.get_unverified_header(bearer)["kid"]
    key = next(key for key in keys(lab) if key["kid"] == kid)
    return jwt.decode(bearer, jwt.PyJWK(key), ["RS256"], audience=audience)


@pytest.mark.parametrize(
    ("audience", "version", "issuer", "party"),
    [
        (URI, "1.0", f"https://sts.windows.net/{TENANT_ID}/", "appid"),
        ("api://contoso.com/respond", "1.0", f"https://sts.windows.net/{TENANT_ID}/", "appid"),
        (APPLICATION, "2.0", f"https://login.microsoftonline.com/{TENANT_ID}/v2.0", "azp"),
    ],
)
def test_a_token_for_an_application_can_be_checked_by_it(
    seed_lab: RunningLab, audience: str, version: str, issuer: str, party: str
) -> None:
    claims = checked(seed_lab, token(seed_lab.url, f"{audience}/.default"), audience)
    assert (claims["aud"], claims["iss"], claims["ver"]) == (audience, issuer, version)
    assert (claims["tid"], claims["idtyp"], claims[party]) == (TENANT_ID, "app", CLIENT_ID)
    assert claims["oid"] == claims["sub"] == str(uuid.uuid5(uuid.NAMESPACE_OID, CLIENT_ID))
    assert {"appid", "azp"} - set(claims) == {"appid", "azp"} - {party}


def test_a_token_without_app_roles_has_no_such_claim(seed_lab: RunningLab) -> None:
    assert "roles" not in checked(seed_lab, token(seed_lab.url, f"{URI}/.default"), URI)


def test_a_token_carries_the_app_roles_of_its_client(start: Start, seed: Path) -> None:
    roles = {CLIENT_ID.upper(): ["Incidents.Deliver"], APPLICATION: ["Other"]}
    lab = start(seed, app_roles=roles)
    assert checked(lab, token(lab.url, f"{URI}/.default"), URI)["roles"] == ["Incidents.Deliver"]


def test_a_published_key_is_shaped_as_microsoft_shapes_it(seed_lab: RunningLab) -> None:
    assert keys(seed_lab) == keys(seed_lab, version="")
    (key,) = keys(seed_lab)
    assert set(key) == {"kty", "use", "kid", "n", "e"}
    assert (key["kty"], key["use"]) == ("RSA", "sig")


@pytest.mark.parametrize(
    ("version", "issuer"),
    [
        ("v2.0/", f"https://login.microsoftonline.com/{TENANT_ID}/v2.0"),
        ("", f"https://sts.windows.net/{TENANT_ID}/"),
    ],
)
def test_the_configuration_leads_to_the_keys(seed_lab: RunningLab, version: str, issuer: str) -> None:
    found = HTTP.get(f"{seed_lab.url}/{TENANT_ID}/{version}.well-known/openid-configuration").json()
    assert found["issuer"] == issuer
    assert HTTP.get(found["jwks_uri"]).json()["keys"] == keys(seed_lab)
    assert HTTP.post(found["token_endpoint"]).json()["error"] == "unsupported_grant_type"


@pytest.mark.parametrize("path", ["discovery/v2.0/keys", "v2.0/.well-known/openid-configuration"])
def test_another_tenant_is_not_found(seed_lab: RunningLab, path: str) -> None:
    answer = HTTP.get(f"{seed_lab.url}/fabrikam.example.com/{path}")
    assert (answer.status_code, answer.json()["error_codes"]) == (400, [90002])


def test_a_rotated_key_stays_good_until_the_next_rotation(start: Start, seed: Path) -> None:
    lab = start(seed)
    old = token(lab.url, f"{URI}/.default")
    first = lab.request("POST", "/_lab/rotate-keys").json()["keys"]
    new = token(lab.url, f"{URI}/.default")
    assert [jwt.get_unverified_header(bearer)["kid"] for bearer in (old, new)] == first
    assert {key["kid"] for key in keys(lab)} == set(first)
    assert checked(lab, old, URI)["tid"] == checked(lab, new, URI)["tid"] == TENANT_ID

    second = lab.request("POST", "/_lab/rotate-keys").json()["keys"]
    assert second[0] == first[1]
    assert {key["kid"] for key in keys(lab)} == set(second)


def test_a_token_for_an_application_opens_nothing_else(seed_lab: RunningLab) -> None:
    bearer = token(seed_lab.url, f"{URI}/.default")
    answer = HTTP.get(f"{seed_lab.url}/v1.0/users", headers={"Authorization": f"Bearer {bearer}"})
    assert answer.status_code == 401


def test_the_keys_can_be_made_to_fail(start: Start, seed: Path) -> None:
    lab = start(seed, faults=({"match": "GET */discovery/*/keys", "status": 503},))
    assert HTTP.get(f"{lab.url}/{TENANT_ID}/discovery/v2.0/keys").status_code == 503
    assert len(keys(lab)) == 1
