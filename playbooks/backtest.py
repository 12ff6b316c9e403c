"""A policy replayed on history: what it would have contained, asked about and let pass. Changes nothing.

    1. hunt       Everybody's device code sign-ins over some weeks.
    2. correlate  The same evidence as in a live run; each case sees what lay before it.
    3. replay     Decide each case by the policy, and by a second one to compare with.
    4. compare    Against what analysts decided where an incident holds a classification.

What is known now and was not known then (a later indicator, a later foothold) counts as if it had been known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from actions.count_sign_ins import count_sign_ins
from actions.hunt_device_code_signins import hunt_device_code_signins
from actions.read_incidents import read_incidents
from respond.backtesting import Replay
from respond.collecting import collect, people_of
from respond.models.backtest import Backtest
from respond.models.case import Case


async def backtest(case: Case, replay: Replay, *, at_once: int, tell: Callable[[str, int, int], None]) -> Backtest:
    """Replay the policy of the case.

    Args:
        replay: takes the results; what it holds when this is interrupted is the result until then.
        at_once: users in one query.
        tell: told what is being done, how many users are done, and of how many.
    """
    tell("hunting", 0, 0)
    replay.log_rows = await count_sign_ins(case)
    replay.incidents = await read_incidents(case)
    signins = await hunt_device_code_signins(case, people=())
    people = people_of(signins)
    replay.users = len(people)
    async for collected in collect(case, people, signins, at_once=at_once):
        for who in (who for who in people if who.id.lower() in collected):
            replay.add(who, signins[who.id.lower()], collected[who.id.lower()])
            tell("replaying", replay.users_done, len(people))
            await asyncio.sleep(0)  # lets an interruption in
    replay.complete = True
    return replay.result()
