"""`python -m tests.helpers.zygote FD`: a process that has imported the product and forks the commands of the tests.

An import of everything that `respond serve` needs takes one to two seconds of CPU. Here it happens once for all tests
of a pytest process; `tests.helpers.forked` is the side that asks. A request on the socket FD is a length, two file
descriptors (standard error, and a pipe for the report) and a JSON object: arguments, environment, directory. The report
is the process id on one line, and the exit code on the next once the process has ended.

A forked child leaves the loop and runs the module as `python -m` does, so the interpreter ends as usual: exit handlers,
exit code, death by signal. It has the environment, directory and descriptors of the request, the default signal
handlers and one thread. The imported objects stay out of its garbage collections, as `respond.collector` arranges it in
every service that has started. When the socket closes, because pytest has ended in whatever way, every child is killed
and this process ends.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import sys
import threading
from pathlib import Path
from typing import Any

LENGTH = struct.Struct("!I")

PRELOAD = (
    *(f"playbooks.{name}" for name in ("answer_delivery", "carry_out", "device_code_phishing", "take_back_case")),
    *("playbooks.tenant_hunt", "playbooks.try_again", "playbooks.watch_case"),
    *(f"respond.clients.{name}" for name in ("arm_auth", "defender", "dialect", "graph", "logs", "places", "sentinel")),
    *("respond.cli.main", "respond.cli.serve", "respond.cli.user", "respond.liveness", "respond.rendering"),
    *("respond.serving.front", "respond.serving.run"),
    # what libraries import at their first use
    *("anyio._backends._asyncio", "azure.core.rest._aiohttp", "dbos._sys_db_postgres", "dbos._sys_db_sqlite"),
    *("encodings.idna", "h2.connection", "httpcore", "jinja2.sandbox", "uvicorn.lifespan.off"),
    *("sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite"),
    *("msgraph.generated.models.o_data_errors.o_data_error", "msgraph.generated.users.users_request_builder"),
    "msgraph.generated.users.item.user_item_request_builder",
    "msgraph.generated.users.item.revoke_sign_in_sessions.revoke_sign_in_sessions_request_builder",
    "msgraph.generated.users.item.transitive_member_of.transitive_member_of_request_builder",
)


def main() -> None:
    """Serve until the other end of the socket closes; in a child, run what was asked for."""
    asked = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # pytest hears Ctrl-C as well, and closes the socket
    _load()
    if request := Zygote(asked).serve():
        _become(request)


def _load() -> None:
    for name in PRELOAD:
        importlib.import_module(name)
    from msgraph.generated.models.user import User

    User().get_field_deserializers()  # imports a thousand modules
    assert _threads() == 1, "no thread survives a fork; do not import what starts one"
    gc.collect()
    gc.freeze()  # so that the collector does not write to the pages that the children share


def _threads() -> int:
    tasks = Path("/proc/self/task")  # which knows those of extensions as well
    return len(list(tasks.iterdir())) if tasks.exists() else threading.active_count()


class Zygote:
    """The loop of the parent.

    Args:
        asked: where requests arrive.
    """

    def __init__(self, asked: socket.socket) -> None:
        self._asked = asked
        self._reports: dict[int, int] = {}
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        signal.set_wakeup_fd(self._wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> dict[str, Any] | None:
        """Fork until the socket closes, then kill what is left.

        Returns:
            What to run, in a child; nothing in the parent, when it is over.
        """
        while True:
            ready, _, _ = select.select([self._asked.fileno(), self._woken], [], [])
            if self._woken in ready:
                os.read(self._woken, 512)
                self._reap()
            if self._asked.fileno() in ready:
                head, descriptors, _, _ = socket.recv_fds(self._asked, LENGTH.size, 2)
                if not head:
                    break
                request = json.loads(_exactly(self._asked, LENGTH.unpack(head)[0]))
                if self._fork(*descriptors):
                    return dict(request)
        for pid in self._reports:
            os.kill(pid, signal.SIGKILL)
        return None

    def _fork(self, errors: int, report: int) -> bool:
        """Whether this is the child."""
        pid = os.fork()
        if pid == 0:
            self._forget(errors, report)
            return True
        os.close(errors)
        os.write(report, f"{pid}\n".encode())
        self._reports[pid] = report
        return False

    def _forget(self, errors: int, report: int) -> None:
        """Be a process that has just begun."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.dup2(errors, 2)
        for number in (errors, report, self._woken, self._wake, *self._reports.values()):
            os.close(number)
        self._asked.close()
        atexit.register(gc.unfreeze)  # as the product does, which freezes the same objects when it has started

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):  # there is none
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                pid, status = ended
                report = self._reports.pop(pid)
                with contextlib.suppress(BrokenPipeError):  # nobody asks any more
                    os.write(report, f"{os.waitstatus_to_exitcode(status)}\n".encode())
                os.close(report)


def _exactly(source: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        data += source.recv(length - len(data))
    return data


def _become(request: dict[str, Any]) -> None:
    """Run a module as `python -m` would in the requested environment."""
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    sys.argv[1:] = request["arguments"]
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
