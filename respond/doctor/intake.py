"""Who may deliver to the webhook, and can that be checked?"""

from __future__ import annotations

from collections.abc import Sequence

from respond.doctor.patient import Patient
from respond.errors import UsageError
from respond.models.checkup import Result, error, ok, skipped, warning
from respond.webhook.gate import check_startup
from respond.webhook.problems import Problem
from respond.webhook.tenant_keys import TenantKeys
from respond.webhook.tokens import keys_url


async def authentication(patient: Patient) -> Sequence[Result]:
    """Tokens, signatures, or nobody."""
    webhook = patient.settings.webhook
    try:
        check_startup(patient.settings, "127.0.0.1")
    except UsageError as wrong:
        key, _, why = wrong.message.partition(": ")
        return [error("webhook", f"{key}: {why}", "respond serve does not start like that; respond --user does")]
    has_secret = any(one.get_secret_value() for one in (webhook.hmac_secret, webhook.hmac_secret_next))
    if not webhook.audience and not has_secret:
        return [ok("webhook", "open to this machine, in the lab alone", "set webhook.audience for a real tenant")]
    if not webhook.audience:
        todo = "Entra ID tokens are better: set webhook.audience and webhook.callers"
        return [warning("webhook", "a shared secret only: whoever reads it can deliver", todo)]
    who = [f"{len(webhook.callers)} callers"] if webhook.callers else []
    who += [f"whoever holds the app role {webhook.app_role}"] if webhook.app_role else []
    also = "; signatures too" if has_secret else ""
    return [ok("webhook", f"tokens for {webhook.audience} of {' and '.join(who)}{also}")]


async def signing_keys(patient: Patient) -> Sequence[Result]:
    """The keys that tokens are checked with; they are public."""
    if not patient.settings.webhook.audience:
        return [skipped("signing keys", "no tokens are taken (webhook.audience)")]
    url = keys_url(patient.settings, patient.lab_url)
    try:
        await TenantKeys(url).find("none")
    except Problem:
        todo = "check tenant.authority, tenant.cloud, tenant.tenant_id and the way out of this network"
        return [error("signing keys", f"cannot be fetched from {url}", todo)]
    return [ok("signing keys", f"fetched from {url}")]
