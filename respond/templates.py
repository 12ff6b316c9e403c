"""What tickets and notices say: `templates/*.md.j2` in the configuration, Jinja2 in a sandbox.

The first line of a file is the title, plain text; what follows is Markdown. One that the directory lacks comes from the
shipped copy. Whatever a value holds, it is shown as it is: links are defanged and markup escaped where it is written
out, not where a template's author thinks of it. A template sees plain data, reads no file and calls nothing of ours.
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
from respond.settings import shipped_config

_CASE = "account asked case done failed outcome verdict"
_TICKET = "clicks footholds left legs mails sightings tasks timeline"
FACTS = {
    "ticket": frozenset(f"{_CASE} {_TICKET}".split()),
    "limit": frozenset({"account", "case", "reason", "waiting"}),
    "unanswered": frozenset({"about", "case", "people"}),
    "notice": frozenset(_CASE.split()),
}
"""What each template may name."""

_LONGEST_TITLE = 250
_UNDECLARED = frozenset({"range", "dict", "lipsum", "cycler", "joiner", "namespace"})
_FAILS = (jinja2.TemplateError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class _Code(str):
    __slots__ = ()


@dataclass(frozen=True)
class Written:
    """What a template has made of a case.

    Attributes:
        trouble: why the shipped template was taken instead; empty when it was not.
    """

    title: str
    body: str
    trouble: str = ""


@dataclass(frozen=True)
class _Template:
    path: Path
    title: jinja2.Template
    body: jinja2.Template

    def written(self, facts: Mapping[str, object]) -> Written:
        title = " ".join(self.title.render(facts).split())
        if not title:
            raise ValueError("its first line, the title, is empty")
        return Written(defang(title)[:_LONGEST_TITLE], f"{self.body.render(facts).strip()}\n")


class Templates:
    """The four templates.

    Args:
        given: of the configuration directory, by name.
        shipped: what stands in for one of them that fails.
    """

    def __init__(self, given: Mapping[str, _Template], shipped: Mapping[str, _Template]) -> None:
        self._given, self._shipped = given, shipped

    def write(self, name: str, **facts: object) -> Written:
        """Fill a template in. One that fails loses no ticket: the shipped one says it, and what was wrong."""
        plain = {key: _plain(value) for key, value in facts.items()}
        given = self._given.get(name)
        if given is None:
            return self._shipped[name].written(plain)
        try:
            return given.written(plain)
        except _FAILS as error:
            trouble = f"{given.path.name}{_line(error, given)}: {defang(str(error)[:300])}; the shipped text stands in"
            told = self._shipped[name].written(plain)
            return Written(told.title, f"{told.body}\n{as_markdown(trouble)}\n", trouble)


def load_templates(directory: Path) -> Templates:
    """Read the templates of a configuration directory.

    Raises:
        UsageError: names the file and the line.
    """
    folder = directory / "templates"
    given = {name: path for name in FACTS if (path := folder / f"{name}.md.j2").is_file()}
    if folder.is_dir():
        unknown = sorted(path.name for path in folder.glob("*.j2") if path.name.removesuffix(".md.j2") not in FACTS)
        if unknown:
            raise UsageError(f"{folder / unknown[0]}: is not a known template; known: {', '.join(sorted(FACTS))}.md.j2")
    return Templates({name: _read(path, name) for name, path in given.items()}, _shipped())


@functools.cache
def _shipped() -> Mapping[str, _Template]:
    return {name: _read(shipped_config() / "templates" / f"{name}.md.j2", name) for name in FACTS}


def shipped_templates() -> Templates:
    """Those that respond comes with."""
    return Templates({}, _shipped())


def _read(path: Path, name: str) -> _Template:
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as UTF-8 text: {error}") from error
    title, _, body = source.partition("\n")
    # The first line is left empty, so that lines are counted as in the file.
    return _Template(path, _compiled(_titles(), title, path, name), _compiled(_bodies(), f"\n{body}", path, name))


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


def _plain(value: object) -> object:
    """Data without behaviour: a template can read a model, and not call it."""
    if isinstance(value, BaseModel):
        return value.model_dump(exclude={"policy"})  # a case carries it, and it is long
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value


def _line(error: Exception, template: _Template) -> str:
    """Where in the file it happened, as far as the traceback says."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(template.path)]
    return f":{frames[-1].lineno}" if frames else ""
