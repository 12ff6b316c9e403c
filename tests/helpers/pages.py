"""The commands of a page, carried out in order by one shell, with a lab and a directory of their own.

A ```console block holds commands (`$ …`) and, below each, what it prints. Not 0 is expected where the command ends in
`# exit N`. A block with `title="FILE"` is written to that file. `…` stands for anything, alone on a line for any number
of lines; `$CASE` is the last case that was printed, and 8080 a port that is free.

The shell is real and finds a `respond` on its path. That one hands its arguments to this process, where everything is
imported already; what runs until it is told to end (`serve`) gets a process.
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.helpers.command import ROOT, respond

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
_LONGEST = 500.0
"""Seconds that the commands of a page may take together."""
_FENCE = re.compile(r"^```(?P<kind>\w*)(?P<rest>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)

_SHIM = """#!{python} -IS
import json, os, socket, sys
arguments = sys.argv[1:]
if any(word in ("serve", "worker") for word in arguments[:2]):
    os.execv(sys.executable, [sys.executable, "-m", "respond", *arguments])
with socket.create_connection(("127.0.0.1", {port})) as door:
    door.sendall(json.dumps([arguments, os.getcwd(), dict(os.environ)]).encode() + b"\\n")
    answer = json.loads(door.makefile().read())
sys.stdout.write(answer["out"])
sys.stderr.write(answer["err"])
sys.stdout.flush()
sys.exit(answer["code"])
"""

_PYTHON = """#!/bin/sh
case "$(env)" in *RESPOND_LAB__[!U]*) unset RESPOND_LAB__URL ;; esac
exec {python} "$@"
"""


@dataclass
class Command:
    """One command of a page.

    Attributes:
        shown: the lines that the page shows below it; none means that it does not say.
    """

    line: str
    shown: list[str] = field(default_factory=list)

    @property
    def code(self) -> int:
        found = re.search(r"# exit (\d)\s*$", self.line)
        return int(found[1]) if found else 0


@dataclass(frozen=True)
class Ran:
    command: Command
    code: int
    out: str
    err: str


Piece = Command | tuple[str, str]


def blocks(text: str) -> list[tuple[str, str, str]]:
    """Each fenced block: language, the rest of its first line, body."""
    return [(found["kind"], found["rest"].strip(), found["body"]) for found in _FENCE.finditer(text)]


def pieces(text: str) -> list[Piece]:
    """What a page has to be done: commands, and files (name and content), in order."""
    found: list[Piece] = []
    for kind, rest, body in blocks(text):
        if name := re.search(r'title="([^"]+)"', rest):
            found.append((name[1], body))
        if kind == "console":
            found += commands(body)
    return found


def commands(body: str) -> list[Command]:
    found: list[Command] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            found.append(Command(line[2:]))
        elif found and found[-1].line.endswith("\\"):
            found[-1].line += "\n" + line
        elif found:
            found[-1].shown.append(line.rstrip())
    return found


def carry_out(page: Path, place: Path, **env: str) -> list[Ran]:
    """Run a page's commands in a directory that holds `config/`, or a copy of the source for a page that adds to it."""
    text = page.read_text()
    home = place / "home"
    _furnish(home, cloned="<!-- in a clone -->" in text)
    with socket.create_server(("127.0.0.1", 0)) as door:
        path = place / "bin"
        path.mkdir()
        (path / "respond").write_text(_SHIM.format(python=sys.executable, port=door.getsockname()[1]))
        (path / "python").write_text(_PYTHON.format(python=sys.executable))
        for program in path.iterdir():
            program.chmod(0o755)
        todo = pieces(text.replace("8080", str(_free_port())))
        (place / "page.sh").write_text(_script(todo, place))
        given = {"HOME": str(place), "PATH": f"{path}:{os.environ['PATH']}", "XDG_STATE_HOME": str(place / "state")}
        outside = {name: value for name, value in os.environ.items() if not name.startswith("RESPOND_")}
        shell = subprocess.Popen(["bash", place / "page.sh"], cwd=home, env=outside | given | env)  # noqa: S607
        deadline = time.monotonic() + _LONGEST
        while shell.poll() is None:
            if time.monotonic() > deadline:
                shell.kill()
                raise AssertionError(f"{page.name}: a command does not end")
            if select.select([door], [], [], 0.05)[0]:
                _answer(door.accept()[0])
    ran = [piece for piece in todo if isinstance(piece, Command)]
    return [_ran(command, place, number) for number, command in enumerate(ran)]


def _furnish(home: Path, *, cloned: bool) -> None:
    home.mkdir()
    without = shutil.ignore_patterns("__pycache__")
    for name in ("actions", "config", "playbooks") if cloned else ("config",):
        shutil.copytree(ROOT / name, home / name, ignore=without)
    if cloned:
        (home / "respond").symlink_to(ROOT / "respond")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def _script(todo: list[Piece], place: Path) -> str:
    lines = ["trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT"]
    number = 0
    for piece in todo:
        if isinstance(piece, tuple):
            name, content = piece
            lines.append(f"mkdir -p \"$(dirname '{name}')\"; cat > '{name}' <<'END OF FILE'\n{content}END OF FILE")
            continue
        log = f"{place}/{number}"
        lines += [f"{{ {piece.line}\n}} >{log}.out 2>{log}.err </dev/null", f"echo $? >{log}.code"]
        lines.append(f"case=$(grep -ohE 'DC-[A-Z2-7]{{5,}}' {log}.out | tail -n 1); CASE=${{case:-$CASE}}")
        number += 1
    return "\n".join(lines) + "\n"


def _answer(connection: socket.socket) -> None:
    with connection, connection.makefile("rw") as told:
        arguments, where, env = json.loads(told.readline())
        before = Path.cwd()
        os.chdir(where)
        try:
            with patch.dict(os.environ, _own_lab(arguments, env), clear=True):
                answer = respond(*arguments)
        finally:
            os.chdir(before)
        json.dump({"code": answer.code, "out": answer.out, "err": answer.err}, told)


def _own_lab(arguments: list[str], env: dict[str, Any]) -> dict[str, Any]:
    """The environment, without the page's lab for a command that asks for another one."""
    own = "lab" in arguments[:1] or any(name.startswith("RESPOND_LAB__") and name != _LAB for name in env)
    return {name: value for name, value in env.items() if name != _LAB} if own else env


_LAB = "RESPOND_LAB__URL"


def _ran(command: Command, place: Path, number: int) -> Ran:
    def said(kind: str) -> str:
        return (place / f"{number}.{kind}").read_text()

    return Ran(command, int(said("code")), said("out"), said("err"))


def matches(shown: list[str], printed: str) -> bool:
    """Whether the page shows what was printed; how many spaces there are between words does not count."""
    pattern = ""
    for line in map(_plain, shown):
        pattern += r"(?:.*\n)*?" if line == "…" else ".*".join(map(re.escape, line.split("…"))) + r"\n"
    return re.fullmatch(pattern, "".join(f"{_plain(line)}\n" for line in printed.splitlines())) is not None


def _plain(line: str) -> str:
    return " ".join(line.split())
