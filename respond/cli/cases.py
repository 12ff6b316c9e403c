"""`respond cases` and `respond show`: what the store holds; neither asks the tenant."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from respond import tenants
from respond.cli.opening import open_store_of
from respond.defang import json_text, printable
from respond.errors import UsageError
from respond.settings import Settings, config_dir, load_settings, load_tenants, state_url, tenant_of

if TYPE_CHECKING:
    from respond.models.report import Report
    from respond.store.cases import UnreadableCase


def list_cases(*, as_json: bool, config: str | None) -> int:
    """One line a case; of every tenant under its name, unless one was named."""
    directory = config_dir(config)
    several = {} if tenants.chosen() else load_tenants(directory)
    found = several or {"": load_settings(directory)}
    held = [(name, *_held(one)) for name, one in found.items()]
    code = _list([(name, report) for name, reports, _ in held for report in reports], as_json=as_json)
    sys.stderr.writelines(
        f"respond: {f'{name}: ' if name else ''}{printable(line)}\n" for name, _, line in held if line
    )
    return code


def _held(settings: Settings) -> tuple[list[Report | UnreadableCase], str]:
    """Every report, and a line about deliveries that have no case yet."""
    from respond.models.owed import OwedKind
    from respond.store.cases import Store

    with closing(Store(state_url(settings))) as store:
        pending = [one for one in store.owed.pending(tenant_of(settings)) if one.kind is OwedKind.DELIVERY]
        count = f"{len(pending)} deliveries wait" if len(pending) > 1 else "1 delivery waits"
        line = f"{count} for a service that does not answer, next try {pending[0].due:%H:%M:%SZ}" if pending else ""
        return store.listed(), f"{line}: {pending[0].reason}" if pending else ""


def _list(held: list[tuple[str, Report | UnreadableCase]], *, as_json: bool) -> int:
    if as_json:
        told = [_told(case) | ({"tenant_name": name} if name else {}) for name, case in held]
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
        return 0
    from respond.console.tables import print_cases

    print_cases([(name or case.tenant, case) for name, case in held])
    return 0


def _told(case: Report | UnreadableCase) -> dict[str, object]:
    from respond.store.cases import UnreadableCase

    if isinstance(case, UnreadableCase):
        return {"case": case.case, "tenant": case.tenant, "opened": case.opened, "unreadable": case.reason}
    told: dict[str, object] = json.loads(case.model_dump_json(by_alias=True))
    return told


def show_case(case: str, *, html: str | None, as_json: bool, config: str | None) -> int:
    """The newest report of one case, on the terminal, as JSON or as an HTML page."""
    with closing(open_store_of(case, config)) as store:
        report = store.report(case.upper())
    if report is None:
        raise UsageError(f"show: there is no case {case[:40]}; `respond cases` lists them")
    if as_json:
        sys.stdout.write(json_text(report.model_dump_json(by_alias=True, indent=2)) + "\n")
    elif html == "-":
        from respond.console.page import html_page

        sys.stdout.write(html_page(report))
    elif html is not None:
        from respond.console.page import write_html

        try:
            write_html(report, Path(html))
        except OSError as error:
            raise UsageError(f"--html: {html} cannot be written: {error.strerror}") from error
    else:
        from respond.console.page import print_page

        print_page(report, legs=True)
    return 0
