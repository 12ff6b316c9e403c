"""`respond init`: the configuration of a real tenant, and the commands that create respond's identities there."""

from __future__ import annotations

import re
import shutil
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click

from respond import tenants
from respond.cli.init_commands import FIRST_LINES, Plan, Principal, script
from respond.cli.init_settings import Configuration, Remembered
from respond.errors import UsageError
from respond.settings import Cloud, IdentityKind, load_settings, shipped_config

T = TypeVar("T")

KINDS = {
    "managed": IdentityKind.MANAGED,
    "workload-identity": IdentityKind.WORKLOAD,
    "certificate": IdentityKind.CERTIFICATE,
    "cli": IdentityKind.CLI,
}
"""What `--identity` takes."""

_SAFE = re.compile(r"[\w.:/@*+-]+")
"""What can stand in a query of the Azure CLI and in JSON as it is."""


@dataclass(frozen=True)
class Answers:
    """What the command line says. None is taken from the configuration that is there, or asked for."""

    tenant_id: str | None = None
    workspace_id: str | None = None
    cloud: str | None = None
    identity: str | None = None
    writes: bool | None = None
    resource_group: str | None = None
    issuer: str | None = None
    subject: str | None = None


def initialize(answers: Answers, *, directory: str, script_file: str | None, renew: bool, force: bool) -> int:
    """Complete the configuration, and write the script.

    Args:
        directory: of the configuration; created where it does not exist.
        script_file: where the script goes; None: standard output, or DIR/setup.sh where that is a terminal.
        renew: new certificates beside those in use.
        force: replace settings that differ from the answers.

    Raises:
        UsageError: an answer is wrong, or the configuration has another one already.
    """
    from respond.doctor.needs import enabled, optional
    from respond.policies import load_policy

    place = Path(directory).absolute()
    configuration = Configuration.read(place, tenants.chosen())
    plan = _plan(answers, configuration, renew=renew)
    file = _script_file(script_file, place)
    before = configuration.text
    changed = configuration.with_values(_values(plan, configuration), force=force)
    _make(changed, before, plan)
    policy = load_policy(place)
    needed = enabled(load_settings(place), policy)
    text = script(plan, needed, apart=optional(policy, needed))
    if file is None:
        sys.stdout.write(text)
    else:
        _write(file, text)
        click.echo(f"wrote {file}", err=True)
    how = f"sh {file}" if file else "sh FILE"
    click.echo(f"read the script, then run it as an administrator: {how}; it can be run again at any time", err=True)
    return 0


def fill(pairs: tuple[str, ...], *, directory: str, force: bool) -> int:
    """Write ids into respond.toml: what the script has found.

    Args:
        pairs: KEY=VALUE, such as `tenant.read.client_id=…`.

    Raises:
        UsageError: no key that is filled so, no value of its form, or another value is set.
    """
    place = Path(directory).absolute()
    configuration = Configuration.read(place, tenants.chosen())
    if not configuration.exists:
        raise UsageError(f"{configuration.file} does not exist; respond init creates it")
    values = {}
    for pair in pairs:
        key, found, value = pair.partition("=")
        if key not in _FILLED or not found:
            raise UsageError(f"--fill: {pair!r:.80}: write KEY=VALUE; keys: {', '.join(_FILLED)}")
        section, _, name = key.rpartition(".")
        values[section, name] = _FILLED[key](f"--fill {key}", value)
    before = configuration.text
    changed = configuration.with_values(values, force=force)
    changed.save(before)
    click.echo(f"{changed.file}: {'nothing to change' if changed.text == before else 'written'}", err=True)
    return 0


def _id(option: str, text: str) -> str:
    try:
        return str(uuid.UUID(text.strip()))
    except ValueError:
        raise UsageError(f"{option}: {text!r:.60} is not an id, such as 7d1f0a52-6d0e-4c1c-9b54-0f5a1c0e7a11") from None


def _workspace(option: str, text: str) -> str:
    from pydantic import TypeAdapter, ValidationError

    from respond.settings.base import WorkspaceId

    try:
        return str(TypeAdapter(WorkspaceId).validate_python(text.strip()))
    except ValidationError as error:
        raise UsageError(f"{option}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None


def _path(option: str, text: str) -> str:
    if not Path(text).is_file():
        raise UsageError(f"{option}: {text} is not a file")
    return str(Path(text).absolute())


_FILLED: dict[str, Callable[[str, str], str]] = {
    "tenant.workspace_resource_id": _workspace,
    "tenant.read.client_id": _id,
    "tenant.write.client_id": _id,
    "tenant.read.certificate": _path,
    "tenant.write.certificate": _path,
}
"""Keys that `--fill` sets."""


def _plan(answers: Answers, there: Configuration, *, renew: bool) -> Plan:
    has = there.value
    tenant_id = _known(answers.tenant_id, has("tenant", "tenant_id")) or _ask(
        "--tenant-id", "Tenant id (object id of the directory)", None
    )
    workspace_id = _known(answers.workspace_id, has("tenant", "workspace_id")) or _ask(
        "--workspace-id", "Log Analytics workspace id", None
    )
    cloud = _known(answers.cloud, has("tenant", "cloud") if has("tenant", "tenant_id") else "") or _ask(
        "--cloud", "Cloud", "public", click.Choice([cloud.value for cloud in Cloud])
    )
    kinds = {kind.value: name for name, kind in KINDS.items()}
    identity = _known(answers.identity, kinds.get(has("tenant.read", "kind"), "")) or _ask(
        "--identity", "Identity", "managed", click.Choice(list(KINDS))
    )
    if cloud not in {one.value for one in Cloud}:
        raise UsageError(f"--cloud: {cloud!r:.40} is none of {', '.join(Cloud)}")
    writes = answers.writes
    if writes is None or renew:
        writes = bool(has("tenant.write", "kind")) or (writes is True)
        if not writes and not renew and answers.writes is None and not has("tenant.read", "kind"):
            writes = identity != "cli" and _asked("--write", lambda: click.confirm("May it contain?", err=True), False)
    if writes and identity == "cli":
        raise UsageError("--identity cli is for developers, who plan: give --read-only, or another identity")
    if renew and identity != "certificate":
        raise UsageError("--renew makes new certificates, and tenant.read.kind is not certificate")
    kind = KINDS[identity]
    remembered = _remembered(answers, there.remembered, kind)
    roles = ("read", "write") if writes else ("read",)
    return Plan(
        tenant_name=there.tenant,
        tenant_id=_id("--tenant-id", tenant_id),
        workspace_id=_id("--workspace-id", workspace_id),
        workspace_resource_id=has("tenant", "workspace_resource_id"),
        cloud=Cloud(cloud),
        kind=kind,
        principals=tuple(_principal(role, kind, there, remembered, renew=renew) for role in roles),
        directory=there.file.parent,
        resource_group=remembered.resource_group,
        issuer=remembered.issuer,
        subject=remembered.subject,
        renewed=renew,
    )


def _known(said: str | None, there: str) -> str:
    return said or there


def _remembered(answers: Answers, before: Remembered, kind: IdentityKind) -> Remembered:
    """What the next script has to know again, for it to find what this one creates."""
    issuer, subject = answers.issuer or before.issuer, answers.subject or before.subject
    if kind is IdentityKind.WORKLOAD:
        issuer = issuer or _ask(
            "--issuer", "Issuer of the workload's tokens (of Kubernetes: its OIDC issuer URL)", None
        )
        subject = subject or _ask("--subject", "Their subject (system:serviceaccount:NAMESPACE:NAME)", None)
        if not re.match(r"https://", issuer):
            raise UsageError(f"--issuer: {issuer!r:.80} is not an https:// URL")
    group = answers.resource_group or before.resource_group
    for option, text in (("--issuer", issuer), ("--subject", subject), ("--resource-group", group)):
        if text and not _SAFE.fullmatch(
            text.replace("(", "").replace(")", "") if option == "--resource-group" else text
        ):
            raise UsageError(f"{option}: {text!r:.80} has characters that it cannot have")
    return before.model_copy(update={"issuer": issuer, "subject": subject, "resource_group": group})


def _principal(role: str, kind: IdentityKind, there: Configuration, known: Remembered, *, renew: bool) -> Principal:
    name = f"respond-{role}-{known.suffix}"
    client_id = there.value(f"tenant.{role}", "client_id")
    if kind is not IdentityKind.CERTIFICATE:
        return Principal(role, name, client_id)
    folder = there.file.parent
    tenant = f"{there.tenant}-" if there.tenant else ""
    named = there.value(f"tenant.{role}", "certificate")
    current = Path(named).absolute() if named else folder / f"respond-{tenant}{role}.pem"
    if not renew:
        return Principal(role, name, client_id, current)
    if not client_id:
        raise UsageError(f"--renew: tenant.{role}.client_id is empty; run the script of respond init first")
    base = f"respond-{tenant}{role}-{datetime.now(UTC):%Y%m%d}"
    fresh = (folder / f"{base}{number}.pem" for number in ("", *(f"-{count}" for count in range(2, 100))))
    return Principal(role, name, client_id, next(path for path in fresh if path != current))


def _values(plan: Plan, there: Configuration) -> dict[tuple[str, str], str]:
    """What respond.toml should say."""
    values = {
        ("tenant", "mode"): "azure",
        ("tenant", "cloud"): plan.cloud.value,
        ("tenant", "tenant_id"): plan.tenant_id,
        ("tenant", "workspace_id"): plan.workspace_id,
    }
    for principal in plan.principals:
        section = f"tenant.{principal.role}"
        values[section, "kind"] = plan.kind.value
        if principal.certificate and not there.value(section, "certificate"):
            values[section, "certificate"] = str(principal.certificate)
    return values


def _script_file(named: str | None, place: Path) -> Path | None:
    """Where the script goes.

    Raises:
        UsageError: there is a file that is none of ours.
    """
    if named is None and not sys.stdout.isatty():
        return None
    file = Path(named) if named else place / "setup.sh"
    if file.exists():
        try:
            is_ours = file.read_text(encoding="utf-8", errors="replace").startswith(FIRST_LINES)
        except OSError as error:
            raise UsageError(f"--script: {file} cannot be read: {error.strerror}") from error
        if not is_ours:
            raise UsageError(f"--script: {file} exists and is not a script of respond init; name another file")
    return file


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
        file.chmod(0o700)
    except OSError as error:
        raise UsageError(f"--script: {file} cannot be written: {error.strerror}") from error


def _make(changed: Configuration, before: str | None, plan: Plan) -> None:
    """The configuration, and the files beside it that are missing."""
    shipped = shipped_config()
    try:
        plan.directory.mkdir(parents=True, exist_ok=True)
        written = [str(changed.file)] if changed.text != before else []
        for other in sorted(shipped.glob("*.toml")):
            if other.name != changed.file.name and not (plan.directory / other.name).exists():
                shutil.copyfile(other, plan.directory / other.name)
                written.append(other.name)
        remembered = changed.remembered.model_copy(
            update={"issuer": plan.issuer, "subject": plan.subject, "resource_group": plan.resource_group}
        )
        changed.save(before)
        changed.remember(remembered)
    except OSError as error:
        raise UsageError(f"--dir: {plan.directory} cannot be written: {error.strerror}") from error
    click.echo(f"wrote {', '.join(written)}" if written else f"{changed.file}: nothing to change", err=True)


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
