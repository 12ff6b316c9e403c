"""`respond lab …`: the tenant in the box."""

from __future__ import annotations

import json
import sys
from contextlib import suppress

from respond.errors import UsageError
from respond.settings import Settings, config_dir, load_settings, state_url, tickets_dir


def _settings(config: str | None) -> Settings:
    settings = load_settings(config_dir(config))
    if not settings.is_lab:
        raise UsageError("tenant.mode is azure: the lab commands work with tenant.mode = lab only")
    return settings


def serve(*, host: str, port: int, child: bool, config: str | None) -> int:
    """Serve until interrupted, or until standard input closes for a child."""
    from respond.lab.place import place
    from respond.lab.server import LabServer, run

    settings = _settings(config)
    data, remembered = place(settings)
    if child:
        run(settings, data=data, state_dir=remembered, host=host, port=port, announce=True, until_stdin_closes=True)
        return 0

    def listening() -> None:
        sys.stdout.write(
            f"lab: {server.tenant.loaded.story.title}\n"
            f"lab: {server.url} answers; for other commands: export RESPOND_LAB__URL={server.url}\n"
            "lab: Ctrl-C ends it\n"
        )
        sys.stdout.flush()

    server = LabServer(settings, data=data, state_dir=remembered, host=host, port=port, on_listening=listening)
    with suppress(KeyboardInterrupt):  # uvicorn passes it on when it has stopped
        server.run_until_told()
    return 0


def load(directory: str, *, config: str | None) -> int:
    """Load a scenario anew."""
    from respond.lab import scenario
    from respond.lab.place import memory
    from respond.lab.state import LabState

    settings = _settings(config)
    loaded = LabState(memory(settings)).load(scenario.find(directory))
    sys.stdout.write(f"loaded: {loaded.story.title}\n")
    if settings.lab.data:
        sys.stderr.write(f"respond: lab.data is {settings.lab.data}, so that commands go on with that one\n")
    return 0


def deliver(story: str, *, url: str, wait: str, config: str | None) -> int:
    """Deliver an incident of the lab to a running service."""
    from respond.cli import deliver as delivering
    from respond.durations import parse_duration

    settings = _settings(config)
    try:
        within = parse_duration(wait).total_seconds()
    except ValueError as error:
        raise UsageError(f"--wait: {error}") from error
    return delivering.deliver(settings, story, url=url, wait=within)


def reset(*, config: str | None) -> int:
    """Forget what the lab remembers, and the cases, tickets and unfinished runs about it."""
    from respond.lab.place import memory
    from respond.lab.state import LabState
    from respond.store.reset import forget_lab

    settings = _settings(config)
    for folder in (memory(settings), *(kept.parent for kept in memory(settings).glob("*/lab.db"))):
        LabState(folder).reset()
    forgotten = forget_lab(state_url(settings), tickets_dir(settings))
    sys.stdout.write(f"the lab is as new; {forgotten} case{'' if forgotten == 1 else 's'} forgotten\n")
    return 0


def list_scenarios(*, as_json: bool) -> int:
    """Names, titles and what a good analyst would say."""
    from respond.lab import scenario

    found = scenario.shipped()
    if as_json:
        rows = [{"name": name, "title": title, "expect": expect} for name, title, expect in found]
        sys.stdout.write(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
        return 0
    from respond.console.tables import print_scenarios

    print_scenarios(found)
    return 0
