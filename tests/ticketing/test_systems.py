"""What holds for every ticket system that is reached over HTTP: one request, no more, and an error that says enough."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from respond.clients.guard import check_leaving, unless_frozen
from respond.clients.ticketing.wire import checked_key
from respond.errors import (
    Forbidden,
    Frozen,
    NotFound,
    Permanent,
    RespondError,
    Transient,
    Unanswered,
    Unauthenticated,
    WriteRefused,
)
from respond.models.brakes import Freeze
from respond.models.tickets import Found
from tests.fakes.served import LOST, Answer, Fault, served
from tests.ticketing.systems import BY_NAME, CASE, KINDS, Kind, both, client, draft

each = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


@each
async def test_a_ticket_is_created_found_again_and_rewritten(kind: Kind) -> None:
    async with both(kind.name) as (system, fake):
        assert await system.find(CASE) is None
        made = await system.create(draft())
        assert await system.find(CASE) == made
        await system.update(made, draft("# BENIGN\n", title="Nothing happened"))
        await system.update(made, draft("# BENIGN\n", title="Nothing happened"))
        assert await system.find(CASE) == made
        assert await system.find("DC-OTHER") is None
        assert kind.created(fake) == 1
        assert made.url.startswith("http")


@each
@pytest.mark.parametrize("answer", [LOST, Answer(500, {"x": 1}), Answer(502, b"<html>"), Answer(504, None)])
async def test_a_lost_answer_to_a_creation_is_said_and_not_repeated(kind: Kind, answer: Answer) -> None:
    async with both(kind.name) as (system, fake):
        fake.faults.append(Fault("POST", answer, worked=True))
        with pytest.raises(Unanswered):
            await system.create(draft())
        assert len(fake.requests) == kind.created(fake) == 1
        found = await system.find(CASE)
        assert found is not None
        assert kind.created(fake) == 1


@each
@pytest.mark.parametrize(
    "answer", [Answer(201, b"<html>hibernating</html>"), Answer(201, {"id": "?"}), Answer(200, [])]
)
async def test_an_answer_that_names_no_ticket_is_a_lost_one(kind: Kind, answer: Answer) -> None:
    async with both(kind.name) as (system, fake):
        fake.faults.append(Fault("POST", answer, worked=True))
        with pytest.raises(Unanswered):
            await system.create(draft())
        assert len(fake.requests) == 1


@each
@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"<html>"),
        Answer(200, {"x": 1}),
        Answer(200, []),
        Answer(200, {"number": 77, "key": "OTHER-7", "result": {"sys_id": "f" * 32, "number": "INC7"}}),
    ],
    ids=["a page", "foreign JSON", "a list", "another ticket"],
)
async def test_an_update_that_something_else_answers_is_not_taken_for_done(kind: Kind, answer: Answer) -> None:
    async with both(kind.name) as (system, fake):
        made = await system.create(draft())
        fake.faults.append(Fault(kind.writes, answer))
        with pytest.raises(Unanswered):
            await system.update(made, draft("# BENIGN\n"))
        await system.update(made, draft("# BENIGN\n"))
        assert await system.find(CASE) == made


@each
@pytest.mark.parametrize("answer", [LOST, Answer(500), Answer(200, b"<html>"), Answer(200, {"x": 1})])
async def test_a_search_that_failed_never_says_that_there_is_no_ticket(kind: Kind, answer: Answer) -> None:
    async with both(kind.name) as (system, fake):
        fake.faults.append(Fault(kind.reads, answer))
        with pytest.raises(Transient):
            await system.find(CASE)
        assert len(fake.requests) == 1


@each
@pytest.mark.parametrize("status", [408, 429, 503])
@pytest.mark.parametrize("asked", ["7", "in an hour", None])
async def test_what_was_not_done_may_be_tried_again_when_the_system_says(
    kind: Kind, status: int, asked: str | None
) -> None:
    async with both(kind.name) as (system, fake):
        date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
        headers = {} if asked is None else {"Retry-After": date if asked == "in an hour" else asked}
        fake.faults.append(Fault("POST", Answer(status, {"message": "Too busy"}, headers)))
        with pytest.raises(Transient) as caught:
            await system.create(draft())
        assert not isinstance(caught.value, Unanswered)
        wait = caught.value.retry_after
        assert {"7": wait == 7.0, None: wait is None}.get(asked, wait is not None and 3500 < wait <= 3600)
        assert caught.value.throttled == (status == 429)
        assert (len(fake.requests), kind.created(fake)) == (1, 0)


@each
async def test_what_was_never_sent_is_not_taken_for_a_lost_answer(kind: Kind) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
    async with client(kind, f"http://127.0.0.1:{port}") as system:
        with pytest.raises(Transient, match="could not be sent") as caught:
            await system.create(draft())
    assert not isinstance(caught.value, Unanswered)


@each
async def test_a_system_that_does_not_answer_is_given_up_in_time(kind: Kind) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with client(kind, f"http://127.0.0.1:{silent.getsockname()[1]}", limit="300ms") as system:
            begun = time.monotonic()
            with pytest.raises(Unanswered, match="was sent and not answered"):
                await system.create(draft())
            assert time.monotonic() - begun < 3


@each
async def test_a_system_that_answers_byte_by_byte_is_given_up_in_time(kind: Kind) -> None:
    hung_up = asyncio.Event()

    async def trickle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 100000\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)
        writer.close()
        hung_up.set()

    async with await asyncio.start_server(trickle, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with client(kind, url, limit="300ms") as system:
            with pytest.raises(Unanswered):
                await system.create(draft())
        await asyncio.wait_for(hung_up.wait(), 5)


def wrong(name: str, status: int) -> tuple[type[RespondError], str]:
    keys = {"servicenow": "tickets.servicenow.", "jira": "tickets.jira.", "github": "tickets.github."}
    kinds = {401: Unauthenticated, 403: Forbidden, 404: NotFound}
    return kinds[status], keys[name]


@each
@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_refusal_is_one_line_that_names_the_setting_to_look_at(kind: Kind, status: int) -> None:
    async with both(kind.name) as (system, fake):
        fake.faults.append(Fault("POST", Answer(status, {"message": "No,\nyou may not"})))
        expected, key = wrong(kind.name, status)
        with pytest.raises(expected) as caught:
            await system.create(draft())
        assert type(caught.value) is expected
        assert re.search(rf"POST \S+ answered {status}.*; .*{re.escape(key)}[a-z_]+", caught.value.message)
        assert len(caught.value.message.splitlines()) == 1
        assert kind.created(fake) == 0


@each
async def test_neither_token_nor_password_is_shown_even_if_the_answer_repeats_it(kind: Kind) -> None:
    user = kind.section.get("user", "")
    encoded = b64encode(f"{user}:{kind.secret}".encode()).decode() if user else kind.secret
    said = f"bad {kind.secret} {encoded} https://evil.example/x"
    body = {"message": said, "error": {"message": said}, "errorMessages": [said]}
    async with both(kind.name) as (system, fake):
        fake.faults.append(Fault("POST", Answer(401, body)))
        with pytest.raises(Unauthenticated) as caught:
            await system.create(draft())
    for hidden in (kind.secret, encoded, "https://evil"):
        assert hidden not in caught.value.message
    assert "bad … " in caught.value.message
    assert kind.secret not in repr(vars(system))


@each
async def test_no_cookie_is_kept(kind: Kind) -> None:
    async with both(kind.name) as (system, fake):
        fake.faults += [Fault("POST", Answer(status, {}, {"Set-Cookie": "session=1; Path=/"})) for status in (201, 503)]
        for _ in range(2):
            with pytest.raises(Transient):
                await system.create(draft())
        await system.create(draft())
        assert not any("cookie" in request.headers for request in fake.requests)


NAMES = [
    "result",
    "issues",
    "fields",
    "labels",
    "errors",
    "errorMessages",
    "error",
    "message",
    "key",
    "number",
    "sys_id",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), inside),
    max_leaves=12,
)
STATUS = st.sampled_from([200, 201, 204, 301, 400, 401, 403, 404, 409, 410, 422, 429, 500, 503, 599])


@each
def test_whatever_is_answered_is_a_ticket_or_an_error_of_ours(kind: Kind) -> None:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        system, fake = runner.run(stack.enter_async_context(both(kind.name)))

        async def ask(answer: Answer) -> None:
            calls: list[tuple[str, Callable[[], Awaitable[Any]]]] = [
                (kind.reads, lambda: system.find(CASE)),
                ("POST", lambda: system.create(draft())),
                (kind.writes, lambda: system.update(Found(handle="1", id="1"), draft())),
            ]
            for method, call in calls:
                fake.faults[:] = [Fault(method, answer)]
                with suppress(RespondError):
                    found = await call()
                    assert found is None or found.handle

        @settings(max_examples=40)
        @given(JSON, STATUS)
        def check(body: Any, status: int) -> None:
            runner.run(ask(Answer(status, None if status == 204 else body)))

        check()
        runner.run(stack.aclose())


@each
async def test_credentials_follow_no_redirect(kind: Kind) -> None:
    with served(kind.fake()) as elsewhere:
        async with both(kind.name) as (system, fake):
            fake.faults += [Fault("POST", Answer(status, None, {"Location": elsewhere.url})) for status in (302, 307)]
            for _ in range(2):
                with pytest.raises(Permanent, match="answered 30"):
                    await system.create(draft())
        assert elsewhere.requests == []


@each
async def test_a_dry_run_looks_and_writes_nothing(kind: Kind) -> None:
    async with both(kind.name, check=check_leaving) as (system, fake):
        assert await system.find(CASE) is None
        with pytest.raises(WriteRefused, match="POST"):
            await system.create(draft())
        with pytest.raises(WriteRefused, match=kind.writes):
            await system.update(Found(handle="1", id="1"), draft())
        assert len(fake.requests) == 1


@each
async def test_while_writes_are_frozen_it_looks_and_writes_nothing(kind: Kind) -> None:
    freeze = Freeze(by="a.analyst", at=datetime.now(UTC), why="wrong policy")
    async with both(kind.name, check=unless_frozen(lambda: freeze)) as (system, fake):
        assert await system.find(CASE) is None
        with pytest.raises(Frozen, match="respond thaw ends that"):
            await system.create(draft())
        assert kind.created(fake) == 0


@each
async def test_a_ticket_that_is_gone_is_said_to_be(kind: Kind) -> None:
    handle = {"servicenow": "f" * 32, "jira": "SEC-404", "github": "404"}[kind.name]
    async with both(kind.name) as (system, _):
        with pytest.raises(NotFound):
            await system.update(Found(handle=handle, id=handle), draft())


@pytest.mark.parametrize("key", ["DC-1^ORactive=true", 'DC-1" OR project = "X', "DC-1 --> <b>", "DC--1", "", "A" * 101])
async def test_a_key_that_could_mean_something_else_is_refused(key: str) -> None:
    with pytest.raises(Permanent, match="is not the key of a case"):
        checked_key(key)
    for kind in BY_NAME:
        async with both(kind) as (system, fake):
            for call in (system.find(key), system.create(draft(key=key))):
                with pytest.raises(Permanent):
                    await call
            assert fake.requests == []


@each
async def test_eight_creations_at_once_do_not_wait_for_each_other(kind: Kind) -> None:
    async with both(kind.name) as (system, fake):
        made: list[Any] = await asyncio.gather(*(system.create(draft(key=f"DC-{number}")) for number in range(8)))
        assert len({found.handle for found in made}) == kind.created(fake) == 8
