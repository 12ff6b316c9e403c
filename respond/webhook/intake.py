"""From a request to what it says and who said it: the order in which the checks stand.

A sender with a token is known before a byte of its body is read, and nobody's body is decompressed or looked into
before its sender is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus

from respond.webhook.body import Receive, check_headers, discard_body, read_body, read_json
from respond.webhook.callers import Caller
from respond.webhook.gate import Gate
from respond.webhook.json_text import Json
from respond.webhook.problems import Problem


async def take(gate: Gate, headers: Mapping[str, str], receive: Receive, *, within: timedelta) -> tuple[Caller, Json]:
    """The sender of a request, and its body; None for an empty one.

    Args:
        headers: names in lower case, or a mapping that does not care.
        receive: of ASGI.
        within: how long the sender may take for the body.

    Raises:
        Problem: the answer to send instead.
    """
    try:
        caller = await gate.admit_unread(headers)
        check_headers(headers)
        with gate.unknown.account() as keep:
            body = await read_body(receive, within=within, keep=None if caller else keep)
    except Problem as problem:
        # one that waits to be asked for its body, or was too slow, is not written over
        if "expect" not in headers and problem.status is not HTTPStatus.REQUEST_TIMEOUT:
            await discard_body(receive)
        raise
    if caller is None:
        caller = gate.admit_signed(headers, body)
    return caller, read_json(headers, body)
