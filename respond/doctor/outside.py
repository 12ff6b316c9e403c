"""Do the systems around answer? Nothing is created there, and no notice is sent."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from respond.doctor.patient import Patient
from respond.errors import RespondError
from respond.models.checkup import Result, error, ok, skipped
from respond.settings import TicketsIn

_KEY = "respond-doctor"
"""No case is called that, so nothing is found; but it has to be looked for."""


async def tickets(patient: Patient) -> Sequence[Result]:
    """Where tickets are kept beside the embedded ones."""
    chosen = patient.settings.tickets.system
    if chosen is TicketsIn.LOCAL:
        return [ok("tickets", "embedded (tickets.system)")]
    system = patient.tickets
    if system is None:
        return [skipped("tickets", f"{chosen}, through Microsoft: the first ticket shows whether it takes them")]
    try:
        await system.find(_KEY)
    except RespondError as refused:
        todo = f"check tickets.{chosen} in respond.toml; until then tickets are kept here only"
        return [error("tickets", f"{chosen}: {refused.message}", todo)]
    return [ok("tickets", f"{chosen} answers")]


async def notices(patient: Patient) -> Sequence[Result]:
    """Where people are told at once. The path of such a URL is a secret, so only its host is named."""
    notices = patient.settings.notices
    urls = {"Teams": notices.teams_url, "Slack": notices.slack_url}
    hosts = {name: urlsplit(url.get_secret_value()).hostname for name, url in urls.items()}
    told = [f"{name} at {host}" for name, host in hosts.items() if host]
    if not told:
        todo = "set notices.teams_url or notices.slack_url, or let people watch the tickets"
        return [skipped("notices", "none configured", todo)]
    return [ok("notices", f"{', '.join(told)}, on {', '.join(notices.on) or 'nothing'}; not tried")]
