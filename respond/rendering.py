"""Templates as they are read and filled in. Only this module imports Jinja2.

Whatever a value holds, it is shown as it is: links are defanged and markup escaped where it is written out, not where a
template's author thinks of it. A template sees plain data, reads no file and calls nothing of ours.
"""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import jinja2
from jinja2 import meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel

from respond.defang import as_code, as_markdown, defang
from respond.errors import UsageError
from respond.models.written import FACTS, Written
from respond.settings import shipped_config

_LONGEST_TITLE = 250
_UNDECLARED = frozenset({"range", "dict", "lipsum", "cycler", "joiner", "namespace"})
_FAILS = (jinja2.TemplateError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class _Code(str):
    __slots__ = ()


@dataclass(frozen=True)
class Template:
    """One file, compiled: its first line, and the rest."""

    path: Path
    title: jinja2.Template
    body: jinja2.Template

    def written(self, facts: Mapping[str, object]) -> Written:
        title = " ".join(self.title.render(facts).split())
        if not title:
            raise ValueError("its first line, the title, is empty")
        return Written(defang(title)[:_LONGEST_TITLE], f"{self.body.render(facts).strip()}\n")


def render(given: Template | None, shipped: Template, facts: Mapping[str, object]) -> Written:
    """Fill in the given template, or the shipped one where there is none, or where it fails."""
    if given is None:
        return shipped.written(facts)
    try:
        return given.written(facts)
    except _FAILS as error:
        trouble = f"{given.path.name}{_line(error, given)}: {defang(str(error)[:300])}; the shipped text stands in"
        told = shipped.written(facts)
        return Written(told.title, f"{told.body}\n{as_markdown(trouble)}\n", trouble)


@functools.cache
def shipped(name: str) -> Template:
    """The template that respond comes with."""
    return read(shipped_config() / "templates" / f"{name}.md.j2", name)


def read(path: Path, name: str) -> Template:
    """One file.

    Raises:
        UsageError: names the file and the line.
    """
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as UTF-8 text: {error}") from error
    title, _, body = source.partition("\n")
    # The first line is left empty, so that lines are counted as in the file.
    return Template(path, _compiled(_titles(), title, path, name), _compiled(_bodies(), f"\n{body}", path, name))


def _compiled(environment: jinja2.Environment, source: str, path: Path, name: str) -> jinja2.Template:
    try:
        tree = environment.parse(source, filename=str(path))
        _check(tree, path, name)
        code = environment.compile(tree, filename=str(path))
    except jinja2.TemplateSyntaxError as error:
        raise UsageError(f"{path}:{error.lineno}: {error.message}") from error
    return environment.template_class.from_code(environment, code, environment.make_globals(None))


def _check(tree: nodes.Template, path: Path, name: str) -> None:
    for node in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        raise UsageError(f"{path}:{node.lineno}: a template cannot take in another one")
    unknown = meta.find_undeclared_variables(tree) - FACTS[name] - _UNDECLARED
    for named in tree.find_all(nodes.Name):
        if named.name in unknown:
            known = ", ".join(sorted(FACTS[name]))
            raise UsageError(f"{path}:{named.lineno}: {named.name!r} is not known here; known: {known}")


@functools.cache
def _bodies() -> jinja2.Environment:
    return _environment(_markdown)


@functools.cache
def _titles() -> jinja2.Environment:
    return _environment(lambda value: defang(_text(value)))


def _environment(finalize: Callable[[object], str]) -> jinja2.Environment:
    environment = ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["code"] = lambda value: _Code(as_code(_text(value)))
    return environment


def _markdown(value: object) -> str:
    return str(value) if isinstance(value, _Code) else as_markdown(_text(value))


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)


def plain(value: object) -> object:
    """Data without behaviour: a template can read a model, and not call it."""
    if isinstance(value, BaseModel):
        return value.model_dump(exclude={"policy"})  # a case carries it, and it is long
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return value


def _line(error: Exception, template: Template) -> str:
    """Where in the file it happened, as far as the traceback says."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(template.path)]
    return f":{frames[-1].lineno}" if frames else ""
