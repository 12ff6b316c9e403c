"""Text that came from an attacker, made safe to show: links that nobody follows by accident, no control characters."""

from __future__ import annotations

import json
import re

_LINK = re.compile(r"http(s?)://([^\s<>\"'/?#]*)", re.IGNORECASE)
_AUTOLINK = re.compile(r"www\.|(?<=[a-z]):(?=\S)", re.IGNORECASE)
_MARKUP = re.compile(r"[&<>\"'`*_\[\]()#|~\\!]")
_HIDDEN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f"
)
"""Control and direction marks, and what is not visible: a terminal obeys some of them, a reader sees none."""
_CONTROL = re.compile(f"[\n{_HIDDEN}]")
_UNPRINTABLE = re.compile(f"[{_HIDDEN}]")


def defang(text: str) -> str:
    """`https://evil.example/a.b` becomes `hxxps://evil[.]example/a.b`; control and direction marks become `?`."""
    shown = _CONTROL.sub("?", text)
    while _LINK.search(shown):  # a link can hide in the host of another
        shown = _LINK.sub(lambda link: f"hxxp{link[1].lower()}://{link[2].replace('.', '[.]')}", shown)
    return shown


def printable(text: str) -> str:
    """Text of several lines as a terminal may show it: it obeys nothing in it but the ends of lines."""
    return _UNPRINTABLE.sub("?", text)


def json_text(text: str) -> str:
    """A JSON document that says the same and that a terminal obeys nothing in: such characters become escapes."""
    return _UNPRINTABLE.sub(lambda sign: json.dumps(sign[0])[1:-1], text)


def as_comment(text: str, *, most: int, cut: str) -> str:
    """Plain text as a comment that is shown as it was written, be it read as HTML or as Markdown; links are defanged.

    Args:
        most: characters that the comment may have.
        cut: last line of a comment that would be longer; the text is cut between two characters, never within one.
    """
    whole = "<br>\n".join(_literal(defang(line)) for line in text.splitlines())
    if len(whole) <= most:
        return whole
    end = f"<br>\n{_literal(cut)}"
    kept, room = [], most - len(end)
    for piece in _PIECES.findall(whole):
        room -= len(piece)
        if room < 0:
            break
        kept.append(piece)
    return "".join(kept) + end


_PIECES = re.compile(r"&#?\w+;|<br>\n|.", re.DOTALL)


def _literal(text: str) -> str:
    quoted = _MARKUP.sub(lambda sign: f"&#{ord(sign[0])};", text)
    return _AUTOLINK.sub(lambda link: link[0][:-1] + f"&#{ord(link[0][-1])};", quoted)


LONGEST_VALUE = 4_000
_SPECIAL = re.compile(r"[\\`*\[\]<>&|~]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.", re.IGNORECASE)
_DEFANGED = re.compile(r"(hxxps?://[A-Za-z0-9-]+(?:\[\.\][A-Za-z0-9-]+)+)")
"""Nothing in it means anything in Markdown, and people copy it out of the page as it is."""
_BLOCK = re.compile(r"(?:[-+=#]|\d{1,9}[.)])+(?=\s|$)|[-=](?=[-=\s]*$)")


def as_markdown(text: str) -> str:
    """Text as a line of CommonMark that shows it as it is, wherever on a line it stands; links are defanged.

    It begins no list, heading, quote or code, ends none, and makes no link of GitHub's either.
    """
    shown = _cut(defang(text)).strip(" \t")
    parts = _DEFANGED.split(shown)
    parts[::2] = [_SPECIAL.sub(lambda sign: f"\\{sign[0]}", part) for part in parts[::2]]
    escaped = "".join(parts)
    start = _BLOCK.match(escaped)
    return escaped if start is None else f"{start[0][:-1]}\\{start[0][-1]}{escaped[start.end() :]}"


def as_code(text: str) -> str:
    """Text as a code span of CommonMark, however many backticks it holds; empty for nothing."""
    shown = _cut(defang(text)).strip(" \t")
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    room = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{room}{shown}{room}{fence}" if shown else ""


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
