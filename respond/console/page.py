"""The page an analyst reads at 3 a.m.: verdict, reasons, gaps, what happened when, what was done, and what is left."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from respond.console.legs import side_by_side
from respond.console.terminal import WIDTH, SafeConsole, terminal
from respond.defang import defang, printable
from respond.models.case import Mode
from respond.models.intake import Sighting, Trigger
from respond.models.persistence import Accounted, Fate
from respond.models.report import LOOKS_LIKE, ActionStatus, Change, Outcome, Pending, Report, VerdictKind

VERDICT_STYLE = {
    VerdictKind.MALICIOUS: "bold white on red",
    VerdictKind.SUSPICIOUS: "bold black on yellow",
    VerdictKind.BENIGN: "bold white on green",
    VerdictKind.NO_ACTIVITY: "bold white on blue",
}
_STATUS = {
    ActionStatus.DONE: "green",
    ActionStatus.UNNEEDED: "dim",
    ActionStatus.PLANNED: "cyan",
    ActionStatus.AWAITING_APPROVAL: "yellow",
    ActionStatus.REFUSED: "red",
    ActionStatus.FAILED: "bold red",
}
_OUTCOME = {
    Outcome.CONTAINED_VERIFIED: ("green", "Contained and read back"),
    Outcome.CONTAINED_UNVERIFIED: ("yellow", "Contained, but not verified: look again in some minutes"),
    Outcome.NOT_CONTAINED: ("bold red", "NOT contained: a person has to act"),
    Outcome.PLANNED: ("cyan", "Dry run: nothing was changed"),
    Outcome.AWAITING_APPROVAL: ("yellow", "A person decides"),
    Outcome.NO_ACTION: ("green", "No action needed"),
}
_OBSERVED = ("cyan", "Observe mode: no containment action was sent")
_NEXT = {Outcome.PLANNED: "respond apply", Outcome.AWAITING_APPROVAL: "respond approve"}


def print_page(report: Report, *, legs: bool = False) -> None:
    """Write the page to stdout.

    Args:
        legs: with both legs of the sign-in side by side.
    """
    terminal().print(page(report, legs=legs))


def write_html(report: Report, file: Path) -> None:
    """The same page as one HTML file, without scripts or links.

    Raises:
        OSError: the file cannot be written.
    """
    file.write_text(html_page(report), encoding="utf-8")


def html_page(report: Report) -> str:
    """The same page as one HTML document."""
    console = SafeConsole(record=True, width=WIDTH, highlight=False, file=io.StringIO())
    console.print(page(report, legs=True))
    return console.export_html(inline_styles=True)


def page(report: Report, *, legs: bool = False) -> Group:
    """The page as something rich can draw."""
    beside: list[RenderableType] = []
    if legs and report.legs:
        beside = [Padding(side_by_side(report.legs), (0, 0, 0, 2)), Text()]
    body = Padding(_body(report, whole=legs), (0, 0, 0, 2))
    return Group(_head(report), Text(), _verdict(report), Text(), *beside, body, Text(), _end(report))


def _head(report: Report) -> Text:
    tenant = "LAB tenant" if report.tenant == "lab" else f"tenant {report.tenant}"
    dry = " · DRY RUN" if report.mode == "dry-run" else ""
    mode = f" · mode {report.response_mode}" if report.response_mode else ""
    about = f" · {tenant} · {report.case} · {defang(report.user.upn)}"
    return Text.assemble(("respond", "bold"), f"{about}{mode}{dry}")


def _verdict(report: Report) -> Text:
    label = (
        f" {report.verdict.upper()} {report.score} "
        if report.verdict is not VerdictKind.NO_ACTIVITY
        else " NO ACTIVITY "
    )
    return Text.assemble(
        "  ", (label, VERDICT_STYLE.get(report.verdict, "bold")), "  ", (defang(report.headline), "bold")
    )


def _body(report: Report, *, whole: bool) -> Group:
    sections = (
        ("why", [(_points(finding.weight), Text(defang(finding.summary))) for finding in report.findings]),
        ("gaps", [(Text(defang(gap.source)), Text(defang(gap.told), style="yellow")) for gap in report.gaps]),
        ("when", [(Text(f"{moment.at:%d %b %H:%M:%SZ}"), Text(defang(moment.what))) for moment in report.timeline]),
        (
            "plan" if report.outcome is Outcome.PLANNED else "done",
            [_change(report, change, whole) for change in report.actions],
        ),
        ("gone", [(Text(one.kind.value), _named(one)) for one in report.persistence if one.fate is Fate.GONE]),
        ("to do", [(Text("by hand"), Text(defang(task), style="yellow")) for task in report.tasks]),
        ("told", [_write_back(change) for change in report.write_backs if _is_lost(change)]),
        ("owed", [_owed(one) for one in report.owed]),
        ("seen", _seen(report.sightings)),
        (
            "ticket",
            [(Text(defang(report.ticket.id)), Text(printable(report.ticket.url or ""), style="dim"))]
            if report.ticket
            else [],
        ),
    )
    tables = [_section(label, rows or [(Text("none"), Text())]) for label, rows in sections if rows or label == "gaps"]
    return Group(*[part for table in tables for part in (table, Text())][:-1])


def _named(one: Accounted) -> Text:
    return Text(defang(f"{one.what} {one.name}".strip() + f": {one.says}"))


def _is_lost(change: Change) -> bool:
    """Whether Sentinel does not say what it was told to."""
    return change.status in (ActionStatus.FAILED, ActionStatus.REFUSED) or change.verified is False


def _write_back(change: Change) -> tuple[Text, Text]:
    words = Text.assemble(
        (change.status.value, _STATUS.get(change.status, "bold")),
        f"  {defang(change.target)}: {defang(change.summary)}",
    )
    words.append("  the incident does not show this answer", "bold red")
    return Text(change.name), words


def _owed(one: Pending) -> tuple[Text, Text]:
    tried = f"tried {one.tries} times" if one.tries > 1 else "tried once"
    words = Text(f"next try {one.due:%d %b %H:%M:%SZ}, {tried}", "yellow")
    if one.reason:
        words.append(f": {defang(one.reason)}")
    return Text(one.name), words


def _section(label: str, rows: list[tuple[Text, Text]]) -> Table:
    """One table a section, so that a narrow first column stays narrow."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True, width=6)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for index, (left, right) in enumerate(rows):
        grid.add_row(label if index == 0 else "", left, right)
    return grid


def _seen(sightings: Sequence[Sighting]) -> list[tuple[Text, Text]]:
    """Which path brought the case first, and how much later the others did. One path alone is no news."""
    firsts: dict[Trigger, datetime] = {}
    for one in sightings:
        firsts.setdefault(one.path, one.at)
    if len(firsts) < 2:  # noqa: PLR2004
        return []
    (first, began), *others = firsts.items()
    later = " · ".join(f"{path} {_while(at - began)} later" for path, at in others)
    return [(Text(first), Text(f"{began:%H:%M:%SZ} first · {later}"))]


def _while(length: timedelta) -> str:
    """Days, hours, minutes and seconds, the two largest that are not nothing."""
    seconds = int(length.total_seconds())
    parts = ((seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s"))
    return " ".join([f"{count} {unit}" for count, unit in parts if count][:2]) or "0 s"


def _points(weight: int) -> Text:
    return Text(f"{weight:+4d}", style="red" if weight > 0 else "green")


def _change(report: Report, change: Change, whole: bool) -> tuple[Text, Text]:  # noqa: FBT001 - of this module
    """One write: what became of it; of one that is still to come also the request, and why, when it is wanted whole."""
    about = f"  {defang(change.target)}:" if change.step and change.target != report.user.upn else " "
    text = Text.assemble((change.status.value, _STATUS.get(change.status, "bold")), f"{about} {defang(change.summary)}")
    if change.verified is False:
        text.append("  NOT VERIFIED", "bold red")
    elif change.verified and report.confirmed_at:
        text.append("  verified", "green")
    if change.by:
        text.append(f"  by {defang(change.by)}", "dim")
    if change.request and change.status in (ActionStatus.PLANNED, ActionStatus.AWAITING_APPROVAL):
        body = f" {json.dumps(change.request.body)}" if change.request.body else ""
        text.append(f"\n{change.request.method} {urlsplit(change.request.url).path}{body}", "cyan")
        told = (("why", change.why), ("undo", change.undo), ("needs", " and ".join(change.permissions)))
        for word, said in told if whole else ():
            text.append(f"\n{word}: {defang(said)}" if said else "", "dim")
    return Text(change.name), text


def _is_observed(report: Report) -> bool:
    return report.outcome is Outcome.PLANNED and report.mode is Mode.LIVE


def _next(report: Report) -> str:
    if _is_observed(report):
        return f"respond show {report.case}"
    if report.outcome is Outcome.PLANNED and report.user.upn and not _can_be_applied(report):
        return f"respond --user {report.user.upn}"
    return f"{_NEXT.get(report.outcome, 'respond show')} {report.case}"


def _can_be_applied(report: Report) -> bool:
    """Not where each containment action needs an approval: a live run asks for it, and nothing else does."""
    steps = {change.status for change in report.actions if change.step}
    return ActionStatus.PLANNED in steps or ActionStatus.AWAITING_APPROVAL not in steps


def _end(report: Report) -> Text:
    unknown = ("bold", f"{report.outcome.value}: a newer version wrote this; look with it")
    style, words = _OBSERVED if _is_observed(report) else _OUTCOME.get(report.outcome, unknown)
    by_hand = any(one.is_open for one in report.persistence)
    if by_hand and report.outcome is Outcome.CONTAINED_UNVERIFIED:
        words = "Contained, but not verified: a person has to do what is left by hand"
    total = report.timings_ms.total
    line = Text.assemble("  ", (words, style))
    if report.actions and report.actions[0].name == "take_back" and report.outcome is Outcome.NO_ACTION:
        line = Text.assemble("  ", ("Taken back, as far as that can be", style))
    if any(finding.id == LOOKS_LIKE for finding in report.findings):
        line = Text.assemble("  ", ("Nothing was changed: a person has to look", "bold yellow"))
    if report.outcome is Outcome.AWAITING_APPROVAL:
        changed = any(change.status is ActionStatus.DONE and change.step for change in report.actions)
        rest = "; what is left by hand is not done" if by_hand else "; the rest is done"
        line.append(rest if changed else ": nothing was changed in the tenant", style)
    if report.repeat:
        left = "what was left by hand still is" if by_hand else "nothing was left to do"
        line.append(f". These sign-ins were answered before; {left}, and nothing was changed")
    elif report.timings_ms.contained is not None and report.outcome is Outcome.CONTAINED_VERIFIED:
        line.append(f" {report.timings_ms.contained / 1000:.1f} s after the start")
    if report.confirmed_at and report.outcome is Outcome.CONTAINED_VERIFIED:
        line = Text.assemble(
            "  ", (f"Contained and verified: it still held at {report.confirmed_at:%d %b %H:%M:%SZ}", style)
        )
    line.append(".")
    if report.outcome in (Outcome.CONTAINED_VERIFIED, Outcome.CONTAINED_UNVERIFIED):
        line.append("  Access tokens already issued still work until they expire (60 to 90 min).", "yellow")
    line.append(f"  {_next(report)}", "dim")
    if total is not None:
        line.append(f"  ({total / 1000:.1f} s)", "dim")
    return line
