"""Remove from an image what respond never imports of the Microsoft Graph SDK.

    python trim_sdk.py SITE_PACKAGES

The generated SDK has one package a root of the Graph API and loads each when it is first used. KEPT are the roots that
respond uses; `tests/deploy/test_trim_sdk.py` holds the list to the code. An installation by pip keeps the whole SDK.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

KEPT = frozenset(
    {
        "applications",
        "applications_with_app_id",
        "audit_logs",
        "devices",
        "devices_with_device_id",
        "directory_objects",
        "groups",
        "identity",
        "identity_protection",
        "models",
        "oauth2_permission_grants",
        "role_management",
        "security",
        "service_principals",
        "service_principals_with_app_id",
        "subscribed_skus",
        "users",
    }
)


def trim(site_packages: Path) -> int:
    """Delete every other root; how many there were.

    Raises:
        SystemExit: there is no SDK, or it lacks a root that respond uses.
    """
    generated = site_packages / "msgraph" / "generated"
    lost = sorted(name for name in KEPT if not (generated / name).is_dir())
    if lost:
        raise SystemExit(f"trim_sdk: {generated} lacks {', '.join(lost)}; has the SDK changed?")
    roots = [path for path in generated.iterdir() if path.is_dir() and path.name not in {*KEPT, "__pycache__"}]
    for path in roots:
        if path.is_symlink():
            path.unlink()
        else:
            shutil.rmtree(path)
    # What the generator was given, 37 MB of text that no program reads.
    (generated / "kiota-dom-export.txt").unlink(missing_ok=True)
    return len(roots)


if __name__ == "__main__":
    sys.stdout.write(f"trim_sdk: {trim(Path(sys.argv[1]))} packages removed\n")
