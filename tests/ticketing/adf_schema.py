"""What Jira takes of the Atlassian Document Format, written down by hand from its reference.

https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/ and the pages of the nodes below it.
"""

from __future__ import annotations

from typing import Any

BLOCKS = {"paragraph", "bulletList", "orderedList", "codeBlock"}
CONTENT: dict[str, set[str]] = {
    "doc": BLOCKS | {"heading", "blockquote", "rule"},
    "blockquote": BLOCKS,
    "listItem": BLOCKS,
    "bulletList": {"listItem"},
    "orderedList": {"listItem"},
    "paragraph": {"text", "hardBreak"},
    "heading": {"text", "hardBreak"},
    "codeBlock": {"text"},
    "rule": set(),
    "hardBreak": set(),
    "text": set(),
}
ATTRIBUTES = {"heading": {"level": range(1, 7)}, "orderedList": {"order": range(1_000_000_000)}}
NEVER_EMPTY = {"doc", "blockquote", "listItem", "bulletList", "orderedList"}
MARKS: tuple[list[str], ...] = ([], ["strong"], ["em"], ["strong", "em"], ["code"])


def mistakes(node: dict[str, Any]) -> list[str]:
    """What is wrong with a node and all below it."""
    kind = node.get("type", "")
    if kind not in CONTENT:
        return [f"unknown node {kind!r}"]
    inside = node.get("content", [])
    found = [f"{child.get('type')} in {kind}" for child in inside if child.get("type") not in CONTENT[kind]]
    found += [f"empty {kind}"] if kind in NEVER_EMPTY and not inside else []
    found += _attributes(node, kind) + _text(node, kind)
    if kind == "listItem" and inside and inside[0]["type"] not in ("paragraph", "codeBlock"):
        found.append(f"a list item begins with {inside[0]['type']}")
    if kind == "codeBlock" and any("marks" in child for child in inside):
        found.append("marks in a code block")
    return found + [mistake for child in inside for mistake in mistakes(child)]


def _attributes(node: dict[str, Any], kind: str) -> list[str]:
    known = {"type", "content"} if CONTENT[kind] else {"type"}
    known |= {"doc": {"version"}, "text": {"text", "marks"}}.get(kind, set())
    known |= {"attrs"} if kind in ATTRIBUTES else set()
    found = [f"{name} on {kind}" for name in node if name not in known]
    for name, allowed in ATTRIBUTES.get(kind, {}).items():
        if node["attrs"].get(name) not in allowed:
            found.append(f"{name} {node['attrs'].get(name)!r} of {kind}")
    return found + (["version"] if kind == "doc" and node.get("version") != 1 else [])


def _text(node: dict[str, Any], kind: str) -> list[str]:
    if kind != "text":
        return []
    marks = [mark["type"] for mark in node.get("marks", [])]
    return (["empty text"] if not node["text"] else []) + ([f"marks {marks}"] if marks not in MARKS else [])
