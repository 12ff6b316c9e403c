"""Reading the policy: `policy.toml`, with the lists of `apps.toml` and `lures.toml`."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from respond.errors import UsageError
from respond.models.policy import Policy
from respond.settings import read_toml, shipped_config

_FILES = {
    "policy.toml": ("thresholds", "weights", "reliefs", "usual", "correlation"),
    "apps.toml": ("script_clients", "powerful_apps"),
    "lures.toml": ("device_login_pages", "lure_patterns"),
}


def load_policy(directory: Path) -> Policy:
    """Read the three files; one that the directory lacks comes from the shipped copy.

    Raises:
        UsageError: names the file and the key.
    """
    values: dict[str, object] = {}
    for name, keys in _FILES.items():
        path = directory / name if (directory / name).is_file() else shipped_config() / name
        found = read_toml(path)
        unknown = [key for key in found if key not in keys]
        if unknown:
            raise UsageError(f"{path}: {unknown[0]}: is not a known key; known: {', '.join(keys)}")
        values |= found
    try:
        policy = Policy.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        file = next((name for name, keys in _FILES.items() if first["loc"][0] in keys), "policy.toml")
        what = (
            "is not a known key" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
        )
        raise UsageError(f"{directory / file}: {key}: {what}") from error
    if policy.thresholds.suspicious >= policy.thresholds.malicious:
        raise UsageError(f"{directory / 'policy.toml'}: thresholds.suspicious must lie below thresholds.malicious")
    return policy
