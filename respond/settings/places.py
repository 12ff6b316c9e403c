"""Where things are: the configuration, the state, and what the tenant is called in it."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from respond.errors import UsageError
from respond.plain_errors import file_error
from respond.settings.whole import Settings

_CONFIG_FILES = ("respond.toml", "policy.toml", "ladder.toml", "apps.toml", "networks.toml", "lures.toml")
_DATABASE = "respond"
_CONFIG_FOLDERS = ("templates", "tenants")


def config_dir(given: str | None) -> Path:
    """The directory that holds `respond.toml`: given, `$RESPOND_CONFIG`, `./config`, or the shipped copy.

    Raises:
        UsageError: the named directory does not exist.
    """
    for source, name in (("--config", given), ("RESPOND_CONFIG", os.environ.get("RESPOND_CONFIG"))):
        if name:
            if not Path(name).is_dir():
                raise UsageError(f"{source}: {name} is not a directory; name the one that holds respond.toml")
            if not _is_config(Path(name)):
                raise UsageError(f"{source}: {name} holds none of {', '.join((*_CONFIG_FILES, *_CONFIG_FOLDERS))}")
            return Path(name)
    here = Path("config")
    return here if (here / "respond.toml").is_file() else shipped_config()


def _is_config(folder: Path) -> bool:
    """Whether it holds anything that replaces a part of the shipped configuration."""
    files = any((folder / file).is_file() for file in _CONFIG_FILES)
    return files or any((folder / name).is_dir() for name in _CONFIG_FOLDERS)


def shipped_config() -> Path:
    """The copy inside the wheel, or the repository's own folder when installed for editing."""
    packaged = Path(__file__).parents[1] / "shipped_config"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "config"


def read_toml(path: Path) -> dict[str, Any]:
    """One TOML file.

    Raises:
        UsageError: unreadable or malformed; says where.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist; copy it from the shipped configuration") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise file_error(f"{path} cannot be read", error) from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: {error}") from error


def tenant_of(settings: Settings) -> str:
    """What cases, brakes and the audit log know the tenant by: its id, or `lab`.

    Raises:
        UsageError: a real tenant without an id.
    """
    if not settings.is_lab and not settings.tenant.tenant_id:
        raise UsageError("tenant.tenant_id is empty: azure mode needs tenant.tenant_id and tenant.workspace_id")
    return "lab" if settings.is_lab else settings.tenant.tenant_id


def state_dir(settings: Settings) -> Path:
    """Where files beside the state database go: the lab's tenant, ticket pages, process locks."""
    if settings.state.dir:
        return Path(settings.state.dir)
    url = settings.state.url.get_secret_value()
    if url.startswith("sqlite:///"):
        return Path(url.removeprefix("sqlite:///")).parent
    return state_base()


def tickets_dir(settings: Settings) -> Path:
    """Where the pages of embedded tickets go; two SQLite databases in one directory share none."""
    url = settings.state.url.get_secret_value()
    name = Path(url.removeprefix("sqlite:///")).stem if url.startswith("sqlite:///") else _DATABASE
    return state_dir(settings) / "tickets" / ("" if name == _DATABASE else name)


def state_base() -> Path:
    """Where it is unless settings say otherwise."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "respond"


def state_url(settings: Settings) -> str:
    """The database of cases, tickets and runs; a SQLite file in the state directory unless set.

    Raises:
        UsageError: neither `sqlite:///PATH` nor `postgresql://…`.
    """
    url = settings.state.url.get_secret_value()
    if not url:
        return f"sqlite:///{state_dir(settings) / _DATABASE}.db"
    if not url.startswith(("sqlite:///", "postgresql://")) or url in ("sqlite:///", "sqlite:///:memory:"):
        raise UsageError("state.url: write sqlite:///PATH or postgresql://USER@HOST/DATABASE")
    return url
