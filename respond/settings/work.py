"""How a response is worked out: `[response]`, `[state]`, `[hunt]`, `[evidence]`, `[sources]`, `[retry]`, `[pace]`."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from pydantic import Field, SecretStr, field_validator

from respond.durations import Duration, KeptDuration, PositiveDuration, parse_duration, parse_kept
from respond.response_mode import ResponseMode
from respond.settings.base import Section


class State(Section):
    """Where cases, tickets and unfinished runs are kept, and for how long.

    Attributes:
        keep_steps: what the steps of finished runs recorded.
        keep_runs: answers of finished runs, and answered deliveries.
        keep: cases since their last report, with everything about them.
    """

    url: SecretStr = SecretStr("")
    dir: str = ""
    keep_steps: PositiveDuration = parse_duration("1h")
    keep_runs: PositiveDuration = parse_duration("30d")
    keep: KeptDuration = parse_kept("400d")


class Response(Section):
    """How far respond goes without a person.

    Attributes:
        mode: None: `ask`, and `auto` in the lab.
    """

    mode: ResponseMode | None = None

    @field_validator("mode", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value


class Hunt(Section):
    since: PositiveDuration = parse_duration("24h")
    act_early: bool = True
    defender: bool = True
    absent_for: Duration = parse_duration("15m")
    users_at_once: int = Field(default=1000, ge=1, le=5000)


EVIDENCE_ACTIONS = frozenset(
    {
        "count_sign_ins",
        "find_access",
        "find_address_use",
        "find_devices",
        "find_footholds",
        "find_fresh_users",
        "find_lures",
        "find_recipients",
        "find_standing",
        "find_token_use",
        "find_usual_places",
        "hunt_confirmations",
        "know_standing",
        "match_lure_intel",
        "match_threat_intel",
        "read_incidents",
    }
)
"""Names that `evidence.limits` may use."""


class Evidence(Section):
    """How long the evidence actions may take; what is not there by then is a gap."""

    limit: PositiveDuration = parse_duration("45s")
    limits: dict[str, PositiveDuration] = Field(default={"hunt_confirmations": parse_duration("10s")})

    @field_validator("limits")
    @classmethod
    def _names_actions(cls, limits: dict[str, timedelta]) -> dict[str, timedelta]:
        unknown = sorted(set(limits) - EVIDENCE_ACTIONS)
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no evidence action; known: {', '.join(sorted(EVIDENCE_ACTIONS))}")
        return limits


class Place(StrEnum):
    """Where a table is read."""

    WORKSPACE = "workspace"
    DEFENDER = "defender"
    AUTO = "auto"


class Sources(Section):
    """Where each table is read that Defender XDR advanced hunting may hold as well; the keys are the tables' names."""

    SigninLogs: Place = Place.AUTO
    AADNonInteractiveUserSignInLogs: Place = Place.AUTO
    EmailEvents: Place = Place.AUTO
    EmailUrlInfo: Place = Place.AUTO
    EmailAttachmentInfo: Place = Place.AUTO
    EmailPostDeliveryEvents: Place = Place.AUTO
    UrlClickEvents: Place = Place.AUTO
    MessageEvents: Place = Place.AUTO
    MessageUrlInfo: Place = Place.AUTO
    CloudAppEvents: Place = Place.AUTO
    MicrosoftGraphActivityLogs: Place = Place.AUTO

    def of(self, table: str) -> Place:
        """Where a table is read; one that is not listed is the workspace's alone."""
        return Place(getattr(self, table)) if table in type(self).model_fields else Place.WORKSPACE


class Retry(Section):
    """How long one action may keep trying; see `respond/clients/retry.py`.

    Attributes:
        make_up: pauses between tries of what an outage kept from being done; the last one repeats without end.
    """

    attempts: int = Field(default=6, ge=1, le=20)
    first_wait: PositiveDuration = parse_duration("500ms")
    longest_wait: PositiveDuration = parse_duration("30s")
    read_budget: PositiveDuration = parse_duration("60s")
    write_budget: PositiveDuration = parse_duration("150s")
    request_timeout: PositiveDuration = parse_duration("30s")
    make_up: tuple[PositiveDuration, ...] = Field(
        default=tuple(map(parse_duration, ("30s", "2m", "10m", "20m"))), min_length=1
    )


class Pace(Section):
    """What Microsoft's services take, as documented; see `respond/clients/pace.py`.

    Attributes:
        logs_at_once: queries of one identity that Log Analytics works on at the same time.
        logs_per_30s: queries of one identity in 30 seconds.
        graph_units_per_10s: resource units of one application: 3,500 in a tenant of under 50 users, 5,000 up to 500,
            8,000 above.
        hunting_per_min: advanced hunting queries of one tenant in a minute.
        identity_protection_per_s: requests of all applications of a tenant to Identity Protection in a second.
        risk_patience: evidence from there that would wait longer for its turn is a gap; containment may wait for it.
        reports_per_10s: requests of one application to the sign-in reports in 10 seconds.
        arm_per_10s: requests of one identity to Azure Resource Manager in 10 seconds.
        contain_share: share of Graph's and Azure's limits that only containment may use.
        breaker_after: an endpoint that failed so often in a row is not asked for evidence until `breaker_rest` is over.
    """

    logs_at_once: int = Field(default=5, ge=1)
    logs_per_30s: int = Field(default=200, ge=1)
    graph_units_per_10s: int = Field(default=3500, ge=10)
    hunting_per_min: int = Field(default=45, ge=1)
    identity_protection_per_s: int = Field(default=1, ge=1)
    risk_patience: Duration = parse_duration("2s")
    reports_per_10s: int = Field(default=5, ge=1)
    arm_per_10s: int = Field(default=250, ge=10)
    contain_share: float = Field(default=0.2, ge=0, le=0.9)
    breaker_after: int = Field(default=8, ge=1)
    breaker_rest: PositiveDuration = parse_duration("30s")
