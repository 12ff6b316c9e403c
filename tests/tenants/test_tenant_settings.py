"""[tenants]: each laid over what is common, strictly apart; what is wrong is one line that names the key."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from respond import tenants
from respond.policies import load_policy
from respond.settings import Settings, load_settings, load_tenants, shipped_config, state_dir, state_url
from tests.helpers.command import respond
from tests.helpers.tenants import IDS, SECRETS, ids, toml

Config = Callable[..., Path]
PASSWORD = "hunter2-of-the-test"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A directory with a `respond.toml` of alpha and beta: `config({"alpha": {"hunt": …}}, hunt={…})`."""

    def write(of: dict[str, dict[str, Any]] | None = None, **common: dict[str, Any]) -> Path:
        whole: dict[str, dict[str, Any]] = {name: {"tenant": ids(name)} for name in IDS}
        for name, said in (of or {}).items():
            below = whole.setdefault(name, {})
            below |= {section: below.get(section, {}) | keys for section, keys in said.items()}
        (tmp_path / "respond.toml").write_text(toml(whole, **common))
        return tmp_path

    return write


def refused(folder: Path, *arguments: str) -> str:
    answer = respond(*arguments, "--config", str(folder))
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1), answer
    assert PASSWORD not in answer.err
    return answer.err.removeprefix("respond: ").strip()


def of(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("RESPOND_TENANT", name)
    return load_settings(folder)


def test_a_tenants_word_outranks_the_common_one_key_by_key_and_the_environment_the_file(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = config(
        {"alpha": {"hunt": {"since": "7d"}, "retry": {"attempts": 3}}},
        hunt={"since": "48h", "users_at_once": 50},
        retry={"attempts": 2},
    )
    monkeypatch.setenv("RESPOND_RETRY__ATTEMPTS", "4")
    monkeypatch.setenv("RESPOND_RETRY__READ_BUDGET", "9s")
    monkeypatch.setenv("RESPOND_TENANTS__BETA__RETRY__ATTEMPTS", "5")
    alpha, beta = load_tenants(folder).values()
    assert (alpha.hunt.since, beta.hunt.since) == (timedelta(days=7), timedelta(days=2))
    assert alpha.hunt.users_at_once == beta.hunt.users_at_once == 50
    assert (alpha.retry.attempts, beta.retry.attempts) == (3, 5)
    assert alpha.retry.read_budget == beta.retry.read_budget == timedelta(seconds=9)
    assert of(folder, "beta", monkeypatch) == beta


def test_a_secret_from_the_environment_is_its_tenants_alone(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESPOND_TENANTS__ALPHA__TENANT__CLIENT_SECRET", PASSWORD)
    alpha, beta = load_tenants(config()).values()
    assert alpha.tenant.client_secret.get_secret_value() == PASSWORD
    assert not beta.tenant.client_secret.get_secret_value()


def test_a_hyphen_in_a_name_is_an_underscore_in_the_environment(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = {"tenant_id": f"{IDS['alpha']}8", "workspace_id": f"{IDS['alpha']}9"}
    monkeypatch.setenv("RESPOND_TENANTS__ALPHA_EU__HUNT__SINCE", "3d")
    found = load_tenants(config({"alpha-eu": {"tenant": there}}))
    assert found["alpha-eu"].hunt.since == timedelta(days=3)
    assert found["alpha"].hunt.since == timedelta(days=1)


def test_each_tenant_has_a_state_of_its_own(config: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    alpha, beta = load_tenants(config()).values()
    assert state_url(alpha) == f"sqlite:///{tmp_path}/respond/alpha/respond.db"
    assert state_url(beta) == f"sqlite:///{tmp_path}/respond/beta/respond.db"
    alpha, beta = load_tenants(config(state={"dir": "/srv/respond"})).values()
    assert (state_dir(alpha), state_dir(beta)) == (Path("/srv/respond/alpha"), Path("/srv/respond/beta"))
    url = "postgresql://respond@db.example.com/"
    alpha, beta = load_tenants(
        config({"alpha": {"state": {"url": f"{url}a"}}, "beta": {"state": {"url": f"{url}b", "dir": "/srv/b"}}})
    ).values()
    assert (state_url(alpha), state_dir(alpha)) == (f"{url}a", tmp_path / "respond" / "alpha")
    assert (state_url(beta), state_dir(beta)) == (f"{url}b", Path("/srv/b"))


def test_databases_in_one_directory_share_nothing_else(config: Config) -> None:
    """Process locks, ticket pages and the lab's memory are beside the database."""
    urls = {name: {"state": {"url": f"sqlite:////srv/respond/{name}.db"}} for name in IDS}
    alpha, beta = load_tenants(config(urls)).values()
    assert (state_url(alpha), state_url(beta)) == tuple(f"sqlite:////srv/respond/{name}.db" for name in IDS)
    assert state_dir(alpha) != state_dir(beta)


SERVER = f"postgresql://respond:{PASSWORD}@db.example.com/respond"


@pytest.mark.parametrize(
    ("alphas", "betas", "key"),
    [
        ({"tenant": {"tenant_id": f"{IDS['beta']}1".upper()}}, {}, "tenant.tenant_id"),
        ({"tenant": {"workspace_id": f"{IDS['beta']}2"}}, {}, "tenant.workspace_id"),
        ({"webhook": {"hmac_secret": PASSWORD * 2}}, {"webhook": {"hmac_secret": PASSWORD * 2}}, "webhook.hmac_secret"),
        ({"state": {"url": SERVER}}, {"state": {"url": SERVER}}, "state.url"),
        ({"state": {"url": SERVER}}, {"state": {"url": "postgresql://x@DB.example.com:5432/respond"}}, "state.url"),
        ({"state": {"url": "sqlite:////srv/a/../a.db"}}, {"state": {"url": "sqlite:////srv/a.db"}}, "state.url"),
        ({"state": {"url": "sqlite:////srv/respond.db"}}, {"state": {"dir": "/srv"}}, "state.url"),
        ({"state": {"url": SERVER, "dir": "/srv"}}, {"state": {"url": f"{SERVER}2", "dir": "/srv/"}}, "state.dir"),
    ],
)
def test_what_tells_tenants_apart_is_no_others(
    alphas: dict[str, Any], betas: dict[str, Any], key: str, config: Config
) -> None:
    said = refused(config({"alpha": alphas, "beta": betas}), "show", "X", "--tenant", "beta")
    assert said == f"tenants.beta.{key}: is that of tenants.alpha as well; each has its own"


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ("tenant", "tenant_id"),
        ("tenant", "workspace_id"),
        ("tenant", "client_id"),
        ("tenant", "client_secret"),
        ("webhook", "hmac_secret"),
        ("state", "url"),
    ],
)
@pytest.mark.parametrize("from_file", [True, False])
def test_what_lets_one_into_a_tenant_is_never_common(
    section: str, key: str, from_file: bool, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not from_file:
        monkeypatch.setenv(f"RESPOND_{section}__{key}".upper(), PASSWORD)
    folder = config(**({section: {key: PASSWORD}} if from_file else {}))
    said = refused(folder, "serve", "--port", "0")
    assert (
        said
        == f"{section}.{key}: would be shared by all of [tenants]; each has its own: write tenants.NAME.{section}.{key}"
    )


@pytest.mark.parametrize("variable", ["AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_PASSWORD"])
def test_an_identity_of_the_environment_is_nobodys_where_there_are_several(
    variable: str, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, PASSWORD)
    assert load_tenants(config())
    said = refused(config({"beta": {"tenant": {"mode": "azure"}}}), "show", "X", "--tenant", "alpha")
    assert said.startswith(f"environment {variable}: would be shared by all of [tenants]")
    assert said.endswith("[tenants.beta.tenant]")


@pytest.mark.parametrize(
    ("host", "webhook", "said"),
    [
        ("0.0.0.0", {}, "--host 0.0.0.0: the webhook does not listen beyond this machine"),  # noqa: S104 - refused
        ("127.0.0.1", {"hmac_secret": PASSWORD}, "tenants.alpha.webhook.hmac_secret: is shorter than 32 characters"),
        (
            "127.0.0.1",
            {"audience": "api://x", "app_role": ""},
            "tenants.alpha.webhook.callers: no identity may deliver",
        ),
    ],
)
def test_the_front_does_not_start_open_to_all_or_misconfigured(
    host: str, webhook: dict[str, Any], said: str, config: Config
) -> None:
    assert refused(config({"alpha": {"webhook": webhook}}), "serve", "--host", host, "--port", "0").startswith(said)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), "--tenant: say which one, here or as $RESPOND_TENANT: alpha, beta"),
        (("--tenant", "gamma"), "--tenant: there is no [tenants.gamma]; tenants: alpha, beta"),
        (("--tenant", "Alpha"), "--tenant: 'Alpha': write the name of a tenant: small letters"),
        (("--tenant", "../alpha"), "--tenant: '../alpha': write the name of a tenant"),
    ],
)
@pytest.mark.parametrize(
    "command",
    [("freeze",), ("audit", "verify"), ("hunt",), ("watch",), ("lab", "reset"), ("doctor",)],
)
def test_a_command_says_which_tenant_it_is_for(
    command: tuple[str, ...], given: tuple[str, ...], said: str, config: Config
) -> None:
    assert refused(config(), *command, *given).startswith(said)


def test_the_option_outranks_the_variable_and_is_forgotten_again(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESPOND_TENANT", "gamma")
    folder = config()
    assert "there is no [tenants.gamma]" in refused(folder, "show", "X")
    assert "show: there is no case X" in refused(folder, "show", "X", "--tenant", "beta")
    assert "there is no [tenants.gamma]" in refused(folder, "show", "X")


def test_without_tenants_there_is_none_to_name() -> None:
    said = refused(shipped_config(), "cases", "--tenant", "alpha")
    assert "--tenant alpha: this configuration has one tenant" in said


@pytest.mark.parametrize(
    ("changed", "variable", "said"),
    [
        ({"hunt": {"sinse": "1d"}}, "", "respond.toml: tenants.alpha.hunt.sinse: is not a known key"),
        ({"hant": {"since": "1d"}}, "", "respond.toml: tenants.alpha.hant: is not a known key"),
        ({"hunt": {"since": "soon"}}, "", "respond.toml: tenants.alpha.hunt.since: 'soon' is not a duration"),
        ({"tenant": {"workspace_id": ""}}, "", "tenants.alpha.tenant.workspace_id: is empty"),
        ({}, "RESPOND_TENANTS__ALPHA__HUNT__SINCE", "TENANTS__ALPHA__HUNT__SINCE: tenants.alpha.hunt.since: 'soon' is"),
        ({}, "RESPOND_TENANTS__ALFA__HUNT__SINCE", "RESPOND_TENANTS__ALFA__HUNT__SINCE: is about none of [tenants]"),
        ({}, "RESPOND_TENANTS__ALPHA__HANT__SINCE", "there is no section [hant]"),
        ({}, "RESPOND_TENANTS__ALPHA__HUNT", "write RESPOND_<SECTION>__<KEY>"),
        ({}, "RESPOND_HUNT__SINCE", "environment RESPOND_HUNT__SINCE: hunt.since: 'soon' is not a duration"),
    ],
)
def test_a_mistake_is_named_with_its_tenant_and_key(
    changed: dict[str, Any], variable: str, said: str, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable:
        monkeypatch.setenv(variable, "soon")
    assert said in refused(config({"alpha": changed}), "show", "X", "--tenant", "alpha")


def test_a_mistake_about_one_tenant_is_no_others(config: Config) -> None:
    folder = config({"alpha": {"hunt": {"since": "soon"}, "tenant": {"workspace_id": ""}}})
    assert "show: there is no case X" in refused(folder, "show", "X", "--tenant", "beta")
    assert "tenants.alpha." in refused(folder, "serve", "--port", "0")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tenants = 'both'", "tenants: holds a section a tenant"),
        ("[tenants]\nalpha = 'lab'", "tenants.alpha: holds sections"),
        ("[tenants.alpha]\ntenant_id = 'x'", "tenants.alpha: holds sections"),
        ("[tenants.Alpha.tenant]\n", "tenants.Alpha: write the name of a tenant"),
        ("[tenants.a--b.tenant]\n", "tenants.a--b: write the name of a tenant"),
        (f"[tenants.{'a' * 32}.tenant]\n", "write the name of a tenant"),
    ],
)
def test_sections_that_are_none_are_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "respond.toml").write_text(text)
    assert said in refused(tmp_path, "cases")


def test_a_tenants_policy_file_wins_over_the_common_one(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = config()
    (folder / "apps.toml").write_text((shipped_config() / "apps.toml").read_text())
    own = folder / "tenants" / "alpha"
    own.mkdir(parents=True)
    policy = (shipped_config() / "policy.toml").read_text()
    (own / "policy.toml").write_text(policy.replace("\nmalicious = 60", "\nmalicious = 75"))
    assert load_policy(folder, tenant="alpha").thresholds.malicious == 75
    assert load_policy(folder, tenant="beta").thresholds.malicious == 60
    monkeypatch.setenv("RESPOND_TENANT", "alpha")
    assert load_policy(folder).thresholds.malicious == 75


def test_a_mistake_in_a_tenants_policy_is_said_before_anything_starts(config: Config) -> None:
    folder = config()
    own = folder / "tenants" / "beta"
    own.mkdir(parents=True)
    (own / "policy.toml").write_text("[thresholds]\nmalicious = 101\n")
    assert f"{own / 'policy.toml'}: thresholds." in refused(folder, "serve", "--port", "0")


def test_policy_files_for_nobody_are_refused(config: Config) -> None:
    folder = config()
    (folder / "tenants" / "alfa").mkdir(parents=True)
    assert "alfa: there is no [tenants.alfa]; tenants: alpha, beta" in refused(folder, "cases")


def test_a_process_sees_nothing_that_is_said_of_another_tenant() -> None:
    environ = {
        "PATH": "/bin",
        "RESPOND_HUNT__SINCE": "1d",
        "RESPOND_TENANTS__ALPHA__TENANT__CLIENT_SECRET": SECRETS["alpha"],
        "RESPOND_TENANTS__ALPHA_EU__TENANT__CLIENT_SECRET": PASSWORD,
        "respond_tenants__beta__tenant__client_secret": PASSWORD,
    }
    assert tenants.environment_of("alpha", environ) == {
        "PATH": "/bin",
        "RESPOND_HUNT__SINCE": "1d",
        "RESPOND_TENANTS__ALPHA__TENANT__CLIENT_SECRET": SECRETS["alpha"],
        "RESPOND_TENANT": "alpha",
    }


VALUES = st.recursive(
    st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
TABLES = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)


def leaves(values: Any, above: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    if not isinstance(values, dict) or (above and not values):
        return {above: values}
    return {place: leaf for key, value in values.items() for place, leaf in leaves(value, (*above, key)).items()}


@given(TABLES, TABLES)
def test_of_two_layers_the_upper_counts_and_of_the_lower_stays_what_the_upper_leaves_alone(
    lower: dict[str, Any], upper: dict[str, Any]
) -> None:
    both, before = tenants.laid_over(lower, upper), (repr(lower), repr(upper))
    found = leaves(both)
    for place, value in leaves(upper).items():
        assert value == {} or found[place] == value
    for place, value in leaves(lower).items():
        touched = any(place[: len(other)] == other or other[: len(place)] == place for other in leaves(upper))
        assert touched or found[place] == value
    assert set(found) <= set(leaves(lower)) | set(leaves(upper))
    assert (repr(lower), repr(upper)) == before


@given(TABLES, TABLES, TABLES)
def test_layers_are_laid_one_after_the_other_in_any_grouping(
    first: dict[str, Any], second: dict[str, Any], third: dict[str, Any]
) -> None:
    assert tenants.laid_over(tenants.laid_over(first, {}), {}) == first
    assert tenants.laid_over({}, first) == first
    assert tenants.laid_over(first, first) == first
    assert tenants.laid_over(tenants.laid_over(first, second), second) == tenants.laid_over(first, second)
    left = tenants.laid_over(tenants.laid_over(first, second), third)
    assert set(left) == first.keys() | second.keys() | third.keys()


@pytest.mark.parametrize("command", ["show", "approve", "deny", "apply", "undo"])
def test_a_command_about_a_case_that_no_tenant_has_names_all_of_them(command: str, config: Config) -> None:
    said = refused(config(), command, "DC-NONE")
    assert said.startswith("--tenant: none of alpha, beta has a case DC-NONE; `respond cases` lists them")
