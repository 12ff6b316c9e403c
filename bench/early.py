"""How soon the revocation leaves, with services as slow as the real ones: `python -m bench.early [late]`.

The seed's true positive, many times over, in a process that already runs. The lab waits 800 ms before it answers a
query and 150 ms before it answers Graph, and answers five queries at a time, as Log Analytics does. Measured is the
time from the start of the response to the moment the lab received the revocation: as it ships, with `hunt.act_early`
off, and with every question asked after the other. The floor is the hunt and one Graph call, in the same process.

Prints one JSON object: {"floor_ms": [...], "early_ms": [...], "sequential_ms": [...]}, or {"late_ms": [...]}.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from urllib.request import urlopen

from bench import driver

LOGS_LATENCY, GRAPH_LATENCY = "800ms", "150ms"
_WARM_UP, _RUNS = 2, 7

Sent = Callable[[str], float]


async def _respond(n: int) -> None:
    await driver.respond_once(n)


async def _floor(n: int) -> None:
    """The hunt, then one Graph call: nothing can be revoked sooner."""
    from actions.hunt_device_code_signins import hunt_device_code_signins
    from respond.models.evidence import Account

    case = await driver.case_of(n)
    who = Account(id=driver.victim(n), upn=f"user{n}@contoso.com", display_name="")
    await hunt_device_code_signins(case, people=(who,))
    await driver.graph_call(case, n)


async def _sequential(n: int) -> None:
    """One question after the other, and everything before anything is done."""
    from actions.find_address_use import find_address_use
    from actions.find_footholds import find_footholds
    from actions.find_lures import find_lures
    from actions.find_token_use import find_token_use
    from actions.find_usual_places import find_usual_places
    from actions.hunt_device_code_signins import hunt_device_code_signins
    from actions.know_standing import know_standing
    from actions.know_user import know_user
    from actions.match_lure_intel import match_lure_intel
    from actions.match_threat_intel import match_threat_intel
    from actions.revoke_sessions import revoke_sessions
    from respond.decision.cut import Collected, evidence_at
    from respond.decision.ladder import ground_of, session_steps
    from respond.decision.verdict import decide
    from respond.models.evidence import EarlierCases

    case = await driver.case_of(n)
    account = await know_user(case)
    user, people = account.id.lower(), (account,)
    signins = (await hunt_device_code_signins(case, people=people))[user]
    lures = (await find_lures(case, people=people))[user]
    collected = Collected(
        intel=await match_threat_intel(case, people=people),
        history=(await find_usual_places(case, people=people))[user],
        lures=lures,
        shared=await find_address_use(case, people=people),
        standing=await know_standing(case, account=account),
        footholds=(await find_footholds(case, people=people))[user],
        uses=(await find_token_use(case, people=people))[user],
        lure_intel=await match_lure_intel(case, lures=(lures,)),
        earlier=EarlierCases(),
    )
    evidence = evidence_at(signins, collected, case.policy, case.window.start, case.window.end)
    verdict = decide(case.policy, signins, evidence)
    if verdict.last_token is None or not verdict.is_malicious:
        raise RuntimeError(f"not the seed's verdict: {verdict.kind}")
    ground = ground_of(case.policy, account, verdict, signins, evidence)
    for called in session_steps(ground, after=verdict.last_token):
        await revoke_sessions(case, account=account, step=called.step, word=called.word)


def _revocation(n: int) -> datetime:
    """When the lab received the revocation of one victim."""
    with urlopen(f"{driver.lab_url()}/_lab/requests") as answer:  # noqa: S310 - the lab, on loopback
        requests = json.load(answer)
    path = f"/v1.0/users/{driver.victim(n)}/revokeSignInSessions"
    found = next(request for request in requests if request["path"] == path)
    return datetime.fromisoformat(found["at"])


async def _times(call: Callable[[int], Awaitable[None]], first: int, *, until_revoked: bool = True) -> list[float]:
    """Milliseconds of each run after the warm-up, to the revocation or to the end."""
    found = []
    for n in range(first, first + _WARM_UP + _RUNS):
        started, clock = datetime.now(UTC), time.perf_counter()
        await call(n)
        took = time.perf_counter() - clock
        found.append((_revocation(n) - started).total_seconds() * 1000 if until_revoked else took * 1000)
    return found[_WARM_UP:]


async def _measure(*, late: bool) -> dict[str, list[float]]:
    step = _WARM_UP + _RUNS
    try:
        if late:
            return {"late_ms": await _times(_respond, 0)}
        early = await _times(_respond, 0)
        floor = await _times(_floor, step, until_revoked=False)
        return {"floor_ms": floor, "early_ms": early, "sequential_ms": await _times(_sequential, 2 * step)}
    finally:
        await driver.close()


def main() -> None:
    """Measure and print the raw figures."""
    os.environ |= {"RESPOND_LAB__LOGS_LATENCY": LOGS_LATENCY, "RESPOND_LAB__GRAPH_LATENCY": GRAPH_LATENCY}
    # The lab's own limit on queries in half a minute would slow down a bench that asks for hundreds.
    os.environ |= {"RESPOND_LAB__QUERIES_PER_30S": "100000", "RESPOND_PACE__LOGS_PER_30S": "100000"}
    os.environ["RESPOND_PACE__IDENTITY_PROTECTION_PER_S"] = "1000"
    late = "late" in sys.argv[1:]
    os.environ["RESPOND_HUNT__ACT_EARLY"] = str(not late).lower()
    sys.stdout.write(json.dumps(asyncio.run(_measure(late=late))) + "\n")


if __name__ == "__main__":
    main()
