"""What the decision goes by, as data: `policy.toml`, `apps.toml` and `lures.toml`.

The whole policy is copied into the case when it starts, so a run that is finished after a crash or an upgrade
decides as it began.
"""

from __future__ import annotations

import ipaddress
import re
import uuid
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from respond.durations import Duration, PositiveDuration
from respond.models.base import Model
from respond.models.ladder import Ladder
from respond.response_mode import ResponseMode


def _compiles(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return text


Pattern = Annotated[str, AfterValidator(_compiles)]
Weight = Annotated[int, Field(ge=0, le=100)]
Relief = Annotated[int, Field(ge=-100, le=0)]


class Thresholds(Model):
    malicious: int = Field(ge=1, le=100)
    suspicious: int = Field(ge=1, le=100)


class Caps(Model):
    """What findings that say the same thing weigh together, at most."""

    circumstances: int = Field(default=55, ge=1, le=99)


class Weights(Model):
    """Points a finding adds. Each is explained in `policy.toml`.

    Those with a default came later: a policy file of an earlier version still loads.
    """

    threat_intel: Weight
    weak_threat_intel: Weight
    legs_apart: Weight
    other_address: Weight
    new_country: Weight
    new_network: Weight
    lure_clicked: Weight
    lure_redeemed_elsewhere: Weight
    lure_delivered: Weight
    script_client: Weight
    unmanaged_device: Weight
    high_risk: Weight
    medium_risk: Weight
    low_risk: Weight
    powerful_app: Weight
    first_device_code: Weight
    redeemer_unseen: Weight
    token_reads: Weight
    token_elsewhere: Weight
    device_added: Weight
    kit_device: Weight
    method_added: Weight
    consent_added: Weight
    mail_rule_added: Weight
    application_added: Weight = 15
    tenant_changed: Weight = 25
    hosting_network: Weight
    shared_redeemer: Weight
    stranger_wrote: Weight
    lure_listed: Weight
    known_bad: Weight
    known_network: Weight
    privileged_user: Weight
    token_searches: Weight
    unusual_hour: Weight
    redeemer_moved: Weight = 25
    nothing_known: Weight = 20
    token_purpose: Weight = 15
    act_nearby: Weight = 15
    token_sent: Weight = 15
    mass_mail: Weight = 25
    lure_then_sent: Weight = 20
    forwarding_outside: Weight = 20


class Reliefs(Model):
    """Points a finding takes away. None applies beside a hard fact, or while the redeeming leg is unseen."""

    habit: Relief
    habit_moving: Relief
    habit_elsewhere: Relief
    usual_place: Relief
    common_address: Relief
    managed_device_here: Relief
    managed_holder: Relief
    trusted_network: Relief
    device_account: Relief
    colleagues: Relief = -40
    batch: Relief = -40


class Usual(Model):
    """When a place or a habit counts as usual."""

    history: PositiveDuration
    episode: PositiveDuration
    place_days: int = Field(ge=1)
    habit_days: int = Field(ge=2)
    habit_sessions: int = Field(ge=2)
    common_users: int = Field(ge=2)
    common_days: int = Field(ge=1)
    known_days: int = Field(default=5, ge=1)
    colleagues: int = Field(default=2, ge=1)
    colleague_days: int = Field(default=3, ge=1)
    colleague_since: PositiveDuration = timedelta(days=7)
    batch_users: int = Field(default=4, ge=2)


class Correlation(Model):
    """How far apart in time things may lie that belong together."""

    click_before: PositiveDuration
    click_after: Duration
    mail_before: PositiveDuration
    stranger_before: PositiveDuration
    registration_within: Duration
    redemption_delay: Duration
    activity_delay: Duration
    strong_confidence: int = Field(ge=0, le=100)
    attempts_before: PositiveDuration = timedelta(hours=2)
    act_within: PositiveDuration = timedelta(hours=2)
    mass_reads: int = Field(default=30, ge=1)
    mass_recipients: int = Field(default=20, ge=2)
    intel_lookback: PositiveDuration


class App(Model):
    id: Annotated[str, AfterValidator(str.lower)]
    name: str
    why: str
    command_line: bool = Field(default=False, description="a tool for administrators and developers")


def _object_id(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise ValueError(f"{text[:60]!r} is not an object id, such as 7d1f0a52-6d0e-4c1c-9b54-0f5a1c0e7a11") from None


Id = Annotated[str, AfterValidator(_object_id)]


class Accounts(Model):
    """Accounts that are not ordinary people's, by object id: names can be chosen, ids cannot."""

    break_glass: tuple[Id, ...] = ()
    rooms: tuple[Id, ...] = ()
    services: tuple[Id, ...] = ()
    device_groups: tuple[Id, ...] = ()


def _network(text: str) -> str:
    ipaddress.ip_network(text, strict=True)
    return text


class HostingNetwork(Model):
    asn: Annotated[str, Field(pattern=r"^\d{1,10}$")]
    name: str


class HostingRange(Model):
    range: Annotated[str, AfterValidator(_network)]
    name: str


class LurePattern(Model):
    name: str
    pattern: Pattern
    source: str


class Policy(Model):
    """Everything above, and the lists that are kept in files of their own.

    Attributes:
        response_mode: `response.mode` of the settings; kept with the case, so that a replay decides the same.
    """

    thresholds: Thresholds
    caps: Caps = Caps()
    weights: Weights
    reliefs: Reliefs
    usual: Usual
    correlation: Correlation
    accounts: Accounts = Accounts()
    ladder: Ladder
    response_mode: ResponseMode = ResponseMode.AUTO
    trusted_networks: tuple[Annotated[str, AfterValidator(_network)], ...] = ()
    hosting_networks: tuple[HostingNetwork, ...] = ()
    hosting_ranges: tuple[HostingRange, ...] = ()
    device_apps: tuple[App, ...] = ()
    script_clients: tuple[Pattern, ...]
    powerful_apps: tuple[App, ...] = ()
    content_resources: tuple[App, ...] = ()
    lure_patterns: tuple[LurePattern, ...] = ()
    device_login_pages: tuple[Pattern, ...] = ()
    picture_types: tuple[str, ...] = ()
