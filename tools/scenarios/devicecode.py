"""A device code sign-in as its rows: interrupt, approval, redemption, refreshes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tools.scenarios.rows import (
    APPROVE,
    APPROVE_MARKED,
    NO_RISK,
    NON_INTERACTIVE,
    REDEEM,
    REDEEMED_REFRESH,
    SIGN_INS,
    Ids,
    Kind,
    Risk,
    new_ids,
    sign_in,
)
from tools.scenarios.story import Story
from tools.scenarios.world import App, Device, Person, Place, Row


@dataclass(frozen=True)
class Side:
    """One end of the flow: where, with what, and the risk that Entra saw there."""

    place: Place
    device: Device
    risk: Risk = NO_RISK


@dataclass(frozen=True)
class Flow:
    """The rows of a device code sign-in, and the identifiers that later rows share with it."""

    ids: Ids
    approval: Row
    redemption: Row

    @property
    def session(self) -> str:
        return self.ids.session

    @property
    def token(self) -> str:
        return str(self.redemption["UniqueTokenIdentifier"])


def device_code(
    s: Story,
    who: Person,
    at: datetime,
    app: App,
    resource: App,
    approve: Side,
    redeem: Side,
    *,
    marked: bool = False,
    wait: int = 6,
    redeem_kind: Kind = REDEEM,
    tie_correlation: bool = True,
    tie_session: bool = True,
) -> Flow:
    """A device code sign-in approved at `at` and redeemed `wait` seconds later.

    `tie_correlation` and `tie_session` False give the redeeming leg an identifier of its own, so that the legs hang
    together by the other one alone.
    """
    ids = new_ids(s)
    kind = APPROVE_MARKED if marked else APPROVE
    where = (approve.place, approve.device, app, resource, kind)
    interrupt = at - timedelta(seconds=s.rng.randint(14, 40))
    sign_in(s, SIGN_INS, who, interrupt, *where, ids=ids, result="50199")
    approval = sign_in(s, SIGN_INS, who, at, *where, ids=ids, risk=approve.risk)
    own = new_ids(s)
    later = Ids(
        ids.correlation if tie_correlation else own.correlation,
        ids.session if tie_session else own.session,
        str(approval["Id"]) if tie_correlation and tie_session else "",
    )
    redemption = sign_in(
        s,
        NON_INTERACTIVE,
        who,
        at + timedelta(seconds=wait),
        redeem.place,
        redeem.device,
        app,
        resource,
        redeem_kind,
        ids=later,
        risk=redeem.risk,
    )
    return Flow(later, approval, redemption)


def refresh(
    s: Story,
    who: Person,
    flow: Flow,
    at: datetime,
    app: App,
    resource: App,
    side: Side,
    kind: Kind = REDEEMED_REFRESH,
    *,
    table: str = NON_INTERACTIVE,
) -> Row:
    """A later token of the same session."""
    ids = Ids(s.guid(), flow.session)
    return sign_in(s, table, who, at, side.place, side.device, app, resource, kind, ids=ids, risk=side.risk)
