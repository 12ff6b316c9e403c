"""Settings that stand in files of their own, as Docker, Kubernetes and systemd hand over secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from respond.errors import UsageError
from respond.settings import load_settings

SECRET = "made-up-secret-of-forty-characters-0123456"


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir()
    monkeypatch.setenv("RESPOND_SECRETS", str(folder))
    return folder


def test_a_file_outranks_the_toml_and_the_environment_outranks_the_file(
    secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "respond.toml").write_text('[webhook]\nhmac_secret = "of the toml"\naudience = "kept"\n')
    assert load_settings(tmp_path).webhook.hmac_secret.get_secret_value() == "of the toml"
    (secrets / "webhook__hmac_secret").write_text(f"{SECRET}\n")
    settings = load_settings(tmp_path).webhook
    assert (settings.hmac_secret.get_secret_value(), settings.audience) == (SECRET, "kept")
    monkeypatch.setenv("RESPOND_WEBHOOK__HMAC_SECRET", "of the environment")
    assert load_settings(tmp_path).webhook.hmac_secret.get_secret_value() == "of the environment"


def test_what_kubernetes_puts_beside_the_files_is_passed_over(secrets: Path, tmp_path: Path) -> None:
    (secrets / "..data").mkdir()
    (secrets / "tenant__client_id").write_text("of-a-file")
    assert load_settings(tmp_path).tenant.client_id == "of-a-file"


def test_a_process_for_one_tenant_reads_no_file_about_another(
    secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RESPOND_STATE__URL")
    ids = {"contoso": "a", "fabrikam-eu": "b"}
    sections = (f'[tenants.{name}.tenant]\ntenant_id = "{one}"\nworkspace_id = "{one}"\n' for name, one in ids.items())
    (tmp_path / "respond.toml").write_text("".join(sections))
    (secrets / "tenants__contoso__webhook__hmac_secret").mkdir()
    (secrets / "tenants__fabrikam-eu__webhook__hmac_secret").write_text(SECRET)
    monkeypatch.setenv("RESPOND_TENANT", "fabrikam-eu")
    assert load_settings(tmp_path).webhook.hmac_secret.get_secret_value() == SECRET
    monkeypatch.setenv("RESPOND_TENANT", "contoso")
    with pytest.raises(UsageError, match="cannot be read"):
        load_settings(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("hmac_secret", b"x", "hmac_secret: name the file SECTION__KEY"),
        ("webhook__hmac", b"x", "webhook__hmac: webhook.hmac: is not a known key"),
        ("web__hmac_secret", b"x", "web__hmac_secret: web: is not a known key"),
        ("webhook__body_within", b"soon", "webhook__body_within: webhook.body_within:"),
        ("webhook__hmac_secret", b"\xff", "is not UTF-8 text (byte 0)"),
    ],
)
def test_a_file_that_is_wrong_is_named(name: str, content: bytes, said: str, secrets: Path, tmp_path: Path) -> None:
    (secrets / name).write_bytes(content)
    with pytest.raises(UsageError) as error:
        load_settings(tmp_path)
    assert said in error.value.message


def test_a_directory_of_secrets_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESPOND_SECRETS", str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match=r"RESPOND_SECRETS: .*nowhere is not a directory"):
        load_settings(tmp_path)
