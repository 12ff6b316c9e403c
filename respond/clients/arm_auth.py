"""Which identity a request to Azure is signed with: the one that asks, or the one that changes things."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy, AsyncHTTPPolicy

from respond.clients.guard import is_read

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.pipeline import PipelineRequest, PipelineResponse


class ArmAuthentication(AsyncHTTPPolicy[Any, Any]):
    """Bearer tokens of two identities.

    Args:
        read: for what is on the read list.
        write: for everything else.
    """

    def __init__(self, read: AsyncTokenCredential, write: AsyncTokenCredential, scope: str) -> None:
        super().__init__()
        self._read = AsyncBearerTokenCredentialPolicy(read, scope)
        self._write = self._read if write is read else AsyncBearerTokenCredentialPolicy(write, scope)

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        signer = self._read if is_read(request.http_request.method, request.http_request.url) else self._write
        signer.next = self.next
        return await signer.send(request)
