"""`respond init`: the configuration of a real tenant, and the commands that create who respond is there."""

from __future__ import annotations

import json
import re
import shutil
import sys
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

from respond.cli.init_commands import Plan, script
from respond.errors import UsageError
from respond.settings import Cloud, load_settings, shipped_config

T = TypeVar("T")

_KINDS = {"managed": "managed-identity", "certificate": "certificate", "cli": "cli"}


@dataclass(frozen=True)
class Answers:
    """What was said on the command line; None is asked for."""

    tenant_id: str | None
    workspace_id: str | None
    cloud: str | None
    identity: str | None
    writes: bool | None


def initialize(answers: Answers, *, directory: str, force: bool) -> int:
    """Ask for what was not said, write the files, and print the commands.

    Raises:
        UsageError: an answer is none, or there is a configuration already.
    """
    from respond.doctor.needs import enabled, optional
    from respond.policies import load_policy

    file = Path(directory) / "respond.toml"
    if file.exists() and not force:
        raise UsageError(f"{file} exists; name another directory with --dir, or write it anew with --force")
    plan = _plan(answers, Path(directory))
    written = _write(plan, file)
    click.echo(f"wrote {', '.join(written)}", err=True)
    policy = load_policy(plan.directory)
    needed = enabled(load_settings(plan.directory), policy)
    sys.stdout.write(script(plan, needed, apart=optional(policy, needed)))
    click.echo("read the commands, then run them as an administrator; they end with respond doctor", err=True)
    return 0


def filled(text: str, values: Mapping[tuple[str, str], str]) -> str:
    """A configuration file with some values put in; comments stay.

    Args:
        values: (section, key) -> value.
    """
    left, section, lines = dict(values), "", []
    for line in text.splitlines():
        if header := re.fullmatch(r"\[([\w.]+)\]", line):
            section = header[1]
        key = re.match(r"(\w+) = ", line)
        value = left.pop((section, key[1]), None) if key else None
        lines.append(line if key is None or value is None else f"{key[1]} = {json.dumps(value)}")
    if left:
        raise UsageError(f"the shipped respond.toml lacks {min(left)}; the installation is incomplete")
    return "\n".join(lines) + "\n"


def _plan(answers: Answers, directory: Path) -> Plan:
    tenant_id = answers.tenant_id or _ask("--tenant-id", "Tenant id (object id of the directory)", None)
    workspace_id = answers.workspace_id or _ask("--workspace-id", "Log Analytics workspace id", None)
    cloud = answers.cloud or _ask("--cloud", "Cloud", "public", click.Choice([cloud.value for cloud in Cloud]))
    identity = answers.identity or _ask("--identity", "Identity", "managed", click.Choice(list(_KINDS)))
    writes = answers.writes
    if writes is None:
        writes = identity != "cli" and _asked("--write", lambda: click.confirm("May it contain?", err=True), False)
    if writes and identity == "cli":
        raise UsageError("--identity cli is for developers, who plan: give --read-only, or another identity")
    return Plan(
        tenant_id=_id("--tenant-id", tenant_id),
        workspace_id=_id("--workspace-id", workspace_id),
        cloud=Cloud(cloud),
        identity=identity,
        writes=writes,
        directory=directory,
    )


def _ask(option: str, question: str, default: str | None, kind: click.Choice[str] | None = None) -> str:
    return str(_asked(option, lambda: click.prompt(question, default=default, type=kind, err=True), default))


def _asked(option: str, ask: Callable[[], T], default: T | None) -> T:
    """An answer; the default where there is nobody to ask."""
    try:
        return ask()
    except click.Abort:
        if sys.stdin.isatty():
            raise
        if default is None:
            raise UsageError(f"{option}: say which; there is nobody to ask") from None
        return default


def _id(option: str, text: str) -> str:
    try:
        return str(uuid.UUID(text.strip()))
    except ValueError:
        raise UsageError(f"{option}: {text!r:.60} is not an id, such as 7d1f0a52-6d0e-4c1c-9b54-0f5a1c0e7a11") from None


def _write(plan: Plan, file: Path) -> list[str]:
    """The configuration, and the files beside it that are missing."""
    shipped = shipped_config()
    values = {
        ("tenant", "mode"): "azure",
        ("tenant", "cloud"): plan.cloud.value,
        ("tenant", "tenant_id"): plan.tenant_id,
        ("tenant", "workspace_id"): plan.workspace_id,
    }
    for section in ("read", "write") if plan.writes else ("read",):
        values[(f"tenant.{section}", "kind")] = _KINDS[plan.identity]
        if plan.identity == "certificate":
            values[(f"tenant.{section}", "certificate")] = str(plan.certificate(f"respond-{section}"))
    text = filled((shipped / "respond.toml").read_text(encoding="utf-8"), values)
    try:
        plan.directory.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        written = [str(file)]
        for other in sorted(shipped.glob("*.toml")):
            if not (plan.directory / other.name).exists():
                shutil.copyfile(other, plan.directory / other.name)
                written.append(other.name)
    except OSError as error:
        raise UsageError(f"--dir: {plan.directory} cannot be written: {error.strerror}") from error
    return written
