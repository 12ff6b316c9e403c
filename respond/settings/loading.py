"""Settings as they are in force: `respond.toml`, files of secrets, the environment; of one tenant or of several."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource

from respond import secret_files, tenants
from respond.errors import UsageError
from respond.settings.mistakes import explain, not_json
from respond.settings.places import read_toml, state_base
from respond.settings.whole import Laid, Settings

_OTHER_VARIABLES = frozenset({"RESPOND_CONFIG", "RESPOND_DEBUG", tenants.VARIABLE, secret_files.VARIABLE})


def load_settings(directory: Path) -> Settings:
    """Read `respond.toml` and the environment: of the tenant that `$RESPOND_TENANT` names, where there are several.

    Raises:
        UsageError: names the key that is unknown or has the wrong type, and where it came from.
    """
    path, values, named = _read(directory)
    name = tenants.chosen()
    if named:
        tenants.check_known(name, named)
        return _laid(directory, values, named)[name]
    if tenants.is_by_option(name):
        raise UsageError(f"--tenant {name}: this configuration has one tenant; {path} has no [tenants]")
    if name:
        raise UsageError(
            f"{tenants.VARIABLE}: write RESPOND_<SECTION>__<KEY>, with two underscores between them; there is no "
            f"[tenants.{name}] that it could mean, as {path} has one tenant only"
        )
    try:
        return Settings(**values)
    except ValidationError as error:
        raise UsageError(explain(error, path)) from error
    except ValueError as error:  # pydantic-settings: a list in the environment that is not JSON
        raise UsageError(f"environment: {not_json(error)}") from error


def load_tenants(directory: Path) -> dict[str, Settings]:
    """The settings of every tenant, by name; empty where there are no `[tenants]`.

    Raises:
        UsageError: as `load_settings`, or two tenants share what has to be apart.
    """
    _, values, named = _read(directory)
    return _laid(directory, values, named, whole=True) if named else {}


def _read(directory: Path) -> tuple[Path, dict[str, Any], dict[str, dict[str, Any]]]:
    """The file: where it is, what it says, and what it says of each tenant."""
    path = directory / "respond.toml"
    values = secret_files.laid_over(read_toml(path) if path.is_file() else {})
    named = tenants.sections(values, path)
    _check_environment(named)
    return path, values, named


def _laid(
    directory: Path, common: dict[str, Any], named: dict[str, dict[str, Any]], *, whole: bool = False
) -> dict[str, Settings]:
    """What is said of all tenants, and over it what is said of each: by name.

    Args:
        whole: all of them, not the chosen one alone. A process that works for one tenant does not see what the
            environment says of others, and a mistake about them is not its own.
    """
    path = directory / "respond.toml"
    common = tenants.laid_over(common, _environment("RESPOND_"))
    own = {name: tenants.laid_over(said, _environment(tenants.prefix(name))) for name, said in named.items()}
    tenants.check_common(common)
    tenants.check_folders(directory, named)
    base = state_base()
    laid = {
        name: tenants.with_own_state(name, tenants.laid_over(common, said), common, base) for name, said in own.items()
    }
    tenants.check_apart(laid)
    tenants.check_identity(laid, os.environ)
    wanted = [name for name in named if whole or name == tenants.chosen()]
    for name in wanted:
        tenants.check_whole(name, laid[name])
    return {name: _checked(name, laid[name], own[name], path) for name in wanted}


def _checked(name: str, values: dict[str, Any], own: dict[str, Any], path: Path) -> Settings:
    try:
        return Laid(**values)
    except ValidationError as error:
        raise UsageError(explain(error, path, tenant=name, own=own)) from error


def _environment(prefix: str) -> dict[str, Any]:
    """What variables that begin so say, by section."""
    source = _EnvironmentOf(Settings, env_prefix=prefix, env_nested_delimiter="__")
    try:
        return source()
    except ValueError as error:
        raise UsageError(f"environment: {not_json(error)}") from error


class _EnvironmentOf(EnvSettingsSource):
    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - pydantic-settings' signature
        super().__init__(*arguments, **named)
        # the name of a tenant, and not the whole section [tenant] as JSON
        self.env_vars = {key: value for key, value in self.env_vars.items() if key != tenants.VARIABLE.lower()}


def _check_environment(named: Iterable[str] = ()) -> None:
    for name in os.environ:
        if not name.startswith("RESPOND_") or name in _OTHER_VARIABLES:
            continue
        rest = name.removeprefix("RESPOND_")
        if name.startswith(tenants.PREFIX):
            whose = next((tenant for tenant in named if name.startswith(tenants.prefix(tenant))), None)
            if whose is None:
                told = ", ".join(sorted(named)) or "none"
                raise UsageError(f"{name}: is about none of [tenants]; those of the file: {told}")
            rest = name.removeprefix(tenants.prefix(whose))
        section, found, _ = rest.partition("__")
        if not found:
            raise UsageError(f"{name}: write RESPOND_<SECTION>__<KEY>, with two underscores between them")
        if section.lower() not in Settings.model_fields:
            sections = ", ".join(Settings.model_fields)
            raise UsageError(f"{name}: there is no section [{section.lower()}]; sections: {sections}")
