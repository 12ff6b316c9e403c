"""Which story the lab tells, and where it remembers it.

A story that the settings name has a memory of its own, so that two commands about two stories do not disturb each
other. Without one it is the story that `respond lab load` loaded last, or the seed.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from respond.lab import scenario
from respond.lab.state import LabState
from respond.settings import Settings, state_dir

SEED = "seed-true-positive"


def memory(settings: Settings) -> Path:
    """The directory of everything that labs remember."""
    return state_dir(settings) / "lab"


def place(settings: Settings) -> tuple[Path, Path]:
    """The scenario directory, and where its state is kept.

    Raises:
        UsageError: there is no such scenario.
    """
    if settings.lab.data:
        data = scenario.find(settings.lab.data)
        slug = f"{data.name}-{hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:8]}"
        return data, memory(settings) / slug
    mark = LabState(memory(settings)).mark()
    loaded = Path(mark[0]) if mark else None
    return loaded if loaded and loaded.is_dir() else scenario.find(SEED), memory(settings)
