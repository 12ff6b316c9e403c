"""Some time after a containment: is it still so?

1. look   The whole triage once more: the same session and tokens, the same addresses, new footholds, late evidence.
          What has joined goes into the case and the ticket; what survived is answered with the next rung, or asked.
2. end    Keep what the look has shown; where a service did not answer, look later.
"""

from __future__ import annotations

from actions.end_watch import end_watch
from actions.put_off_watch import put_off_watch
from playbooks.device_code_phishing import device_code_phishing
from respond import durable
from respond.errors import Transient
from respond.models.case import Case
from respond.models.report import Attached, Report
from respond.models.watches import Watch
from respond.step import playbook


@playbook("watch_case")
async def watch_case(case: Case, watch: Watch) -> str:
    """Look at a contained case again; the case that the look reported on, empty where it was put off.

    A look that fails has a report of its own, and a ticket that says so. The report is the answer of the look: as the
    answer of this run it would be kept, told and counted twice.
    """
    try:
        answer: Report | Attached = await durable.part(device_code_phishing, f"{case.run}/look", case)
    except Transient as error:
        await put_off_watch(case, watch=watch, because=error.message, until=error.until)
        return ""
    await end_watch(case, watch=watch, answer=answer)
    return answer.case
