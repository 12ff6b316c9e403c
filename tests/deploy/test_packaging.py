from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from configparser import ConfigParser
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.xdist_group("wheel")
ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()

# Put together here so that this file does not name them itself.
INDEX_HOSTS = [".".join(parts) for parts in (("pypi", "org"), ("npmjs", "org"), ("npmjs", "com"))]
INDEX_HOSTS += [f"{name}.{top}" for name, top in (("python" + "ho" + "sted", "org"), ("yarnpkg", "com"))]


def locked() -> dict[str, tuple[Requirement, int]]:
    """Name of each locked package, with its pin and the number of its hashes."""
    logical = re.sub(r"\\\n", " ", "\n".join(line for line in LOCK.splitlines() if not line.startswith("#")))
    found: dict[str, tuple[Requirement, int]] = {}
    for line in filter(None, logical.splitlines()):
        pin, *hashes = re.split(r"\s+--hash=sha256:(?=[0-9a-f]{64}(?:\s|$))", line)
        requirement = Requirement(pin.strip())
        found[canonicalize_name(requirement.name)] = (requirement, len(hashes))
    return found


def wanted() -> list[str]:
    project = PROJECT["project"]
    return [*PROJECT["build-system"]["requires"], *project["dependencies"], *project["optional-dependencies"]["dev"]]


@pytest.mark.parametrize("dependency", wanted())
def test_every_dependency_is_locked_to_a_version_it_allows(dependency: str) -> None:
    requirement = Requirement(dependency)
    pin, hashes = locked()[canonicalize_name(requirement.name)]
    (version,) = [specifier.version for specifier in pin.specifier if specifier.operator == "=="]
    assert requirement.specifier.contains(version, prereleases=True), f"lock has {pin}, project wants {requirement}"
    assert hashes > 0


def test_every_locked_package_has_one_version_and_hashes() -> None:
    for requirement, hashes in locked().values():
        assert [specifier.operator for specifier in requirement.specifier] == ["=="], requirement
        assert requirement.url is None
        assert hashes > 0, requirement


def test_the_lock_file_holds_pins_and_hashes_and_nothing_else() -> None:
    pin = re.compile(r"[a-z0-9.-]+(\[[a-z0-9, -]+\])?==[0-9][0-9a-z.+!]*( ; [\w'. <>=!()-]+)? \\", re.IGNORECASE)
    digest = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
    odd = [
        line
        for line in LOCK.splitlines()
        if not (line.startswith("#") or pin.fullmatch(line) or digest.fullmatch(line))
    ]
    assert odd == []
    assert "//" not in LOCK


def test_the_query_checker_is_locked_with_integrity_and_without_addresses() -> None:
    lock = json.loads((ROOT / "tools" / "kql-check" / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages
    for name, package in packages.items():
        assert package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, name
    (own,) = [package for name, package in lock["packages"].items() if not name]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in own["dependencies"].values())


def test_no_file_of_the_repository_names_a_package_index() -> None:
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - whichever git there is
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    files = [ROOT / name for name in listing.stdout.decode().split("\0") if name]
    assert files
    naming = {
        f"{file.relative_to(ROOT)}: {host}"
        for file in files
        if file.is_file()
        for host in INDEX_HOSTS
        if host.encode() in file.read_bytes()
    }
    assert naming == set()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    directory = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (path,) = directory.glob("*.whl")
    return ZipFile(path)


def test_the_wheel_holds_the_packages_and_nothing_that_is_only_for_us(wheel: ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"respond", "playbooks", "actions"}
    for package in ("respond", "playbooks", "actions"):
        modules = {str(path.relative_to(ROOT)) for path in (ROOT / package).rglob("*.py")}
        assert modules <= set(wheel.namelist())


def test_the_wheel_ships_the_settings_the_queries_and_the_lab_data(wheel: ZipFile) -> None:
    names = set(wheel.namelist())
    config = {path.relative_to(ROOT / "config") for path in (ROOT / "config").rglob("*") if path.is_file()}
    assert {f"respond/shipped_config/{path}" for path in config} <= names
    assert "respond/shipped_config/respond.toml" in names
    assert any(name.startswith("respond/shipped_config/queries/") and name.endswith(".kql") for name in names)
    assert "respond/lab/scenarios/seed-true-positive/scenario.json" in names
    assert "respond/log_schema.json" in names


def test_the_wheel_names_its_command_and_its_licence(wheel: ZipFile) -> None:
    (info,) = {name.split("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
    entry_points = ConfigParser()
    entry_points.read_string(wheel.read(f"{info}/entry_points.txt").decode())
    assert dict(entry_points["console_scripts"]) == {"respond": "respond.__main__:main"}
    assert "Apache License" in wheel.read(f"{info}/licenses/LICENSE").decode()
