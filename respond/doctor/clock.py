"""Does our clock agree with Microsoft's? Tokens, time windows of queries and cut-offs go by it.

GET {authority}/{tenant}/v2.0/.well-known/openid-configuration: its Date header; no token is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

from respond.clients.clouds import authority
from respond.doctor.patient import Patient
from respond.errors import Transient
from respond.models.checkup import Result, error, ok, skipped, warning
from respond.webhook.tokens import tenant_id

_NOTED, _WRONG = timedelta(seconds=10), timedelta(seconds=60)
_TODO = "synchronize this machine's clock (chrony, systemd-timesyncd, w32time)"


async def clock(patient: Patient) -> Sequence[Result]:
    """How far the clocks are apart, within a second."""
    if any(isinstance(lost, Transient) for lost in patient.tokens.values()):
        return [skipped("clock", "the authority does not answer: see who reads")]
    where = authority(patient.settings, patient.lab_url)
    url = f"{where}/{tenant_id(patient.settings)}/v2.0/.well-known/openid-configuration"
    try:
        async with httpx.AsyncClient(timeout=15) as client:
            before = datetime.now(UTC)
            answer = await client.get(url)
            after = datetime.now(UTC)
    except httpx.HTTPError as silent:
        todo = "check tenant.authority, tenant.cloud and the way out of this network"
        return [error("clock", f"{where} does not answer: {type(silent).__name__}", todo)]
    if answer.status_code != httpx.codes.OK:
        todo = "check tenant.tenant_id, tenant.authority and tenant.cloud"
        return [error("clock", f"{where} does not know the tenant: {answer.status_code}", todo)]
    try:
        theirs = parsedate_to_datetime(answer.headers.get("Date", "")).astimezone(UTC)
    except ValueError:
        return [warning("clock", f"{where} sent no date", "compare the clock by hand")]
    # The header has whole seconds, cut off; ours is taken in the middle of the request.
    apart = before + (after - before) / 2 - theirs - timedelta(seconds=0.5)
    found = f"{abs(apart.total_seconds()):.0f} s {'ahead of' if apart > timedelta(0) else 'behind'} the authority"
    if abs(apart) > _WRONG:
        return [error("clock", found, _TODO)]
    return [warning("clock", found, _TODO)] if abs(apart) > _NOTED else [ok("clock", found)]
