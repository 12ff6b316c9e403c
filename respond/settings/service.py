"""What `respond serve` does: `[serve]`, `[webhook]`, `[schedule]`, `[sentinel]`."""

from __future__ import annotations

from pydantic import Field, SecretStr

from respond.durations import Duration, PositiveDuration, parse_duration
from respond.settings.base import Section


class Serve(Section):
    """`respond serve` and `respond worker`.

    Attributes:
        runs_at_once: responses that one process works on at the same time; more of them wait.
        most_waiting: deliveries that may wait for an answer before new ones are turned away with 429.
        grace: how long a process that is told to stop goes on with what it has begun.
        beat: how often a process shows that it lives; one that was silent four times as long is taken for dead.
    """

    runs_at_once: int = Field(default=4, ge=1, le=500)
    most_waiting: int = Field(default=10_000, ge=1)
    grace: Duration = parse_duration("30s")
    beat: PositiveDuration = parse_duration("5s")


class Webhook(Section):
    """Who may deliver to `/webhooks/sentinel`, and what is done with a delivery.

    Attributes:
        audience: application ID URI, or client id, that tokens must be issued for; empty takes no tokens.
        callers: object ids of the identities that may deliver.
        app_role: an identity that holds this app role may deliver as well.
        issuers: issuers of tokens beside the tenant's own two.
        hmac_secret: shared secret of senders that sign; empty takes no signatures.
        hmac_secret_next: accepted beside it while senders change from one to the other.
        hmac_window: how far a signature's time may be from ours.
        body_within: a sender that takes longer for its request is cut off.
        entity_wait: how long an incident that names nobody, and in whose time nobody is found, is read again.
        answer_closed: answer incidents that are closed already when they arrive.
    """

    audience: str = ""
    callers: tuple[str, ...] = ()
    app_role: str = "Incidents.Deliver"
    issuers: tuple[str, ...] = ()
    hmac_secret: SecretStr = SecretStr("")
    hmac_secret_next: SecretStr = SecretStr("")
    hmac_window: PositiveDuration = parse_duration("5m")
    body_within: PositiveDuration = parse_duration("10s")
    entity_wait: Duration = parse_duration("10m")
    answer_closed: bool = False


class Schedule(Section):
    """The tenant-wide hunt beside the webhook.

    Attributes:
        every: how often; zero turns it off.
        overlap: how far each look reaches back before the end of the last one, by time of arrival.
        look_back: sign-ins older than this are not looked for, however late they arrive.
    """

    every: Duration = parse_duration("5m")
    overlap: Duration = parse_duration("10m")
    look_back: PositiveDuration = parse_duration("24h")


class Sentinel(Section):
    """What is written back to the incident that a delivery is about.

    Attributes:
        comment: one comment a stage.
        tag: a tag with the verdict.
        raise_severity: severity High for a malicious verdict; never lowered.
        activate: status Active when a person has to act or something was done.
        close_benign: close as a benign positive when every account of the incident is benign.
    """

    comment: bool = True
    tag: bool = True
    raise_severity: bool = True
    activate: bool = True
    close_benign: bool = False
