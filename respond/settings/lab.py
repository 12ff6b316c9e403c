"""The tenant in the box: `[lab]`, and the ids that it has."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, model_validator

from respond.durations import Duration, SignedDuration, parse_duration
from respond.settings.base import Address, Section

_REFUSAL = 400


class LabFault(Section):
    """One injected fault. It applies to requests whose `METHOD /path` matches, in the order of the list.

    Attributes:
        match: shell pattern over `METHOD /path`, such as `POST */revokeSignInSessions`; case matters not.
        contains: only when the request body holds this text (for a query: a table name, say).
        status: answer with this HTTP status instead of doing the work; below 400 with kind `answer` only.
        retry_after: value of the Retry-After header, taken literally (seconds or an HTTP date); `+2s` is
            replaced by the HTTP date two seconds from now.
        kind: `status`; `partial` (a log query answers with a PartialError beside its rows); `drop_before`
            (the connection closes and nothing was done); `drop_after` (done, and the answer is lost); `answer` (`body`
            instead of doing the work, as a proxy does); `cut_off` (done, and half of the answer arrives);
            `without_list` (done, and the answer lacks the list in it); `wrong_types` (done, and every value in the
            answer is of another type); `slow` (done, `delay` later); `hang` (nothing was done, and no answer comes as
            long as the fault is in force).
        body: of kind `answer`, byte for byte.
        times: how often it strikes before it is used up; 0 means for ever.
        lasts: how long after its first strike it is used up; 0 means never.
    """

    match: str
    contains: str = ""
    kind: Literal[
        "status",
        "partial",
        "drop_before",
        "drop_after",
        "answer",
        "cut_off",
        "without_list",
        "wrong_types",
        "slow",
        "hang",
    ] = "status"
    status: int = Field(default=503, ge=200, le=599)
    body: str = ""
    delay: Duration = timedelta(0)
    retry_after: str = ""
    times: int = Field(default=1, ge=0)
    lasts: Duration = timedelta(0)

    @model_validator(mode="after")
    def _refuses(self) -> Self:
        if self.kind == "status" and self.status < _REFUSAL:
            raise ValueError(f'status {self.status} refuses nothing; with kind "answer" it is the one of `body`')
        return self


class Lab(Section):
    """The tenant in the box.

    Attributes:
        clock_ahead: how far its clock is ahead of this machine's, as if this machine's were slow; below zero: fast.
    """

    data: str = ""
    url: Address = ""
    logs_latency: Duration = parse_duration("0s")
    graph_latency: Duration = parse_duration("0s")
    arm_latency: Duration = parse_duration("0s")
    clock_ahead: SignedDuration = timedelta(0)
    row_limit: int = Field(default=500_000, ge=1)
    queries_per_30s: int = Field(default=200, ge=1)
    concurrent_queries: int = Field(default=5, ge=1)
    identity_protection_per_s: int = Field(default=0, ge=0)
    basic_tables: tuple[str, ...] = ()
    protected_tables: tuple[str, ...] = ()
    absent_columns: tuple[str, ...] = ()
    withheld_permissions: tuple[str, ...] = ()
    client_permissions: dict[str, tuple[str, ...]] = Field(default={})
    client_certificates: tuple[str, ...] = ()
    app_roles: dict[str, tuple[str, ...]] = Field(default={})
    faults: tuple[LabFault, ...] = ()


LAB_TENANT_ID = "f0a1c2d3-1111-4222-8333-944445555666"


LAB_WORKSPACE_ID = "1ab00000-0000-4000-8000-000000000001"


LAB_SUBSCRIPTION_ID = "1ab00000-0000-4000-8000-000000000003"


LAB_WORKSPACE = (
    f"/subscriptions/{LAB_SUBSCRIPTION_ID}/resourceGroups/respond-lab"
    "/providers/Microsoft.OperationalInsights/workspaces/respond-lab-sentinel"
)
"""Resource id of the lab's workspace."""
