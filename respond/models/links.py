"""What we know of a ticket, or a notice, in a system outside: the only thing that keeps it one."""

from __future__ import annotations

from respond.models.base import Model, OpenEnum, Utc
from respond.models.tickets import Found


class LinkState(OpenEnum):
    SENDING = "sending"
    LINKED = "linked"


class Link(Model):
    """One ticket in one system.

    Attributes:
        state: `sending` from before the request until its answer is kept: it may have been created.
        number: how many were created, this one included; the ones before it were deleted there.
        run: that sends it, or has sent it.
        at: when it began to, or when the answer was kept.
        name: what people call it.
        digest: of what it says.
    """

    tenant: str
    case: str
    system: str
    state: LinkState
    number: int = 1
    run: str
    at: Utc
    handle: str = ""
    name: str = ""
    url: str = ""
    digest: str = ""

    @property
    def found(self) -> Found:
        return Found(handle=self.handle, id=self.name, url=self.url)
