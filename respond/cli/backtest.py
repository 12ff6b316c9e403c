"""`respond backtest`: what the policy would have done, before it is switched on."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from respond.cli.user import read_since
from respond.defang import json_text
from respond.durations import parse_duration
from respond.settings import config_dir

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from respond.backtesting import Replay
    from respond.models.backtest import Backtest

    Tell = Callable[[str, int, int], None]

_A_MONTH = parse_duration("30d")


def backtest_policy(*, since: str | None, policy: str | None, as_json: bool, config: str | None) -> int:
    """Replay the policy, print the figures; exit code 1 when it was interrupted before the end."""
    directory, length = config_dir(config), read_since(since) or _A_MONTH
    with _shown(quiet=as_json) as tell:
        result = asyncio.run(_backtest(directory, length, Path(policy) if policy else None, tell))
    if as_json:
        sys.stdout.write(json_text(result.model_dump_json(by_alias=True, indent=2)) + "\n")
    else:
        from respond.console.backtest import print_backtest

        print_backtest(result)
    if not result.complete:
        sys.stderr.write(
            f"respond: interrupted: the figures are of {result.users_done:,} of {result.users:,} users; "
            "run it again for the rest\n"
        )
    return 0 if result.complete else 1


def _shown(*, quiet: bool) -> AbstractContextManager[Tell]:
    if quiet:
        return nullcontext(_say_nothing)
    from respond.console.progress import counting

    return counting(sys.stderr)


def _say_nothing(_what: str, _done: int, _of: int) -> None:
    """JSON readers have no use for progress."""


async def _backtest(config: Path, length: timedelta, other: Path | None, tell: Tell) -> Backtest:
    from respond.policies import load_other_policy
    from respond.ranks import Rank, ranked
    from respond.session import open_survey

    second = load_other_policy(other, config) if other else None
    async with open_survey(config) as session:
        from playbooks.backtest import backtest
        from respond.backtesting import Replay

        case, started = session.case(length), time.monotonic()
        replay = Replay(case, policy_name=str(config / "policy.toml"), other=second, other_name=str(other or ""))
        # It asks for a month of everybody; a service beside it has to have room for an attack.
        with ranked(Rank.BACKGROUND):
            work = asyncio.ensure_future(backtest(case, replay, at_once=session.settings.hunt.users_at_once, tell=tell))
        result = await _until_interrupted(work, replay)
        return result.model_copy(update={"queries": session.queries, "seconds": round(time.monotonic() - started, 2)})


async def _until_interrupted(work: asyncio.Future[Backtest], replay: Replay) -> Backtest:
    """The whole result, or what there is when the first Ctrl-C comes."""
    loop = asyncio.get_running_loop()
    with suppress(NotImplementedError):  # Windows: Ctrl-C ends it without figures
        loop.add_signal_handler(signal.SIGINT, work.cancel)
    try:
        return await work
    except asyncio.CancelledError:
        return replay.result()
    finally:
        with suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGINT)
