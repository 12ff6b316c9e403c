"""What a ticket system has to be able to do. Who creates at most once is not it, but `respond.ticketing.mirror`."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from respond.models.tickets import Draft, Found


class TicketSystem(Protocol):
    """One ticket system, at one address, for one tenant.

    Attributes:
        name: as in `tickets.system` and in the report: `servicenow`, `jira`, `github`, `sentinel`, `mail`.
        lags: how long a ticket that was created may be missing from `find`; zero where it is found at once.
    """

    name: str
    lags: timedelta

    async def find(self, key: str) -> Found | None:
        """The ticket of a case, by what the system itself knows of it.

        Raises:
            Transient, Permanent: it could not be looked for. Never None on a failure.
        """
        ...

    async def create(self, draft: Draft) -> Found:
        """Create one, with the key where `find` will look for it. Sends one request at most.

        Raises:
            Unanswered: it may have been created, and no answer said so.
            Transient: it was not created and another try is worth it (429, 503, no connection).
            Permanent: refused; says what to do.
        """
        ...

    async def update(self, found: Found, draft: Draft) -> None:
        """Make it say what the draft says. Safe to repeat.

        Raises:
            NotFound: it is gone.
        """
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
