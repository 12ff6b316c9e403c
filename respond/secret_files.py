"""Settings from files, one a key: `$RESPOND_SECRETS/webhook__hmac_secret`.

That is how Docker, Kubernetes and systemd hand a secret to a service; unlike an environment, a file is not shown by
`docker inspect` and not handed on to every child. A file outranks `respond.toml`, the environment outranks both.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from respond import tenants
from respond.errors import UsageError
from respond.plain_errors import file_error

VARIABLE = "RESPOND_SECRETS"


def found() -> dict[tuple[str, ...], Path]:
    """Each key that has a file, as its parts: `("webhook", "hmac_secret")`. Hidden files are passed over.

    Raises:
        UsageError: no such directory, or a file that is not named after a key.
    """
    name = os.environ.get(VARIABLE)
    if not name:
        return {}
    if not Path(name).is_dir():
        raise UsageError(
            f"{VARIABLE}: {name} is not a directory; name the one that holds files such as tenant__client_id"
        )
    files = [path for path in sorted(Path(name).iterdir()) if not path.name.startswith(".")]
    return {key: path for path in files if not _is_of_another(key := _key(path))}


def _is_of_another(key: tuple[str, ...]) -> bool:
    """A process that works for one tenant does not look at what is said of others."""
    mine = tenants.chosen()
    return bool(mine) and key[0] == "tenants" and key[1] not in (mine, mine.replace("-", "_"))


def _key(path: Path) -> tuple[str, ...]:
    if not re.fullmatch(r"[a-z0-9_-]+?(__[a-z0-9_-]+?)+", path.name, re.IGNORECASE):
        raise UsageError(f"{VARIABLE}: {path}: name the file SECTION__KEY, such as webhook__hmac_secret")
    return tuple(path.name.lower().split("__"))


def laid_over(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of `respond.toml`, with those of the files over them; a line end at the end of a file does not count.

    Raises:
        UsageError: a file cannot be read, or is no text.
    """
    merged = dict(values)
    for key, path in found().items():
        merged = _set(merged, key, _read(path))
    return merged


def given(key: tuple[str, ...], otherwise: Path) -> Path:
    """Which file says a key, or something within it; else the other one."""
    return next((path for name, path in found().items() if name[: len(key)] == key), otherwise)


def _set(table: Mapping[str, Any], key: tuple[str, ...], value: str) -> dict[str, Any]:
    first, *rest = key
    if not rest:
        return {**table, first: value}
    below = table.get(first)
    return {**table, first: _set(below if isinstance(below, dict) else {}, tuple(rest), value)}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise UsageError(f"{VARIABLE}: {path} is not UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise file_error(f"{VARIABLE}: {path} cannot be read", error) from error
