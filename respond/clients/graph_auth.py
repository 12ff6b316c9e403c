"""Which identity a request to Graph is signed with: the one that asks, or the one that changes things."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kiota_abstractions.authentication import AuthenticationProvider
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider

from respond.clients.guard import is_read

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from kiota_abstractions.request_information import RequestInformation


class GraphAuthentication(AuthenticationProvider):
    """Bearer tokens of two identities.

    Args:
        read: for what is on the read list.
        write: for everything else.
        hosts: that a token may be sent to.
    """

    def __init__(
        self, read: AsyncTokenCredential, write: AsyncTokenCredential, *, scopes: Sequence[str], hosts: Sequence[str]
    ) -> None:
        self._read, self._write = (
            AzureIdentityAuthenticationProvider(identity, scopes=list(scopes), allowed_hosts=list(hosts))
            for identity in (read, write)
        )

    async def authenticate_request(
        self, request: RequestInformation, additional_authentication_context: dict[str, Any] | None = None
    ) -> None:
        method = request.http_method.value if request.http_method else ""
        signer = self._read if is_read(method, request.url) else self._write
        await signer.authenticate_request(request, additional_authentication_context or {})
