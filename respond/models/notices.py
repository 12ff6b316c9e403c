"""What a person is told at once."""

from __future__ import annotations

from respond.models.base import Model


class Notice(Model):
    """Plain text; whoever writes it into markup escapes it.

    Attributes:
        commands: what may be typed about it; never cut off.
        link: where more is to be seen; ours, from the settings.
    """

    title: str
    text: str
    commands: tuple[str, ...] = ()
    link: str = ""
