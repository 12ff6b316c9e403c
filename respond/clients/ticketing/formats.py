"""The text of a ticket as each system wants it, within the length that it takes.

What does not fit is cut between two blocks, or two items of a list, and the last line says where the whole text is.
"""

from __future__ import annotations

import json
import re
from typing import Any

from respond.clients.ticketing import adf, github_markdown
from respond.clients.ticketing.markup import Block, Blocks, Kind, fitted
from respond.models.tickets import Draft

JIRA_LONGEST = 32_767
"""Characters of a text field; counted over the whole document, since Atlassian does not say what it counts."""

GITHUB_LONGEST = 65_536
"""Characters of the body of an issue; counted in bytes, since other signs count as more than one."""

_TAG = re.compile(r"<(?=[a-z/!?])", re.IGNORECASE)
_CODE = re.compile(r"\[\s*(/?\s*code)\s*\]", re.IGNORECASE)


def jira(draft: Draft) -> dict[str, Any]:
    """The text as an ADF document."""
    blocks = fitted(draft.body, lambda kept: _size(adf.document(kept)) <= JIRA_LONGEST, note=_note(draft))
    return adf.document(blocks)


def github(draft: Draft, *, first: str = "") -> str:
    """The text in GitHub's Markdown.

    Args:
        first: a line of ours before all others.
    """

    def whole(blocks: Blocks) -> str:
        return "\n\n".join(part for part in (first, github_markdown.text(blocks)) if part)

    fits = fitted(draft.body, lambda kept: len(whole(kept).encode()) <= GITHUB_LONGEST, note=_note(draft))
    return whole(fits)


def plain(draft: Draft, *, most: int) -> str:
    """The text without markup, for a field that shows what is in it.

    ServiceNow takes `[code]` in a journal as the beginning of HTML, and puts fields into mails that are HTML: neither
    begins here.
    """
    return _plain(fitted(draft.body, lambda kept: len(_plain(kept)) <= most, note=_note(draft)))


def _note(draft: Draft) -> str:
    return f"Cut here; the whole text: respond show {draft.key}"


def _size(document: dict[str, Any]) -> int:
    return len(json.dumps(document, ensure_ascii=False, separators=(",", ":")))


def _plain(blocks: Blocks) -> str:
    return _CODE.sub(r"(\1)", _TAG.sub("< ", _text(blocks)))


def _text(blocks: Blocks) -> str:
    return "\n\n".join(_lines(block) for block in blocks)


def _lines(block: Block) -> str:
    match block.kind:
        case Kind.BULLETS:
            return "\n".join(_item("- ", item) for item in block.items)
        case Kind.NUMBERS:
            return "\n".join(_item(f"{number}. ", item) for number, item in enumerate(block.items, block.level))
        case Kind.QUOTE:
            return "\n".join(_item("  ", item) for item in block.items)
        case Kind.RULE:
            return "-" * 20
        case _:
            return "".join(span.text for span in block.spans)


def _item(mark: str, blocks: Blocks) -> str:
    return mark + _text(blocks).replace("\n", "\n" + " " * len(mark))
