"""Ticket text in GitHub's Markdown, in which nobody but us writes markup.

https://github.github.com/gfm/ and https://docs.github.com/get-started/writing-on-github

GitHub looks for mentions, issue numbers, commits, addresses and emoji in the text that is left after Markdown, so a
backslash or an entity does not help against them: an empty comment between two characters does, and shows nothing
(llvmbot writes its issues so).
"""

from __future__ import annotations

import re

from respond.clients.ticketing.markup import BREAK, Block, Blocks, Kind, Span

NOTHING = "<!-- -->"

_ESCAPES = re.compile(
    r"""
      (?P<quote>[\\`*_\[\]|~])
    | (?P<entity>[&<>])
    | (?P<math>\$)
    | (?P<joint>
          @ | gh-(?=\d) | www(?=\.)
        | :(?=//) | :(?=[\w+-]+:)
      )
    | (?P<commit>(?<![0-9a-z])[0-9a-f]{7,40}(?![0-9a-z]))
    | (?P<number>\#)
    """,
    re.IGNORECASE | re.VERBOSE,
)
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_BEGINS_BLOCK = re.compile(r"[-+=]|(\d+)(?=[.)])")
_LINE = "\\\n"


def text(blocks: Blocks) -> str:
    """The whole text."""
    return "\n\n".join(written for block in blocks if (written := _block(block)))


def _block(block: Block) -> str:
    match block.kind:
        case Kind.HEADING:
            written = f"{'#' * block.level} {_inline(block.spans).replace(_LINE, ' ')}"
        case Kind.CODE:
            code = "".join(span.text for span in block.spans)
            fence = _longer_than_any(code, least=3)
            written = f"{fence}\n{code}\n{fence}"
        case Kind.BULLETS:
            written = "\n".join(_item("- ", item) for item in block.items)
        case Kind.NUMBERS:
            written = "\n".join(_item(f"{number}. ", item) for number, item in enumerate(block.items, block.level))
        case Kind.QUOTE:
            written = "\n".join(f"> {line}".rstrip() for item in block.items for line in text(item).split("\n"))
        case Kind.RULE:
            written = "***"
        case _:
            written = _inline(block.spans)
    return written


def _item(mark: str, blocks: Blocks) -> str:
    lines = text(blocks).split("\n")
    return "\n".join([f"{mark}{lines[0]}".rstrip(), *(f"{' ' * len(mark)}{line}".rstrip() for line in lines[1:])])


def _inline(spans: tuple[Span, ...]) -> str:
    lines = "".join("\n" if span == BREAK else _span(span) for span in spans).split("\n")
    return _LINE.join(line for raw in lines if (line := _begun(raw.strip(" \t"))))


def _span(span: Span) -> str:
    if span.code:
        fence = _longer_than_any(span.text, least=1)
        # One space at each end is taken off again, so a backtick or a space at an end needs another.
        pad = " " if span.text[0] in " `" or span.text[-1] in " `" else ""
        return f"{fence}{pad}{span.text}{pad}{fence}" if span.text.strip() else ""
    written = _ESCAPES.sub(_escaped, span.text)
    # Tags, since asterisks do not work beside every letter.
    written = f"<em>{written}</em>" if span.em else written
    return f"<strong>{written}</strong>" if span.strong else written


def _escaped(sign: re.Match[str]) -> str:
    match sign.lastgroup:
        case "quote":
            return f"\\{sign[0]}"
        case "entity":
            return _ENTITIES[sign[0]]
        case "math":
            return "<span>$</span>"
        case "joint":
            return f"{sign[0]}{NOTHING}"
        case "commit":
            return NOTHING.join(re.findall(".{1,6}", sign[0]))
        case _:
            return f"\\#{NOTHING}"


def _begun(line: str) -> str:
    """A line that does not begin a list or underline a heading."""
    found = _BEGINS_BLOCK.match(line)
    if not found:
        return line
    return f"{found[0]}\\{line[found.end() :]}" if found[1] else f"\\{line}"


def _longer_than_any(code: str, *, least: int) -> str:
    longest = max((len(run) for run in re.findall("`+", code)), default=0)
    return "`" * max(least, longest + 1)
