"""What may leave the process: in a dry run, in observe mode, and while all writes are frozen.

Every client sends through a transport of ours (`graph.py`, `transport.py`) that asks a `Check` first. It is the last
thing before the socket, so no action, SDK middleware or retry can forget it. Anything not listed is a write.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import unquote, urlsplit

from respond.errors import Frozen, Service, WriteRefused
from respond.models.brakes import Freeze
from respond.models.incident import INCIDENT, WORKSPACE

_READ_LIST: tuple[tuple[str, re.Pattern[str], Service], ...] = (
    # Graph: reading never takes another method; $batch is not listed because it can carry writes.
    (
        "GET",
        re.compile(
            r"(/v1\.0)?/(users|identityProtection|roleManagement|devices|groups|security|oauth2PermissionGrants"
            r"|servicePrincipals|applications|directoryObjects)(/|\(|\?|$).*"
        ),
        Service.GRAPH,
    ),
    # What respond doctor asks beside that.
    ("GET", re.compile(r"/v1\.0/(subscribedSkus|identity/conditionalAccess/policies)"), Service.GRAPH),
    ("GET", re.compile(rf"{WORKSPACE}/tables/[A-Za-z]\w*", INCIDENT.flags), Service.SENTINEL),
    # Advanced hunting is a read that Graph spells POST.
    ("POST", re.compile(r"/v1\.0/security/(microsoft\.graph\.security\.)?runHuntingQuery"), Service.GRAPH),
    # Log Analytics: a query cannot write.
    ("POST", re.compile(r"/v1/workspaces/[0-9A-Za-z-]+/query"), Service.LOGS),
    ("GET", re.compile(r"/v1/workspaces/[0-9A-Za-z-]+/(query|metadata)"), Service.LOGS),
    # SecurityInsights: what belongs to an incident is listed by POST.
    ("GET", re.compile(rf"{INCIDENT.pattern}(/comments(/[0-9a-z-]+)?)?", INCIDENT.flags), Service.SENTINEL),
    ("POST", re.compile(rf"{INCIDENT.pattern}/(entities|alerts)", INCIDENT.flags), Service.SENTINEL),
    # Ticket systems: looking for the ticket of a case; Jira's search is a POST.
    ("GET", re.compile(r"/api/now/table/[a-z0-9_]+"), Service.OTHER),
    ("POST", re.compile(r"(/ex/jira/[0-9a-f-]+)?/rest/api/3/search/jql"), Service.OTHER),
    ("GET", re.compile(r"(/api/v3)?/repos/[\w.-]+/[\w.-]+/issues"), Service.OTHER),
)

_RECORDS: tuple[tuple[str, re.Pattern[str], Service], ...] = (
    # A comment, a tag or a status on an incident, and an incident that is the ticket of a case.
    ("PUT", re.compile(rf"{INCIDENT.pattern}(/comments/[0-9a-z-]+)?", INCIDENT.flags), Service.SENTINEL),
    # A ticket by mail.
    ("POST", re.compile(r"/v1\.0/users/[^/]+/sendMail"), Service.GRAPH),
)
"""Writes that tell people something and change nothing that a user or an attacker has."""


Check = Callable[[str, str], None]
"""Lets a request (method, URL) pass, or raises before it is sent."""


def is_read(method: str, url: str, hosts: Mapping[Service, frozenset[str]] | None = None) -> bool:
    """Whether a request is on the read list. The path is compared decoded once, as a server would read it.

    Args:
        hosts: of each service, `HOST[:PORT]` in lower case; `OTHER` are ticket systems. A path that is a read at one
            service may be anything elsewhere. Not given: the path alone decides.
    """
    return _is_listed(_READ_LIST, method, url, hosts)


def _is_listed(
    listed: tuple[tuple[str, re.Pattern[str], Service], ...],
    method: str,
    url: str,
    hosts: Mapping[Service, frozenset[str]] | None,
) -> bool:
    parts = urlsplit(url)
    path, host = unquote(parts.path), parts.netloc.rpartition("@")[2].lower()
    return any(
        method.upper() == verb and form.fullmatch(path) and (hosts is None or host in hosts.get(service, ()))
        for verb, form, service in listed
    )


def check_leaving(method: str, url: str) -> None:
    """Let a read pass; stop everything else.

    Raises:
        WriteRefused: the request is not on the read list. It has not been sent.
    """
    if not is_read(method, url):
        raise WriteRefused(f"dry run: {method.upper()} {urlsplit(url).path} is not on the read list and was not sent")


def reading_from(hosts: Callable[[], Mapping[Service, frozenset[str]]]) -> Check:
    """As `check_leaving`, at the hosts of the settings alone: a link in an answer leads a dry run nowhere else.

    Args:
        hosts: of each service; asked when something is sent, since the lab's is not known before.
    """

    def check(method: str, url: str) -> None:
        check_leaving(method, url)
        if not is_read(method, url, hosts()):
            where = urlsplit(url).hostname or "no host"
            raise WriteRefused(f"dry run: {method.upper()} to {where}, which the settings do not name, was not sent")

    return check


def observing(hosts: Callable[[], Mapping[Service, frozenset[str]]], check: Check) -> Check:
    """In observe mode: let reads pass, and writes that record something; stop every other write to the tenant.

    Args:
        hosts: of each service, as of `reading_from`.
        check: what holds for those that may pass.
    """

    def checked(method: str, url: str) -> None:
        if not is_read(method, url) and not _is_listed(_RECORDS, method, url, hosts()):
            path = urlsplit(url).path
            raise WriteRefused(f'response.mode is "observe": {method.upper()} {path} was not sent')
        check(method, url)

    return checked


def unless_frozen(frozen: Callable[[], Freeze | None]) -> Check:
    """Let everything pass but writes while the tenant is frozen.

    Args:
        frozen: the freeze that is in force now; asked before every write, so that it holds at once and everywhere.
    """

    def check(method: str, url: str) -> None:
        if is_read(method, url):
            return
        if freeze := frozen():
            path = urlsplit(url).path
            raise Frozen(f"{method.upper()} {path} was not sent: {freeze.said}; respond thaw ends that")

    return check
