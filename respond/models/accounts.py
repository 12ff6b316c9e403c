"""Which accounts of the directory the names in a delivery stand for. Where that is not certain, nobody is acted on."""

from __future__ import annotations

from respond.models.base import Model, Utc
from respond.models.evidence import Account
from respond.models.notice import Named


class FoundAccount(Model):
    """One user, found.

    Attributes:
        labels: what the delivery calls them, one for each entity that led here.
    """

    account: Account
    labels: tuple[str, ...]


class AmbiguousAccount(Model):
    """One entity that fits several accounts.

    Attributes:
        candidates: two or more; a person has to say which.
    """

    named: Named
    candidates: tuple[Account, ...]

    @property
    def summary(self) -> str:
        """One line for the ticket."""
        fits = " and ".join(f"{account.upn or 'no name'} ({account.id})" for account in self.candidates)
        return f"{self.named.label} fits {fits}"


class FailedAccount(Model):
    """One entity that could not be looked up.

    Attributes:
        passes: the directory did not answer; it is looked up again later.
        until: before which the directory asked not to be asked again.
    """

    named: Named
    reason: str
    passes: bool = False
    until: Utc | None = None


class FoundAccounts(Model):
    """What became of every name in a delivery.

    Attributes:
        users: each once, in the order of the delivery.
        unknown: the directory has nobody who fits: deleted, of another tenant, or no name that could be asked for.
    """

    users: tuple[FoundAccount, ...] = ()
    ambiguous: tuple[AmbiguousAccount, ...] = ()
    unknown: tuple[Named, ...] = ()
    failed: tuple[FailedAccount, ...] = ()
