"""More than one tenant in one configuration: `[tenants.NAME]`, laid over the common sections, and kept apart.

`[tenants.contoso.hunt]` holds what `[hunt]` holds, for that tenant alone; in the environment it is
`RESPOND_TENANTS__CONTOSO__HUNT__SINCE`. What is said of a tenant outranks what is said of all of them, and the
environment outranks the file. What tells tenants apart, or lets one in, is never common: ids, credentials, the state
database.

Which tenant a process works for is `$RESPOND_TENANT`; `--tenant` sets it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from respond.errors import UsageError

VARIABLE = "RESPOND_TENANT"
PREFIX = "RESPOND_TENANTS__"
FOLDER = "tenants"
"""Beside `respond.toml`: a folder a tenant, for policy files of its own."""

FORM = "the name of a tenant: small letters, digits and single hyphens, 31 characters at most"

_NAME = re.compile(r"(?=.{1,31}$)[a-z0-9]+(-[a-z0-9]+)*")
_OWN = re.compile(r"(^|_)(ids?|secret|password|token|certificate|file|thumbprint|key)$|^workspace_resource_id$")
"""Keys of `[tenant]` that say which tenant it is, or who may speak for us there."""
_APART = (
    "tenant.tenant_id",
    "tenant.workspace_id",
    "tenant.workspace_resource_id",
    "webhook.hmac_secret",
    "webhook.hmac_secret_next",
)

_IDENTITIES = ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_PASSWORD")

Values = dict[str, Any]


_option = ""


def choose(name: str) -> None:
    """Work for the tenant that `--tenant` names."""
    global _option  # noqa: PLW0603 - a message has to say whether the option or the variable was wrong
    _option = os.environ[VARIABLE] = name


def is_by_option(name: str) -> bool:
    """Whether `--tenant` named the tenant, not the environment."""
    return bool(name) and name == _option


def chosen() -> str:
    """The tenant that this process works for; empty where none was named.

    Raises:
        UsageError: it has no form of a name.
    """
    name = os.environ.get(VARIABLE, "")
    if name and not is_name(name):
        raise UsageError(f"{VARIABLE}: write RESPOND_<SECTION>__<KEY>, with two underscores between them, or {FORM}")
    return name


def is_name(text: str) -> bool:
    """Whether a tenant may be called so: what a folder and a variable can be called as well."""
    return _NAME.fullmatch(text) is not None


def sections(values: Values, path: Path) -> dict[str, Values]:
    """What the file says of each tenant, taken out of its values; empty where it knows one tenant only.

    Raises:
        UsageError: names the key.
    """
    found = values.pop("tenants", {})
    if not isinstance(found, dict):
        raise UsageError(f"{path}: tenants: holds a section a tenant, such as [tenants.contoso.tenant]")
    for name, said in found.items():
        if not is_name(name):
            raise UsageError(f"{path}: tenants.{name}: write {FORM}")
        if not isinstance(said, dict) or not all(isinstance(section, dict) for section in said.values()):
            raise UsageError(f"{path}: tenants.{name}: holds sections, such as [tenants.{name}.tenant]")
    return dict(found)


def prefix(name: str) -> str:
    """How the variables about a tenant begin."""
    return f"{PREFIX}{name.upper().replace('-', '_')}__"


def laid_over(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> Values:
    """Both, table by table and key by key; where both say something, the upper counts. Neither is changed."""
    both = dict(lower)
    for key, value in upper.items():
        below = both.get(key)
        both[key] = laid_over(below if isinstance(below, dict) else {}, value) if isinstance(value, dict) else value
    return both


def check_known(name: str, names: Iterable[str]) -> None:
    """Refuse a name that no tenant has.

    Raises:
        UsageError: there is no such tenant, or it has to be said which one.
    """
    told = ", ".join(sorted(names))
    if not name:
        raise UsageError(f"--tenant: say which one, here or as ${VARIABLE}: {told}")
    if name not in names:
        raise UsageError(f"--tenant: there is no [tenants.{name}]; tenants: {told}")


def check_common(common: Mapping[str, Any]) -> None:
    """Refuse what must not be shared, among what is said of all tenants.

    Raises:
        UsageError: names the key, and where it belongs.
    """
    shared = [f"tenant.{key}" for key in _own_keys(common.get("tenant", {}))]
    shared += [key for key in ("state.url", "webhook.hmac_secret", "webhook.hmac_secret_next") if _value(common, key)]
    if shared:
        raise UsageError(
            f"{shared[0]}: would be shared by all of [tenants]; each has its own: write tenants.NAME.{shared[0]}"
        )


def check_identity(tenants: Mapping[str, Mapping[str, Any]], environ: Mapping[str, str]) -> None:
    """Refuse an identity that azure-identity would take from the environment, for every tenant the same.

    https://learn.microsoft.com/python/api/azure-identity/azure.identity.environmentcredential

    Raises:
        UsageError: names the variable, and where it belongs.
    """
    real = [name for name, values in tenants.items() if _value(values, "tenant.mode") == "azure"]
    for variable in _IDENTITIES if real else ():
        if environ.get(variable):
            raise UsageError(
                f"environment {variable}: would be shared by all of [tenants]; each has its own: write it into "
                f"[tenants.{real[0]}.tenant]"
            )


def _own_keys(section: object, above: str = "") -> Iterator[str]:
    for key, value in section.items() if isinstance(section, dict) else ():
        if isinstance(value, dict):
            yield from _own_keys(value, f"{above}{key}.")
        elif value and _OWN.search(key):
            yield above + key


def check_whole(name: str, values: Mapping[str, Any]) -> None:
    """Refuse a tenant that nothing tells from others.

    Raises:
        UsageError: names the key.
    """
    for key in ("tenant.tenant_id", "tenant.workspace_id"):
        if not _value(values, key):
            raise UsageError(f"tenants.{name}.{key}: is empty; each of [tenants] has its own")


def check_apart(tenants: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse two tenants that share what has to be apart.

    Args:
        tenants: by name, what is said of each, and where its state is (`place`).

    Raises:
        UsageError: names both, and the key.
    """
    for (one, its), (other, theirs) in combinations(sorted(tenants.items()), 2):
        for key in _APART:
            if (value := _value(its, key)) and value == _value(theirs, key):
                raise UsageError(f"tenants.{other}.{key}: is that of tenants.{one} as well; each has its own")
        for key in ("state.url", "state.dir"):
            if _place(its, key) & _place(theirs, key):
                raise UsageError(f"tenants.{other}.{key}: is that of tenants.{one} as well; each has its own")


def _place(values: Mapping[str, Any], key: str) -> set[tuple[str, ...]]:
    """Where a state is, whatever the spelling. A database outranks the directory that it would be in."""
    said = str(values.get("state", {}).get(key.removeprefix("state."), ""))
    if key == "state.dir":
        return {(str(Path(said).resolve()),)} if said else set()
    if said.startswith("postgresql://"):
        try:
            parts = urlsplit(said)
            return {(str(parts.hostname), str(parts.port or 5432), parts.path or f"/{parts.username}")}
        except ValueError:  # said when it is opened, with its key
            return {(said,)}
    folder = values.get("state", {}).get("dir", "")
    file = said.removeprefix("sqlite:///") or (f"{folder}/respond.db" if folder else "")
    return {(str(Path(file).resolve()),)} if file else set()


def with_own_state(name: str, values: Values, common: Mapping[str, Any], base: Path) -> Values:
    """The values, with a directory of the tenant's own: NAME inside the one that all have in common.

    Args:
        values: what is said of the tenant, common or not.
        common: what is said of all.
        base: that directory, where nothing is said of it.
    """
    url, folder = (str(_value(values, key) or "") for key in ("state.url", "state.dir"))
    if folder and folder != _value(common, "state.dir"):
        return values
    file = Path(url.removeprefix("sqlite:///")).parent if url.startswith("sqlite:///") else None
    return laid_over(values, {"state": {"dir": str(Path(folder or file or base) / name)}})


def check_folders(directory: Path, names: Mapping[str, object]) -> None:
    """Refuse policy files for a tenant that does not exist: it would go without them.

    Raises:
        UsageError: names the folder.
    """
    for folder in sorted((directory / FOLDER).glob("*/")):
        if folder.name not in names:
            raise UsageError(f"{folder}: there is no [tenants.{folder.name}]; tenants: {', '.join(sorted(names))}")


def environment_of(name: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What a process that works for one tenant may see: nothing that is said of another one."""
    ours = prefix(name)
    others = (key for key in environ if key.upper().startswith(PREFIX) and not key.upper().startswith(ours))
    left_out = frozenset(others)
    return {key: value for key, value in environ.items() if key not in left_out} | {VARIABLE: name}


def _value(values: Mapping[str, Any], key: str) -> object:
    section, _, name = key.partition(".")
    found = values.get(section, {})
    value = found.get(name) if isinstance(found, dict) else None
    return value.lower() if isinstance(value, str) and name.endswith("_id") else value
