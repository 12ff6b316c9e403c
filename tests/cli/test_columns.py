"""Whatever a log, a directory or a service wrote in whatever column, no page lets a terminal or a browser obey it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from respond.console.backtest import print_backtest
from respond.console.checkup import print_checkup
from respond.console.page import print_page, write_html
from respond.console.survey import print_survey
from respond.console.tables import print_cases, print_rows
from respond.defang import as_comment, json_text
from respond.models.backtest import Backtest
from respond.models.checkup import Checkup
from respond.models.report import Report
from respond.models.survey import Survey
from respond.telling import answer_text

SIGNS = "\x1b[2J\x07\x9b31m\x00\x7f\u202e\u2066\u2028\u2029\u200f\ufeff"
EVIL = f"x{SIGNS}https://evil.example/y"
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
LIVE = re.compile(r"https?://evil", re.IGNORECASE)
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def filled(kind: Any, name: str = "") -> Any:  # noqa: PLR0911 - one case a kind of type
    """A value of the type in which every text is hostile, and nothing is left out that can be filled in."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return filled(next(one for one in inner if one is not type(None)), name)
    if origin is Literal:
        return inner[0]
    if origin in (tuple, frozenset, list):
        return [filled(inner[0], name)]
    if origin is dict:
        return {EVIL: filled(inner[1], name)}
    if origin is not None and inner:  # Annotated
        return filled(inner[0], name)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return of(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind))
    return {str: EVIL, datetime: NOON, bool: True, int: 1, float: 1.0}.get(kind, EVIL)


def of(model: type[BaseModel]) -> Any:
    values: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        value = filled(field.annotation, name)
        values[name] = value
    return model.model_construct(**{name: value for name, value in values.items() if value is not PydanticUndefined})


def shown(write: Callable[[], object]) -> str:
    out = io.StringIO()
    with redirect_stdout(out):
        write()
    return out.getvalue()


def html(report: Report, folder: Path) -> str:
    write_html(report, folder / "case.html")
    return (folder / "case.html").read_text(encoding="utf-8")


REPORT: Report = of(Report)
SURVEY: Survey = of(Survey)
COLUMNS = dict.fromkeys(("TimeGenerated", "AppDisplayName", "UserAgent", "Country"), "x")
PAGES: dict[str, Callable[[Path], str]] = {
    "respond --user": lambda _: shown(lambda: print_page(REPORT)),
    "respond show": lambda _: shown(lambda: print_page(REPORT, legs=True)),
    "respond show --html": lambda folder: html(REPORT, folder),
    "respond show --json": lambda _: json_text(REPORT.model_dump_json(by_alias=True, warnings=False)),
    "respond cases": lambda _: shown(lambda: print_cases([(EVIL, REPORT)])),
    "respond hunt": lambda _: shown(lambda: print_survey(SURVEY)),
    "respond hunt --json": lambda _: json_text(SURVEY.model_dump_json(by_alias=True, warnings=False)),
    "respond hunt --published": lambda _: shown(lambda: print_rows(EVIL, [dict.fromkeys(COLUMNS, EVIL)], COLUMNS)),
    "respond backtest": lambda _: shown(lambda: print_backtest(of(Backtest))),
    "respond doctor": lambda _: shown(lambda: print_checkup(of(Checkup))),
}


@pytest.mark.parametrize("name", PAGES)
def test_nothing_that_any_column_holds_is_obeyed_by_a_terminal(name: str, tmp_path: Path) -> None:
    text = PAGES[name](tmp_path)
    assert re.search(r"x(\?|\\u001b)", text)
    assert not OBEYED.search(text), repr(OBEYED.search(text))


def test_no_comment_carries_a_sign_that_is_obeyed_or_a_link_that_can_be_followed() -> None:
    comment = as_comment(answer_text(REPORT), most=30_000, cut="")
    assert not OBEYED.search(comment)
    assert not LIVE.search(comment)
