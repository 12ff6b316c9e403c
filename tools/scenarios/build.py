"""Write every scenario, or say whether the committed files are what would be written.

python -m tools.scenarios.build            writes
python -m tools.scenarios.build --check    exit code 1 and the names of files that differ
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from tools.scenarios import (
    stories_admins,
    stories_disguised,
    stories_doubt,
    stories_dug_in,
    stories_familiar,
    stories_kits,
    stories_lures,
    stories_machines,
    stories_missing,
    stories_people,
    stories_rollouts,
    stories_routines,
    stories_servers,
    stories_sessions,
    stories_strangers,
    stories_together,
    stories_unclear,
    stories_unmarked,
    stories_waves,
)
from tools.scenarios.story import Story

ROOT = Path(__file__).resolve().parents[2] / "respond" / "lab" / "scenarios"
STORIES: tuple[Callable[[], Story], ...] = (
    *stories_kits.STORIES,
    *stories_disguised.STORIES,
    *stories_missing.STORIES,
    *stories_unclear.STORIES,
    *stories_machines.STORIES,
    *stories_people.STORIES,
    *stories_lures.STORIES,
    *stories_admins.STORIES,
    *stories_unmarked.STORIES,
    *stories_sessions.STORIES,
    *stories_waves.STORIES,
    *stories_doubt.STORIES,
    *stories_rollouts.STORIES,
    *stories_routines.STORIES,
    *stories_familiar.STORIES,
    *stories_dug_in.STORIES,
    *stories_servers.STORIES,
    *stories_together.STORIES,
    *stories_strangers.STORIES,
)


def differences(root: Path = ROOT) -> list[str]:
    """Files below `root` that are missing, changed or left over, as `scenario/file`."""
    wrong: list[str] = []
    for tell in STORIES:
        story = tell()
        folder, files = root / story.name, story.files()
        present = {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}
        names = sorted({*files, *present})
        wrong += [f"{story.name}/{name}" for name in names if present.get(name) != files.get(name, "").encode()]
    return wrong


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.scenarios.build", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if a file differs")
    if parser.parse_args(arguments).check:
        wrong = differences()
        for name in wrong:
            print(f"differs: {name}", file=sys.stderr)
        return 1 if wrong else 0
    for tell in STORIES:
        tell().write(ROOT)
    print(f"{len(STORIES)} scenarios written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
