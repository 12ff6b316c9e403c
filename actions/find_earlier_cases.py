"""What do we know already? Earlier cases of ours with the same user, address, network or lure.

Asks our own store; no permission.
"""

from __future__ import annotations

from collections.abc import Sequence

from respond.models.case import Case
from respond.models.evidence import EarlierCases, Fact
from respond.step import process, read_action


@read_action()
async def find_earlier_cases(case: Case, *, facts: Sequence[Fact]) -> EarlierCases:
    """Cases that were not benign and share one of these facts, newest first."""
    return EarlierCases(cases=process().store.earlier(tenant=case.tenant, found=facts, but=case.id))
