"""Every setting, given what it cannot be: one line that names the key, where it came from, and what it should be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import BaseModel, SecretStr

from respond.errors import UsageError
from respond.settings import Settings, load_settings

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

PLACEHOLDER = "a-value-that-nobody-may-see"
Place = tuple[str, ...]


def keys(model: type[BaseModel], place: Place = ()) -> Iterator[tuple[Place, FieldInfo]]:
    """Every key with a value, by its place in the file."""
    for name, field in model.model_fields.items():
        here = (*place, field.alias or name)
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from keys(kind, here)
        else:
            yield here, field


KEYS = list(keys(Settings))
NAMED = [".".join(place) for place, _ in KEYS]
SCALARS = [(place, field) for place, field in KEYS if field.annotation not in (str, SecretStr)]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RESPOND_STATE__URL")


def refused(folder: Path, text: str = "") -> str:
    (folder / "respond.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        load_settings(folder)
    assert "\n" not in caught.value.message
    return caught.value.message


def written(place: Place, value: str) -> str:
    *sections, key = place
    return f"[{'.'.join(sections)}]\n{key} = {value}\n"


def test_the_walk_reaches_every_section() -> None:
    assert {place[0] for place, _ in KEYS} == set(Settings.model_fields)
    assert {("tenant", "read", "certificate"), ("tickets", "mail", "from")} <= {place for place, _ in KEYS}


@pytest.mark.parametrize(("place", "field"), KEYS, ids=NAMED)
def test_a_value_of_the_wrong_type_is_named_with_its_key(place: Place, field: FieldInfo, tmp_path: Path) -> None:
    is_table = str(field.annotation).startswith("dict")
    wrong = f'"{PLACEHOLDER}"' if is_table else f'{{{PLACEHOLDER} = "{PLACEHOLDER}"}}'
    said = refused(tmp_path, written(place, wrong))
    assert said.startswith(f"{tmp_path / 'respond.toml'}: {'.'.join(place)}")
    assert said.rpartition(": ")[2] not in ("", "Value error")


@pytest.mark.parametrize(("place", "field"), SCALARS, ids=[".".join(place) for place, _ in SCALARS])
def test_a_wrong_value_in_the_environment_is_named_with_its_variable(
    place: Place, field: FieldInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_list = str(field.annotation).startswith(("tuple", "dict"))
    name = "RESPOND_" + "__".join(place).upper()
    # a list is JSON there, so one of what it cannot hold
    monkeypatch.setenv(name, json.dumps({"x": {"y": {"z": 1}}}) if is_list else "☃ nonsense")
    assert name in refused(tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[tenant]\nclowd = 'public'", "tenant.clowd: is not a known key; did you mean cloud?"),
        ("[tenant.read]\nclient = 'x'", "tenant.read.client: is not a known key; did you mean client_id?"),
        ("[tennant]\n", "tennant: is not a known key; did you mean tenant?"),
        ("[state]\nfolder = 'x'", "state.folder: is not a known key; known: url, dir, keep_steps, keep_runs, keep"),
        ("[[lab.faults]]\nmatch = 'x'\nwhen = 1", "lab.faults.0.when: is not a known key; take it out"),
        ("[tenant]\nmode = 'azur'", "tenant.mode: Input should be 'lab' or 'azure'"),
        ("[tenant]\ncloud = 'gcc'", "tenant.cloud: Input should be 'public', 'usgov', 'usgov-dod' or 'china'"),
        ("[tenant]\nworkspace_resource_id = 'law-1'", "tenant.workspace_resource_id: is not the resource id of a"),
    ],
)
def test_a_mistake_says_what_to_write_instead(text: str, says: str, tmp_path: Path) -> None:
    assert says in refused(tmp_path, text)


def test_a_secret_in_the_wrong_place_is_not_shown(tmp_path: Path) -> None:
    for place in (("tenant", "read", "secret"), ("webhook", "hmac_secret"), ("state", "url")):
        said = refused(tmp_path, written(place, f'["{PLACEHOLDER}"]'))
        assert ".".join(place) in said
        assert PLACEHOLDER not in said
