"""Who is meant? The accounts that an incident or alert names, looked up in the directory.

    GET /users/{id | userPrincipalName}
    GET /users?$filter=mail eq … or proxyAddresses/any(…)
    GET /users?$filter=onPremisesSecurityIdentifier eq …
    https://learn.microsoft.com/graph/api/user-get
    https://learn.microsoft.com/graph/api/user-list

In this order, until somebody is found: object id, user principal name, name@suffix, mail, SID. Name and suffix look
like a user principal name and often are none, so nothing is taken on trust. Where an entity fits two accounts, or its
id is of one person and another name of somebody else, nobody is chosen. Where Graph does not answer for one entity,
the others are found all the same, and that one is marked as to be looked up again.

Leaves open: an on-premises name with a domain and no suffix, which could be anybody of several forests.
"""

from __future__ import annotations

import asyncio
import re
import struct
import uuid
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from respond.errors import Forbidden, NotFound, RespondError, UsageError, passes, until_of
from respond.models.accounts import AmbiguousAccount, FailedAccount, FoundAccount, FoundAccounts
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.notice import Named
from respond.settings import LAB_TENANT_ID
from respond.step import clients, process, read_action
from respond.who import parse_who

if TYPE_CHECKING:
    from respond.clients.graph import Graph

_AT_ONCE = 20
_PERMISSION = "User.Read.All"
_CLOUD_SID = re.compile(r"S-1-12-1-(\d{1,10})-(\d{1,10})-(\d{1,10})-(\d{1,10})")

_Answer = tuple[Account, ...] | FailedAccount


@read_action(_PERMISSION)
async def find_accounts(case: Case, *, named: Sequence[Named]) -> FoundAccounts:
    """Look every name up, all at the same time."""
    turns = asyncio.Semaphore(_AT_ONCE)
    settings = process().settings
    tenant = (settings.tenant.tenant_id or (LAB_TENANT_ID if settings.is_lab else "")).lower()

    async def look_up(one: Named) -> _Answer:
        async with turns:
            try:
                return await _candidates(clients(case).graph, one, tenant)
            except RespondError as error:
                grant = f"; grant the application {_PERMISSION}" if isinstance(error, Forbidden) else ""
                reason = error.message + grant
                return FailedAccount(named=one, reason=reason, passes=passes(error), until=until_of(error))

    answers = await asyncio.gather(*map(look_up, named))
    return _sorted_out(zip(named, answers, strict=True))


async def _candidates(graph: Graph, named: Named, tenant: str) -> tuple[Account, ...]:
    """The users that fit: none, one, or several. The first is checked against every other name of the entity."""
    names = _addresses(named.upn, f"{named.name}@{named.suffix}")
    account = await _first(graph, (named.object_id if named.tenant_id in ("", tenant) else "", *names))
    if account:
        return await _with_others(graph, named, account)
    for address in dict.fromkeys((*_addresses(named.mail), *names)):
        if accounts := await graph.users_by_mail(address):
            return tuple(accounts)
    return await _by_sid(graph, named.sid) if named.sid else ()


async def _first(graph: Graph, keys: Iterable[str]) -> Account | None:
    for key in keys:
        if account := await _account(graph, key):
            return account
    return None


async def _with_others(graph: Graph, named: Named, account: Account) -> tuple[Account, ...]:
    """The account, and every other one that the entity names as well: which of them is meant, a person decides.

    A name that was changed since leads nowhere, and that is well. What the account is called anyway is not asked for.
    """
    found = {account.id.lower(): account}
    known = {name.lower() for name in account.upns}
    for address in _addresses(named.upn, f"{named.name}@{named.suffix}", named.mail):
        if address.lower() not in known:
            other = await _account(graph, address)
            found |= {one.id.lower(): one for one in ((other,) if other else await graph.users_by_mail(address))}
    if named.sid and object_id_of(named.sid) != account.id.lower():
        found |= {one.id.lower(): one for one in await _by_sid(graph, named.sid)}
    return (account, *(one for one in found.values() if one.id.lower() != account.id.lower()))


async def _by_sid(graph: Graph, sid: str) -> tuple[Account, ...]:
    if not sid.startswith("S-1-12-1-"):
        return tuple(await graph.users_by_sid(sid))
    account = await _account(graph, object_id_of(sid))
    return () if account is None else (account,)


async def _account(graph: Graph, key: str) -> Account | None:
    try:
        if not key:
            return None
        return (await graph.account(key)).model_copy(update={"seen_by": process().name})
    except NotFound:
        return None


def object_id_of(sid: str) -> str:
    """The object id that a cloud SID holds in its last four numbers; empty for any other SID.

    https://learn.microsoft.com/entra/identity/devices/assign-local-admin
    """
    cloud = _CLOUD_SID.fullmatch(sid)
    numbers = [int(number) for number in cloud.groups()] if cloud else [2**32]
    return str(uuid.UUID(bytes_le=struct.pack("<4I", *numbers))) if max(numbers) < 2**32 else ""


def _addresses(*texts: str) -> tuple[str, ...]:
    """Those that have the form of a user principal name, each once."""
    found = []
    for text in texts:
        try:
            found.append(parse_who(text))
        except UsageError:
            continue
    return tuple(dict.fromkeys(found))


def _sorted_out(answers: Iterable[tuple[Named, _Answer]]) -> FoundAccounts:
    users: dict[str, FoundAccount] = {}
    ambiguous, unknown, failed = [], [], []
    for named, answer in answers:
        match answer:
            case FailedAccount():
                failed.append(answer)
            case ():
                unknown.append(named)
            case (account,):
                known = users.get(account.id.lower(), FoundAccount(account=account, labels=()))
                labels = tuple(dict.fromkeys((*known.labels, named.label)))
                users[account.id.lower()] = FoundAccount(account=known.account, labels=labels)
            case _:
                ambiguous.append(AmbiguousAccount(named=named, candidates=answer))
    return FoundAccounts(
        users=tuple(users.values()), ambiguous=tuple(ambiguous), unknown=tuple(unknown), failed=tuple(failed)
    )
