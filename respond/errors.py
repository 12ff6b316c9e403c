"""Every error this program raises on purpose.

    RespondError
    ├── UsageError            the command, a setting or a file is wrong; exit 2
    ├── InvalidNotice         a delivery to the webhook is not what it should be
    ├── Transient             try again: throttled, unreachable, the service is ill
    │   ├── Unanswered        sent, and no answer came: it may have happened
    │   ├── NotAsked          not sent: its turn would come too late, or the service has stopped answering
    │   └── StateAway         the state database cannot be used just now: not reachable, locked, full
    ├── Overloaded            more deliveries wait than the settings allow
    ├── RunFailed             a run ended with an error that is none of these
    └── Permanent             trying again cannot help
        ├── NotFound          the object does not exist (any more)
        │   └── NoMailbox     the user has no mailbox in Exchange Online
        ├── NotTheService     a proxy or another server answered in the place of the service
        ├── Conflict          somebody else has changed the object since it was read
        ├── Forbidden         a permission was not granted
        ├── Unauthenticated   no token could be had
        │   └── TokenRefused  the service refused the token, and a fresh one
        ├── TableMissing      the workspace has no such table: the source is not connected
        ├── BadQuery          the service does not take the query
        ├── FieldsRefused     a ticket system does not take some of the fields
        ├── Frozen            all writes of the tenant are frozen, and this was one; it was not sent
        ├── StateUnusable     the state database is damaged, or not as this version needs it
        ├── Unreadable        a document in the state database cannot be read
        ├── TicketPageFailed  a ticket is kept, but the page that shows it cannot be written
        └── WriteRefused      a dry run tried to send something that is not on the read list

A message is one line and says what, on whom, which permission or status, and what to do. Callers branch on
the class and its fields, never on the text.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum


class Service(StrEnum):
    """The services that are asked, for those who count how often one has to be asked again."""

    GRAPH = "graph"
    LOGS = "log-analytics"
    SENTINEL = "sentinel"
    SIGN_IN = "sign-in"
    OTHER = "other"


class RespondError(Exception):
    """Base of the tree."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))

    @property
    def message(self) -> str:
        return str(self.args[0])


class UsageError(RespondError):
    """The command line, a setting or an input file is wrong."""


class InvalidNotice(RespondError):
    """A delivery that cannot be read.

    Args:
        what: is wrong, without what was sent.
        where: JSON pointer to it in the body (RFC 6901); empty for the body itself.
    """

    def __init__(self, what: str, where: str = "") -> None:
        super().__init__(f"{where}: {what}" if where else what)
        self.what = what
        self.where = where


class Overloaded(RespondError):
    """More deliveries wait than the settings allow; nothing was accepted."""


class Transient(RespondError):
    """Worth another try.

    Args:
        retry_after: seconds the service asked for, or None when it named none.
        service: who is to be asked again.
        throttled: it answered 429.
        until: when it may be asked again, UTC; only where waiting for that was given up.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        service: Service = Service.OTHER,
        throttled: bool = False,
        until: datetime | None = None,
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.service = service
        self.throttled = throttled
        self.until = until


class NotAsked(Transient):
    """Not sent, and not tried again at once: that would be in vain."""


class Unanswered(Transient):
    """The request may have left and taken effect: look before repeating it."""


class StateAway(Transient):
    """The state database cannot be used just now: not reachable, starting up, locked, full."""


def until_of(error: RespondError) -> datetime | None:
    """When a service that asked for a long wait may be asked again."""
    return error.until if isinstance(error, Transient) else None


def passes(error: BaseException) -> bool:
    """Whether trying again later may help: a service did not answer, not in time, or a proxy did in its place."""
    return isinstance(error, Transient | TimeoutError | NotTheService)


def made_up_later(error: Transient) -> Transient:
    """The error, with what becomes of what it has kept from being done."""
    again = Transient(f"{error.message}; respond serve or respond watch tries it again", service=error.service)
    again.until = error.until
    return again


class RunFailed(RespondError):
    """A run ended with an error that is not of this tree: a defect of ours, or of the engine."""


class Permanent(RespondError):
    """Trying again cannot help."""


class Unreadable(Permanent):
    """A document in the state database is not what any version writes."""


class NotFound(Permanent):
    """The object does not exist (any more)."""


class NoMailbox(NotFound):
    """The user has no mailbox in Exchange Online: none at all, or one on premises."""


class NotTheService(Permanent):
    """A proxy or another server answered: whether the object exists, and whether it could be changed, is not known."""


class Conflict(Permanent):
    """Somebody else has changed the object since it was read: read it again, then decide again."""


class FieldsRefused(Permanent):
    """A ticket system does not take some of the fields.

    Args:
        fields: their names.
    """

    def __init__(self, message: str, fields: frozenset[str] = frozenset()) -> None:
        super().__init__(message)
        self.fields = fields


class Forbidden(Permanent):
    """The application lacks a permission, or the target is above its reach."""


class Unauthenticated(Permanent):
    """No token could be had, or the service refused it."""


class TokenRefused(Unauthenticated):
    """The service refused the token (401): nothing was read and nothing was done."""


class TableMissing(Permanent):
    """The workspace does not have a table or column that the query names.

    Args:
        name: of the table or column, where the service said it.
    """

    def __init__(self, message: str, name: str = "") -> None:
        super().__init__(message)
        self.name = name


class BadQuery(Permanent):
    """The service does not take the query."""


class StateUnusable(Permanent):
    """The state database is damaged, or is not as this version needs it."""


class TicketPageFailed(Permanent):
    """A ticket is in the store, but the page that shows it cannot be written."""


class Frozen(Permanent):
    """All writes of the tenant are frozen, and this was one. It was not sent."""


class WriteRefused(Permanent):
    """A dry run tried to send a request that is not on the read list."""
