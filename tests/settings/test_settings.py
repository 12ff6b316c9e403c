"""Settings and policy: who outranks whom, and what is wrong is said in one line that names the key."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from respond.policies import load_policy
from respond.settings import Settings, config_dir, load_settings, shipped_config, state_dir, state_url
from tests.helpers.command import VICTIM, Answer, respond

PASSWORD = "hunter2-of-the-test"
Config = Callable[..., Path]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A directory with these files: `config("[hunt]…")` is respond.toml, `config(policy="…")` another."""

    def write(respond_toml: str | bytes | None = None, **files: str) -> Path:
        folder = tmp_path / "conf"
        folder.mkdir(exist_ok=True)
        if respond_toml is None and not files:
            respond_toml = ""
        if respond_toml is not None:
            raw = respond_toml if isinstance(respond_toml, bytes) else respond_toml.encode()
            (folder / "respond.toml").write_bytes(raw)
        for name, text in files.items():
            (folder / f"{name}.toml").write_text(text)
        return folder

    return write


def edited(file: str, pattern: str, replacement: str) -> str:
    """A shipped file with one place changed."""
    text, count = re.subn(pattern, replacement, (shipped_config() / file).read_text(), count=1, flags=re.MULTILINE)
    assert count == 1, pattern
    return text


def refused(*arguments: str) -> str:
    """The one line that a usage error is."""
    answer: Answer = respond(*arguments)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1), answer
    assert answer.err.startswith("respond: ")
    return answer.err.removeprefix("respond: ").strip()


def test_the_environment_outranks_the_file_key_by_key(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = config('[hunt]\nsince = "7d"\n[retry]\nattempts = 3\nread_budget = "9s"\n')
    monkeypatch.setenv("RESPOND_RETRY__ATTEMPTS", "5")
    settings = load_settings(folder)
    assert (settings.retry.attempts, settings.retry.read_budget) == (5, timedelta(seconds=9))
    assert settings.hunt.since == timedelta(days=7)
    assert settings.retry.write_budget == Settings.model_fields["retry"].default.write_budget


def test_a_table_can_come_from_the_environment_as_json(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESPOND_LAB__FAULTS", '[{"match": "POST */query", "status": 429}]')
    assert load_settings(config()).lab.faults[0].status == 429


def test_the_directory_is_the_option_then_the_variable_then_here_then_the_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert config_dir(None) == shipped_config()
    (tmp_path / "config").mkdir()
    assert config_dir(None) == shipped_config()
    (tmp_path / "config" / "respond.toml").touch()
    assert config_dir(None) == Path("config")
    (tmp_path / "variable").mkdir()
    (tmp_path / "variable" / "respond.toml").touch()
    monkeypatch.setenv("RESPOND_CONFIG", str(tmp_path / "variable"))
    assert config_dir(None) == tmp_path / "variable"
    (tmp_path / "option").mkdir()
    (tmp_path / "option" / "policy.toml").touch()
    assert config_dir(str(tmp_path / "option")) == tmp_path / "option"


def test_a_directory_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = str(tmp_path / "missing")
    assert refused("cases", "--config", missing).startswith(f"--config: {missing} is not a directory")
    monkeypatch.setenv("RESPOND_CONFIG", missing)
    assert refused("cases").startswith(f"RESPOND_CONFIG: {missing} is not a directory")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tenant]\nmood = 'lab'", "respond.toml: tenant.mood: is not a known key"),
        ("[tennant]\nmode = 'lab'", "respond.toml: tennant: is not a known key"),
        ("tenant = 'lab'", "respond.toml: tenant: a section is a table"),
        ("[tenant]\nmode = 'azur'", "respond.toml: tenant.mode: "),
        ("[retry]\nattempts = 'many'", "respond.toml: retry.attempts: "),
        ("[retry]\nattempts = 0", "respond.toml: retry.attempts: "),
        ("[hunt]\nsince = 'soon'", "respond.toml: hunt.since: 'soon' is not a duration"),
        ("[hunt]\nsince = 24", "respond.toml: hunt.since: "),
        ("[retry]\nfirst_wait = -1", "respond.toml: retry.first_wait: "),
        ("[lab]\nrow_limit = 0", "respond.toml: lab.row_limit: "),
        ("[[lab.faults]]\nmatch = 'x'\nstatus = 200", "respond.toml: lab.faults.0: status 200 "),
        ("[[lab.faults]]\nstatus = 500", "respond.toml: lab.faults.0.match: "),
        ("[tenant\n", "respond.toml: "),
        ("[tenant]\nmode = 'lab'\nmode = 'lab'\n", "respond.toml: "),
        (b"[tenant]\n# \xff\n", "respond.toml is not UTF-8 text (byte 11)"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_key(text: str | bytes, said: str, config: Config) -> None:
    assert said in refused("cases", "--config", str(config(text)))


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("RESPOND_TENNANT__MODE", "lab", "RESPOND_TENNANT__MODE: there is no section [tennant]"),
        ("RESPOND_TENANT__MOOD", "lab", "RESPOND_TENANT__MOOD: tenant.mood: is not a known key"),
        ("RESPOND_TENANT__MODE", "azur", "RESPOND_TENANT__MODE: tenant.mode: "),
        ("RESPOND_RETRY__ATTEMPTS", "many", "RESPOND_RETRY__ATTEMPTS: retry.attempts: "),
        ("RESPOND_HUNT__SINCE", "24", "RESPOND_HUNT__SINCE: hunt.since: '24' is not a duration"),
        ("RESPOND_TENANT", "lab", "RESPOND_TENANT: write RESPOND_<SECTION>__<KEY>"),
        ("RESPOND_LAB__FAULTS", "POST */query", "RESPOND_LAB__FAULTS: is not JSON"),
    ],
)
def test_a_mistake_in_the_environment_is_named_with_its_variable(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    assert said in refused("cases")


@pytest.mark.parametrize(("key", "value"), [("tenant_id", "x"), ("workspace_id", "x")])
def test_azure_mode_names_the_id_that_it_lacks(key: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESPOND_TENANT__MODE", "azure")
    monkeypatch.setenv(f"RESPOND_TENANT__{key.upper()}", value)
    (other,) = {"tenant_id", "workspace_id"} - {key}
    assert f"tenant.{other} is empty" in refused("--user", VICTIM)


def with_url(url: str, folder: str = "") -> Settings:
    return Settings.model_validate({"state": {"url": url, "dir": folder}})


def test_the_state_is_where_it_is_told_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RESPOND_STATE__URL")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_url(with_url("")) == f"sqlite:///{tmp_path}/respond/respond.db"
    assert state_url(with_url("", "/srv/respond")) == "sqlite:////srv/respond/respond.db"
    assert state_url(with_url("sqlite:////srv/x/my.db")) == "sqlite:////srv/x/my.db"
    assert state_dir(with_url("sqlite:////srv/x/my.db")) == Path("/srv/x")
    assert state_dir(with_url("sqlite:///near/my.db")) == Path("near")
    server = "postgresql://respond@db.example.com/respond"
    assert state_url(with_url(server)) == server
    assert state_dir(with_url(server)) == tmp_path / "respond"
    assert state_dir(with_url(server, "/srv/respond")) == Path("/srv/respond")


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://respond:{PASSWORD}@db.example.com/respond",
        f"sqlite://{PASSWORD}",
        "sqlite:///",
        f"respond:{PASSWORD}",
        f"postgresql://respond:{PASSWORD}@127.0.0.1:99999/respond",
        f"postgresql://respond:{PASSWORD}@127.0.0.1:port/respond",
        f"postgresql://respond:{PASSWORD}@127.0.0.1:1/respond?nonsense=1",
        f"postgresql://respond:{PASSWORD}",
        f"postgresql://respond:{PASSWORD}@[::1/respond",
    ],
)
@pytest.mark.parametrize("from_file", [False, True])
def test_a_state_url_that_does_not_work_names_its_key_and_not_its_password(
    url: str, from_file: bool, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    if from_file:
        monkeypatch.delenv("RESPOND_STATE__URL")
        folder = config(f'[state]\nurl = "{url}"\n')
    else:
        monkeypatch.setenv("RESPOND_STATE__URL", url)
        folder = config()
    answer = respond("cases", "--config", str(folder))
    assert PASSWORD not in answer.out + answer.err
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "state.url" in answer.err


def test_a_server_that_does_not_answer_is_no_wrong_setting(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESPOND_STATE__URL", f"postgresql://respond:{PASSWORD}@127.0.0.1:1/respond")
    answer = respond("cases", "--config", str(config()))
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.splitlines() == [
        "respond: the state database is not reachable; check that the server runs and that state.url names it"
    ]


def test_no_secret_is_shown_by_the_settings_themselves() -> None:
    settings = Settings.model_validate(
        {"tenant": {"client_secret": PASSWORD}, "state": {"url": f"postgresql://x:{PASSWORD}@h/d"}}
    )
    assert PASSWORD not in repr(settings) + str(settings) + settings.model_dump_json()


def sections(model: type[BaseModel]) -> dict[str, set[str]]:
    found = {}
    for name, field in model.model_fields.items():
        assert isinstance(field.annotation, type)
        assert issubclass(field.annotation, BaseModel)
        found[name] = set(field.annotation.model_fields)
    return found


def test_the_shipped_file_holds_every_key_and_no_other() -> None:
    shipped = tomllib.loads((shipped_config() / "respond.toml").read_text())
    assert {name: set(keys) for name, keys in shipped.items()} == sections(Settings)


def test_the_shipped_file_says_what_holds_without_it(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RESPOND_STATE__URL")
    assert load_settings(shipped_config()) == load_settings(config())


@pytest.mark.parametrize("file", ["respond.toml", "policy.toml", "apps.toml", "lures.toml"])
def test_every_key_of_a_shipped_file_stands_below_a_comment(file: str) -> None:
    explained = False
    for line in (shipped_config() / file).read_text().splitlines():
        if line.startswith("["):
            # entries of a list explain themselves: name, why, source
            explained = line.startswith("[[")
        elif line.startswith("#"):
            explained = True
        elif re.match(r"\w+ *=", line):
            assert explained, f"{file}: {line}"


def test_the_shipped_policy_is_whole(config: Config) -> None:
    """Every key is there, also those with a default for files of earlier versions, and no other is taken."""
    policy = load_policy(shipped_config())
    assert policy == load_policy(config())
    written = tomllib.loads((shipped_config() / "policy.toml").read_text())
    for section in ("thresholds", "caps", "weights", "reliefs", "usual", "correlation"):
        assert written[section].keys() == type(getattr(policy, section)).model_fields.keys()


@pytest.mark.parametrize(
    ("file", "pattern", "replacement", "key"),
    [
        ("policy.toml", r"^legs_apart = 25", "legs_apart = 25\nlegs_together = 5", "weights.legs_together"),
        ("policy.toml", r"^legs_apart = 25", "legs_apart = 101", "weights.legs_apart"),
        ("policy.toml", r"^legs_apart = 25", "legs_apart = -1", "weights.legs_apart"),
        ("policy.toml", r"^legs_apart = 25", "legs_apart = 2.5", "weights.legs_apart"),
        ("policy.toml", r"^legs_apart = 25", "", "weights.legs_apart"),
        ("policy.toml", r"^habit = -40", "habit = 40", "reliefs.habit"),
        ("policy.toml", r"^malicious = 60", "malicious = 0", "thresholds.malicious"),
        ("policy.toml", r"^malicious = 60", "malicious = 101", "thresholds.malicious"),
        ("policy.toml", r"^suspicious = 30", "suspicious = 60", "thresholds.suspicious"),
        ("policy.toml", r"^suspicious = 30", "suspicious = 61", "thresholds.suspicious"),
        ("policy.toml", r"^habit_days = 3", "habit_days = 1", "usual.habit_days"),
        ("policy.toml", r'^click_before = "30m"', 'click_before = "soon"', "correlation.click_before"),
        ("policy.toml", r'^click_before = "30m"', "click_before = 30", "correlation.click_before"),
        ("policy.toml", r"^strong_confidence = 70", "strong_confidence = 170", "correlation.strong_confidence"),
        ("policy.toml", r"^\[usual\]", "[unusual]", "unusual"),
        ("apps.toml", r"^script_clients = \[", 'script_clients = ["(", ', "script_clients.0"),
        ("apps.toml", r"^name = ", "nam = ", "powerful_apps.0.na"),
        ("lures.toml", r"^pattern = '\^", "pattern = '(^", "lure_patterns.0.pattern"),
        ("lures.toml", r"^\[\[lure_patterns\]\]", "[[lures]]", "lures"),
        ("lures.toml", r"^device_login_pages = \[", "device_login_pages = ['*', ", "device_login_pages.0"),
    ],
)
def test_a_mistake_in_the_policy_is_named_with_file_and_key(
    file: str, pattern: str, replacement: str, key: str, config: Config
) -> None:
    folder = config(**{file.removesuffix(".toml"): edited(file, pattern, replacement)})
    line = refused("--user", VICTIM, "--config", str(folder))
    assert f"{folder / file}: {key}" in line


def test_a_policy_file_that_is_broken_is_named(config: Config) -> None:
    folder = config(apps="[[powerful_apps]\n")
    assert refused("--user", VICTIM, "--config", str(folder)).startswith(f"{folder / 'apps.toml'}: ")


def test_a_list_of_ones_own_replaces_the_shipped_one_and_leaves_the_rest(config: Config) -> None:
    policy = load_policy(config(apps='script_clients = ["^mine/"]'))
    assert policy.script_clients == ("^mine/",)
    assert policy.powerful_apps == ()
    assert policy.lure_patterns == load_policy(shipped_config()).lure_patterns


@pytest.mark.parametrize("url", ["http://graph.example.com", "http://127.0.0.1.example.com", "ftp://127.0.0.1", "here"])
def test_a_token_never_travels_without_tls_but_to_this_machine(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESPOND_TENANT__GRAPH_ENDPOINT", url)
    assert "tenant.graph_endpoint: is not an https:// URL" in refused("cases")


NEEDS: dict[str, dict[str, Any]] = {
    "servicenow": {"url": "https://example.service-now.com", "user": "respond", "password": PASSWORD},
    "jira": {"url": "https://example.atlassian.net", "user": "a@example.com", "token": PASSWORD, "project": "SEC"},
    "github": {"repository": "contoso/cases", "token": PASSWORD},
    "mail": {"from": "soc@contoso.com", "to": ["oncall@contoso.com"]},
}


@pytest.mark.parametrize(("system", "key"), [(system, key) for system, keys in NEEDS.items() for key in keys])
def test_a_ticket_system_without_what_it_needs_names_the_key(system: str, key: str, config: Config) -> None:
    given = {name: value for name, value in NEEDS[system].items() if name != key}
    lines = "\n".join(f"{name} = {value!r}" for name, value in given.items())
    line = refused("cases", "--config", str(config(f"[tickets]\nsystem = '{system}'\n[tickets.{system}]\n{lines}\n")))
    assert line.endswith(f'tickets.{system}.{key} is empty; tickets.system = "{system}" needs it')
    assert PASSWORD not in line


@pytest.mark.parametrize("system", NEEDS)
def test_a_ticket_system_with_what_it_needs_is_taken_from_file_and_environment(
    system: str, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    *given, last = NEEDS[system].items()
    lines = "\n".join(f"{name} = {value!r}" for name, value in given)
    value = last[1] if isinstance(last[1], str) else json.dumps(last[1])
    monkeypatch.setenv(f"RESPOND_TICKETS__{system.upper()}__{last[0].upper()}", value)
    settings = load_settings(config(f"[tickets]\nsystem = '{system}'\n[tickets.{system}]\n{lines}\n"))
    assert settings.tickets.system == system
    assert PASSWORD not in repr(settings)


@pytest.mark.parametrize("key", ["teams_url", "slack_url"])
def test_the_url_of_a_notice_is_a_secret_and_https(key: str, config: Config) -> None:
    line = refused("cases", "--config", str(config(f"[notices]\n{key} = 'http://hooks.example.com/{PASSWORD}'\n")))
    assert f"notices.{key}: is not an https:// URL" in line
    assert PASSWORD not in line
    settings = load_settings(config(f"[notices]\n{key} = 'https://hooks.example.com/{PASSWORD}'\n"))
    assert PASSWORD not in repr(settings) + settings.model_dump_json()
