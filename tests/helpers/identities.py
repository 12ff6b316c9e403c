"""An identity of Azure that has its token."""

from __future__ import annotations

import time
from typing import Any, Self

from azure.core.credentials import AccessToken


class HasToken:
    """Gives everybody the same one."""

    async def get_token(self, *_scopes: str, **_: Any) -> AccessToken:
        return AccessToken("token-of-the-test", int(time.time()) + 3600)

    async def close(self) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...
