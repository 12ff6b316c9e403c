"""Reading the policy: `policy.toml`, `ladder.toml`, and the lists of `apps.toml`, `networks.toml` and `lures.toml`."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from respond import tenants
from respond.errors import UsageError
from respond.models.policy import Policy
from respond.settings import read_toml, shipped_config

_FILES = {
    "policy.toml": ("thresholds", "caps", "weights", "reliefs", "usual", "correlation", "accounts", "trusted_networks"),
    "ladder.toml": ("ladder",),
    "apps.toml": ("script_clients", "powerful_apps", "device_apps", "content_resources"),
    "networks.toml": ("hosting_networks", "hosting_ranges"),
    "lures.toml": ("device_login_pages", "lure_patterns", "picture_types"),
}


def load_other_policy(file: Path, directory: Path) -> Policy:
    """Another `policy.toml` to compare with; the other files stay those of the directory.

    Raises:
        UsageError: names the file and the key.
    """
    if not file.is_file():
        raise UsageError(f"--policy: {file} is not a file; name another policy.toml")
    return load_policy(directory, policy=file)


def load_policy(directory: Path, *, policy: Path | None = None, tenant: str | None = None) -> Policy:
    """Read the five files: the tenant's own, else the directory's, else the shipped copy.

    Args:
        policy: read instead of the directory's `policy.toml`.
        tenant: whose; None for the one that this process works for, if it was named.

    Raises:
        UsageError: names the file and the key.
    """
    values: dict[str, object] = {}
    for name, keys in _FILES.items():
        path = policy if name == "policy.toml" and policy else _found(directory, name, tenant)
        found = read_toml(path)
        unknown = [key for key in found if key not in keys]
        if unknown:
            raise UsageError(f"{path}: {unknown[0]}: is not a known key; known: {', '.join(keys)}")
        values |= found
    try:
        read = Policy.model_validate(values, extra="forbid")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        file = next((name for name, keys in _FILES.items() if first["loc"][0] in keys), "policy.toml")
        what = (
            "is not a known key" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
        )
        where = policy if policy and file == "policy.toml" else _found(directory, file, tenant, or_where=directory)
        raise UsageError(f"{where}: {key}: {what}") from error
    if read.thresholds.suspicious >= read.thresholds.malicious:
        where = policy or _found(directory, "policy.toml", tenant, or_where=directory)
        raise UsageError(f"{where}: thresholds.suspicious must lie below thresholds.malicious")
    return read


def _found(directory: Path, name: str, tenant: str | None, *, or_where: Path | None = None) -> Path:
    """Where a file of the policy is read.

    Args:
        or_where: the folder where it belongs, when only the shipped copy has it.
    """
    whose = tenants.chosen() if tenant is None else tenant
    folders = [directory / tenants.FOLDER / whose] if whose else []
    held = next((folder / name for folder in (*folders, directory) if (folder / name).is_file()), None)
    return held or (or_where or shipped_config()) / name
