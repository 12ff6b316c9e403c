"""What a run reports: the JSON contract of the command line, and everything the pages show."""

from __future__ import annotations

from pydantic import ConfigDict, Field, JsonValue

from respond.models.base import DOCUMENTS, Gap, Model, OpenEnum, Source, Utc
from respond.models.case import Mode
from respond.models.intake import Sighting
from respond.models.ladder import Step
from respond.models.persistence import Accounted
from respond.models.signin import LegRow, SignIns
from respond.response_mode import ResponseMode

SURVIVED = "attacker-survived"
"""Id of the finding that says so."""

THIS_RUN = "this run"
"""What the gap of a run is named after that could not come to its end."""
LOOKS_LIKE, WAS_BLOCKED = "looks-like-stolen-code", "attempt-was-blocked"
"""Ids of findings on what was seen in the place of a device code sign-in."""


class VerdictKind(OpenEnum):
    MALICIOUS = "malicious"
    SUSPICIOUS = "suspicious"
    BENIGN = "benign"
    NO_ACTIVITY = "no-activity"


class Finding(Model):
    """One reason, with the points it adds (or takes away) and the rows it stands on."""

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    weight: int = Field(ge=-100, le=100)
    summary: str
    evidence: tuple[Source, ...] = ()


class Verdict(Model):
    """What we think of the sign-ins, and why."""

    kind: VerdictKind
    score: int = Field(ge=0, le=100)
    headline: str
    findings: tuple[Finding, ...] = ()
    gaps: tuple[Gap, ...] = ()
    legs: tuple[LegRow, ...] = ()
    last_token: Utc | None = Field(
        default=None, description="newest token of the sign-ins judged so; later ones of the user's own do not count"
    )

    guilty_rows: tuple[str, ...] = Field(default=(), description="ids of the rows of sign-ins that are not benign")

    def guilty(self, signins: SignIns) -> SignIns:
        """The sign-ins that the verdict is about."""
        ids = set(self.guilty_rows)
        return SignIns(flows=tuple(flow for flow in signins.flows if ids & {row.id for row in flow.rows}))

    @property
    def survived(self) -> bool:
        """Whether the attacker was seen after an earlier containment."""
        return any(finding.id == SURVIVED for finding in self.findings)

    @property
    def asks_to_look(self) -> bool:
        """Whether there was no device code, and yet something that a person has to look at."""
        return any(finding.id == LOOKS_LIKE for finding in self.findings)

    @property
    def is_malicious(self) -> bool:
        return self.kind is VerdictKind.MALICIOUS

    @property
    def is_benign(self) -> bool:
        return self.kind in (VerdictKind.BENIGN, VerdictKind.NO_ACTIVITY)


class ActionStatus(OpenEnum):
    DONE = "done"
    UNNEEDED = "unneeded"
    PLANNED = "planned"
    AWAITING_APPROVAL = "awaiting-approval"
    REFUSED = "refused"
    FAILED = "failed"


class Request(Model):
    """A request that a dry run would have sent."""

    method: str
    url: str
    body: dict[str, JsonValue] | None = None


class Change(Model):
    """What became of one write action. `verified` is None where there is nothing to read back."""

    name: str
    status: ActionStatus
    target: str
    summary: str
    request: Request | None = None
    verified: bool | None = None
    contains: bool = Field(default=False, description="whether it ends something the attacker holds")
    proof: tuple[Source, ...] = Field(default=(), description="rows of the logs that show it as well")
    why: str = Field(default="", description="what calls for it")
    precondition: str = Field(default="", description="how the object is now; carried out only while it is so")
    undo: str = Field(default="", description="how it is taken back, or that it cannot be")
    leaves: str = Field(default="", description="what an attacker may still hold when it is done")
    permissions: tuple[str, ...] = Field(default=(), description="least ones that it needs")
    step: Step | None = Field(default=None, description="what is needed to do it later")
    again: Utc | None = Field(default=None, description="until when a service asked to wait; it is tried again then")
    by: str = Field(default="", description="who approved it, where somebody had to")
    held: str = Field(
        default="", description="what keeps it back although the policy would have it done: limit, freeze, service"
    )


class Outcome(OpenEnum):
    CONTAINED_VERIFIED = "contained-verified"
    CONTAINED_UNVERIFIED = "contained-unverified"
    NOT_CONTAINED = "not-contained"
    PLANNED = "planned"
    AWAITING_APPROVAL = "awaiting-approval"
    NO_ACTION = "no-action"


class Person(Model):
    id: str
    upn: str
    display_name: str


class Span(Model):
    """A window as the contract spells it."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    start: Utc = Field(serialization_alias="from", validation_alias="from")
    end: Utc = Field(serialization_alias="to", validation_alias="to")


class TicketRef(Model):
    system: str
    id: str
    url: str | None = Field(description="null where nobody but this process can reach the page of an embedded ticket")


class Moment(Model):
    """One line of the timeline."""

    at: Utc
    what: str
    source: str


class Timings(Model):
    """Milliseconds from the trigger; null where a run did not come that far."""

    hunt: int | None = None
    decided: int | None = Field(default=None, description="when the verdict was certain, be it before all evidence")
    evidence: int | None = Field(default=None, description="when the last evidence had arrived")
    contained: int | None = None
    total: int | None = None


class Pending(Model):
    """Something that a service did not take, and that is tried again until it does."""

    name: str = Field(description="the action")
    due: Utc = Field(description="when it is tried next")
    tries: int = Field(description="how often it came to nothing")
    reason: str = Field(default="", description="why, the last time")


class Report(Model):
    """One run's result; printed by `respond --json`."""

    case: str
    mode: Mode
    response_mode: ResponseMode | None = Field(
        default=None, description="how far respond went without a person; null in reports of earlier versions"
    )
    tenant: str
    user: Person
    window: Span
    verdict: VerdictKind
    score: int = Field(ge=0, le=100)
    headline: str
    findings: tuple[Finding, ...] = ()
    gaps: tuple[Gap, ...] = ()
    actions: tuple[Change, ...] = ()
    outcome: Outcome
    persistence: tuple[Accounted, ...] = Field(
        default=(), description="everything that the logs tie to the attacker, and what has become of it"
    )
    logs_read: bool = Field(
        default=True,
        description="whether the audit log, and the log of mailboxes where there is one, were read to the end",
    )
    tasks: tuple[str, ...] = Field(default=(), description="what a person has to do, as in the ticket")
    write_backs: tuple[Change, ...] = Field(
        default=(), description="what became of each comment and tag on the incidents that asked"
    )
    ticket: TicketRef | None = None
    timeline: tuple[Moment, ...] = ()
    legs: tuple[LegRow, ...] = Field(default=(), description="who approved and who redeemed the worst sign-in")
    timings_ms: Timings = Timings()
    confirmed_at: Utc | None = Field(
        default=None, description="when the last of the planned rechecks found that the containment held"
    )
    repeat: bool = Field(default=False, description="these sign-ins were answered before, and nothing was left to do")
    sightings: tuple[Sighting, ...] = Field(default=(), description="which paths brought the case, first one first")
    owed: tuple[Pending, ...] = Field(
        default=(), description="what a service that was away has not taken yet; as it is now, in `respond show`"
    )
    run: str = ""
    schema_version: int = DOCUMENTS

    @property
    def broke(self) -> str:
        """Why the run could not come to its end; empty when it did."""
        return next((gap.reason for gap in self.gaps if gap.source == THIS_RUN), "")

    @property
    def may_pass(self) -> bool:
        """Whether the run could not come to its end because a service did not answer."""
        return any(gap.passes for gap in self.gaps if gap.source == THIS_RUN)


class Attached(Model):
    """This run's sign-ins are being answered by another run; its report is the answer."""

    case: str
    run: str
