"""The garbage collector of a process that is there for days."""

from __future__ import annotations

import atexit
import gc


def settle() -> None:
    """Leave what is loaded by now out of every further collection.

    The SDKs bring ten thousand classes, which never go. Walking through them holds every request up for a fifth of a
    second, and a busy service does that every few seconds.
    """
    gc.collect()
    gc.freeze()
    # At the end everything is collected, or extensions tell of objects that they think were lost.
    atexit.register(gc.unfreeze)
