"""`respond.toml` as `respond init` completes it: what is set stays. The names of identities are kept beside it."""

from __future__ import annotations

import difflib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel, Field, ValidationError

from respond import tenants
from respond.cli.toml_text import value_of, with_values
from respond.errors import UsageError
from respond.settings import load_settings, shipped_config
from respond.settings.places import read_toml

_NAMES = "init.json"


class Remembered(BaseModel):
    """What a second script has to know to find what the first one has created.

    Attributes:
        suffix: of the names of identities. Random: nobody can register a name before us.
        resource_group: of managed identities; empty: that of the workspace.
        issuer: of a workload's tokens; `subject` is theirs.
    """

    suffix: str = Field(default_factory=lambda: secrets.token_hex(6), pattern=r"^[0-9a-f]{12}$")
    resource_group: str = ""
    issuer: str = ""
    subject: str = ""


@dataclass(frozen=True)
class Configuration:
    """One `respond.toml`, seen as one tenant.

    Attributes:
        tenant: of `[tenants]`; empty where there is one tenant.
        text: of the file; None where it does not exist.
        values: the file, parsed.
    """

    file: Path
    tenant: str
    text: str | None
    values: Mapping[str, Any]
    remembered: Remembered

    @classmethod
    def read(cls, directory: Path, tenant: str) -> Configuration:
        """What is in a directory.

        Raises:
            UsageError: a file cannot be read, or it has to be said which tenant.
        """
        file = directory / "respond.toml"
        exists = file.is_file()
        values = read_toml(file) if exists else {}
        if values.get("tenants") and not tenant:
            tenants.check_known("", values["tenants"])
        remembered = _names(directory).get(tenant) or Remembered()
        return cls(file, tenant, file.read_text(encoding="utf-8") if exists else None, values, remembered)

    @property
    def exists(self) -> bool:
        return self.text is not None

    def value(self, section: str, key: str) -> str:
        """A text that is set for the tenant; empty where none is."""
        found = value_of(self.values, self._section(section), key)
        return found if isinstance(found, str) else ""

    def with_values(self, wanted: Mapping[tuple[str, str], str], *, force: bool) -> Configuration:
        """The configuration with these values where it has none.

        Args:
            force: replace other values, and show the difference.

        Raises:
            UsageError: another value is set.
        """
        missing = {}
        for (section, key), value in wanted.items():
            found = self.value(section, key)
            if found.lower() == value.lower():
                continue
            if found and not force and not self._is_default(section, key):
                raise UsageError(
                    f'{self.file}: {self._section(section)}.{key} is "{found}", and would become "{value}"; '
                    "nothing was changed. Name another directory with --dir, or replace it with --force"
                )
            missing[self._section(section), key] = value
        base = self.text if self.text is not None else (shipped_config() / "respond.toml").read_text(encoding="utf-8")
        text = with_values(base, missing) if missing or self.text is None else base
        if force and self.text is not None:
            click.echo(_difference(self.text, text, self.file.name), err=True, nl=False)
        return replace(self, text=text)

    def save(self, before: str | None) -> None:
        """Write it, at once or not at all.

        Args:
            before: the text that the file had.

        Raises:
            UsageError: it could not be loaded, and is as it was; the environment counts in that too.
        """
        if self.text == before or self.text is None:
            return
        _replace(self.file, self.text)
        try:
            load_settings(self.file.parent)
        except UsageError:
            if before is None:
                self.file.unlink()
            else:
                _replace(self.file, before)
            raise

    def remember(self, names: Remembered) -> None:
        """Keep what the identities are called, beside the file."""
        everybody = _names(self.file.parent) | {self.tenant: names}
        text = json.dumps({name: one.model_dump() for name, one in everybody.items()}, indent=2)
        _replace(self.file.parent / _NAMES, text + "\n")

    def _section(self, section: str) -> str:
        return f"tenants.{self.tenant}.{section}" if self.tenant else section

    def _is_default(self, section: str, key: str) -> bool:
        """Whether a value is that of the shipped file, in a tenant that nobody has named yet."""
        return (section, key) in (("tenant", "mode"), ("tenant", "cloud")) and not self.value("tenant", "tenant_id")


def _names(directory: Path) -> dict[str, Remembered]:
    file = directory / _NAMES
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return {name: Remembered.model_validate(one) for name, one in found.items()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, AttributeError, ValidationError) as error:
        raise UsageError(
            f"{file} cannot be read ({type(error).__name__}); it has the names of respond's identities. Restore it, or "
            "delete it: identities whose client_id is not in respond.toml are then created under new names"
        ) from error


def _difference(before: str, after: str, name: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), f"{name} before", name, lineterm="", n=0)
    return "".join(f"{line}\n" for line in lines)


def _replace(file: Path, text: str) -> None:
    """The whole text or the old one, whatever happens; who may read it stays."""
    fresh = file.with_name(f".{file.name}.new")
    fresh.write_text(text, encoding="utf-8")
    if file.exists():
        fresh.chmod(file.stat().st_mode & 0o777)
    fresh.replace(file)
