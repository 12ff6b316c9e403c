"""`respond doctor`: is everything there that a response needs?"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from respond.defang import json_text
from respond.settings import config_dir, load_settings

if TYPE_CHECKING:
    from respond.models.checkup import Checkup


def examine(*, as_json: bool, config: str | None) -> int:
    """Look at everything, and say what was found and what to do.

    Returns:
        0 when it works, be it with warnings; 1 when something does not.

    Raises:
        UsageError: a setting, the policy or the lab's data cannot be read.
    """
    found = asyncio.run(_look(config_dir(config)))
    if as_json:
        sys.stdout.write(json_text(found.model_dump_json(indent=2)) + "\n")
    else:
        from respond.console.checkup import print_checkup

        print_checkup(found)
    return found.code


async def _look(directory: Path) -> Checkup:
    from respond.doctor.checks import look_at
    from respond.doctor.patient import Patient
    from respond.policies import load_policy
    from respond.session import open_connections

    settings, policy = load_settings(directory), load_policy(directory)
    async with open_connections(settings, directory) as connections:
        clients = connections.clients(read_only=True)
        patient = Patient(
            settings=settings,
            policy=policy,
            config=directory,
            clients=clients,
            lab_url=connections.lab_url,
            tickets=clients.tickets,
        )
        return await look_at(patient)
