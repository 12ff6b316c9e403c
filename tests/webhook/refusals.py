"""What every refusal has to keep: its status, its one line, and nothing that a sender wrote."""

from __future__ import annotations

import json
from collections.abc import Awaitable

import pytest

from respond.webhook.problems import Problem


def check_silence(problem: Problem, *hidden: str) -> None:
    """No part of a token, secret or signature is in anything that leaves."""
    told = " ".join(
        [problem.line, problem.detail, repr(problem), problem.document().decode(), *problem.headers.values()]
    )
    parts = {part for text in hidden for part in (text, *text.split(".")) if len(part) > 7}
    assert not [part for part in parts if part in told]
    assert "\n" not in problem.line


async def refused(answer: Awaitable[object], *hidden: str) -> Problem:
    with pytest.raises(Problem) as caught:
        await answer
    check_silence(caught.value, *hidden)
    assert json.loads(caught.value.document())["status"] == caught.value.status
    return caught.value
