"""Microsoft Graph v1.0 through msgraph-sdk. The only module that imports it.

The SDK's retry and redirect handlers are left out: tenacity owns retrying, and a redirect could carry a token
elsewhere. In a dry run the transport refuses what is not on the read list.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
from azure.core.exceptions import ClientAuthenticationError
from kiota_abstractions.api_error import APIError
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from kiota_http.middleware import ParametersNameDecodingHandler
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph.graph_service_client import GraphServiceClient
from msgraph_core import GraphClientFactory

from respond.clients.credentials import no_token
from respond.clients.guard import check_leaving
from respond.clients.retry import parse_retry_after, retried
from respond.errors import (
    Forbidden,
    NotFound,
    Permanent,
    RespondError,
    Transient,
    Unanswered,
    Unauthenticated,
)
from respond.models.evidence import Account, AccountKind, Standing
from respond.models.signin import Risk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from azure.core.credentials_async import AsyncTokenCredential
    from msgraph.generated.models.directory_object import DirectoryObject
    from msgraph.generated.models.risky_user import RiskyUser
    from msgraph.generated.models.security.hunting_query_results import HuntingQueryResults
    from msgraph.generated.models.user import User
    from msgraph.generated.models.user_collection_response import UserCollectionResponse

    from respond.settings import Retry

_ACCOUNT = [
    "id",
    "userPrincipalName",
    "displayName",
    "mail",
    "userType",
    "accountEnabled",
    "onPremisesSyncEnabled",
    "signInSessionsValidFromDateTime",
]
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_ILL_BEFORE_WORK = (408, 429, 503)


class _Transport(httpx.AsyncHTTPTransport):
    """The last thing before the socket."""

    def __init__(self, *, read_only: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._read_only = read_only

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._read_only:
            check_leaving(request.method, str(request.url))
        return await super().handle_async_request(request)


class Graph:
    """The Graph calls that actions make, with our errors.

    Args:
        endpoint: scheme and host, with or without `/v1.0`.
        read_only: refuse what is not on the read list.
    """

    def __init__(self, credential: AsyncTokenCredential, endpoint: str, *, read_only: bool, retry: Retry) -> None:
        self._retry = retry
        self.hunts = 0
        base = endpoint.rstrip("/").removesuffix("/v1.0")
        self._root = f"{base}/v1.0"
        # HTTP/1.1: over loopback HTTP/2 costs more than it saves, and one run makes a handful of calls.
        self._transport = _Transport(read_only=read_only)
        bare = httpx.AsyncClient(transport=self._transport, timeout=retry.request_timeout.total_seconds())
        http = GraphClientFactory.create_with_custom_middleware([ParametersNameDecodingHandler()], client=bare)
        auth = AzureIdentityAuthenticationProvider(
            credential, scopes=[f"{base}/.default"], allowed_hosts=[urlsplit(base).hostname or ""]
        )
        adapter = GraphRequestAdapter(auth, client=http)
        adapter.base_url = self._root
        self._sdk = GraphServiceClient(request_adapter=adapter)

    async def account(self, key: str) -> Account:
        """GET /users/{id or UPN}; https://learn.microsoft.com/graph/api/user-get.

        Raises:
            NotFound: no such user, deleted ones included.
        """
        from kiota_abstractions.base_request_configuration import RequestConfiguration
        from msgraph.generated.users.item.user_item_request_builder import UserItemRequestBuilder

        query = UserItemRequestBuilder.UserItemRequestBuilderGetQueryParameters(select=_ACCOUNT)

        async def get() -> User | None:
            with _errors(f"user {key}"):
                return await self._sdk.users.by_user_id(key).get(RequestConfiguration(query_parameters=query))

        user = await retried(get, policy=self._retry)
        if user is None or not user.id:
            raise Transient(f"user {key}: Graph answered without a user")
        return _account(user)

    async def accounts(self, ids: Sequence[str]) -> list[Account]:
        """GET /users with `$filter=id in (…)`, up to fifteen ids; https://learn.microsoft.com/graph/api/user-list."""
        from kiota_abstractions.base_request_configuration import RequestConfiguration
        from msgraph.generated.users.users_request_builder import UsersRequestBuilder

        among = ",".join("'" + one.replace("'", "''") + "'" for one in ids)
        query = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(select=_ACCOUNT, filter=f"id in ({among})")

        async def get() -> UserCollectionResponse | None:
            with _errors("users"):
                return await self._sdk.users.get(RequestConfiguration(query_parameters=query))

        page = await retried(get, policy=self._retry)
        return [_account(user) for user in (page.value if page else None) or [] if user.id]

    async def membership(self, user_id: str) -> Standing:
        """GET /users/{id}/transitiveMemberOf; https://learn.microsoft.com/graph/api/user-list-transitivememberof.

        Directory roles that a group carries are in it as well.
        """
        from msgraph.generated.models.directory_role import DirectoryRole
        from msgraph.generated.models.group import Group

        async def get() -> list[DirectoryObject]:
            with _errors(f"user {user_id}"):
                found: list[DirectoryObject] = []
                page = await self._sdk.users.by_user_id(user_id).transitive_member_of.get()
                while page is not None:
                    found += page.value or []
                    link = page.odata_next_link
                    builder = self._sdk.users.by_user_id(user_id).transitive_member_of
                    page = await builder.with_url(link).get() if link else None
                return found

        found = await retried(get, policy=self._retry)
        roles = {item.display_name or item.role_template_id or "" for item in found if isinstance(item, DirectoryRole)}
        groups = {str(item.id).lower() for item in found if isinstance(item, Group)}
        return Standing(roles=tuple(sorted(roles)), groups=tuple(sorted(groups)))

    async def risk(self, user_id: str) -> Standing:
        """GET /identityProtection/riskyUsers/{id}; 404 is a user who was never at risk.

        https://learn.microsoft.com/graph/api/riskyuser-get
        """

        async def get() -> RiskyUser | None:
            try:
                with _errors(f"user {user_id}"):
                    return await self._sdk.identity_protection.risky_users.by_risky_user_id(user_id).get()
            except NotFound:
                return None

        found = await retried(get, policy=self._retry)
        if found is None:
            return Standing(risk=Risk.NONE, risk_state="none")
        level = found.risk_level.value if found.risk_level else ""
        changed = found.risk_last_updated_date_time
        return Standing(
            risk=Risk.read(level),
            risk_state=found.risk_state.value if found.risk_state else "",
            risk_at=changed.astimezone(UTC) if changed else None,
        )

    async def hunt(self, query: str) -> list[dict[str, Any]]:
        """POST /security/runHuntingQuery: a read, whatever the method says.

        https://learn.microsoft.com/graph/api/security-security-runhuntingquery

        Raises:
            BadQuery: no such table, or not onboarded to Defender XDR.
        """
        from msgraph.generated.security.microsoft_graph_security_run_hunting_query.run_hunting_query_post_request_body import (  # noqa: E501
            RunHuntingQueryPostRequestBody,
        )

        async def post() -> HuntingQueryResults | None:
            self.hunts += 1
            with _errors("advanced hunting"):
                body = RunHuntingQueryPostRequestBody(query=query)
                return await self._sdk.security.microsoft_graph_security_run_hunting_query.post(body)

        answer = await retried(post, policy=self._retry)
        return [row.additional_data for row in (answer.results if answer else None) or []]

    def revoke_url(self, user_id: str) -> str:
        """Where `revoke_sessions` posts to; a dry run shows it."""
        return f"{self._root}/users/{user_id}/revokeSignInSessions"

    async def revoke_sessions(self, user_id: str) -> None:
        """POST /users/{id}/revokeSignInSessions; any 2xx is an answer, its body says nothing more.

        https://learn.microsoft.com/graph/api/user-revokesigninsessions
        """

        async def post() -> None:
            with _errors(f"user {user_id}"):
                await self._sdk.users.by_user_id(user_id).revoke_sign_in_sessions.post()

        await retried(post, policy=self._retry, is_write=True)

    async def close(self) -> None:
        """Close the connections: kiota's client does not reach them, its transport wraps the one that holds them."""
        await self._transport.aclose()


def _account(user: User) -> Account:
    valid_from: datetime | None = user.sign_in_sessions_valid_from_date_time
    return Account(
        id=str(user.id),
        upn=user.user_principal_name or "",
        display_name=user.display_name or "",
        mail=user.mail or "",
        # A guest that was made a member keeps its UPN, and still signs in through the home tenant.
        kind=AccountKind.GUEST if _is_external(user) else AccountKind.MEMBER,
        enabled=user.account_enabled,
        synced=bool(user.on_premises_sync_enabled),
        sessions_valid_from=valid_from.astimezone(UTC) if valid_from else None,
        seen_at=datetime.now(UTC),
    )


def _is_external(user: User) -> bool:
    return (user.user_type or "").lower() == "guest" or "#ext#" in (user.user_principal_name or "").lower()


@contextmanager
def _errors(target: str) -> Iterator[None]:
    """Turn what the SDK raises into our tree."""
    try:
        yield
    except APIError as error:
        raise _from_answer(error, target) from error
    except httpx.TransportError as error:
        kind = Transient if isinstance(error, _NEVER_SENT) else Unanswered
        raise kind(f"{target}: Graph did not answer ({type(error).__name__})") from error
    except ClientAuthenticationError as error:
        raise Unauthenticated(no_token("Microsoft Graph", error)) from error
    except RespondError:
        raise
    except Exception as error:
        # kiota raises bare exceptions for a body it cannot read; what it stands for, an action has to look up.
        raise Unanswered(f"{target}: Graph's answer cannot be read ({type(error).__name__})") from error


def _from_answer(error: APIError, target: str) -> Exception:
    status = error.response_status_code or 0
    main = getattr(error, "error", None)
    said = f"{status} {getattr(main, 'code', None) or ''}: {getattr(main, 'message', None) or error.message or ''}"
    text = f"{target}: Graph answered {said[:300]}"
    headers = {name.lower(): value for name, value in dict(error.response_headers or {}).items()}
    if status in _ILL_BEFORE_WORK:
        return Transient(text, retry_after=parse_retry_after(headers.get("retry-after")))
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return Unanswered(text, retry_after=parse_retry_after(headers.get("retry-after")))
    kinds = {401: Unauthenticated, 403: Forbidden, 404: NotFound}
    return kinds.get(status, Permanent)(text)
