"""What a request that came to nothing says about whether its work was done: the same for every client."""

from __future__ import annotations

import httpx

NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
"""The connection was not there, so nothing was done; any other failure of httpx leaves that open."""

ILL_BEFORE_WORK = (408, 429, 503)
"""Statuses of a service that has not begun; another 5xx may come after the work was done."""
