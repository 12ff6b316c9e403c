"""Microsoft Graph v1.0 through msgraph-sdk. The only module that imports it.

The SDK's retry and redirect handlers are left out: tenacity owns retrying, and a redirect could carry a token
elsewhere. In a dry run the transport refuses what is not on the read list.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import httpx
from azure.core.exceptions import ClientAuthenticationError
from kiota_abstractions.api_error import APIError
from kiota_http.middleware import ParametersNameDecodingHandler
from kiota_http.observability_options import ObservabilityOptions
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph.graph_service_client import GraphServiceClient
from msgraph_core import GraphClientFactory

from respond.clients.credentials import no_token
from respond.clients.degrade import unresolved
from respond.clients.graph_added import AddedObjects
from respond.clients.graph_auth import GraphAuthentication
from respond.clients.graph_holdings import Holdings
from respond.clients.graph_rows import MemberPage, NoAnswer, Page, RiskRow, Row, UserPage, UserRow, quoted, read_object
from respond.clients.graph_tenant import TenantFacts
from respond.clients.guard import Check
from respond.clients.pace import Pace
from respond.clients.renewing import with_fresh_token
from respond.clients.retry import parse_retry_after, retried
from respond.clients.sent import ILL_BEFORE_WORK, NEVER_SENT
from respond.errors import (
    BadQuery,
    Forbidden,
    NoMailbox,
    NotFound,
    NotTheService,
    Permanent,
    RespondError,
    Service,
    TableMissing,
    TokenRefused,
    Transient,
    Unanswered,
    Unauthenticated,
)
from respond.models.evidence import Account, AccountKind, Standing
from respond.models.signin import Risk

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from azure.core.credentials_async import AsyncTokenCredential
    from kiota_abstractions.request_information import RequestInformation

    from respond.settings import Retry

R = TypeVar("R", bound=Row)
T = TypeVar("T")

_ACCOUNT = list(UserRow.kinds)
_NO_MAILBOX = frozenset({"MailboxNotEnabledForRESTAPI", "MailboxNotSupportedForRESTAPI"})
"""No mailbox, or one on premises: https://learn.microsoft.com/graph/hybrid-rest-support"""
_WITHOUT_CODE = frozenset({401, 403})
"""Read by their status alone: where a token or a permission is refused, nothing was read and nothing was done."""


class _Transport(httpx.AsyncHTTPTransport):
    """The last thing before the socket."""

    def __init__(self, *, check: Check, pace: Pace, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._check = check
        self._pace = pace

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = str(request.url)
        self._check(request.method, url)
        async with self._pace.turn(Service.GRAPH, request.method, url) as turn:
            sent = datetime.now(UTC)
            answer = await super().handle_async_request(request)
            turn.answered(answer.status_code, answer.headers)
            self._pace.service_clock.hear(answer.headers, sent)
            return answer


class Graph:
    """The Graph calls that actions make, with our errors.

    Args:
        endpoint: scheme and host, with or without `/v1.0`.
        check: refuses what must not leave.
        pace: the tenant's limits; its own where none is given.
        writer: signs what is not on the read list; the same identity unless given.
    """

    def __init__(
        self,
        credential: AsyncTokenCredential,
        endpoint: str,
        *,
        check: Check,
        retry: Retry,
        pace: Pace | None = None,
        writer: AsyncTokenCredential | None = None,
    ) -> None:
        self._retry = retry
        self.hunts = 0
        base = endpoint.rstrip("/").removesuffix("/v1.0")
        self._root = f"{base}/v1.0"
        # HTTP/1.1: over loopback HTTP/2 costs more than it saves, and one run makes a handful of calls.
        self._transport = _Transport(check=check, pace=pace or Pace())
        bare = httpx.AsyncClient(transport=self._transport, timeout=retry.request_timeout.total_seconds())
        http = GraphClientFactory.create_with_custom_middleware([ParametersNameDecodingHandler()], client=bare)
        self.scope = f"{base}/.default"
        hosts = [urlsplit(base).hostname or ""]
        self._identities = (credential, writer or credential)
        auth = GraphAuthentication(credential, writer or credential, scopes=[self.scope], hosts=hosts)
        adapter = GraphRequestAdapter(auth, client=http)
        adapter.base_url = self._root
        # Our own traces never reach the SDK; should an agent have made a global provider, URLs name people.
        adapter.observability_options = ObservabilityOptions(include_euii_attributes=False)
        self._adapter = adapter
        self.sdk = GraphServiceClient(request_adapter=adapter)
        self.holdings = Holdings(self)
        self.added = AddedObjects(self)
        self.tenant = TenantFacts(self)

    async def account(self, key: str) -> Account:
        """GET /users/{id or UPN}; https://learn.microsoft.com/graph/api/user-get.

        A UPN that begins with `$` is asked for with a filter: in the path it would be a system option, and a 400.

        Raises:
            NotFound: no such user, deleted ones included.
        """
        from kiota_abstractions.base_request_configuration import RequestConfiguration
        from msgraph.generated.users.item.user_item_request_builder import UserItemRequestBuilder

        if key.startswith("$"):
            for account in await self._users(f"userPrincipalName eq {quoted(key)}", target=f"user {key}"):
                return account
            raise NotFound(f"user {key}: Graph knows nobody of that name")
        query = UserItemRequestBuilder.UserItemRequestBuilderGetQueryParameters(select=_ACCOUNT)

        async def get() -> UserRow:
            with _errors(f"user {key}"):
                builder = self.sdk.users.by_user_id(key)
                request = builder.to_get_request_information(RequestConfiguration(query_parameters=query))
                return await self.send(request, UserRow)

        return _account(await retried(get, policy=self._retry))

    async def users_by_mail(self, address: str) -> list[Account]:
        """GET /users?$filter=…: whose primary or other address it is; https://learn.microsoft.com/graph/api/user-list.

        Both properties take `eq` without `ConsistencyLevel: eventual`, so the answer is not an old one:
        https://learn.microsoft.com/graph/aad-advanced-queries
        """
        known = (quoted(f"{prefix}:{address}") for prefix in ("smtp", "SMTP"))
        proxies = " or ".join(f"proxyAddresses/any(p:p eq {value})" for value in known)
        return await self._users(f"mail eq {quoted(address)} or {proxies}", target=f"users with address {address}")

    async def users_by_sid(self, sid: str) -> list[Account]:
        """GET /users?$filter=onPremisesSecurityIdentifier eq …: who was synchronized with this SID. Plain `eq` too."""
        return await self._users(f"onPremisesSecurityIdentifier eq {quoted(sid)}", target=f"users with SID {sid}")

    async def accounts(self, ids: Sequence[str]) -> list[Account]:
        """GET /users with `$filter=id in (…)`, up to fifteen ids; https://learn.microsoft.com/graph/api/user-list."""
        return await self._users(f"id in ({','.join(map(quoted, ids))})", target="users")

    async def _users(self, condition: str, *, target: str) -> list[Account]:
        from kiota_abstractions.base_request_configuration import RequestConfiguration
        from msgraph.generated.users.users_request_builder import UsersRequestBuilder

        query = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(select=_ACCOUNT, filter=condition)

        async def get() -> list[Row]:
            with _errors(target):
                first = self.sdk.users.to_get_request_information(RequestConfiguration(query_parameters=query))
                return await self.pages(first, UserPage, self.sdk.users.with_url)

        return [_account(user) for user in await retried(get, policy=self._retry)]

    async def pages(self, request: RequestInformation, kind: type[Page], further: Callable[[str], Any]) -> list[Row]:
        """The rows of a page, and of all that it leads to.

        Args:
            further: the builder of the page that a link leads to.
        """
        found: list[Row] = []
        link, seen = "", {""}
        page = await self.send(request, kind)
        while True:
            found += page.rows
            if not (link := page.text("@odata.nextLink")):
                return found
            if link in seen or not link.startswith(f"{self._root}/"):
                raise NoAnswer("it leads to a page that is none of its own (@odata.nextLink)")
            seen.add(link)
            page = await self.send(further(link).to_get_request_information(), kind)

    async def send(self, request: RequestInformation, kind: type[R]) -> R:
        """Send a request that the SDK has made, and read what we need of the answer.

        Raises:
            NoAnswer: what came is none.
        """
        from msgraph.generated.models.o_data_errors.o_data_error import ODataError

        answer: bytes | None = await self._signed(
            request, lambda: self._adapter.send_primitive_async(request, "bytes", {"XXX": ODataError})
        )
        return kind(read_object(answer))

    async def send_write(self, request: RequestInformation) -> None:
        """Send a write whose answer says nothing that we need."""
        from msgraph.generated.models.o_data_errors.o_data_error import ODataError

        await self._signed(request, lambda: self._adapter.send_no_response_content_async(request, {"XXX": ODataError}))

    async def _signed(self, request: RequestInformation, send: Callable[[], Awaitable[T]]) -> T:
        """Send with a token; with a fresh one where Graph refuses the one that was kept."""

        async def call() -> T:
            request.headers.remove("Authorization")
            try:
                return await send()
            except APIError as error:
                if error.response_status_code == httpx.codes.UNAUTHORIZED:
                    raise TokenRefused("Graph answered 401") from error
                raise

        try:
            return await with_fresh_token(call, *self._identities)
        except TokenRefused as refused:
            # The caller knows what the request was about, and what Graph answered.
            raise refused.__cause__ or refused from None

    def errors(self, target: str) -> AbstractContextManager[None]:
        """Turn what the SDK raises about a target into our tree."""
        return _errors(target)

    async def retried(self, call: Callable[[], Awaitable[T]], *, is_write: bool = False) -> T:
        """Call with our retries."""
        return await retried(call, policy=self._retry, is_write=is_write)

    async def membership(self, user_id: str) -> Standing:
        """GET /users/{id}/transitiveMemberOf; https://learn.microsoft.com/graph/api/user-list-transitivememberof.

        Directory roles that a group carries are in it as well.

        Raises:
            Forbidden: a role is listed without saying which: what an application may not read comes with its type and
                id alone (https://learn.microsoft.com/graph/permissions-overview).
        """

        async def get() -> list[Row]:
            with _errors(f"user {user_id}"):
                builder = self.sdk.users.by_user_id(user_id).transitive_member_of
                return await self.pages(builder.to_get_request_information(), MemberPage, builder.with_url)

        found = await retried(get, policy=self._retry)
        if any(_is(item, "directoryRole") and not item.text("roleTemplateId") for item in found):
            raise Forbidden(
                f"user {user_id}: Graph lists a directory role and does not say which; grant the application "
                "Directory.Read.All or RoleManagement.Read.Directory"
            )
        roles = {
            item.text("displayName") or item.text("roleTemplateId") for item in found if _is(item, "directoryRole")
        }
        templates = {item.text("roleTemplateId").lower() for item in found if _is(item, "directoryRole")}
        groups = {item.text("id").lower() for item in found if _is(item, "group")}
        return Standing(
            roles=tuple(sorted(roles)), role_templates=tuple(sorted(templates)), groups=tuple(sorted(groups))
        )

    async def risk(self, user_id: str) -> Standing:
        """GET /identityProtection/riskyUsers/{id}; 404 is a user who was never at risk.

        https://learn.microsoft.com/graph/api/riskyuser-get
        """

        async def get() -> RiskRow | None:
            """The user's; None where Identity Protection knows of no risk."""
            builder = self.sdk.identity_protection.risky_users.by_risky_user_id(user_id)
            try:
                with _errors(f"user {user_id}"):
                    return await self.send(builder.to_get_request_information(), RiskRow)
            except NotFound:
                return None

        found = await retried(get, policy=self._retry)
        if found is None:
            return Standing(risk=Risk.NONE, risk_state="none")
        return Standing(
            risk=Risk.read(found.text("riskLevel")),
            risk_state=found.text("riskState"),
            risk_at=found.time("riskLastUpdatedDateTime"),
        )

    async def hunt(self, query: str, *, timespan: str = "P30D") -> bytes:
        """POST /security/runHuntingQuery, once: a read, whatever the method says. The answer is the body, as JSON.

        https://learn.microsoft.com/graph/api/security-security-runhuntingquery. `defender.py` asks again and reads it.

        Raises:
            TableMissing: no such table or column, or not onboarded to Defender XDR.
            BadQuery: the service does not take the text.
        """
        from msgraph.generated.models.o_data_errors.o_data_error import ODataError
        from msgraph.generated.security.microsoft_graph_security_run_hunting_query.run_hunting_query_post_request_body import (  # noqa: E501
            RunHuntingQueryPostRequestBody,
        )

        self.hunts += 1
        body = RunHuntingQueryPostRequestBody(query=query, timespan=timespan)
        request = self.sdk.security.microsoft_graph_security_run_hunting_query.to_post_request_information(body)
        with _errors("advanced hunting"), _refusals():
            answer: bytes | None = await self._signed(
                request, lambda: self._adapter.send_primitive_async(request, "bytes", {"XXX": ODataError})
            )
        return answer or b""

    async def close(self) -> None:
        """Close the connections: kiota's client does not reach them, its transport wraps the one that holds them."""
        await self._transport.aclose()


def _account(user: Row) -> Account:
    return Account(
        id=user.text("id"),
        upn=user.text("userPrincipalName"),
        display_name=user.text("displayName"),
        mail=user.text("mail"),
        # A guest that was made a member keeps its UPN, and still signs in through the home tenant.
        kind=AccountKind.GUEST if _is_external(user) else AccountKind.MEMBER,
        enabled=user.flag("accountEnabled"),
        synced=bool(user.flag("onPremisesSyncEnabled")),
        sessions_valid_from=user.time("signInSessionsValidFromDateTime"),
        seen_at=datetime.now(UTC),
    )


def _is_external(user: Row) -> bool:
    return user.text("userType").lower() == "guest" or "#ext#" in user.text("userPrincipalName").lower()


def _is(item: Row, kind: str) -> bool:
    return item.text("@odata.type") == f"#microsoft.graph.{kind}"


@contextmanager
def _errors(target: str) -> Iterator[None]:
    """Turn what the SDK raises into our tree."""
    try:
        yield
    except APIError as error:
        raise _from_answer(error, target) from error
    except httpx.TransportError as error:
        kind = Transient if isinstance(error, NEVER_SENT) else Unanswered
        raise kind(f"{target}: Graph did not answer ({type(error).__name__})", service=Service.GRAPH) from error
    except ClientAuthenticationError as error:
        raise Unauthenticated(no_token("Microsoft Graph", error)) from error
    except RespondError:
        raise
    except NoAnswer as error:
        raise Transient(f"{target}: Graph's answer cannot be read: {error}", service=Service.GRAPH) from error
    except Exception as error:
        # kiota raises bare exceptions for a body it cannot read; what it stands for, an action has to look up.
        unread = f"{target}: Graph's answer cannot be read ({type(error).__name__})"
        raise Unanswered(unread, service=Service.GRAPH) from error


@contextmanager
def _refusals() -> Iterator[None]:
    """Tell a table or column that is not there from a query that is wrong: advanced hunting answers both with 400."""
    try:
        yield
    except APIError as error:
        if error.response_status_code != httpx.codes.BAD_REQUEST:
            raise
        said = str(getattr(getattr(error, "error", None), "message", None) or error.message or "")
        if missing := unresolved(said):
            raise TableMissing(f"Defender XDR has no table or column named {missing}", missing) from error
        raise BadQuery(f"advanced hunting: Graph answered 400: {said[:300]}") from error


def _from_answer(error: APIError, target: str) -> Exception:
    status = error.response_status_code or 0
    main = getattr(error, "error", None)
    said = f"{status} {getattr(main, 'code', None) or ''}: {getattr(main, 'message', None) or error.message or ''}"
    text = f"{target}: Graph answered {said[:300]}"
    headers = {name.lower(): value for name, value in dict(error.response_headers or {}).items()}
    if status in ILL_BEFORE_WORK:
        asked = parse_retry_after(headers.get("retry-after"))
        throttled = status == httpx.codes.TOO_MANY_REQUESTS
        return Transient(text, retry_after=asked, service=Service.GRAPH, throttled=throttled)
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return Unanswered(text, retry_after=parse_retry_after(headers.get("retry-after")), service=Service.GRAPH)
    if not getattr(main, "code", None) and status not in _WITHOUT_CODE:
        # Graph names what it refuses and what it does not find; a proxy, or a wrong address, knows nothing of it.
        return NotTheService(f"{text}; this is not how Graph says it: check tenant.graph_endpoint")
    if status == httpx.codes.NOT_FOUND and str(getattr(main, "code", "")) in _NO_MAILBOX:
        return NoMailbox(text)
    kinds = {401: TokenRefused, 403: Forbidden, 404: NotFound}
    return kinds.get(status, Permanent)(text)
