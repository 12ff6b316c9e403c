"""Every device code sign-in of the tenant, judged as if each user had been looked at alone. Changes nothing.

    1. hunt       Everybody's device code sign-ins, both legs.
    2. correlate  The same evidence as for one user, asked for all of them together.
    3. decide     Each sign-in on its own, with what was known before it.

For the detection engineer's morning, and for the schedule: what a rule that never fired has missed.
"""

from __future__ import annotations

from collections.abc import Sequence

from actions.hunt_device_code_signins import hunt_device_code_signins
from actions.name_guests import name_guests
from respond.collecting import collect, people_of
from respond.models.base import Gap
from respond.models.case import Case
from respond.models.evidence import Account
from respond.models.survey import Survey, SurveyedSignIn
from respond.step import aside
from respond.surveying import survey_of, surveyed


async def tenant_hunt(case: Case, *, people: Sequence[Account] = (), at_once: int = 1000) -> Survey:
    """Hunt, correlate and judge.

    Args:
        people: whose sign-ins; everybody's unless given.
        at_once: users in one query.
    """
    signins = await hunt_device_code_signins(case, people=people)
    people = await name_guests(case, people=people_of(signins))
    found: list[SurveyedSignIn] = []
    gaps: list[Gap] = [gap for mine in signins.values() for gap in mine.gaps]
    async for collected in collect(case, people, signins, at_once=at_once):
        for who in (who for who in people if who.id.lower() in collected):
            rows, missing = await aside(surveyed, case, who, signins[who.id.lower()], collected[who.id.lower()])
            found += rows
            gaps += missing
    return survey_of(case, found, gaps, users=len(people))
