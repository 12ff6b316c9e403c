"""For the site: a link to a file outside `docs/` becomes its name. The site has no such file, the repository does."""

from __future__ import annotations

import re

_OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./[^)]*\)")


def on_page_markdown(markdown: str, **_: object) -> str:
    """What mkdocs calls for each page."""
    return _OUTSIDE.sub(r"\1", markdown)
