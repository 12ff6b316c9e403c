"""Make each change of the list in a copy of the tree, one at a time, and see whether the tests notice.

A change that no test notices is a survivor: a test is missing. The tree itself is never changed.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.mutation.changes import LIST, Change, load, misfits
from tools.mutation.trial import Ran, Result, Trial, copies, first_to_end, warm_up

_ROOT = Path(__file__).resolve().parents[2]
_WORDS = {Result.PASSED: "SURVIVED", Result.FAILED: "killed", Result.TIMEOUT: "timeout", Result.BROKEN: "BROKEN"}
_KILLED = (Result.FAILED, Result.TIMEOUT)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 when every change was noticed, 1 when one was not or the list does not fit, 2 for a wrong call."""
    given = _parser().parse_args(arguments)
    changes = load(given.list)
    if unknown := set(given.ids) - {change.id for change in changes}:
        print(f"no such change: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    chosen = [change for change in changes if not given.ids or change.id in given.ids]
    if wrong := list(misfits(chosen, given.tree)):
        print(*wrong, sep="\n", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the copies are removed
    warm_up()
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        trees = copies(given.tree, Path(folder), given.jobs)
        if not _passes_unchanged(trees, chosen, given.limit):
            return 1
        return _report(_all(trees, chosen, given.limit), max(len(change.id) for change in chosen))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.mutation", description=__doc__)
    parser.add_argument("ids", nargs="*", metavar="ID", help="changes to make (default: all)")
    parser.add_argument("--jobs", type=int, default=2, help="how many at the same time (default: 2)")
    parser.add_argument("--limit", type=float, default=180, help="seconds for one change (default: 180)")
    parser.add_argument("--tree", type=Path, default=_ROOT, help="what is copied (default: this repository)")
    parser.add_argument("--list", type=Path, default=LIST, help="the changes (default: tools/mutation/changes.toml)")
    return parser


def _passes_unchanged(trees: Sequence[Path], changes: Sequence[Change], limit: float) -> bool:
    """Whether the tests pass as it is; else that they fail on a change means nothing."""
    named = dict.fromkeys(test for change in changes for test in change.tests)
    tests = [test for test in named if test == (file := test.partition("::")[0]) or file not in named]
    files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
    shares = [
        [test for test in tests if files.index(test.partition("::")[0]) % len(trees) == n] for n in range(len(trees))
    ]
    mine = [change.file for change in changes]
    trials = [Trial(tree, share, mine, limit * len(files)) for tree, share in zip(trees, shares, strict=True) if share]
    try:
        ran = []
        while trials:
            trials.remove(trial := first_to_end(trials))
            ran.append(trial.end())
    finally:
        for trial in trials:
            trial.stop()
    for one in ran:
        if one.result is not Result.PASSED:
            print(f"without any change the tests do not pass: {one.by or one.result}\n{one.said}", file=sys.stderr)
    if any(one.result is not Result.PASSED for one in ran):
        return False
    print(f"unchanged: {len(tests)} files and tests pass, {max(one.seconds for one in ran):.0f} s", flush=True)
    return True


def _all(trees: Sequence[Path], changes: Sequence[Change], limit: float) -> Iterator[tuple[Change, Ran]]:
    """Each change and what became of it, in the order they end."""
    waiting, free = deque(changes), list(trees)
    going: dict[Trial, tuple[Change, Path, str]] = {}
    try:
        while waiting or going:
            while waiting and free:
                change, tree = waiting.popleft(), free.pop()
                before = change.apply(tree)
                going[Trial(tree, change.tests, [change.file], limit)] = (change, tree, before)
            trial = first_to_end(list(going))
            change, tree, before = going.pop(trial)
            ran = trial.end()
            change.undo(tree, before)
            free.append(tree)
            yield change, ran
    finally:
        for trial in going:
            trial.stop()


def _report(results: Iterator[tuple[Change, Ran]], width: int) -> int:
    began, counts = time.monotonic(), Counter[Result]()
    for change, ran in results:
        counts[ran.result] += 1
        print(f"{change.id:{width}}  {_WORDS[ran.result]:8}  {ran.seconds:5.1f} s  {ran.by or '-'}", flush=True)
        if ran.result is Result.BROKEN:
            print(ran.said, file=sys.stderr)
        elif ran.result is Result.PASSED:
            print(f"{'':{width}}  {change.file}: {change.why}", flush=True)
    used = os.times()
    killed = sum(counts[result] for result in _KILLED)
    print(
        f"{counts.total()} changes: {killed} killed ({counts[Result.TIMEOUT]} by timeout), "
        f"{counts[Result.PASSED]} survived, {counts[Result.BROKEN]} broken; {time.monotonic() - began:.0f} s, "
        f"{used.user + used.system + used.children_user + used.children_system:.0f} s of processor time in all"
    )
    return 0 if killed == counts.total() else 1


if __name__ == "__main__":
    sys.exit(main())
