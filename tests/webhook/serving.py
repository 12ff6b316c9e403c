"""A real server in front of the real intake, which answers with what it read."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import uvicorn

from respond.webhook.gate import Gate
from respond.webhook.intake import take
from respond.webhook.problems import Problem


def application(gate: Gate, within: timedelta) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            caller, value = await take(gate, headers, receive, within=within)
        except Problem as problem:
            logging.getLogger("webhook").warning(problem.line)
            status, body, extra = int(problem.status), problem.document(), problem.headers
        else:
            status, extra = 200, {}
            body = json.dumps({"caller": caller.id, "body": value}, allow_nan=False).encode()
        fields = [(name.lower().encode(), text.encode()) for name, text in extra.items()]
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": body})

    return app


@contextmanager
def serving(gate: Gate, within: timedelta = timedelta(seconds=10)) -> Iterator[str]:
    """Serve in a thread until the block ends; gives the address."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        application(gate, within), lifespan="off", ws="none", log_config=None, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
