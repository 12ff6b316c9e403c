"""Who is told at once, and only once: a case and outcome go to each channel at most once, whatever happens.

No channel can be asked whether a message is there. So it is written down before it is sent; where the answer was lost,
it is said that it may have been posted, and it is not sent again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respond import durable
from respond.clients.retry import retried
from respond.errors import RespondError, Transient, Unanswered
from respond.models.case import Case
from respond.models.links import Link, LinkState
from respond.models.notices import Notice
from respond.models.report import Outcome
from respond.models.tickets import Found
from respond.present import present
from respond.step import clients, process

if TYPE_CHECKING:
    from respond.clients.notices import Channel


def pending(case: Case, outcome: Outcome) -> list[str]:
    """The channels that have not heard of this outcome of the case."""
    names = (channel.name for channel in clients(case).channels)
    links = process().store.links
    return [name for name in names if (link := links.find(case.tenant, case.id, _key(name, outcome))) is None
            or link.state is LinkState.SENDING]  # fmt: skip


async def tell(case: Case, outcome: Outcome, notice: Notice) -> tuple[list[str], list[str], bool]:
    """Send a notice to every channel that has not had it: who was told, what went wrong, and whether it passes.

    What may have been posted is not sent again.
    """
    told, failed, passes = [], [], False
    for channel in clients(case).channels:
        try:
            if await _told(case, outcome, channel, notice):
                told.append(channel.name)
        except RespondError as error:
            failed.append(error.message)
            passes = passes or (isinstance(error, Transient) and not isinstance(error, Unanswered))
    return told, failed, passes


async def _told(case: Case, outcome: Outcome, channel: Channel, notice: Notice) -> bool:
    links = process().store.links
    fresh = Link(
        tenant=case.tenant,
        case=case.id,
        system=_key(channel.name, outcome),
        state=LinkState.SENDING,
        run=durable.this_run() or process().name,
        at=present(),
    )
    if not links.begin(fresh):
        known = links.find(fresh.tenant, fresh.case, fresh.system)
        if known is None or known.state is LinkState.LINKED:
            return False
        _keep(known)
        raise Unanswered(f"{channel.name}: an earlier run was sending the notice; it may have been posted, once")
    try:
        await retried(lambda: channel.post(notice), policy=process().settings.retry, is_write=True)
    except Unanswered:
        _keep(fresh)
        raise
    except RespondError:
        links.drop(fresh)
        raise
    _keep(fresh)
    return True


def _keep(link: Link) -> None:
    process().store.links.linked(link, Found(handle="", id=""), digest="", at=present())


def _key(channel: str, outcome: Outcome) -> str:
    return f"{channel}:{outcome}"
