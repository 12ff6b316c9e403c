"""Where tickets and notices go: `[tickets]`, `[notices]`."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import ConfigDict, Field, SecretStr, model_validator

from respond.settings.base import Address, MailAddress, SecretAddress, Section


class TicketsIn(StrEnum):
    """Where the ticket of a case is kept beside the embedded one, which is always kept."""

    LOCAL = "local"
    SERVICENOW = "servicenow"
    JIRA = "jira"
    GITHUB = "github"
    SENTINEL = "sentinel"
    MAIL = "mail"


class ServiceNow(Section):
    """The Table API of one instance.

    Attributes:
        url: of the instance, such as https://example.service-now.com.
        table: that tickets are records of; it has `correlation_id`.
        import_set: import set table whose transform map coalesces on `correlation_id`; empty writes the table itself.
        description_length: characters that the description of a record takes; the instance drops the rest unasked.
    """

    url: Address = ""
    user: str = ""
    password: SecretStr = SecretStr("")
    table: str = Field(default="incident", pattern=r"^[a-z][a-z0-9_]*$")
    import_set: str = Field(default="", pattern=r"^([a-z][a-z0-9_]*)?$")
    description_length: int = Field(default=4_000, ge=500, le=65_000)


class Jira(Section):
    """Jira Cloud, REST v3.

    Attributes:
        user: e-mail address that the API token belongs to.
        project: its key, such as SEC.
    """

    url: Address = ""
    user: str = ""
    token: SecretStr = SecretStr("")
    project: str = Field(default="", pattern=r"^([A-Za-z][A-Za-z0-9_]*)?$")
    issue_type: str = "Task"


class GitHub(Section):
    """Issues of one repository.

    Attributes:
        url: of the API; that of an Enterprise Server is https://HOST/api/v3.
        repository: OWNER/NAME.
    """

    url: Address = "https://api.github.com"
    repository: str = Field(default="", pattern=r"^([\w.-]+/[\w.-]+)?$")
    token: SecretStr = SecretStr("")


class Mail(Section):
    """Tickets by mail, through `sendMail` of Microsoft Graph.

    Attributes:
        sender: the mailbox that sends; the key is `from`.
        to: who gets them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)

    sender: MailAddress = Field(default="", alias="from")
    to: tuple[MailAddress, ...] = ()


_NEEDED = {
    TicketsIn.SERVICENOW: ("url", "user", "password"),
    TicketsIn.JIRA: ("url", "user", "token", "project"),
    TicketsIn.GITHUB: ("url", "repository", "token"),
    TicketsIn.MAIL: ("from", "to"),
}


class Tickets(Section):
    """Which system tickets are kept in beside the embedded one, and where it is.

    Attributes:
        pages: write each embedded ticket as a Markdown page beside the state; false in a container.
    """

    pages: bool = True
    system: TicketsIn = TicketsIn.LOCAL
    servicenow: ServiceNow = ServiceNow()
    jira: Jira = Jira()
    github: GitHub = GitHub()
    mail: Mail = Mail()

    @model_validator(mode="after")
    def _has_what_its_system_needs(self) -> Self:
        section = getattr(self, self.system.value, None)
        for key in _NEEDED.get(self.system, ()):
            value = getattr(section, "sender" if key == "from" else key)
            if not (value.get_secret_value() if isinstance(value, SecretStr) else value):
                raise ValueError(f'tickets.{self.system}.{key} is empty; tickets.system = "{self.system}" needs it')
        return self


class NoticeOn(StrEnum):
    """What a notice is sent about."""

    MALICIOUS = "malicious"
    APPROVAL = "approval"
    FAILED = "failed"


class Notices(Section):
    """Where a person is told at once, beside the ticket.

    Attributes:
        teams_url: of a Teams workflow ("when a webhook request is received").
        slack_url: of a Slack incoming webhook.
        on: what is worth a notice.
        link: address under which people reach the console; notices and tickets link to `LINK/cases/CASE`.
    """

    teams_url: SecretAddress = SecretStr("")
    slack_url: SecretAddress = SecretStr("")
    on: tuple[NoticeOn, ...] = (NoticeOn.MALICIOUS, NoticeOn.APPROVAL, NoticeOn.FAILED)
    link: Address = ""

    def case_link(self, case: str) -> str:
        """Address of a case in the console; empty where `link` is."""
        return f"{self.link.rstrip('/')}/cases/{case}" if self.link else ""

    @property
    def is_on(self) -> bool:
        """Whether there is anybody to tell."""
        return any(url.get_secret_value() for url in (self.teams_url, self.slack_url))
