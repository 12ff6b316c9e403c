"""One token that is refreshed from thousands of addresses: `python -m bench.flood [ADDRESSES]`.

An attacker decides how many rows a token makes, so the cost of a row must not grow with their number. Prints one
JSON object:

    decide    processor seconds of the decision on an eighth, a quarter, a half and all of the rows
    crowded   the same on all of them, with as many earlier places, uses of the token and other users beside them
    alone     seconds of each response to an ordinary victim, with nothing else to do
    beside    the same while the flood is answered in the same process
    flood     seconds of the response to the flood, which has to end in a revocation that was read back
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import driver
from respond.decision.cut import Collected, evidence_at
from respond.decision.verdict import decide
from respond.models.evidence import (
    AddressDay,
    EarlierCases,
    Footholds,
    History,
    Lures,
    SharedAddresses,
    Standing,
    ThreatIntel,
    TokenUse,
    TokenUses,
    Visit,
)
from respond.models.flows import fold, join_flows
from respond.models.signin import Device, Leg, Risk, SignIn, SignIns
from respond.policies import load_policy
from respond.settings import shipped_config

ADDRESSES = 10_000
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
_TIMES = 5
_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
_FLOOD = 59
"""The victim whose token it is; the others are the driver's ordinary ones."""


def address(number: int) -> str:
    """One of 131,072 addresses that are kept for measuring networks (RFC 2544)."""
    return f"198.{18 + number // 65536 % 2}.{number // 256 % 256}.{number % 256}"


def sign_ins(count: int) -> SignIns:
    """An approval at the office, and a token that goes to another address with every refresh."""
    rows = [_row(0, "192.0.2.10", "64496", Leg.APPROVING, "SigninLogs")]
    rows += [
        _row(number + 1, address(number), "64500", Leg.REDEEMING, "AADNonInteractiveUserSignInLogs")
        for number in range(count)
    ]
    return SignIns(flows=join_flows(fold(rows)))


def _row(number: int, ip: str, asn: str, leg: Leg, table: str) -> SignIn:
    return SignIn(
        id=f"r{number}", table=table, leg=leg, at=NOW + timedelta(seconds=number), user_id="u", upn="user@contoso.com",
        display_name="User", user_type="Member", correlation_id=f"c{number}", session_id="s", original_request_id="",
        token_id=f"t{number}", result="0", app_id=_CLI, app_name="Azure CLI", resource_id="", resource_name="",
        incoming_token="", ip=ip, asn=asn, country="US", city="", user_agent=f"python-requests/2.{number}",
        device=Device(), risk=Risk.NONE,
    )  # fmt: skip


def evidence(count: int) -> Collected:
    """As many places, uses of the token and other users as there are refreshes: an attacker can make all of them."""
    before = NOW - timedelta(days=2)
    return Collected(
        history=History(visits=tuple(_visits(count, before))),
        shared=SharedAddresses(
            days=tuple(
                AddressDay(ip=address(number), day=before, users=frozenset({"x"}), by_code=False)
                for number in range(count)
            )
        ),
        uses=TokenUses(uses=tuple(map(_use, range(count)))),
        intel=ThreatIntel(),
        lures=Lures(),
        lure_intel=ThreatIntel(),
        footholds=Footholds(),
        standing=Standing(),
        earlier=EarlierCases(),
    )


def _use(number: int) -> TokenUse:
    return TokenUse(
        token=f"t{number}", session="s", ip=address(number), user_agent="", calls=1, writes=0, directory=1, content=0,
        first=NOW, last=NOW,
    )  # fmt: skip


def _visits(count: int, before: datetime) -> Iterator[Visit]:
    for number in range(count):
        at = before - timedelta(days=number % 20)
        yield Visit(
            first=at, last=at, ip=address(65536 + number), asn="64501", country="US", app_id=_CLI, session=f"h{number}",
            is_device_code=False, sign_ins=1,
        )  # fmt: skip


def decided(count: int, *, beside: int = 0) -> float:
    """Processor seconds from the rows to the verdict.

    Args:
        beside: places, uses of the token and other users that are known as well.
    """
    policy, signins, collected = load_policy(shipped_config()), sign_ins(count), evidence(beside)
    began = time.process_time()
    verdict = decide(policy, signins, evidence_at(signins, collected, policy, NOW, NOW + timedelta(days=1)))
    spent = time.process_time() - began
    if verdict.is_benign:
        raise RuntimeError(f"not the story that was meant: {verdict.kind}")
    return spent


def flood(folder: Path, count: int) -> None:
    """Give one victim of the driver's tenant a token that is refreshed all day, from another address every time."""
    file = folder / "AADNonInteractiveUserSignInLogs.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    first = next(row for row in rows if row["UserId"] == driver.victim(_FLOOD))
    began = datetime.fromisoformat(first["TimeGenerated"])
    with file.open("a") as more:
        for number in range(count):
            at = (began + timedelta(milliseconds=80 * (number + 1))).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            told = {"TimeGenerated": at, "CreatedDateTime": at, "IPAddress": address(number), "Id": f"f100d{number}"}
            more.write(json.dumps(first | told | {"UniqueTokenIdentifier": f"f100d{number}"}) + "\n")


async def beside(count: int) -> dict[str, list[float]]:
    """Ordinary victims alone, and while the flood is answered."""
    driver.also(lambda folder: flood(folder, count))
    try:
        await driver.respond_once(0)
        alone = [await _seconds(number) for number in range(1, 1 + _TIMES)]
        slow = asyncio.create_task(_seconds(_FLOOD))
        crowd = [await _seconds(number) for number in range(1 + _TIMES, 1 + 2 * _TIMES)]
        return {"alone": alone, "beside": crowd, "flood": [await slow]}
    finally:
        await driver.close()


async def _seconds(number: int) -> float:
    began = time.perf_counter()
    await driver.respond_once(number)
    return time.perf_counter() - began


def main() -> None:
    """Measure and print the raw figures."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ADDRESSES
    decided(count // 8)  # imports, and the caches of pydantic
    figures = {"decide": [decided(count // part) for part in (8, 4, 2, 1)], "crowded": [decided(count, beside=count)]}
    figures |= asyncio.run(beside(count))
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
