"""The body of a ticket for systems that know no Markdown: as plain text, and as HTML.

Nothing in a body is a link, an image or HTML, so none of them is made: they are turned off.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token


def as_text(markdown: str) -> str:
    """Headings, paragraphs and list items on lines of their own, without markup."""
    lines: list[str] = []
    depth, is_first = 0, False
    for token in _parser().parse(markdown):
        depth += token.nesting if token.type in ("bullet_list_open", "bullet_list_close") else 0
        if token.type == "list_item_open":
            is_first = True
        elif token.type in ("inline", "fence", "code_block"):
            mark = f"{'    ' * (depth - 1)}- " if depth and is_first else ""
            lines.append(mark + (_inline(token) if token.type == "inline" else token.content.rstrip()))
            is_first = False
        elif (
            token.type in ("paragraph_close", "heading_open", "bullet_list_close") and not depth and lines[-1:] != [""]
        ):
            lines.append("")
    return "\n".join(lines).strip()


def as_html(markdown: str) -> str:
    """HTML without links, images, or any element that the text brought itself."""
    return str(_parser().render(markdown))


def _inline(token: Token) -> str:
    words = {"softbreak": " ", "hardbreak": "\n"}
    return "".join(words.get(child.type, child.content) for child in token.children or ())


@functools.cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).disable(["link", "image", "autolink", "html_inline", "html_block"])
