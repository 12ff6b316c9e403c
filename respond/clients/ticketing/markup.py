"""The text of a ticket as blocks: what each system's own format is written from.

Markdown is read with markdown-it-py, without links, images and HTML: a `Draft` has none, and what looks like one came
out of a log and stays text. Control characters and links are made harmless once more, whoever wrote the template.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from respond.defang import defang

_LONGEST_TEXT = 4_000
_LONGEST_SOURCE = 100_000
_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_OURS = ["link", "image", "autolink", "html_inline", "html_block", "reference"]
_READER = MarkdownIt("commonmark", {"maxNesting": 100}).disable(_NOT_OURS)


class Kind(StrEnum):
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    CODE = "code"
    BULLETS = "bullets"
    NUMBERS = "numbers"
    QUOTE = "quote"
    RULE = "rule"


@dataclass(frozen=True)
class Span:
    """Text in one style; a line break is a span of its own."""

    text: str
    strong: bool = False
    em: bool = False
    code: bool = False


BREAK = Span("\n")


@dataclass(frozen=True)
class Block:
    """One block.

    Attributes:
        spans: of a heading or paragraph; a code block has one, with its lines.
        level: of a heading, 1 to 6; the first number of a numbered list.
        items: of a list; a quote is one item.
    """

    kind: Kind
    spans: tuple[Span, ...] = ()
    level: int = 0
    items: tuple[Blocks, ...] = ()


Blocks = tuple[Block, ...]


def read(markdown: str) -> Blocks:
    """The blocks of a CommonMark text."""
    return _blocks(SyntaxTreeNode(_READER.parse(_SURROGATE.sub("\ufffd", markdown))))


def fitted(markdown: str, fits: Callable[[Blocks], bool], *, note: str) -> Blocks:
    """The blocks of a text, or as many from the first on as fit together with a note that the rest is missing."""
    last = Block(Kind.PARAGRAPH, (Span(note),))
    # No system takes more, and reading it takes seconds.
    head = markdown[:_LONGEST_SOURCE].rpartition("\n")[0] if len(markdown) > _LONGEST_SOURCE else markdown
    blocks = read(head)
    if head is markdown and fits(blocks):
        return blocks
    least, most = 0, sum(len(block.items) or 1 for block in blocks) + 1
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (middle, most) if fits((*_first(blocks, middle), last)) else (least, middle)
    return (*_first(blocks, least), last)


def one_line(text: str, most: int) -> str:
    """A title: one line of plain text, of at most so many characters; `@someone` calls nobody."""
    line = " ".join(defang(_SURROGATE.sub("\ufffd", " ".join(text.split()))).split())
    line = re.sub(r"(?<!\w)@(?=\w)", "(at)", line)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _first(blocks: Blocks, count: int) -> Blocks:
    """So many blocks; each item of a list counts as one."""
    kept: list[Block] = []
    for block in blocks:
        if count <= 0:
            break
        kept.append(replace(block, items=block.items[:count]))
        count -= len(block.items) or 1
    return tuple(kept)


def _blocks(node: SyntaxTreeNode) -> Blocks:
    return tuple(_block(child) for child in node.children)


def _block(node: SyntaxTreeNode) -> Block:
    match node.type:
        case "heading":
            block = Block(Kind.HEADING, _spans(node.children), level=int(node.tag[1]))
        case "fence" | "code_block":
            code = "\n".join(_clean(line) for line in node.content.split("\n")).rstrip("\n")
            block = Block(Kind.CODE, (Span(code),) if code else ())
        case "bullet_list":
            block = Block(Kind.BULLETS, items=tuple(_blocks(item) for item in node.children))
        case "ordered_list":
            first = int(node.attrs.get("start", 1))
            block = Block(Kind.NUMBERS, level=first, items=tuple(_blocks(item) for item in node.children))
        case "blockquote":
            block = Block(Kind.QUOTE, items=(_blocks(node),))
        case "hr":
            block = Block(Kind.RULE)
        case _:
            block = Block(Kind.PARAGRAPH, _spans(node.children))
    return block


def _spans(nodes: list[SyntaxTreeNode], style: Span = Span("")) -> tuple[Span, ...]:
    found: list[Span] = []
    for node in nodes:
        match node.type:
            case "hardbreak":
                found.append(BREAK)
            case "softbreak":
                found.append(replace(style, text=" "))
            case "strong":
                found += _spans(node.children, replace(style, strong=True))
            case "em":
                found += _spans(node.children, replace(style, em=True))
            case "inline":
                found += _spans(node.children, style)
            case "code_inline":
                found.append(Span(_clean(node.content), code=True))
            case _:
                found.append(replace(style, text=_clean(node.content)))
    return tuple(span for span in found if span.text)


def _clean(text: str) -> str:
    """No value fills a ticket by itself: it would push out what comes after it."""
    return defang(text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…")
