"""Injected faults: what the real services do on a bad day, on demand."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from fnmatch import fnmatchcase
from io import BytesIO
from typing import Any

from respond.lab.web import DropConnection, LabRequest, Reply, Untouched
from respond.settings import LabFault

_MESSAGES = {
    429: ("TooManyRequests", "Too many requests. Please retry after some time."),
    500: ("InternalServerError", "An internal server error occurred."),
    502: ("BadGateway", "The gateway received an invalid response."),
    503: ("ServiceUnavailable", "The service is temporarily unavailable."),
    504: ("GatewayTimeout", "The request timed out."),
}
_LOOKS_EVERY = 0.1
"""Seconds between looks at whether a request has hung long enough."""


class Faults:
    """The faults of one process, in the order of the settings; each strikes as often as it says."""

    def __init__(self, faults: tuple[LabFault, ...]) -> None:
        self._lock = threading.Lock()
        self.set(faults)

    def set(self, faults: tuple[LabFault, ...]) -> None:
        """These from now on, none of them used up."""
        with self._lock:
            self._faults = faults
            self._strikes = [0] * len(faults)
            self._ends: dict[int, float] = {}

    def struck(self) -> list[int]:
        """How often each has struck."""
        with self._lock:
            return list(self._strikes)

    def strike(self, request: LabRequest) -> LabFault | None:
        """The first fault that applies to the request and is not used up; counts as one strike."""
        line = f"{request.method} {request.path}".lower()
        body = (request.text() or "").lower() if self._faults else ""
        with self._lock:
            for index, fault in enumerate(self._faults):
                if not fnmatchcase(line, fault.match.lower()) or fault.contains.lower() not in body:
                    continue
                if fault.times and self._strikes[index] >= fault.times:
                    continue
                if fault.lasts:
                    end = self._ends.setdefault(index, time.monotonic() + fault.lasts.total_seconds())
                    if time.monotonic() >= end:
                        continue
                self._strikes[index] += 1
                return fault
        return None

    def holds(self, fault: LabFault) -> bool:
        """Whether a fault that has struck is still in force."""
        with self._lock:
            if fault not in self._faults:
                return False
            return time.monotonic() < self._ends.get(self._faults.index(fault), float("inf"))


def headers(fault: LabFault) -> dict[str, str]:
    """Retry-After as the fault asks for it; `+2s` becomes the HTTP date two seconds from now."""
    value = fault.retry_after
    if value.startswith("+") and value.endswith("s") and value[1:-1].isdecimal():
        # HTTP dates have whole seconds: round up, so that who waits for it has waited long enough
        moment = datetime.now(UTC) + timedelta(seconds=int(value[1:-1]) + 1)
        value = format_datetime(moment.replace(microsecond=0), usegmt=True)
    return {"Retry-After": value} if value else {}


def code_and_message(fault: LabFault) -> tuple[str, str]:
    """An error code and text that fit the status."""
    return _MESSAGES.get(fault.status, ("UnknownError", f"Injected fault with status {fault.status}."))


async def with_faults(
    faults: Faults,
    request: LabRequest,
    refuse: Callable[[LabFault], Reply],
    work: Callable[[LabFault | None], Awaitable[Reply]],
) -> Reply:
    """Do the work, unless a fault strikes first.

    Args:
        refuse: the answer of kind `status`, in the service's own shape.
        work: gets the fault when it is of kind `partial`.

    Raises:
        DropConnection: kinds `drop_before` and `drop_after`; `hang` when the fault is over.
    """
    fault = faults.strike(request)
    if fault is None:
        return await work(None)
    if fault.kind == "drop_before":
        raise DropConnection
    if fault.kind == "hang":
        while faults.holds(fault):  # noqa: ASYNC110 - it ends when another thread replaces the faults
            await asyncio.sleep(_LOOKS_EVERY)
        raise DropConnection
    if fault.kind == "status":
        return refuse(fault)
    if fault.kind == "answer":
        return Untouched(fault.status, headers=headers(fault), content=BytesIO(fault.body.encode()))
    if fault.kind == "slow":
        await asyncio.sleep(fault.delay.total_seconds())
    reply = await work(fault if fault.kind == "partial" else None)
    if fault.kind == "drop_after":
        reply.close()
        raise DropConnection(reply.status)
    spoil = _SPOILED.get(fault.kind)
    return _spoiled(reply, spoil) if spoil else reply


def _spoiled(reply: Reply, spoil: Callable[[bytes], bytes]) -> Reply:
    """The reply with other bytes; one without a body stays as it is."""
    with reply.opened() as content:
        body = content.read()
    return replace(reply, body=None, content=BytesIO(spoil(body) if body else b""))


def _without_list(body: bytes) -> bytes:
    """What a collection is without its members: `value` of Graph and Azure, `tables` of Log Analytics, `results`.

    A bare value, such as the number of `$count`, has none to lose.
    """
    answer = json.loads(body)
    if isinstance(answer, dict):
        answer = {name: value for name, value in answer.items() if not isinstance(value, list)}
    return json.dumps(answer).encode()


def _of_another_type(value: Any) -> Any:
    """The same shape with numbers for texts, and texts for everything else; names of columns stay."""
    if isinstance(value, dict):
        return {name: _of_another_type(held) for name, held in value.items()}
    if isinstance(value, list):
        return [_of_another_type(held) for held in value]
    return 7 if isinstance(value, str) else "seven"


_SPOILED: Mapping[str, Callable[[bytes], bytes]] = {
    "cut_off": lambda body: body[: len(body) // 2],
    "without_list": _without_list,
    "wrong_types": lambda body: json.dumps(_of_another_type(json.loads(body))).encode(),
}
