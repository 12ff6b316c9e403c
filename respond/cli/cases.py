"""`respond cases` and `respond show`: what the store holds; neither asks the tenant."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path

from respond.cli.opening import open_store
from respond.errors import UsageError


def list_cases(*, as_json: bool, config: str | None) -> int:
    """One line a case."""
    with closing(open_store(config)) as store:
        reports = store.all_reports()
    if as_json:
        sys.stdout.write(json.dumps([json.loads(r.model_dump_json(by_alias=True)) for r in reports], indent=2) + "\n")
        return 0
    from respond.console.tables import print_cases

    print_cases(reports)
    return 0


def show_case(case: str, *, html: str | None, as_json: bool, config: str | None) -> int:
    """The newest report of one case, on the terminal, as JSON or as an HTML page."""
    with closing(open_store(config)) as store:
        report = store.report(case.upper())
    if report is None:
        raise UsageError(f"show: there is no case {case[:40]}; `respond cases` lists them")
    if as_json:
        sys.stdout.write(report.model_dump_json(by_alias=True, indent=2) + "\n")
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
