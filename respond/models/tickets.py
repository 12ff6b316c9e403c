"""What a ticket says, and where it is: the same for every ticket system."""

from __future__ import annotations

from pydantic import Field

from respond.models.base import Model, OpenEnum
from respond.models.report import Outcome


class Severity(OpenEnum):
    """How soon a person has to look; each system has its own word for it."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Draft(Model):
    """The text of a ticket, before any system has it.

    Attributes:
        key: the case; the same ticket is found by it however often it is asked for.
        title: plain text, one line. Whoever writes it into markup escapes it.
        body: Markdown (CommonMark): headings, paragraphs, lists, code spans and blocks, emphasis. What came out of a
            log is escaped and its links are defanged already; there is no link or HTML in it.
        short: the same in at most three lines of Markdown, for a notice.
    """

    key: str
    title: str
    body: str
    short: str = ""
    severity: Severity
    outcome: Outcome
    tags: tuple[str, ...] = ()


class Found(Model):
    """A ticket that is there.

    Attributes:
        handle: what the system's API calls it: sys_id, issue key, number.
        id: what people call it.
        url: where a person opens it; empty where there is no page.
    """

    handle: str
    id: str
    url: str = Field(default="")
