"""Ticket text in the Atlassian Document Format, which Jira Cloud takes instead of markup.

https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/

Text is a node of its own there, so nothing in it can become a link, a mention or markup. What the schema does not
allow inside something else is written as what it does allow: a heading in a list as a strong paragraph.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from respond.clients.ticketing.markup import BREAK, Block, Blocks, Kind, Span

Node = dict[str, Any]

_EMPTY: Node = {"type": "paragraph", "content": []}


def document(blocks: Blocks) -> Node:
    """The whole text; an empty one has an empty paragraph."""
    nodes = [node for block in blocks for node in _nodes(block, top=True)]
    return {"version": 1, "type": "doc", "content": nodes or [_EMPTY]}


def _nodes(block: Block, *, top: bool) -> list[Node]:
    """One block as nodes: none where the schema has no place for it.

    Args:
        top: headings, quotes and rules are allowed here.
    """
    match block.kind:
        case Kind.HEADING:
            nodes = [_heading(block, top=top)]
        case Kind.CODE:
            nodes = [{"type": "codeBlock", "content": _inline(block.spans)}]
        case Kind.BULLETS:
            nodes = [{"type": "bulletList", "content": [_item(item) for item in block.items]}]
        case Kind.NUMBERS:
            items = [_item(item) for item in block.items]
            nodes = [{"type": "orderedList", "attrs": {"order": block.level}, "content": items}]
        case Kind.QUOTE:
            inside = [node for item in block.items for part in item for node in _nodes(part, top=False)]
            nodes = [{"type": "blockquote", "content": inside or [_EMPTY]}] if top else inside
        case Kind.RULE:
            nodes = [{"type": "rule"}] if top else []
        case _:
            nodes = [{"type": "paragraph", "content": _inline(block.spans)}]
    return nodes


def _heading(block: Block, *, top: bool) -> Node:
    if top:
        return {"type": "heading", "attrs": {"level": block.level}, "content": _inline(block.spans)}
    return {"type": "paragraph", "content": _inline(tuple(_strong(span) for span in block.spans))}


def _item(blocks: Blocks) -> Node:
    """A list item begins with a paragraph or a code block."""
    nodes = [node for block in blocks for node in _nodes(block, top=False)]
    if not nodes or nodes[0]["type"] not in ("paragraph", "codeBlock"):
        nodes.insert(0, _EMPTY)
    return {"type": "listItem", "content": nodes}


def _inline(spans: tuple[Span, ...]) -> list[Node]:
    return [{"type": "hardBreak"} if span == BREAK else _text(span) for span in spans]


def _text(span: Span) -> Node:
    """Code goes with no other mark."""
    marks = ["code"] if span.code else [name for name in ("strong", "em") if getattr(span, name)]
    node: Node = {"type": "text", "text": span.text}
    return node | {"marks": [{"type": name} for name in marks]} if marks else node


def _strong(span: Span) -> Span:
    return span if span == BREAK else replace(span, strong=True)
