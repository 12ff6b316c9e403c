"""`respond audit …`: the log of decisions and changes, checked and written out; neither asks the tenant."""

from __future__ import annotations

import json
import re
import sys
from contextlib import closing

from respond.cli.opening import open_store
from respond.errors import Permanent, UsageError


def verify(*, head: str | None, as_json: bool, config: str | None) -> int:
    """Exit 0 when the log is intact; otherwise 1, and what is wrong with its first bad entry.

    Raises:
        UsageError: the digest is not one.
        Permanent: the log is not intact.
    """
    # An empty one is most likely a variable that was not set: it must not pass for a comparison.
    if head is not None and not re.fullmatch("[0-9a-fA-F]{64}", head):
        raise UsageError("--head: give the 64 hexadecimal digits that `respond audit verify` printed as the head")
    with closing(open_store(config)) as store:
        found = store.audit.verify(head=head or "")
    wrong = found.problem
    if as_json:
        told = {**found.model_dump(mode="json"), "intact": wrong is None, "said": wrong.said if wrong else ""}
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
        return 1 if wrong else 0
    if wrong:
        raise Permanent(f"the audit log is not intact: {wrong.said}")
    sys.stdout.write(
        f"the audit log is intact: {found.count} entr{'y' if found.count == 1 else 'ies'}, head {found.head}\n"
    )
    return 0


def export(*, case: str | None, config: str | None) -> int:
    """One entry a line, oldest first; with `salt` and `sealed`, which the seal and the digest are computed from."""
    from respond.models.audit import canonical

    count = 0
    with closing(open_store(config)) as store:
        for entry in store.audit.entries(case=case.upper() if case else None):
            told = entry.model_dump(mode="json") | {"salt": entry.salt, "sealed": entry.sealed, "purged": entry.purged}
            sys.stdout.write(canonical(told) + "\n")
            count += 1
    if case and not count:
        sys.stderr.write(f"respond: the audit log has no entry about {case[:40]}\n")
    return 0
