"""The command line. Nothing heavy is imported until a command needs it: `respond --help` answers at once.

Exit codes: 0 nothing left to do, 1 failed or not contained, 2 usage or configuration, 3 a person must act,
4 contained but not verified. An error is one line on stderr.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

import click

from respond import __version__, tenants
from respond.cli.streams import steady_output, writes_json
from respond.errors import RespondError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from click import Context

_Command = TypeVar("_Command", bound="Callable[..., object]")

_EPILOG = """Exit codes: 0 nothing left to do · 1 failed, or not contained · 2 usage or configuration error ·
3 a person must act · 4 contained but not verified."""


def _choose(_context: Context, _option: click.Parameter, name: str | None) -> None:
    """Here once, so that no command has to hand it on; `run` forgets it again."""
    if name is not None:
        if not tenants.is_name(name):
            raise UsageError(f"--tenant: {name[:40]!r}: write {tenants.FORM}")
        tenants.choose(name)


def config_option(command: _Command) -> _Command:
    """Which directory, and which tenant of it."""
    told = "Which of [tenants] [$RESPOND_TENANT]."
    which = click.option("--tenant", metavar="NAME", expose_value=False, callback=_choose, help=told)
    where = click.option("--config", metavar="DIR", help="Directory of respond.toml [$RESPOND_CONFIG, ./config].")
    return where(which(command))


def _json(_context: Context, _option: click.Parameter, chosen: bool) -> bool:
    if chosen:
        writes_json()
    return chosen


json_option = click.option("--json", "as_json", is_flag=True, callback=_json, help="One JSON document on stdout.")

as_option = click.option("--as", "name", metavar="NAME", help="Who you are, for the audit log [user@host].")

behind_option = click.option("--behind", is_flag=True, hidden=True, help="Work for the process at standard input.")


_WHOLE = 400
_JOBS = {
    "Triage": ("hunt", "cases", "show", "watch"),
    "Decide and contain": ("apply", "approve", "deny", "undo", "freeze", "thaw"),
    "Service": ("serve", "worker", "state", "audit"),
    "Set-up and tuning": ("init", "doctor", "permissions", "backtest", "schema", "lab"),
}
"""Commands as `respond --help` lists them; those that stand nowhere here come last."""


class _ByJob(click.Group):
    """Lists commands by what people come for, each with its whole first sentence."""

    def format_commands(self, context: Context, formatter: click.HelpFormatter) -> None:
        listed = {name for names in _JOBS.values() for name in names}
        rest = tuple(name for name in self.list_commands(context) if name not in listed)
        for job, names in {**_JOBS, "Other": rest}.items():
            there = [(name, command) for name in names if (command := self.get_command(context, name))]
            if rows := [(name, command.get_short_help_str(_WHOLE)) for name, command in there if not command.hidden]:
                with formatter.section(job):
                    formatter.write_dl(rows)


@click.group(
    cls=_ByJob, invoke_without_command=True, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option(
    "--user",
    "users",
    multiple=True,
    metavar="UPN|OBJECT-ID",
    help="Answer for this user: hunt, decide, contain, prove, ticket.",
)
@click.option("--since", metavar="DURATION", help="How far back to hunt: 90m, 24h, 7d [hunt.since].")
@click.option("--dry-run", is_flag=True, help="Show what would be done; no request that writes can leave.")
@json_option
@config_option
@click.version_option(__version__, prog_name="respond")
@click.pass_context
def cli(
    context: Context, users: tuple[str, ...], since: str | None, dry_run: bool, as_json: bool, config: str | None
) -> int:
    """Answer device code phishing in Microsoft Entra ID.

    With no configuration it works on the lab: a tenant in the box, no Azure account needed.
    """
    if context.invoked_subcommand:
        if users or since or dry_run or as_json:
            raise UsageError(f"give the options of `{context.invoked_subcommand}` after its name")
        context.obj = config
        return 0
    if not users:
        if since or dry_run or as_json:
            raise UsageError("say for whom: --user UPN|OBJECT-ID")
        click.echo(context.get_help())
        return 0
    from respond.cli.user import answer_for_user

    if len(users) > 1:
        raise UsageError("--user: one user at a time")
    return answer_for_user(users[0], since=since, dry_run=dry_run, as_json=as_json, config=config)


@cli.command()
@click.option("--published", is_flag=True, help="Run the published hunt (hunt-2025-042) verbatim instead; no verdicts.")
@click.option("--since", metavar="DURATION", help="How far back: 90m, 24h, 7d [hunt.since].")
@json_option
@config_option
@click.pass_context
def hunt(context: Context, published: bool, since: str | None, as_json: bool, config: str | None) -> int:
    """Every device code sign-in of the tenant with its verdict, worst first; changes nothing."""
    from respond.cli.hunt import hunt_published, hunt_tenant

    run_hunt = hunt_published if published else hunt_tenant
    return run_hunt(since=since, as_json=as_json, config=config or context.obj)


@cli.command()
@click.option("--since", metavar="DURATION", help="How far back: 24h, 7d, 30d [30d].")
@click.option("--policy", metavar="FILE", help="A second policy.toml: list the cases that it answers otherwise.")
@json_option
@config_option
@click.pass_context
def backtest(context: Context, since: str | None, policy: str | None, as_json: bool, config: str | None) -> int:
    """Replay the policy on history: contained, asked, ignored, and what analysts said; changes nothing.

    Ctrl-C ends it early with the figures of the users done until then.
    """
    from respond.cli.backtest import backtest_policy

    return backtest_policy(since=since, policy=policy, as_json=as_json, config=config or context.obj)


@cli.command()
@json_option
@config_option
@click.pass_context
def cases(context: Context, as_json: bool, config: str | None) -> int:
    """The cases so far, newest first."""
    from respond.cli.cases import list_cases

    return list_cases(as_json=as_json, config=config or context.obj)


@cli.command()
@click.argument("case")
@click.option("--html", metavar="FILE", help="Write the page as HTML; - is standard output.")
@json_option
@config_option
@click.pass_context
def show(context: Context, case: str, html: str | None, as_json: bool, config: str | None) -> int:
    """The newest report on CASE."""
    from respond.cli.cases import show_case

    return show_case(case, html=html, as_json=as_json, config=config or context.obj)


@cli.command()
@click.argument("case")
@as_option
@json_option
@config_option
@click.pass_context
def apply(context: Context, case: str, name: str | None, as_json: bool, config: str | None) -> int:
    """Carry out the plan of CASE's newest dry run: exactly that, or nothing if the world has changed since."""
    from respond.cli.people import apply_plan

    return apply_plan(case, by=name, as_json=as_json, config=config or context.obj)


@cli.command()
@click.argument("case")
@click.option(
    "--action", "names", multiple=True, metavar="NAME", help="Only this action, or object id; may be repeated."
)
@as_option
@json_option
@config_option
@click.pass_context
def approve(
    context: Context, case: str, names: tuple[str, ...], name: str | None, as_json: bool, config: str | None
) -> int:
    """Say yes to what CASE asks, and have it done. The first answer wins."""
    from respond.cli.people import answer_case

    return answer_case(case, yes=True, names=names, because="", by=name, as_json=as_json, config=config or context.obj)


@cli.command()
@click.argument("case")
@click.option(
    "--action", "names", multiple=True, metavar="NAME", help="Only this action, or object id; may be repeated."
)
@click.option("--because", default="", metavar="TEXT", help="Why; kept in the case.")
@as_option
@json_option
@config_option
@click.pass_context
def deny(
    context: Context,
    case: str,
    names: tuple[str, ...],
    because: str,
    name: str | None,
    as_json: bool,
    config: str | None,
) -> int:
    """Say no to what CASE asks. The first answer wins."""
    from respond.cli.people import answer_case

    return answer_case(
        case, yes=False, names=names, because=because, by=name, as_json=as_json, config=config or context.obj
    )


@cli.command()
@click.argument("case")
@click.option("--dry-run", is_flag=True, help="Show what would be brought back.")
@as_option
@json_option
@config_option
@click.pass_context
def undo(context: Context, case: str, dry_run: bool, name: str | None, as_json: bool, config: str | None) -> int:
    """Bring back what CASE has changed, as it was before; says what cannot be."""
    from respond.cli.people import undo_case

    return undo_case(case, dry_run=dry_run, by=name, as_json=as_json, config=config or context.obj)


@cli.command()
@click.option("--once", is_flag=True, help="Only the looks that are due now.")
@config_option
@click.pass_context
def watch(context: Context, once: bool, config: str | None) -> int:
    """Look at contained cases again when it is time, until none is left; `respond serve` does that by itself."""
    from respond.cli.watch import watch_cases

    return watch_cases(once=once, config=config or context.obj)


@cli.command()
@click.option("--tenant-id", metavar="ID", help="Object id of the tenant [asked for].")
@click.option("--workspace-id", metavar="ID", help="Id of the Log Analytics workspace [asked for].")
@click.option("--cloud", type=click.Choice(["public", "usgov", "usgov-dod", "china"]), help="Which cloud [asked for].")
@click.option(
    "--identity",
    type=click.Choice(["managed", "workload-identity", "certificate", "cli"]),
    help="A managed identity, an application with a federated credential (Kubernetes) or with a certificate, or you "
    "(developers) [asked for].",
)
@click.option("--write/--read-only", "writes", default=None, help="May it contain, or only plan [asked for].")
@click.option("--resource-group", metavar="NAME", help="Of managed identities [that of the workspace].")
@click.option("--issuer", metavar="URL", help="Of a workload identity: issuer of its tokens [asked for].")
@click.option("--subject", metavar="TEXT", help="Of a workload identity: subject of its tokens [asked for].")
@click.option("--dir", "directory", metavar="DIR", default="config", show_default=True, help="The configuration.")
@click.option("--tenant", metavar="NAME", expose_value=False, callback=_choose, help="Set up this one of [tenants].")
@click.option("--script", "script_file", metavar="FILE", help="Where the script goes [stdout; DIR/setup.sh].")
@click.option("--renew", is_flag=True, help="New certificates beside those in use.")
@click.option("--fill", "filled", metavar="KEY=VALUE", multiple=True, help="Only write an id; the script does that.")
@click.option("--force", is_flag=True, help="Replace settings that differ from the answers, and show the difference.")
def init(
    directory: str,
    script_file: str | None,
    renew: bool,
    filled: tuple[str, ...],
    force: bool,
    **said: str | bool | None,
) -> int:
    """Write the configuration of a real tenant, and the script that creates respond's identities there.

    Creates respond.toml, or adds what it lacks; settings that are set stay. Then writes a script to read and run, to
    stdout, to --script FILE, or to DIR/setup.sh where stdout is a terminal. init itself changes nothing in Azure. The
    script can be run again at any time: it adds what is missing and writes the ids into respond.toml. Each permission
    stands beside the actions that need it.
    """
    from respond.cli.init import Answers, fill, initialize

    if filled:
        return fill(filled, directory=directory, force=force)
    answers = Answers(**said)  # type: ignore[arg-type]  # click gives each of them its type
    return initialize(answers, directory=directory, script_file=script_file, renew=renew, force=force)


@cli.command()
@json_option
@config_option
@click.pass_context
def doctor(context: Context, as_json: bool, config: str | None) -> int:
    """Is everything there that a response needs, and what to do about what is not; changes nothing in the tenant.

    Exit 1 when something is wrong; warnings are not.
    """
    from respond.cli.doctor import examine

    return examine(as_json=as_json, config=config or context.obj)


@cli.command()
@json_option
def permissions(as_json: bool) -> int:
    """Each permission with the actions that need it, and what for; read from the actions themselves."""
    from respond.cli.permissions import list_permissions

    return list_permissions(as_json=as_json)


@cli.command()
@click.option("--why", metavar="TEXT", default="", help="For whoever finds it frozen, and for the audit log.")
@as_option
@config_option
@click.pass_context
def freeze(context: Context, why: str, name: str | None, config: str | None) -> int:
    """Stop every write to the tenant at once, on every machine on this state database, until `respond thaw`."""
    from respond.cli.freeze import freeze as freeze_tenant

    return freeze_tenant(why=why, name=name, config=config or context.obj)


@cli.command()
@as_option
@config_option
@click.pass_context
def thaw(context: Context, name: str | None, config: str | None) -> int:
    """End the freeze of the tenant."""
    from respond.cli.freeze import thaw as thaw_tenant

    return thaw_tenant(name=name, config=config or context.obj)


@cli.group()
def audit() -> None:
    """The log of what was decided, asked for and changed, by whom; each entry is chained to the one before."""


@audit.command("verify")
@click.option("--head", metavar="DIGEST", help="A head that was printed before and kept elsewhere: is it still there?")
@json_option
@config_option
@click.pass_context
def audit_verify(context: Context, head: str | None, as_json: bool, config: str | None) -> int:
    """Is the log as it was written? Prints its head; exit 1 names the first entry that is not."""
    from respond.cli.audit import verify

    return verify(head=head, as_json=as_json, config=config or context.find_root().obj)


@audit.command("export")
@click.option("--case", metavar="CASE", help="Entries about this case only.")
@config_option
@click.pass_context
def audit_export(context: Context, case: str | None, config: str | None) -> int:
    """The log on stdout, one JSON object a line, oldest entry first."""
    from respond.cli.audit import export

    writes_json()
    return export(case=case, config=config or context.find_root().obj)


@cli.group()
def state() -> None:
    """The state database: its schema, and the people in it."""


@state.command("check")
@json_option
@config_option
@click.pass_context
def state_check(context: Context, as_json: bool, config: str | None) -> int:
    """Check schema and documents; exit 1 if it needs an upgrade or repair, 2 if it is newer than this program."""
    from respond.cli.state import check

    return check(as_json=as_json, config=config or context.find_root().obj)


@state.command("upgrade")
@config_option
@click.pass_context
def state_upgrade(context: Context, config: str | None) -> int:
    """Migrate to this version's schema, and add what is missing; a SQLite file is backed up first.

    Every command that opens an older database migrates it as well, without the backup.
    """
    from respond.cli.state import upgrade

    return upgrade(config=config or context.find_root().obj)


@state.command("purge")
@click.option("--before", metavar="DATE|DURATION", help="Cases without a report since: 2026-01-31, or 400d.")
@click.option("--user", metavar="UPN|OBJECT-ID", help="Everything about one person, and their name everywhere else.")
@click.option("--dry-run", is_flag=True, help="Show what would be deleted.")
@as_option
@config_option
@click.pass_context
def state_purge(
    context: Context, before: str | None, user: str | None, dry_run: bool, name: str | None, config: str | None
) -> int:
    """Delete cases, or a person; the audit log stays verifiable. Cannot be undone."""
    from respond.cli.purge import purge

    return purge(before=before, user=user, dry_run=dry_run, name=name, config=config or context.find_root().obj)


@state.command("export")
@click.option("--user", required=True, metavar="UPN|OBJECT-ID", help="Whose data.")
@config_option
@click.pass_context
def state_export(context: Context, user: str, config: str | None) -> int:
    """Everything about one person as JSON, for a request of theirs."""
    from respond.cli.purge import export

    return export(user=user, config=config or context.find_root().obj)


@cli.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address; beyond loopback needs authentication.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@behind_option
@config_option
@click.pass_context
def serve_command(context: Context, host: str, port: int, behind: bool, config: str | None) -> int:
    """Take Sentinel's deliveries, hunt on schedule and answer, until interrupted.

    Deliveries go to /webhooks/sentinel; /healthz, /readyz and /metrics say how it does. Logs are JSON lines on stderr.
    With [tenants] there is a process for each of them behind this one, which finds out whose a delivery is.
    """
    from respond.cli.serve import serve

    return serve(host=host, port=port, behind=behind, config=config or context.obj)


@cli.command("worker")
@behind_option
@config_option
@click.pass_context
def worker_command(context: Context, behind: bool, config: str | None) -> int:
    """Share the work of `respond serve` on another machine, until interrupted; needs PostgreSQL as state.url."""
    from respond.cli.serve import work

    return work(behind=behind, config=config or context.obj)


@cli.group()
def lab() -> None:
    """The tenant in the box: a Log Analytics workspace and a directory on loopback.

    Its data, latency, limits, faults and withheld permissions are the [lab] section of respond.toml.
    """


@lab.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address.")
@click.option("--port", default=8484, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--child", is_flag=True, hidden=True, help="Announce the URL and end with standard input.")
@config_option
@click.pass_context
def lab_serve(context: Context, host: str, port: int, child: bool, config: str | None) -> int:
    """Serve the lab until interrupted; set lab.url to use it."""
    from respond.cli.lab import serve

    return serve(host=host, port=port, child=child, config=config or context.find_root().obj)


@lab.command("load")
@click.argument("directory", metavar="DIR")
@config_option
@click.pass_context
def lab_load(context: Context, directory: str, config: str | None) -> int:
    """Load a scenario anew: its story ends now. DIR is a directory or the name of a shipped scenario."""
    from respond.cli.lab import load

    return load(directory, config=config or context.find_root().obj)


@lab.command("reset")
@config_option
@click.pass_context
def lab_reset(context: Context, config: str | None) -> int:
    """Forget the lab: its directory, and the cases and tickets about it."""
    from respond.cli.lab import reset

    return reset(config=config or context.find_root().obj)


@lab.command("deliver")
@click.argument("scenario", default="")
@click.option("--url", default="http://127.0.0.1:8080", show_default=True, metavar="URL", help="Of a running service.")
@click.option("--wait", default="60s", show_default=True, metavar="DURATION", help="How long to wait for the answer.")
@config_option
@click.pass_context
def lab_deliver(context: Context, scenario: str, url: str, wait: str, config: str | None) -> int:
    """Deliver an incident of SCENARIO to a running `respond serve`, as Sentinel's Logic App would, and print the case.

    SCENARIO is the lab's current one unless given. A scenario without incidents of its own gets a sample incident that
    names its phished users. The delivery is signed, or carries a token, as the settings ask.
    """
    from respond.cli.lab import deliver

    return deliver(scenario, url=url, wait=wait, config=config or context.find_root().obj)


@lab.command("scenarios")
@json_option
def lab_scenarios(as_json: bool) -> int:
    """The scenarios that ship with respond."""
    from respond.cli.lab import list_scenarios

    return list_scenarios(as_json=as_json)


@cli.command("schema")
def schema() -> int:
    """The JSON Schema of what `--json` prints."""
    from respond.schema import schema_text

    writes_json()
    click.echo(schema_text(), nl=False)
    return 0


def run(arguments: Sequence[str]) -> int:
    """Run one command; the edge of the process, where every error becomes one line and an exit code."""
    os.umask(0o077)  # cases, tickets and the lab's tenant name people and addresses
    before = os.environ.get(tenants.VARIABLE)
    try:
        with steady_output():
            return _guarded(lambda: cli.main(args=list(arguments), prog_name="respond", standalone_mode=False))
    finally:
        os.environ.pop(tenants.VARIABLE, None)
        if before is not None:
            os.environ[tenants.VARIABLE] = before


def _guarded(command: Callable[[], object]) -> int:  # noqa: PLR0911 - one way out a kind of error
    try:
        code = command()
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _say("interrupted; an unfinished run is finished by the next `respond`", 1)
    except click.ClickException as error:
        return _say(f"{error.format_message()}; see respond --help", 2)
    except UsageError as error:
        return _say(error.message, 2)
    except RespondError as error:
        return _say(error.message, 1)
    except Exception as error:
        if os.environ.get("RESPOND_DEBUG"):
            raise
        from respond.plain_errors import is_database_error, named, state_error

        if is_database_error(error):
            known = state_error(error)
            return _say(known.message, 2 if isinstance(known, UsageError) else 1)
        return _say(f"internal error: {named(error)}; RESPOND_DEBUG=1 shows where", 1)
    return code if isinstance(code, int) else 0


def _say(line: str, code: int) -> int:
    from respond.defang import printable

    click.echo(f"respond: {printable(' '.join(line.split()))}", err=True)
    return code
