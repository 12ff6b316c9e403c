"""A verdict in a sentence that an analyst would sign. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from respond.models.report import Finding, VerdictKind

_MOST = 3


def reason(kind: VerdictKind, findings: Sequence[Finding]) -> str:
    """What weighs most, for the verdict; for a suspicious one, what speaks against it as well.

    Args:
        findings: heaviest first.
    """
    against = [finding.summary for finding in findings if finding.weight > 0]
    relief = [finding.summary for finding in reversed(findings) if finding.weight < 0]
    if kind is VerdictKind.NO_ACTIVITY:
        return "no token was issued"
    if kind is VerdictKind.MALICIOUS:
        return _sentence(against[:_MOST])
    if kind is VerdictKind.SUSPICIOUS:
        return _sentence(against[:_MOST]) + (f", although {relief[0]}" if relief else "")
    if relief:
        return _sentence(relief[:_MOST])
    return f"little speaks against it: {_sentence(against[:_MOST])}" if against else "nothing speaks against it"


def _sentence(parts: Sequence[str]) -> str:
    """`a, b, and c`."""
    if len(parts) <= 1:
        return "".join(parts)
    return f"{', '.join(parts[:-1])}{',' if len(parts) > 2 else ''} and {parts[-1]}"  # noqa: PLR2004 - the serial comma
