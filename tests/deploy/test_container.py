"""The Dockerfile, read and, as far as that goes without a container engine, carried out."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

from tests.deploy.test_packaging import PROJECT
from tests.helpers.command import ROOT, VICTIM

pytestmark = pytest.mark.xdist_group("container")


def instructions(text: str) -> list[tuple[str, str]]:
    """Each instruction with its argument, comments and line ends taken out."""
    kept = "\n".join(line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    lines = re.sub(r"\\\n\s*", " ", kept).splitlines()
    return [(word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


DOCKERFILE = (ROOT / "Dockerfile").read_text()
FILE = instructions(DOCKERFILE)
FINAL = FILE[max(at for at, (word, _) in enumerate(FILE) if word == "FROM") :]


def faults(file: list[tuple[str, str]]) -> list[str]:
    """What no Dockerfile of ours may do."""
    found = []
    for word, rest in file:
        if word == "FROM" and not re.fullmatch(r"python:3\.1[1-3]-slim(@sha256:[0-9a-f]{64})?( AS build)?", rest):
            found.append(f"not a pinned slim Python: {rest}")
        if word == "ADD" or re.search(r"\b(curl|wget)\b", rest):
            found.append(f"fetches something without a hash: {word} {rest}")
        found += [f"installs without hashes: {install}" for install in installs(rest) if not hashed(install)]
        if word in ("ENV", "ARG", "LABEL") and re.search(r"secret|password|token", rest, re.IGNORECASE):
            found.append(f"keeps a secret in the image: {rest}")
    users = [rest for word, rest in file if word == "USER"]
    if not users or not re.fullmatch(r"[1-9]\d*(:[1-9]\d*)?", users[-1]):
        found.append("does not end as a numeric user other than root")
    words = [word for word, _ in file]
    return found + [f"no {wanted}" for wanted in ("ENTRYPOINT", "CMD", "HEALTHCHECK") if wanted not in words]


def installs(command: str) -> list[list[str]]:
    return [words.split() for words in re.findall(r"pip (?:--python \S+ )?install[^&]*", command)]


def hashed(install: list[str]) -> bool:
    """By hash, or nothing but a file that was built here."""
    return "--require-hashes" in install or {"--no-index", "--no-deps"} <= set(install)


def test_the_dockerfile_keeps_the_rules() -> None:
    assert faults(FILE) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("USER 10001:10001", "USER root", "numeric user"),
        ("USER 10001:10001", "USER 0", "numeric user"),
        ("USER 10001:10001", "", "numeric user"),
        ("FROM python:3.13-slim\n", "FROM python:latest\n", "not a pinned slim Python"),
        ("FROM python:3.13-slim\n", "FROM python\n", "not a pinned slim Python"),
        ("WORKDIR /build", "ADD https://example.com/tool.tgz /", "without a hash"),
        ("--require-hashes", "", "installs without hashes"),
        ("TMPDIR=/tmp", "RESPOND_WEBHOOK__HMAC_SECRET=x", "secret in the image"),
        ("HEALTHCHECK --interval", "LABEL --interval", "no HEALTHCHECK"),
    ],
)
def test_a_dockerfile_that_breaks_a_rule_is_refused(old: str, new: str, said: str) -> None:
    found = faults(instructions(DOCKERFILE.replace(old, new)))
    assert any(said in fault for fault in found), found


def copied() -> list[str]:
    """What the Dockerfile takes from the repository."""
    copies = [rest.split() for word, rest in FILE if word == "COPY" and not rest.startswith("--from")]
    return [source for words in copies for source in words[:-1]]


def ignored(path: str) -> bool:
    verdict = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!").removeprefix("**/")
            parts = path.split("/")
            names = ["/".join(parts[: n + 1]) for n in range(len(parts))] + (parts if "**/" in line else [])
            if any(fnmatch.fnmatch(name, pattern) for name in names):
                verdict = not line.startswith("!")
    return verdict


def test_what_is_copied_exists_and_reaches_the_build() -> None:
    assert copied()
    assert [source for source in copied() if not (ROOT / source).exists() or ignored(source)] == []
    assert not ignored("respond/cli/main.py")


@pytest.mark.parametrize("path", [".git/config", ".venv/bin/python", ".demo/respond.db", "tests/conftest.py", ".env"])
def test_nothing_else_reaches_the_build(path: str) -> None:
    assert ignored(path)
    assert ignored("respond/cli/__pycache__/main.cpython-313.pyc")


def pins(name: str) -> dict[str, str]:
    """Each pin of a lock file with its hashes."""
    text = re.sub(r"\\\n\s*", " ", (ROOT / name).read_text())
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {re.split(r"[^\w.-]", line)[0]: line for line in lines}


@pytest.mark.parametrize("part", ["requirements.runtime.lock", "requirements.build.lock"])
def test_a_part_of_the_lock_file_says_what_the_whole_says(part: str) -> None:
    whole = pins("requirements.lock")
    assert pins(part).items() <= whole.items()


def test_the_image_gets_every_dependency_and_none_of_the_tools() -> None:
    runtime, whole = pins("requirements.runtime.lock").keys(), pins("requirements.lock").keys()
    project = PROJECT["project"]
    assert {Requirement(line).name.lower() for line in project["dependencies"]} <= runtime
    tools = {Requirement(line).name.lower() for line in project["optional-dependencies"]["dev"]}
    assert tools <= whole
    assert tools & runtime == set()
    assert {Requirement(line).name for line in PROJECT["build-system"]["requires"]} <= pins(
        "requirements.build.lock"
    ).keys()


def environment() -> dict[str, str]:
    (line,) = [rest for word, rest in FINAL if word == "ENV"]
    return dict(part.split("=", 1) for part in shlex.split(line))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from what the Dockerfile copies and from nothing else, unpacked."""
    source = tmp_path_factory.mktemp("build")
    for name in copied():
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "dist"]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (wheel,) = (source / "dist").glob("*.whl")
    unpacked = tmp_path_factory.mktemp("site")
    with ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    return unpacked


class Container:
    """The final stage without an engine: its environment and places. Root may write anywhere, so `image` is compared.

    Attributes:
        root: stands for everything that the image holds; must stay as it is.
        state: stands for /var/lib/respond.
        tmp: stands for /tmp.
    """

    def __init__(self, base: Path, site: Path) -> None:
        self.site = site
        self.root, self.state, self.tmp = (base / name for name in ("root", "state", "tmp"))
        for place in (self.root, self.state, self.tmp):
            place.mkdir()
        self.root.chmod(0o555)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", *arguments]
        return subprocess.run(command, cwd=self.root, env=self._env(), capture_output=True, text=True, check=False)

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", *arguments]
        return subprocess.Popen(command, cwd=self.root, env=self._env() | env, stderr=subprocess.PIPE, text=True)

    def _env(self) -> dict[str, str]:
        places = {"/var/lib/respond": str(self.state), "/tmp": str(self.tmp)}  # noqa: S108 - as the Dockerfile says
        set_here = {name: places.get(value, value) for name, value in environment().items()}
        return set_here | {"PATH": os.environ["PATH"], "PYTHONPATH": str(self.site)}

    def image(self) -> list[tuple[str, int, int]]:
        files = [path for place in (self.root, self.site) for path in place.rglob("*")]
        return sorted((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files)


@pytest.fixture
def container(tmp_path: Path, site: Path) -> Iterator[Container]:
    made = Container(tmp_path, site)
    yield made
    made.root.chmod(stat.S_IRWXU)


@pytest.mark.soak
def test_the_wheel_of_the_image_is_what_runs(container: Container) -> None:
    found = container.run("respond", "lab", "scenarios", "--json")
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)
    where = subprocess.run(
        [sys.executable, "-c", "import respond; print(respond.__file__)"],
        cwd=container.root,
        env={"PYTHONPATH": str(container.site)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(where.stdout.strip()).is_relative_to(container.site)


@pytest.mark.soak
def test_a_whole_response_writes_nothing_but_state_and_temporary_files(container: Container) -> None:
    before = container.image()
    answered = container.run("respond", "--user", VICTIM, "--json")
    assert answered.returncode == 0, answered.stderr
    assert json.loads(answered.stdout)["outcome"] == "contained-verified"
    assert container.image() == before
    assert (container.state / "respond.db").is_file()


@pytest.mark.soak
def test_the_service_answers_the_health_check_and_writes_nothing_but_state(container: Container) -> None:
    before = container.image()
    (command,) = [json.loads(rest) for word, rest in FINAL if word == "CMD"]
    free = [word if word != "8080" else "0" for word in command]
    secret = {"RESPOND_WEBHOOK__HMAC_SECRET": "made-up-secret-of-forty-characters-0123456"}
    with container.start("respond", *free, **secret) as service:
        assert service.stderr
        line = next(line for line in map(json.loads, service.stderr) if line["event"] == "listening")
        port = int(line["address"][0].rpartition(":")[2])
        assert line["address"] == [f"0.0.0.0:{port}"]
        assert health(port) == 0
        service.terminate()
        service.stderr.read()
    assert service.returncode == 0
    assert health(port) != 0
    assert container.image() == before
    assert (container.state / "respond.db").is_file()


@pytest.mark.soak
def test_the_service_of_the_image_does_not_start_open_to_all(container: Container) -> None:
    (command,) = [json.loads(rest) for word, rest in FINAL if word == "CMD"]
    answer = container.run("respond", *command)
    assert (answer.returncode, answer.stdout) == (2, "")
    (line,) = answer.stderr.splitlines()
    assert "webhook.audience" in line


def test_settings_are_not_looked_for_where_state_is_written() -> None:
    (workdir,) = [rest for word, rest in FINAL if word == "WORKDIR"]
    (state,) = [rest for word, rest in FINAL if word == "VOLUME"]
    assert environment()["RESPOND_STATE__DIR"] == state == environment()["HOME"]
    assert not Path(workdir).is_relative_to(state)


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A server on a free port that answers `GET /healthz` with this status."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def health(port: int) -> int:
    (line,) = [rest for word, rest in FINAL if word == "HEALTHCHECK"]
    program, *arguments = json.loads(line[line.index("[") :])
    assert program == "python"
    arguments = [argument.replace("8080", str(port)) for argument in arguments]
    proxied = {**os.environ, "http_proxy": "http://127.0.0.1:1"}
    return subprocess.run([sys.executable, *arguments], env=proxied, capture_output=True, check=False).returncode


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False), (404, False)])
def test_the_health_check_asks_the_service(status: int, *, healthy: bool) -> None:
    with answering(status) as port:
        assert (health(port) == 0) is healthy


def test_the_health_check_fails_when_nothing_answers() -> None:
    with answering(200) as port:
        pass
    assert health(port) != 0


def test_the_port_is_the_same_everywhere() -> None:
    (exposed,) = [rest for word, rest in FINAL if word == "EXPOSE"]
    (command,) = [json.loads(rest) for word, rest in FINAL if word == "CMD"]
    assert command == ["serve", "--host", "0.0.0.0", "--port", exposed]  # noqa: S104 - inside the container
    (check,) = [rest for word, rest in FINAL if word == "HEALTHCHECK"]
    assert f", {exposed}," in check
    assert [json.loads(rest) for word, rest in FINAL if word == "ENTRYPOINT"] == [["respond"]]
